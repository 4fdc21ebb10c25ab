//! Server-side apply over the wire.

use serde_json::{Value, json};

use crate::world::{World, message};

fn uri(manager: &str, more: &str) -> String {
    format!("/api/v1/namespaces/default/configmaps/a?fieldManager={manager}{more}")
}

fn config(data: &Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a" }, "data": data })
}

#[test]
fn creates_then_changes_nothing_then_updates() {
    let mut w = World::new();
    let (code, created) = w.apply(&uri("one", ""), &config(&json!({ "x": "1" })));
    assert_eq!(code, 201);
    let entry = &created["metadata"]["managedFields"][0];
    assert_eq!(
        (entry["manager"].as_str(), entry["operation"].as_str()),
        (Some("one"), Some("Apply"))
    );
    assert_eq!(entry["fieldsV1"], json!({ "f:data": { "f:x": {} } }));
    w.pass(5_000);
    let (code, same) = w.apply(&uri("one", ""), &config(&json!({ "x": "1" })));
    assert_eq!(
        (code, &same),
        (200, &created),
        "time and resourceVersion stay"
    );
    let (_, changed) = w.apply(&uri("one", ""), &config(&json!({ "x": "2" })));
    assert_eq!(
        changed["metadata"]["managedFields"][0]["time"],
        "2026-01-01T00:00:05Z"
    );
}

#[test]
fn dry_runs_say_what_would_be() {
    let mut w = World::new();
    let (code, _) = w.apply(&uri("one", "&dryRun=All"), &config(&json!({ "x": "1" })));
    assert_eq!(code, 201);
    assert_eq!(w.get("/api/v1/namespaces/default/configmaps/a").0, 404);
}

#[test]
fn a_foreign_value_is_a_conflict_until_forced() {
    let mut w = World::new();
    w.post(
        "/api/v1/namespaces/default/configmaps?fieldManager=kubectl",
        &config(&json!({ "x": "1", "y": "1" })),
    );
    let refused = w.apply(&uri("two", ""), &config(&json!({ "x": "2" })));
    assert_eq!(refused.0, 409);
    assert_eq!(
        message(&refused),
        "Apply failed with 1 conflict: conflict with \"kubectl\" using v1: .data.x"
    );
    assert_eq!(
        refused.1["details"]["causes"],
        json!([{
            "reason": "FieldManagerConflict", "message": "conflict with \"kubectl\" using v1", "field": ".data.x"
        }])
    );
    let (_, same) = w.apply(&uri("two", ""), &config(&json!({ "x": "1" })));
    assert_eq!(
        same["metadata"]["managedFields"].as_array().unwrap().len(),
        2,
        "equal values are shared"
    );
    let (code, forced) = w.apply(&uri("two", "&force=true"), &config(&json!({ "x": "2" })));
    assert_eq!(
        (code, &forced["data"]),
        (200, &json!({ "x": "2", "y": "1" }))
    );
    let owned = forced["metadata"]["managedFields"].as_array().unwrap();
    let kubectl = owned.iter().find(|e| e["manager"] == "kubectl").unwrap();
    assert!(kubectl["fieldsV1"]["f:data"].get("f:x").is_none());
}

#[test]
fn several_conflicts_are_listed_by_manager() {
    let mut w = World::new();
    w.apply(&uri("one", ""), &config(&json!({ "x": "1" })));
    w.apply(&uri("two", ""), &config(&json!({ "y": "1" })));
    let refused = w.apply(&uri("three", ""), &config(&json!({ "x": "2", "y": "2" })));
    assert_eq!(
        message(&refused),
        "Apply failed with 2 conflicts: conflicts with \"one\":\n- .data.x\nconflicts with \"two\":\n- .data.y"
    );
}

#[test]
fn an_update_takes_fields_over_and_the_applier_loses_them() {
    let mut w = World::new();
    w.apply(&uri("one", ""), &config(&json!({ "x": "1" })));
    w.merge(
        "/api/v1/namespaces/default/configmaps/a?fieldManager=hand",
        &json!({ "data": { "x": "9" } }),
    );
    let (_, now) = w.get("/api/v1/namespaces/default/configmaps/a");
    let owners: Vec<&str> = now["metadata"]["managedFields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["manager"].as_str().unwrap())
        .collect();
    assert_eq!(owners, ["hand"], "nothing was left of the applier's entry");
}

#[test]
fn a_body_says_which_object_it_means() {
    let mut w = World::new();
    let mut one = config(&json!({}));
    one["metadata"]["uid"] = "other".into();
    let missing = w.apply(&uri("one", ""), &one);
    assert_eq!(missing.0, 409);
    assert!(message(&missing).ends_with(
        "uid mismatch: the provided object specified uid other, and no existing object was found"
    ));
    w.apply(&uri("one", ""), &config(&json!({ "x": "1" })));
    let other = w.apply(&uri("one", ""), &one);
    assert_eq!(
        message(&other),
        "ConfigMap \"a\" is invalid: metadata.uid: Invalid value: \"other\": field is immutable"
    );
    let mut stale = config(&json!({ "x": "2" }));
    stale["metadata"]["resourceVersion"] = "1".into();
    assert_eq!(w.apply(&uri("one", ""), &stale).0, 409);
    let nobody = w.apply(
        "/api/v1/namespaces/default/configmaps/a",
        &config(&json!({})),
    );
    assert_eq!(
        message(&nobody),
        "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch"
    );
}

#[test]
fn a_deployment_merges_containers_and_counts_generations() {
    let mut w = World::new();
    let uri = |m: &str| format!("/apis/apps/v1/namespaces/default/deployments/d?fieldManager={m}");
    let deployment = |containers: Value| {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "d" },
            "spec": {
                "selector": { "matchLabels": { "a": "b" } },
                "template": { "metadata": { "labels": { "a": "b" } }, "spec": { "containers": containers } }
            }
        })
    };
    let (code, created) = w.apply(
        &uri("one"),
        &deployment(json!([{ "name": "c", "image": "i:1" }])),
    );
    assert_eq!(code, 201, "{created}");
    assert_eq!(created["metadata"]["generation"], 1);
    assert_eq!(created["spec"]["replicas"], 1);
    let fields = &created["metadata"]["managedFields"][0]["fieldsV1"];
    assert!(
        fields["f:spec"].get("f:replicas").is_none(),
        "defaults have no owner"
    );
    assert_eq!(
        fields["f:spec"]["f:template"]["f:spec"]["f:containers"],
        json!({ "k:{\"name\":\"c\"}": { ".": {}, "f:image": {}, "f:name": {} } })
    );
    let (_, more) = w.apply(
        &uri("two"),
        &json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "d" },
            "spec": { "template": { "spec": { "containers": [{ "name": "side", "image": "s" }] } } }
        }),
    );
    assert_eq!(more["metadata"]["generation"], 2, "{more}");
    let (_, back) = w.apply(
        &uri("two"),
        &json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "d" }
        }),
    );
    let containers = back["spec"]["template"]["spec"]["containers"]
        .as_array()
        .unwrap();
    assert_eq!(containers.len(), 1, "what two left out is gone: {back}");
}
