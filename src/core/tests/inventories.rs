//! What the inventories hold: through handovers between stages, and when one is lost.

use std::time::Duration;

use stageset_core::failure::FailureClass;
use stageset_core::names::StageName;
use stageset_core::object::ObjectKey;

use crate::world::{World, shop};

const MINUTE: Duration = Duration::from_secs(60);
const DEPLOYER: &str = "system:serviceaccount:payments:deployer";

/// What another controller reads, and the next pass goes by.
#[test]
fn an_inventory_says_what_content_was_written() {
    let mut world = shop();
    world.settle(MINUTE);
    let key = world.key("Service", "web");
    let digest = |world: &World| {
        let entries = world
            .inventories
            .values()
            .map(|inventory| &inventory.entries);
        let entry = entries.into_iter().find_map(|entries| entries.get(&key));
        entry.and_then(|entry| entry.digest.clone())
    };
    let before = digest(&world);
    assert!(before.is_some());
    world.publish("app", "r2", &["Deployment/web=1", "Service/web=2"]);
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded");
    assert_ne!(digest(&world), before);
}

/// The inventories of two stages may hold one object, when one was reconstructed (the trials found it).
#[test]
fn what_stands_in_two_inventories_is_deleted_once() {
    let mut world = shop();
    world.settle(MINUTE);
    let key = world.key("ConfigMap", "settings");
    let entry = world
        .inventories
        .values()
        .find_map(|inventory| inventory.entries.get(&key).cloned())
        .unwrap();
    for inventory in world.inventories.values_mut() {
        inventory.entries.insert(key.clone(), entry.clone());
    }
    world.facts.inventories = None;
    world.publish("config", "r2", &["Deployment/cache=1"]);
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded");
    let deleted = world.done_with("delete ConfigMap payments/settings");
    assert_eq!(deleted.len(), 1, "{deleted:?}");
    let mut inventories = world.inventories.values();
    assert!(inventories.all(|inventory| !inventory.entries.contains_key(&key)));
}

/// Turns until the next plan is to record inventories "to what is left" of them, or to drop one; whether
/// there is ever one.
fn until_it_lets_go(world: &mut World) -> bool {
    for _ in 0..200 {
        let plan = world.foresee().to_string();
        if plan.contains("to what is left") || plan.contains("drop the inventory") {
            return true;
        }
        world.turn_or_wait();
    }
    false
}

fn holders(world: &World, key: &ObjectKey) -> Vec<String> {
    let inventories = world.inventories.iter();
    let holders = inventories.filter(|(_, inventory)| inventory.entries.contains_key(key));
    holders.map(|(stage, _)| stage.to_string()).collect()
}

/// Somebody took an entry out of the inventory of a stage's new name, unseen, and the write that would
/// put it back is refused (the trials found it: D1).
#[test]
fn the_inventory_of_a_former_name_goes_only_once_the_new_one_was_written() {
    let mut world = shop();
    world.settle(MINUTE);
    world.slow.clear();
    let key = world.key("ConfigMap", "settings");
    let renamed = StageName::new("renamed").unwrap();
    world.edit_spec(|spec| spec.stages[0].name = renamed.clone());
    assert!(until_it_lets_go(&mut world));
    let inventory = world.inventories.get_mut(&renamed).unwrap();
    inventory.entries.remove(&key);
    world.fault = Some((world.requests + 1, FailureClass::Conflict));
    let _ = world.turn();
    assert_eq!(holders(&world, &key), ["config"]);
    world.facts.inventories = None;
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded");
    assert_eq!(holders(&world, &key), ["renamed"]);
}

