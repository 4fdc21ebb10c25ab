//! Objects whose entries somebody took out of the inventories, and that none has held since: what is
//! lost of them isn't our loss.

use std::collections::BTreeSet;

use stageset_core::object::ObjectKey;

use crate::event::Event;
use crate::log::{Entry, What};
use crate::scene::Scene;

/// Watches for that; looks at every entry.
#[derive(Debug, Default)]
pub(super) struct Forgotten(BTreeSet<ObjectKey>);

impl Forgotten {
    /// Takes note of an entry.
    pub(super) fn look(&mut self, entry: &Entry, scene: &dyn Scene) {
        match &entry.what {
            What::World(Event::Forget(object)) => {
                self.0.extend(scene.table().key_of(object).cloned());
            }
            What::Inventory(_, _, after) if entry.effect => {
                for key in after {
                    self.0.remove(key);
                }
            }
            _ => {}
        }
    }

    /// Whether this is one of them.
    pub(super) fn has(&self, key: &ObjectKey) -> bool {
        self.0.contains(key)
    }
}
