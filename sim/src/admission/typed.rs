//! What the decoder of a built-in kind does to an object: unknown fields go (or are an error, with
//! `fieldValidation=Strict`), nulls go, empty lists and maps go where Go leaves them out, and values
//! of another type are refused.

use serde_json::Value;
use stageset_schema::{SchemaRef, Type};

use super::{gotime, quantity::Quantity};

/// What decoding took out of an object.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    /// Fields that no type has.
    pub(crate) unknown: Vec<String>,
    /// Lists and maps that were sent empty. Where Go tells them from absent ones it matters.
    hollow: Vec<String>,
    /// Whether there were nulls, which say the same as nothing.
    nulls: bool,
    /// The metadata of an applied custom resource has fields that are empty or null, which are
    /// stored: the empty ones.
    pub(crate) emptied: Option<Vec<String>>,
    /// A job that takes its labels from its template, those to come included.
    pub(crate) takes_labels: bool,
    /// An object that has none, nor its template.
    pub(crate) lacks_labels: bool,
}

impl Decoded {
    /// What was taken out of a custom resource.
    pub(crate) fn of_custom(unknown: Vec<String>, emptied: Option<Vec<String>>) -> Self {
        Self {
            unknown,
            emptied,
            ..Self::default()
        }
    }

    /// The lists and maps that were empty, if any was, or null.
    pub(crate) fn emptied(&self) -> Option<Vec<String>> {
        (self.nulls || !self.hollow.is_empty()).then(|| self.hollow.clone())
    }

    /// Whether this field was sent as an empty list or map.
    pub(crate) fn was_empty(&self, path: &str) -> bool {
        self.hollow.iter().any(|hollow| hollow == path)
    }

    /// Whether an empty list or map was sent anywhere in this field.
    pub(crate) fn was_empty_below(&self, field: &str) -> bool {
        let below = |path: &String| {
            path.strip_prefix(field)
                .is_some_and(|rest| rest.starts_with(['.', '[']))
        };
        self.hollow.iter().any(below)
    }
}

/// Decodes in place. The error is the decoder's own text.
pub(crate) fn decode(value: &mut Value, schema: SchemaRef, kind: &str) -> Result<Decoded, String> {
    let mut decoded = Decoded::default();
    let at = Place {
        path: String::new(),
        owner: kind.to_owned(),
        field: String::new(),
    };
    walk(value, schema, &at, &mut decoded)?;
    Ok(decoded)
}

/// Whether Go leaves a value out because it is its type's zero. Fields that are pointers in Go keep
/// theirs; the schema doesn't say which, so the common ones are named here.
fn is_zero(field: &str, value: &Value) -> bool {
    match value {
        Value::String(text) => {
            text.is_empty()
                && !matches!(
                    field,
                    "storageClassName"
                        | "ingressClassName"
                        | "appProtocol"
                        | "loadBalancerClass"
                        | "runtimeClassName"
                        | "volumeAttributesClassName"
                        | "holderIdentity"
                        | "strategy"
                        | "preferredHolder"
                        | "type"
                        | "apiGroup"
                        | "timeZone"
                        | "managedBy"
                )
        }
        Value::Bool(false) => matches!(
            field,
            "hostNetwork"
                | "hostPID"
                | "hostIPC"
                | "stdin"
                | "stdinOnce"
                | "tty"
                | "readOnly"
                | "publishNotReadyAddresses"
                | "globalDefault"
                | "paused"
        ),
        Value::Number(number) => {
            number.as_i64() == Some(0)
                && matches!(
                    field,
                    "minReadySeconds"
                        | "hostPort"
                        | "nodePort"
                        | "healthCheckNodePort"
                        | "initialDelaySeconds"
                        | "observedGeneration"
                        | "readyReplicas"
                        | "updatedReplicas"
                        | "currentReplicas"
                        | "unavailableReplicas"
                        | "fullyLabeledReplicas"
                )
        }
        _ => false,
    }
}

/// The type of a place as Go names it.
fn go_type(schema: SchemaRef) -> String {
    match schema.kind() {
        Type::List => format!("[]{}", schema.items().map_or_else(String::new, go_type)),
        Type::Map => {
            let values = schema.map_values().map_or_else(String::new, go_type);
            format!("map[string]{values}")
        }
        Type::String => "string".into(),
        Type::Integer => schema.format().unwrap_or("int64").into(),
        Type::Boolean => "bool".into(),
        _ => {
            let name = schema.name().unwrap_or_default();
            let mut parts = name.rsplit('.');
            let (kind, version) = (parts.next(), parts.next());
            format!(
                "{}.{}",
                version.unwrap_or_default(),
                kind.unwrap_or_default()
            )
        }
    }
}