/// Two stages swapped an object each, and somebody took one's new entry out, unseen.
#[test]
fn an_inventory_lets_go_only_once_the_one_before_it_was_written() {
    let mut world = shop();
    world.settle(MINUTE);
    world.slow.clear();
    world.publish("config", "r2", &["Service/web=1", "Deployment/cache=1"]);
    world.publish("app", "r2", &["Deployment/web=1", "ConfigMap/settings=1"]);
    assert!(until_it_lets_go(&mut world));
    let service = world.key("Service", "web");
    assert_eq!(holders(&world, &service), ["app", "config"]);
    let config = StageName::new("config").unwrap();
    let inventory = world.inventories.get_mut(&config).unwrap();
    inventory.entries.remove(&service);
    world.fault = Some((world.requests + 1, FailureClass::Conflict));
    let _ = world.turn();
    assert_eq!(holders(&world, &service), ["app"]);
    world.facts.inventories = None;
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded");
    assert_eq!(holders(&world, &service), ["config"]);
}

/// What the next plan writes of inventories, in order.
fn records(world: &mut World) -> Vec<String> {
    let plan = world.foresee().to_string();
    let lines = plan
        .lines()
        .filter(|line| line.contains("inventory of stage"));
    lines.map(str::to_owned).collect()
}

/// An object moved to a later stage. What that one holds is written first, with what was learnt of it or, once that
/// stands, as it is.
#[test]
fn an_inventory_loses_entries_after_the_one_that_has_them_now_was_written() {
    let mut world = shop();
    world.settle(MINUTE);
    world.slow.clear();
    world.publish("config", "r2", &["Deployment/cache=1"]);
    let with_settings = ["Deployment/web=1", "Service/web=1", "ConfigMap/settings=1"];
    world.publish("app", "r2", &with_settings);
    assert!(until_it_lets_go(&mut world));
    let told = records(&mut world);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("stage app: to what is left"), "{told:?}");
    assert!(
        told[1].contains("stage config: to what is left"),
        "{told:?}"
    );

    // The second of the two is refused.
    world.fault = Some((world.requests + 2, FailureClass::Conflict));
    let _ = world.turn();
    let key = world.key("ConfigMap", "settings");
    assert_eq!(holders(&world, &key), ["app", "config"]);
    world.facts.inventories = None;
    assert!(until_it_lets_go(&mut world));
    let told = records(&mut world);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("stage app: as it is"), "{told:?}");
    assert!(
        told[1].contains("stage config: to what is left"),
        "{told:?}"
    );

    world.settle(MINUTE);
    assert_eq!(holders(&world, &key), ["app"]);
    assert_eq!(records(&mut world), Vec::<String>::new());
}

/// A stage went back to its former name before what it had recorded under the other one was let go of. What stands in
/// the way of losing it is that the former inventory still holds it, which somebody may have changed since it was read
/// (60232264 of the trials: D1).
#[test]
fn an_inventory_lets_go_only_once_the_one_that_keeps_it_was_confirmed() {
    let mut world = shop();
    world.settle(MINUTE);
    world.slow.clear();
    let key = world.key("ConfigMap", "settings");
    let name = |name: &str| StageName::new(name).unwrap();
    world.edit_spec(|spec| spec.stages[0].name = name("renamed"));
    assert!(until_it_lets_go(&mut world));
    assert_eq!(holders(&world, &key), ["config", "renamed"]);
    world.edit_spec(|spec| spec.stages[0].name = name("config"));
    assert!(until_it_lets_go(&mut world));
    let inventory = world.inventories.get_mut(&name("config")).unwrap();
    inventory.entries.remove(&key);
    let plan = world.foresee().to_string();
    let confirmed = plan.find("in the inventory of stage config: as it is");
    let dropped = plan.find("drop the inventory of stage renamed");
    assert!(confirmed.is_some() && confirmed < dropped, "{plan}");
    world.fault = Some((world.requests + 1, FailureClass::Conflict));
    let _ = world.turn();
    assert_eq!(holders(&world, &key), ["renamed"]);
    world.facts.inventories = None;
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded");
    assert_eq!(holders(&world, &key), ["config"]);
}

