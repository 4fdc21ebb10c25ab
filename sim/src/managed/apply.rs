//! The two ways to own fields: applying a configuration, and updating an object.

use std::sync::LazyLock;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    entries::{self, Entry, Manager},
    merge::merge,
    set::{Element, FieldSet, print_path},
    types::Type,
    walk::{Comparison, compare, fields_of, remove, with_named_fields},
};
use crate::{
    object::{self, rfc3339},
    status::ApiError,
};

/// What a set holds without the metadata that nobody owns, because the server sets it.
fn unowned(set: &FieldSet) -> FieldSet {
    set.difference(&SYSTEM)
}

static SYSTEM: LazyLock<FieldSet> = LazyLock::new(|| {
    let field = |name: &str| Element::Field(name.to_owned());
    let mut strip = FieldSet::default();
    strip.insert(&[field("apiVersion")]);
    strip.insert(&[field("kind")]);
    strip.insert(&[field("metadata")]);
    for name in [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    ] {
        strip.insert(&[field("metadata"), field(name)]);
    }
    strip
});

/// What a write changes for the other managers.
struct Change {
    entries: Vec<Entry>,
    comparison: Comparison,
}

/// Takes fields that changed away from everybody else; without `force`, fails where an applier's
/// or updater's value would change.
fn take(
    live: &Value,
    new: &Value,
    ty: &Type,
    mut entries: Vec<Entry>,
    manager: Option<&Manager>,
    ignored: &FieldSet,
    force: bool,
) -> Result<Change, ApiError> {
    let comparison = compare(live, new, ty);
    let seen = comparison.without(ignored);
    let touched = seen.modified.union(&seen.added);
    let mut conflicts: Vec<(Manager, FieldSet)> = Vec::new();
    for entry in &entries {
        if manager.is_some_and(|m| entry.manager.is_same(m)) {
            continue;
        }
        let fields = entry.fields.intersection(&touched);
        if !fields.is_empty() {
            conflicts.push((entry.manager.clone(), fields));
        }
    }
    if !force && !conflicts.is_empty() {
        return Err(conflict_error(&conflicts));
    }
    for entry in &mut entries {
        if manager.is_some_and(|m| entry.manager.is_same(m)) {
            continue;
        }
        entry.fields = entry.fields.difference(&touched).difference(&seen.removed);
    }
    entries.retain(|entry| !entry.fields.is_empty());
    Ok(Change {
        entries,
        comparison: seen,
    })
}

fn conflict_error(conflicts: &[(Manager, FieldSet)]) -> ApiError {
    let mut conflicts = conflicts.to_vec();
    conflicts.sort_by_key(|(manager, _)| manager.sorted_by());
    let mut causes = Vec::new();
    let mut lines = Vec::new();
    for (manager, fields) in &conflicts {
        lines.push(format!("conflicts with {}:", manager.printed()));
        for path in fields.paths() {
            causes.push(json!({
                "reason": "FieldManagerConflict",
                "message": format!("conflict with {}", manager.printed()),
                "field": print_path(&path),
            }));
            lines.push(format!("- {}", print_path(&path)));
        }
    }
    let message = match causes.as_slice() {
        [one] => format!(
            "Apply failed with 1 conflict: {}: {}",
            one["message"].as_str().unwrap_or_default(),
            one["field"].as_str().unwrap_or_default()
        ),
        many => format!(
            "Apply failed with {} conflicts: {}",
            many.len(),
            lines.join("\n")
        ),
    };
    ApiError::apply_conflict(message, &causes)
}

fn without_managed_fields(object: &Value) -> Value {
    let Value::Object(members) = object else {
        return object.clone();
    };
    let copy = |(key, value): (&String, &Value)| match value {
        Value::Object(metadata) if key == "metadata" => {
            let others = metadata.iter().filter(|(key, _)| *key != "managedFields");
            let others = others.map(|(key, value)| (key.clone(), value.clone()));
            (key.clone(), Value::Object(others.collect()))
        }
        _ => (key.clone(), value.clone()),
    };
    Value::Object(members.iter().map(copy).collect())
}

/// Who writes, in what way, and when.
pub(crate) struct Writer<'a> {
    pub(crate) manager: Manager,
    pub(crate) ty: &'a Type,
    /// Fields that this endpoint resets, which therefore nobody owns through it.
    pub(crate) ignored: &'a FieldSet,
    pub(crate) at: Timestamp,
}

/// Server-side apply. `live` is the stored object, or the empty one of its kind. Gives the merged
/// object with its entries.
pub(crate) fn apply(
    writer: &Writer<'_>,
    live: &Value,
    config: &Value,
    force: bool,
) -> Result<Value, ApiError> {
    let ty = writer.ty;
    let mut all = entries::decode(live);
    let bare_live = without_managed_fields(live);
    let merged = merge(&bare_live, config, ty).map_err(|e| {
        ApiError::internal(format!(
            "failed to create typed patch object ({}/{}; {}, Kind={}): {e}",
            object::namespace(config),
            object::name(config),
            config["apiVersion"].as_str().unwrap_or_default(),
            config["kind"].as_str().unwrap_or_default(),
        ))
    })?;
    let position = all
        .iter()
        .position(|entry| entry.manager.is_same(&writer.manager));
    let last = position.map(|i| all[i].fields.clone());
    // What nobody owns in the end still counts as applied while fields are pruned.
    let fields = fields_of(config, ty).recursive_difference(writer.ignored);
    let time = position.and_then(|i| all[i].time.clone());
    let entry = Entry {
        manager: writer.manager.clone(),
        fields,
        time,
    };
    match position {
        Some(i) => all[i] = entry,
        None => all.push(entry),
    }
    let new = prune(&merged, ty, &all, last.as_ref());
    let change = take(
        &bare_live,
        &new,
        ty,
        all,
        Some(&writer.manager),
        writer.ignored,
        force,
    )?;
    let mut all = change.entries;
    for entry in &mut all {
        entry.fields = unowned(&entry.fields);
    }
    if new != bare_live
        && let Some(own) = all.iter_mut().find(|e| e.manager.is_same(&writer.manager))
    {
        own.time = Some(rfc3339(writer.at));
    }
    let mut new = new;
    entries::encode(&mut new, all);
    Ok(new)
}

