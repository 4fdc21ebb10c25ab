//! Values of Secrets, replaced by numbers.

use std::collections::BTreeMap;

use serde_json::Value;

/// Replaces every value of every Secret; the same value gets the same number, in the order in which
/// values are met.
pub(super) fn secrets<'a>(objects: impl Iterator<Item = &'a mut Value>) {
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    for object in objects.filter(|object| object["kind"] == "Secret") {
        for field in ["data", "stringData"] {
            let Some(values) = object.get_mut(field).and_then(Value::as_object_mut) else {
                continue;
            };
            for value in values.values_mut() {
                let next = numbers.len() + 1;
                let number = *numbers.entry(value.to_string()).or_insert(next);
                *value = Value::String(format!("<-- value not shown (#{number})"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn same_values_get_same_numbers_and_nothing_else_is_touched() {
        let mut objects = [
            json!({"kind": "Secret", "data": {"a": "eA==", "b": "eQ=="}, "stringData": {"c": "x"}}),
            json!({"kind": "ConfigMap", "data": {"a": "eA=="}}),
            json!({"kind": "Secret", "data": {"z": "eA=="}}),
            json!({"kind": "Secret", "data": null}),
        ];
        secrets(objects.iter_mut());
        let hidden = |n: usize| format!("<-- value not shown (#{n})");
        assert_eq!(objects[0]["data"], json!({"a": hidden(1), "b": hidden(2)}));
        assert_eq!(objects[0]["stringData"], json!({"c": hidden(3)}));
        assert_eq!(objects[1]["data"]["a"], "eA==");
        assert_eq!(objects[2]["data"]["z"], hidden(1));
    }
}
