//! Strategic merge patch, as far as list types alone decide: lists with keys merge by key, sets
//! merge, other lists are replaced, `$patch: replace|delete` and `$deleteFromPrimitiveList` work.
//! `$setElementOrder` and `$retainKeys` are read over, as they change order and unions only.

use serde_json::{Map, Value};

use crate::{
    managed::{
        types::{Atom, ListRule, Type},
        walk::element,
    },
    status::ApiError,
};

/// The patched value.
pub(crate) fn apply(target: &Value, patch: &Value, ty: &Type) -> Result<Value, ApiError> {
    if !patch.is_object() {
        return Err(ApiError::bad_request(
            "error decoding patch: it must be an object",
        ));
    }
    Ok(merge(target, patch, ty).unwrap_or(Value::Null))
}

fn merge(target: &Value, patch: &Value, ty: &Type) -> Option<Value> {
    match patch {
        Value::Null => None,
        Value::Object(patch) => merge_maps(target, patch, ty),
        Value::Array(items) => Some(merge_lists(target, items, ty)),
        scalar => Some(scalar.clone()),
    }
}

fn merge_maps(target: &Value, patch: &Map<String, Value>, ty: &Type) -> Option<Value> {
    let directive = patch.get("$patch").and_then(Value::as_str);
    if directive == Some("delete") {
        return None;
    }
    let mut out = match target {
        Value::Object(map) if directive != Some("replace") => map.clone(),
        _ => Map::new(),
    };
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
        let (child, _) = ty.field(key);
        match merge(out.get(key).unwrap_or(&Value::Null), value, &child) {
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

fn merge_lists(target: &Value, items: &[Value], ty: &Type) -> Value {
    let probe = Value::Array(items.to_vec());
    let (rule, item_type) = match ty.atom(&probe) {
        Atom::List { rule, item } => (rule.clone(), item),
        _ => (ListRule::Atomic, Type::Untyped),
    };
    let replaces = items
        .iter()
        .any(|i| i.get("$patch").and_then(Value::as_str) == Some("replace"));
    if rule == ListRule::Atomic || replaces {
        let kept = items
            .iter()
            .filter(|i| i.get("$patch").is_none())
            .cloned()
            .collect();
        return Value::Array(kept);
    }
    let mut out = target.as_array().cloned().unwrap_or_default();
    for item in items {
        let Ok(key) = element(&rule, 0, item) else {
            continue;
        };
        let place = out
            .iter()
            .position(|old| element(&rule, 0, old).is_ok_and(|k| k == key));
        let merged = merge(place.map_or(&Value::Null, |i| &out[i]), item, &item_type);
        match (place, merged) {
            (Some(i), Some(value)) => out[i] = value,
            (Some(i), None) => {
                out.remove(i);
            }
            (None, Some(value)) => out.push(value),
            (None, None) => {}
        }
    }
    Value::Array(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::managed::builtin;
    use serde_json::json;

    #[test]
    fn containers_merge_by_name_and_directives_delete() {
        let target = json!({ "spec": { "template": { "spec": { "containers": [
            { "name": "a", "image": "1" }, { "name": "b", "image": "1" }
        ] } } } });
        let patch = json!({ "spec": { "template": { "spec": { "containers": [
            { "name": "a", "image": "2" }, { "name": "b", "$patch": "delete" }
        ] } } } });
        let out = apply(&target, &patch, &builtin::object_type("Deployment")).unwrap();
        assert_eq!(
            out["spec"]["template"]["spec"]["containers"],
            json!([{ "name": "a", "image": "2" }])
        );
    }
}
