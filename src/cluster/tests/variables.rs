//! `postBuild` on the simulated API server: as whom variables are read, and where their values go.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::world::{CONTROLLER, TENANT, World, tenant_plane};

const CANARY: &str = "hunter2-canary";
const MANIFEST: &str = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: app\n  annotations:\n    region: \
                        ${region}\nstringData:\n  password: ${password}\n---\napiVersion: v1\n\
                        kind: ConfigMap\nmetadata:\n  name: script\n  annotations:\n    \
                        stages.metio.wtf/substitute: disabled\ndata:\n  run: echo ${password}\n";

fn secret(name: &str, data: &[(&str, &str)]) -> Value {
    let data: serde_json::Map<String, Value> = data
        .iter()
        .map(|(key, value)| ((*key).to_owned(), json!(STANDARD.encode(value))))
        .collect();
    json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "namespace": "shop", "name": name }, "data": data,
    })
}

/// A StageSet whose stage takes variables from ConfigMap `common`, then Secret `creds`.
async fn world() -> World {
    let world = World::new().await;
    world.publish("app", "r1", &[("a.yaml", MANIFEST)]);
    world.apply(&json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "namespace": "shop", "name": "common" },
        "data": { "region": "eu", "password": "from-the-config-map" },
    }));
    world.apply(&secret("creds", &[("password", CANARY)]));
    let mut set = world.stage_set("web", &["app"]);
    set["spec"]["stages"][0]["postBuild"] = json!({
        "substituteFrom": [
            { "kind": "ConfigMap", "name": "common" },
            { "kind": "Secret", "name": "creds" },
        ],
    });
    world.apply(&json!({
        "apiVersion": set["apiVersion"], "kind": set["kind"],
        "metadata": { "namespace": "shop", "name": "web" }, "spec": set["spec"],
    }));
    world
}

/// S30: read as the tenant, with the impersonation header, and by nobody else.
#[tokio::test(start_paused = true)]
async fn s30_variables_are_read_as_the_tenant() {
    let mut world = world().await;
    world.until_ready("web").await;
    let requests = world.requests();
    let reads: Vec<_> = requests
        .iter()
        .filter(|record| {
            record.verb == "get"
                && ["common", "creds"].contains(&record.name.as_str())
                && ["secrets", "configmaps"].contains(&record.resource.as_str())
        })
        .collect();
    assert_eq!(reads.len(), 2, "{reads:?}");
    for read in reads {
        assert_eq!(read.impersonated.as_deref(), Some(TENANT), "{read:?}");
    }
    let applied = world.cluster.get("v1", "Secret", "shop", "app").unwrap();
    assert_eq!(applied["data"]["password"], STANDARD.encode(CANARY));
    assert_eq!(applied["metadata"]["annotations"]["region"], "eu");
    // K15: the script stays as it was written.
    assert_eq!(
        world.config_map("script").unwrap()["data"]["run"],
        "echo ${password}"
    );
}

/// A03: the controller may get Secrets (for kubeconfigs), the tenant may not: it isn't read, and
/// nothing is written.
#[tokio::test(start_paused = true)]
async fn attack_a03_a_secret_that_the_tenant_cannot_read_is_not_read() {
    let mut world = world().await;
    world.grant(
        "shop",
        "deployer",
        &json!([
            { "apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"] },
            { "apiGroups": [""], "resources": ["secrets"], "verbs": ["create", "patch"] },
        ]),
    );
    world
        .run_until("web", Duration::from_secs(60), |world| {
            world.ready("web") == "False RBACDenied"
        })
        .await;
    let message = world.message("web");
    assert!(
        message.contains("postBuild.substituteFrom: Secret creds") && message.contains("deployer"),
        "{message}"
    );
    let requests = world.requests();
    for record in tenant_plane(&requests) {
        assert_eq!(record.impersonated.as_deref(), Some(TENANT), "{record:?}");
        assert!(record.verb == "get", "{record:?}");
    }
    assert!(world.cluster.get("v1", "Secret", "shop", "app").is_none());
    assert!(
        world.artifacts.fetched.lock().unwrap().is_empty(),
        "nothing is sent anywhere"
    );
    assert!(requests.iter().all(|record| record.user == CONTROLLER));
    // Granting the right heals it, with nothing else touched.
    world.grant(
        "shop",
        "deployer",
        &json!([{ "apiGroups": [""], "resources": ["configmaps", "secrets"], "verbs": ["*"] }]),
    );
    world.until_ready("web").await;
}