/// Removes what the applier applied last time, doesn't apply now, and nobody else owns.
fn prune(merged: &Value, ty: &Type, all: &[Entry], last: Option<&FieldSet>) -> Value {
    let Some(last) = last.filter(|set| !set.is_empty()) else {
        return merged.clone();
    };
    let named = |set: &FieldSet| with_named_fields(set, ty, merged);
    let last = named(last);
    let pruned = remove(merged, ty, &last);
    let owned = all
        .iter()
        .fold(FieldSet::default(), |sum, entry| sum.union(&entry.fields));
    let merged_set = named(&fields_of(merged, ty));
    let keep = named(&fields_of(&pruned, ty)).union(&named(&owned));
    let pruned = remove(merged, ty, &merged_set.difference(&keep));
    let gone = merged_set
        .difference(&named(&fields_of(&pruned, ty)))
        .intersection(&last);
    remove(merged, ty, &gone)
}

/// Every other write: what changed between `live` and `new` becomes the manager's. Says whether
/// anything did.
pub(crate) fn update(
    writer: &Writer<'_>,
    live: &Value,
    new: &mut Value,
    from_request: bool,
) -> bool {
    let all = if from_request && entries::is_reset(new) {
        Vec::new()
    } else {
        let sent = if from_request {
            entries::decode(new)
        } else {
            Vec::new()
        };
        if sent.is_empty() {
            entries::decode(live)
        } else {
            sent
        }
    };
    // An object whose ownership was forgotten isn't followed until somebody applies to it.
    if all.is_empty() && from_request && !object::uid(live).is_empty() {
        entries::encode(new, all);
        return false;
    }
    let bare_live = without_managed_fields(live);
    let bare_new = without_managed_fields(new);
    let Ok(change) = take(
        &bare_live,
        &bare_new,
        writer.ty,
        all.clone(),
        None,
        writer.ignored,
        true,
    ) else {
        return false;
    };
    let taken = change.comparison.modified.union(&change.comparison.added);
    let taken = unowned(&taken).recursive_difference(writer.ignored);
    let mut left = change.entries;
    let takes = !taken.is_empty();
    if takes {
        // The manager's own earlier entry keeps what it had, changed fields included.
        let before = all.iter().find(|e| e.manager.is_same(&writer.manager));
        let before = before.map(|e| e.fields.difference(&change.comparison.removed));
        let fields = before.map_or_else(|| taken.clone(), |set| set.union(&taken));
        left.retain(|e| !e.manager.is_same(&writer.manager));
        left.push(Entry {
            manager: writer.manager.clone(),
            fields,
            time: Some(rfc3339(writer.at)),
        });
    }
    entries::cap(&mut left);
    entries::encode(new, left);
    takes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manager(name: &str, apply: bool) -> Manager {
        Manager {
            name: name.into(),
            apply,
            api_version: "v1".into(),
            subresource: String::new(),
        }
    }

    fn run(name: &str, live: &Value, config: &Value, force: bool) -> Result<Value, ApiError> {
        let ty = Type::of_kind("", "v1", "ConfigMap");
        let ignored = FieldSet::default();
        let writer = Writer {
            manager: manager(name, true),
            ty: &ty,
            ignored: &ignored,
            at: Timestamp::UNIX_EPOCH,
        };
        apply(&writer, live, config, force)
    }

    fn config(data: &Value) -> Value {
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a" }, "data": data })
    }

    #[test]
    fn a_conflict_names_the_manager_and_the_field() {
        let live = run(
            "one",
            &json!({"metadata":{}}),
            &config(&json!({ "x": "1" })),
            false,
        )
        .unwrap();
        let error = run("two", &live, &config(&json!({ "x": "2" })), false).unwrap_err();
        assert_eq!(
            error.message,
            "Apply failed with 1 conflict: conflict with \"one\": .data.x"
        );
        let forced = run("two", &live, &config(&json!({ "x": "2" })), true).unwrap();
        assert_eq!(
            forced["metadata"]["managedFields"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
    }

    #[test]
    fn a_field_left_out_goes_unless_somebody_else_owns_it() {
        let live = run(
            "one",
            &json!({"metadata":{}}),
            &config(&json!({ "x": "1", "y": "1" })),
            false,
        )
        .unwrap();
        let live = run("two", &live, &config(&json!({ "y": "1" })), false).unwrap();
        let live = run("one", &live, &config(&json!({})), false).unwrap();
        assert_eq!(live["data"], json!({ "y": "1" }));
        let live = run("two", &live, &config(&json!({})), false).unwrap();
        assert!(live["data"].is_null(), "decoding drops it");
    }
}
