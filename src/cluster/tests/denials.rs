//! The six ways in which a release is refused, each told apart from the others in its condition.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{World, config_map};

const MAPS: &str = "configmaps";

/// What is said, with which reason, when a release of a ConfigMap and this object is refused; nothing
/// of it may be written.
async fn refusal(world: &mut World, reason: &str, object: &str) -> String {
    let files = [
        ("a.yaml", config_map("settings", "one")),
        ("b.yaml", object.to_owned()),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, &**text)).collect();
    world.publish("app", "r1", &files);
    world.stage_set("web", &["app"]);
    let says = format!("False {reason}");
    world
        .run_until("web", Duration::from_secs(60), |world| {
            world.ready("web") == says
        })
        .await;
    assert!(
        world.config_map("settings").is_none(),
        "half of it was written"
    );
    world.message("web")
}

fn role(verbs: &str) -> String {
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {{name: made}}\nrules:\n\
         - {{apiGroups: [\"\"], resources: [secrets], verbs: [{verbs}]}}\n"
    )
}

#[tokio::test(start_paused = true)]
async fn the_account_is_absent() {
    let mut world = World::new().await;
    world
        .cluster
        .delete("v1", "ServiceAccount", "shop", "deployer")
        .unwrap();
    let said = refusal(&mut world, "RBACDenied", &config_map("b", "1")).await;
    assert!(
        said.starts_with("ServiceAccount shop/deployer doesn't exist: create it"),
        "{said}"
    );
}

#[tokio::test(start_paused = true)]
async fn no_binding_names_the_account() {
    let mut world = World::new().await;
    let rbac = "rbac.authorization.k8s.io/v1";
    world
        .cluster
        .delete(rbac, "RoleBinding", "shop", "deployer")
        .unwrap();
    let said = refusal(&mut world, "RBACDenied", &config_map("b", "1")).await;
    assert!(
        said.starts_with("stage app: ServiceAccount shop/deployer has no rights at all"),
        "{said}"
    );
    assert!(said.contains(MAPS), "{said}");
}

#[tokio::test(start_paused = true)]
async fn the_rights_are_too_narrow() {
    let mut world = World::new().await;
    world.grant(
        "shop",
        "deployer",
        &json!([{ "apiGroups": [""], "resources": [MAPS], "verbs": ["*"] }]),
    );
    let service =
        "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n";
    let said = refusal(&mut world, "RBACDenied", service).await;
    let lacks = "stage app: ServiceAccount shop/deployer lacks in namespace shop: create/get/patch \
                 services (web)";
    assert!(said.starts_with(lacks), "{said}");
    assert!(!said.contains(MAPS), "{said}");
    for told in [
        "nothing of this stage was written",
        "stagesetctl why web -n shop",
    ] {
        assert!(said.contains(told), "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_release_grants_more_than_its_account_has() {
    let mut world = World::new().await;
    // Not the verb `*` on roles: it holds `escalate`.
    world.grant(
        "shop",
        "deployer",
        &json!([
            { "apiGroups": [""], "resources": [MAPS], "verbs": ["*"] },
            { "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"],
              "verbs": ["get", "create", "patch", "update"] },
            { "apiGroups": [""], "resources": ["secrets"], "verbs": ["get"] },
        ]),
    );
    let said = refusal(&mut world, "RBACDenied", &role("get, list")).await;
    assert!(said.contains("escalation prevention: "), "{said}");
    assert!(said.contains("permissions not currently held"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_quota_is_exhausted() {
    let mut world = World::new().await;
    world.apply(&json!({
        "apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": { "namespace": "shop", "name": "little" },
        "spec": { "hard": { "services": "0" } },
    }));
    // Its controller counts what there is; until then nothing is refused.
    tokio::time::sleep(Duration::from_secs(5)).await;
    world.cluster.settle();
    let service =
        "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n";
    let said = refusal(&mut world, "StageFailed", service).await;
    assert!(said.contains("quota: "), "{said}");
    assert!(said.contains("exceeded quota: little"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn admission_says_no() {
    let mut world = World::new().await;
    world.apply(&json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": { "name": "policy" },
        "webhooks": [{
            "name": "services.example.org", "failurePolicy": "Fail", "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "clientConfig": { "url": "https://policy.example.org/" },
            "rules": [{ "apiGroups": [""], "apiVersions": ["v1"], "resources": ["services"],
                        "operations": ["CREATE", "UPDATE"] }],
        }],
    }));
    world.cluster.with_server(|server| {
        server.serve_webhook("https://policy.example.org/", |review: &Value| {
            Ok(json!({
                "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                "response": {
                    "uid": review["request"]["uid"], "allowed": false,
                    "status": { "code": 403, "message": "no Services on Fridays" },
                },
            }))
        });
    });
    let service =
        "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n";
    let said = refusal(&mut world, "StageFailed", service).await;
    assert!(said.contains("admission: admission webhook"), "{said}");
    assert!(said.contains("no Services on Fridays"), "{said}");
}
