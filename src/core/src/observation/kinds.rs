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
        let mut kinds = self.0.get(target)?.iter();
        kinds
            .find(|(known, _)| known.is_same(gvk))
            .map(|(_, fact)| fact)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Failure, FailureClass};
    use crate::time::Timestamp;

    #[test]
    fn only_what_is_served_is_forgotten_as_served() {
        let served = KindState::Served {
            plural: "any".into(),
            namespaced: true,
        };
        let other = KindState::OtherVersion {
            version: "v2".into(),
            plural: "any".into(),
            namespaced: true,
        };
        let failed = KindState::Unreadable(Failure::new(FailureClass::Denied, "no"));
        let mut kinds = Kinds::default();
        let gvk = |kind: &str| GroupVersionKind::from_manifest("v1", kind);
        for (kind, state) in [
            ("Served", served),
            ("Other", other),
            ("Unknown", KindState::Unknown),
            ("Failed", failed),
        ] {
            let fact = Fact::seen(state, Timestamp::default());
            kinds.insert(&Target::Local, gvk(kind), fact);
        }
        kinds.forget_served(&Target::Local);
        let known = |kind: &str| kinds.get(&Target::Local, &gvk(kind)).is_some();
        assert!(!known("Served"));
        assert!(known("Other") && known("Unknown") && known("Failed"));
    }
}
