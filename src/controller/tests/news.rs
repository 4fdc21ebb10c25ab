//! What wakes the controller: definitions, sources, accounts, watch scope.

use std::time::Duration;

use serde_json::json;
use stageset_controller::Options;
use stageset_core::names::Namespace;
use stageset_sim::User;
use tokio::time::{Instant, sleep};

use crate::harness::{World, config_map, stage_set, within};

#[tokio::test(start_paused = true)]
async fn without_our_definitions_it_waits_and_heals_by_itself() {
    let world = World::bare();
    let controller = world.controller(Options::default());
    // Just after one of the tries, which come every 30 s by then.
    sleep(Duration::from_secs(125)).await;
    let missing = controller.missing.borrow().clone();
    assert_eq!(
        missing,
        [
            "stageinventories.stages.metio.wtf/v1",
            "stageledgers.stages.metio.wtf/v1",
            "stagesets.stages.metio.wtf/v1"
        ],
        "readiness says what is missing"
    );

    world.install_ours();
    world.install_sources();
    world.until_established("stagesets.stages.metio.wtf").await;
    let begun = Instant::now();
    world.until("it is ready", || controller.is_ready()).await;
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "a definition that appears ends the pause"
    );
    world.tenant("payments", &["*"]);
    world.source("payments", "app", &[("a.yaml", &config_map("a", "1"))]);
    world.stage_set("payments", "shop", &["app"]);
    world
        .until_ready_says("payments", "shop", "True Succeeded")
        .await;
    controller.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn without_the_right_to_list_it_waits_and_heals_by_itself() {
    let world = World::new().await;
    let user = User::service_account("default", "controller");
    let controller = world.replica(Options::default(), user, None);
    sleep(Duration::from_secs(120)).await;
    assert!(!controller.is_ready());
    let rbac = "rbac.authorization.k8s.io";
    world.put(&json!({
        "apiVersion": format!("{rbac}/v1"), "kind": "ClusterRoleBinding",
        "metadata": { "name": "controller" },
        "roleRef": { "apiGroup": rbac, "kind": "ClusterRole", "name": "cluster-admin" },
        "subjects": [{ "kind": "ServiceAccount", "name": "controller", "namespace": "default" }],
    }));
    let ready = within(Duration::from_secs(35), || controller.is_ready()).await;
    assert!(ready, "a refused list is tried again within half a minute");
    controller.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn sources_are_engaged_on_first_reference_and_a_missing_one_heals_by_its_event() {
    let world = World::new().await;
    world.tenant("payments", &["*"]);
    let mut object = stage_set("payments", "shop", &["app"]);
    object["spec"]["interval"] = json!("2h");
    object["spec"]["retryInterval"] = json!("1h");
    let controller = world.controller(Options::default());
    world.until("it is ready", || controller.is_ready()).await;
    let watched = || {
        world
            .requests()
            .iter()
            .any(|r| r.verb == "watch" && r.resource == "externalartifacts")
    };
    sleep(Duration::from_secs(30)).await;
    assert!(!watched(), "nobody refers to it yet");

    world.put(&object);
    world
        .until_ready_says("payments", "shop", "False ArtifactNotFound")
        .await;
    world.until("sources are watched", watched).await;
    assert!(
        !world
            .requests()
            .iter()
            .any(|r| r.resource == "gitrepositories")
    );
    sleep(Duration::from_secs(60)).await;
    world.source("payments", "app", &[("a.yaml", &config_map("a", "1"))]);
    let healed = || world.ready("payments", "shop") == "True Succeeded";
    assert!(
        within(Duration::from_secs(5), healed).await,
        "{}",
        world.ready("payments", "shop")
    );
    controller.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_source_kind_that_is_not_installed_is_not_needed_for_readiness() {
    let world = World::bare();
    world.install_ours();
    world.until_established("stagesets.stages.metio.wtf").await;
    world.tenant("payments", &["*"]);
    world.stage_set("payments", "shop", &["app"]);
    let controller = world.controller(Options::default());
    world.until("it is ready", || controller.is_ready()).await;
    let failures = r#"stageset_watch_engagement_failures_total{gvk="source.toolkit.fluxcd.io/v1, Kind=ExternalArtifact"}"#;
    world
        .until("the failure is counted", || {
            controller.metrics.expose().contains(failures)
        })
        .await;
    assert!(controller.is_ready());
    world.install_sources();
    world
        .until_established("externalartifacts.source.toolkit.fluxcd.io")
        .await;
    world.source("payments", "app", &[("a.yaml", &config_map("a", "1"))]);
    world
        .until_ready_says("payments", "shop", "True Succeeded")
        .await;
    controller.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_account_that_appears_wakes_its_stage_sets() {
    let world = World::new().await;
    world.tenant("payments", &["*"]);
    world
        .cluster
        .delete("v1", "ServiceAccount", "payments", "deployer")
        .unwrap();
    world.source("payments", "app", &[("a.yaml", &config_map("a", "1"))]);
    world.stage_set("payments", "shop", &["app"]);
    let controller = world.controller(Options::default());
    world
        .until_ready_says("payments", "shop", "False RBACDenied")
        .await;
    sleep(Duration::from_secs(300)).await;
    world.account("payments");
    let healed = || world.ready("payments", "shop") == "True Succeeded";
    assert!(
        within(Duration::from_secs(3), healed).await,
        "{}",
        world.ready("payments", "shop")
    );
    controller.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn only_the_listed_namespaces_are_watched_and_served() {
    let world = World::new().await;
    for namespace in ["a", "b", "c"] {
        world.tenant(namespace, &["*"]);
        world.source(namespace, "app", &[("a.yaml", &config_map("a", "1"))]);
        world.stage_set(namespace, "shop", &["app"]);
    }
    let watch_namespaces = ["a", "b"]
        .map(|name| Namespace::new(name).unwrap())
        .to_vec();
    let controller = world.controller(Options {
        watch_namespaces,
        ..Options::default()
    });
    world.until_ready_says("a", "shop", "True Succeeded").await;
    world.until_ready_says("b", "shop", "True Succeeded").await;
    sleep(Duration::from_secs(1200)).await;
    assert_eq!(world.ready("c", "shop"), "");
    for request in world.requests() {
        // Reviews of one's own rights name their namespace inside.
        let cluster_wide = request.resource == "customresourcedefinitions"
            || request.resource.is_empty()
            || request.group == "authorization.k8s.io";
        assert!(
            cluster_wide || request.namespace == "a" || request.namespace == "b",
            "a request outside the list: {request:?}"
        );
    }
    controller.stop().await.unwrap();
}
