//! As whom, and never otherwise.

use std::time::Duration;

use serde_json::json;
use stageset_cluster::{End, Wake};

use crate::world::{TENANT, World, config_map, tenant_plane};

#[tokio::test(start_paused = true)]
async fn s03_s07_a_missing_right_stops_the_release_and_granting_it_heals_it() {
    let mut world = World::new().await;
    world.grant(
        "shop",
        "deployer",
        &json!([{ "apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"] }]),
    );
    world.publish("app", "r1", &[("a.yaml", &config_map("settings", "one"))]);
    world.stage_set("web", &["app"]);
    world
        .run_until("web", Duration::from_secs(60), |world| {
            world.ready("web") == "False RBACDenied"
        })
        .await;
    assert!(world.config_map("settings").is_none());
    let message = world.message("web");
    assert!(
        message.contains("configmaps") && message.contains("deployer"),
        "{message}"
    );
    for record in tenant_plane(&world.requests()) {
        assert_eq!(record.impersonated.as_deref(), Some(TENANT), "{record:?}");
    }

    world.grant(
        "shop",
        "deployer",
        &json!([{ "apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"] }]),
    );
    // K10: within 60 s, without touching the StageSet.
    world
        .run_until("web", Duration::from_secs(60), |world| {
            world.ready("web") == "True Succeeded"
        })
        .await;
    assert!(world.config_map("settings").is_some());
}

#[tokio::test(start_paused = true)]
async fn s06_s08_attack_a04_without_an_account_not_one_tenant_plane_request_is_made() {
    let mut world = World::new().await;
    world.publish("app", "r1", &[("a.yaml", &config_map("settings", "one"))]);
    world.apply(&json!({
        "apiVersion": "stages.metio.wtf/v1", "kind": "StageSet",
        "metadata": { "namespace": "shop", "name": "web" },
        "spec": { "stages": [{ "name": "app", "sourceRef": { "name": "app" } }] },
    }));
    for _ in 0..5 {
        world
            .pass(
                "web",
                Wake {
                    refresh: true,
                    hints: Vec::new(),
                },
            )
            .await;
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    assert!(
        world.ready("web").starts_with("False"),
        "{}",
        world.ready("web")
    );
    assert!(
        world.message("web").contains("serviceAccountName"),
        "{}",
        world.message("web")
    );
    assert_eq!(
        tenant_plane(&world.requests()),
        Vec::<&stageset_sim::AuditRecord>::new()
    );
    assert!(world.artifacts.fetched.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_absent_account_is_refused_although_the_api_server_would_impersonate_it() {
    let mut world = World::new().await;
    world
        .cluster
        .delete("v1", "ServiceAccount", "shop", "deployer")
        .unwrap();
    world.publish("app", "r1", &[("a.yaml", &config_map("settings", "one"))]);
    world.stage_set("web", &["app"]);
    world
        .run_until("web", Duration::from_secs(60), |world| {
            world.ready("web") == "False RBACDenied"
        })
        .await;
    assert_eq!(
        tenant_plane(&world.requests()),
        Vec::<&stageset_sim::AuditRecord>::new()
    );
    world.account("shop", "deployer");
    world.until_ready("web").await;
}

#[tokio::test(start_paused = true)]
async fn s07_a_release_that_asks_for_more_than_its_account_may_writes_none_of_it() {
    let mut world = World::new().await;
    world.grant(
        "shop",
        "deployer",
        &json!([{ "apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"] }]),
    );
    let role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: mine\nrules: []\n";
    world.publish(
        "app",
        "r1",
        &[("a.yaml", &config_map("settings", "one")), ("b.yaml", role)],
    );
    world.stage_set("web", &["app"]);
    world
        .run_until("web", Duration::from_secs(60), |world| {
            world.ready("web") == "False RBACDenied"
        })
        .await;
    let created = world
        .cluster
        .get("rbac.authorization.k8s.io/v1", "ClusterRole", "", "mine");
    assert!(created.is_none());
}

#[tokio::test(start_paused = true)]
async fn the_objects_of_another_stage_set_are_not_taken() {
    let mut world = World::new().await;
    world.publish("app", "r1", &[("a.yaml", &config_map("settings", "one"))]);
    world.publish("rival", "r1", &[("a.yaml", &config_map("settings", "two"))]);
    world.stage_set("web", &["app"]);
    world.until_ready("web").await;
    world.stage_set("rival", &["rival"]);
    let pass = world.pass("rival", Wake::default()).await;
    assert!(matches!(pass.next, End::Hold { .. }));
    assert!(
        world.message("rival").contains("shop/web"),
        "{}",
        world.message("rival")
    );
    assert_eq!(world.config_map("settings").unwrap()["data"]["key"], "one");
}
