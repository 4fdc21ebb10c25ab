//! What discovery says, by target.

use crate::failure::Fact;
use crate::few::Few;
use crate::identity::Target;
use crate::object::GroupVersionKind;

use super::KindState;

/// Kinds by target: what one cluster serves answers for no other.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Kinds(Few<Target, Few<GroupVersionKind, Fact<KindState>>>);

impl Kinds {
    /// What is known of a kind.
    pub fn get(&self, target: &Target, gvk: &GroupVersionKind) -> Option<&Fact<KindState>> {
        self.0.get(target)?.get(gvk)
    }

    /// Remembers what is known of a kind.
    pub fn insert(&mut self, target: &Target, gvk: GroupVersionKind, fact: Fact<KindState>) {
        self.0.or_default(target).insert(gvk, fact);
    }

    /// Forgets a kind.
    pub fn remove(&mut self, target: &Target, gvk: &GroupVersionKind) {
        if let Some(of_target) = self.0.get_mut(target) {
            of_target.remove(gvk);
        }
    }

    /// Forgets that the target serves what it serves; what failed, and when, stays.
    pub fn forget_served(&mut self, target: &Target) {
        if let Some(of_target) = self.0.get_mut(target) {
            of_target.retain(|_, fact| !matches!(fact.value, KindState::Served { .. }));
        }
        self.0.retain(|_, kinds| !kinds.is_empty());
    }

    /// Keeps what is known of these targets only.
    pub fn retain(&mut self, mut keep: impl FnMut(&Target) -> bool) {
        self.0.retain(|target, _| keep(target));
    }
}
