//! Values as Go prints them (`%v`) in error messages.

use serde_json::Value;

/// A value in Go's notation.
pub(crate) fn printed(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let shown: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{key}:{}", printed(value)))
                .collect();
            format!("map[{}]", shown.join(" "))
        }
        Value::Array(list) => {
            let shown: Vec<String> = list.iter().map(printed).collect();
            format!("[{}]", shown.join(" "))
        }
        Value::String(text) => text.clone(),
        Value::Null => "<nil>".into(),
        other => other.to_string(),
    }
}
