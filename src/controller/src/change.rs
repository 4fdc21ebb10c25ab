//! What a new version of a StageSet means: a wish to act on, or only a record.

use std::collections::BTreeMap;

use serde_json::Value;
use stageset_api::field::field;
use stageset_api::names;

/// What a new version of the same StageSet means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Changed {
    /// Somebody wants something else: spec, deletion, an annotation of ours, our finalizer taken.
    Wish {
        /// A fresh `requestedAt`: everything is to be looked at again.
        requested: bool,
    },
    /// Only records: status, other people's metadata.
    Record,
}

impl Changed {
    /// Compares two versions of one StageSet.
    pub(crate) fn between(old: &Value, new: &Value) -> Self {
        let differs = |path: &str| field(old, path) != field(new, path);
        let requested = annotation(old, names::ANNOTATION_REQUESTED_AT)
            != annotation(new, names::ANNOTATION_REQUESTED_AT);
        let wish = requested
            || differs("/metadata/generation")
            || differs("/metadata/deletionTimestamp")
            || (has_finalizer(old) && !has_finalizer(new))
            || our_annotations(old) != our_annotations(new);
        if wish {
            Self::Wish { requested }
        } else {
            Self::Record
        }
    }
}

fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a Value> {
    field(object, "/metadata/annotations")?.get(key)
}

/// All annotations of our group: each may be a wish (`api.md` §10).
fn our_annotations(object: &Value) -> BTreeMap<&str, &Value> {
    let annotations = field(object, "/metadata/annotations").and_then(Value::as_object);
    annotations
        .into_iter()
        .flatten()
        .filter(|(key, _)| {
            key.split_once('/')
                .is_some_and(|(group, _)| group == names::GROUP)
        })
        .map(|(key, value)| (key.as_str(), value))
        .collect()
}

fn has_finalizer(object: &Value) -> bool {
    let finalizers = field(object, "/metadata/finalizers").and_then(Value::as_array);
    finalizers.is_some_and(|all| {
        all.iter()
            .any(|each| each.as_str() == Some(names::FINALIZER))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn wishes_wake_and_records_do_not() {
        let old = json!({ "metadata": {
            "generation": 1, "finalizers": [names::FINALIZER], "annotations": { "x/y": "1" },
        }});
        let with = |pointer: &str, value: Value| {
            let mut new = old.clone();
            *new.pointer_mut(pointer).unwrap() = value;
            Changed::between(&old, &new)
        };
        let wish = Changed::Wish { requested: false };
        assert_eq!(with("/metadata/generation", json!(2)), wish);
        assert_eq!(with("/metadata/finalizers", json!([])), wish);
        assert_eq!(
            with(
                "/metadata/annotations",
                json!({ "stages.metio.wtf/promote": "a@1" })
            ),
            wish
        );
        assert_eq!(
            with(
                "/metadata/annotations",
                json!({ "reconcile.fluxcd.io/requestedAt": "now" })
            ),
            Changed::Wish { requested: true }
        );
        assert_eq!(
            with("/metadata/annotations", json!({ "x/y": "2" })),
            Changed::Record
        );
        let mut deleted = old.clone();
        deleted["metadata"]["deletionTimestamp"] = json!("2026-11-23T21:00:00Z");
        assert_eq!(Changed::between(&old, &deleted), wish);
        let mut status = old.clone();
        status["status"] = json!({ "conditions": [] });
        assert_eq!(Changed::between(&old, &status), Changed::Record);
    }
}
