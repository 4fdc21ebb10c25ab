//! What changes between a look and a write: found by the trials (trials/), each with its seed.

use std::time::Duration;

use stageset_core::object::Owner;
use stageset_core::plan::{Next, Operation, TenantOperation};

use crate::world::shop;

const MINUTE: Duration = Duration::from_secs(60);

/// Seed 187 of level core: labels taken off between the look and the deletion.
#[test]
fn a_deletion_bounces_off_an_object_that_was_relabelled_since_the_look() {
    let mut world = shop();
    world.settle(MINUTE);
    world.publish("config", "r2", &["Deployment/cache=1"]);
    let theirs = Owner {
        namespace: "others".into(),
        name: "theirs".into(),
    };
    // Up to the read that decides whether the object may go.
    while !world.last_plan.as_ref().is_some_and(|plan| {
        plan.needs
            .iter()
            .any(|need| need.to_string().contains("may it be deleted?"))
    }) {
        let _ = world.turn();
    }
    for (key, object) in &mut world.objects {
        if key.name == "settings" {
            object.owner = Some(theirs.clone());
            object.version += 1;
        }
    }
    let plan = world.turn();
    assert!(
        plan.steps.iter().flatten().any(|operation| matches!(
            operation,
            Operation::Tenant(TenantOperation::Delete { .. })
        )),
        "the deletion is tried:\n{plan}"
    );
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded");
    assert!(world.object("ConfigMap", "settings").is_some());
}

/// Seed 948 of level core: created anew, and deleted before the new uid was recorded.
#[test]
fn an_object_created_anew_is_torn_down_even_if_the_process_dies_at_once() {
    let mut world = shop();
    world.settle(MINUTE);
    world.objects.retain(|key, _| key.name != "settings");
    world.crash();
    while world.object("ConfigMap", "settings").is_none() {
        let _ = world.turn();
    }
    world.crash();
    world.deletion_timestamp = Some(world.now);
    world.settle(MINUTE);
    assert!(world.gone);
    assert!(world.objects.is_empty(), "{:?}", world.objects.keys());
}

/// Seed 392 of level core: short waits put the interval tick off for ever.
#[test]
fn a_tick_that_is_overdue_is_due_at_once() {
    let mut world = shop();
    world.settle(MINUTE);
    world.denied.insert((
        "system:serviceaccount:payments:deployer".into(),
        "patch".into(),
        "Service".into(),
    ));
    world.publish("app", "r2", &["Deployment/web=2", "Service/web=2"]);
    world.pass();
    world.now = world.now.plus(Duration::from_secs(3600));
    let Next::Hold { until, refresh, .. } = world.pass() else {
        panic!("a denied release is tried again");
    };
    assert!(refresh, "everything is looked at anew");
    assert!(until.since(world.now) < Duration::from_secs(1));
}

/// Seed 437688 of level core: another replica made an object anew and recorded that, while this one
/// still remembered the former one, which had the uid that the inventory no longer names.
#[test]
fn an_entry_that_another_replica_has_renewed_is_not_dropped_by_what_was_seen_before() {
    let mut world = shop();
    world.slow.clear();
    world.settle(MINUTE);
    world.now = world.now.plus(Duration::from_secs(1));
    let key = world.key("ConfigMap", "settings");
    world.objects.get_mut(&key).unwrap().uid = "anew".into();
    for inventory in world.inventories.values_mut() {
        if let Some(entry) = inventory.entries.get_mut(&key) {
            entry.uid = Some("anew".into());
        }
    }
    world.facts.inventories = None;
    world.publish("config", "r2", &["Deployment/cache=1"]);
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded");
    assert!(!world.objects.contains_key(&key), "it is still there");
}

/// The same with what isn't to be deleted: the labels and the annotation of before say nothing of the
/// object that was recorded since.
#[test]
fn what_kept_an_object_before_another_replica_made_it_anew_does_not_keep_that_one() {
    for kept in [true, false] {
        let mut world = shop();
        world.settle(MINUTE);
        let key = world.key("ConfigMap", "settings");
        let object = world.objects.get_mut(&key).unwrap();
        let owner = object.owner.clone();
        if kept {
            object.prune_disabled = true;
        } else {
            object.owner = None;
        }
        object.version += 1;
        world.forget_what_was_seen();
        world.publish("config", "r2", &["Deployment/cache=1"]);
        while !world.last_plan.as_ref().is_some_and(|plan| {
            plan.needs
                .iter()
                .any(|need| need.to_string().contains("may it be deleted?"))
        }) {
            let _ = world.turn();
        }
        let object = world.objects.get_mut(&key).unwrap();
        object.owner = owner;
        object.prune_disabled = false;
        object.uid = "anew".into();
        object.version += 1;
        for inventory in world.inventories.values_mut() {
            if let Some(entry) = inventory.entries.get_mut(&key) {
                entry.uid = Some("anew".into());
            }
        }
        world.now = world.now.plus(Duration::from_secs(1));
        world.facts.inventories = None;
        world.settle(MINUTE);
        assert_eq!(world.ready(), "True Succeeded");
        assert!(!world.objects.contains_key(&key), "kept: {kept}");
    }
}

/// The same for a kind: that it wasn't served says nothing of an object that was recorded since.
#[test]
fn an_object_recorded_since_its_kind_was_looked_for_is_not_taken_for_gone() {
    let mut world = shop();
    world.publish("config", "r1", &["ConfigMap/settings=1", "Widget/gear=1"]);
    world.pass();
    assert!(world.message().contains("Widget"), "{}", world.message());
    // Another replica saw the kind come, and delivered.
    let mut other = shop();
    let widgets = ("widgets".to_owned(), true);
    other
        .kinds
        .insert(("example.org".into(), "Widget".into()), widgets);
    other.publish("config", "r1", &["ConfigMap/settings=1", "Widget/gear=1"]);
    other.settle(MINUTE);
    assert!(other.object("Widget", "gear").is_some());
    world.kinds = other.kinds;
    world.objects = other.objects;
    world.inventories = other.inventories;
    world.now = world.now.plus(Duration::from_secs(1));
    world.facts.inventories = None;
    world.publish("config", "r2", &["ConfigMap/settings=1"]);
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded");
    assert!(world.object("Widget", "gear").is_none());
}

/// Seed 437688 of level core again: the uid that this replica remembered went over the one that the
/// other had recorded, and the object over which two inventories quarrelled was forgotten in the end.
#[test]
fn a_uid_that_was_seen_before_the_inventory_is_not_recorded_over_a_newer_one() {
    let mut world = shop();
    world.settle(MINUTE);
    let key = world.key("ConfigMap", "settings");
    world.objects.get_mut(&key).unwrap().uid = "anew".into();
    for inventory in world.inventories.values_mut() {
        if let Some(entry) = inventory.entries.get_mut(&key) {
            entry.uid = Some("anew".into());
        }
    }
    world.now = world.now.plus(Duration::from_secs(1));
    world.facts.inventories = None;
    let recorded = |world: &crate::world::World| {
        let mut inventories = world.inventories.values();
        let entry = inventories.find_map(|inventory| inventory.entries.get(&key));
        entry.and_then(|entry| entry.uid.clone())
    };
    for _ in 0..20 {
        let _ = world.turn();
        assert_eq!(recorded(&world).as_deref(), Some("anew"));
    }
}
