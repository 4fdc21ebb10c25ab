//! Strategic merge patch: lists merge where the type says so (by its merge key), otherwise they are
//! replaced; `$patch`, `$deleteFromPrimitiveList`, `$setElementOrder` and `$retainKeys` direct it.

use serde_json::{Map, Value};
use stageset_schema::SchemaRef;

use crate::status::ApiError;

/// The patched value.
pub(crate) fn apply(
    target: &Value,
    patch: &Value,
    schema: Option<SchemaRef>,
) -> Result<Value, ApiError> {
    if !patch.is_object() {
        return Err(ApiError::bad_request(
            "error decoding patch: it must be an object",
        ));
    }
    Ok(merge(target, patch, schema).unwrap_or(Value::Null))
}

fn merge(target: &Value, patch: &Value, schema: Option<SchemaRef>) -> Option<Value> {
    match patch {
        Value::Null => None,
        Value::Object(patch) => merge_maps(target, patch, schema),
        Value::Array(items) => Some(merge_lists(target, items, schema, None)),
        scalar => Some(scalar.clone()),
    }
}

fn merge_maps(
    target: &Value,
    patch: &Map<String, Value>,
    schema: Option<SchemaRef>,
) -> Option<Value> {
    let directive = patch.get("$patch").and_then(Value::as_str);
    if directive == Some("delete") {
        return None;
    }
    let mut out = match target {
        Value::Object(map) if directive != Some("replace") => map.clone(),
        _ => Map::new(),
    };
    if let Some(kept) = patch.get("$retainKeys").and_then(Value::as_array) {
        out.retain(|key, _| kept.iter().any(|k| k == key));
    }
    for (key, value) in patch {
        if let Some(field) = key.strip_prefix("$deleteFromPrimitiveList/") {
            let gone: Vec<Value> = value.as_array().cloned().unwrap_or_default();
            if let Some(Value::Array(list)) = out.get_mut(field) {
                list.retain(|item| !gone.contains(item));
            }
            continue;
        }
        if key.starts_with('$') {
            continue;
        }
        let below = schema.and_then(|s| s.child(key));
        // A directive about something that isn't there does nothing.
        if !out.contains_key(key) && value.get("$patch").is_some() {
            continue;
        }
        // The one field of a mapping that is replaced as a whole.
        let budget = schema.and_then(|s| s.name());
        if key == "selector" && budget.is_some_and(|n| n.ends_with("PodDisruptionBudgetSpec")) {
            out.insert(key.clone(), value.clone());
            continue;
        }
        let old = out.get(key).unwrap_or(&Value::Null);
        let merged = match value {
            Value::Array(items) => {
                let order = patch.get(&format!("$setElementOrder/{key}"));
                Some(merge_lists(
                    old,
                    items,
                    below,
                    order.and_then(Value::as_array),
                ))
            }
            _ => merge(old, value, below),
        };
        match merged {
            Some(merged) => {
                out.insert(key.clone(), merged);
            }
            None => {
                out.remove(key);
            }
        }
    }
    Some(Value::Object(out))
}

fn merge_lists(
    target: &Value,
    items: &[Value],
    schema: Option<SchemaRef>,
    order: Option<&Vec<Value>>,
) -> Value {
    let merges = schema.is_some_and(|s| s.patch_strategy().merge);
    let replaces = items
        .iter()
        .any(|i| i.get("$patch").and_then(Value::as_str) == Some("replace"));
    if !merges || replaces {
        let kept = items
            .iter()
            .filter(|i| i.get("$patch").is_none())
            .cloned()
            .collect();
        return Value::Array(kept);
    }
    let key = schema.and_then(|s| s.merge_key());
    let item_schema = schema.and_then(|s| s.items());
    let same = |a: &Value, b: &Value| match key {
        Some(key) => a.get(key).is_some() && a.get(key) == b.get(key),
        None => a == b,
    };
    // Deletions come first, wherever in the patch they stand.
    let deletes = |item: &Value| item.get("$patch").and_then(Value::as_str) == Some("delete");
    let mut before = target.as_array().cloned().unwrap_or_default();
    before.retain(|old| !items.iter().any(|item| deletes(item) && same(old, item)));
    let items: Vec<Value> = items.iter().filter(|i| !deletes(i)).cloned().collect();
    let mut out = before.clone();
    for item in &items {
        let place = out.iter().position(|old| same(old, item));
        let merged = merge(place.map_or(&Value::Null, |i| &out[i]), item, item_schema);
        match (place, merged) {
            (Some(i), Some(value)) => out[i] = value,
            (Some(i), None) => {
                out.remove(i);
            }
            (None, Some(value)) => out.push(value),
            (None, None) => {}
        }
    }
    let wanted = order.map_or(items.as_slice(), Vec::as_slice);
    Value::Array(ordered(&out, &before, wanted, &same))
}

/// Items that the patch names in its order, all others in the order they had; a new item comes
/// before what was there.
fn ordered(
    merged: &[Value],
    old: &[Value],
    wanted: &[Value],
    same: &dyn Fn(&Value, &Value) -> bool,
) -> Vec<Value> {
    let place = |list: &[Value], item: &Value| list.iter().position(|other| same(other, item));
    let (mut named, rest): (Vec<&Value>, Vec<&Value>) = merged
        .iter()
        .partition(|item| place(wanted, item).is_some());
    named.sort_by_key(|item| place(wanted, item));
    let mut out = Vec::new();
    let mut rest = rest.into_iter().peekable();
    for item in named {
        let before = place(old, item);
        while let Some(other) = rest.peek()
            && before.is_some_and(|at| place(old, other).is_some_and(|o| o < at))
        {
            out.push((*other).clone());
            rest.next();
        }
        out.push(item.clone());
    }
    out.extend(rest.cloned());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn containers_merge_by_name_and_directives_delete() {
        let schema =
            stageset_schema::kind("apps", "v1", "Deployment").map(stageset_schema::Kind::schema);
        let target = json!({ "spec": { "template": { "spec": { "containers": [
            { "name": "a", "image": "1" }, { "name": "b", "image": "1" }
        ] } } } });
        let patch = json!({ "spec": { "template": { "spec": { "containers": [
            { "name": "a", "image": "2" }, { "name": "b", "$patch": "delete" }
        ] } } } });
        let out = apply(&target, &patch, schema).unwrap();
        assert_eq!(
            out["spec"]["template"]["spec"]["containers"],
            json!([{ "name": "a", "image": "2" }])
        );
    }
}
