//! CEL rules of custom resources (`x-kubernetes-validations`), evaluated by the `cel` crate.
//!
//! A rule that the crate can't read, or that calls a function it lacks (Kubernetes' own libraries:
//! `isURL`, `quantity`, …), answers a write that it would judge with 501 and its text. So does
//! `messageExpression`. Rules on the old state run on updates only.

use std::sync::{Arc, OnceLock};

use cel::{Context, Env, ExecutionError, Program, objects::Value as Cel};
use serde_json::Value;

use super::{
    schema::{CelRule, Schema},
    values::{Misfits, convert},
};
use crate::status::{ApiError, Cause};

fn env() -> &'static Arc<Env> {
    static ENV: OnceLock<Arc<Env>> = OnceLock::new();
    ENV.get_or_init(|| Arc::new(Env::stdlib()))
}

/// Judges all rules of a schema on a value and what lies below it. Fails only where a rule can't
/// be evaluated here; broken rules become causes.
pub(crate) fn check(
    schema: &Schema,
    old: Option<&Value>,
    new: &Value,
    path: &str,
    causes: &mut Vec<Cause>,
) -> Result<(), ApiError> {
    if !schema.ruled || new.is_null() {
        return Ok(());
    }
    for rule in &schema.rules {
        judge(rule, schema, old, new, path, causes)?;
    }
    match new {
        Value::Object(map) => {
            for (key, child) in map {
                let below = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                let old = old.and_then(|o| o.get(key));
                if let Some(schema) = schema.properties.get(key) {
                    check(schema, old, child, &below, causes)?;
                } else if let Some(schema) = &schema.additional {
                    let below = format!("{path}[{key}]");
                    check(schema, old, child, &below, causes)?;
                }
            }
        }
        Value::Array(list) => {
            let Some(items) = &schema.items else {
                return Ok(());
            };
            for (i, child) in list.iter().enumerate() {
                let before = old_item(schema, old, child);
                check(items, before, child, &format!("{path}[{i}]"), causes)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Items of lists with keys have an old state, others have none.
fn old_item<'a>(schema: &Schema, old: Option<&'a Value>, item: &Value) -> Option<&'a Value> {
    if schema.list_type != "map" {
        return None;
    }
    let same = |other: &Value| {
        schema
            .list_keys
            .iter()
            .all(|key| other.get(key) == item.get(key))
    };
    old?.as_array()?.iter().find(|other| same(other))
}

fn judge(
    rule: &CelRule,
    schema: &Schema,
    old: Option<&Value>,
    new: &Value,
    path: &str,
    causes: &mut Vec<Cause>,
) -> Result<(), ApiError> {
    let about_change = rule.rule.contains("oldSelf");
    if about_change && old.is_none() && !rule.optional_old_self {
        return Ok(());
    }
    let unable = |why: String| {
        ApiError::not_modelled(format!("the CEL rule {:?} at {path:?}: {why}", rule.rule))
    };
    if about_change && rule.optional_old_self {
        return Err(unable("optionalOldSelf".into()));
    }
    let program = Program::compile(&rule.rule).map_err(|e| unable(e.to_string()))?;
    let mut context = Context::with_env(Arc::clone(env()));
    let mut misfits = Misfits::new();
    let mut add = |name: &str, value: &Value| {
        context.add_variable_from_value(name, convert(value, schema, &mut misfits));
    };
    add("self", new);
    if let Some(old) = old {
        add("oldSelf", old);
    }
    if !misfits.is_empty() && rule.rule.contains("has(") {
        return Err(unable("values of another type are asked for".into()));
    }
    let broken = match program.execute(&context) {
        Ok(Cel::Bool(true)) => return Ok(()),
        Ok(Cel::Bool(false)) => message(rule).ok_or_else(|| unable("messageExpression".into()))?,
        Ok(other) => return Err(unable(format!("it gives {other:?}, not a boolean"))),
        Err(ExecutionError::NoSuchKey(key)) => {
            let missing = || format!("no such key: {key}");
            let why = misfits.get(key.as_str()).cloned().unwrap_or_else(missing);
            let why = format!("{why} evaluating rule: {}", name(rule));
            // The rule as such has failed: neither its field nor its reason count.
            let at = if path.is_empty() { "<nil>" } else { path };
            causes.push(Cause::invalid(at, &schema.types.as_str().into(), &why));
            return Ok(());
        }
        // A function that isn't there, or values that it doesn't take.
        Err(e) => return Err(unable(e.to_string())),
    };
    let at = match rule.field_path.strip_prefix('.') {
        Some(below) if path.is_empty() => below.to_owned(),
        _ => format!("{path}{}", rule.field_path),
    };
    let at = if at.is_empty() {
        "<nil>".to_owned()
    } else {
        at
    };
    let cause = match rule.reason.as_str() {
        "FieldValueForbidden" => Cause::forbidden(at, &broken),
        "FieldValueRequired" => Cause::required(at, &broken),
        "FieldValueDuplicate" => Cause::duplicate(at, new),
        _ => {
            // Objects and lists aren't shown.
            let shown = match new {
                Value::Object(_) | Value::Array(_) => String::new(),
                other => format!("{other}: "),
            };
            Cause::new(
                "FieldValueInvalid",
                at,
                format!("Invalid value: {shown}{broken}"),
            )
        }
    };
    causes.push(cause);
    Ok(())
}

/// The message of a broken rule; none if it would have to be computed.
fn message(rule: &CelRule) -> Option<String> {
    if rule.message_expression {
        None
    } else if rule.message.is_empty() {
        Some(format!("failed rule: {}", name(rule)))
    } else {
        Some(name(rule).to_owned())
    }
}

/// What a rule is called by: what it says, or itself.
fn name(rule: &CelRule) -> &str {
    if rule.message.is_empty() {
        rule.rule.trim()
    } else {
        rule.message.trim()
    }
}
