//! The status of each stage as it moves: phases are recorded when they begin, not when a pass ends.

use std::time::Duration;

use stageset_core::observation::Phase;

use crate::world::shop;

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_release_goes_through_its_phases_stage_by_stage() {
    let mut world = shop();
    world.settle(MINUTE);
    assert_eq!(
        world.phases,
        [
            "config Applying, app Pending",
            "config Verifying, app Pending",
            "config Ready, app Pending",
            "config Ready, app Applying",
            "config Ready, app Verifying",
            "config Ready, app Ready",
        ]
    );
}

#[test]
fn an_update_says_that_it_is_under_way_before_its_first_write() {
    let mut world = shop();
    world.settle(MINUTE);
    world.phases.clear();
    let done = world.done.len();
    world.publish("app", "r2", &["Deployment/web=2"]);
    world.settle(MINUTE);
    assert_eq!(
        world.phases,
        [
            "config Ready, app Ready",
            "config Ready, app Applying",
            "config Ready, app Verifying",
            "config Ready, app Pruning",
            "config Ready, app Ready",
        ]
    );
    let first = |what: &str| {
        let mut after = world.done[done..].iter();
        after.position(|done| done.what.contains(what))
    };
    assert!(
        first("record status") < first("inventory"),
        "{:?}",
        world.done
    );
    assert!(first("record status") < first("Deployment"));
    // What stands is not claimed to be what is being written.
    assert_eq!(world.ready(), "True Succeeded");
}

#[test]
fn a_stage_that_is_being_written_keeps_the_revision_that_was_written_before() {
    let mut world = shop();
    world.settle(MINUTE);
    world.publish("app", "r2", &["Deployment/web=2", "Service/web=2"]);
    while world.status.stages[1].phase != Phase::Applying {
        let _ = world.turn();
    }
    assert_eq!(
        world.status.stages[1].applied_revision.as_deref(),
        Some("r1")
    );
    assert_eq!(world.ready(), "False StageProgressing");
    assert_eq!(world.status.last_attempted_revisions["payments/app"], "r2");
    assert_eq!(world.status.last_applied_revisions["payments/app"], "r1");
}

#[test]
fn each_new_try_of_a_stage_that_failed_is_no_news() {
    let mut world = shop();
    let user = "system:serviceaccount:payments:deployer";
    let refusal = (user.to_owned(), "patch".to_owned(), "Deployment".to_owned());
    world.denied.insert(refusal);
    world.settle(60 * MINUTE);
    let failed = "config Failed";
    let times = world.phases.iter().filter(|phases| *phases == failed);
    assert_eq!(times.count(), 1, "{:#?}", world.phases);
    let told = world
        .events
        .iter()
        .filter(|(reason, _)| reason == "RBACDenied");
    assert_eq!(told.count(), 1, "{:#?}", world.events);
    let reconciling = world.status.condition("Reconciling").unwrap();
    assert_eq!(reconciling.reason, "ProgressingWithRetry");
}

#[test]
fn a_prune_that_is_refused_is_still_pruning_and_told_once() {
    let mut world = shop();
    world.settle(MINUTE);
    world.phases.clear();
    let user = "system:serviceaccount:payments:deployer";
    let refusal = (user.to_owned(), "delete".to_owned(), "ConfigMap".to_owned());
    world.denied.insert(refusal.clone());
    world.publish("config", "r2", &["Deployment/cache=2"]);
    world.settle(60 * MINUTE);
    assert_eq!(world.ready(), "False RBACDenied");
    assert_eq!(world.status.stages[0].phase, Phase::Pruning);
    let told = world
        .events
        .iter()
        .filter(|(reason, _)| reason == "RBACDenied");
    assert_eq!(told.count(), 1, "{:#?}", world.events);
    assert!(world.phases.len() < 8, "{:#?}", world.phases);
    world.denied.remove(&refusal);
    world.settle(5 * MINUTE);
    assert_eq!(world.ready(), "True Succeeded");
    assert_eq!(world.status.stages[0].phase, Phase::Ready);
}
