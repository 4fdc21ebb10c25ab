//! Stages, sources, accounts, and what the schema says of other fields.

use serde_json::{Value, json};

use super::{check, pre, row};
use crate::spec::tests::{spec_with, stage_with};

fn stages(second: Value) -> Value {
    let first = json!({"name": "app", "sourceRef": {"name": "s"}});
    json!({ "stages": [first, second] })
}

#[test]
fn stages_and_sources() {
    let producer = json!({"kind": "HelmChart", "name": "s"});
    check(vec![
        row(
            "V1",
            stages(json!({"name": "app", "sourceRef": {"name": "s"}})),
            "spec.stages[1].name",
            ["\"app\""],
        ),
        row(
            "V2",
            stage_with(json!({"sourceRef": producer})),
            "spec.stages[0].sourceRef.apiVersion",
            ["\"app\"", "\"HelmChart\"", "apiVersion"],
        ),
        row(
            "G7",
            pre(json!({"name": "a", "job": {"sourceRef": producer}})),
            "spec.stages[0].actions.pre[0].job.sourceRef.apiVersion",
            ["\"a\"", "\"HelmChart\"", "apiVersion"],
        ),
        row(
            "G7",
            pre(json!({"name": "a", "apply": {"sourceRef": producer}})),
            "spec.stages[0].actions.pre[0].apply.sourceRef.apiVersion",
            ["\"a\""],
        ),
        row(
            "G7",
            spec_with(json!({"migrationsSourceRef": {"sourceRef": producer}})),
            "spec.migrationsSourceRef.sourceRef.apiVersion",
            ["\"HelmChart\""],
        ),
        row(
            "G1",
            spec_with(json!({"serviceAccountName": "other:x"})),
            "spec.serviceAccountName",
            ["\"other:x\"", "own"],
        ),
        row(
            "G1",
            spec_with(json!({"serviceAccountName": ""})),
            "spec.serviceAccountName",
            ["\"\""],
        ),
        row(
            "G1",
            stage_with(json!({"serviceAccountName": "a/b"})),
            "spec.stages[0].serviceAccountName",
            ["\"a/b\""],
        ),
        row(
            "G2",
            stage_with(json!({"name": "App"})),
            "spec.stages[0].name",
            ["\"App\""],
        ),
        row(
            "G2",
            stage_with(json!({"name": "a".repeat(64)})),
            "spec.stages[0].name",
            ["63"],
        ),
        row(
            "schema",
            stage_with(json!({"path": "/etc"})),
            "spec.stages[0].path",
            ["\"/etc\"", "relative"],
        ),
        row(
            "schema",
            stage_with(json!({"path": "a/../.."})),
            "spec.stages[0].path",
            ["\"..\""],
        ),
        row(
            "schema",
            stage_with(json!({"sourceRef": {}})),
            "spec.stages[0].sourceRef.name",
            ["is required"],
        ),
        row(
            "schema",
            stage_with(json!({"sourceRef": {"name": "a/b"}})),
            "spec.stages[0].sourceRef.name",
            ["\"a/b\""],
        ),
        row(
            "schema",
            stage_with(json!({"sourceRef": {"name": "a", "namespace": "a/b"}})),
            "spec.stages[0].sourceRef.namespace",
            ["\"a/b\""],
        ),
        row(
            "schema",
            stage_with(json!({"sourceRef": {"name": "a", "kind": "a/b"}})),
            "spec.stages[0].sourceRef.kind",
            ["\"a/b\""],
        ),
        row(
            "schema",
            stage_with(json!({"sourceRef": {"name": "a", "kind": "K", "apiVersion": "a/b/c"}})),
            "spec.stages[0].sourceRef.apiVersion",
            ["\"a/b/c\""],
        ),
        row(
            "G10",
            json!({"stages": []}),
            "spec.stages",
            ["at least one"],
        ),
    ]);
}

#[test]
fn what_the_schema_says_of_other_fields() {
    check(vec![
        row(
            "schema",
            spec_with(json!({"colour": 1})),
            "spec.colour",
            ["unknown field"],
        ),
        row(
            "schema",
            stage_with(json!({"colour": 1})),
            "spec.stages[0].colour",
            ["unknown field"],
        ),
        row(
            "schema",
            stage_with(json!({"conflictPolicy": {"default": "x"}})),
            "spec.stages[0].conflictPolicy.default",
            ["\"x\"", "Fail, Recreate, KeepExisting"],
        ),
        row(
            "schema",
            stage_with(json!({"conflictPolicy": {"rules": [{"target": {}, "action": "x"}]}})),
            "spec.stages[0].conflictPolicy.rules[0].action",
            ["\"x\""],
        ),
        row(
            "schema",
            stage_with(json!({"conflictPolicy": {"rules": [{"action": "Fail"}]}})),
            "spec.stages[0].conflictPolicy.rules[0].target",
            ["required"],
        ),
        row(
            "schema",
            stage_with(json!({"postBuild": {"substituteFrom": [{"kind": "x", "name": "a"}]}})),
            "spec.stages[0].postBuild.substituteFrom[0].kind",
            ["\"x\"", "ConfigMap, Secret"],
        ),
        row(
            "schema",
            stage_with(json!({"patches": [{}]})),
            "spec.stages[0].patches[0].patch",
            ["required"],
        ),
    ]);
}

#[test]
fn durations() {
    let bad = |fields: Value| spec_with(fields);
    check(vec![
        row(
            "G8",
            bad(json!({"interval": "5"})),
            "spec.interval",
            ["\"5\"", "unit"],
        ),
        row(
            "G8",
            bad(json!({"retryInterval": ""})),
            "spec.retryInterval",
            ["empty"],
        ),
        row(
            "G8",
            bad(json!({"driftDetectionInterval": "1d"})),
            "spec.driftDetectionInterval",
            ["\"d\""],
        ),
        row(
            "G8",
            bad(json!({"timeout": "3000000h"})),
            "spec.timeout",
            ["292 years"],
        ),
        row(
            "G8",
            stage_with(json!({"timeout": "x"})),
            "spec.stages[0].timeout",
            ["\"x\""],
        ),
        row(
            "G8",
            stage_with(json!({"readyChecks": {"timeout": "x"}})),
            "spec.stages[0].readyChecks.timeout",
            ["\"x\""],
        ),
    ]);
}
