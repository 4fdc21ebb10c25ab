//! Releases to other clusters: by whom, never elsewhere, and how such a release ends.

mod moves;
mod records;

use std::time::Duration;

use stageset_core::failure::{Failure, FailureClass};
use stageset_core::names::{ServiceAccountName, StageName};
use stageset_core::observation::{KubeconfigState, StageInventory};
use stageset_core::plan::Need;

use crate::world::{World, kubeconfig, shop};

const MINUTE: Duration = Duration::from_secs(60);
const DEPLOYER: &str = "system:serviceaccount:payments:deployer";

/// The shop, delivered to cluster `eu`.
fn abroad() -> World {
    let mut world = shop();
    world.point("prod-eu", "1", "eu");
    world.edit_spec(|spec| spec.kube_config = Some(kubeconfig("prod-eu")));
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    world
}

fn names(world: &World, cluster: &str) -> Vec<String> {
    let objects = world.remotes.get(cluster).into_iter().flatten();
    objects.map(|(key, _)| key.name.clone()).collect()
}

/// An interval later.
fn later(world: &mut World) {
    world.now = world.now.plus(11 * MINUTE);
    world.refresh_before = world.now;
    world.settle(5 * MINUTE);
}

fn move_to(world: &mut World, secret: Option<&str>) {
    world.edit_spec(|spec| spec.kube_config = secret.map(kubeconfig));
}

#[test]
fn s25_a_release_goes_to_the_remote_cluster_as_its_account_and_nowhere_else() {
    let world = abroad();
    assert_eq!(names(&world, "eu").len(), 4);
    assert!(world.objects.is_empty(), "{:?}", world.objects.keys());
    for inventory in world.inventories.values() {
        assert_eq!(inventory.target, "eu");
        assert_eq!(inventory.kubeconfig, Some(kubeconfig("prod-eu")));
        assert!(inventory.entries.values().all(|entry| entry.uid.is_some()));
    }
    for done in world.done.iter().filter(|done| done.identity.is_some()) {
        assert_eq!(done.identity.as_deref(), Some(DEPLOYER), "{}", done.what);
    }
}

#[test]
fn without_an_account_the_kubeconfig_itself_acts_and_only_there() {
    let mut world = shop();
    world.point("prod-eu", "1", "eu");
    world.accounts.clear();
    world.edit_spec(|spec| {
        spec.kube_config = Some(kubeconfig("prod-eu"));
        spec.service_account = None;
    });
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    assert_eq!(names(&world, "eu").len(), 4);
    assert!(world.objects.is_empty());
    assert!(world.done.iter().all(|done| done.identity.is_none()));
}

#[test]
fn k02_an_account_of_a_remote_release_need_not_exist_here() {
    let mut world = shop();
    world.accounts.clear();
    world.point("prod-eu", "1", "eu");
    world.edit_spec(|spec| spec.kube_config = Some(kubeconfig("prod-eu")));
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}

#[test]
fn s29_a_kubeconfig_that_cannot_be_used_is_said_and_nothing_goes_elsewhere() {
    let denied = Failure::new(FailureClass::Denied, "get secrets: no");
    let silent = FailureClass::Transient { retry_after: None };
    let silent = Failure::new(silent, "nobody answers");
    for (state, ready, said) in [
        (None, "StageFailed", "Secret payments/prod-eu doesn't exist"),
        (
            Some(KubeconfigState::NoKey),
            "StageFailed",
            "nothing under key \"value\"",
        ),
        (
            Some(KubeconfigState::Refused("it isn't YAML".into())),
            "StageFailed",
            "it isn't YAML",
        ),
        (
            Some(KubeconfigState::Unreadable(denied)),
            "RBACDenied",
            "can't be read: get secrets: no",
        ),
        (
            Some(KubeconfigState::Unreadable(silent)),
            "StageFailed",
            "can't be read: nobody answers",
        ),
    ] {
        let mut world = shop();
        world
            .kubeconfigs
            .extend(state.map(|state| ("prod-eu".to_owned(), state)));
        world.edit_spec(|spec| spec.kube_config = Some(kubeconfig("prod-eu")));
        world.settle(MINUTE);
        assert_eq!(world.ready(), format!("False {ready}"));
        assert!(world.message().contains(said), "{}", world.message());
        assert!(world.done.iter().all(|done| done.identity.is_none()));
        assert!(world.objects.is_empty());
        // It heals by itself once the Secret is right.
        world.point("prod-eu", "2", "eu");
        world.settle(2 * MINUTE);
        assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
        assert!(world.objects.is_empty());
    }
}

