//! What the cluster does by itself: namespaces, garbage, workloads.

use serde_json::{Value, json};

use crate::world::{World, message};

#[test]
fn a_namespace_takes_its_content_with_it() {
    let mut w = World::new();
    let (_, ns) = w.post(
        "/api/v1/namespaces",
        &json!({ "metadata": { "name": "n" } }),
    );
    assert_eq!(ns["metadata"]["labels"]["kubernetes.io/metadata.name"], "n");
    assert_eq!(ns["status"]["phase"], "Active");
    w.pass(100);
    assert_eq!(w.get("/api/v1/namespaces/n/serviceaccounts/default").0, 200);
    let uri = "/api/v1/namespaces/n/configmaps";
    w.post(
        uri,
        &json!({ "metadata": { "name": "a", "finalizers": ["x.y/z"] } }),
    );
    assert_eq!(w.delete("/api/v1/namespaces/n", &Value::Null).0, 200);
    w.pass(1_000);
    let refused = w.post(uri, &json!({ "metadata": { "name": "b" } }));
    assert_eq!(refused.0, 403);
    assert_eq!(
        message(&refused),
        "configmaps \"b\" is forbidden: unable to create new content in namespace n because it is being terminated"
    );
    assert_eq!(
        refused.1["details"]["causes"][0]["reason"],
        "NamespaceTerminating"
    );
    assert_eq!(w.get("/api/v1/namespaces/n").0, 200, "held by a finalizer");
    w.merge(
        &format!("{uri}/a"),
        &json!({ "metadata": { "finalizers": null } }),
    );
    w.pass(1_000);
    assert_eq!(w.get("/api/v1/namespaces/n").0, 404);
}

#[test]
fn what_is_owned_goes_with_its_owner_and_not_with_a_namesake() {
    let mut w = World::new();
    let uri = "/api/v1/namespaces/default/configmaps";
    let (_, owner) = w.post(uri, &json!({ "metadata": { "name": "owner" } }));
    let reference = |uid: &Value| json!([{ "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid }]);
    w.post(uri, &json!({ "metadata": { "name": "mine", "ownerReferences": reference(&owner["metadata"]["uid"]) } }));
    w.post(uri, &json!({ "metadata": { "name": "stray", "ownerReferences": reference(&json!("no-such-uid")) } }));
    w.pass(1_000);
    assert_eq!(w.get(&format!("{uri}/stray")).0, 404);
    assert_eq!(w.get(&format!("{uri}/mine")).0, 200);
    w.delete(
        &format!("{uri}/owner"),
        &json!({ "propagationPolicy": "Foreground", "kind": "DeleteOptions", "apiVersion": "v1" }),
    );
    w.pass(1_000);
    assert_eq!(w.get(&format!("{uri}/mine")).0, 404);
    assert_eq!(w.get(&format!("{uri}/owner")).0, 404);
}

#[test]
fn orphans_stay() {
    let mut w = World::new();
    let uri = "/api/v1/namespaces/default/configmaps";
    let (_, owner) = w.post(uri, &json!({ "metadata": { "name": "owner" } }));
    w.post(uri, &json!({ "metadata": { "name": "mine", "ownerReferences": [{ "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"] }] } }));
    w.delete(
        &format!("{uri}/owner?propagationPolicy=Orphan"),
        &Value::Null,
    );
    w.pass(1_000);
    assert_eq!(w.get(&format!("{uri}/owner")).0, 404);
    let (code, mine) = w.get(&format!("{uri}/mine"));
    assert_eq!(code, 200);
    assert!(mine["metadata"].get("ownerReferences").is_none());
}

fn deployment(script: Option<&str>) -> Value {
    let mut d = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "d" },
        "spec": {
            "replicas": 2, "selector": { "matchLabels": { "a": "b" } },
            "template": { "metadata": { "labels": { "a": "b" } }, "spec": { "containers": [{ "name": "c", "image": "i" }] } }
        }
    });
    if let Some(script) = script {
        d["metadata"]["annotations"] = json!({ stageset_sim::WORKLOAD_ANNOTATION: script });
    }
    d
}

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

