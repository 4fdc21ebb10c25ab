//! A release that moves to another cluster: it goes where it was first, and two addresses of one are one.

use super::*;

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
    let entries = |world: &World| -> Vec<_> {
        let inventories = world.inventories.values();
        inventories
            .map(|recorded| recorded.entries.clone())
            .collect()
    };
    let recorded = entries(&world);
    world.now = world.now.plus(11 * MINUTE);
    world.refresh_before = world.now;
    while world.inventories.values().any(|i| i.target != "eu-new") {
        world.turn_or_wait();
        assert_eq!(entries(&world), recorded, "nothing is forgotten meanwhile");
    }
    world.settle(5 * MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    assert!(world.done_with("delete").is_empty());
    assert_eq!(world.remotes["eu-new"], before, "not one write");
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
