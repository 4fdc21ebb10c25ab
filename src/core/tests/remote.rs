//! Releases to other clusters: by whom, never elsewhere, and what becomes of a release that moves.

use std::time::Duration;

use stageset_core::failure::{Failure, FailureClass};
use stageset_core::names::ServiceAccountName;
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
fn gap_17_k23_a_release_that_moves_is_torn_down_where_it_was_before_it_is_written_elsewhere() {
    for back in [Some("prod-us"), None] {
        let mut world = abroad();
        world.point("prod-us", "9", "us");
        world
            .remotes
            .get_mut("eu")
            .unwrap()
            .retain(|key, _| key.name != "settings");
        move_to(&mut world, back);
        world.settle(3 * MINUTE);
        assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
        assert_eq!(names(&world, "eu"), [""; 0]);
        let there = back.map_or(world.objects.len(), |_| names(&world, "us").len());
        assert_eq!(there, 4);
        for inventory in world.inventories.values() {
            assert_eq!(inventory.target, if back.is_some() { "us" } else { "" });
        }
        // Not one object was in two clusters at once.
        let last_delete = world
            .done
            .iter()
            .rposition(|done| done.what.starts_with("delete"));
        let again = world.done.iter().skip(last_delete.unwrap() + 1);
        assert_eq!(
            again.filter(|done| done.what.starts_with("create")).count(),
            4
        );
    }
}

