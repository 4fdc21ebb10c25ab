//! One StageSet's memory, and the loop over gather, decide, perform.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use stageset_core::identity::Identity;
use stageset_core::names::ServiceAccountName;
use stageset_core::object::{ObjectKey, Reference};
use stageset_core::observation::Facts;
use stageset_core::plan::Next;
use stageset_core::spec::SourceReference;

use crate::ports::Ports;

/// Which StageSet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StageSetKey {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for StageSetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Why a pass is run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Wake {
    /// Every fact that no watch vouches for is looked at again: an interval tick
    /// ([`Next::Hold`] with `refresh`), or the first pass after a start.
    pub refresh: bool,
    /// What watches told.
    pub hints: Vec<Hint>,
}

/// News from a watch. A hint drops what is remembered; it never decides.
#[derive(Debug, Clone, PartialEq)]
pub enum Hint {
    /// An object of the target moved.
    Object {
        /// As whom it was watched; `None` = whoever remembers it.
        identity: Option<Identity>,
        /// Which object.
        key: ObjectKey,
        /// [`stageset_core::judge::live::entry_of_metadata`] of what the event showed.
        entry: Option<String>,
        /// `metadata.resourceVersion` of what the event showed.
        resource_version: String,
        /// It is gone.
        deleted: bool,
    },
    /// A source, or an ExternalArtifact that names it, moved.
    Source(SourceReference),
    /// A ServiceAccount of the StageSet's namespace moved.
    Account(ServiceAccountName),
    /// An inventory of this StageSet was written by somebody else.
    Inventories,
}

/// How a pass ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// What then: never [`Next::Again`].
    pub next: Next,
    /// How many decisions it took.
    pub turns: usize,
}

/// What a StageSet's rest depends on: what to watch for it, and whom to wake.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interests {
    /// Sources of its stages.
    pub sources: BTreeSet<SourceReference>,
    /// Accounts of its namespace.
    pub accounts: BTreeSet<ServiceAccountName>,
    /// Objects of the target, each as the identity that reads it.
    pub objects: BTreeSet<(Identity, Reference)>,
}

/// One StageSet's memory. Dropping it costs requests, never correctness.
#[derive(Debug)]
pub struct Session {
    key: StageSetKey,
    facts: Facts,
}

impl Session {
    /// An empty memory.
    pub fn new(key: StageSetKey) -> Self {
        Self {
            key,
            facts: Facts::default(),
        }
    }

    /// Which StageSet.
    pub fn key(&self) -> &StageSetKey {
        &self.key
    }

    /// What is remembered.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// What its rest depends on, as of the last pass.
    pub fn interests(&self) -> Interests {
        Interests::default()
    }

    /// Gathers, decides and performs until there is nothing to do but wait.
    ///
    /// `stage_set` is the object as last seen. Between turns the session looks into
    /// [`WatchedObjects`](crate::ports::WatchedObjects) for a newer one, so that a deletion, a new
    /// spec or a new revision ends the run where it stands.
    pub async fn pass(&mut self, _ports: &Ports, _stage_set: Arc<Value>, _wake: Wake) -> Pass {
        Pass {
            next: Next::Gone,
            turns: 0,
        }
    }
}
