//! Reduces a live object to what decisions rest on.

use std::sync::Arc;

use serde_json::Value;

use super::health;
use super::managed::ApplyEntries;
use crate::object::{Owner, labels, sha256_hex};
use crate::observation::Live;
use crate::time::Timestamp;

/// Annotation that keeps an object from being deleted by us (api.md §10).
const PRUNE_ANNOTATION: &str = "stages.metio.wtf/prune";
/// Its value, in any case.
const PRUNE_DISABLED: &str = "disabled";

/// How many hex digits of a fingerprint are kept: 64 bits, since nobody gains by a collision but
/// one chance in 2⁶⁴ to overlook a drift until the next interval.
const FINGERPRINT_LENGTH: usize = 16;

/// Takes a live object apart; `None` if it has no uid, which no stored object lacks.
///
/// `field_manager` is the name that our applies carry.
pub fn read(object: &Value, field_manager: &str) -> Option<Live> {
    let metadata = object.get("metadata")?;
    let text = |key: &str| {
        metadata
            .get(key)
            .and_then(Value::as_str)
            .filter(|t| !t.is_empty())
    };
    Some(Live {
        uid: text("uid")?.into(),
        resource_version: text("resourceVersion").unwrap_or_default().into(),
        generation: metadata
            .get("generation")
            .and_then(Value::as_i64)
            .unwrap_or_default(),
        owner: owner(metadata).map(Arc::new),
        prune_disabled: prune_disabled(metadata),
        deleting: text("deletionTimestamp").is_some(),
        deletion_timestamp: text("deletionTimestamp").and_then(Timestamp::parse),
        finalizers: finalizers(metadata),
        takes_claims_along: object
            .pointer("/spec/persistentVolumeClaimRetentionPolicy/whenDeleted")
            .is_some_and(|when| when == "Delete"),
        entry: entry_of_metadata(metadata, field_manager).map(Into::into),
        health: health::judge(object),
        body: None,
    })
}

/// Fingerprint of our own apply entry in an object's `metadata` (fields, time, API version): the
/// same for a full object and for the metadata of a watch event. `None` if we have no entry.
///
/// As long as it stays, nobody changed a value that we own, and nobody wrote under our name (K18).
pub fn entry_of_metadata(metadata: &Value, field_manager: &str) -> Option<String> {
    let entries = ApplyEntries::of(metadata, field_manager)?;
    let mut hex = sha256_hex(entries.text(true).as_bytes());
    hex.truncate(FINGERPRINT_LENGTH);
    Some(hex)
}

/// The StageSet that an object's labels name. Both labels are needed: half an owner is none.
/// The StageSet that an object's labels name.
pub fn owner(metadata: &Value) -> Option<Owner> {
    let label = |key: &str| {
        metadata
            .get("labels")?
            .get(key)?
            .as_str()
            .filter(|value| !value.is_empty())
            .map(str::to_owned)
    };
    Some(Owner {
        namespace: label(labels::OWNER_NAMESPACE)?,
        name: label(labels::OWNER_NAME)?,
    })
}

fn finalizers(metadata: &Value) -> Vec<String> {
    let names = metadata.get("finalizers").and_then(Value::as_array);
    let names = names.into_iter().flatten().filter_map(Value::as_str);
    names.map(str::to_owned).collect()
}

