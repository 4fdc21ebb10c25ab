//! Which answer an object gets whose field can't be changed: annotations, rules, default, `force`.

use serde_json::{Value, json};

use super::{read, stage_with};
use crate::names::StageName;
use crate::object::{Desired, Owner, Rendered};
use crate::spec::ConflictAnswer::{self, Fail, KeepExisting, Recreate};

fn desired(annotations: &[&str]) -> Desired {
    let annotations: serde_json::Map<String, Value> = annotations
        .iter()
        .map(|name| (format!("stages.metio.wtf/{name}"), json!("true")))
        .collect();
    let body = json!({ "apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": { "name": "db", "annotations": annotations } });
    let rendered = Rendered::new(body, "db.yaml".into()).expect("it names an object");
    let owner = Owner {
        namespace: "shop".into(),
        name: "web".into(),
    };
    let stage = StageName::new("app").expect("a name");
    let namespace = Some("shop".to_owned());
    Desired::new(&rendered, "statefulsets", namespace, &owner, &stage)
}

/// The answer for the object with these annotations, under these fields of its stage.
fn answer(fields: Value, annotations: &[&str]) -> (ConflictAnswer, bool) {
    let spec = read(&stage_with(fields)).expect("a valid spec");
    let answer = spec.stages[0].conflicts.answer(&desired(annotations));
    (answer.answer, answer.allow_data_loss)
}

fn rule(target: Value, action: &str) -> Value {
    json!({ "target": target, "action": action })
}

fn by_rules(rules: &[Value]) -> (ConflictAnswer, bool) {
    answer(json!({ "conflictPolicy": { "rules": rules } }), &[])
}

#[test]
fn a_rule_matches_by_all_that_it_names() {
    let fits = json!({ "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db",
                       "namespace": "shop" });
    let whole = by_rules(&[rule(fits.clone(), "Recreate")]);
    assert_eq!(whole, (Recreate, false));
    for (field, other) in [
        ("apiVersion", "apps/v2"),
        ("apiVersion", "v1"),
        ("kind", "Deployment"),
        ("name", "db-2"),
        ("namespace", "other"),
    ] {
        let mut misses = fits.clone();
        misses[field] = json!(other);
        let answer = by_rules(&[rule(misses, "Recreate")]);
        assert_eq!(answer, (Fail, false), "{field}: {other}");
        // Each alone says enough, and one that isn't set says nothing.
        let alone = by_rules(&[rule(json!({ field: fits[field] }), "Recreate")]);
        assert_eq!(alone, (Recreate, false), "{field}");
    }
}

#[test]
fn the_first_rule_that_matches_wins_and_what_it_permits_counts() {
    let mut losing = rule(json!({ "kind": "StatefulSet" }), "Recreate");
    losing["allowDataLoss"] = json!(true);
    let keeping = rule(json!({ "name": "db" }), "KeepExisting");
    let first = [losing.clone(), keeping.clone()];
    assert_eq!(by_rules(&first), (Recreate, true));
    assert_eq!(by_rules(&[keeping, losing.clone()]), (KeepExisting, false));
    losing["allowDataLoss"] = json!(false);
    assert_eq!(by_rules(&[losing]), (Recreate, false));
}

#[test]
fn what_nothing_is_said_of_fails_and_force_speaks_for_what_no_rule_names() {
    let default = |default: &str| json!({ "default": default, "rules": [] });
    assert_eq!(answer(json!({}), &[]), (Fail, false));
    for (force, policy, expected) in [
        (false, json!({ "rules": [] }), Fail),
        (true, json!({ "rules": [] }), Recreate),
        (false, default("Fail"), Fail),
        // The API server fills `Fail` in.
        (true, default("Fail"), Recreate),
        (false, default("Recreate"), Recreate),
        (true, default("KeepExisting"), KeepExisting),
    ] {
        let fields = json!({ "force": force, "conflictPolicy": policy });
        assert_eq!(answer(fields.clone(), &[]), (expected, false), "{fields}");
    }
    let ruled = json!({ "force": true, "conflictPolicy": {
        "rules": [rule(json!({ "name": "db" }), "Fail")] } });
    assert_eq!(answer(ruled, &[]), (Fail, false), "a rule is more precise");
}

#[test]
fn annotations_win_over_rules_and_never_permit_to_lose_data() {
    let ruled = |action: &str| json!({ "conflictPolicy": { "rules": [rule(json!({ "name": "db" }), action)] } });
    for (fields, annotations, expected) in [
        (json!({}), &["force"][..], Recreate),
        (json!({}), &["keep-existing"], KeepExisting),
        (json!({}), &["force", "keep-existing"], KeepExisting),
        (ruled("Fail"), &["force"], Recreate),
        (ruled("KeepExisting"), &["force"], Recreate),
        (ruled("Recreate"), &["keep-existing"], KeepExisting),
        (json!({ "force": true }), &["keep-existing"], KeepExisting),
    ] {
        let got = answer(fields.clone(), annotations);
        assert_eq!(got, (expected, false), "{fields} {annotations:?}");
    }
}
