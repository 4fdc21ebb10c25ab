//! Teardown: reverse, as the tenant, within a bound.

use std::time::Duration;

use stageset_core::failure::FailureClass;
use stageset_core::names::ServiceAccountName;
use stageset_core::plan::{Need, Next};

use crate::world::{World, shop};

const MINUTE: Duration = Duration::from_secs(60);
const DEPLOYER: &str = "system:serviceaccount:payments:deployer";

fn delete(world: &mut World) {
    world.deletion_timestamp = Some(world.now);
    world.generation += 1;
}

#[test]
fn gap_13_stages_go_in_reverse_each_seen_to_be_gone_first() {
    let mut world = shop();
    world.settle(MINUTE);
    world.sticky.insert("web".into());
    delete(&mut world);
    world.settle(MINUTE);
    assert!(!world.gone);
    assert!(
        world.object("ConfigMap", "settings").is_some(),
        "stage config went before stage app was gone"
    );
    world.objects.retain(|key, _| key.name != "web");
    world.settle(MINUTE);
    assert!(world.gone);
    assert!(world.objects.is_empty(), "{:?}", world.objects.keys());
    assert!(
        world
            .done
            .iter()
            .filter(|d| d.what.starts_with("delete"))
            .all(|d| d.identity.as_deref() == Some(DEPLOYER))
    );
}

/// Each stage's objects go as its own account, whatever the inventory names: the spec has the say (K06).
#[test]
fn each_stage_goes_as_the_account_that_the_spec_names_for_it() {
    let mut world = shop();
    world.settle(MINUTE);
    world.accounts.insert("operator".into());
    world.edit_spec(|spec| {
        spec.stages[1].service_account = Some(ServiceAccountName::new("operator").unwrap());
    });
    delete(&mut world);
    world.settle(MINUTE);
    assert!(world.gone);
    let deletes = world.done.iter().filter(|d| d.what.starts_with("delete"));
    let who = |name: &str| {
        let mut of = deletes.clone().filter(|d| d.what.contains(name));
        of.next().and_then(|d| d.identity.clone()).unwrap()
    };
    assert_eq!(
        who("payments/web"),
        "system:serviceaccount:payments:operator"
    );
    assert_eq!(who("payments/settings"), DEPLOYER);
}

/// Level core, seed 14190098017073041897: each was read every two seconds for as long as it was held.
#[test]
fn what_a_finalizer_holds_is_asked_about_less_and_less_often() {
    let mut world = shop();
    world.settle(MINUTE);
    world.sticky.insert("web".into());
    delete(&mut world);
    let read = |world: &mut World, span: Duration| {
        let before = world.requests;
        world.settle(span);
        world.requests - before
    };
    let first = read(&mut world, Duration::from_secs(10));
    assert!(first >= 8, "{first} requests");
    let later = read(&mut world, Duration::from_secs(280));
    assert!(later < 120, "{later} requests for two objects");
    world.objects.retain(|key, _| key.name != "web");
    read(&mut world, Duration::from_secs(20));
    assert!(world.gone, "{}", world.message());
}

#[test]
fn what_is_gone_is_recorded_when_the_rest_takes_long_and_not_asked_for_again() {
    let mut world = shop();
    world.settle(MINUTE);
    world.sticky.insert("settings".into());
    let recorded = |world: &World| {
        let written = |what: &str| what.contains("in the inventory");
        world.done.iter().filter(|done| written(&done.what)).count()
    };
    let before = recorded(&world);
    assert!(before > 0);
    delete(&mut world);
    world.settle(Duration::from_secs(50));
    assert_eq!(recorded(&world), before, "what goes at once costs no write");
    world.settle(Duration::from_secs(100));
    let left: Vec<&str> = (world.inventories.values())
        .flat_map(|inventory| inventory.entries.keys().map(|key| key.name.as_str()))
        .collect();
    assert_eq!(left, ["settings"]);
    assert_eq!(
        world.inventories.len(),
        2,
        "none is given up before the end"
    );
    let before = world.requests;
    world.settle(MINUTE);
    let later = world.requests - before;
    assert!(later < 10, "{later} requests for one object");
    world.crash();
    world.objects.retain(|key, _| key.name != "settings");
    world.settle(MINUTE);
    assert!(world.gone, "{}", world.message());
}

#[test]
fn a_suspended_or_invalid_stageset_is_torn_down_too() {
    for invalid in [false, true] {
        let mut world = shop();
        world.settle(MINUTE);
        world.suspend = true;
        if invalid {
            world.spec = Err(Vec::new());
        }
        delete(&mut world);
        world.settle(MINUTE);
        assert!(world.gone, "invalid: {invalid}");
        assert!(world.objects.is_empty());
    }
}

#[test]
fn a_deletion_in_mid_wait_needs_no_waiting() {
    let mut world = shop();
    world
        .slow
        .insert("Deployment".into(), Duration::from_secs(3600));
    world.pass();
    delete(&mut world);
    let at = world.now;
    world.settle(Duration::from_secs(1));
    assert!(world.gone);
    assert_eq!(world.now, at);
}

