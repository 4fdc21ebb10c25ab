//! Strategic merge patch: lists merge where the type says so (by its merge key), otherwise they are
//! replaced; `$patch`, `$deleteFromPrimitiveList`, `$setElementOrder` and `$retainKeys` direct it.
//!
//! The patch is consumed as the real server consumes it: what is left of it is what messages show.

use serde_json::{Map, Value};
use stageset_schema::SchemaRef;

use super::{go, order};
use crate::status::ApiError;

type Object = Map<String, Value>;

const DIRECTIVE: &str = "$patch";
const RETAIN: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
const ORDER: &str = "$setElementOrder/";

/// The patched value.
pub(crate) fn apply(
    target: &Value,
    patch: &mut Value,
    schema: Option<SchemaRef>,
) -> Result<Value, ApiError> {
    let (Value::Object(target), Value::Object(patch)) = (target, patch) else {
        return Err(ApiError::bad_request(
            "error decoding patch: it must be an object",
        ));
    };
    Ok(Value::Object(merge(target.clone(), patch, schema)?))
}

/// What an item of a list or a nested object says about itself.
fn directive(value: &Value) -> Option<&Value> {
    value.get(DIRECTIVE)
}

fn merge(
    mut original: Object,
    patch: &mut Object,
    schema: Option<SchemaRef>,
) -> Result<Object, ApiError> {
    if let Some(directive) = patch.get(DIRECTIVE) {
        return match directive.as_str() {
            Some("replace") => {
                patch.remove(DIRECTIVE);
                Ok(patch.clone())
            }
            Some("delete") => Ok(Object::new()),
            _ => Err(unknown(directive, patch)),
        };
    }
    retain(&mut original, patch)?;
    ordered_lists(&mut original, patch, schema)?;
    for (key, value) in patch.iter_mut() {
        let (deletes, key) = match key.strip_prefix(DELETE_FROM) {
            Some(field) => (true, field),
            None => (false, key.as_str()),
        };
        if value.is_null() {
            original.remove(key);
            continue;
        }
        let same_type = original
            .get(key)
            .is_some_and(|old| std::mem::discriminant(old) == std::mem::discriminant(value));
        if !same_type {
            if !deletes {
                discard_nulls(value);
                match without_directives(value) {
                    Some(value) => original.insert(key.to_owned(), value),
                    None => original.remove(key),
                };
            }
            continue;
        }
        let below = schema.and_then(|s| s.child(key));
        let old = original.remove(key).unwrap_or_default();
        let merged = match (old, &mut *value) {
            // The one field of a mapping that is replaced as a whole.
            (Value::Object(_), new @ Value::Object(_)) if is_replaced(schema, key) => new.clone(),
            (Value::Object(old), Value::Object(new)) => Value::Object(merge(old, new, below)?),
            (Value::Array(old), Value::Array(new)) => {
                Value::Array(merge_lists(old, new, below, deletes)?)
            }
            (_, new) => new.clone(),
        };
        original.insert(key.to_owned(), merged);
    }
    Ok(original)
}

fn unknown(directive: &Value, patch: &Object) -> ApiError {
    ApiError::internal(format!(
        "unknown patch type: {} in map: {}",
        go::printed(directive),
        go::printed(&Value::Object(patch.clone()))
    ))
}

fn is_replaced(schema: Option<SchemaRef>, key: &str) -> bool {
    let owner = schema.and_then(|s| s.name());
    key == "selector" && owner.is_some_and(|n| n.ends_with("PodDisruptionBudgetSpec"))
}

/// `$retainKeys`: every other key goes.
fn retain(original: &mut Object, patch: &mut Object) -> Result<(), ApiError> {
    let Some(kept) = patch.remove(RETAIN) else {
        return Ok(());
    };
    let wrong = || ApiError::bad_request("invalid patch format of retainKeys");
    let kept = kept.as_array().ok_or_else(wrong)?;
    let keeps = |key: &str| kept.iter().any(|k| k == key);
    for (key, value) in &*patch {
        let directs = key.starts_with(DELETE_FROM) || key.starts_with(ORDER);
        if !value.is_null() && !directs && !keeps(key) {
            return Err(wrong());
        }
    }
    original.retain(|key, _| keeps(key));
    Ok(())
}

/// `$setElementOrder`: the lists that have an order are merged here, with it.
fn ordered_lists(
    original: &mut Object,
    patch: &mut Object,
    schema: Option<SchemaRef>,
) -> Result<(), ApiError> {
    let keys: Vec<String> = patch
        .keys()
        .filter(|key| key.starts_with(ORDER))
        .cloned()
        .collect();
    for key in keys {
        let wanted = patch.remove(&key).unwrap_or_default();
        let field = key.trim_start_matches(ORDER);
        let wrong = || ApiError::bad_request("invalid patch format of setElementOrder list");
        let wanted = wanted.as_array().ok_or_else(wrong)?;
        let below = schema.and_then(|s| s.child(field));
        let merge_key = below.and_then(|s| s.merge_key());
        let before = original.get(field).and_then(Value::as_array).cloned();
        let sent = match patch.remove(field) {
            Some(Value::Array(sent)) => Some(sent),
            Some(_) => return Err(wrong()),
            None => None,
        };
        order::check(sent.as_deref().unwrap_or_default(), wanted, merge_key)?;
        let merged = match (before.clone(), sent) {
            (Some(before), None) => before,
            (None, Some(sent)) => match without_directives(&Value::Array(sent)) {
                Some(Value::Array(list)) => list,
                _ => continue,
            },
            (Some(before), Some(mut sent)) => merge_lists(before, &mut sent, below, false)?,
            (None, None) => continue,
        };
        let before = before.unwrap_or_default();
        let list = order::settle(&merged, wanted, &before, merge_key)?;
        original.insert(field.to_owned(), Value::Array(list));
    }
    Ok(())
}