/// A21: the value goes into the object and nowhere else: no event, status, log line or plan.
#[tokio::test(start_paused = true)]
async fn attack_a21_a_substituted_secret_is_said_nowhere() {
    let mut world = world().await;
    world.until_ready("web").await;
    // A build that fails over the value, too: the list doesn't close.
    world.apply(&secret("creds", &[("password", &format!("[{CANARY}"))]));
    let broken = "apiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: w\nspec:\n  x: ${password}\n  \
                  y: ${missing}\n";
    world.publish("app", "r2", &[("a.yaml", broken)]);
    world
        .run_until("web", Duration::from_secs(900), |world| {
            world.ready("web") == "False StageFailed"
        })
        .await;
    let message = world.message("web");
    assert!(
        message.contains("Widget w, field spec.x: what the variables make of this begins with '['")
            && message.contains("Widget w, field spec.y: the variable missing is not set"),
        "{message}"
    );
    let mut said = format!("{}\n{}", world.log.text(), world.object("web").unwrap());
    for (api_version, kind) in [
        ("events.k8s.io/v1", "Event"),
        ("stages.metio.wtf/v1", "StageInventory"),
    ] {
        for object in world.cluster.list(api_version, kind, "shop") {
            said += &object.to_string();
        }
    }
    assert!(
        said.contains("substituteFrom"),
        "the log has something to search in"
    );
    assert!(!said.contains(CANARY), "the canary was said");
    assert!(
        !said.contains(&STANDARD.encode(CANARY)),
        "the canary was said in base64"
    );
}

#[tokio::test(start_paused = true)]
async fn a_key_that_cannot_be_a_variable_is_named() {
    let mut world = world().await;
    world.apply(&secret("creds", &[("tls.key", CANARY)]));
    world
        .run_until("web", Duration::from_secs(60), |world| {
            world.ready("web") == "False StageFailed"
        })
        .await;
    let message = world.message("web");
    assert!(
        message.contains("Secret creds: its key \"tls.key\" can't be the name of a variable"),
        "{message}"
    );
    assert!(!message.contains(CANARY));
}

/// A Secret that changes is found at the next interval tick, and its value applied.
#[tokio::test(start_paused = true)]
async fn a_changed_secret_is_applied() {
    let mut world = world().await;
    world.until_ready("web").await;
    world.apply(&secret("creds", &[("password", "second")]));
    world
        .run_until("web", Duration::from_secs(1300), |world| {
            let applied = world.cluster.get("v1", "Secret", "shop", "app").unwrap();
            applied["data"]["password"] == STANDARD.encode("second")
        })
        .await;
}

/// `stages[].patches`: over plain manifests and over a kustomization, before variables.
#[tokio::test(start_paused = true)]
async fn patches_of_a_stage_are_laid_over() {
    let manifest =
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  key: one\n";
    let kustomization = "resources: [a.yaml]\nnamePrefix: my-\npatches:\n- patch: |\n    apiVersion: v1\n    \
                         kind: ConfigMap\n    metadata: {name: settings}\n    data: {key: own}\n";
    for (files, name) in [
        (vec![("a.yaml", manifest)], "settings"),
        (
            vec![("a.yaml", manifest), ("kustomization.yaml", kustomization)],
            "my-settings",
        ),
    ] {
        let mut world = World::new().await;
        world.publish("app", "r1", &files);
        let mut set = world.stage_set("web", &["app"]);
        set["spec"]["stages"][0]["patches"] = json!([{
            "patch": "- op: replace\n  path: /data/key\n  value: ${v}\n",
            "target": { "kind": "ConfigMap" },
        }]);
        set["spec"]["stages"][0]["postBuild"] = json!({ "substitute": { "v": "patched" } });
        world.apply(&json!({
            "apiVersion": set["apiVersion"], "kind": set["kind"],
            "metadata": { "namespace": "shop", "name": "web" }, "spec": set["spec"],
        }));
        world.until_ready("web").await;
        assert_eq!(world.config_map(name).unwrap()["data"]["key"], "patched");
    }
}

/// A patch that can't be laid over names the stage and itself.
#[tokio::test(start_paused = true)]
async fn a_patch_that_does_not_fit_is_named() {
    let mut world = World::new().await;
    let manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n";
    world.publish("app", "r1", &[("a.yaml", manifest)]);
    let mut set = world.stage_set("web", &["app"]);
    set["spec"]["stages"][0]["patches"] = json!([{
        "patch": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settnigs\ndata: {a: b}\n",
    }]);
    world.apply(&json!({
        "apiVersion": set["apiVersion"], "kind": set["kind"],
        "metadata": { "namespace": "shop", "name": "web" }, "spec": set["spec"],
    }));
    world
        .run_until("web", Duration::from_secs(60), |world| {
            world.ready("web") == "False StageFailed"
        })
        .await;
    let message = world.message("web");
    assert!(
        message.contains("stage app") && message.contains("settnigs"),
        "{message}"
    );
}