/// What Go's decoder calls a value of JSON.
pub(crate) const fn found(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

struct Place {
    /// With indices, for unknown fields.
    path: String,
    /// The innermost Go struct.
    owner: String,
    /// Without indices, for type errors.
    field: String,
}

impl Place {
    fn wrong(&self, value: &Value, want: &str) -> String {
        let found = found(value);
        format!(
            "json: cannot unmarshal {found} into Go struct field {}.{} of type {want}",
            self.owner, self.field
        )
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

fn walk(
    value: &mut Value,
    schema: SchemaRef,
    at: &Place,
    decoded: &mut Decoded,
) -> Result<(), String> {
    match schema.kind() {
        Type::Struct => {
            let Value::Object(map) = value else {
                return Err(at.wrong(value, &go_type(schema)));
            };
            let owner = schema
                .name()
                .and_then(|n| n.rsplit('.').next())
                .unwrap_or(&at.owner);
            for (key, child) in map.iter_mut() {
                let Some(field) = schema.field(key) else {
                    decoded.unknown.push(join(&at.path, key));
                    continue;
                };
                if child.is_null() {
                    continue;
                }
                let below = Place {
                    path: join(&at.path, key),
                    owner: owner.to_owned(),
                    field: join(&at.field, key),
                };
                walk(child, field, &below, decoded)?;
            }
            decoded.nulls |= map.values().any(Value::is_null);
            map.retain(|key, child| schema.field(key).is_some() && !child.is_null());
            map.retain(|key, child| {
                let Some(field) = schema.field(key) else {
                    return true;
                };
                let hollow = match &*child {
                    Value::Array(list) => list.is_empty(),
                    Value::Object(map) => map.is_empty() && field.kind() == Type::Map,
                    other => is_zero(key, other),
                };
                // Of an empty list of rules somebody becomes the owner before it goes.
                let rules = key == "rules" && owner.ends_with("Role");
                let kept = !hollow || schema.is_required(key) || rules;
                if !kept && (child.is_array() || child.is_object()) {
                    decoded.hollow.push(join(&at.path, key));
                }
                kept
            });
            Ok(())
        }
        Type::Map => {
            let Value::Object(map) = value else {
                return Err(at.wrong(value, &go_type(schema)));
            };
            let Some(values) = schema.map_values() else {
                return Ok(());
            };
            for (key, child) in map.iter_mut() {
                if child.is_null() && values.kind() == Type::String {
                    *child = Value::from("");
                }
                let below = Place {
                    path: join(&at.path, key),
                    owner: at.owner.clone(),
                    field: at.field.clone(),
                };
                walk(child, values, &below, decoded)?;
            }
            Ok(())
        }
        Type::List => {
            let Value::Array(list) = value else {
                return Err(at.wrong(value, &go_type(schema)));
            };
            let Some(items) = schema.items() else {
                return Ok(());
            };
            for (i, child) in list.iter_mut().enumerate() {
                let below = Place {
                    path: format!("{}[{i}]", at.path),
                    owner: at.owner.clone(),
                    field: at.field.clone(),
                };
                walk(child, items, &below, decoded)?;
            }
            Ok(())
        }
        Type::String if schema.format() == Some("byte") => {
            use base64::Engine as _;
            let Some(text) = value.as_str() else {
                return Err(at.wrong(value, "[]uint8"));
            };
            match base64::engine::general_purpose::STANDARD.decode(text) {
                Ok(_) => Ok(()),
                Err(
                    base64::DecodeError::InvalidByte(i, _)
                    | base64::DecodeError::InvalidLastSymbol(i, _),
                ) => Err(format!("illegal base64 data at input byte {i}")),
                Err(_) => Err(format!("illegal base64 data at input byte {}", text.len())),
            }
        }
        Type::String if !value.is_string() => Err(at.wrong(value, "string")),
        Type::String if schema.format() == Some("date-time") => {
            let micro = schema.name().is_some_and(|n| n.ends_with("MicroTime"));
            time(value, micro)
        }
        Type::Boolean if !value.is_boolean() => Err(at.wrong(value, "bool")),
        Type::Integer => integer(value, schema.format().unwrap_or("int64"), at),
        Type::Number if !value.is_number() => Err(at.wrong(value, "float64")),
        Type::Quantity => {
            let text = match &*value {
                Value::String(text) => text.trim().to_owned(),
                other => other.to_string(),
            };
            let quantity = Quantity::parse(&text).map_err(str::to_owned)?;
            *value = Value::from(quantity.to_string());
            Ok(())
        }
        Type::IntOrString if !(value.is_string() || value.is_i64()) => integer(value, "int32", at),
        _ => Ok(()),
    }
}

fn integer(value: &Value, format: &str, at: &Place) -> Result<(), String> {
    let fits = match format {
        "int32" => value.as_i64().is_some_and(|n| i32::try_from(n).is_ok()),
        _ => value.is_i64(),
    };
    match value {
        _ if fits => Ok(()),
        Value::Number(number) => Err(format!(
            "json: cannot unmarshal number {number} into Go struct field {}.{} of type {format}",
            at.owner, at.field
        )),
        _ => Err(at.wrong(value, format)),
    }
}

/// A time, in UTC and in the precision that Kubernetes keeps.
fn time(value: &mut Value, micro: bool) -> Result<(), String> {
    let text = value.as_str().unwrap_or_default();
    let at = gotime::parse(text, micro)?;
    let shown = if micro {
        at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
    } else {
        crate::object::rfc3339(at)
    };
    *value = Value::from(shown);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn unknown_and_empty_fields_go_and_wrong_types_are_refused() {
        let schema = stageset_schema::kind("", "v1", "ConfigMap")
            .unwrap()
            .schema();
        let mut value = json!({ "metadata": { "name": "a", "labels": {}, "finalizers": [] }, "daata": {}, "data": { "x": "1" } });
        let decoded = decode(&mut value, schema, "ConfigMap").unwrap();
        assert_eq!(decoded.unknown, ["daata"]);
        assert!(decoded.was_empty("metadata.labels") && decoded.was_empty_below("metadata"));
        assert!(!decoded.was_empty("data") && !decoded.was_empty_below("data"));
        assert_eq!(
            value,
            json!({ "metadata": { "name": "a" }, "data": { "x": "1" } })
        );
        let mut value = json!({ "data": { "x": 1 } });
        assert_eq!(
            decode(&mut value, schema, "ConfigMap").unwrap_err(),
            "json: cannot unmarshal number into Go struct field ConfigMap.data of type string"
        );
    }
}