fn merge_lists(
    original: Vec<Value>,
    patch: &mut [Value],
    schema: Option<SchemaRef>,
    deletes: bool,
) -> Result<Vec<Value>, ApiError> {
    let merges = schema.is_some_and(|s| s.patch_strategy().merge);
    if !merges && !deletes {
        return Ok(patch.to_owned());
    }
    let Some(first) = original.first().or(patch.first()) else {
        return Ok(original);
    };
    if !first.is_object() {
        if deletes {
            let kept = original.into_iter().filter(|item| !patch.contains(item));
            return Ok(kept.collect());
        }
        let mut merged = original.clone();
        merged.extend(patch.iter().cloned());
        let merged = order::distinct(merged);
        return order::settle(&merged, patch, &original, None);
    }
    let key = schema.and_then(|s| s.merge_key()).unwrap_or_default();
    let (original, mut items) = directed(original, patch, key)?;
    let mut merged = original.clone();
    for item in &mut items {
        let Some(value) = item.get(key).cloned() else {
            return Err(order::keyless(item, key));
        };
        let place = merged.iter().position(|old| old.get(key) == Some(&value));
        match (place, item) {
            (Some(at), Value::Object(item)) => {
                let old = std::mem::take(crate::object::members(&mut merged[at]));
                let below = schema.and_then(|s| s.items());
                merged[at] = Value::Object(merge(old, item, below)?);
            }
            (_, item) => merged.push(item.clone()),
        }
    }
    order::settle(&merged, &items, &original, Some(key))
}

/// Items that are directives are followed: what they delete is gone from what was there, and after
/// a `replace` nothing of it is left.
fn directed(
    mut original: Vec<Value>,
    patch: &[Value],
    key: &str,
) -> Result<(Vec<Value>, Vec<Value>), ApiError> {
    let mut items = Vec::new();
    let mut replaces = false;
    for item in patch {
        match directive(item).map(|d| d.as_str().unwrap_or_default()) {
            None => items.push(item.clone()),
            Some("delete") => {
                let Some(value) = item.get(key) else {
                    return Err(order::keyless(item, key));
                };
                original.retain(|old| old.get(key) != Some(value));
            }
            Some("replace") => replaces = true,
            Some("merge") => {
                let what = "merging lists cannot yet be specified in the patch";
                return Err(ApiError::internal(what));
            }
            Some(_) => {
                let empty = Object::new();
                let item = item.as_object().unwrap_or(&empty);
                return Err(unknown(&item[DIRECTIVE], item));
            }
        }
    }
    if replaces {
        return Ok((items, Vec::new()));
    }
    Ok((original, items))
}

fn discard_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(discard_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(discard_nulls),
        _ => {}
    }
}

/// A value that has nothing to merge with: a directive about what isn't there does nothing.
fn without_directives(value: &Value) -> Option<Value> {
    match value {
        Value::Object(map) if map.contains_key(DIRECTIVE) => None,
        Value::Object(map) => {
            let kept = map
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), without_directives(value)?)));
            Some(Value::Object(kept.collect()))
        }
        Value::Array(list) => Some(list.iter().filter_map(without_directives).collect()),
        other => Some(other.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn patched(kind: (&str, &str), target: Value, mut patch: Value) -> (Value, Value) {
        let schema = stageset_schema::kind(kind.0, "v1", kind.1).map(stageset_schema::Kind::schema);
        let out = apply(&target, &mut patch, schema).unwrap();
        (out, patch)
    }

    #[test]
    fn containers_merge_by_name_and_directives_delete() {
        let target = json!({ "spec": { "template": { "spec": { "containers": [
            { "name": "a", "image": "1" }, { "name": "b", "image": "1" }
        ] } } } });
        let patch = json!({ "spec": { "template": { "spec": { "containers": [
            { "name": "a", "image": "2" }, { "name": "b", "$patch": "delete" }
        ] } } } });
        let (out, _) = patched(("apps", "Deployment"), target, patch);
        assert_eq!(
            out["spec"]["template"]["spec"]["containers"],
            json!([{ "name": "a", "image": "2" }])
        );
    }

    #[test]
    fn ports_with_one_number_merge_into_the_first_and_stand_as_they_are_where_none_was() {
        let ports = json!([
            { "port": 80, "name": "u", "protocol": "UDP" },
            { "port": 80, "name": "t", "protocol": "TCP" },
        ]);
        let patch = json!({ "spec": { "ports": ports } });
        let (out, _) = patched(("", "Service"), json!({ "spec": {} }), patch.clone());
        assert_eq!(out["spec"]["ports"], ports);
        let target = json!({ "spec": { "ports": [{ "port": 80, "name": "x" }, { "port": 81 }] } });
        let (out, _) = patched(("", "Service"), target, patch);
        assert_eq!(
            out["spec"]["ports"],
            json!([{ "port": 80, "name": "t", "protocol": "TCP" }, { "port": 81 }])
        );
    }

    #[test]
    fn nulls_about_what_is_not_there_are_gone_from_the_patch_only_inside() {
        let patch =
            json!({ "metadata": { "finalizers": null, "labels": { "a": null, "b": "2" } } });
        let (_, left) = patched(("", "ConfigMap"), json!({ "metadata": {} }), patch.clone());
        let shown = json!({ "metadata": { "finalizers": null, "labels": { "b": "2" } } });
        assert_eq!(left, shown);
        let target = json!({ "metadata": { "labels": { "a": "1" } } });
        let (out, left) = patched(("", "ConfigMap"), target, patch.clone());
        assert_eq!(left, patch);
        assert_eq!(out, json!({ "metadata": { "labels": { "b": "2" } } }));
    }
}
