//! Everything that is wrong is reported, in one order, and nothing crashes.

use serde_json::{Value, json};

use super::{lines, minimal, problems, read, spec_with, stage_with};
use crate::spec::parse;

#[test]
fn five_broken_rules_are_five_problems_in_order() {
    let spec = json!({
        "interval": "often",
        "serviceAccountName": "other:deployer",
        "kubeConfig": {"configMapRef": {"name": "cloud"}},
        "migrations": [],
        "stages": [
            {"name": "app", "sourceRef": {"name": "s"}},
            {"name": "app", "sourceRef": {"kind": "Helm", "name": "s"}},
        ]
    });
    let found: Vec<(&str, String)> = problems(&spec)
        .into_iter()
        .map(|p| (p.rule, p.field))
        .collect();
    let want = [
        ("V1", "spec.stages[1].name"),
        ("V2", "spec.stages[1].sourceRef.apiVersion"),
        ("V31", "spec.kubeConfig.configMapRef"),
        ("G1", "spec.serviceAccountName"),
        ("G8", "spec.interval"),
    ];
    assert_eq!(found, want.map(|(rule, field)| (rule, field.to_owned())));
}

#[test]
fn shape_comes_first_and_the_rest_is_still_judged() {
    let spec = json!({
        "suspend": "yes",
        "colour": "blue",
        "stages": [
            {"name": "app", "sourceRef": {"name": "s"}, "prune": 0},
            {"name": "app", "sourceRef": {"name": "s"}, "promotion": {"soak": "1h"}},
        ]
    });
    let found = lines(&spec);
    assert_eq!(found.len(), 5, "{found:#?}");
    assert!(
        found[0].starts_with("schema spec.colour: unknown field"),
        "{found:#?}"
    );
    assert!(
        found[1].starts_with("schema spec.stages[0].prune: true or false"),
        "{found:#?}"
    );
    assert!(
        found[2].starts_with("schema spec.suspend: true or false"),
        "{found:#?}"
    );
    assert!(
        found[3].starts_with("V1 spec.stages[1].name: "),
        "{found:#?}"
    );
    assert!(
        found[4]
            .starts_with("unsupported spec.stages[1].promotion is not supported by this version"),
        "{found:#?}"
    );
}

#[test]
fn a_field_is_reported_once() {
    let spec = stage_with(json!({"actions": {"pre": [{"wait": {"duration": "1s"}}]}}));
    let name = "spec.stages[0].actions.pre[0].name";
    let rules: Vec<&str> = problems(&spec)
        .iter()
        .filter(|p| p.field == name)
        .map(|p| p.rule)
        .collect();
    assert_eq!(rules, ["V4"], "V4 says it better than `is required`");
}

#[test]
fn without_stages_nothing_crashes() {
    let everything_else = json!({
        "stages": [],
        "version": {"fromObject": {"stage": "app", "kind": "K", "name": "n"}},
        "migrations": [{"name": "m", "to": "1.0.0", "stage": "app"}],
        "onRollback": [{"name": "a"}],
        "errorBudget": {"source": {}, "freezeThreshold": "1"},
    });
    for spec in [json!({"stages": []}), everything_else] {
        let found = problems(&spec);
        let empty = found.iter().find(|p| p.field == "spec.stages").unwrap();
        assert_eq!(empty.rule, "G10");
    }
    for spec in [
        json!({}),
        json!({"stages": null}),
        json!({"stages": {}}),
        json!({"stages": "app"}),
    ] {
        assert!(
            problems(&spec).iter().any(|p| p.field == "spec.stages"),
            "{spec}"
        );
    }
}

#[test]
fn names_of_the_stage_set_are_judged() {
    let field = |namespace: &str, name: &str| -> Vec<String> {
        let found = parse(namespace, name, &minimal()).unwrap_err();
        found
            .into_iter()
            .map(|p| format!("{} {}", p.rule, p.field))
            .collect()
    };
    assert_eq!(field("shop", &"a".repeat(64)), ["G2 metadata.name"]);
    assert_eq!(field("shop", "Web"), ["G2 metadata.name"]);
    assert_eq!(field("a/b", "web"), ["schema metadata.namespace"]);
    assert_eq!(
        field("", ""),
        ["schema metadata.namespace", "G2 metadata.name"]
    );
}

#[test]
fn poison_is_refused_and_not_repeated() {
    let long = "x".repeat(1 << 20);
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    let poison: Vec<Value> = vec![
        json!(null),
        json!([]),
        json!("spec"),
        json!({"stages": [null, null]}),
        json!({"stages": [[]]}),
        stage_with(json!({"name": long.clone()})),
        stage_with(json!({"path": format!("../{long}")})),
        stage_with(
            json!({"sourceRef": {"name": long.clone(), "kind": long.clone(), "namespace": long.clone()}}),
        ),
        stage_with(json!({"actions": {"pre": null}})),
        stage_with(json!({"actions": {"pre": [{"name": "a", "retries": 1e300}]}})),
        stage_with(
            json!({"actions": {"pre": [{"name": "a", "retries": 9_223_372_036_854_775_807_i64}]}}),
        ),
        stage_with(json!({"postBuild": {"substitute": {"a": 1}}})),
        spec_with(json!({"serviceAccountName": long.clone()})),
        spec_with(json!({"interval": long.clone()})),
        spec_with(json!({"interval": "9".repeat(400)})),
        spec_with(json!({"interval": 600})),
        spec_with(json!({"dependsOn": null})),
        spec_with(json!({"dependsOn": [null]})),
        spec_with(json!({"version": {"value": long.clone()}})),
        spec_with(json!({"migrations": {"name": long.clone()}})),
        spec_with(json!({"updateWindows": [{"type": long.clone(), "schedule": long.clone()}]})),
        spec_with(
            json!({"updateWindows": [{"type": "Allow", "from": long.clone(), "to": long.clone()}]}),
        ),
        spec_with(json!({"errorBudget": {"freezeThreshold": long.clone(), "source": deep}})),
        spec_with(json!({ (long.clone()): long.clone() })),
    ];
    for (index, spec) in poison.iter().enumerate() {
        let found = problems(spec);
        assert!(!found.is_empty());
        for problem in found {
            let text = problem.to_string();
            assert!(
                text.len() < 2_000,
                "{index}: {} bytes: {}",
                text.len(),
                &text[..200]
            );
        }
    }
}

#[test]
fn a_flood_of_problems_ends() {
    let stages: Vec<Value> = (0..20_000).map(|n| json!({"name": n})).collect();
    let found = problems(&json!({ "stages": stages }));
    assert!(found.len() < 100, "{}", found.len());
    let twice: Vec<Value> = (0..2_000)
        .map(|_| json!({"name": "app", "sourceRef": {"name": "s"}}))
        .collect();
    assert_eq!(problems(&json!({ "stages": twice })).len(), 1_999);
}

#[test]
fn the_same_spec_has_the_same_verdict() {
    let spec = stage_with(json!({"force": true, "name": "APP"}));
    assert_eq!(read(&spec), read(&spec));
}