#[test]
fn a_deployment_becomes_ready_when_its_script_says() {
    let mut w = World::new();
    w.post(DEPLOYMENTS, &deployment(Some("ready-after=5s")));
    w.pass(1_000);
    let (_, d) = w.get(&format!("{DEPLOYMENTS}/d"));
    assert_eq!(d["status"]["observedGeneration"], 1);
    assert_eq!(d["status"]["unavailableReplicas"], 2);
    w.pass(4_500);
    let (_, d) = w.get(&format!("{DEPLOYMENTS}/d"));
    assert_eq!(d["status"]["availableReplicas"], 2, "{}", d["status"]);
    assert_eq!(d["metadata"]["generation"], 1, "status moves no generation");
    w.merge(
        &format!("{DEPLOYMENTS}/d"),
        &json!({ "spec": { "template": { "spec": { "priorityClassName": "x" } } } }),
    );
    w.pass(100);
    let (_, d) = w.get(&format!("{DEPLOYMENTS}/d"));
    let progressing = d["status"]["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["type"] == "Progressing")
        .unwrap();
    assert_eq!(
        progressing["reason"], "ReplicaSetUpdated",
        "a new template is rolled out anew"
    );
}

/// Annotations count for a Deployment's generation, and its controller sees every generation.
#[test]
fn a_deployment_that_is_only_annotated_stays_ready() {
    let mut w = World::new();
    w.post(DEPLOYMENTS, &deployment(Some("ready-after=0s")));
    w.pass(1_000);
    w.merge(
        &format!("{DEPLOYMENTS}/d"),
        &json!({ "metadata": { "annotations": { "note": "x" } } }),
    );
    w.pass(1_000);
    let (_, d) = w.get(&format!("{DEPLOYMENTS}/d"));
    assert_eq!(d["metadata"]["generation"], 2);
    assert_eq!(d["status"]["observedGeneration"], 2);
    assert_eq!(d["status"]["availableReplicas"], 2, "{}", d["status"]);
}

#[test]
fn scripts_hang_fail_and_are_checked() {
    let mut w = World::new();
    assert_eq!(w.post(DEPLOYMENTS, &deployment(Some("soon"))).0, 422);
    w.post(DEPLOYMENTS, &deployment(Some("fail-after=2s")));
    w.pass(60_000);
    let (_, d) = w.get(&format!("{DEPLOYMENTS}/d"));
    let progressing = d["status"]["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["type"] == "Progressing")
        .unwrap()
        .clone();
    assert_eq!(
        (
            progressing["status"].as_str(),
            progressing["reason"].as_str()
        ),
        (Some("False"), Some("ProgressDeadlineExceeded"))
    );
    w.merge(
        &format!("{DEPLOYMENTS}/d"),
        &json!({ "metadata": { "annotations": { stageset_sim::WORKLOAD_ANNOTATION: "never" } } }),
    );
    w.pass(3_600_000);
    let (_, d) = w.get(&format!("{DEPLOYMENTS}/d"));
    assert!(d["status"].get("availableReplicas").is_none());
}

#[test]
fn the_same_requests_give_the_same_cluster() {
    let run = || {
        let mut w = World::new();
        w.post(DEPLOYMENTS, &deployment(None));
        w.pass(2_000);
        w.get(DEPLOYMENTS).1.to_string()
    };
    assert_eq!(run(), run());
}

/// A policy that was asked for stays until another one is, even for jobs, which let go of what they made
/// by themselves.
#[test]
fn a_deletion_without_a_policy_keeps_the_one_before() {
    let mut w = World::new();
    w.server.set_controllers(false);
    let jobs = "/apis/batch/v1/namespaces/default/jobs";
    let pod = json!({ "restartPolicy": "Never", "containers": [{ "name": "c", "image": "i" }] });
    let metadata = json!({ "name": "a", "finalizers": ["foregroundDeletion", "example.com/x"] });
    w.post(
        jobs,
        &json!({ "metadata": metadata, "spec": { "template": { "spec": pod } } }),
    );
    let uri = format!("{jobs}/a");
    let finalizers = |answer: (u16, Value)| answer.1["metadata"]["finalizers"].clone();
    let kept = json!(["foregroundDeletion", "example.com/x"]);
    let gone = w.delete(&uri, &Value::Null);
    assert_eq!(finalizers(gone), kept);
    // What says the same is left as it stands.
    let again = w.delete(&format!("{uri}?propagationPolicy=Foreground"), &Value::Null);
    assert_eq!(finalizers(again), kept);
    let other = w.delete(&format!("{uri}?propagationPolicy=Orphan"), &Value::Null);
    assert_eq!(finalizers(other), json!(["example.com/x", "orphan"]));
}
