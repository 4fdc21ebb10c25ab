//! Dependencies and gates, in the running loop.

use std::time::Duration;

use serde_json::json;
use stageset_controller::Options;
use tokio::time::sleep;

use crate::harness::{World, config_map, within};

#[tokio::test(start_paused = true)]
async fn a_dependent_goes_on_in_the_moment_in_which_its_dependency_is_ready_across_namespaces() {
    let world = World::new().await;
    for namespace in ["data", "payments"] {
        world.tenant(namespace, &["*"]);
        let files = [("a.yaml", &*config_map("settings", "1"))];
        world.source(namespace, "app", &files);
    }
    world.stage_set("payments", "shop", &["app"]);
    world
        .cluster
        .patch(
            "stages.metio.wtf/v1",
            "StageSet",
            "payments",
            "shop",
            &json!({ "spec": { "interval": "1h", "dependsOn": [{ "name": "db", "namespace": "data" }] } }),
        )
        .unwrap();
    let controller = world.controller(Options::default());
    world
        .until_ready_says("payments", "shop", "False DependencyNotReady")
        .await;
    assert!(
        world
            .cluster
            .get("v1", "ConfigMap", "payments", "settings")
            .is_none()
    );
    sleep(Duration::from_secs(300)).await;
    let gate = controller.gate.ask("payments", "shop", "app");
    assert!(!gate.ready);
    world.stage_set("data", "db", &["app"]);
    let ready = |namespace: &str, name: &str| world.ready(namespace, name) == "True Succeeded";
    assert!(within(Duration::from_secs(30), || ready("data", "db")).await);
    assert!(
        within(Duration::from_secs(2), || ready("payments", "shop")).await,
        "{}",
        world.ready("payments", "shop")
    );
    let gate = controller.gate.ask("payments", "shop", "app");
    assert!(gate.ready, "{gate:?}");
    controller.stop().await.unwrap();
}
