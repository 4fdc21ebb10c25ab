//! Releases of the controller side by side on one cluster (S21, K24).
#![expect(clippy::unwrap_used, reason = "a test that can't be set up fails")]

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use stageset_controller::Options;
use stageset_core::names::Namespace;

use crate::harness::{Replica, World, config_map, replica_user, within};

/// A release with a name, a Lease and a list of its own; an empty list is the whole cluster.
fn release(world: &World, name: &str, list: &[&str], take_over: bool) -> Replica {
    let options = Options {
        lease: format!("{name}.stages.metio.wtf"),
        release_namespace: format!("{name}-system"),
        watch_namespaces: list.iter().map(|n| Namespace::new(*n).unwrap()).collect(),
        take_over,
        ..Options::default()
    };
    world.replica(options, replica_user(name), None)
}

/// Which releases have written in a namespace, as themselves or as its tenant; refused writes of the
/// race for a claim (409) change nothing.
fn writers(world: &World, namespace: &str) -> BTreeSet<String> {
    let writes = ["create", "update", "patch", "delete"];
    let requests = world.requests().into_iter();
    requests
        .filter(|request| request.namespace == namespace && request.code < 400)
        .filter(|request| writes.contains(&request.verb.as_str()))
        .map(|request| request.user)
        .collect()
}

fn handled_by(world: &World, namespace: &str) -> String {
    let object = world.get_stage_set(namespace, "shop").unwrap_or_default();
    let release = &object["status"]["handledBy"];
    format!(
        "{}/{}",
        release["namespace"].as_str().unwrap_or_default(),
        release["name"].as_str().unwrap_or_default()
    )
}

fn left_alone(replica: &Replica) -> String {
    let text = replica.metrics.expose();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("stageset_handled_elsewhere "));
    line.unwrap_or_default().to_owned()
}

#[tokio::test(start_paused = true)]
async fn s21_two_and_three_releases_with_disjoint_lists_never_meet() {
    let lists: [(&str, &[&str]); 3] = [
        ("one", &["team-a", "team-b"]),
        ("two", &["team-c"]),
        ("three", &["team-d", "team-e"]),
    ];
    for count in [2, 3] {
        let lists = &lists[..count];
        let all: Vec<&str> = lists
            .iter()
            .flat_map(|(_, list)| list.iter().copied())
            .collect();
        let world = World::with_shops(&all).await;
        let replicas: Vec<Replica> = lists
            .iter()
            .map(|(name, list)| release(&world, name, list, false))
            .collect();
        for namespace in &all {
            world
                .until_ready_says(namespace, "shop", "True Succeeded")
                .await;
        }
        // A change everywhere, and a deletion: each is its own release's to carry out.
        for (_, list) in lists {
            world.source(list[0], "app", &[("a.yaml", &config_map("a", "2"))]);
        }
        let arrived = |namespace: &str| {
            let object = world.cluster.get("v1", "ConfigMap", namespace, "a");
            object.is_some_and(|object| object["data"]["key"] == "2")
        };
        for (_, list) in lists {
            world.until("the change arrives", || arrived(list[0])).await;
        }
        for (name, list) in lists {
            for namespace in *list {
                assert_eq!(
                    handled_by(&world, namespace),
                    format!("{name}-system/{name}")
                );
                let only = BTreeSet::from([(*name).to_owned()]);
                assert_eq!(writers(&world, namespace), only, "{namespace}");
            }
            // Not even a read of what belongs to another release's namespace.
            let strange = world.requests().into_iter().find(|request| {
                request.user == *name
                    && !request.namespace.is_empty()
                    && !list.contains(&request.namespace.as_str())
            });
            assert_eq!(strange, None);
        }
        for replica in replicas {
            assert_eq!(left_alone(&replica), "0");
            replica.stop().await.unwrap();
        }
    }
}

/// Without a list every namespace; with one, nothing of the others: no StageSet, and no source in a
/// cache.
#[tokio::test(start_paused = true)]
async fn s17_s18_s19_a_list_bounds_what_is_reconciled_and_cached() {
    let all = ["team-a", "team-b", "team-c"];
    let outside = World::with_shops(&all).await;
    let whole = release(&outside, "whole", &[], false);
    for namespace in all {
        outside
            .until_ready_says(namespace, "shop", "True Succeeded")
            .await;
    }
    whole.stop().await.unwrap();

    let outside = World::with_shops(&all).await;
    let listed = release(&outside, "listed", &["team-a", "team-b"], false);
    for namespace in ["team-a", "team-b"] {
        outside
            .until_ready_says(namespace, "shop", "True Succeeded")
            .await;
    }
    tokio::time::sleep(Duration::from_secs(1800)).await;
    let object = outside.get_stage_set("team-c", "shop").unwrap();
    assert_eq!(object["status"], json!(null));
    assert_eq!(object["metadata"]["finalizers"], json!(null));
    for request in outside.requests() {
        let cached = [
            "stagesets",
            "externalartifacts",
            "gitrepositories",
            "serviceaccounts",
        ];
        let for_all = request.namespace.is_empty() && cached.contains(&&*request.resource);
        assert!(!for_all && request.namespace != "team-c", "{request:?}");
    }
    listed.stop().await.unwrap();
}