#[test]
fn a06_a_cluster_that_does_not_answer_is_waited_for_and_nothing_goes_elsewhere() {
    let mut world = abroad();
    world.down.insert("eu".into());
    world.publish("app", "r2", &["Deployment/web=2", "Service/web=1"]);
    world.settle(2 * MINUTE);
    assert_eq!(world.ready(), "False StageFailed");
    assert!(world.objects.is_empty());
    world.down.clear();
    world.settle(2 * MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    assert!(world.objects.is_empty());
}

#[test]
fn a_new_token_is_used_within_a_minute_and_nothing_is_written_anew() {
    let mut world = abroad();
    let writes = world.done_with("c").len();
    world.point("prod-eu", "2", "eu");
    later(&mut world);
    let plan = world.last_plan.as_ref().unwrap();
    assert!(plan.is_idle(), "{plan}");
    assert_eq!(world.done_with("c").len(), writes);
    assert_eq!(world.ready(), "True Succeeded");
}

/// No watch tells of a Secret: in mid-release its word counts for half a minute, not until the interval.
#[test]
fn a_changed_secret_is_noticed_within_a_minute_in_mid_release() {
    let mut world = shop();
    world.point("prod-eu", "1", "eu");
    world.edit_spec(|spec| spec.kube_config = Some(kubeconfig("prod-eu")));
    world.slow.insert("Deployment".into(), 60 * MINUTE);
    world.settle(MINUTE / 6);
    assert_eq!(
        world.ready(),
        "False StageProgressing",
        "{}",
        world.message()
    );
    let refused = KubeconfigState::Refused("no program is ever run".into());
    world.kubeconfigs.insert("prod-eu".into(), refused);
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False StageFailed", "{}", world.message());
}

#[test]
fn whoever_asks_for_a_pass_has_the_secret_read_again() {
    let mut world = abroad();
    let refused = KubeconfigState::Refused("no program is ever run".into());
    world.kubeconfigs.insert("prod-eu".into(), refused);
    let second = Duration::from_secs(1);
    world.now = world.now.plus(second);
    world.refresh_before = world.now;
    world.settle(second);
    assert_eq!(world.ready(), "False StageFailed", "{}", world.message());

    world.point("prod-eu", "3", "eu");
    world.now = world.now.plus(second);
    world.refresh_before = world.now;
    world.settle(second);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}

#[test]
fn what_one_state_of_a_secret_saw_does_not_answer_for_the_next() {
    let mut world = abroad();
    world.point("prod-eu", "2", "eu");
    world.facts.kubeconfigs.clear();
    let mut asked = 0;
    loop {
        let plan = world.turn();
        asked += plan
            .needs
            .iter()
            .filter(|need| matches!(need, Need::DryRun { .. }))
            .count();
        if plan.needs.is_empty() && plan.steps.is_empty() {
            break;
        }
    }
    assert_eq!(
        asked, 4,
        "every object is looked at with the new credentials"
    );
}

#[test]
fn a_deleted_stageset_is_torn_down_where_its_objects_are() {
    for (invalid, moved) in [(false, false), (true, false), (false, true)] {
        let mut world = abroad();
        if moved {
            world.point("prod-us", "9", "us");
            move_to(&mut world, Some("prod-us"));
        }
        if invalid {
            world.spec = Err(Vec::new());
        }
        world.deletion_timestamp = Some(world.now);
        world.settle(5 * MINUTE);
        assert!(world.gone, "{}", world.message());
        assert_eq!(names(&world, "eu"), [""; 0]);
        let deletes = world.done_with("delete").len();
        assert_eq!(deletes, 4);
    }
}

#[test]
fn s29_a_deletion_without_its_kubeconfig_waits_out_its_bound_and_deletes_nothing_here() {
    let mut world = abroad();
    // The same names exist here, and are nobody's business.
    world.objects = world.remotes["eu"].clone();
    let here = world.objects.clone();
    world.kubeconfigs.clear();
    world.facts.kubeconfigs.clear();
    world.deletion_timestamp = Some(world.now);
    world.settle(30 * MINUTE);
    assert!(!world.gone);
    assert!(
        world.message().contains("doesn't exist"),
        "{}",
        world.message()
    );
    world.settle(31 * MINUTE);
    assert!(world.gone);
    assert_eq!(world.objects, here);
    let forced = world
        .events
        .iter()
        .find(|(reason, _)| reason == "TeardownForced");
    assert!(
        forced.is_some_and(|(_, said)| said.contains("web") && said.contains("doesn't exist")),
        "{forced:?}"
    );
}
