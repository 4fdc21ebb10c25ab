//! JSON as CEL has it.

use std::sync::Arc;

use cel::objects::{Key, Map, Value as Cel};
use serde_json::Value;

/// Whole numbers are `int`, others `double`, as Kubernetes has them for objects without a schema.
pub(super) fn value(json: &Value) -> Cel {
    match json {
        Value::Null => Cel::Null,
        Value::Bool(bool) => Cel::Bool(*bool),
        Value::Number(number) => number
            .as_i64()
            .map_or_else(|| Cel::Float(number.as_f64().unwrap_or_default()), Cel::Int),
        Value::String(text) => Cel::String(Arc::new(text.clone())),
        Value::Array(items) => Cel::List(Arc::new(items.iter().map(value).collect())),
        Value::Object(fields) => {
            // Its order shows only in what an expression makes of a map's keys, which CEL itself
            // leaves open.
            let map = fields
                .iter()
                .map(|(key, field)| (Key::String(Arc::new(key.clone())), value(field)))
                .collect();
            Cel::Map(Map { map: Arc::new(map) })
        }
    }
}
