//! A StageSet object as the core observes it. Whatever anybody wrote into it, this answers: a spec
//! that can't be used is an observation too (A23).

use std::sync::Arc;

use serde_json::Value;
use stageset_api::names::{ANNOTATION_RECONCILE_STAGE, ANNOTATION_REQUESTED_AT, FINALIZER};
use stageset_api::stageset::FoundStageSet;
use stageset_core::names::{InvalidName, Namespace};
use stageset_core::observation::{Config, ControllerRelease, ReconcileStage, StageSet};
use stageset_core::time::Timestamp;

use super::status;

/// Reads a StageSet.
///
/// # Errors
/// [`InvalidName`] if its namespace isn't one, which no API server lets through.
pub fn read(object: &Value) -> Result<StageSet, InvalidName> {
    let found = FoundStageSet::read(object);
    let metadata = &found.metadata;
    let namespace = Namespace::new(metadata.namespace.as_str())?;
    Ok(StageSet {
        spec: stageset_core::spec::parse(&metadata.namespace, &metadata.name, &found.spec)
            .map(Arc::new),
        suspend: found
            .spec
            .get("suspend")
            .and_then(Value::as_bool)
            .unwrap_or(false),
        name: metadata.name.clone(),
        uid: metadata.uid.clone(),
        generation: metadata.generation.unwrap_or(0),
        deletion_timestamp: metadata
            .deletion_timestamp
            .as_ref()
            .map(|time| Timestamp::parse(time.as_str()).unwrap_or_default()),
        has_finalizer: metadata
            .finalizers
            .iter()
            .any(|finalizer| finalizer == FINALIZER),
        requested_at: metadata
            .annotations
            .get(ANNOTATION_REQUESTED_AT)
            .filter(|token| !token.is_empty())
            .cloned(),
        reconcile_stage: metadata
            .annotations
            .get(ANNOTATION_RECONCILE_STAGE)
            .map(|value| ReconcileStage::parse(value)),
        status: status::read(&found.status),
        namespace,
    })
}

/// The other release of the controller that handles a StageSet, if one does (K24).
pub fn handled_elsewhere(object: &Value, config: &Config) -> Option<ControllerRelease> {
    let status = status::read(&FoundStageSet::read(object).status);
    config.handled_elsewhere(&status).cloned()
}

/// Whether `candidate` shows a later state of the same StageSet than `known`, or another one of the
/// same name.
pub fn supersedes(candidate: &Value, known: &Value) -> bool {
    if uid(candidate) != uid(known) {
        return true;
    }
    let number = |version: Option<&str>| version.and_then(|version| version.parse::<u64>().ok());
    let (theirs, ours) = (version(candidate), version(known));
    match (number(theirs), number(ours)) {
        (Some(theirs), Some(ours)) => theirs > ours,
        // Versions that can't be compared: the newest word counts.
        _ => theirs != ours,
    }
}

/// Whether both show one state of one StageSet.
pub fn is_same_state(a: &Value, b: &Value) -> bool {
    version(a).is_some() && version(a) == version(b) && uid(a) == uid(b)
}

fn uid(object: &Value) -> Option<&Value> {
    object.pointer("/metadata/uid")
}

fn version(object: &Value) -> Option<&str> {
    object.pointer("/metadata/resourceVersion")?.as_str()
}