/// Everything of config was delivered, and nobody recorded it any more.
fn with_a_lost_inventory() -> World {
    let mut world = shop();
    world.publish(
        "config",
        "r1",
        &[
            "ConfigMap/settings=1",
            "ConfigMap/kept=1",
            "Deployment/cache=1",
        ],
    );
    world.settle(MINUTE);
    world.inventories.clear();
    world.crash();
    world.publish("config", "r2", &["ConfigMap/kept=1", "Deployment/cache=1"]);
    world
}

#[test]
fn a_lost_inventory_is_rebuilt_without_pruning_on_a_guess() {
    let mut world = with_a_lost_inventory();
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    assert!(
        world.object("ConfigMap", "settings").is_some(),
        "deleted on a guess"
    );
    assert!(
        world
            .message()
            .contains("1 object(s) of an inventory that was reconstructed"),
        "{}",
        world.message()
    );
    let told: Vec<_> = world
        .events
        .iter()
        .filter(|(reason, _)| reason == "InventoryReconstructed")
        .collect();
    assert_eq!(told.len(), 2, "one for each stage: {told:?}");
    assert!(
        told[0].1.contains("2 object(s) of the release and 1 more"),
        "{told:?}"
    );
    world.tick();
    assert!(
        world.object("ConfigMap", "settings").is_none(),
        "the next pass prunes what its labels name"
    );
    assert!(world.object("ConfigMap", "kept").is_some());
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}

/// A process may die right after, and the stage leave: then this alone says as whom it goes, and when.
#[test]
fn what_is_recorded_anew_says_as_whom_and_where_in_the_order() {
    let mut world = with_a_lost_inventory();
    while world.inventories.len() < 2 {
        assert_eq!(world.turn().next, stageset_core::plan::Next::Again);
    }
    for (position, stage) in ["config", "app"].into_iter().enumerate() {
        let mut named = world.inventories.iter();
        let (_, inventory) = named.find(|(name, _)| name.as_str() == stage).unwrap();
        assert_eq!(inventory.position, position, "{stage}");
        let account = inventory.service_account.as_ref();
        assert_eq!(
            account.map(stageset_core::names::ServiceAccountName::as_str),
            Some("deployer")
        );
    }
}

#[test]
fn what_can_t_be_listed_for_a_lost_inventory_is_told() {
    let mut world = with_a_lost_inventory();
    world
        .denied
        .insert((DEPLOYER.into(), "list".into(), "ConfigMap".into()));
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    let told = world
        .events
        .iter()
        .find(|(reason, _)| reason == "InventoryReconstructed");
    assert!(
        told.unwrap()
            .1
            .contains("configmaps of namespace payments: cannot list"),
        "{told:?}"
    );
    world.tick();
    assert!(
        world.object("ConfigMap", "settings").is_some(),
        "nobody knows of it"
    );
}

#[test]
fn a_list_that_fails_for_a_moment_is_made_again_before_anything_is_recorded() {
    // Accounts, sources, inventories; builds; kinds; then the lists.
    for at in 1..20 {
        let mut world = with_a_lost_inventory();
        let class = FailureClass::Transient { retry_after: None };
        world.fault = Some((world.requests + at, class));
        world.settle(MINUTE);
        world.tick();
        assert_eq!(world.ready(), "True Succeeded", "{at}: {}", world.message());
        let done: Vec<&str> = world.done.iter().map(|done| done.what.as_str()).collect();
        assert!(
            world.object("ConfigMap", "settings").is_none(),
            "{at}: {done:#?} {:?}",
            world.events
        );
    }
}

#[test]
fn a_fresh_stage_has_lost_nothing() {
    let mut world = shop();
    world.settle(MINUTE);
    assert!(world.facts.labelled.is_empty());
    let lost = |(reason, _): &(String, String)| reason == "InventoryReconstructed";
    assert!(!world.events.iter().any(lost));
}
