//! Differences between a live object and the server's answer to a dry-run apply.
//!
//! The server is the judge of what an apply would do: it defaults, converts and merges. Here its
//! answer is only held against what stands, and told in paths, never in values (I9).

use serde_json::{Map, Value};

use super::live;
use super::managed::ApplyEntries;
use super::{takeover, writers};
use crate::failure::{Failure, FailureClass};
use crate::observation::DryRun;

/// How many paths a change names; the rest is counted.
const NAMED_FIELDS: usize = 8;
/// Longest path that is told whole, in characters: keys of a custom resource can be of any length.
const LONGEST_PATH: usize = 200;
/// The field that stands for a change of ownership alone.
const OWNERSHIP: &str = "metadata.managedFields";
/// What the server keeps in `metadata` for itself.
const SERVER_OWNED: [&str; 6] = [
    "managedFields",
    "resourceVersion",
    "generation",
    "uid",
    "creationTimestamp",
    "selfLink",
];

/// Holds the dry run's answer against the live object.
///
/// [`DryRun::Change`] names at most eight fields and counts the rest. A live object without a uid
/// and an answer about another uid (the object was recreated in between) are
/// [`DryRun::Refused`]: nothing may be decided on either.
pub fn compare(live: &Value, dry_run: &Value, field_manager: &str) -> DryRun {
    let Some(reduced) = live::read(live, field_manager) else {
        return DryRun::Refused(Failure::new(
            FailureClass::Transient { retry_after: None },
            "the server answered with an object that has no metadata.uid; it is read again",
        ));
    };
    let answered = dry_run.pointer("/metadata/uid").and_then(Value::as_str);
    if answered.is_some_and(|uid| *uid != *reduced.uid) {
        return DryRun::Refused(Failure::new(
            FailureClass::Conflict,
            format!(
                "the object was deleted or recreated while it was compared (uid {} before, {} \
                 after); it is read again",
                reduced.uid,
                answered.unwrap_or_default()
            ),
        ));
    }
    let mut fields = changed_fields(live, dry_run);
    if fields.is_empty() && ownership_changes(live, dry_run, field_manager) {
        fields.push(OWNERSHIP.into());
    }
    if fields.is_empty() {
        DryRun::Unchanged { live: reduced }
    } else {
        DryRun::Change {
            by: writers::of(live, &fields, field_manager),
            fields: shortened(fields),
            takeover: takeover::plan(live, field_manager),
            live: reduced,
        }
    }
}

/// Whether the apply would change what we own: a field that somebody else set to the very value we
/// want becomes ours too, which changes nothing but our entry in `metadata.managedFields`. Compares
/// fields and API version of that entry, not its time (K14).
pub fn ownership_changes(live: &Value, dry_run: &Value, field_manager: &str) -> bool {
    let ours = |object: &Value| {
        object
            .get("metadata")
            .and_then(|metadata| ApplyEntries::of(metadata, field_manager))
            .map(|entries| entries.text(false))
    };
    ours(live) != ours(dry_run)
}

/// The paths at which the dry run's answer differs from the live object, in order, without what
/// the server keeps for itself (`status`, resource version, managed fields and the like). Empty
/// means unchanged.
///
/// Items of a list whose items all have a `name` of their own are told by it
/// (`spec.template.spec.containers[name=app].image`), others by their index; keys that aren't plain
/// words are quoted (`metadata.labels["app.kubernetes.io/name"]`). A field that only one side has is
/// told as itself, without what is in it.
pub fn changed_fields(live: &Value, dry_run: &Value) -> Vec<String> {
    let mut fields = Vec::new();
    match (live, dry_run) {
        (Value::Object(live), Value::Object(dry_run)) => {
            objects("", live, dry_run, &mut fields, &|key| {
                key == "status" || key == "metadata"
            });
            match (live.get("metadata"), dry_run.get("metadata")) {
                (Some(Value::Object(live)), Some(Value::Object(dry_run))) => {
                    objects("metadata", live, dry_run, &mut fields, &|key| {
                        SERVER_OWNED.contains(&key)
                    });
                }
                (live, dry_run) if live != dry_run => fields.push("metadata".into()),
                _ => {}
            }
        }
        (live, dry_run) if live != dry_run => fields.push("(the whole object)".into()),
        _ => {}
    }
    fields.sort();
    fields.dedup();
    fields
}

