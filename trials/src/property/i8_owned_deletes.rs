//! I8: only objects that carry this StageSet's labels *and* stand in its inventory are deleted, and
//! only the very object that was looked at.

use std::collections::BTreeSet;

use stageset_core::object::ObjectKey;

use super::{Property, is_ours};
use crate::log::{Entry, What};
use crate::scene::Scene;
use crate::setup::Feature;

#[derive(Default)]
pub(super) struct OwnedDeletes {
    /// Everything that an inventory of ours has held.
    recorded: BTreeSet<ObjectKey>,
    /// Whether somebody took entries away: a process that read them before may still go by them, since
    /// no precondition spans two objects. Labels are looked at in the very object that goes.
    tampered: bool,
}

impl Property for OwnedDeletes {
    fn name(&self) -> &'static str {
        "I8"
    }

    fn look(&mut self, entry: &Entry, scene: &dyn Scene) -> Result<(), String> {
        if let What::World(event) = &entry.what {
            use crate::event::Event;
            self.tampered |= matches!(event, Event::Forget(_));
        }
        if !entry.effect {
            return Ok(());
        }
        let (key, before, uid) = match &entry.what {
            What::Inventory(_, _, after) => {
                self.recorded.extend(after.iter().cloned());
                return Ok(());
            }
            What::Delete(key, Some(before), uid) => (key, before, uid),
            _ => return Ok(()),
        };
        let recorded = scene.recorded(key) || (self.tampered && self.recorded.contains(key));
        // What the release wants and can't change in place goes to be created anew, if its policy says so
        // and no other StageSet owns it: the labels of what leaves the release are another matter.
        let anew =
            before.owner.is_none() && scene.setup().has(Feature::Recreate) && wanted(key, scene);
        let problem = if !is_ours(before.owner.as_deref()) && !anew {
            "its labels name another owner, or none"
        } else if before.keep {
            "it is to be kept (prune: disabled)"
        } else if !recorded {
            "no inventory holds it"
        } else if uid.as_ref() != Some(&before.uid) {
            "the request wasn't limited to the object that was looked at"
        } else {
            return Ok(());
        };
        Err(format!("{}: {problem}", entry.what))
    }
}

/// Whether a stage holds the object at the revision that its source offers.
fn wanted(key: &ObjectKey, scene: &dyn Scene) -> bool {
    let setup = scene.setup();
    scene.table().holders(key).iter().any(|stage| {
        let revision = scene.offered(setup.source(*stage));
        revision.is_some_and(|revision| {
            let level = scene.level().unwrap_or(0);
            scene
                .table()
                .contents(*stage, revision, level)
                .contains_key(key)
        })
    })
}
