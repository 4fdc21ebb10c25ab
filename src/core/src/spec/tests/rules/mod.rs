//! One row for each way of breaking a rule: the field that is named, and what the message must
//! hold (`api.md` §9, "Error names").

#![expect(
    clippy::needless_pass_by_value,
    reason = "rows hand over literals, which read best without references"
)]

mod action_values;
mod actions;
mod gates;
mod promotions;
mod stages;
mod versions;
mod windows;

use serde_json::{Value, json};

use super::{problems, stage_with};

struct Row {
    rule: &'static str,
    spec: Value,
    field: &'static str,
    /// What the whole line must hold.
    names: Vec<&'static str>,
}

fn row<const N: usize>(
    rule: &'static str,
    spec: Value,
    field: &'static str,
    names: [&'static str; N],
) -> Row {
    Row {
        rule,
        spec,
        field,
        names: names.to_vec(),
    }
}

fn check(rows: Vec<Row>) {
    for Row {
        rule,
        spec,
        field,
        names,
    } in rows
    {
        let found = problems(&spec);
        let Some(problem) = found.iter().find(|p| p.rule == rule && p.field == field) else {
            panic!("no {rule} at {field} for {spec}: {found:#?}");
        };
        let line = problem.to_string();
        for name in names {
            assert!(
                line.contains(name),
                "{rule}: {line:?} doesn't hold {name:?}"
            );
        }
    }
}

fn pre(action: Value) -> Value {
    stage_with(json!({"actions": {"pre": [action]}}))
}

fn wait() -> Value {
    json!({"duration": "1s"})
}
