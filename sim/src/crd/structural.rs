//! What a structural schema demands of an object.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{CustomVersion, schema::Schema};
use crate::{
    object,
    status::{ApiError, Cause},
};

/// Validates an object, beside what is wrong with its metadata. Fails only where a rule can't be
/// asked.
///
/// Of an object that calls itself by another kind only the rules are asked.
pub(crate) fn validate(
    custom: &CustomVersion,
    kind: &str,
    subresource: &str,
    old: Option<&Value>,
    new: &Value,
    causes: &mut Vec<Cause>,
) -> Result<(), ApiError> {
    let called = new.get("kind").and_then(Value::as_str).unwrap_or_default();
    if called != kind {
        *causes = vec![Cause::invalid(
            "kind",
            &called.into(),
            &format!("must be {kind}"),
        )];
        return crate::crd::cel::check(&custom.schema, old, new, "", causes);
    }
    let mut body = new.clone();
    object::members(&mut body).remove("metadata");
    if let ("status", Some(schema)) = (subresource, custom.schema.properties.get("status")) {
        // Through its endpoint the status is looked at alone, and paths in texts begin there.
        let mut below = Vec::new();
        check(
            body.get("status").unwrap_or(&Value::Null),
            old.and_then(|old| old.get("status")),
            schema,
            "",
            &mut below,
        );
        for cause in &mut below {
            cause.field = match cause.field.as_str() {
                "<nil>" => "status".to_owned(),
                field => format!("status.{field}"),
            };
        }
        causes.append(&mut below);
    } else {
        let before = causes.len();
        examine(&body, old, &custom.schema, "", causes);
        if old == Some(new) {
            causes.truncate(before);
        }
    }
    // Rules run unless something is of the wrong type, missing or too long.
    let fits = !causes.iter().any(blocks_rules);
    repeats(&body, &custom.schema, "", causes);
    if custom.schema.ruled {
        if fits {
            crate::crd::cel::check(&custom.schema, old, new, "", causes)?;
        } else {
            let what = "some validation rules were not checked because the object was invalid; \
                        correct the existing errors to complete validation";
            causes.push(Cause::invalid("<nil>", &Value::Null, what));
        }
    }
    Ok(())
}

/// Whether an error leaves an object that rules can't be asked about.
fn blocks_rules(cause: &Cause) -> bool {
    matches!(
        cause.reason,
        "FieldValueNotSupported"
            | "FieldValueRequired"
            | "FieldValueTooLong"
            | "FieldValueTooMany"
            | "FieldValueTypeInvalid"
    )
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_i64() || n.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn typed(value: &Value, schema: &Schema) -> bool {
    if value.is_null() {
        return schema.nullable || (schema.types.is_empty() && !schema.int_or_string);
    }
    if schema.int_or_string {
        return matches!(type_of(value), "integer" | "string");
    }
    match schema.types.as_str() {
        "" => true,
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|f| f.fract() == 0.0),
        other => other == type_of(value),
    }
}

/// A path for messages: the root has none.
fn shown_path(path: &str) -> String {
    if path.is_empty() {
        "<nil>".into()
    } else {
        path.to_owned()
    }
}

/// What is as it was before may stay so, whatever the schema says by now.
fn check(value: &Value, old: Option<&Value>, schema: &Schema, path: &str, causes: &mut Vec<Cause>) {
    let before = causes.len();
    examine(value, old, schema, path, causes);
    if causes.len() > before && old == Some(value) {
        causes.truncate(before);
    }
}

