//! Ways in which a StageSet's world ends, and what must not be lost with it.

use std::time::Duration;

use serde_json::json;
use stageset_controller::Options;

use crate::harness::{World, config_map};

const EVERYTHING: &[&str] = &["*"];
const OURS: &str = "stages.metio.wtf/v1";

/// A release in `payments` with an object there and one in `elsewhere`, where its account may do
/// everything as well.
async fn release_with_an_object_elsewhere() -> World {
    let world = World::new().await;
    world.tenant("payments", EVERYTHING);
    world.tenant("elsewhere", EVERYTHING);
    let rbac = "rbac.authorization.k8s.io";
    world.put(&json!({
        "apiVersion": format!("{rbac}/v1"), "kind": "RoleBinding",
        "metadata": { "name": "guest", "namespace": "elsewhere" },
        "roleRef": { "apiGroup": rbac, "kind": "Role", "name": "deployer" },
        "subjects": [{ "kind": "ServiceAccount", "name": "deployer", "namespace": "payments" }],
    }));
    let outside = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "outside", "namespace": "elsewhere" }, "data": { "key": "1" },
    });
    let files = [
        ("inside.yaml", &*config_map("inside", "1")),
        ("outside.yaml", &*outside.to_string()),
    ];
    world.source("payments", "app", &files);
    world.stage_set("payments", "shop", &["app"]);
    world
}

fn exists(world: &World, kind: &str, namespace: &str, name: &str) -> bool {
    world.cluster.get("v1", kind, namespace, name).is_some()
}

#[tokio::test(start_paused = true)]
async fn d1_k21_a_namespace_that_goes_takes_no_inventory_before_its_objects_elsewhere() {
    let world = release_with_an_object_elsewhere().await;
    let controller = world.controller(Options::default());
    world
        .until_ready_says("payments", "shop", "True Succeeded")
        .await;
    // Somebody else's finalizer keeps the account for a while: whatever goes first, nothing is lost.
    let held = json!({ "metadata": { "finalizers": ["example.com/slow"] } });
    world
        .cluster
        .patch("v1", "ServiceAccount", "payments", "deployer", &held)
        .unwrap();
    world
        .cluster
        .delete("v1", "Namespace", "", "payments")
        .unwrap();
    world
        .until("the object elsewhere is deleted", || {
            !exists(&world, "ConfigMap", "elsewhere", "outside")
        })
        .await;
    let asked_by = world
        .requests()
        .into_iter()
        .find(|r| r.verb == "delete" && r.namespace == "elsewhere")
        .and_then(|r| r.impersonated);
    assert_eq!(
        asked_by.as_deref(),
        Some("system:serviceaccount:payments:deployer")
    );
    let freed = json!({ "metadata": { "finalizers": null } });
    world
        .cluster
        .patch("v1", "ServiceAccount", "payments", "deployer", &freed)
        .unwrap();
    world
        .until("the namespace is gone", || {
            !exists(&world, "Namespace", "", "payments")
        })
        .await;
    controller.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn k21_without_its_account_what_is_left_elsewhere_is_told_until_the_bound() {
    let world = release_with_an_object_elsewhere().await;
    let options = Options {
        max_teardown_wait: Duration::from_secs(600),
        ..Options::default()
    };
    let controller = world.controller(options);
    world
        .until_ready_says("payments", "shop", "True Succeeded")
        .await;
    world
        .cluster
        .delete("v1", "Namespace", "", "payments")
        .unwrap();
    world
        .until_ready_says("payments", "shop", "False RBACDenied")
        .await;
    let stage_set = world.get_stage_set("payments", "shop").unwrap();
    let said = stage_set["status"]["conditions"][0]["message"].to_string();
    assert!(said.contains("payments/deployer doesn't exist"), "{said}");
    tokio::time::sleep(Duration::from_secs(500)).await;
    assert!(
        exists(&world, "Namespace", "", "payments"),
        "before the bound"
    );
    let inventories = world.cluster.list(OURS, "StageInventory", "payments");
    assert_eq!(
        inventories.len(),
        1,
        "what is left to delete is still known"
    );
    world
        .until("the bound ends it", || {
            !exists(&world, "Namespace", "", "payments")
        })
        .await;
    assert!(exists(&world, "ConfigMap", "elsewhere", "outside"));
    controller.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn inventories_of_a_stage_set_whose_finalizer_was_stripped_by_hand_hold_up_nobody() {
    for running in [true, false] {
        let world = release_with_an_object_elsewhere().await;
        let first = world.controller(Options::default());
        world
            .until_ready_says("payments", "shop", "True Succeeded")
            .await;
        let mut controller = Some(first);
        if !running && let Some(first) = controller.take() {
            first.stop().await.unwrap();
        }
        let stripped = json!({ "metadata": { "finalizers": null } });
        world
            .cluster
            .patch(OURS, "StageSet", "payments", "shop", &stripped)
            .unwrap();
        world
            .cluster
            .delete(OURS, "StageSet", "payments", "shop")
            .unwrap();
        let controller = controller.unwrap_or_else(|| world.controller(Options::default()));
        world
            .until("its inventories are gone", || {
                world
                    .cluster
                    .list(OURS, "StageInventory", "payments")
                    .is_empty()
            })
            .await;
        controller.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_inventory_of_a_living_release_survives_whoever_deletes_it() {
    let world = release_with_an_object_elsewhere().await;
    let controller = world.controller(Options::default());
    world
        .until_ready_says("payments", "shop", "True Succeeded")
        .await;
    let names = || -> Vec<String> {
        let inventories = world.cluster.list(OURS, "StageInventory", "payments");
        let name = |object: &serde_json::Value| object["metadata"]["name"].to_string();
        inventories.iter().map(name).collect()
    };
    let first = names();
    let entries = || {
        let inventories = world.cluster.list(OURS, "StageInventory", "payments");
        let of =
            |object: &serde_json::Value| object["spec"]["entries"].as_array().map_or(0, Vec::len);
        inventories.iter().map(of).sum::<usize>()
    };
    let name = first[0].trim_matches('"').to_owned();
    world
        .cluster
        .delete(OURS, "StageInventory", "payments", &name)
        .unwrap();
    world
        .until("its entries stand elsewhere", || {
            assert!(entries() >= 2, "an entry was lost");
            !names().is_empty() && names().iter().all(|name| !first.contains(name))
        })
        .await;
    controller.stop().await.unwrap();
}
