//! Objects whose entries somebody took out of the inventories, and that none has held since: what is
//! lost of them isn't our loss.

use std::collections::BTreeSet;

use stageset_core::object::ObjectKey;

use crate::event::Event;
use crate::log::{Entry, What};
use crate::scene::Scene;

/// Watches for that; looks at every entry.
#[derive(Debug, Default)]
pub(super) struct Forgotten {
    lost: BTreeSet<ObjectKey>,
    /// Everything that an inventory has held.
    held: BTreeSet<ObjectKey>,
}

impl Forgotten {
    /// Takes note of an entry.
    pub(super) fn look(&mut self, entry: &Entry, scene: &dyn Scene) {
        match &entry.what {
            What::World(Event::Forget(object)) => {
                self.lost.extend(scene.table().key_of(object).cloned());
            }
            // Most wait for us to move the entries; one that we have let go of, for a StageSet that seemed
            // to be torn down, is gone at once.
            What::World(Event::DropInventory(_)) => {
                let gone = self.held.iter().filter(|key| !scene.recorded(key));
                self.lost.extend(gone.cloned());
            }
            What::Inventory(_, _, after) if entry.effect => {
                for key in after {
                    self.lost.remove(key);
                }
                self.held.extend(after.iter().cloned());
            }
            _ => {}
        }
    }

    /// Whether this is one of them.
    pub(super) fn has(&self, key: &ObjectKey) -> bool {
        self.lost.contains(key)
    }
}