fn examine(
    value: &Value,
    old: Option<&Value>,
    schema: &Schema,
    path: &str,
    causes: &mut Vec<Cause>,
) {
    if !typed(value, schema) {
        let want = if schema.int_or_string {
            "integer,string"
        } else {
            &schema.types
        };
        let what = format!(
            "{path} in body must be of type {want}: \"{}\"",
            type_of(value)
        );
        let cause = Cause::new(
            "FieldValueTypeInvalid",
            shown_path(path),
            format!("Invalid value: \"{}\": {what}", type_of(value)),
        );
        causes.push(cause);
        if !value.is_null() {
            allowed(value, schema, path, causes);
        }
        return;
    }
    if value.is_null() {
        return;
    }
    allowed(value, schema, path, causes);
    match value {
        Value::Object(map) => {
            for field in &schema.required {
                if !map.contains_key(field) {
                    let at = if path.is_empty() {
                        field.clone()
                    } else {
                        format!("{path}.{field}")
                    };
                    causes.push(Cause::required(at, ""));
                }
            }
            size(
                map.len(),
                "properties",
                "minProperties",
                "maxProperties",
                schema,
                path,
                causes,
            );
            for (key, child) in map {
                let below = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                let before = old.and_then(|old| old.get(key));
                if let Some(schema) = schema.properties.get(key) {
                    check(child, before, schema, &below, causes);
                } else if let Some(schema) = &schema.additional {
                    check(child, before, schema, &below, causes);
                }
            }
        }
        Value::Array(list) => {
            size(
                list.len(),
                "items",
                "minItems",
                "maxItems",
                schema,
                path,
                causes,
            );
            for (i, item) in list.iter().enumerate() {
                if let Some(items) = &schema.items {
                    check(item, None, items, &format!("{path}[{i}]"), causes);
                }
            }
        }
        Value::String(text) => strings(text, schema, path, causes),
        Value::Number(number) => numbers(
            number.as_f64().unwrap_or_default(),
            value,
            schema,
            path,
            causes,
        ),
        _ => {}
    }
    combined(value, schema, path, causes);
}

/// One of the values that there are to choose from, if there are any.
fn allowed(value: &Value, schema: &Schema, path: &str, causes: &mut Vec<Cause>) {
    if !schema.allowed.is_empty() && !schema.allowed.contains(value) {
        let known: Vec<String> = schema
            .allowed
            .iter()
            .map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
            .collect();
        causes.push(Cause::unsupported(shown_path(path), value, &known));
    }
}

fn size(
    found: usize,
    what: &str,
    min: &'static str,
    max: &'static str,
    schema: &Schema,
    path: &str,
    causes: &mut Vec<Cause>,
) {
    #[expect(clippy::cast_precision_loss, reason = "sizes of request bodies fit")]
    let size = found as f64;
    if let Some(limit) = schema.limits.get(min).filter(|limit| size < **limit) {
        let message =
            format!("Invalid value: {found}: {path} in body should have at least {limit} {what}");
        causes.push(Cause::new("FieldValueInvalid", shown_path(path), message));
    }
    if let Some(limit) = schema.limits.get(max).filter(|limit| size > **limit) {
        let what = if *limit < 2.0 && *limit > 0.0 && what == "items" {
            "item"
        } else {
            what
        };
        let message = format!("Too many: {found}: must have at most {limit} {what}");
        causes.push(Cause::new("FieldValueTooMany", shown_path(path), message));
    }
}

/// The first thing wrong with a string is all that is said of it.
fn strings(text: &str, schema: &Schema, path: &str, causes: &mut Vec<Cause>) {
    #[expect(clippy::cast_precision_loss, reason = "sizes of request bodies fit")]
    let length = text.chars().count() as f64;
    let value = Value::from(text);
    let at = shown_path(path);
    let breaks = schema
        .pattern
        .as_ref()
        .filter(|(_, r)| r.as_ref().is_some_and(|r| !r.is_match(text)));
    if let Some(limit) = schema
        .limits
        .get("maxLength")
        .filter(|limit| length > **limit)
    {
        let message = format!("Too long: may not be more than {limit} bytes");
        causes.push(Cause::new("FieldValueTooLong", at, message));
    } else if let Some(limit) = schema
        .limits
        .get("minLength")
        .filter(|limit| length < **limit)
    {
        let what = format!("{path} in body should be at least {limit} chars long");
        causes.push(Cause::invalid(at, &value, &what));
    } else if let Some((pattern, _)) = breaks {
        let what = format!("{path} in body should match '{pattern}'");
        causes.push(Cause::invalid(at, &value, &what));
    } else if !fits_format(text, &schema.format) {
        let what = format!("{path} in body must be of type {}: {value}", schema.format);
        let message = format!("Invalid value: {value}: {what}");
        causes.push(Cause::new("FieldValueTypeInvalid", at, message));
    }
}

