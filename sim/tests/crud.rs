//! Create, read, list, watch, update, delete.

use serde_json::{Value, json};

use crate::world::{World, code, message};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn map(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name, "labels": { "n": name } }, "data": { "x": "1" } })
}

#[test]
fn what_is_created_is_there_with_identity_and_version() {
    let mut w = World::new();
    let (code, created) = w.post(MAPS, &map("a"));
    assert_eq!(code, 201);
    assert_eq!(created["metadata"]["namespace"], "default");
    assert_eq!(
        created["metadata"]["creationTimestamp"],
        "2026-01-01T00:00:00Z"
    );
    assert_eq!(created["metadata"]["uid"].as_str().unwrap().len(), 36);
    assert!(created["metadata"].get("generation").is_none());
    assert_eq!(w.get(&format!("{MAPS}/a")).1, created);
    let again = w.post(MAPS, &map("a"));
    assert_eq!(
        (again.0, message(&again)),
        (409, "configmaps \"a\" already exists")
    );
    assert_eq!(again.1["reason"], "AlreadyExists");
}

#[test]
fn names_are_made_and_checked() {
    let mut w = World::new();
    let (_, made) = w.post(MAPS, &json!({ "metadata": { "generateName": "x-" } }));
    assert_eq!(made["metadata"]["name"].as_str().unwrap().len(), 7);
    let wrong = w.post(MAPS, &map("A_b"));
    assert_eq!(wrong.0, 422);
    assert!(message(&wrong).starts_with("ConfigMap \"A_b\" is invalid: metadata.name: Invalid value: \"A_b\": a lowercase RFC 1123 subdomain"));
    let none = w.post(MAPS, &json!({ "metadata": {} }));
    assert_eq!(
        message(&none),
        "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is required"
    );
}

#[test]
fn a_namespace_must_be_there() {
    let mut w = World::new();
    let missing = w.post("/api/v1/namespaces/no/configmaps", &map("a"));
    assert_eq!(
        (missing.0, message(&missing)),
        (404, "namespaces \"no\" not found")
    );
    let other = w.post(
        MAPS,
        &json!({ "metadata": { "name": "a", "namespace": "b" } }),
    );
    assert_eq!(other.0, 400);
}

#[test]
fn an_update_needs_the_version_it_read() {
    let mut w = World::new();
    let (_, first) = w.post(MAPS, &map("a"));
    let mut second = first.clone();
    second["data"]["x"] = "2".into();
    let (code, updated) = w.put(&format!("{MAPS}/a"), &second);
    assert_eq!(code, 200);
    assert_ne!(
        updated["metadata"]["resourceVersion"],
        first["metadata"]["resourceVersion"]
    );
    let stale = w.put(&format!("{MAPS}/a"), &first);
    assert_eq!(stale.0, 409);
    assert_eq!(
        message(&stale),
        "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again"
    );
    let (_, unchanged) = w.put(&format!("{MAPS}/a"), &updated);
    assert_eq!(
        unchanged, updated,
        "an update without a change writes nothing"
    );
}

#[test]
fn a_dry_run_leaves_no_trace() {
    let mut w = World::new();
    let revision = w.server.revision();
    assert_eq!(code(&w.post(&format!("{MAPS}?dryRun=All"), &map("a"))), 201);
    assert_eq!(code(&w.get(&format!("{MAPS}/a"))), 404);
    w.post(MAPS, &map("b"));
    let before = w.server.revision();
    assert_eq!(
        code(&w.merge(
            &format!("{MAPS}/b?dryRun=All"),
            &json!({ "data": { "x": "9" } })
        )),
        200
    );
    assert_eq!(
        code(&w.delete(&format!("{MAPS}/b?dryRun=All"), &Value::Null)),
        200
    );
    assert_eq!(w.server.revision(), before);
    assert_eq!(before, revision + 1);
    assert_eq!(
        code(&w.post(&format!("{MAPS}?dryRun=Some"), &map("a"))),
        422
    );
}

