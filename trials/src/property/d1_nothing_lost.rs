//! D1: nothing that was ever applied is lost from the inventory until its deletion was observed. So:
//! no write before the inventory holds the object and the finalizer stands, and no entry leaves while
//! the object is there, ours, and to be deleted.

use std::collections::BTreeSet;

use stageset_core::object::ObjectKey;

use super::forgotten::Forgotten;
use super::races::Races;
use super::unpruned::Unpruned;
use super::{Property, is_ours};
use crate::log::{Entry, What};
use crate::scene::Scene;
use crate::setup::MAX_TEARDOWN_SECONDS;

#[derive(Default)]
pub(super) struct NothingLost {
    /// Whether our finalizer ever stood.
    finalizer: bool,
    /// Objects that we wrote, by uid: another object of the same name isn't ours.
    written: BTreeSet<(ObjectKey, String)>,
    unpruned: Unpruned,
    /// What two leaders lose between an object and its inventory.
    races: Races,
    /// What others did to our records isn't our loss.
    forgotten: Forgotten,
}

impl NothingLost {
    /// Why the entry of this object may go, or not.
    fn may_go(&self, key: &ObjectKey, scene: &dyn Scene) -> bool {
        let Some(object) = scene.object(key) else {
            return true;
        };
        !is_ours(object.owner.as_deref())
            || object.keep
            || self.unpruned.may_have_left(key, scene)
            || self.forgotten.has(key)
            || self.races.lost(key)
            || scene.recorded(key)
            || !self.written.contains(&(key.clone(), object.uid))
    }
}

impl Property for NothingLost {
    fn name(&self) -> &'static str {
        "D1"
    }

    fn look(&mut self, entry: &Entry, scene: &dyn Scene) -> Result<(), String> {
        self.races.look(entry, scene);
        self.forgotten.look(entry, scene);
        self.unpruned.look(entry);
        if !entry.effect {
            return Ok(());
        }
        match &entry.what {
            What::Finalizer(true) => self.finalizer = true,
            What::Apply(key, _, after) => {
                if !self.finalizer {
                    return Err(format!("{}, before our finalizer stood", entry.what));
                }
                if !scene.recorded(key) && !self.forgotten.has(key) && !self.races.lost(key) {
                    return Err(format!("{}, before any inventory held it", entry.what));
                }
                if let Some(after) = after {
                    self.written.insert((key.clone(), after.uid.clone()));
                }
            }
            What::Inventory(stage, before, after) => {
                let gone = before.iter().filter(|key| !after.contains(key));
                for key in gone {
                    if !self.may_go(key, scene) {
                        return Err(format!(
                            "{key} left the inventory of {stage}, but is still there and ours"
                        ));
                    }
                }
            }
            What::Finalizer(false) => return self.torn_down(scene),
            _ => {}
        }
        Ok(())
    }
}

impl NothingLost {
    /// Without a finalizer nobody looks after what is left.
    fn torn_down(&self, scene: &dyn Scene) -> Result<(), String> {
        let Some(deletion) = scene.stage_set().and_then(|stage_set| stage_set.deletion) else {
            return Ok(());
        };
        // A clock of ours may run ahead.
        let waited = scene.now().since(deletion).as_secs() + 180;
        if waited >= MAX_TEARDOWN_SECONDS {
            return Ok(());
        }
        let recorded = scene.inventories();
        let left = recorded.iter().find_map(|(_, keys)| {
            keys.iter().find(|key| {
                !self.unpruned.may_have_left(key, scene)
                    && scene.object(key).is_some_and(|object| {
                        is_ours(object.owner.as_deref())
                            && !object.keep
                            && self.written.contains(&((*key).clone(), object.uid))
                            && !self.races.lost(key)
                    })
            })
        });
        match left {
            None => Ok(()),
            Some(key) => Err(format!(
                "the finalizer was removed before the bound, and {key} is still there"
            )),
        }
    }
}
