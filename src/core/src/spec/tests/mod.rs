//! Tests of the parser: one row for each rule, the order of the report, the fields it knows, and
//! whatever anybody may write.

mod accounts;
mod bad_input;
mod conflicts;
mod fields;
mod order;
mod property;
mod rules;
mod valid;

use serde_json::{Value, json};

use super::{Problem, Spec, parse};

/// A spec with one stage and nothing else.
fn minimal() -> Value {
    json!({ "stages": [{ "name": "app", "sourceRef": { "name": "shop" } }] })
}

/// The minimal spec with further fields in the spec.
fn spec_with(fields: Value) -> Value {
    merged(minimal(), fields)
}

/// The minimal spec with further fields in its stage.
fn stage_with(fields: Value) -> Value {
    let mut spec = minimal();
    let stage = spec["stages"][0].take();
    spec["stages"][0] = merged(stage, fields);
    spec
}

fn merged(mut base: Value, fields: Value) -> Value {
    let (Some(into), Value::Object(fields)) = (base.as_object_mut(), fields) else {
        panic!("two objects are merged");
    };
    into.extend(fields);
    base
}

fn read(spec: &Value) -> Result<Spec, Vec<Problem>> {
    parse("shop", "web", spec)
}

fn problems(spec: &Value) -> Vec<Problem> {
    read(spec).expect_err("the spec is wrong")
}

fn lines(spec: &Value) -> Vec<String> {
    problems(spec)
        .iter()
        .map(|p| format!("{} {p}", p.rule))
        .collect()
}
