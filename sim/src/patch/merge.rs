//! JSON merge patch (RFC 7386).

use serde_json::{Map, Value};

/// The patched value: null removes, objects merge, everything else replaces.
pub(crate) fn apply(target: &Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else {
        return patch.clone();
    };
    let mut out = match target {
        Value::Object(map) => map.clone(),
        _ => Map::new(),
    };
    for (key, value) in patch {
        if value.is_null() {
            out.remove(key);
        } else {
            let merged = apply(out.get(key).unwrap_or(&Value::Null), value);
            out.insert(key.clone(), merged);
        }
    }
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn null_removes_and_lists_replace() {
        let target = json!({ "a": { "b": 1, "c": 2 }, "l": [1, 2] });
        let patch = json!({ "a": { "b": null, "d": { "e": null } }, "l": [3] });
        assert_eq!(
            apply(&target, &patch),
            json!({ "a": { "c": 2, "d": {} }, "l": [3] })
        );
    }
}
