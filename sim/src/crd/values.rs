//! Values as CEL has them: numbers are of the type that the schema says.
//!
//! Rules may meet a value of another type than its schema's, for of an object that calls itself by
//! another kind nothing else is checked. To the real server such a value is an error as soon as a
//! rule asks for it. The `cel` crate knows no errors among values: here such a member is left out,
//! and whoever misses it looks up why.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use cel::objects::{Key, Map, Value as Cel};
use serde_json::Value;

use super::schema::Schema;

/// What is wrong with members that were left out, by their names.
pub(crate) type Misfits = BTreeMap<String, String>;

/// A value as CEL has it, with notes of what was left out.
pub(crate) fn convert(value: &Value, schema: &Schema, misfits: &mut Misfits) -> Cel {
    let any = Schema::default();
    match value {
        Value::Null => Cel::Null,
        Value::Bool(b) => Cel::Bool(*b),
        Value::Number(n) => match n.as_i64().filter(|_| schema.types != "number") {
            Some(int) => Cel::Int(int),
            None => Cel::Float(n.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Cel::String(Arc::new(text.clone())),
        Value::Array(list) => {
            let items = schema.items.as_deref().unwrap_or(&any);
            let list = list.iter().map(|item| convert(item, items, misfits));
            Cel::List(Arc::new(list.collect()))
        }
        Value::Object(map) => {
            // The order of this map never shows: only the rule's verdict does.
            let mut converted: HashMap<Key, Cel> = HashMap::new();
            for (key, value) in map {
                let below = schema.properties.get(key).or(schema.additional.as_deref());
                let below = below.unwrap_or(&any);
                if let Some(why) = misfit(value, below) {
                    misfits.insert(key.clone(), why);
                } else {
                    let value = convert(value, below, misfits);
                    converted.insert(Key::String(Arc::new(key.clone())), value);
                }
            }
            Cel::Map(Map {
                map: Arc::new(converted),
            })
        }
    }
}

/// What the real server says of a value that isn't of its schema's type.
fn misfit(value: &Value, schema: &Schema) -> Option<String> {
    let typed = schema.int_or_string || !schema.types.is_empty();
    if value.is_null() {
        let refused = typed && !schema.nullable;
        return refused.then(|| "invalid data, got null for schema with nullable=false".into());
    }
    let whole = value.is_i64() || value.is_u64();
    if schema.int_or_string {
        let fits = whole || value.is_string();
        return (!fits).then(|| {
            "invalid data, expected XIntOrString value to be either a string or integer".into()
        });
    }
    let (fits, wanted) = match schema.types.as_str() {
        "string" => (value.is_string(), "string"),
        "number" => (value.is_number(), "float"),
        "integer" => (whole, "int"),
        "boolean" => (value.is_boolean(), "bool"),
        "object" => (value.is_object(), "a map"),
        "array" => (value.is_array(), "an array"),
        _ => return None,
    };
    (!fits).then(|| match schema.types.as_str() {
        "object" | "array" => format!(
            "invalid data, expected {wanted} for the provided schema with type={}",
            schema.types
        ),
        _ => format!("invalid data, expected {wanted}, got {}", go_type(value)),
    })
}

/// The type of a decoded value in Go.
fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}
