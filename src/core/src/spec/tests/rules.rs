//! One row for each way of breaking a rule: the field that is named, and what the message must
//! hold (`api.md` §9, "Error names").

#![expect(
    clippy::needless_pass_by_value,
    reason = "rows hand over literals, which read best without references"
)]

use serde_json::{Value, json};

use super::{problems, spec_with, stage_with};

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

fn stages(second: Value) -> Value {
    let first = json!({"name": "app", "sourceRef": {"name": "s"}});
    json!({ "stages": [first, second] })
}

fn pre(action: Value) -> Value {
    stage_with(json!({"actions": {"pre": [action]}}))
}

fn wait() -> Value {
    json!({"duration": "1s"})
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

#[test]
fn decryption_and_kube_config() {
    let config = |value: Value| spec_with(json!({ "kubeConfig": value }));
    check(vec![
        row(
            "V24",
            spec_with(json!({"decryption": {"provider": "vault"}})),
            "spec.decryption.provider",
            ["\"vault\"", "sops"],
        ),
        row(
            "V24",
            spec_with(json!({"decryption": {"provider": "sops", "secretRef": {"name": ""}}})),
            "spec.decryption.secretRef.name",
            ["\"\""],
        ),
        row("V25", config(json!({})), "spec.kubeConfig", ["secretRef"]),
        row(
            "V25",
            config(json!({"secretRef": {"name": "a"}, "configMapRef": {"name": "b"}})),
            "spec.kubeConfig",
            ["secretRef", "configMapRef"],
        ),
        row(
            "V25",
            config(json!({"secretRef": {"name": ""}})),
            "spec.kubeConfig.secretRef.name",
            ["empty"],
        ),
        row(
            "V25",
            config(json!({"configMapRef": {}})),
            "spec.kubeConfig.configMapRef.name",
            ["empty"],
        ),
        row(
            "V31",
            config(json!({"configMapRef": {"name": "a"}})),
            "spec.kubeConfig.configMapRef",
            ["cloud-provider", "unsupported", "secretRef"],
        ),
        row(
            "V31",
            config(json!({"configMapRef": {}})),
            "spec.kubeConfig.configMapRef",
            ["unsupported"],
        ),
        row(
            "V31",
            config(json!({"secretRef": {"name": "a"}, "configMapRef": {"name": "b"}})),
            "spec.kubeConfig.configMapRef",
            ["unsupported"],
        ),
    ]);
}

#[test]
fn budgets() {
    let prometheus = json!({"prometheus": {"address": "http://p", "query": "q"}});
    let webhook = json!({"webhook": {"url": "http://w", "jsonPath": "$.a"}});
    let with_source = |source: Value| {
        spec_with(json!({"errorBudget": {"source": source, "freezeThreshold": "1"}}))
    };
    let with = |fields: Value| {
        let mut budget = json!({"source": prometheus, "freezeThreshold": "0.5"});
        budget
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        stage_with(json!({ "errorBudget": budget }))
    };
    let mut both = prometheus.clone();
    both["webhook"] = webhook["webhook"].clone();
    check(vec![
        row(
            "V26",
            with_source(json!({})),
            "spec.errorBudget.source",
            ["spec.errorBudget.source"],
        ),
        row(
            "V26",
            with_source(both),
            "spec.errorBudget.source",
            ["exclude"],
        ),
        row(
            "V26",
            with_source(json!({"prometheus": {"address": "", "query": "q"}})),
            "spec.errorBudget.source.prometheus.address",
            [],
        ),
        row(
            "V26",
            with_source(json!({"prometheus": {"address": "a"}})),
            "spec.errorBudget.source.prometheus.query",
            [],
        ),
        row(
            "V26",
            with_source(json!({"webhook": {"url": "", "jsonPath": "p"}})),
            "spec.errorBudget.source.webhook.url",
            [],
        ),
        row(
            "V26",
            with_source(json!({"webhook": {"url": "u", "jsonPath": ""}})),
            "spec.errorBudget.source.webhook.jsonPath",
            [],
        ),
        row(
            "V26",
            with_source(
                json!({"webhook": {"url": "u", "jsonPath": "p", "secretRef": {"name": ""}}}),
            ),
            "spec.errorBudget.source.webhook.secretRef.name",
            [],
        ),
        row(
            "V26",
            stage_with(json!({"errorBudget": {"source": {}, "freezeThreshold": "1"}})),
            "spec.stages[0].errorBudget.source",
            [],
        ),
        row(
            "V27",
            with(json!({"freezeThreshold": "half"})),
            "spec.stages[0].errorBudget.freezeThreshold",
            ["\"half\""],
        ),
        row(
            "V27",
            with(json!({"resumeThreshold": "half"})),
            "spec.stages[0].errorBudget.resumeThreshold",
            ["\"half\""],
        ),
        row(
            "V27",
            with(json!({"resumeThreshold": "0.4"})),
            "spec.stages[0].errorBudget.resumeThreshold",
            ["\"0.4\"", "\"0.5\""],
        ),
        row(
            "V27",
            with(json!({"onSourceError": "Panic"})),
            "spec.stages[0].errorBudget.onSourceError",
            ["\"Panic\"", "Allow, Hold"],
        ),
        row(
            "G6",
            with(json!({"freezeThreshold": "NaN"})),
            "spec.stages[0].errorBudget.freezeThreshold",
            ["\"NaN\""],
        ),
        row(
            "G6",
            with(json!({"freezeThreshold": "-inf"})),
            "spec.stages[0].errorBudget.freezeThreshold",
            ["\"-inf\""],
        ),
        row(
            "G6",
            with(json!({"resumeThreshold": "1e999"})),
            "spec.stages[0].errorBudget.resumeThreshold",
            ["\"1e999\""],
        ),
        row(
            "G8",
            with(json!({"interval": "soon"})),
            "spec.stages[0].errorBudget.interval",
            ["\"soon\""],
        ),
    ]);
}

#[test]
fn promotions() {
    let source = json!({"prometheus": {"address": "http://p", "query": "q"}});
    let promotion = |value: Value| stage_with(json!({ "promotion": value }));
    let fast = |soak: &str, track: Value| promotion(json!({"soak": soak, "fastTrack": track}));
    let restarts = |check: Value| promotion(json!({"restartGate": {"checks": [check]}}));
    let events = |check: Value| promotion(json!({"eventGate": {"checks": [check]}}));
    let analysis = |check: Value| promotion(json!({"analysis": {"checks": [check]}}));
    let pods = json!({"matchLabels": {"app": "web"}});
    let restart = json!({"name": "c", "selector": pods});
    let measured = json!({"name": "c", "source": source, "threshold": {"max": "1"}});
    let selecting = |selector: Value| restarts(json!({"name": "c", "selector": selector}));
    let expression = |key: &str, operator: &str, values: Value| {
        selecting(
            json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]}),
        )
    };
    let at = "spec.stages[0].promotion";
    let selector = "spec.stages[0].promotion.restartGate.checks[0].selector";
    assert!(selector.starts_with(at));
    check(vec![
        row(
            "V28",
            promotion(json!({"fastTrack": {"source": source, "max": "1"}})),
            "spec.stages[0].promotion.fastTrack",
            ["\"app\"", "soak"],
        ),
        row(
            "V28",
            fast("0s", json!({"source": source, "max": "1"})),
            "spec.stages[0].promotion.fastTrack",
            ["soak"],
        ),
        row(
            "V28",
            fast("1h", json!({"source": {}, "max": "1"})),
            "spec.stages[0].promotion.fastTrack.source",
            ["\"app\""],
        ),
        row(
            "V28",
            fast("1h", json!({"source": source, "max": "few"})),
            "spec.stages[0].promotion.fastTrack.max",
            ["\"app\"", "\"few\""],
        ),
        row(
            "G6",
            fast("1h", json!({"source": source, "max": "inf"})),
            "spec.stages[0].promotion.fastTrack.max",
            ["\"inf\""],
        ),
        row(
            "V28",
            promotion(json!({"restartGate": {"checks": []}})),
            "spec.stages[0].promotion.restartGate.checks",
            ["\"app\"", "restartGate"],
        ),
        row(
            "V28",
            restarts(json!({"name": "", "selector": pods})),
            "spec.stages[0].promotion.restartGate.checks[0].name",
            ["\"app\""],
        ),
        row(
            "V28",
            promotion(json!({"restartGate": {"checks": [restart, restart]}})),
            "spec.stages[0].promotion.restartGate.checks[1].name",
            ["\"c\""],
        ),
        row(
            "V28",
            selecting(json!({})),
            selector,
            ["\"app\"", "\"c\"", "empty"],
        ),
        row(
            "V28",
            selecting(json!({"matchLabels": {"a b": "c"}})),
            selector,
            ["\"a b\""],
        ),
        row(
            "V28",
            selecting(json!({"matchLabels": {"a": "b c"}})),
            selector,
            ["\"b c\""],
        ),
        row(
            "V28",
            expression("a", "Near", json!([])),
            selector,
            ["\"Near\""],
        ),
        row(
            "V28",
            expression("a", "In", json!([])),
            selector,
            ["In", "values"],
        ),
        row(
            "V28",
            expression("a", "Exists", json!(["b"])),
            selector,
            ["Exists"],
        ),
        row(
            "V28",
            expression("-", "In", json!(["b"])),
            selector,
            ["\"-\""],
        ),
        row(
            "V28",
            expression("a", "In", json!(["b c"])),
            selector,
            ["\"b c\""],
        ),
        row(
            "V28",
            promotion(json!({"restartGate": {"onFailure": "Panic", "checks": [restart]}})),
            "spec.stages[0].promotion.restartGate.onFailure",
            ["\"Panic\"", "Hold, Rollback"],
        ),
        row(
            "V28",
            restarts(json!({"name": "c", "selector": pods, "onFailure": "Panic"})),
            "spec.stages[0].promotion.restartGate.checks[0].onFailure",
            ["\"Panic\""],
        ),
        row(
            "schema",
            restarts(json!({"name": "c", "selector": pods, "maxRestarts": -1})),
            "spec.stages[0].promotion.restartGate.checks[0].maxRestarts",
            ["-1"],
        ),
        row(
            "V28",
            promotion(json!({"eventGate": {"checks": []}})),
            "spec.stages[0].promotion.eventGate.checks",
            ["eventGate"],
        ),
        row(
            "V28",
            events(json!({"name": "c", "selector": pods, "reasons": []})),
            "spec.stages[0].promotion.eventGate.checks[0].reasons",
            ["\"app\"", "\"c\""],
        ),
        row(
            "V28",
            promotion(json!({"analysis": {"checks": []}})),
            "spec.stages[0].promotion.analysis.checks",
            ["analysis"],
        ),
        row(
            "V28",
            analysis(json!({"name": "", "source": source, "threshold": {"max": "1"}})),
            "spec.stages[0].promotion.analysis.checks[0].name",
            ["\"app\""],
        ),
        row(
            "V28",
            promotion(json!({"analysis": {"checks": [measured, measured]}})),
            "spec.stages[0].promotion.analysis.checks[1].name",
            ["\"c\""],
        ),
        row(
            "V28",
            analysis(json!({"name": "c", "source": {}, "threshold": {"max": "1"}})),
            "spec.stages[0].promotion.analysis.checks[0].source",
            ["\"app\"", "\"c\""],
        ),
        row(
            "V28",
            analysis(json!({"name": "c", "source": source, "threshold": {}})),
            "spec.stages[0].promotion.analysis.checks[0].threshold",
            ["\"c\"", "min or max"],
        ),
        row(
            "V28",
            analysis(json!({"name": "c", "source": source, "threshold": {"min": "low"}})),
            "spec.stages[0].promotion.analysis.checks[0].threshold.min",
            ["\"low\""],
        ),
        row(
            "V28",
            promotion(json!({"analysis": {"onFailure": "x", "checks": [measured]}})),
            "spec.stages[0].promotion.analysis.onFailure",
            ["\"x\""],
        ),
        row(
            "V28",
            promotion(json!({"analysis": {"onSourceError": "x", "checks": [measured]}})),
            "spec.stages[0].promotion.analysis.onSourceError",
            ["\"x\""],
        ),
        row(
            "schema",
            promotion(json!({"analysis": {"failureLimit": -1, "checks": [measured]}})),
            "spec.stages[0].promotion.analysis.failureLimit",
            ["-1"],
        ),
        row(
            "G8",
            promotion(json!({"soak": "-1h"})),
            "spec.stages[0].promotion.soak",
            ["\"-1h\""],
        ),
    ]);
}

