//! StageSets that somebody else wrote, edited, or broke.

use std::time::Duration;

use serde_json::json;
use stageset_cluster::abandoned::let_go;
use stageset_cluster::{StageSetKey, Wake};

use crate::world::{World, config_map};

#[tokio::test(start_paused = true)]
async fn what_others_wrote_into_the_status_stays() {
    let mut world = World::new().await;
    world.publish("app", "r1", &[("a.yaml", &config_map("settings", "one"))]);
    world.stage_set("web", &["app"]);
    let written = json!({
        "version": "1.2.3",
        "lastAttemptedRevisions": { "shop/gone": "r0" },
        "stages": [{ "name": "app", "phase": "Ready", "executedActions": ["migrate"] }],
        "conditions": [{
            "type": "Audited", "status": "True", "reason": "Yes", "message": "",
            "lastTransitionTime": "2026-11-23T11:00:00Z",
        }],
    });
    world
        .cluster
        .patch_status("stages.metio.wtf/v1", "StageSet", "shop", "web", &written)
        .unwrap();
    world.until_ready("web").await;
    let status = world.object("web").unwrap()["status"].clone();
    assert_eq!(status["version"], "1.2.3");
    assert_eq!(status["stages"][0]["executedActions"], json!(["migrate"]));
    assert_eq!(status["conditions"][0]["type"], "Audited");
    assert_eq!(
        status["lastAttemptedRevisions"],
        json!({ "shop/app": "r1" })
    );
}

#[tokio::test(start_paused = true)]
async fn attack_a13_an_inventory_that_others_planted_deletes_nothing() {
    let mut world = World::new().await;
    world.publish("app", "r1", &[("a.yaml", &config_map("settings", "one"))]);
    world.apply(&json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "namespace": "shop", "name": "precious" }, "data": { "key": "mine" },
    }));
    let uid = world.stage_set("web", &["app"])["metadata"]["uid"].clone();
    world.apply(&json!({
        "apiVersion": "stages.metio.wtf/v1", "kind": "StageInventory",
        "metadata": {
            "namespace": "shop", "name": "planted",
            "labels": {
                "stages.metio.wtf/stage-set": "web", "stages.metio.wtf/stage": "app",
                "stages.metio.wtf/shard": "0",
            },
            "ownerReferences": [{
                "apiVersion": "stages.metio.wtf/v1", "kind": "StageSet", "name": "web", "uid": uid,
            }],
        },
        "spec": { "entries": [{ "id": "shop_precious__ConfigMap", "v": "v1" }] },
    }));
    world.until_ready("web").await;
    assert!(world.config_map("precious").is_some());
    assert_eq!(
        world.inventories().len(),
        1,
        "the planted one is replaced by ours"
    );
}

#[tokio::test(start_paused = true)]
async fn a_stage_set_that_is_replaced_under_its_name_is_another() {
    let mut world = World::new().await;
    world.publish("app", "r1", &[("a.yaml", &config_map("settings", "one"))]);
    world.stage_set("web", &["app"]);
    world.until_ready("web").await;
    // Somebody takes the finalizer off and deletes it: its objects stay.
    let patch = json!({ "metadata": { "finalizers": null } });
    world
        .cluster
        .patch("stages.metio.wtf/v1", "StageSet", "shop", "web", &patch)
        .unwrap();
    world
        .cluster
        .delete("stages.metio.wtf/v1", "StageSet", "shop", "web")
        .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.stage_set("web", &["app"]);
    // The first one's inventory stands in the way until it is let go, as the controller does.
    let key = StageSetKey::new("shop", "web");
    assert_eq!(let_go(&world.ports, &key).await, Ok(1));
    world.until_ready("web").await;
    assert_eq!(world.inventories().len(), 1);
    assert_eq!(let_go(&world.ports, &key).await, Ok(0), "this one lives");
}

#[tokio::test(start_paused = true)]
async fn a_spec_that_breaks_rules_is_parked_with_all_of_them_and_a_fix_heals_it() {
    let mut world = World::new().await;
    world.publish("app", "r1", &[("a.yaml", &config_map("settings", "one"))]);
    world.apply(&json!({
        "apiVersion": "stages.metio.wtf/v1", "kind": "StageSet",
        "metadata": { "namespace": "shop", "name": "web" },
        "spec": {
            "serviceAccountName": "deployer",
            "stages": [
                { "name": "app", "sourceRef": { "name": "app" }, "path": "../up" },
                { "name": "app", "sourceRef": { "name": "app" }, "promotion": { "soak": "1h" } },
            ],
        },
    }));
    let pass = world.pass("web", Wake::default()).await;
    assert_eq!(
        world.ready("web"),
        "False InvalidSpec",
        "{:?}\n{}",
        pass.next,
        world.log.text()
    );
    let message = world.message("web");
    assert!(message.contains("stages[1].promotion"), "{message}");
    world.stage_set("web", &["app"]);
    world.until_ready("web").await;
}
