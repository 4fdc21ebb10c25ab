//! Versions and migrations.

use serde_json::{Value, json};

use super::{check, row, wait};
use crate::spec::tests::{problems, spec_with};

fn ladder(migrations: Value) -> Value {
    spec_with(json!({"version": {"value": "2.0.0"}, "migrations": migrations}))
}

fn migration(fields: Value) -> Value {
    let mut migration = json!({"name": "m", "to": "2.0.0"});
    migration
        .as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    ladder(json!([migration]))
}

#[test]
fn versions_and_migrations() {
    let many = |n: usize| -> Vec<Value> {
        (0..n)
            .map(|i| json!({"name": format!("m{i}"), "to": "2.0.0"}))
            .collect()
    };
    let actions = |n: usize| -> Vec<Value> {
        (0..n)
            .map(|i| json!({"name": format!("a{i}"), "wait": wait()}))
            .collect()
    };
    let anchored = json!({
        "version": {"value": "2.0.0"},
        "migrations": [{"name": "m", "to": "2.0.0"}],
        "stages": [
            {"name": "app", "sourceRef": {"name": "s"}},
            {"name": "db", "migrationAnchor": "app", "sourceRef": {"name": "s"}},
        ]
    });
    let own = json!({"name": "a", "wait": wait(), "scope": "Version"});
    let named = json!({"name": "a", "wait": wait()});
    check(vec![
        row(
            "V12",
            spec_with(
                json!({"version": {"value": "1.0.0"}, "migrations": [{"name": "m", "to": "1.0.0"}], "migrationsSourceRef": {"sourceRef": {"name": "s"}}}),
            ),
            "spec.migrations",
            ["spec.migrations ", "spec.migrationsSourceRef"],
        ),
        row(
            "V13",
            spec_with(json!({"migrations": [{"name": "m", "to": "1.0.0"}]})),
            "spec.migrations",
            ["spec.version"],
        ),
        row(
            "V13",
            spec_with(json!({"migrationsSourceRef": {"sourceRef": {"name": "s"}}})),
            "spec.migrationsSourceRef",
            ["spec.version"],
        ),
        row(
            "V14",
            spec_with(
                json!({"version": {"value": "1.0.0"}, "migrationsSourceRef": {"sourceRef": {"name": "s", "namespace": "other"}}}),
            ),
            "spec.migrationsSourceRef.sourceRef.namespace",
            ["spec.migrationsSourceRef", "\"other\""],
        ),
        row(
            "V15",
            anchored,
            "spec.stages[1].migrationAnchor",
            ["\"db\"", "\"app\""],
        ),
        row(
            "V16",
            ladder(json!(many(201))),
            "spec.migrations",
            ["201", "200"],
        ),
        row(
            "V17",
            migration(json!({"name": ""})),
            "spec.migrations[0].name",
            ["name"],
        ),
        row(
            "V17",
            ladder(json!([{"name": "m"}])),
            "spec.migrations[0].to",
            ["\"m\""],
        ),
        row(
            "V17",
            migration(json!({"to": "latest"})),
            "spec.migrations[0].to",
            ["\"m\"", "\"latest\""],
        ),
        row(
            "V17",
            migration(json!({"from": ">>1"})),
            "spec.migrations[0].from",
            ["\"m\"", "\">>1\""],
        ),
        row(
            "V18",
            migration(json!({"from": "1.2.3"})),
            "spec.migrations[0].from",
            ["\"m\"", "\"1.2.3\"", ">=1.2.3", "\"=1.2.3"],
        ),
        row(
            "V18",
            migration(json!({"from": "v1.2.3"})),
            "spec.migrations[0].from",
            ["\"v1.2.3\"", ">=v1.2.3"],
        ),
        row(
            "V19",
            migration(json!({"actions": actions(101)})),
            "spec.migrations[0].actions",
            ["\"m\"", "actions", "101", "100"],
        ),
        row(
            "V19",
            migration(json!({"down": actions(101)})),
            "spec.migrations[0].down",
            ["\"m\"", "down", "101", "100"],
        ),
        row(
            "V20",
            migration(json!({"actions": [{"name": "a"}]})),
            "spec.migrations[0].actions[0]",
            ["\"m\"", "actions", "\"a\""],
        ),
        row(
            "V20",
            migration(json!({"down": [{"wait": wait()}]})),
            "spec.migrations[0].down[0].name",
            ["\"m\"", "down"],
        ),
        row(
            "V20",
            migration(json!({"down": [named, named]})),
            "spec.migrations[0].down[1].name",
            ["\"m\"", "down", "\"a\""],
        ),
        row(
            "V20",
            migration(json!({"actions": [own]})),
            "spec.migrations[0].actions[0].scope",
            ["\"m\"", "\"a\""],
        ),
        row(
            "V20",
            migration(
                json!({"actions": [{"name": "a", "wait": wait(), "completionAnchor": {"apiVersion": "v1", "kind": "K", "name": "n"}}]}),
            ),
            "spec.migrations[0].actions[0].completionAnchor",
            ["\"m\"", "\"a\""],
        ),
        row(
            "V20",
            migration(json!({"actions": [{"name": "a", "wait": wait(), "retries": 11}]})),
            "spec.migrations[0].actions[0].retries",
            ["\"m\"", "\"a\"", "11", "10"],
        ),
        row(
            "V20",
            migration(json!({"actions": [{"name": "a", "wait": wait(), "retries": -1}]})),
            "spec.migrations[0].actions[0].retries",
            ["-1"],
        ),
        row(
            "V21",
            ladder(json!([{"name": "m", "to": "1.0.0"}, {"name": "m", "to": "2.0.0"}])),
            "spec.migrations[1].name",
            ["\"m\""],
        ),
        row(
            "V22",
            migration(json!({"stage": "gone"})),
            "spec.migrations[0].stage",
            ["\"m\"", "\"gone\""],
        ),
        row(
            "V23",
            spec_with(json!({"version": {}})),
            "spec.version",
            ["0 of"],
        ),
        row(
            "V23",
            spec_with(
                json!({"version": {"value": "1.0.0", "fromArtifact": {"stage": "app", "path": "v"}}}),
            ),
            "spec.version",
            ["2 of"],
        ),
        row(
            "G5",
            spec_with(json!({"version": {"value": "latest"}})),
            "spec.version.value",
            ["\"latest\""],
        ),
        row(
            "schema",
            spec_with(json!({"version": {"value": "1.0.0", "approvalMode": "x"}})),
            "spec.version.approvalMode",
            ["\"x\"", "OnMigrations"],
        ),
    ]);
}

#[test]
fn a_direction_has_names_of_its_own() {
    let named = json!({"name": "a", "wait": wait()});
    let both = migration(json!({"actions": [named], "down": [named]}));
    assert!(
        problems(&both).iter().all(|p| p.rule == "unsupported"),
        "{:?}",
        problems(&both)
    );
}