fn prune_disabled(metadata: &Value) -> bool {
    metadata
        .get("annotations")
        .and_then(|annotations| annotations.get(PRUNE_ANNOTATION))
        .and_then(Value::as_str)
        .is_some_and(|value| value.eq_ignore_ascii_case(PRUNE_DISABLED))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::observation::Health;

    const MANAGER: &str = "stageset-controller";

    fn entry(manager: &str, operation: &str, fields: &Value, time: &str) -> Value {
        json!({
            "manager": manager, "operation": operation, "apiVersion": "v1",
            "time": time, "fieldsType": "FieldsV1", "fieldsV1": fields,
        })
    }

    fn object() -> Value {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": "app", "namespace": "payments",
                "uid": "9f7c", "resourceVersion": "41", "generation": 3,
                "labels": {
                    "stages.metio.wtf/name": "shop",
                    "stages.metio.wtf/namespace": "payments",
                    "stages.metio.wtf/stage": "web",
                },
                "annotations": {"stages.metio.wtf/prune": "Disabled"},
                "managedFields": [
                    entry(MANAGER, "Apply", &json!({"f:data": {"f:a": {}, "f:b": {}}}), "2026-11-23T20:00:00Z"),
                    entry("kubectl", "Update", &json!({"f:data": {"f:c": {}}}), "2026-11-23T20:01:00Z"),
                ],
            },
            "data": {"a": "1", "b": "2", "c": "3"},
        })
    }

    fn changed(pointer: &str, value: Value) -> Value {
        let mut object = object();
        *object.pointer_mut(pointer).unwrap() = value;
        object
    }

    fn fingerprint(object: &Value) -> Option<String> {
        entry_of_metadata(&object["metadata"], MANAGER)
    }

    #[test]
    fn a_live_object_is_taken_apart() {
        let live = read(&object(), MANAGER).unwrap();
        let entry = live.entry.clone().unwrap();
        assert_eq!(entry.len(), 16);
        assert_eq!(
            live,
            Live {
                uid: "9f7c".into(),
                resource_version: "41".into(),
                generation: 3,
                owner: Some(Arc::new(Owner {
                    namespace: "payments".into(),
                    name: "shop".into()
                })),
                prune_disabled: true,
                deleting: false,
                deletion_timestamp: None,
                finalizers: Vec::new(),
                takes_claims_along: false,
                entry: Some(entry),
                body: None,
                health: Health::Current,
            }
        );
    }

    #[test]
    fn an_object_without_uid_is_none() {
        for uid in [json!(null), json!(""), json!(7)] {
            assert_eq!(read(&changed("/metadata/uid", uid), MANAGER), None);
        }
        assert_eq!(read(&json!({"kind": "ConfigMap"}), MANAGER), None);
        assert_eq!(read(&json!("text"), MANAGER), None);
    }

    #[test]
    fn half_an_owner_is_none() {
        for label in [
            "/metadata/labels/stages.metio.wtf~1name",
            "/metadata/labels/stages.metio.wtf~1namespace",
        ] {
            for value in [json!(null), json!("")] {
                assert_eq!(
                    read(&changed(label, value), MANAGER).unwrap().owner,
                    None,
                    "{label}"
                );
            }
        }
        assert_eq!(
            read(&changed("/metadata/labels", json!(["a"])), MANAGER)
                .unwrap()
                .owner,
            None
        );
    }

    #[test]
    fn only_the_annotation_disables_pruning() {
        let annotation = "/metadata/annotations/stages.metio.wtf~1prune";
        for (value, disabled) in [
            ("disabled", true),
            ("DISABLED", true),
            ("enabled", false),
            ("", false),
            ("disabled ", false),
        ] {
            let live = read(&changed(annotation, json!(value)), MANAGER).unwrap();
            assert_eq!(live.prune_disabled, disabled, "{value:?}");
        }
        let mut label_only = changed("/metadata/annotations", json!({}));
        label_only["metadata"]["labels"]["stages.metio.wtf/prune"] = json!("disabled");
        assert!(!read(&label_only, MANAGER).unwrap().prune_disabled);
    }

    #[test]
    fn a_deletion_shows() {
        let mut object = object();
        object["metadata"]["deletionTimestamp"] = json!("2026-11-23T20:41:39Z");
        let live = read(&object, MANAGER).unwrap();
        assert!(live.deleting);
        assert_eq!(live.health, Health::Terminating);
        object["metadata"]["deletionTimestamp"] = json!(null);
        assert!(!read(&object, MANAGER).unwrap().deleting);
    }

    #[test]
    fn the_fingerprint_holds_while_our_entry_does() {
        let before = fingerprint(&object());
        assert!(before.is_some());
        for (pointer, value) in [
            ("/metadata/resourceVersion", json!("42")),
            ("/metadata/generation", json!(4)),
            (
                "/metadata/managedFields/1/time",
                json!("2026-11-23T21:00:00Z"),
            ),
            (
                "/metadata/managedFields/1/fieldsV1",
                json!({"f:data": {"f:d": {}}}),
            ),
            // The order of keys isn't content.
            (
                "/metadata/managedFields/0/fieldsV1",
                json!({"f:data": {"f:b": {}, "f:a": {}}}),
            ),
        ] {
            assert_eq!(fingerprint(&changed(pointer, value)), before, "{pointer}");
        }
        for (pointer, value) in [
            (
                "/metadata/managedFields/0/time",
                json!("2026-11-23T20:00:01Z"),
            ),
            (
                "/metadata/managedFields/0/fieldsV1",
                json!({"f:data": {"f:a": {}}}),
            ),
            ("/metadata/managedFields/0/apiVersion", json!("v2")),
        ] {
            let after = fingerprint(&changed(pointer, value));
            assert!(after.is_some() && after != before, "{pointer}");
        }
    }

    #[test]
    fn only_our_apply_entry_counts() {
        for (pointer, value) in [
            (
                "/metadata/managedFields/0/manager",
                json!("kustomize-controller"),
            ),
            ("/metadata/managedFields/0/operation", json!("Update")),
            ("/metadata/managedFields", json!([])),
            ("/metadata/managedFields", json!(null)),
            ("/metadata/managedFields", json!({"manager": MANAGER})),
        ] {
            assert_eq!(fingerprint(&changed(pointer, value)), None, "{pointer}");
        }
        let mut scaled = object();
        scaled["metadata"]["managedFields"][0]["subresource"] = json!("scale");
        assert_eq!(fingerprint(&scaled), None);
        scaled["metadata"]["managedFields"][0]["subresource"] = json!("");
        assert_eq!(fingerprint(&scaled), fingerprint(&object()));
    }

    #[test]
    fn metadata_of_a_watch_event_gives_the_same_fingerprint() {
        let full = read(&object(), MANAGER).unwrap().entry.unwrap();
        let event = json!({
            "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
            "metadata": object()["metadata"],
        });
        let seen = entry_of_metadata(&event["metadata"], MANAGER).unwrap();
        assert_eq!(seen, *full);
    }

    #[test]
    fn the_order_of_entries_plays_no_part() {
        let mine = |version: &str| {
            let mut entry = entry(
                MANAGER,
                "Apply",
                &json!({"f:data": {}}),
                "2026-11-23T20:00:00Z",
            );
            entry["apiVersion"] = json!(version);
            entry
        };
        let one = json!({"managedFields": [mine("v1"), mine("v2")]});
        let other = json!({"managedFields": [mine("v2"), mine("v1")]});
        assert_eq!(
            entry_of_metadata(&one, MANAGER),
            entry_of_metadata(&other, MANAGER)
        );
    }
}