/// A release that was delivered here, and now is to be delivered elsewhere.
#[test]
fn k23_a_release_that_goes_abroad_is_torn_down_here_first() {
    let mut world = shop();
    world.settle(MINUTE);
    assert_eq!(world.objects.len(), 4);
    world.point("prod-eu", "1", "eu");
    move_to(&mut world, Some("prod-eu"));
    world.settle(3 * MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    assert!(world.objects.is_empty(), "{:?}", world.objects.keys());
    assert_eq!(names(&world, "eu").len(), 4);
}

/// What is gone from the former cluster is gone from the record at once, whatever else still holds on.
#[test]
fn k23_what_is_left_in_the_former_cluster_is_what_the_record_names() {
    let mut world = abroad();
    world.point("prod-us", "9", "us");
    world.sticky.insert("settings".into());
    move_to(&mut world, Some("prod-us"));
    world.settle(3 * MINUTE);
    assert_eq!(names(&world, "eu"), ["settings"]);
    let recorded = world.inventories.iter().filter(|(_, i)| i.target == "eu");
    let recorded: Vec<&str> = recorded
        .flat_map(|(_, inventory)| inventory.entries.keys().map(|key| key.name.as_str()))
        .collect();
    assert_eq!(recorded, ["settings"]);
    assert_eq!(names(&world, "us"), [""; 0]);
}

/// What isn't pruned stays where it is; what is, goes, whichever stage stands first.
#[test]
fn k23_a_stage_that_is_not_pruned_is_left_behind_and_the_other_one_is_not() {
    for kept in [0, 1] {
        let mut world = abroad();
        world.point("prod-us", "9", "us");
        world.edit_spec(|spec| {
            spec.kube_config = Some(kubeconfig("prod-us"));
            spec.stages[kept].prune = false;
        });
        world.settle(3 * MINUTE);
        assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
        let left: Vec<String> = names(&world, "eu");
        let of_stage = |name: &str| {
            let inventory = world
                .inventories
                .iter()
                .find(|(stage, _)| stage.as_str() == name);
            let entries = inventory.map(|(_, inventory)| inventory.entries.keys());
            let mut names: Vec<String> = entries.unwrap().map(|key| key.name.clone()).collect();
            names.sort();
            names
        };
        let mut left_sorted = left;
        left_sorted.sort();
        assert_eq!(left_sorted, of_stage(["config", "app"][kept]));
        let told = world
            .events
            .iter()
            .filter(|(reason, _)| reason == "TargetLeft");
        assert_eq!(told.count(), 1, "{:?}", world.events);
    }
}

/// A release that moves and gets another account at once: what is in the former cluster goes as the
/// account that brought it there, which the new one can't stand in for.
#[test]
fn attack_a29_what_is_in_a_former_cluster_is_deleted_as_the_account_that_brought_it() {
    let mut world = abroad();
    world.point("prod-us", "9", "us");
    world.edit_spec(|spec| {
        spec.kube_config = Some(kubeconfig("prod-us"));
        spec.service_account = Some(ServiceAccountName::new("newcomer").unwrap());
    });
    world.settle(3 * MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    assert_eq!(names(&world, "eu"), [""; 0]);
    assert_eq!(names(&world, "us").len(), 4);
    let deletes: Vec<_> = (world.done.iter())
        .filter(|done| done.what.starts_with("delete"))
        .map(|done| done.identity.as_deref())
        .collect();
    assert_eq!(deletes, [Some(DEPLOYER); 4]);
    for inventory in world.inventories.values() {
        let account = inventory.service_account.as_ref();
        assert_eq!(account.map(ServiceAccountName::as_str), Some("newcomer"));
    }
}

#[test]
fn the_same_cluster_under_another_address_is_known_by_its_objects() {
    let mut world = abroad();
    let before = world.remotes["eu"].clone();
    // A new address and a new CA: the digest differs, the objects are the same.
    world.remotes.insert("eu-new".into(), before.clone());
    world.point("prod-eu", "2", "eu-new");
    later(&mut world);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    assert!(world.done_with("delete").is_empty());
    assert_eq!(world.remotes["eu-new"], before, "not one write");
    for inventory in world.inventories.values() {
        assert_eq!(inventory.target, "eu-new");
    }
}

/// The Secret named the new address before the cluster had its objects back: that they weren't there is not
/// believed for ever.
#[test]
fn a_cluster_that_gets_its_objects_back_later_is_known_by_them_too() {
    let mut world = abroad();
    let before = world.remotes["eu"].clone();
    world.point("prod-eu", "2", "eu-new");
    later(&mut world);
    assert_eq!(world.ready(), "False StageFailed");
    world.remotes.insert("eu-new".into(), before.clone());
    world.now = world.now.plus(3 * MINUTE / 2);
    world.settle(5 * MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    assert!(world.done_with("delete").is_empty());
    assert_eq!(world.remotes["eu-new"], before, "not one write");
}

#[test]
fn a29_what_cannot_be_reached_is_neither_forgotten_nor_deleted_elsewhere() {
    let mut world = abroad();
    // The very Secret names another cluster now: the way to the former one is lost.
    world.point("prod-eu", "2", "us");
    let same_names = world.remotes["eu"]
        .iter()
        .map(|(key, stored)| {
            let mut stored = stored.clone();
            stored.uid = format!("other-{}", stored.uid);
            (key.clone(), stored)
        })
        .collect();
    world.remotes.insert("us".into(), same_names);
    let there = world.remotes["us"].clone();
    later(&mut world);
    assert_eq!(world.ready(), "False StageFailed");
    for word in ["can't be reached", "names another cluster", "prune: false"] {
        assert!(world.message().contains(word), "{}", world.message());
    }
    assert_eq!(world.remotes["us"], there);
    assert_eq!(names(&world, "eu").len(), 4);
    assert!(world.inventories.values().all(|i| i.target == "eu"));
    // Leaving them is possible, by saying so.
    world.remotes.get_mut("us").unwrap().clear();
    world.edit_spec(|spec| spec.stages.iter_mut().for_each(|stage| stage.prune = false));
    world.settle(20 * MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    assert_eq!(names(&world, "eu").len(), 4);
    assert_eq!(names(&world, "us").len(), 4);
    let told = |(reason, message): &(String, String)| {
        reason == "TargetLeft" && message.contains("2 object(s)") && message.contains("prod-eu")
    };
    assert_eq!(world.events.iter().filter(|event| told(event)).count(), 2);
}

#[test]
fn a_cluster_that_cannot_be_read_is_not_taken_for_another() {
    let mut world = abroad();
    world.point("prod-eu", "2", "eu-new");
    world.down.insert("eu-new".into());
    later(&mut world);
    assert_eq!(world.ready(), "False StageFailed");
    assert!(
        world.message().contains("discovery failed") || world.message().contains("can't be told"),
        "{}",
        world.message()
    );
    assert_eq!(names(&world, "eu").len(), 4);
    assert!(world.inventories.values().all(|i| i.target == "eu"));
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

/// Where no account is on record, what is in a former cluster goes as the account of its stage.
#[test]
fn k06_without_a_record_the_account_of_the_stage_deletes_in_a_former_cluster() {
    let mut world = shop();
    world.point("prod-eu", "1", "eu");
    world.point("prod-us", "9", "us");
    world.accounts.insert("configurer".into());
    world.edit_spec(|spec| {
        spec.kube_config = Some(kubeconfig("prod-eu"));
        spec.stages[0].service_account = Some(ServiceAccountName::new("configurer").unwrap());
    });
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    for inventory in world.inventories.values_mut() {
        inventory.service_account = None;
    }
    world.crash();
    world.done.clear();
    move_to(&mut world, Some("prod-us"));
    world.settle(3 * MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    let deletes: Vec<_> = (world.done.iter())
        .filter(|done| done.what.starts_with("delete"))
        .map(|done| done.identity.as_deref().unwrap_or_default())
        .map(|user| user.rsplit(':').next().unwrap_or_default())
        .collect();
    assert_eq!(
        deletes,
        ["deployer", "deployer", "configurer", "configurer"]
    );
}

/// It takes all that such a controller lacks to be taken for its: a record that lacks one thing is ours.
#[test]
fn k23_a_record_that_lacks_one_thing_says_where_its_objects_are_all_the_same() {
    let forgets: [(&str, fn(&mut StageInventory)); 3] = [
        ("accounts", |inventory| inventory.service_account = None),
        ("uids", |inventory| {
            let entries = inventory.entries.values_mut();
            entries.for_each(|entry| entry.uid = None);
        }),
        ("contents", |inventory| {
            let entries = inventory.entries.values_mut();
            entries.for_each(|entry| entry.digest = None);
        }),
    ];
    for (what, forget) in forgets {
        let mut world = abroad();
        world.point("prod-us", "9", "us");
        world.inventories.values_mut().for_each(forget);
        world.crash();
        move_to(&mut world, Some("prod-us"));
        world.settle(3 * MINUTE);
        let said = world.message();
        assert_eq!(world.ready(), "True Succeeded", "{what}: {said}");
        assert_eq!(names(&world, "eu"), [""; 0], "{what}");
        assert_eq!(names(&world, "us").len(), 4, "{what}");
    }
}

/// Leaves of the inventories what a controller writes that records no clusters.
fn forget_clusters(world: &mut World) {
    for inventory in world.inventories.values_mut() {
        inventory.target.clear();
        inventory.kubeconfig = None;
        inventory.service_account = None;
        for entry in inventory.entries.values_mut() {
            entry.uid = None;
            entry.digest = None;
        }
    }
}

#[test]
fn s29_what_such_inventories_hold_is_not_looked_for_here_when_the_kubeconfig_is_gone() {
    let mut world = abroad();
    world.objects = world.remotes["eu"].clone();
    let here = world.objects.clone();
    forget_clusters(&mut world);
    world.crash();
    world.kubeconfigs.clear();
    world.facts.kubeconfigs.clear();
    world.deletion_timestamp = Some(world.now);
    world.settle(30 * MINUTE);
    assert!(!world.gone);
    let said = world.message();
    assert!(said.contains("doesn't exist"), "{said}");
    assert_eq!(world.objects, here);
}

#[test]
fn inventories_of_a_controller_that_records_no_clusters_are_taken_to_be_where_the_stageset_points()
{
    let mut world = abroad();
    forget_clusters(&mut world);
    world.crash();
    world.settle(20 * MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    assert!(world.done_with("delete").is_empty());
    assert!(world.inventories.values().all(|i| i.target == "eu"));
}

#[test]
fn an_inventory_that_was_lost_is_recorded_anew_with_its_cluster() {
    let mut world = abroad();
    world.inventories.clear();
    world.facts.inventories = None;
    world.now = world.now.plus(11 * MINUTE);
    world.refresh_before = world.now;
    while world.inventories.len() < 2 {
        world.turn_or_wait();
    }
    for inventory in world.inventories.values() {
        assert_eq!(inventory.target, "eu");
        assert_eq!(inventory.kubeconfig, Some(kubeconfig("prod-eu")));
    }
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    let anew = |(reason, _): &&(String, String)| reason == "InventoryReconstructed";
    assert_eq!(
        world.events.iter().filter(anew).count(),
        2,
        "{:?}",
        world.events
    );
}

/// A record says where its objects are: at no time is what was in the former cluster said to be in the
/// new one, or that one to be reached by the former's Secret.
#[test]
fn k23_what_was_in_the_former_cluster_is_not_recorded_as_in_the_new_one() {
    for prune in [true, false] {
        let mut world = abroad();
        world.edit_spec(|spec| spec.stages[0].prune = prune);
        world.point("prod-us", "1", "us");
        move_to(&mut world, Some("prod-us"));
        let mut moved = 0;
        for _ in 0..100 {
            world.turn_or_wait();
            let of_us = world
                .inventories
                .values()
                .filter(|inventory| inventory.target == "us");
            for inventory in of_us {
                moved += 1;
                assert_eq!(
                    inventory.kubeconfig,
                    Some(kubeconfig("prod-us")),
                    "prune: {prune}"
                );
                for (key, entry) in &inventory.entries {
                    let there = world.remotes.get("us").and_then(|objects| objects.get(key));
                    let there = there.map(|stored| &stored.uid);
                    assert!(entry.uid.is_none() || entry.uid.as_ref() == there, "{key}");
                }
            }
        }
        assert!(moved > 0);
        assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    }
}
