//! When each inventory held an object, and when not.

use std::collections::{BTreeMap, BTreeSet};

use stageset_core::object::ObjectKey;

use crate::log::Entry;
use crate::scene::Scene;

/// What became of an entry.
#[derive(Debug, Clone, Copy)]
struct Change {
    /// From which entry of the log on.
    at: u64,
    /// Whether the inventory holds it.
    held: bool,
    /// Whether a process did that, not somebody else.
    ours: bool,
}

/// By stage, in order.
type Places = BTreeMap<String, Vec<Change>>;

/// Knows of the time since there are two leaders only.
#[derive(Debug, Default)]
pub(super) struct Held(BTreeMap<ObjectKey, Places>);

impl Held {
    /// What stands when the second leader comes has stood for as long as anybody can remember.
    pub(super) fn begin(&mut self, scene: &dyn Scene) {
        self.take_stock(0, scene);
    }

    /// Somebody else may have put entries in and taken some out.
    pub(super) fn take_stock(&mut self, at: u64, scene: &dyn Scene) {
        let known = self.0.values().flat_map(BTreeMap::keys);
        let mut stand: BTreeMap<String, Vec<ObjectKey>> =
            known.map(|stage| (stage.clone(), Vec::new())).collect();
        stand.extend(scene.inventories());
        for (stage, keys) in stand {
            self.set_all(at, &stage, &keys, false);
        }
    }

    /// A process wrote the inventory of a stage.
    pub(super) fn recorded(&mut self, entry: &Entry, stage: &str, keys: &[ObjectKey]) {
        self.set_all(entry.number, stage, keys, true);
    }

    fn set_all(&mut self, at: u64, stage: &str, keys: &[ObjectKey], ours: bool) {
        let stand: BTreeSet<&ObjectKey> = keys.iter().collect();
        for (key, places) in &mut self.0 {
            let Some(changes) = places.get_mut(stage) else {
                continue;
            };
            let held = changes.last().is_some_and(|change| change.held);
            if held && !stand.contains(key) {
                let held = false;
                changes.push(Change { at, held, ours });
            }
        }
        for key in keys {
            if self.in_stage(key, stage) {
                continue;
            }
            let places = self.0.entry(key.clone()).or_default();
            let held = true;
            let changes = places.entry(stage.to_owned()).or_default();
            changes.push(Change { at, held, ours });
        }
    }

    fn in_stage(&self, key: &ObjectKey, stage: &str) -> bool {
        let changes = self.0.get(key).and_then(|places| places.get(stage));
        let last = changes.and_then(|changes| changes.last());
        last.is_some_and(|change| change.held)
    }

    /// Whether any of them holds it.
    pub(super) fn now(&self, key: &ObjectKey) -> bool {
        self.at(key, u64::MAX)
    }

    /// Whether any of them held it then.
    pub(super) fn at(&self, key: &ObjectKey, then: u64) -> bool {
        let mut places = self.0.get(key).into_iter().flat_map(BTreeMap::values);
        places.any(|changes| held_at(changes, then))
    }

    /// The stages whose inventories ever held it.
    pub(super) fn stages(&self, key: &ObjectKey) -> impl Iterator<Item = &str> {
        let places = self.0.get(key).into_iter().flatten();
        places.map(|(stage, _)| &**stage)
    }

    /// Whether the inventory of this stage held it then.
    pub(super) fn in_stage_at(&self, key: &ObjectKey, stage: &str, then: u64) -> bool {
        let changes = self.0.get(key).and_then(|places| places.get(stage));
        changes.is_some_and(|changes| held_at(changes, then))
    }

    /// Whether the inventory of another stage held it then, when a process last learned of all of them, and
    /// another process has taken it out since.
    pub(super) fn left_elsewhere(&self, stage: &str, key: &ObjectKey, then: u64) -> bool {
        let mut places = self.0.get(key).into_iter().flatten();
        places.any(|(other, changes)| {
            let taken_out = changes.last().is_some_and(|last| !last.held && last.ours);
            other != stage && held_at(changes, then) && taken_out
        })
    }
}

fn held_at(changes: &[Change], then: u64) -> bool {
    let last = changes.iter().rfind(|change| change.at <= then);
    last.is_some_and(|change| change.held)
}