/// Overlapping lists, both begun in one moment: one of them writes, the other says so.
#[tokio::test(start_paused = true)]
async fn k24_overlapping_lists_are_said_and_have_one_writer() {
    let world = World::with_shops(&["team-a", "team-b", "team-c"]).await;
    let one = release(&world, "one", &["team-a", "team-b"], false);
    let two = release(&world, "two", &["team-b", "team-c"], false);
    for namespace in ["team-a", "team-b", "team-c"] {
        world
            .until_ready_says(namespace, "shop", "True Succeeded")
            .await;
    }
    let both = || {
        let mut counts = [left_alone(&one), left_alone(&two)];
        counts.sort();
        counts == ["0", "1"]
    };
    world
        .until("one of the two says that it does nothing", both)
        .await;
    world.source("team-b", "app", &[("a.yaml", &config_map("a", "2"))]);
    world
        .until("the change arrives", || {
            let object = world.cluster.get("v1", "ConfigMap", "team-b", "a");
            object.is_some_and(|object| object["data"]["key"] == "2")
        })
        .await;
    assert_eq!(writers(&world, "team-b").len(), 1, "two writers");
    // Deletion is the claimant's as well.
    world
        .cluster
        .delete("stages.metio.wtf/v1", "StageSet", "team-b", "shop")
        .unwrap();
    world
        .until("it is gone", || {
            world.get_stage_set("team-b", "shop").is_none()
        })
        .await;
    assert_eq!(writers(&world, "team-b").len(), 1, "two writers");
    let none = || left_alone(&one) == "0" && left_alone(&two) == "0";
    world.until("nothing is left to say", none).await;
    one.stop().await.unwrap();
    two.stop().await.unwrap();
}

/// A release for the whole cluster beside one with a list: whoever came first keeps what it has, and
/// the other one takes it over only when it is told to.
#[tokio::test(start_paused = true)]
async fn k24_the_default_release_stands_beside_a_listed_one() {
    let world = World::with_shops(&["team-a", "team-b"]).await;
    let listed = release(&world, "listed", &["team-b"], false);
    world
        .until_ready_says("team-b", "shop", "True Succeeded")
        .await;
    let default = release(&world, "default", &[], false);
    world
        .until_ready_says("team-a", "shop", "True Succeeded")
        .await;
    world
        .until("it says so", || left_alone(&default) == "1")
        .await;
    assert_eq!(handled_by(&world, "team-a"), "default-system/default");
    assert_eq!(handled_by(&world, "team-b"), "listed-system/listed");
    // Nothing that happens there moves the default release.
    world.source("team-b", "app", &[("a.yaml", &config_map("a", "2"))]);
    tokio::time::sleep(Duration::from_secs(1200)).await;
    let only = BTreeSet::from(["listed".to_owned()]);
    assert_eq!(writers(&world, "team-b"), only);
    // The listed one ends, and nobody inherits silently.
    listed.stop().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1200)).await;
    assert_eq!(writers(&world, "team-b"), only);
    assert_eq!(left_alone(&default), "1");
    // The operator's word, or a cleared field.
    default.stop().await.unwrap();
    let default = release(&world, "default", &[], true);
    let taken = || handled_by(&world, "team-b") == "default-system/default";
    assert!(
        within(Duration::from_secs(60), taken).await,
        "--take-over takes nothing over"
    );
    world
        .until_ready_says("team-b", "shop", "True Succeeded")
        .await;
    assert_eq!(left_alone(&default), "0");
    default.stop().await.unwrap();
}

/// A cleared `status.handledBy` is free for whoever sees it first.
#[tokio::test(start_paused = true)]
async fn k24_a_cleared_claim_is_taken_by_the_release_that_waits() {
    let world = World::with_shops(&["team-a"]).await;
    let first = release(&world, "first", &["team-a"], false);
    world
        .until_ready_says("team-a", "shop", "True Succeeded")
        .await;
    first.stop().await.unwrap();
    let second = release(&world, "second", &["team-a"], false);
    world
        .until("it says so", || left_alone(&second) == "1")
        .await;
    let patch = json!({ "handledBy": null });
    world
        .cluster
        .patch_status("stages.metio.wtf/v1", "StageSet", "team-a", "shop", &patch)
        .unwrap();
    world
        .until("the waiting one takes it", || {
            handled_by(&world, "team-a") == "second-system/second"
        })
        .await;
    second.stop().await.unwrap();
}
