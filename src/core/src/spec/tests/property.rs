//! Whatever anybody writes: the parser ends, and what it accepts keeps its promises.

use std::collections::BTreeSet;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{minimal, read};
use crate::names::ServiceAccountName;
use crate::spec::parse;

/// Words that mean something in a spec, so that random objects resemble specs.
const WORDS: &[&str] = &[
    "stages",
    "name",
    "sourceRef",
    "kind",
    "apiVersion",
    "namespace",
    "path",
    "serviceAccountName",
    "prune",
    "timeout",
    "onTimeout",
    "interval",
    "suspend",
    "readyChecks",
    "disableWait",
    "checks",
    "exprs",
    "actions",
    "pre",
    "post",
    "onFailure",
    "wait",
    "duration",
    "http",
    "patch",
    "target",
    "selector",
    "matchLabels",
    "matchExpressions",
    "operator",
    "values",
    "version",
    "value",
    "migrations",
    "to",
    "from",
    "down",
    "actions",
    "kubeConfig",
    "secretRef",
    "configMapRef",
    "promotion",
    "fastTrack",
    "restartGate",
    "eventGate",
    "analysis",
    "soak",
    "errorBudget",
    "source",
    "freezeThreshold",
    "updateWindows",
    "type",
    "schedule",
    "dependsOn",
    "conflictPolicy",
    "default",
    "rules",
    "onRollback",
    "decryption",
    "provider",
    "migrationsSourceRef",
    "patches",
    "postBuild",
    "substitute",
    "substituteFrom",
    "retries",
    "scope",
    "completionAnchor",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(WORDS).prop_map(str::to_owned),
        proptest::sample::select(
            &[
                "",
                "app",
                "db",
                "1.2.3",
                ">=1.2",
                "10m",
                "-1s",
                "Hold",
                "Rollback",
                "Lifetime",
                "./a/..",
                "/",
                "NaN",
                "1e999",
                "* * * * *",
                "v1",
                "apps/v1",
                "a:b",
                "2026-01-01T00:00:00Z",
            ][..]
        )
        .prop_map(str::to_owned),
        any::<String>(),
    ]
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 96, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(text(), inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// A spec that is right, apart from what is put into its place somewhere.
fn nearly_right() -> impl Strategy<Value = Value> {
    let names = vec(
        prop_oneof![Just("app"), Just("db"), Just("ui"), Just("App"), Just("")],
        0..4,
    );
    let accounts = prop_oneof![
        Just(json!({})),
        text().prop_map(|name| json!({"serviceAccountName": name})),
    ];
    (names, accounts, text(), anything(), text()).prop_map(|(names, account, path, odd, key)| {
        let stages: Vec<Value> = names
            .into_iter()
            .map(|name| json!({"name": name, "sourceRef": {"name": "s"}, "path": path}))
            .collect();
        let mut spec = json!({ "stages": stages });
        let fields = spec.as_object_mut().unwrap();
        fields.extend(account.as_object().unwrap().clone());
        if !key.is_empty() && key.len() % 2 == 0 {
            fields.insert(key, odd);
        }
        spec
    })
}

fn promises(namespace: &str, name: &str, spec: &Value) -> Result<(), TestCaseError> {
    match parse(namespace, name, spec) {
        Ok(parsed) => {
            prop_assert!(!parsed.stages.is_empty());
            let names: BTreeSet<&str> = parsed.stages.iter().map(|s| s.name.as_str()).collect();
            prop_assert_eq!(names.len(), parsed.stages.len());
            let own = parsed
                .stages
                .iter()
                .filter_map(|s| s.service_account.as_ref());
            for account in own.chain(parsed.service_account.as_ref()) {
                prop_assert!(ServiceAccountName::new(account.as_str()).is_ok());
            }
            for stage in &parsed.stages {
                prop_assert!(!stage.path.starts_with('/'));
                prop_assert!(
                    stage
                        .path
                        .split('/')
                        .all(|part| part != ".." && part != ".")
                );
            }
        }
        Err(problems) => {
            prop_assert!(!problems.is_empty());
            for problem in problems {
                prop_assert!(
                    problem.field.starts_with("spec") || problem.field.starts_with("metadata.")
                );
                prop_assert!(!problem.message.is_empty());
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn anything_is_judged(namespace in text(), name in text(), spec in anything()) {
        promises(&namespace, &name, &spec)?;
    }

    #[test]
    fn what_is_accepted_is_sound(spec in nearly_right()) {
        promises("shop", "web", &spec)?;
    }

    #[test]
    fn one_odd_stage_field_is_judged(key in text(), odd in anything()) {
        let mut spec = minimal();
        spec["stages"][0][key] = odd;
        promises("shop", "web", &spec)?;
        prop_assert_eq!(read(&spec), read(&spec));
    }
}
