//! JSON Schema as the derive writes it, turned into what a CRD may hold (a structural schema).

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value};

/// Marks a default that the API server fills in; all other defaults only say what absence means.
const DEFAULT_MARK: &str = "x-schema-default";

/// The structural schema of a type.
pub(super) fn of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = SchemaGenerator::new(settings)
        .into_root_schema_for::<T>()
        .to_value();
    structural(&mut schema);
    schema
}

/// Drops what a CRD may not hold, at every level.
fn structural(schema: &mut Value) {
    let Value::Object(fields) = schema else {
        return;
    };
    for unwanted in ["$schema", "title", "default"] {
        fields.remove(unwanted);
    }
    if let Some(default) = fields.remove(DEFAULT_MARK) {
        fields.insert("default".to_owned(), default);
    }
    if let Some(Value::Array(required)) = fields.get_mut("required") {
        required.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    }
    unwrap_option(fields);
    if let Some(Value::Object(properties)) = fields.get_mut("properties") {
        properties.values_mut().for_each(structural);
    }
    for nested in ["items", "additionalProperties"] {
        if let Some(inner) = fields.get_mut(nested) {
            structural(inner);
        }
    }
}

/// `Option<T>` reads "T or null" to the derive; to the API server it is an optional T.
fn unwrap_option(fields: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = fields.get("type") {
        let named: Vec<Value> = types.iter().filter(|t| *t != "null").cloned().collect();
        if let [only] = named.as_slice() {
            fields.insert("type".to_owned(), only.clone());
        }
    }
    if let Some(Value::Array(values)) = fields.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    let Some(Value::Array(choices)) = fields.remove("anyOf") else {
        return;
    };
    for choice in choices {
        match choice {
            Value::Object(inner) if inner.get("type").is_none_or(|t| t != "null") => {
                for (key, value) in inner {
                    // The field's own description says more than its type's.
                    fields.entry(key).or_insert(value);
                }
            }
            _ => {}
        }
    }
}