#[test]
fn readiness_timeouts_dependencies_and_windows() {
    let checks = |value: Value| stage_with(json!({ "readyChecks": value }));
    let window = |value: Value| spec_with(json!({ "updateWindows": [value] }));
    let recurring = |schedule: &str, duration: &str, zone: &str| {
        window(
            json!({"type": "Allow", "schedule": schedule, "duration": duration, "timeZone": zone}),
        )
    };
    let absolute = |from: &str, to: &str| window(json!({"type": "Deny", "from": from, "to": to}));
    let (day, later) = ("2026-12-24T00:00:00Z", "2026-12-25T00:00:00+01:00");
    let at = "spec.updateWindows[0]";
    check(vec![
        row(
            "V29",
            checks(json!({"checks": [{"kind": "", "name": "n"}]})),
            "spec.stages[0].readyChecks.checks[0].kind",
            ["\"app\"", "0"],
        ),
        row(
            "V29",
            checks(json!({"checks": [{"kind": "K"}]})),
            "spec.stages[0].readyChecks.checks[0].name",
            ["\"app\""],
        ),
        row(
            "V29",
            checks(json!({"exprs": [{"apiVersion": "a/b/c", "kind": "K"}]})),
            "spec.stages[0].readyChecks.exprs[0].apiVersion",
            ["\"app\"", "expression 0", "\"a/b/c\""],
        ),
        row(
            "V30",
            spec_with(json!({"onTimeout": "Panic"})),
            "spec.onTimeout",
            ["\"Panic\"", "Hold, Rollback"],
        ),
        row(
            "V30",
            stage_with(json!({"onTimeout": "Panic"})),
            "spec.stages[0].onTimeout",
            ["\"Panic\""],
        ),
        row(
            "V30",
            spec_with(json!({"dependsOn": [{"name": ""}]})),
            "spec.dependsOn[0].name",
            ["[0]"],
        ),
        row(
            "V30",
            spec_with(json!({"dependsOn": [{"name": "a", "minVersion": "new"}]})),
            "spec.dependsOn[0].minVersion",
            ["\"new\""],
        ),
        row(
            "V30",
            window(json!({"type": "Maybe", "from": day, "to": later})),
            "spec.updateWindows[0].type",
            ["\"Maybe\"", "Allow, Deny"],
        ),
        row("V30", window(json!({"type": "Allow"})), at, ["needed"]),
        row(
            "V30",
            window(json!({"type": "Allow", "schedule": "* * * * *", "from": day})),
            at,
            ["exclude"],
        ),
        row(
            "V30",
            window(json!({"type": "Allow", "schedule": "* * * * *"})),
            at,
            ["duration"],
        ),
        row(
            "V30",
            window(json!({"type": "Allow", "to": day})),
            at,
            ["from"],
        ),
        row(
            "V30",
            recurring("* * * *", "1h", "UTC"),
            "spec.updateWindows[0].schedule",
            ["\"* * * *\"", "5"],
        ),
        row(
            "V30",
            recurring("* * * * *", "0s", "UTC"),
            "spec.updateWindows[0].duration",
            ["\"0s\""],
        ),
        row(
            "V30",
            recurring("* * * * *", "1h", "Local"),
            "spec.updateWindows[0].timeZone",
            ["\"Local\""],
        ),
        row(
            "V30",
            absolute("soon", later),
            "spec.updateWindows[0].from",
            ["\"soon\""],
        ),
        row(
            "V30",
            absolute(later, day),
            "spec.updateWindows[0].to",
            ["not after"],
        ),
        row(
            "V30",
            absolute(day, day),
            "spec.updateWindows[0].to",
            ["not after"],
        ),
        row(
            "schema",
            spec_with(json!({"windowScope": "Most"})),
            "spec.windowScope",
            ["\"Most\"", "Updates, All"],
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
