//! One StageSet of many objects: an inventory of several shards. The full size (20,000 objects, shards
//! of 5,000) is measured by `cargo bench -p stageset-controller --bench many`; here it is smaller, and
//! so are the shards, which come in the same number.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use stageset_controller::Options;

use crate::harness::{World, config_map, within};

const OBJECTS: usize = 400;
const CAP: usize = 100;

fn name(index: usize) -> String {
    format!("settings-{index:05}")
}

fn publish(world: &World, objects: std::ops::Range<usize>, value: &str) {
    let texts: Vec<String> = objects
        .map(|index| config_map(&name(index), value))
        .collect();
    world.source("payments", "app", &[("all.yaml", &texts.join("\n---\n"))]);
}

/// The shards' entries: how many each holds, and all their ids.
fn inventory(world: &World) -> (Vec<usize>, BTreeSet<String>) {
    let kind = ("stages.metio.wtf/v1", "StageInventory");
    let shards = world.cluster.list(kind.0, kind.1, "payments");
    let entries = |shard: &Value| shard["spec"]["entries"].as_array().cloned();
    let each: Vec<Vec<Value>> = shards.iter().filter_map(entries).collect();
    let ids = each.iter().flatten();
    let ids = ids.map(|entry| entry["id"].as_str().unwrap_or_default().to_owned());
    (each.iter().map(Vec::len).collect(), ids.collect())
}

fn standing(world: &World, value: &str) -> usize {
    let maps = world.cluster.list("v1", "ConfigMap", "payments");
    let ours = maps.iter().filter(|map| map["data"]["key"] == value);
    ours.count()
}

#[tokio::test(start_paused = true)]
async fn a_stage_set_of_several_shards_is_delivered_changed_pruned_and_torn_down() {
    let world = World::new().await;
    world.tenant("payments", &["*"]);
    publish(&world, 0..OBJECTS, "1");
    world.stage_set("payments", "shop", &["app"]);
    let options = Options {
        inventory_shard_cap: CAP,
        ..Options::default()
    };
    let controller = world.controller(options);
    let settled = async |value: &str, count: usize| {
        let done = || {
            standing(&world, value) == count && world.ready("payments", "shop") == "True Succeeded"
        };
        assert!(
            within(Duration::from_secs(600), done).await,
            "{value}: {} of {count}, {}",
            standing(&world, value),
            world.ready("payments", "shop")
        );
    };
    settled("1", OBJECTS).await;
    let (sizes, ids) = inventory(&world);
    assert_eq!(sizes, vec![CAP; OBJECTS / CAP], "full shards");
    assert_eq!(ids.len(), OBJECTS, "each object once");
    let status = world.get_stage_set("payments", "shop").unwrap_or_default();
    assert_eq!(
        status["status"]["stages"][0]["entriesCount"],
        json!(OBJECTS)
    );

    publish(&world, 0..OBJECTS, "2");
    settled("2", OBJECTS).await;

    // A quarter leaves, from the middle of all shards' order: shards shrink to what is left.
    publish(&world, CAP..OBJECTS, "2");
    settled("2", OBJECTS - CAP).await;
    let recorded = || {
        let (sizes, ids) = inventory(&world);
        ids.len() == OBJECTS - CAP && sizes.iter().all(|size| *size <= CAP)
    };
    assert!(
        within(Duration::from_secs(120), recorded).await,
        "{:?}",
        inventory(&world).0
    );

    let deleted = world
        .cluster
        .delete("stages.metio.wtf/v1", "StageSet", "payments", "shop");
    assert!(deleted.is_ok(), "{deleted:?}");
    let gone = || world.get_stage_set("payments", "shop").is_none();
    assert!(within(Duration::from_secs(600), gone).await);
    assert_eq!(standing(&world, "2"), 0);
    assert_eq!(inventory(&world).0, [0; 0], "no shard is left");
    assert_eq!(controller.stop().await, Ok(()));
}
