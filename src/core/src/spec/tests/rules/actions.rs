//! Actions of stages and rollbacks, and their verbs.

use serde_json::{Value, json};

use super::{check, pre, row, wait};
use crate::spec::tests::{spec_with, stage_with};

#[test]
fn actions_of_a_stage() {
    let two =
        json!({"name": "a", "wait": wait(), "delete": {"target": {"kind": "K", "name": "n"}}});
    let on_failure = |action: Value| stage_with(json!({"actions": {"onFailure": [action]}}));
    let lists = json!({
        "pre": [{"name": "a", "wait": wait()}],
        "post": [{"name": "a", "wait": wait()}],
    });
    let at = "spec.stages[0].actions.pre[0]";
    check(vec![
        row(
            "V3",
            pre(two),
            at,
            [
                "\"app\"",
                "\"a\"",
                "pre",
                "patch, http, wait, job, delete, apply",
                "2 verbs",
                "wait, delete",
            ],
        ),
        row("V3", pre(json!({"name": "a"})), at, ["0 verbs"]),
        row(
            "V3",
            on_failure(json!({"name": "a"})),
            "spec.stages[0].actions.onFailure[0]",
            ["onFailure"],
        ),
        row(
            "V4",
            pre(json!({"name": "", "wait": wait()})),
            "spec.stages[0].actions.pre[0].name",
            ["\"app\"", "pre"],
        ),
        row(
            "V4",
            pre(json!({"wait": wait()})),
            "spec.stages[0].actions.pre[0].name",
            ["\"app\"", "pre"],
        ),
        row(
            "V5",
            stage_with(json!({"actions": lists})),
            "spec.stages[0].actions.post[0].name",
            ["\"app\"", "\"a\"", "pre", "post"],
        ),
        row(
            "V6",
            pre(json!({"name": "a", "wait": wait(), "scope": "Once"})),
            "spec.stages[0].actions.pre[0].scope",
            [
                "\"app\"",
                "\"a\"",
                "pre",
                "\"Once\"",
                "Revision, Version, Lifetime",
            ],
        ),
        row(
            "V7",
            on_failure(json!({"name": "a", "wait": wait(), "scope": "Revision"})),
            "spec.stages[0].actions.onFailure[0].scope",
            ["\"app\"", "\"a\""],
        ),
        row(
            "V8",
            pre(json!({"name": "a", "wait": wait(), "scope": "Version"})),
            "spec.stages[0].actions.pre[0].scope",
            ["\"app\"", "\"a\"", "spec.version"],
        ),
        row(
            "V9",
            pre(
                json!({"name": "a", "wait": wait(), "completionAnchor": {"apiVersion": "v1", "kind": "K", "name": "n"}}),
            ),
            "spec.stages[0].actions.pre[0].completionAnchor",
            ["\"app\"", "\"a\"", "pre", "Lifetime"],
        ),
        row(
            "V10",
            pre(
                json!({"name": "a", "wait": wait(), "scope": "Lifetime", "completionAnchor": {"apiVersion": "", "kind": "K", "name": "n"}}),
            ),
            "spec.stages[0].actions.pre[0].completionAnchor.apiVersion",
            ["\"app\"", "\"a\"", "pre"],
        ),
        row(
            "V10",
            pre(
                json!({"name": "a", "wait": wait(), "scope": "Lifetime", "completionAnchor": {"apiVersion": "v1", "kind": "K"}}),
            ),
            "spec.stages[0].actions.pre[0].completionAnchor.name",
            ["\"a\""],
        ),
        row(
            "schema",
            pre(json!({"name": "a", "wait": wait(), "retries": 101})),
            "spec.stages[0].actions.pre[0].retries",
            ["101", "100"],
        ),
    ]);
}

#[test]
fn actions_of_a_rollback() {
    let on_rollback = |action: Value| spec_with(json!({"onRollback": [action]}));
    let named = json!({"name": "a", "wait": wait()});
    check(vec![
        row(
            "V11",
            on_rollback(json!({"name": "a"})),
            "spec.onRollback[0]",
            ["onRollback", "\"a\""],
        ),
        row(
            "V11",
            on_rollback(json!({"wait": wait()})),
            "spec.onRollback[0].name",
            ["onRollback"],
        ),
        row(
            "V11",
            spec_with(json!({"onRollback": [named, named]})),
            "spec.onRollback[1].name",
            ["onRollback", "\"a\""],
        ),
        row(
            "V11",
            on_rollback(json!({"name": "a", "wait": wait(), "scope": "Version"})),
            "spec.onRollback[0].scope",
            ["onRollback", "\"a\""],
        ),
        row(
            "V11",
            on_rollback(
                json!({"name": "a", "wait": wait(), "completionAnchor": {"apiVersion": "v1", "kind": "K", "name": "n"}}),
            ),
            "spec.onRollback[0].completionAnchor",
            ["onRollback", "\"a\""],
        ),
    ]);
}

#[test]
fn verbs() {
    let patch =
        |target: Value| pre(json!({"name": "a", "patch": {"patch": "{}", "target": target}}));
    let waiting = |wait: Value| pre(json!({"name": "a", "wait": wait}));
    let target = "spec.stages[0].actions.pre[0].patch.target";
    let at = "spec.stages[0].actions.pre[0].wait";
    check(vec![
        row(
            "G3",
            patch(json!({"kind": "K"})),
            target,
            ["\"a\"", "name", "selector"],
        ),
        row(
            "G3",
            patch(json!({"kind": "K", "name": "n", "selector": {"matchLabels": {"a": "b"}}})),
            target,
            ["exactly one"],
        ),
        row(
            "G3",
            patch(json!({"kind": "K", "selector": {}})),
            "spec.stages[0].actions.pre[0].patch.target.selector",
            ["empty"],
        ),
        row("G4", waiting(json!({})), at, ["\"a\"", "duration", "expr"]),
        row(
            "G4",
            waiting(json!({"duration": "1s", "expr": "true"})),
            at,
            ["excludes"],
        ),
        row(
            "G4",
            waiting(json!({"expr": "true"})),
            at,
            ["need each other"],
        ),
        row(
            "G4",
            waiting(json!({"target": {"kind": "K", "name": "n"}})),
            at,
            ["need each other"],
        ),
        row(
            "G8",
            waiting(json!({"duration": "0s"})),
            "spec.stages[0].actions.pre[0].wait.duration",
            ["\"0s\"", "positive"],
        ),
        row(
            "schema",
            pre(json!({"name": "a", "http": {"url": "u", "expectedStatus": [200, 99]}})),
            "spec.stages[0].actions.pre[0].http.expectedStatus[1]",
            ["99"],
        ),
        row(
            "schema",
            pre(json!({"name": "a", "http": {"url": "u", "method": "BREW"}})),
            "spec.stages[0].actions.pre[0].http.method",
            ["\"BREW\"", "GET, POST"],
        ),
        row(
            "schema",
            pre(
                json!({"name": "a", "patch": {"patch": "", "type": "x", "target": {"kind": "K", "name": "n"}}}),
            ),
            "spec.stages[0].actions.pre[0].patch.type",
            ["\"x\""],
        ),
        row(
            "schema",
            pre(
                json!({"name": "a", "delete": {"cascade": "x", "target": {"kind": "K", "name": "n"}}}),
            ),
            "spec.stages[0].actions.pre[0].delete.cascade",
            ["\"x\""],
        ),
    ]);
}
