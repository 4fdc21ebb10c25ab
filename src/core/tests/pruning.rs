//! What left the release is deleted, and only that.

use std::time::Duration;

use stageset_core::failure::Fact;
use stageset_core::identity::Target;
use stageset_core::names::StageName;
use stageset_core::object::{GroupVersionKind, Owner};
use stageset_core::observation::KindState;

use crate::world::{Stored, World, shop, stage};

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

/// Somebody made another object in the place of ours, the release took it over, and left it before it
/// was through (the trials found it: D1).
#[test]
fn what_was_taken_over_in_the_place_of_ours_goes_with_the_release_that_drops_it() {
    let mut world = shop();
    world.settle(MINUTE);
    let key = world.key("ConfigMap", "settings");
    let another = Stored::foreign("another", world.now);
    world.objects.insert(key.clone(), another);
    world.now = world.now.plus(20 * MINUTE);
    world.refresh_before = world.now;
    world.forget_what_was_seen();
    while world.objects[&key].owner.is_none() {
        let _ = world.turn();
    }
    assert_eq!(world.objects[&key].uid, "another");
    world.publish("config", "r2", &["Deployment/cache=1"]);
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded");
    assert!(!world.objects.contains_key(&key), "it is still there");
}

#[test]
fn gap_12_an_entry_stays_until_its_object_was_seen_to_be_gone() {
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
    let reconciling = |world: &crate::world::World| {
        let condition = world.status.condition("Reconciling");
        condition.map(|condition| condition.reason.clone())
    };
    assert_eq!(reconciling(&world).as_deref(), Some("Progressing"));
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
    assert_eq!(reconciling(&world), None);
    assert!(!world.message().contains("waiting"), "{}", world.message());
}

fn owned_by(namespace: &str, name: &str) -> Option<Owner> {
    Some(Owner {
        namespace: namespace.into(),
        name: name.into(),
    })
}

