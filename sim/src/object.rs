//! Reading and writing the parts of a Kubernetes object that every mechanism needs: its
//! metadata. Objects are plain JSON values; nothing here knows a kind.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// A string at `metadata.<field>`.
pub(crate) fn meta_str<'a>(object: &'a Value, field: &str) -> Option<&'a str> {
    object.get("metadata")?.get(field)?.as_str()
}

/// `metadata.name`, or the empty string.
pub(crate) fn name(object: &Value) -> &str {
    meta_str(object, "name").unwrap_or_default()
}

/// What an object is called while it waits for its name: by the beginning of it.
pub(crate) fn shown_name(object: &Value) -> &str {
    let name = name(object);
    if name.is_empty() {
        return meta_str(object, "generateName").unwrap_or_default();
    }
    name
}

/// `metadata.namespace`, or the empty string.
pub(crate) fn namespace(object: &Value) -> &str {
    meta_str(object, "namespace").unwrap_or_default()
}

/// `metadata.uid`, or the empty string.
pub(crate) fn uid(object: &Value) -> &str {
    meta_str(object, "uid").unwrap_or_default()
}

/// `metadata.resourceVersion`, or the empty string.
pub(crate) fn resource_version(object: &Value) -> &str {
    meta_str(object, "resourceVersion").unwrap_or_default()
}

/// `metadata.generation`, zero where the kind has none.
pub(crate) fn generation(object: &Value) -> i64 {
    object
        .pointer("/metadata/generation")
        .and_then(Value::as_i64)
        .unwrap_or_default()
}

/// Whether deletion was asked for (`metadata.deletionTimestamp` is set).
pub(crate) fn is_deleting(object: &Value) -> bool {
    meta_str(object, "deletionTimestamp").is_some()
}

/// `metadata.finalizers` as strings.
pub(crate) fn finalizers(object: &Value) -> Vec<&str> {
    object
        .pointer("/metadata/finalizers")
        .and_then(Value::as_array)
        .map(|list| list.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default()
}

/// `metadata.ownerReferences`.
pub(crate) fn owner_references(object: &Value) -> &[Value] {
    object
        .pointer("/metadata/ownerReferences")
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// A label's value.
pub(crate) fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get("metadata")?.get("labels")?.get(key)?.as_str()
}

/// An annotation's value.
pub(crate) fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object
        .get("metadata")?
        .get("annotations")?
        .get(key)?
        .as_str()
}

/// The members of the object, made a map if it is none.
pub(crate) fn members(object: &mut Value) -> &mut Map<String, Value> {
    if !object.is_object() {
        *object = json!({});
    }
    match object {
        Value::Object(map) => map,
        _ => unreachable!("made an object above"),
    }
}

/// `object.<field>` as a map, made where it is missing or null.
pub(crate) fn child<'a>(object: &'a mut Value, field: &str) -> &'a mut Map<String, Value> {
    let slot = members(object)
        .entry(field.to_owned())
        .or_insert_with(|| json!({}));
    members(slot)
}

/// `metadata` as a map, made where it is missing.
pub(crate) fn meta(object: &mut Value) -> &mut Map<String, Value> {
    child(object, "metadata")
}

/// Sets `metadata.<field>`.
pub(crate) fn set_meta(object: &mut Value, field: &str, value: impl Into<Value>) {
    meta(object).insert(field.to_owned(), value.into());
}

/// Removes `metadata.<field>`.
pub(crate) fn remove_meta(object: &mut Value, field: &str) -> Option<Value> {
    object.get_mut("metadata")?.as_object_mut()?.remove(field)
}

/// Sets `metadata.finalizers`, leaving the field out when there are none.
pub(crate) fn set_finalizers(object: &mut Value, finalizers: &[String]) {
    if finalizers.is_empty() {
        remove_meta(object, "finalizers");
    } else {
        set_meta(object, "finalizers", json!(finalizers));
    }
}

/// Copies one top-level field from one object to another; removes it where the source has none.
pub(crate) fn copy_field(from: &Value, to: &mut Value, field: &str) {
    match from.get(field) {
        Some(value) => {
            members(to).insert(field.to_owned(), value.clone());
        }
        None => {
            members(to).remove(field);
        }
    }
}

/// A time as Kubernetes writes it: RFC 3339, UTC, whole seconds.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).map_or_else(|_| at.to_string(), |t| t.to_string())
}

/// Group and version of an `apiVersion` (`v1` has the empty group).
pub(crate) fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// The inverse of [`split_api_version`].
pub(crate) fn join_api_version(group: &str, version: &str) -> String {
    if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    }
}

/// Sets the condition of one type in `status.conditions`, keeping `lastTransitionTime` while its
/// status stays what it was.
pub(crate) fn set_condition(object: &mut Value, condition: Value, at: Timestamp) {
    let status = child(object, "status");
    let slot = status
        .entry("conditions".to_owned())
        .or_insert_with(|| json!([]));
    if !slot.is_array() {
        *slot = json!([]);
    }
    let Some(list) = slot.as_array_mut() else {
        return;
    };
    let mut condition = condition;
    let found = list
        .iter_mut()
        .find(|old| old.get("type") == condition.get("type"));
    let unchanged = found
        .as_ref()
        .is_some_and(|old| old.get("status") == condition.get("status"));
    let since = found
        .as_ref()
        .filter(|_| unchanged)
        .and_then(|old| old.get("lastTransitionTime").cloned())
        .unwrap_or_else(|| Value::String(rfc3339(at)));
    members(&mut condition).insert("lastTransitionTime".to_owned(), since);
    match found {
        Some(old) => *old = condition,
        None => list.push(condition),
    }
}
