//! What a structural schema makes of an object: it prunes unknown fields and fills in defaults.

use serde_json::Value;

use super::{CustomVersion, schema::Schema};
use crate::{
    admission::typed::{self, Decoded},
    managed::types::Type,
    object,
};

/// Prunes and defaults an object; metadata belongs to Kubernetes and stays. Says which fields it
/// pruned.
///
/// Nulls where none may be are dropped from what a client sent; those that a server-side apply
/// leaves behind stay, and validation refuses them.
///
/// An object that calls itself by another kind isn't touched.
pub(crate) fn shape(custom: &CustomVersion, kind: &str, new: &mut Value, applied: bool) -> Decoded {
    if new.get("kind").and_then(Value::as_str) != Some(kind) {
        return Decoded::default();
    }
    let mut pruned = Vec::new();
    without_own(new, |new| {
        prune(new, &custom.schema, "", &mut pruned);
        pruned.sort_unstable();
        if !applied {
            drop_nulls(new, &custom.schema);
        }
        default(new, &custom.schema);
    });
    // Metadata is decoded as that of every kind.
    let mut emptied = None;
    object::meta(new);
    if let (Some(meta), Type::BuiltIn(schema)) = (new.get_mut("metadata"), Type::object_meta()) {
        // Its types were checked when the body was read.
        if let Ok(decoded) = typed::decode(meta, schema, "ObjectMeta") {
            emptied = decoded.emptied();
            let unknown = decoded.unknown.iter().map(|f| format!("metadata.{f}"));
            pruned.splice(0..0, unknown);
        }
    }
    Decoded::of_custom(pruned, emptied.filter(|_| applied))
}

/// What is left of an object that was stored by an earlier schema.
pub(crate) fn prune_and_default(new: &mut Value, schema: &Schema) {
    without_own(new, |new| {
        prune(new, schema, "", &mut Vec::new());
        default(new, schema);
    });
}

/// Forgets the fields that a schema doesn't know.
pub(crate) fn forget(new: &mut Value, schema: &Schema) {
    without_own(new, |new| prune(new, schema, "", &mut Vec::new()));
}

/// Does something with what isn't every object's own.
fn without_own(new: &mut Value, act: impl FnOnce(&mut Value)) {
    let kept: Vec<(&str, Option<Value>)> = ["apiVersion", "kind", "metadata"]
        .into_iter()
        .map(|field| (field, object::members(new).remove(field)))
        .collect();
    act(new);
    for (field, value) in kept {
        if let Some(value) = value {
            object::members(new).insert(field.to_owned(), value);
        }
    }
}

fn prune(value: &mut Value, schema: &Schema, path: &str, pruned: &mut Vec<String>) {
    let join = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    match value {
        Value::Object(map) => {
            let free = schema.preserve || schema.additional.is_some();
            map.retain(|key, _| {
                // An embedded object keeps what every object has.
                let own = matches!(key.as_str(), "apiVersion" | "kind" | "metadata");
                let keep = free || (schema.embedded && own) || schema.properties.contains_key(key);
                if !keep {
                    pruned.push(join(key));
                }
                keep
            });
            for (key, child) in map.iter_mut() {
                if let Some(below) = schema.properties.get(key).or(schema.additional.as_deref()) {
                    prune(child, below, &join(key), pruned);
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = &schema.items {
                for (i, item) in list.iter_mut().enumerate() {
                    prune(item, items, &format!("{path}[{i}]"), pruned);
                }
            }
        }
        _ => {}
    }
}

/// What storage does to a validated object: nulls without meaning go.
pub(crate) fn tidy(custom: &CustomVersion, new: &mut Value) {
    drop_nulls(new, &custom.schema);
}

/// What reading does to an object that was stored with fields that its schema doesn't know.
pub(crate) fn forget_unknown(custom: &CustomVersion, kind: &str, new: &mut Value) {
    shape(custom, kind, new, true);
}

/// Drops nulls of fields that may not be null and have no default.
fn drop_nulls(value: &mut Value, schema: &Schema) {
    match value {
        Value::Object(map) => {
            let field = |key: &str| schema.properties.get(key);
            map.retain(|key, value| {
                !value.is_null()
                    || field(key).is_none_or(|below| below.nullable || below.default.is_some())
            });
            for (key, child) in map.iter_mut() {
                if let Some(below) = field(key).or(schema.additional.as_deref()) {
                    drop_nulls(child, below);
                }
            }
        }
        Value::Array(list) => {
            for item in list {
                if let Some(items) = &schema.items {
                    drop_nulls(item, items);
                }
            }
        }
        _ => {}
    }
}

/// Fills in defaults; a null where null isn't allowed and a default exists counts as missing.
pub(crate) fn default(value: &mut Value, schema: &Schema) {
    match value {
        Value::Object(map) => {
            for (key, below) in &schema.properties {
                let missing = match map.get(key) {
                    None => true,
                    Some(Value::Null) => !below.nullable && below.default.is_some(),
                    Some(_) => false,
                };
                if missing && let Some(default) = &below.default {
                    map.insert(key.clone(), default.clone());
                }
            }
            for (key, child) in map.iter_mut() {
                if let Some(below) = schema.properties.get(key).or(schema.additional.as_deref()) {
                    default(child, below);
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = &schema.items {
                for item in list {
                    default(item, items);
                }
            }
        }
        _ => {}
    }
}