fn fits_format(text: &str, format: &str) -> bool {
    match format {
        "date-time" => text.parse::<jiff::Timestamp>().is_ok(),
        "uuid" => text.len() == 36 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-'),
        "ipv4" => text.parse::<std::net::Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<std::net::Ipv6Addr>().is_ok(),
        _ => true,
    }
}

fn numbers(found: f64, value: &Value, schema: &Schema, path: &str, causes: &mut Vec<Cause>) {
    let mut fail = |what: String| causes.push(Cause::invalid(shown_path(path), value, &what));
    if let Some(limit) = schema.limits.get("minimum") {
        if schema.exclusive_minimum && found <= *limit {
            fail(format!("{path} in body should be greater than {limit}"));
        } else if found < *limit {
            fail(format!(
                "{path} in body should be greater than or equal to {limit}"
            ));
        }
    }
    if let Some(limit) = schema.limits.get("maximum") {
        if schema.exclusive_maximum && found >= *limit {
            fail(format!("{path} in body should be less than {limit}"));
        } else if found > *limit {
            fail(format!(
                "{path} in body should be less than or equal to {limit}"
            ));
        }
    }
    if let Some(unit) = schema
        .limits
        .get("multipleOf")
        .filter(|unit| found % **unit != 0.0)
    {
        fail(format!("{path} in body should be a multiple of {unit}"));
    }
}

/// Repeated items anywhere in a value.
fn repeats(value: &Value, schema: &Schema, path: &str, causes: &mut Vec<Cause>) {
    match value {
        Value::Object(map) => {
            for (key, child) in map {
                let below = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                if let Some(schema) = schema.properties.get(key).or(schema.additional.as_deref()) {
                    repeats(child, schema, &below, causes);
                }
            }
        }
        Value::Array(list) => {
            duplicates(list, schema, path, causes);
            for (i, item) in list.iter().enumerate() {
                if let Some(items) = &schema.items {
                    repeats(item, items, &format!("{path}[{i}]"), causes);
                }
            }
        }
        _ => {}
    }
}

fn duplicates(list: &[Value], schema: &Schema, path: &str, causes: &mut Vec<Cause>) {
    let mut seen = BTreeSet::new();
    for (i, item) in list.iter().enumerate() {
        let key = match schema.list_type.as_str() {
            "set" => item.to_string(),
            "map" => {
                let keys: serde_json::Map<String, Value> = schema
                    .list_keys
                    .iter()
                    .filter_map(|k| Some((k.clone(), item.get(k)?.clone())))
                    .collect();
                Value::Object(keys).to_string()
            }
            _ if schema.unique => item.to_string(),
            _ => return,
        };
        if !seen.insert(key.clone()) {
            let shown: Value = serde_json::from_str(&key).unwrap_or_default();
            causes.push(Cause::duplicate(format!("{path}[{i}]"), &shown));
        }
    }
}

fn combined(value: &Value, schema: &Schema, path: &str, causes: &mut Vec<Cause>) {
    let fits = |schema: &Schema| {
        let mut causes = Vec::new();
        check(value, None, schema, path, &mut causes);
        causes.is_empty()
    };
    for part in &schema.all_of {
        check(value, None, part, path, causes);
    }
    let mut fail = |what: String| {
        causes.push(Cause::new(
            "FieldValueInvalid",
            shown_path(path),
            format!("Invalid value: {what}"),
        ));
    };
    if !schema.any_of.is_empty() && !schema.any_of.iter().any(fits) {
        fail(format!(
            "{path} in body must validate at least one schema (anyOf)"
        ));
    }
    if !schema.one_of.is_empty() && schema.one_of.iter().filter(|s| fits(s)).count() != 1 {
        fail(format!(
            "{path} in body must validate one and only one schema (oneOf)"
        ));
    }
    if schema.not.as_ref().is_some_and(|not| fits(not)) {
        fail(format!("{path} in body must not validate the schema (not)"));
    }
}
