//! An applied configuration must fit its type: only declared fields, scalars of their kind, no
//! item twice. What doesn't fit is the real server's 500, word by word.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    types::{Atom, ListRule, Scalar, Type},
    walk::element,
};
use crate::{object, status::ApiError};

/// Fails with everything that doesn't fit.
pub(crate) fn check(config: &Value, ty: &Type) -> Result<(), ApiError> {
    let mut problems = Vec::new();
    walk(config, ty, "", &mut problems);
    let listed = match problems.as_slice() {
        [] => return Ok(()),
        [one] => one.clone(),
        many => {
            let lines: Vec<String> = many.iter().map(|line| format!("  {line}")).collect();
            format!("errors:\n{}", lines.join("\n"))
        }
    };
    let text = |field: &str| {
        config
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (group, version) = object::split_api_version(text("apiVersion"));
    Err(ApiError::internal(format!(
        "failed to create typed patch object ({}/{}; {group}/{version}, Kind={}): {listed}",
        object::namespace(config),
        object::name(config),
        text("kind")
    )))
}

fn walk(value: &Value, ty: &Type, path: &str, problems: &mut Vec<String>) {
    if value.is_null() {
        return;
    }
    match ty.atom(value) {
        Atom::Scalar => scalar(value, ty.scalar(), path, problems),
        Atom::Map { .. } => {
            let Some(map) = value.as_object() else {
                problems.push(format!("{path}: expected map, got {}", shown(value)));
                return;
            };
            for (key, child) in map {
                let below = format!("{path}.{key}");
                if ty.refuses(key) {
                    problems.push(format!("{below}: field not declared in schema"));
                } else {
                    walk(child, &ty.field(key).0, &below, problems);
                }
            }
        }
        Atom::List { rule, item } => {
            let Some(list) = value.as_array() else {
                problems.push(format!("{path}: expected list, got {}", shown(value)));
                return;
            };
            let mut seen = BTreeSet::new();
            for (i, child) in list.iter().enumerate() {
                match element(&rule, i, child) {
                    Ok(step) => {
                        if rule != ListRule::Atomic && !seen.insert(step.clone()) {
                            problems.push(format!("{path}: duplicate entries for key {step}"));
                        }
                        walk(child, &item, &format!("{path}{step}"), problems);
                    }
                    Err(why) => problems.push(format!("{path}: element {i}: {why}")),
                }
            }
        }
    }
}

fn scalar(value: &Value, want: Scalar, path: &str, problems: &mut Vec<String>) {
    let fits = match want {
        Scalar::Any => true,
        Scalar::String => value.is_string(),
        Scalar::Numeric => value.is_number(),
        Scalar::Boolean => value.is_boolean(),
    };
    if fits {
        return;
    }
    let problem = match want {
        Scalar::Numeric => format!("expected numeric (int or float), got {}", name(value)),
        Scalar::Boolean => format!("expected boolean, got {}", shown(value)),
        _ => format!("expected string, got {}", shown(value)),
    };
    problems.push(format!("{path}: {problem}"));
}

/// A value as Go prints the library's own wrapper of it.
fn shown(value: &Value) -> String {
    let inner = match value {
        Value::String(text) => format!("\"{text}\""),
        other => other.to_string(),
    };
    format!("&value.valueUnstructured{{Value:{inner}}}")
}

fn name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "map",
    }
}
