//! Releases to remote clusters: two simulated ones, and servers that behave badly.

use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};
use stageset_sim::{AuditRecord, SimulatedCluster, User};

use crate::world::{CONTROLLER, Clusters, START, Server, TENANT, World, config_map, kubeconfig};

const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const CANARY: &str = "canary-token-5e7";
/// Whoever the kubeconfig is, there.
const DELIVERER: &str = "system:serviceaccount:ops:deliverer";

/// A cluster with namespace `shop`, where kubeconfigs may impersonate `shop:deployer`, who may do
/// everything in `shop`.
pub(crate) async fn remote_cluster() -> SimulatedCluster {
    let cluster = SimulatedCluster::new(START.parse().unwrap(), 8);
    let rbac = "rbac.authorization.k8s.io";
    let role = |name: &str, rules: Value| json!({ "apiVersion": format!("{rbac}/v1"), "kind": "ClusterRole", "metadata": { "name": name }, "rules": rules });
    for object in [
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop" } }),
        role(
            "impersonate",
            json!([{ "apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["impersonate"] }]),
        ),
        json!({
            "apiVersion": format!("{rbac}/v1"), "kind": "ClusterRoleBinding", "metadata": { "name": "deliverer" },
            "roleRef": { "apiGroup": rbac, "kind": "ClusterRole", "name": "impersonate" },
            "subjects": [{ "kind": "ServiceAccount", "namespace": "ops", "name": "deliverer" }],
        }),
        json!({
            "apiVersion": format!("{rbac}/v1"), "kind": "RoleBinding",
            "metadata": { "namespace": "shop", "name": "deployer" },
            "roleRef": { "apiGroup": rbac, "kind": "ClusterRole", "name": "edit" },
            "subjects": [{ "kind": "ServiceAccount", "namespace": "shop", "name": "deployer" }],
        }),
    ] {
        cluster.apply_yaml_value(&object).unwrap();
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    cluster.settle();
    cluster
}

fn deliverer() -> User {
    User::new(
        DELIVERER,
        &["system:serviceaccounts", "system:serviceaccounts:ops"],
    )
}

pub(crate) fn as_server(cluster: &SimulatedCluster) -> Server {
    Server::Cluster(cluster.clone(), [(CANARY.to_owned(), deliverer())].into())
}

pub(crate) fn secret(world: &World, name: &str, key: &str, value: &str) {
    let value = base64::engine::general_purpose::STANDARD.encode(value);
    world.apply(&json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "namespace": "shop", "name": name },
        "data": { key: value },
    }));
}

/// StageSet `web` with one stage, delivered by a kubeconfig.
fn abroad(world: &World, kube_config: &Value) {
    world.publish("app", "r1", &[("a.yaml", &config_map("settings", "one"))]);
    world.apply(&json!({
        "apiVersion": "stages.metio.wtf/v1", "kind": "StageSet",
        "metadata": { "namespace": "shop", "name": "web" },
        "spec": {
            "serviceAccountName": "deployer", "kubeConfig": kube_config,
            "stages": [{ "name": "app", "sourceRef": { "name": "app" } }],
        },
    }));
}

pub(crate) fn by_secret(name: &str) -> Value {
    json!({ "secretRef": { "name": name } })
}

/// A world whose StageSet goes to cluster `eu`.
async fn delivered() -> (World, SimulatedCluster, Clusters) {
    let clusters = Clusters::default();
    let mut world = World::with_remotes(clusters.clone()).await;
    let eu = remote_cluster().await;
    clusters.put("eu.example", as_server(&eu));
    secret(
        &world,
        "prod-eu",
        "value",
        &kubeconfig("eu.example", CANARY),
    );
    abroad(&world, &by_secret("prod-eu"));
    world.until_ready("web").await;
    (world, eu, clusters)
}

pub(crate) fn of_deliverer(cluster: &SimulatedCluster) -> Vec<AuditRecord> {
    let audit = cluster.audit().into_iter();
    audit.filter(|record| record.user == DELIVERER).collect()
}

/// The tenant's world in the local cluster: nothing may be asked of it.
fn local_writes(world: &World) -> Vec<AuditRecord> {
    let requests = world.requests().into_iter();
    requests
        .filter(|record| record.impersonated.is_some() || record.resource == "configmaps")
        .collect()
}

/// Everything that anybody can see of a StageSet: status, events, inventories, and what the driver told.
fn visible(world: &World) -> String {
    let events = world.cluster.list("events.k8s.io/v1", "Event", "shop");
    format!(
        "{:?} {events:?} {:?} {}",
        world.object("web"),
        world.inventories(),
        world.log.text()
    )
}

#[tokio::test(start_paused = true)]
async fn s23_s25_s26_objects_go_there_as_the_account_and_the_secret_is_read_by_the_controller() {
    let (world, eu, _) = delivered().await;
    assert!(eu.get("v1", "ConfigMap", "shop", "settings").is_some());
    assert!(world.config_map("settings").is_none());
    assert_eq!(local_writes(&world), []);
    let there = of_deliverer(&eu);
    let writes: Vec<_> = there.iter().filter(|r| !r.resource.is_empty()).collect();
    assert!(!writes.is_empty());
    for record in writes {
        assert_eq!(record.impersonated.as_deref(), Some(TENANT), "{record:?}");
    }
    let secrets: Vec<AuditRecord> = world
        .requests()
        .into_iter()
        .filter(|record| record.resource == "secrets")
        .collect();
    assert!(!secrets.is_empty());
    for record in secrets {
        assert_eq!(
            (record.verb.as_str(), &record.impersonated),
            ("get", &None),
            "S30"
        );
        assert_eq!(record.user, CONTROLLER);
    }
    let inventory = &world.inventories()[0];
    assert!(
        inventory["spec"]["target"]
            .as_str()
            .unwrap()
            .starts_with("sha256:")
    );
    assert_eq!(inventory["spec"]["serviceAccountName"], "deployer");
    assert_eq!(
        inventory["metadata"]["annotations"]["stages.metio.wtf/kubeconfig"],
        "prod-eu/value"
    );
}

#[tokio::test(start_paused = true)]
async fn s24_another_key_is_read_when_it_is_named() {
    let clusters = Clusters::default();
    let mut world = World::with_remotes(clusters.clone()).await;
    let eu = remote_cluster().await;
    clusters.put("eu.example", as_server(&eu));
    secret(
        &world,
        "prod-eu",
        "admin.conf",
        &kubeconfig("eu.example", CANARY),
    );
    abroad(
        &world,
        &json!({ "secretRef": { "name": "prod-eu", "key": "admin.conf" } }),
    );
    world.until_ready("web").await;
    assert!(eu.get("v1", "ConfigMap", "shop", "settings").is_some());
}

#[tokio::test(start_paused = true)]
async fn s25_what_the_account_may_not_do_there_is_refused_there() {
    let (mut world, eu, _) = delivered().await;
    eu.delete(
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
        "shop",
        "deployer",
    )
    .unwrap();
    world.publish("app", "r2", &[("a.yaml", &config_map("settings", "two"))]);
    world
        .run_until("web", 2 * MINUTE, |world| {
            world.ready("web") == "False RBACDenied"
        })
        .await;
    assert_eq!(local_writes(&world), []);
    assert!(
        of_deliverer(&eu)
            .iter()
            .all(|r| r.resource.is_empty() || r.impersonated.is_some())
    );
}

#[tokio::test(start_paused = true)]
async fn s28_config_map_ref_is_refused_at_reconcile_too() {
    let mut world = World::with_remotes(Clusters::default()).await;
    world.publish("app", "r1", &[("a.yaml", &config_map("settings", "one"))]);
    world.stage_set("web", &["app"]);
    world.until_ready("web").await;
    // As if admission had been bypassed: this one never went through the schema.
    let mut object = world.object("web").unwrap();
    object["spec"]["kubeConfig"] = json!({ "configMapRef": { "name": "cloud" } });
    let before = world.requests().len();
    world.pass_of(object).await;
    assert_eq!(world.ready("web"), "False InvalidSpec");
    assert!(
        world
            .message("web")
            .contains("spec.kubeConfig.configMapRef")
    );
    for record in world.requests().into_iter().skip(before) {
        assert!(
            ["stagesets", "events"].contains(&record.resource.as_str()),
            "{record:?}"
        );
    }
}

/// Each way in which a Secret can be wrong: a sentence, nothing of it told, nothing done anywhere.
#[tokio::test(start_paused = true)]
async fn s27_s29_a17_wrong_secrets_are_said_and_nothing_happens() {
    let user = |user: &str| {
        kubeconfig("eu.example", CANARY).replace(&format!("{{token: {CANARY}}}"), user)
    };
    let cases = [
        (None, "doesn't exist"),
        (
            Some(("other", "x".to_owned())),
            "has nothing under key \"value\"",
        ),
        (
            Some(("value", String::new())),
            "has nothing under key \"value\"",
        ),
        (Some(("value", format!("a: [{CANARY}"))), "isn't YAML"),
        (Some(("value", format!("{CANARY}: 1"))), "it has no context"),
        (
            Some(("value", format!("a: {CANARY}\n---\nb: 1"))),
            "isn't a kubeconfig",
        ),
        (
            Some(("value", user(&format!("{{exec: {{command: {CANARY}}}}}")))),
            "no program is ever run",
        ),
        (
            Some(("value", user(&format!("{{tokenFile: /{CANARY}}}")))),
            "tokenFile names a file",
        ),
        (
            Some((
                "value",
                user(&format!("{{auth-provider: {{name: {CANARY}}}}}")),
            )),
            "auth-provider",
        ),
        (
            Some(("value", user(&format!("{{token: {CANARY}, as: {CANARY}}}")))),
            "its user has as",
        ),
    ];
    for (content, said) in cases {
        let clusters = Clusters::default();
        let mut world = World::with_remotes(clusters.clone()).await;
        let eu = remote_cluster().await;
        clusters.put("eu.example", as_server(&eu));
        if let Some((key, value)) = &content {
            secret(&world, "prod-eu", key, value);
        }
        abroad(&world, &by_secret("prod-eu"));
        world
            .run_until("web", MINUTE, |world| {
                world.ready("web") == "False StageFailed"
            })
            .await;
        assert!(
            world.message("web").contains(said),
            "{}",
            world.message("web")
        );
        assert!(!visible(&world).contains(CANARY), "{said}");
        assert_eq!(local_writes(&world), []);
        assert_eq!(of_deliverer(&eu), []);
        secret(
            &world,
            "prod-eu",
            "value",
            &kubeconfig("eu.example", CANARY),
        );
        world.until_ready("web").await;
        assert_eq!(local_writes(&world), []);
    }
}

#[tokio::test(start_paused = true)]
async fn attack_a21_nothing_of_a_kubeconfig_is_told_whatever_the_server_says() {
    for server in [
        Server::Says(
            403,
            format!("User \"x\" cannot do: token {CANARY} at eu.example refused"),
        ),
        Server::Says(500, CANARY.to_string()),
        Server::Says(200, CANARY.to_string()),
        Server::Says(401, format!("bad token {CANARY}")),
        Server::Says(302, CANARY.to_string()),
    ] {
        let clusters = Clusters::default();
        let mut world = World::with_remotes(clusters.clone()).await;
        clusters.put("eu.example", server);
        secret(
            &world,
            "prod-eu",
            "value",
            &kubeconfig("eu.example", CANARY),
        );
        abroad(&world, &by_secret("prod-eu"));
        world
            .run_until("web", 2 * MINUTE, |world| {
                world.ready("web").starts_with("False")
            })
            .await;
        let visible = visible(&world);
        assert!(
            !visible.contains(CANARY) && !visible.contains("eu.example"),
            "{visible}"
        );
        assert_eq!(local_writes(&world), []);
    }
}

#[tokio::test(start_paused = true)]
async fn a_renewed_secret_is_used_within_a_minute() {
    let (mut world, eu, clusters) = delivered().await;
    // The old token is no longer taken; the new one is.
    let server = Server::Cluster(
        eu.clone(),
        [("renewed-token".to_owned(), deliverer())].into(),
    );
    clusters.put("eu.example", server);
    secret(
        &world,
        "prod-eu",
        "value",
        &kubeconfig("eu.example", "renewed-token"),
    );
    world.publish("app", "r2", &[("a.yaml", &config_map("settings", "two"))]);
    world
        .run_until("web", 2 * MINUTE, |_| {
            let object = eu.get("v1", "ConfigMap", "shop", "settings").unwrap();
            object["data"]["key"] == "two"
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_is_said_and_its_renewal_heals() {
    let (mut world, eu, clusters) = delivered().await;
    let server = Server::Cluster(
        eu.clone(),
        [("renewed-token".to_owned(), deliverer())].into(),
    );
    clusters.put("eu.example", server);
    // Written anew, with the same token: another connection, which is refused.
    secret(&world, "prod-eu", "note", "x");
    secret(
        &world,
        "prod-eu",
        "value",
        &kubeconfig("eu.example", "expired-token"),
    );
    world.publish("app", "r2", &[("a.yaml", &config_map("settings", "two"))]);
    world
        .run_until("web", 3 * MINUTE, |world| {
            world.ready("web").starts_with("False")
        })
        .await;
    let message = world.message("web");
    assert!(
        message.contains("401") && message.contains("renew"),
        "{message}"
    );
    secret(
        &world,
        "prod-eu",
        "value",
        &kubeconfig("eu.example", "renewed-token"),
    );
    world.until_ready("web").await;
    assert_eq!(local_writes(&world), []);
}

/// A06, A27: a server that hangs, drips or fails for ever costs a bounded number of requests, and
/// nothing goes elsewhere.
#[tokio::test(start_paused = true)]
async fn attack_a27_a_hostile_server_harms_only_those_who_point_at_it() {
    for server in [
        Server::Silent,
        Server::Endless,
        Server::Says(503, "busy".to_owned()),
        Server::Says(401, "no".to_owned()),
        Server::Says(301, "elsewhere".to_owned()),
        Server::Says(200, "not a list".to_owned()),
    ] {
        let clusters = Clusters::default();
        let mut world = World::with_remotes(clusters.clone()).await;
        clusters.put("eu.example", server);
        secret(
            &world,
            "prod-eu",
            "value",
            &kubeconfig("eu.example", CANARY),
        );
        abroad(&world, &by_secret("prod-eu"));
        world
            .run_until("web", 5 * MINUTE, |world| {
                world.ready("web").starts_with("False")
            })
            .await;
        assert_eq!(local_writes(&world), []);
        // Another StageSet, whose objects are here, isn't held up.
        world.publish("near", "r1", &[("a.yaml", &config_map("near", "one"))]);
        world.stage_set("local", &["near"]);
        let begun = tokio::time::Instant::now();
        world.until_ready("local").await;
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{:?}",
            begun.elapsed()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_cluster_is_left_alone_after_three_tries() {
    let (mut world, eu, clusters) = delivered().await;
    drop(eu);
    clusters.put("eu.example", Server::Silent);
    secret(
        &world,
        "prod-eu",
        "value",
        &format!("{}# renewed\n", kubeconfig("eu.example", CANARY)),
    );
    world.publish("app", "r2", &[("a.yaml", &config_map("settings", "two"))]);
    world
        .run_until("web", 10 * MINUTE, |world| {
            world.message("web").contains("left alone")
        })
        .await;
    assert_eq!(world.ports.remotes.numbers().1, 1);
    // While it is, a pass takes no time.
    let begun = tokio::time::Instant::now();
    world.pass("web", stageset_cluster::Wake::default()).await;
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn attack_a29_a_release_that_moves_leaves_nothing_behind_and_deletes_nothing_of_others() {
    let (mut world, eu, clusters) = delivered().await;
    let us = remote_cluster().await;
    clusters.put("us.example", as_server(&us));
    secret(
        &world,
        "prod-us",
        "value",
        &kubeconfig("us.example", CANARY),
    );
    // Somebody else's object of the same name.
    us.apply_yaml_value(&json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "namespace": "shop", "name": "other" }, "data": { "key": "kept" },
    }))
    .unwrap();
    abroad(&world, &by_secret("prod-us"));
    world
        .run_until("web", 5 * MINUTE, |_| {
            us.get("v1", "ConfigMap", "shop", "settings").is_some()
        })
        .await;
    world.until_ready("web").await;
    assert!(eu.get("v1", "ConfigMap", "shop", "settings").is_none());
    assert!(us.get("v1", "ConfigMap", "shop", "other").is_some());
    // And home.
    abroad(&world, &Value::Null);
    world
        .run_until("web", 5 * MINUTE, |world| {
            world.config_map("settings").is_some()
        })
        .await;
    world.until_ready("web").await;
    assert!(us.get("v1", "ConfigMap", "shop", "settings").is_none());
    for record in of_deliverer(&us).iter().chain(&of_deliverer(&eu)) {
        assert!(record.resource.is_empty() || record.impersonated.as_deref() == Some(TENANT));
    }
    let inventory = &world.inventories()[0];
    assert_eq!(inventory["spec"].get("target"), None);
    assert_eq!(
        inventory["metadata"].pointer("/annotations/stages.metio.wtf~1kubeconfig"),
        None
    );
}
