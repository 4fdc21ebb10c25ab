//! What the inventories say of where objects are, and what is believed of those that say little.

use super::*;

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

/// It takes all that such a controller lacks to be taken for its: a record that has one thing is ours.
#[test]
fn k23_a_record_that_lacks_much_says_where_its_objects_are_all_the_same() {
    fn without_uids(inventory: &mut StageInventory) {
        let entries = inventory.entries.values_mut();
        entries.for_each(|entry| entry.uid = None);
    }
    fn without_contents(inventory: &mut StageInventory) {
        let entries = inventory.entries.values_mut();
        entries.for_each(|entry| entry.digest = None);
    }
    let forgets: [(&str, fn(&mut StageInventory)); 5] = [
        ("accounts", |inventory| inventory.service_account = None),
        ("uids", without_uids),
        ("contents", without_contents),
        ("all but accounts", |inventory| {
            without_uids(inventory);
            without_contents(inventory);
        }),
        ("all but clusters", |inventory| {
            inventory.service_account = None;
            without_uids(inventory);
            without_contents(inventory);
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

/// Of two stages that are recorded in two clusters, as in mid-move, what stands in the one tells nothing of the
/// other.
#[test]
fn k23_what_stands_in_another_cluster_does_not_say_that_this_is_the_one() {
    for (elsewhere, known) in [(true, false), (false, true)] {
        let mut world = abroad();
        world.point("prod-us", "9", "us");
        let [config, app] = ["config", "app"].map(|name| StageName::new(name).unwrap());
        let others: Vec<_> = world.inventories[&app].entries.keys().cloned().collect();
        let eu = world.remotes.get_mut("eu").unwrap();
        for key in others {
            eu.get_mut(&key).unwrap().uid.insert_str(0, "other-");
        }
        if elsewhere {
            let inventory = world.inventories.get_mut(&config).unwrap();
            inventory.target = "us".into();
            inventory.kubeconfig = Some(kubeconfig("prod-us"));
            let there = (inventory.entries.keys())
                .map(|key| (key.clone(), eu.remove(key).unwrap()))
                .collect();
            world.remotes.insert("us".into(), there);
        }
        world.crash();
        world.deletion_timestamp = Some(world.now);
        world.settle(2 * MINUTE);
        let said = world.message();
        assert_eq!(!said.contains("this isn't the cluster"), known, "{said}");
        assert_eq!(world.gone, known, "{said}");
    }
}
