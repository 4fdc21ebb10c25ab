//! What left the release is deleted, and only that.

use std::time::Duration;

use stageset_core::object::Owner;

use crate::world::{shop, stage};

const MINUTE: Duration = Duration::from_secs(60);
const DEPLOYER: &str = "system:serviceaccount:payments:deployer";

#[test]
fn dropped_objects_go_after_the_last_stage_is_ready() {
    let mut world = shop();
    world.settle(MINUTE);
    world.publish("config", "r2", &["Deployment/cache=2"]);
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded");
    assert!(world.object("ConfigMap", "settings").is_none());
    let deleted = world
        .done
        .iter()
        .find(|d| d.what.starts_with("delete"))
        .unwrap();
    assert!(deleted.at >= world.object("Deployment", "cache").unwrap().ready_at);
    assert!(
        world
            .inventories
            .values()
            .all(|i| i.entries.keys().all(|key| key.name != "settings"))
    );
}

#[test]
fn nothing_is_pruned_while_a_stage_is_not_ready() {
    let mut world = shop();
    world.settle(MINUTE);
    world
        .slow
        .insert("Deployment".into(), Duration::from_secs(3600));
    world.publish("config", "r2", &["Deployment/cache=2"]);
    world.settle(MINUTE);
    assert!(world.object("ConfigMap", "settings").is_some());
    assert!(
        world
            .inventories
            .values()
            .any(|i| i.entries.keys().any(|key| key.name == "settings"))
    );
}

#[test]
fn an_entry_stays_until_its_object_was_seen_to_be_gone() {
    let mut world = shop();
    world.settle(MINUTE);
    world.sticky.insert("settings".into());
    world.publish("config", "r2", &["Deployment/cache=1"]);
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded");
    assert!(
        world.message().contains("waiting for 1 deleted object"),
        "{}",
        world.message()
    );
    let held = |world: &crate::world::World| {
        world
            .inventories
            .values()
            .any(|i| i.entries.keys().any(|key| key.name == "settings"))
    };
    assert!(held(&world), "D1");
    assert_eq!(
        world.done_with("delete").len(),
        1,
        "deleted once, then waited"
    );
    world.objects.retain(|key, _| key.name != "settings");
    world.settle(MINUTE);
    assert!(!held(&world));
    assert!(!world.message().contains("waiting"), "{}", world.message());
}

#[test]
fn i8_foreign_kept_and_recreated_objects_are_left_alone() {
    let mut world = shop();
    world.publish(
        "config",
        "r1",
        &[
            "ConfigMap/taken=1",
            "ConfigMap/kept=keep",
            "ConfigMap/recreated=1",
            "Deployment/cache=1",
        ],
    );
    world.settle(MINUTE);
    for (key, stored) in &mut world.objects {
        match key.name.as_str() {
            "taken" => {
                stored.owner = Some(Owner {
                    namespace: "x".into(),
                    name: "y".into(),
                });
            }
            "recreated" => stored.uid = "another".into(),
            _ => {}
        }
    }
    world.publish("config", "r2", &["Deployment/cache=1"]);
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    assert!(
        world.done_with("delete").is_empty(),
        "{:?}",
        world.done_with("delete")
    );
    assert_eq!(world.objects.len(), 6);
    assert!(world.inventories.values().all(|i| i.entries.len() <= 2));
}

#[test]
fn prune_false_keeps_objects_and_lets_them_go() {
    let mut world = shop();
    world.edit_spec(|spec| spec.stages[0].prune = false);
    world.settle(MINUTE);
    world.publish("config", "r2", &["Deployment/cache=1"]);
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded");
    assert!(world.object("ConfigMap", "settings").is_some());
}

#[test]
fn a_removed_stage_is_torn_down_as_the_account_that_applied_it() {
    let mut world = shop();
    world.accounts.insert("old".into());
    world.edit_spec(|spec| {
        spec.stages.push(stage("extra", "extra"));
        spec.stages[2].service_account =
            Some(stageset_core::names::ServiceAccountName::new("old").unwrap());
    });
    world.publish("extra", "r1", &["ConfigMap/extra=1"]);
    world.settle(MINUTE);
    world.edit_spec(|spec| {
        spec.stages.pop();
    });
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded");
    assert!(world.object("ConfigMap", "extra").is_none());
    let deleted = world
        .done
        .iter()
        .find(|d| d.what.starts_with("delete"))
        .unwrap();
    assert_eq!(
        deleted.identity.as_deref(),
        Some("system:serviceaccount:payments:old")
    );
    assert_eq!(world.inventories.len(), 2);
    assert_eq!(world.status.stages.len(), 2);
}

#[test]
fn a_prune_that_is_denied_is_told_and_heals() {
    let mut world = shop();
    world.settle(MINUTE);
    world
        .denied
        .insert((DEPLOYER.into(), "delete".into(), "ConfigMap".into()));
    world.publish("config", "r2", &["Deployment/cache=1"]);
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False RBACDenied");
    assert!(
        world.message().contains("payments/settings"),
        "{}",
        world.message()
    );
    assert_ne!(world.status.last_applied_revisions["payments/config"], "r2");
    world.denied.clear();
    world.settle(Duration::from_secs(90));
    assert_eq!(world.ready(), "True Succeeded");
    assert!(world.object("ConfigMap", "settings").is_none());
}

#[test]
fn a_lost_inventory_is_rebuilt_without_pruning_on_a_guess() {
    let mut world = shop();
    world.settle(MINUTE);
    world.inventories.clear();
    world.crash();
    world.publish("config", "r2", &["Deployment/cache=1"]);
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded");
    assert!(
        world.object("ConfigMap", "settings").is_some(),
        "deleted on a guess"
    );
    assert!(
        world
            .events
            .iter()
            .any(|(reason, _)| reason == "InventoryReconstructed")
    );
}
