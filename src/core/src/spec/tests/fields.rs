//! Every field of the schema is either supported or refused by name; none is ignored.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use stageset_api::crd::definitions;

use super::{minimal, problems, read, spec_with, stage_with};
use crate::spec::supported_fields;
use crate::spec::unsupported::unsupported_fields;

/// Paths below a schema that neither list covers.
fn uncovered(schema: &Value, path: &str, known: &BTreeSet<String>, found: &mut Vec<String>) {
    if known.contains(path) {
        return;
    }
    let (inner, path) = match schema["type"].as_str() {
        Some("array") => (&schema["items"], format!("{path}[]")),
        _ => (schema, path.to_owned()),
    };
    let Some(properties) = inner["properties"].as_object().filter(|p| !p.is_empty()) else {
        found.push(path);
        return;
    };
    for (name, schema) in properties {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        uncovered(schema, &path, known, found);
    }
}

fn spec_schema() -> Value {
    let sets = definitions()
        .into_iter()
        .find(|d| d.file == "stagesets.yaml")
        .unwrap();
    let schema = &sets.definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    schema["properties"]["spec"].clone()
}

fn known() -> BTreeSet<String> {
    let supported = supported_fields().iter().map(|field| (*field).to_owned());
    supported.chain(unsupported_fields()).collect()
}

#[test]
fn no_field_is_ignored() {
    let mut found = Vec::new();
    uncovered(&spec_schema(), "", &known(), &mut found);
    assert_eq!(found, [""; 0], "neither supported nor refused");
}

#[test]
fn no_entry_is_stale() {
    let schema = spec_schema();
    for field in known() {
        let mut at = &schema;
        for step in field.split('.') {
            at = &at["properties"][step.trim_end_matches("[]")];
            if step.ends_with("[]") {
                at = &at["items"];
            }
        }
        assert!(at.is_object(), "{field} is no field of the schema");
    }
}

/// A use of each unsupported field.
fn uses() -> BTreeMap<&'static str, Value> {
    let source = json!({"prometheus": {"address": "http://p", "query": "q"}});
    let budget = json!({"source": source, "freezeThreshold": "0.1"});
    let action = json!([{"name": "a", "wait": {"duration": "1s"}}]);
    let spec = |field: &str, value: Value| spec_with(json!({ field: value }));
    let stage = |field: &str, value: Value| stage_with(json!({ field: value }));
    BTreeMap::from([
        ("onTimeout", spec("onTimeout", json!("Rollback"))),
        (
            "dependsOn[].minVersion",
            spec("dependsOn", json!([{"name": "a", "minVersion": "1.0.0"}])),
        ),
        (
            "decryption",
            spec("decryption", json!({"provider": "sops"})),
        ),
        ("version", spec("version", json!({"value": "1.0.0"}))),
        (
            "migrations",
            spec_with(
                json!({"version": {"value": "1.0.0"}, "migrations": [{"name": "a", "to": "1.0.0"}]}),
            ),
        ),
        (
            "migrationsSourceRef",
            spec_with(json!({
                "version": {"value": "1.0.0"},
                "migrationsSourceRef": {"sourceRef": {"name": "a"}}
            })),
        ),
        ("rollbackOnFailure", spec("rollbackOnFailure", json!(true))),
        ("onRollback", spec("onRollback", action.clone())),
        (
            "updateWindows",
            spec(
                "updateWindows",
                json!([{"type": "Deny", "schedule": "* * * * *", "duration": "1h"}]),
            ),
        ),
        ("windowScope", spec("windowScope", json!("All"))),
        ("errorBudget", spec("errorBudget", budget.clone())),
        (
            "stages[].migrationAnchor",
            stage("migrationAnchor", json!("a")),
        ),
        ("stages[].onTimeout", stage("onTimeout", json!("Rollback"))),
        (
            "stages[].applyHelmHookResources",
            stage("applyHelmHookResources", json!(false)),
        ),
        (
            "stages[].promotion",
            stage("promotion", json!({"requireManualPromotion": true})),
        ),
        ("stages[].errorBudget", stage("errorBudget", budget)),
    ])
}

#[test]
fn each_unsupported_field_is_refused_by_name_and_for_nothing_else() {
    let uses = uses();
    let listed: BTreeSet<String> = unsupported_fields().into_iter().collect();
    let tried: BTreeSet<String> = uses.keys().map(|field| (*field).to_owned()).collect();
    assert_eq!(tried, listed);
    for (field, spec) in uses {
        let found = problems(&spec);
        assert!(
            found.iter().all(|p| p.rule == "unsupported"),
            "{field}: {found:?}"
        );
        let wanted = format!("spec.{}", field.replace("[]", "[0]"));
        let problem = found.iter().find(|p| p.field == wanted).unwrap();
        let text = problem.to_string();
        assert!(
            text.starts_with(&format!("{wanted} is not supported by this version")),
            "{text}"
        );
    }
}

#[test]
fn spelling_out_the_default_is_not_a_use() {
    let spec = json!({
        "onTimeout": "Hold", "dependsOn": [], "migrations": [], "rollbackOnFailure": false,
        "onRollback": [], "updateWindows": [], "windowScope": "Updates",
        "stages": [{
            "name": "app", "sourceRef": {"name": "s"}, "migrationAnchor": "", "onTimeout": "Hold",
            "force": false, "conflictPolicy": {"default": "Fail", "rules": []},
            "applyHelmHookResources": true, "patches": [],
            "postBuild": {"substitute": {}, "substituteFrom": []},
            "actions": {"pre": [], "post": [], "onFailure": []},
            "readyChecks": {"checks": [], "exprs": []},
            "promotion": {"requireManualPromotion": false},
        }]
    });
    assert_eq!(
        read(&spec),
        read(&minimal()).map(|mut spec| {
            spec.stages[0].source.name = "s".into();
            spec
        })
    );
}