#[test]
fn a_watch_tells_what_comes_and_goes_for_its_selector() {
    let mut w = World::new();
    let from = w.server.revision();
    w.post(MAPS, &map("a"));
    w.merge(
        &format!("{MAPS}/a"),
        &json!({ "metadata": { "labels": { "hot": "1" } } }),
    );
    w.merge(
        &format!("{MAPS}/a"),
        &json!({ "metadata": { "labels": { "hot": null } } }),
    );
    w.delete(&format!("{MAPS}/a"), &Value::Null);
    let types = |events: &Value| -> Vec<String> {
        events
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e["type"].as_str().unwrap().to_owned())
            .collect()
    };
    let (_, all) = w.get(&format!("{MAPS}?watch=1&resourceVersion={from}"));
    assert_eq!(types(&all), ["ADDED", "MODIFIED", "MODIFIED", "DELETED"]);
    let (_, hot) = w.get(&format!(
        "{MAPS}?watch=1&resourceVersion={from}&labelSelector=hot"
    ));
    assert_eq!(types(&hot), ["ADDED", "DELETED"]);
    w.server.compact();
    let (_, old) = w.get(&format!("{MAPS}?watch=1&resourceVersion={from}"));
    assert_eq!(old[0]["type"], "ERROR");
    assert_eq!(old[0]["object"]["code"], 410);
}

#[test]
fn a_streaming_list_ends_with_its_bookmark() {
    let mut w = World::new();
    w.post(MAPS, &map("a"));
    let (_, events) = w.get(&format!(
        "{MAPS}?watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
    ));
    let events = events.as_array().unwrap();
    let last = events.last().unwrap();
    assert_eq!(last["type"], "BOOKMARK");
    assert_eq!(
        last["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"],
        "true"
    );
    assert_eq!(events[0]["type"], "ADDED");
}

#[test]
fn deletion_respects_preconditions_and_finalizers() {
    let mut w = World::new();
    let uri = format!("{MAPS}/a");
    let mut held = map("a");
    held["metadata"]["finalizers"] = json!(["x.y/z"]);
    let (_, created) = w.post(MAPS, &held);
    let other = w.delete(
        &uri,
        &json!({ "kind": "DeleteOptions", "apiVersion": "v1", "preconditions": { "uid": "nope" } }),
    );
    assert_eq!(other.0, 409);
    assert!(message(&other).starts_with("Operation cannot be fulfilled on ConfigMap \"a\": the UID in the precondition (nope) does not match the UID in record ("));
    let (code, marked) = w.delete(&uri, &Value::Null);
    assert_eq!(code, 200);
    assert!(marked["metadata"]["deletionTimestamp"].is_string());
    let more = w.merge(
        &uri,
        &json!({ "metadata": { "finalizers": ["x.y/z", "q.r/s"] } }),
    );
    assert_eq!(more.0, 422);
    assert_eq!(
        w.merge(&uri, &json!({ "metadata": { "finalizers": null } }))
            .0,
        200
    );
    assert_eq!(w.get(&uri).0, 404);
    w.post(MAPS, &map("b"));
    let (_, status) = w.delete(&format!("{MAPS}/b"), &Value::Null);
    assert_eq!(
        (
            status["status"].as_str(),
            status["details"]["kind"].as_str()
        ),
        (Some("Success"), Some("configmaps"))
    );
    let _ = created;
}

#[test]
fn metadata_alone_can_be_asked_for() {
    let mut w = World::new();
    w.post(MAPS, &map("a"));
    let accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
    let (_, partial) = w.send(
        http::Method::GET,
        &format!("{MAPS}/a"),
        &[("accept", accept)],
        &Value::Null,
    );
    assert_eq!(partial["kind"], "PartialObjectMetadata");
    assert!(partial.get("data").is_none());
}

#[test]
fn json_patches_apply_and_merge_patches_remove() {
    let mut w = World::new();
    w.post(MAPS, &map("a"));
    let patch = json!([{ "op": "add", "path": "/data/y", "value": "2" }, { "op": "remove", "path": "/data/x" }]);
    let (code, patched) = w.send(
        http::Method::PATCH,
        &format!("{MAPS}/a"),
        &[("content-type", "application/json-patch+json")],
        &patch,
    );
    assert_eq!((code, &patched["data"]), (200, &json!({ "y": "2" })));
}

#[test]
fn immutable_fields_stay() {
    let mut w = World::new();
    let mut sealed = map("a");
    sealed["immutable"] = true.into();
    w.post(MAPS, &sealed);
    let changed = w.merge(&format!("{MAPS}/a"), &json!({ "data": { "x": "2" } }));
    assert_eq!(
        message(&changed),
        "ConfigMap \"a\" is invalid: data: Forbidden: field is immutable when `immutable` is set"
    );
}

