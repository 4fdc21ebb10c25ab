//! What leaves a stage with `prune: false` is left in place: nobody has lost it.

use std::collections::BTreeSet;

use stageset_core::object::ObjectKey;

use crate::event::{Edit, Event};
use crate::log::{Entry, What};
use crate::scene::Scene;
use crate::setup::Feature;

/// The stages that were `prune: false` at any time.
#[derive(Debug, Default)]
pub(super) struct Unpruned(BTreeSet<usize>);

impl Unpruned {
    /// Takes note of an entry.
    pub(super) fn look(&mut self, entry: &Entry) {
        if let What::World(Event::Spec(Edit::Unprune(stage))) = &entry.what {
            self.0.insert(*stage);
        }
    }

    /// Whether an object may have left such a stage. One that has had another's name had its inventory, too.
    pub(super) fn may_have_left(&self, key: &ObjectKey, scene: &dyn Scene) -> bool {
        if scene.setup().has(Feature::Renamed) {
            return !self.0.is_empty();
        }
        let mut holders = scene.table().holders(key).iter();
        holders.any(|stage| self.0.contains(stage))
    }
}