#[test]
fn i8_foreign_kept_and_recreated_objects_are_left_alone() {
    let mut world = shop();
    world.publish(
        "config",
        "r1",
        &[
            "ConfigMap/taken=1",
            "ConfigMap/elsewhere=1",
            "ConfigMap/stripped=1",
            "ConfigMap/kept=keep",
            "ConfigMap/recreated=1",
            "Deployment/cache=1",
        ],
    );
    world.settle(MINUTE);
    for (key, stored) in &mut world.objects {
        match key.name.as_str() {
            "taken" => stored.owner = owned_by("payments", "another"),
            "elsewhere" => stored.owner = owned_by("other", "shop"),
            "stripped" => stored.owner = None,
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
    assert_eq!(world.objects.len(), 8);
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

/// `stages.metio.wtf/prune: disabled` on the live object counts, whoever set it and however the object
/// leaves: out of the release, or with the StageSet.
#[test]
fn an_object_annotated_prune_disabled_is_let_go_and_not_deleted() {
    for with_the_stage_set in [false, true] {
        let mut world = shop();
        world.publish(
            "config",
            "r0",
            &[
                "ConfigMap/settings=keep",
                "ConfigMap/other=1",
                "Deployment/cache=1",
            ],
        );
        world.settle(MINUTE);
        assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
        if with_the_stage_set {
            world.deletion_timestamp = Some(world.now);
            world.settle(MINUTE);
            assert!(world.gone, "{}", world.message());
        } else {
            world.publish("config", "r2", &["Deployment/cache=1"]);
            world.settle(MINUTE);
            assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
            let names = |inventory: &stageset_core::observation::StageInventory| {
                inventory.entries.keys().any(|key| key.name == "settings")
            };
            assert!(
                !world.inventories.values().any(names),
                "what is let go is recorded no more"
            );
        }
        assert!(
            world.object("ConfigMap", "settings").is_some(),
            "{:?}",
            world.done_with("delete")
        );
        assert!(
            world.object("ConfigMap", "other").is_none(),
            "its neighbour without the annotation goes"
        );
    }
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

/// What waits for a finalizer stays on record, and no more; also where somebody deletes the record meanwhile.
#[test]
fn the_record_of_a_removed_stage_says_what_is_left_of_it() {
    let mut world = shop();
    world.edit_spec(|spec| spec.stages.push(stage("extra", "extra")));
    world.publish("extra", "r1", &["ConfigMap/held=1", "ConfigMap/free=1"]);
    world.settle(MINUTE);
    world.sticky.insert("held".into());
    world.edit_spec(|spec| {
        spec.stages.pop();
    });
    world.settle(MINUTE);
    assert!(world.object("ConfigMap", "free").is_none());
    let of = StageName::new("extra").unwrap();
    let named = |world: &World| -> Vec<String> {
        let entries = &world.inventories[&of].entries;
        entries.keys().map(|key| key.name.clone()).collect()
    };
    assert_eq!(named(&world), ["held"]);
    world.inventories.get_mut(&of).unwrap().deleting = true;
    world.facts.inventories = None;
    world.settle(MINUTE);
    assert_eq!(named(&world), ["held"]);
    assert!(!world.inventories[&of].deleting);
    world.objects.retain(|key, _| key.name != "held");
    world.settle(MINUTE);
    assert_eq!(world.inventories.len(), 2);
}

/// Of the stage nothing is recorded yet but what was, ahead of the first write: that says as whom, too.
#[test]
fn a_stage_that_leaves_right_after_its_first_write_is_torn_down_as_the_account_that_wrote() {
    let mut world = shop();
    world.accounts.insert("old".into());
    world.edit_spec(|spec| {
        spec.stages.insert(0, stage("extra", "extra"));
        spec.stages[0].service_account =
            Some(stageset_core::names::ServiceAccountName::new("old").unwrap());
    });
    world.publish("extra", "r1", &["ConfigMap/extra=1", "Deployment/slow=1"]);
    while world.object("ConfigMap", "extra").is_none() {
        assert_eq!(world.turn().next, stageset_core::plan::Next::Again);
    }
    world.crash();
    world.edit_spec(|spec| {
        spec.stages.remove(0);
    });
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded");
    assert!(world.object("ConfigMap", "extra").is_none());
    let deletions = world.done.iter().filter(|d| d.what.starts_with("delete"));
    let who: Vec<_> = deletions.map(|d| d.identity.as_deref()).collect();
    assert!(!who.is_empty());
    let old = Some("system:serviceaccount:payments:old");
    assert!(who.iter().all(|who| *who == old), "{who:?}");
}

#[test]
fn gap_12_a_prune_that_is_denied_is_told_and_heals() {
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

/// What leaves and can't be read is told, and asked for now and then.
#[test]
fn what_leaves_and_can_t_be_read_stays_on_record_and_is_no_hot_loop() {
    let mut world = shop();
    world.settle(MINUTE);
    world.publish("config", "r2", &["Deployment/cache=1"]);
    let denied = (DEPLOYER.into(), "get".into(), "ConfigMap".into());
    world.denied.insert(denied);
    world.crash();
    let before = world.requests;
    world.settle(5 * MINUTE);
    assert_eq!(world.ready(), "False RBACDenied", "{}", world.message());
    assert!(world.requests - before < 80, "{}", world.requests - before);
    assert!(world.object("ConfigMap", "settings").is_some());
    world.denied.clear();
    world.settle(2 * MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    assert!(world.object("ConfigMap", "settings").is_none());
}

/// D1: that a kind wasn't served at the last look isn't believed at the next one.
#[test]
fn what_leaves_is_not_taken_for_gone_for_a_kind_that_was_away_for_a_while() {
    let mut world = shop();
    world.settle(MINUTE);
    let gvk = GroupVersionKind {
        group: String::new(),
        version: "v1".into(),
        kind: "ConfigMap".into(),
    };
    let away = Fact::seen(KindState::Unknown, world.now.plus(MINUTE));
    world.facts.kinds.insert(&Target::Local, gvk, away);
    world.publish("config", "r2", &["Deployment/cache=1"]);
    world.tick();
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    assert!(world.object("ConfigMap", "settings").is_none());
}