/// As kube-apiserver 1.37 answers: of the three maps only a ConfigMap's texts may become an empty map.
#[test]
fn an_empty_map_over_an_absent_one_is_a_change_but_for_the_data_of_a_config_map() {
    let mut w = World::new();
    for (kind, field, code) in [
        ("ConfigMap", "data", 200),
        ("ConfigMap", "binaryData", 422),
        ("Secret", "data", 422),
    ] {
        let all = format!("/api/v1/namespaces/default/{}s", kind.to_lowercase());
        let name = format!("empty-{}", field.to_lowercase());
        let mut sealed = json!({
            "apiVersion": "v1", "kind": kind, "metadata": { "name": &name }, "immutable": true,
        });
        w.post(&all, &sealed);
        sealed[field] = json!({});
        let answer = w.put(&format!("{all}/{name}"), &sealed);
        assert_eq!(answer.0, code, "{kind} {field}: {}", answer.1);
    }
}

#[test]
fn what_is_not_there_and_what_is_not_modelled_differ() {
    let mut w = World::new();
    assert_eq!(w.get("/apis/nope.example/v1/things").0, 404);
    let unmodelled = w.get("/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers");
    assert_eq!(unmodelled.0, 501);
    assert!(message(&unmodelled).contains("autoscaling/v1"));
    assert_eq!(
        w.post("/api/v1/namespaces/default/pods/x/eviction", &json!({}))
            .0,
        501
    );
}

#[test]
fn an_operator_after_an_operator_is_named() {
    let mut world = World::new();
    let answer = world.get("/api/v1/namespaces/default/configmaps?labelSelector=a=%3D=");
    assert_eq!(code(&answer), 400);
    assert_eq!(
        message(&answer),
        "unable to parse requirement: found '=', expected: identifier"
    );
}

#[test]
fn a_dry_update_that_would_create_keeps_the_version_that_was_sent() {
    let mut world = World::new();
    let path = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles/r?dryRun=All";
    let role = json!({"metadata": {"name": "r", "resourceVersion": "1"}});
    let answer = world.put(path, &role);
    assert_eq!(code(&answer), 201);
    assert_eq!(answer.1["metadata"]["resourceVersion"], "1");
}

#[test]
fn discovery_names_subresources_and_says_what_is_not_there() {
    let mut w = World::new();
    let (_, apps) = w.get("/apis/apps/v1");
    let scale = apps["resources"]
        .as_array()
        .unwrap()
        .iter()
        .find(|resource| resource["name"] == "deployments/scale")
        .unwrap();
    assert_eq!(
        *scale,
        json!({ "name": "deployments/scale", "singularName": "", "namespaced": true,
                "kind": "Scale", "group": "autoscaling", "version": "v1",
                "verbs": ["get", "patch", "update"] })
    );
    for path in ["/apis/apps/v9", "/apis/apps/v9/deployments", "/api/v2"] {
        let missing = w.get(path);
        assert_eq!(
            missing.1["message"],
            "the server could not find the requested resource"
        );
    }
    assert_eq!(w.get("/apis/nothing/v1").1, "404 page not found\n");
}

/// Its addresses are given before its name is looked at, and each names its service.
#[test]
fn a_service_without_a_name_gets_no_address() {
    let mut w = World::new();
    let service = |kind: &str| {
        json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": null },
            "spec": { "type": kind, "externalName": "a.example", "ports": [{ "port": 80 }] } })
    };
    let services = "/api/v1/namespaces/default/services";
    let (code, said) = w.post(services, &service("ClusterIP"));
    assert_eq!(code, 422);
    let message = said["message"].as_str().unwrap();
    assert!(
        message.starts_with(
            "Service \"\" is invalid: spec.clusterIPs: Invalid value: [\"\"]: failed to allocate IP"
        ) && message.ends_with("spec.parentRef.name: Required value"),
        "{message}"
    );
    // One without addresses lacks its name alone.
    let (code, said) = w.post(services, &service("ExternalName"));
    assert_eq!(code, 422);
    assert_eq!(said["details"]["causes"][0]["field"], "metadata.name");
}

/// The one kind whose own validation looks at no name: what fits a path will do.
#[test]
fn a_disruption_budget_may_have_any_name_that_fits_a_path() {
    let mut w = World::new();
    let budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
    for (name, code) in [("A", 201), ("-", 201), ("a/b", 422), ("..", 422)] {
        let budget = json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
            "metadata": { "name": name },
            "spec": { "minAvailable": 1, "selector": { "matchLabels": {} } },
        });
        let (got, said) = w.post(budgets, &budget);
        assert_eq!(got, code, "{name}: {said}");
    }
}
