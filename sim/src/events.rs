//! Events are one kind of object under two names; this translates between them. They are stored
//! in the form of the core group.

use serde_json::Value;

use crate::object;

/// Core field, field of `events.k8s.io`.
const RENAMED: [(&str, &str); 6] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
];
/// Fields that have different names for the reporter.
const REPORTER: [(&str, &str); 2] = [
    ("reportingComponent", "reportingController"),
    ("reportingInstance", "reportingInstance"),
];

fn rename(event: &mut Value, from: &str, to: &str) {
    if let Some(value) = object::members(event).remove(from) {
        object::members(event).insert(to.to_owned(), value);
    }
}

/// Fields that Go writes even when they are empty.
pub(crate) fn complete(event: &mut Value) {
    let event = object::members(event);
    for field in ["firstTimestamp", "lastTimestamp", "eventTime"] {
        event.entry(field).or_insert(Value::Null);
    }
    event
        .entry("source")
        .or_insert_with(|| Value::Object(serde_json::Map::new()));
    for field in ["reportingComponent", "reportingInstance"] {
        event.entry(field).or_insert_with(|| "".into());
    }
}

/// A stored event in the form of a group.
pub(crate) fn convert(mut event: Value, group: &str) -> Value {
    if group.is_empty() {
        return event;
    }
    for (core, new) in RENAMED.iter().chain(&REPORTER) {
        rename(&mut event, core, new);
    }
    object::members(&mut event).insert("apiVersion".into(), "events.k8s.io/v1".into());
    event
}

/// An event of either group in the stored form.
pub(crate) fn store(mut event: Value) -> Value {
    if event.get("apiVersion").and_then(Value::as_str) == Some("events.k8s.io/v1") {
        for (core, new) in RENAMED.iter().chain(&REPORTER) {
            rename(&mut event, new, core);
        }
        object::members(&mut event).insert("apiVersion".into(), "v1".into());
    }
    event
}
