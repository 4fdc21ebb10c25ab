//! A StageSet object as the core observes it. Whatever anybody wrote into it, this answers: a spec
//! that can't be used is an observation too (A23).

use std::sync::Arc;

use serde_json::Value;
use stageset_api::field::field;
use stageset_api::names::{ANNOTATION_RECONCILE_STAGE, ANNOTATION_REQUESTED_AT, FINALIZER};
use stageset_api::object_meta::ObjectMeta;
use stageset_api::status::StageSetStatus;
use stageset_core::names::{InvalidName, Namespace};
use stageset_core::observation::{Config, ControllerRelease, ReconcileStage, StageSet};
use stageset_core::spec::{Problem, Spec};
use stageset_core::time::Timestamp;

use super::status;
use crate::stored::{Stored, is_newer};

/// The spec of a StageSet as it was parsed, for as long as it stays what it is.
#[derive(Debug, Clone)]
pub(crate) struct Parsed {
    uid: String,
    generation: i64,
    spec: Result<Arc<Spec>, Vec<Problem>>,
}

impl Parsed {
    pub(crate) fn of(stage_set: &StageSet) -> Self {
        Self {
            uid: stage_set.uid.clone(),
            generation: stage_set.generation,
            spec: stage_set.spec.clone(),
        }
    }
}

/// Reads a StageSet.
///
/// # Errors
/// [`InvalidName`] if its namespace isn't one, which no API server lets through.
pub fn read(object: &Value) -> Result<StageSet, InvalidName> {
    read_again(object, None)
}

/// The same, with a spec that was parsed before: each generation has one.
pub(crate) fn read_again(object: &Value, parsed: Option<&Parsed>) -> Result<StageSet, InvalidName> {
    let metadata = ObjectMeta::read(&object["metadata"]);
    let namespace = Namespace::new(metadata.namespace.as_str())?;
    let generation = metadata.generation.unwrap_or(0);
    let same = |parsed: &&Parsed| {
        generation > 0 && parsed.generation == generation && parsed.uid == metadata.uid
    };
    let spec = if let Some(parsed) = parsed.filter(same) {
        parsed.spec.clone()
    } else {
        let (namespace, name) = (&metadata.namespace, &metadata.name);
        stageset_core::spec::parse(namespace, name, &object["spec"]).map(Arc::new)
    };
    let suspend = field(object, "/spec/suspend").and_then(Value::as_bool);
    Ok(StageSet {
        spec,
        suspend: suspend.unwrap_or(false),
        name: metadata.name.clone(),
        uid: metadata.uid.clone(),
        generation,
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
        status: status::read(&StageSetStatus::read(&object["status"])),
        namespace,
    })
}

/// The other release of the controller that handles a StageSet, if one does (K24).
pub fn handled_elsewhere(object: &Value, config: &Config) -> Option<ControllerRelease> {
    let claim = field(object, "/status/handledBy")?;
    let text = |name: &str| Some(claim.get(name)?.as_str()?.to_owned());
    let claimed = ControllerRelease {
        namespace: text("namespace")?,
        name: text("name")?,
    };
    config.is_another(&claimed).then_some(claimed)
}

/// Whether `candidate` shows a later state of the same StageSet than `known`, or another one of the
/// same name.
pub fn supersedes(candidate: &Stored, known: &Stored) -> bool {
    if candidate.uid() != known.uid() {
        return true;
    }
    match (candidate.version(), known.version()) {
        (Some(theirs), Some(ours)) => is_newer(theirs, ours),
        (theirs, ours) => theirs != ours,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(uid: &str, generation: i64, interval: &str) -> Value {
        json!({
            "metadata": { "namespace": "shop", "name": "web", "uid": uid, "generation": generation },
            "spec": { "interval": interval, "serviceAccountName": "deployer",
                      "stages": [{ "name": "app", "sourceRef": { "name": "app" } }] },
        })
    }

    #[test]
    fn a_spec_is_parsed_anew_unless_it_is_the_same_generation_of_the_same_stage_set() {
        let interval = |read: &StageSet| {
            let spec = read.spec.as_ref().unwrap();
            spec.interval.map(|interval| interval.as_secs())
        };
        for (generation, uid, now, reused) in [
            (3, "u", 3, true),
            (3, "u", 4, false),
            (3, "another", 3, false),
            // What has no generation says nothing by it.
            (0, "u", 0, false),
        ] {
            let before = read(&object("u", generation, "1h")).unwrap();
            let parsed = Parsed::of(&before);
            let read = read_again(&object(uid, now, "2h"), Some(&parsed)).unwrap();
            let expected = if reused { 3600 } else { 7200 };
            assert_eq!(
                interval(&read),
                Some(expected),
                "{generation}, {uid}, {now}"
            );
        }
    }

    #[test]
    fn a_later_version_or_another_stage_set_supersedes() {
        let stored = |uid: &str, version: &str| {
            Stored::from(json!({ "metadata": { "uid": uid, "resourceVersion": version } }))
        };
        for (candidate, known, does) in [
            (("u", "10"), ("u", "9"), true),
            (("u", "9"), ("u", "10"), false),
            (("u", "9"), ("u", "9"), false),
            (("another", "9"), ("u", "10"), true),
            (("u", "b"), ("u", "a"), true),
            (("u", "a"), ("u", "a"), false),
        ] {
            let (newer, older) = (stored(candidate.0, candidate.1), stored(known.0, known.1));
            assert_eq!(
                supersedes(&newer, &older),
                does,
                "{candidate:?} after {known:?}"
            );
        }
    }

    #[test]
    fn an_empty_request_is_none_and_a_stage_set_without_suspend_goes_on() {
        let mut asked = object("u", 1, "1h");
        asked["metadata"]["annotations"] = json!({ ANNOTATION_REQUESTED_AT: "" });
        let read_now = read(&asked).unwrap();
        assert_eq!((read_now.requested_at, read_now.suspend), (None, false));
        asked["metadata"]["annotations"] = json!({ ANNOTATION_REQUESTED_AT: "now" });
        asked["spec"]["suspend"] = json!(true);
        let read_now = read(&asked).unwrap();
        assert_eq!(read_now.requested_at.as_deref(), Some("now"));
        assert!(read_now.suspend);
    }
}
