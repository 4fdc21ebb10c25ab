//! Several releases of the controller: each StageSet has one (K24).

use std::time::Duration;

use stageset_core::observation::ControllerRelease;
use stageset_core::plan::Next;

use crate::world::{World, shop};

const MINUTE: Duration = Duration::from_secs(60);

fn release(name: &str) -> ControllerRelease {
    ControllerRelease {
        namespace: "stageset-system".into(),
        name: name.into(),
    }
}

fn of(name: &str) -> World {
    let mut world = shop();
    world.config.release = Some(release(name));
    world
}

#[test]
fn k24_a_stageset_is_claimed_before_anything_is_done() {
    let mut world = of("a");
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded");
    assert_eq!(world.status.handled_by, Some(release("a")));
    // The finalizer is the same for every release; all else waits for the claim.
    assert!(world.done[0].what.starts_with("add the finalizer"));
    assert!(world.done[1].what.starts_with("record status"));
}

#[test]
fn k24_the_claim_costs_no_request_of_its_own() {
    let (mut claimed, mut alone) = (of("a"), shop());
    claimed.settle(MINUTE);
    alone.settle(MINUTE);
    assert_eq!(claimed.requests, alone.requests);
    assert_eq!(
        claimed.done_with("record status"),
        alone.done_with("record status")
    );
}

/// What came to rest in the hands of "a", which lets go of it, in the hands of "b".
fn let_go() -> World {
    let mut world = of("a");
    world.settle(MINUTE);
    world.crash();
    world.status.handled_by = None;
    world.config.release = Some(release("b"));
    world
}

#[test]
fn k24_what_nobody_claims_is_claimed_although_there_is_nothing_to_do() {
    let mut world = let_go();
    let done = world.done.len();
    world.settle(MINUTE);
    assert_eq!(world.status.handled_by, Some(release("b")));
    assert_eq!(world.done.len(), done + 1, "{:#?}", world.done);
}

#[test]
fn k24_a_teardown_is_claimed_before_anything_is_deleted() {
    let mut world = let_go();
    world.deletion_timestamp = Some(world.now);
    let done = world.done.len();
    world.settle(5 * MINUTE);
    assert!(world.gone);
    assert_eq!(world.status.handled_by, Some(release("b")));
    assert!(world.done[done].what.starts_with("record status"));
}

#[test]
fn k24_what_another_release_claims_is_left_alone_in_deletion_too() {
    for deleting in [false, true] {
        let mut world = of("a");
        world.settle(MINUTE);
        world.crash();
        world.config.release = Some(release("b"));
        world.publish("app", "r2", &["Deployment/web=2"]);
        world.deletion_timestamp = deleting.then_some(world.now);
        let (status, done, requests) = (world.status.clone(), world.done.len(), world.requests);
        let next = world.settle(60 * MINUTE);
        let Next::Rest { waiting_for } = next else {
            panic!("{next:?}");
        };
        assert!(waiting_for.contains("stageset-system/a") && waiting_for.contains("--take-over"));
        assert_eq!((world.status.clone(), world.done.len()), (status, done));
        assert_eq!(world.requests, requests, "not even a read");
        // The operator says so, or the other one lets go.
        if deleting {
            world.config.take_over = true;
        } else {
            world.status.handled_by = None;
        }
        world.settle(5 * MINUTE);
        assert_eq!(world.status.handled_by, Some(release("b")));
        assert_eq!(world.gone, deleting);
        if !deleting {
            assert_eq!(world.object("Deployment", "web").unwrap().version, 2);
        }
    }
}