#[test]
fn gap_13_l3_what_is_in_the_way_is_told_and_only_the_bound_forces_the_finalizer_off() {
    let mut world = shop();
    world.settle(MINUTE);
    world
        .denied
        .insert((DEPLOYER.into(), "delete".into(), "Service".into()));
    delete(&mut world);
    world.settle(Duration::from_secs(3500));
    assert!(!world.gone, "forced before its time");
    assert_eq!(world.ready(), "False RBACDenied");
    assert!(
        world.message().contains("payments/web"),
        "{}",
        world.message()
    );
    world.settle(Duration::from_secs(200));
    assert!(world.gone);
    let (_, said) = world
        .events
        .iter()
        .find(|(reason, _)| reason == "TeardownForced")
        .unwrap();
    assert!(said.contains("Service payments/web"), "{said}");
}

#[test]
fn a_grant_unblocks_a_teardown() {
    let mut world = shop();
    world.settle(MINUTE);
    world
        .denied
        .insert((DEPLOYER.into(), "delete".into(), "Service".into()));
    delete(&mut world);
    world.settle(Duration::from_secs(300));
    world.denied.clear();
    world.settle(Duration::from_secs(90));
    assert!(world.gone);
    assert!(world.objects.is_empty());
    assert!(
        world
            .events
            .iter()
            .all(|(reason, _)| reason != "TeardownForced")
    );
}

#[test]
fn k21_objects_of_a_namespace_that_goes_are_as_good_as_gone() {
    let mut world = shop();
    world.settle(MINUTE);
    world.namespace_terminating = true;
    world.accounts.clear();
    delete(&mut world);
    world.crash();
    world.settle(MINUTE);
    assert!(world.gone);
    assert!(
        world
            .events
            .iter()
            .all(|(reason, _)| reason != "TeardownForced")
    );
}

#[test]
fn k23_a_cluster_that_holds_none_of_the_recorded_objects_is_another_cluster() {
    let mut world = shop();
    world.settle(MINUTE);
    for stored in world.objects.values_mut() {
        stored.uid = format!("restored-{}", stored.uid);
    }
    world.crash();
    delete(&mut world);
    world.settle(Duration::from_secs(300));
    assert!(!world.gone);
    assert!(world.done_with("delete").is_empty());
    assert!(
        world.message().contains("isn't the cluster"),
        "{}",
        world.message()
    );
}

#[test]
fn prune_false_keeps_its_objects_on_deletion_too() {
    let mut world = shop();
    world.edit_spec(|spec| spec.stages[0].prune = false);
    world.settle(MINUTE);
    delete(&mut world);
    let next = world.settle(MINUTE);
    assert!(world.gone, "{next:?}");
    assert_eq!(world.objects.len(), 2);
}

#[test]
fn without_the_finalizer_there_is_nothing_to_do() {
    let mut world = shop();
    delete(&mut world);
    assert_eq!(world.pass(), Next::Gone);
}

#[test]
fn d1_inventories_that_go_with_the_last_step_are_no_loss_even_after_a_crash() {
    for terminating in [false, true] {
        let mut world = shop();
        world.settle(MINUTE);
        world.namespace_terminating = terminating;
        world.foreground = !terminating;
        delete(&mut world);
        // The write that takes our finalizer off fails: the inventories are gone, we are not.
        loop {
            let _ = world.turn();
            if world.inventories.is_empty() {
                break;
            }
        }
        world.finalizer = true;
        world.gone = false;
        world.crash();
        world.settle(MINUTE);
        assert!(
            world.gone,
            "terminating: {terminating}: {}",
            world.message()
        );
        let forced = |(reason, _): &(String, String)| reason == "TeardownForced";
        assert!(!world.events.iter().any(forced));
    }
}

#[test]
fn nothing_lets_the_inventories_go_before_their_objects_are_gone() {
    let mut world = shop();
    world.settle(MINUTE);
    world.sticky.insert("web".into());
    delete(&mut world);
    world.settle(MINUTE);
    assert!(world.done_with("let the inventories go").is_empty());
    world.objects.retain(|key, _| key.name != "web");
    world.settle(MINUTE);
    assert_eq!(world.done_with("let the inventories go").len(), 1);
}

#[test]
fn an_inventory_that_somebody_deletes_moves_before_it_goes() {
    let mut world = shop();
    world.settle(MINUTE);
    for inventory in world.inventories.values_mut() {
        inventory.deleting = true;
    }
    let before = world.inventories.clone();
    world.crash();
    world.settle(MINUTE);
    for (stage, inventory) in &world.inventories {
        assert!(!inventory.deleting, "{stage}");
        assert_eq!(inventory.entries, before[stage].entries, "{stage}");
    }
}

