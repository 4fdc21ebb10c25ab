//! When the inventories, all together, held an object, and when not.

use std::collections::{BTreeMap, BTreeSet};

use stageset_core::object::ObjectKey;

use crate::scene::Scene;

/// Knows of the time since there are two leaders only.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// From which entry of the log on they held it, or no longer did; in order.
    changes: BTreeMap<ObjectKey, Vec<(u64, bool)>>,
}

impl Held {
    /// What stands when the second leader comes has stood for as long as anybody can remember.
    pub(super) fn begin(&mut self, scene: &dyn Scene) {
        self.take_stock(0, scene);
    }

    /// Somebody else may have put entries in and taken some out.
    pub(super) fn take_stock(&mut self, at: u64, scene: &dyn Scene) {
        let inventories = scene.inventories();
        let stand: BTreeSet<ObjectKey> =
            inventories.into_iter().flat_map(|(_, keys)| keys).collect();
        let known: Vec<ObjectKey> = self.changes.keys().cloned().collect();
        for key in known.iter().filter(|key| !stand.contains(*key)) {
            self.set(at, key, false);
        }
        for key in &stand {
            self.set(at, key, true);
        }
    }

    /// Whether they hold it from this entry on.
    pub(super) fn set(&mut self, at: u64, key: &ObjectKey, held: bool) {
        if self.now(key) == held {
            return;
        }
        match self.changes.get_mut(key) {
            Some(changes) => changes.push((at, held)),
            None => {
                self.changes.insert(key.clone(), vec![(at, held)]);
            }
        }
    }

    /// Whether they hold it.
    pub(super) fn now(&self, key: &ObjectKey) -> bool {
        let changes = self.changes.get(key);
        let last = changes.and_then(|changes| changes.last());
        last.is_some_and(|(_, held)| *held)
    }

    /// Whether they held it then.
    pub(super) fn at(&self, key: &ObjectKey, then: u64) -> bool {
        let changes = self.changes.get(key);
        let last = changes.and_then(|changes| changes.iter().rfind(|(at, _)| *at <= then));
        last.is_some_and(|(_, held)| *held)
    }
}