fn values(path: &str, live: &Value, dry_run: &Value, fields: &mut Vec<String>) {
    match (live, dry_run) {
        (Value::Object(live), Value::Object(dry_run)) => {
            objects(path, live, dry_run, fields, &|_| false);
        }
        (Value::Array(live), Value::Array(dry_run)) => lists(path, live, dry_run, fields),
        (live, dry_run) if live != dry_run => fields.push(path.to_owned()),
        _ => {}
    }
}

fn objects(
    path: &str,
    live: &Map<String, Value>,
    dry_run: &Map<String, Value>,
    fields: &mut Vec<String>,
    ignored: &dyn Fn(&str) -> bool,
) {
    for (key, live) in live.iter().filter(|(key, _)| !ignored(key)) {
        match dry_run.get(key) {
            Some(dry_run) => {
                // Most of an object is as it was: no path is made for that.
                if live != dry_run {
                    values(&member(path, key), live, dry_run, fields);
                }
            }
            None => fields.push(member(path, key)),
        }
    }
    for key in dry_run
        .keys()
        .filter(|key| !ignored(key) && !live.contains_key(*key))
    {
        fields.push(member(path, key));
    }
}

fn lists(path: &str, live: &[Value], dry_run: &[Value], fields: &mut Vec<String>) {
    let before = fields.len();
    if let (Some(live_names), Some(dry_run_names)) = (names(live), names(dry_run)) {
        for (name, live) in live_names.iter().zip(live) {
            let path = format!("{path}[name={}]", plain_or_quoted(name));
            match dry_run_names.iter().position(|other| other == name) {
                Some(position) => values(&path, live, &dry_run[position], fields),
                None => fields.push(path),
            }
        }
        for name in dry_run_names
            .iter()
            .filter(|name| !live_names.contains(name))
        {
            fields.push(format!("{path}[name={}]", plain_or_quoted(name)));
        }
        if fields.len() == before && live_names != dry_run_names {
            // The same items in another order.
            fields.push(path.to_owned());
        }
        return;
    }
    for index in 0..live.len().max(dry_run.len()) {
        let path = format!("{path}[{index}]");
        match (live.get(index), dry_run.get(index)) {
            (Some(live), Some(dry_run)) => values(&path, live, dry_run, fields),
            _ => fields.push(path),
        }
    }
}

/// The names of a list's items, if each has one of its own.
fn names(items: &[Value]) -> Option<Vec<&str>> {
    let names = items
        .iter()
        .map(|item| item.get("name").and_then(Value::as_str))
        .collect::<Option<Vec<_>>>()?;
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    (unique.len() == names.len()).then_some(names)
}

pub(super) fn member(path: &str, key: &str) -> String {
    let plain = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    match (plain, path.is_empty()) {
        (true, true) => key.to_owned(),
        (true, false) => format!("{path}.{key}"),
        (false, _) => format!("{path}[{}]", Value::from(key)),
    }
}

pub(super) fn plain_or_quoted(name: &str) -> String {
    let plain = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'));
    if plain {
        name.to_owned()
    } else {
        Value::from(name).to_string()
    }
}

fn shortened(mut fields: Vec<String>) -> Vec<String> {
    let more = fields.len().saturating_sub(NAMED_FIELDS);
    fields.truncate(NAMED_FIELDS);
    for field in &mut fields {
        if let Some((end, _)) = field.char_indices().nth(LONGEST_PATH) {
            field.truncate(end);
            field.push('…');
        }
    }
    if more > 0 {
        fields.push(format!("and {more} more"));
    }
    fields
}

#[cfg(test)]
#[path = "drift_tests.rs"]
mod tests;
