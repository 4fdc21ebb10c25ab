//! What is known of the StageSets that a StageSet depends on, directly or not.

use std::collections::{BTreeMap, BTreeSet};

use crate::failure::Failure;
use crate::spec::{SourceReference, StageSetReference};

/// What was seen of another StageSet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DependencyState {
    /// It exists.
    Found(Dependency),
    /// It doesn't.
    Absent,
    /// It could not be read.
    Unreadable(Failure),
}

/// A StageSet as those see it that depend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// How ready it is.
    pub readiness: Readiness,
    /// `status.lastAppliedRevisions`: `namespace/name` to revision.
    pub applied: BTreeMap<String, String>,
    /// The sources that its stages name.
    pub sources: BTreeSet<SourceReference>,
    /// The StageSets that it depends on itself.
    pub depends_on: Vec<StageSetReference>,
}

/// How ready a StageSet is for others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// Ready, and what it says is about its current generation.
    Ready,
    /// `Ready` isn't `True`; holds its reason.
    NotReady(String),
    /// What it says is about an older generation.
    Stale {
        /// `metadata.generation`.
        generation: i64,
        /// `status.observedGeneration`.
        observed: i64,
    },
    /// It is ready at an older revision, because a window or a budget holds the new one back.
    HoldsRevision,
    /// It is being deleted.
    Deleting,
}