#[test]
fn inventories_that_went_first_are_not_a_finished_teardown() {
    let mut world = shop();
    world.settle(MINUTE);
    world.inventories.clear();
    delete(&mut world);
    world.crash();
    world.settle(Duration::from_secs(300));
    assert!(!world.gone, "the objects would be orphaned without a word");
    assert!(
        world.message().contains("inventory of stage"),
        "{}",
        world.message()
    );
    world.settle(Duration::from_secs(3600));
    assert!(world.gone);
    assert!(
        world
            .events
            .iter()
            .any(|(reason, _)| reason == "TeardownForced")
    );
}

/// A later stage before an earlier one, and kind after kind within: each is a step of its own.
#[test]
fn kinds_go_one_after_the_other() {
    let mut world = shop();
    world.settle(MINUTE);
    delete(&mut world);
    let plan = loop {
        let plan = world.foresee();
        if plan.to_string().contains("delete") {
            break plan;
        }
        let _ = world.turn();
    };
    let steps = plan.steps.iter().map(|step| {
        let deletes = step.iter().map(ToString::to_string);
        deletes.filter(|what| what.contains("delete")).count()
    });
    let steps: Vec<usize> = steps.filter(|deletes| *deletes > 0).collect();
    assert_eq!(steps, [1, 1], "{plan}");
}

#[test]
fn what_never_applied_anything_goes_without_another_status() {
    let mut world = shop();
    for kind in ["ConfigMap", "Deployment"] {
        let refusal = (DEPLOYER.to_owned(), "patch".to_owned(), kind.to_owned());
        world.denied.insert(refusal);
    }
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False RBACDenied");
    assert!(world.inventories.is_empty() && !world.status.stages.is_empty());
    let written = |world: &World| world.done_with("record status").len();
    let before = written(&world);
    assert!(before > 0);
    delete(&mut world);
    world.settle(MINUTE);
    assert!(world.gone);
    assert_eq!(
        written(&world),
        before,
        "{:#?}",
        world.done_with("record status")
    );
}

/// That somebody made objects anew doesn't make it another cluster, as long as any of ours is there; nor
/// does it once ours are deleted.
#[test]
fn k23_what_was_made_anew_stays_and_the_rest_goes() {
    for (kinds, left) in [
        (vec!["Service"], 3),
        (vec!["Deployment", "Service"], 2),
        (vec!["ConfigMap", "Service"], 2),
    ] {
        let mut world = shop();
        world.settle(MINUTE);
        for (key, stored) in &mut world.objects {
            if kinds.contains(&key.kind.as_str()) && key.name != "cache" {
                stored.uid = format!("anew-{}", stored.uid);
            }
        }
        world.crash();
        delete(&mut world);
        world.settle(Duration::from_secs(300));
        assert!(world.gone, "{kinds:?}: {}", world.message());
        assert_eq!(world.done_with("delete").len(), left, "{kinds:?}");
        let anew = |stored: &crate::world::Stored| stored.uid.starts_with("anew");
        assert!(
            world.objects.values().all(anew),
            "{kinds:?}: {:?}",
            world.objects.keys()
        );
        let forced = |(reason, _): &(String, String)| reason == "TeardownForced";
        assert!(!world.events.iter().any(forced));
    }
}

/// Whatever a refusal would wait for: the bound comes first.
#[test]
fn the_bound_of_a_teardown_is_kept_to_the_second() {
    let mut world = shop();
    world.settle(MINUTE);
    world.config.max_teardown_wait = Duration::from_secs(90);
    world
        .denied
        .insert((DEPLOYER.into(), "delete".into(), "Service".into()));
    delete(&mut world);
    let begun = world.now;
    world.settle(10 * MINUTE);
    assert!(world.gone);
    assert_eq!(world.now.since(begun), Duration::from_secs(90));
}

#[test]
fn inventories_that_cannot_be_read_for_a_moment_hold_a_teardown_up_that_long() {
    let mut world = shop();
    world.settle(MINUTE);
    world.crash();
    delete(&mut world);
    world.fault = Some((
        world.requests + 1,
        FailureClass::Transient { retry_after: None },
    ));
    world.ask(&Need::Inventories);
    let Next::Hold {
        waiting_for, until, ..
    } = world.turn().next
    else {
        panic!("it goes on without them");
    };
    assert!(waiting_for.contains("can't be read"), "{waiting_for}");
    world.now = until;
    world.settle(5 * MINUTE);
    assert!(world.gone, "{}", world.message());
    assert!(world.objects.is_empty());
}

/// What is kept is there, too: the cluster is the one, and what others made in the place of the rest stays.
#[test]
fn k23_what_is_kept_shows_that_it_is_the_cluster() {
    let mut world = shop();
    world.settle(MINUTE);
    for (key, stored) in &mut world.objects {
        if key.name == "settings" {
            stored.prune_disabled = true;
        } else {
            stored.uid.insert_str(0, "anew-");
        }
    }
    let kept = world.objects.len();
    world.crash();
    delete(&mut world);
    world.settle(5 * MINUTE);
    assert!(world.gone, "{}", world.message());
    assert_eq!(world.objects.len(), kept);
}
