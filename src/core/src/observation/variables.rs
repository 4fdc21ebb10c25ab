//! Variables as they were read, and what a build is given of them. Their values may be secret: they
//! are never serialized, and `Debug` shows names only (I9, A21).

use std::collections::BTreeMap;
use std::fmt;

use crate::failure::Failure;
use crate::spec::OverlayPatch;

/// Texts by name that nothing prints.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Values(BTreeMap<String, String>);

impl Values {
    /// Sets a value; a later one replaces an earlier one.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// What was read of a ConfigMap or Secret that variables come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VariableState {
    /// It exists.
    Found {
        /// Its data.
        values: Values,
        /// uid and resourceVersion: what it is known by, so that no digest of a secret is needed.
        version: String,
    },
    /// It doesn't exist.
    Absent,
    /// It couldn't be read, or holds what can't be a variable; fails closed (I5).
    Unusable(Failure),
}

/// What is laid over a build: part of what it is asked for with, not of its key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildOverlay {
    /// Kustomize patches, in their order.
    pub patches: Vec<OverlayPatch>,
    /// Variables, all sources put together.
    pub variables: Values,
    /// Names patches, variables and the versions of their sources; empty if there are none. It is
    /// made of no secret value.
    pub digest: String,
}
