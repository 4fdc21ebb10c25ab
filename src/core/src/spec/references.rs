//! What a StageSet refers to, whatever else is wrong with it: for others that depend on it.

use std::collections::BTreeSet;

use serde_json::Value;
use stageset_api::stageset::StageSetSpec;

use super::problems::Problems;
use super::{SourceReference, StageSetReference, convert};

/// The sources and StageSets that a spec names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct References {
    /// Sources of its stages.
    pub sources: BTreeSet<SourceReference>,
    /// StageSets that it depends on, in the order of the spec.
    pub depends_on: Vec<StageSetReference>,
}

/// Reads the references of a spec that needn't be valid: what can't be read is left out.
pub fn references(namespace: &str, spec: &Value) -> References {
    let (Some(read), _) = StageSetSpec::read(spec) else {
        return References::default();
    };
    let mut ignored = Problems::default();
    References {
        sources: read
            .stages
            .iter()
            .filter_map(|stage| convert::source(namespace, "", &stage.source_ref, &mut ignored))
            .collect(),
        depends_on: read
            .depends_on
            .iter()
            .enumerate()
            .filter_map(|(index, each)| convert::dependency(namespace, index, each, &mut ignored))
            .filter(|each| !each.name.is_empty())
            .collect(),
    }
}
