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
