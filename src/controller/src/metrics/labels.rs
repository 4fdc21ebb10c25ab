//! The labels of series. Those of one StageSet share its key and their texts: there are thousands of
//! StageSets, and each has a handful of series.

use std::fmt;
use std::sync::Arc;

use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};

use crate::queue::Key;

/// `namespace` and `name` of a StageSet.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct OfStageSet(pub(super) Key);

impl EncodeLabelSet for OfStageSet {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        [("namespace", &*self.0.namespace), ("name", &*self.0.name)].encode(encoder)
    }
}

/// The same where the reference calls the name `stageset`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct StageSetCalledSo(pub(super) Key);

impl EncodeLabelSet for StageSetCalledSo {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        let labels = [
            ("namespace", &*self.0.namespace),
            ("stageset", &*self.0.name),
        ];
        labels.encode(encoder)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, EncodeLabelSet)]
pub(super) struct Outcome {
    #[prometheus(flatten)]
    pub(super) of: OfStageSet,
    pub(super) reason: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, EncodeLabelSet)]
pub(super) struct OfStage {
    #[prometheus(flatten)]
    pub(super) of: OfStageSet,
    pub(super) stage: Arc<str>,
}

/// As [`OfStage`] where the reference calls the name `stageset`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, EncodeLabelSet)]
pub(super) struct OfStageSetStage {
    #[prometheus(flatten)]
    pub(super) of: StageSetCalledSo,
    pub(super) stage: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, EncodeLabelSet)]
pub(super) struct OfScope {
    #[prometheus(flatten)]
    pub(super) of: OfStageSet,
    pub(super) scope: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfKind {
    pub(super) gvk: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfController {
    pub(super) controller: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfRequest {
    pub(super) verb: &'static str,
    pub(super) plane: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfOutcome {
    pub(super) outcome: &'static str,
}

/// A handful of names that series carry.
#[derive(Debug, Default)]
pub(super) struct Names(Vec<Arc<str>>);

impl Names {
    /// The name as it is kept here from now on.
    pub(super) fn share(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.iter().find(|known| ***known == *name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        self.0.reserve_exact(1);
        self.0.push(Arc::clone(&name));
        name
    }

    /// Keeps only those of which the predicate says so; returns the others.
    pub(super) fn take_unless(&mut self, keep: impl Fn(&str) -> bool) -> Vec<Arc<str>> {
        let (kept, taken) = std::mem::take(&mut self.0)
            .into_iter()
            .partition(|name| keep(name));
        self.0 = kept;
        taken
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<str>> {
        self.0.iter()
    }
}
