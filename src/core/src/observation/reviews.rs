//! What the API server says of an identity's rights, by who asked (A07).

use std::sync::Arc;

use crate::failure::{Fact, Failure};
use crate::few::Few;
use crate::identity::Identity;
use crate::rights::{Right, Rules};

/// What a rules review said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RulesState {
    /// These rules.
    Known(Arc<Rules>),
    /// It could not be had.
    Unreadable(Failure),
}

/// What an access review said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessState {
    /// Allowed or not.
    Answered(bool),
    /// It could not be had; where an answer decides, that is a no (I5).
    Unreadable(Failure),
}

/// Everything that is known of one identity's rights.
#[derive(Debug, Clone, PartialEq, Default)]
struct Of {
    rules: Few<String, Fact<RulesState>>,
    access: Few<Right, Fact<AccessState>>,
}

/// Reviews by identity.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reviews(Few<Identity, Of>);

impl Reviews {
    /// What a rules review of this namespace said.
    pub fn rules(&self, identity: &Identity, namespace: &str) -> Option<&Fact<RulesState>> {
        self.0.get(identity)?.rules.get(namespace)
    }

    /// What an access review said.
    pub fn access(&self, identity: &Identity, right: &Right) -> Option<&Fact<AccessState>> {
        self.0.get(identity)?.access.get(right)
    }

    /// Remembers a rules review.
    pub fn insert_rules(&mut self, identity: &Identity, namespace: String, fact: Fact<RulesState>) {
        let of = self.0.or_default(identity);
        of.rules.insert(namespace, fact);
    }

    /// Remembers an access review.
    pub fn insert_access(&mut self, identity: &Identity, right: Right, fact: Fact<AccessState>) {
        let of = self.0.or_default(identity);
        of.access.insert(right, fact);
    }

    /// Keeps what these identities asked.
    pub fn retain(&mut self, mut keep: impl FnMut(&Identity) -> bool) {
        self.0.retain(|identity, _| keep(identity));
    }
}
