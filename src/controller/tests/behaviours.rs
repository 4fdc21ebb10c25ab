//! Dependencies, regressions, ledgers and gates, in the running loop.

use std::time::Duration;

use serde_json::json;
use stageset_controller::Options;
use tokio::time::sleep;

use crate::harness::{World, config_map, deployment, within};

#[tokio::test(start_paused = true)]
async fn an_object_that_stops_being_ready_is_noticed_at_once_where_the_tenant_may_watch() {
    let world = World::new().await;
    world.tenant("payments", &["*"]);
    let files = [("b.yaml", &*deployment("app", "ready-after=1s"))];
    world.source("payments", "app", &files);
    world.stage_set("payments", "shop", &["app"]);
    let controller = world.controller(Options::default());
    world
        .until_ready_says("payments", "shop", "True Succeeded")
        .await;
    sleep(Duration::from_secs(60)).await;
    // Its pods died: nobody touched what is wanted of it.
    let down = json!({ "availableReplicas": 0, "readyReplicas": 0, "unavailableReplicas": 1 });
    world
        .cluster
        .patch_status("apps/v1", "Deployment", "payments", "app", &down)
        .unwrap();
    let noticed = || world.ready("payments", "shop") == "False StageProgressing";
    assert!(
        within(Duration::from_secs(2), noticed).await,
        "{}",
        world.ready("payments", "shop")
    );
    controller.stop().await.unwrap();
}

/// What people write into a ledger is acted on at once: with an interval of an hour, only the watch
/// can tell.
#[tokio::test(start_paused = true)]
async fn a_baseline_and_a_reset_of_the_ledger_are_acted_on_at_once() {
    let world = World::new().await;
    world.tenant("payments", &["*"]);
    let files = [("a.yaml", &*config_map("settings", "1"))];
    world.source("payments", "app", &files);
    let switch = |on: &str| {
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": { "on": on },
                "metadata": { "name": "switch", "namespace": "payments" } })
    };
    let is_on = || {
        let found = world.cluster.get("v1", "ConfigMap", "payments", "switch");
        found.unwrap_or_default()["data"]["on"] == "yes"
    };
    world.put(&switch("no"));
    let ledger = |spec: serde_json::Value| {
        json!({ "apiVersion": "stages.metio.wtf/v1", "kind": "StageLedger", "spec": spec,
                "metadata": { "name": "shop", "namespace": "payments" } })
    };
    let asserted = json!({ "baseline": [{ "stage": "app", "action": "once" }] });
    world.put(&ledger(asserted));
    let mut set = crate::harness::stage_set("payments", "shop", &["app"]);
    set["spec"]["interval"] = json!("1h");
    set["spec"]["stages"][0]["actions"] = json!({ "pre": [{
        "name": "once", "scope": "Lifetime",
        "patch": { "target": { "kind": "ConfigMap", "name": "switch" }, "patch": "data: {on: 'yes'}" },
    }] });
    world.put(&set);
    let controller = world.controller(Options::default());
    world
        .until_ready_says("payments", "shop", "True Succeeded")
        .await;
    assert!(!is_on(), "its baseline says that it is done");
    sleep(Duration::from_secs(60)).await;

    // The two writes of `stagesetctl reset-ledger`.
    let (version, kind) = ("stages.metio.wtf/v1", "StageLedger");
    let emptied = json!({ "spec": { "baseline": [] } });
    world
        .cluster
        .patch(version, kind, "payments", "shop", &emptied)
        .unwrap();
    let forgotten = json!({ "completedActions": [] });
    world
        .cluster
        .patch_status(version, kind, "payments", "shop", &forgotten)
        .unwrap();
    assert!(within(Duration::from_secs(3), is_on).await, "it runs, once");
    let ready = || world.ready("payments", "shop") == "True Succeeded";
    assert!(within(Duration::from_secs(3), ready).await);
    world.put(&switch("no"));
    sleep(Duration::from_secs(2 * 3600)).await;
    assert!(!is_on(), "and never again");
    let steady = world
        .requests()
        .iter()
        .filter(|record| record.resource == "stageledgers" && record.verb == "get")
        .count();
    sleep(Duration::from_secs(2 * 3600)).await;
    let later = world
        .requests()
        .iter()
        .filter(|record| record.resource == "stageledgers" && record.verb == "get")
        .count();
    assert_eq!(
        later, steady,
        "a ledger that is watched isn't read at every tick"
    );
    controller.stop().await.unwrap();
}

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
