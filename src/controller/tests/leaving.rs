//! A namespace leaves the list of a release, and the next release may have its StageSets (K24).
#![expect(clippy::unwrap_used, reason = "a test that can't be set up fails")]

use std::time::Duration;

use serde_json::json;
use stageset_controller::Options;
use stageset_controller::flags::Leave;
use stageset_core::names::Namespace;
use stageset_sim::User;
use tokio::time::sleep;

use crate::harness::{Replica, World, config_map, replica_user};

fn list(names: &[&str]) -> Vec<Namespace> {
    names.iter().map(|n| Namespace::new(*n).unwrap()).collect()
}

fn options(name: &str, watched: &[&str], leave: Leave) -> Options {
    Options {
        lease: format!("{name}.stages.metio.wtf"),
        release_namespace: format!("{name}-system"),
        watch_namespaces: list(watched),
        leave,
        ..Options::default()
    }
}

/// A release that elects nobody.
fn release(world: &World, name: &str, watched: &[&str], leave: Leave) -> Replica {
    world.replica(options(name, watched, leave), replica_user(name), None)
}

/// Name of the release that claims a namespace's StageSet; empty = nobody.
fn claimant(world: &World, namespace: &str) -> String {
    let object = world.get_stage_set(namespace, "shop").unwrap_or_default();
    let name = &object["status"]["handledBy"]["name"];
    name.as_str().unwrap_or_default().to_owned()
}

async fn until_claimed(world: &World, namespace: &str, by: &str) {
    let claimed = || claimant(world, namespace) == by;
    world
        .until(&format!("{by:?} has {namespace}"), claimed)
        .await;
}

/// What was sent by a release for a namespace, and for all namespaces of StageSets, from a point on.
fn sent(world: &World, name: &str, namespace: &str, from: usize) -> Vec<(String, String)> {
    let requests = world.requests().into_iter().skip(from);
    requests
        .filter(|request| request.user == name)
        .filter(|request| {
            request.namespace == namespace
                || request.namespace.is_empty() && request.resource == "stagesets"
        })
        .map(|request| {
            (
                request.verb,
                format!("{}/{}", request.resource, request.subresource),
            )
        })
        .collect()
}

fn only_what_leaving_takes(sent: &[(String, String)]) {
    for (verb, what) in sent {
        let known = [("list", "stagesets/"), ("patch", "stagesets/status")];
        assert!(known.contains(&(verb.as_str(), what.as_str())), "{sent:?}");
    }
    assert!(!sent.is_empty());
}

/// A list that shrinks: the next release has the namespace without anybody's help, and goes on where
/// the first one stopped.
#[tokio::test(start_paused = true)]
async fn k24_a_namespace_that_leaves_the_list_is_the_next_releases() {
    let world = World::with_shops(&["team-a", "team-b"]).await;
    let first = release(&world, "first", &["team-a", "team-b"], Leave::Nothing);
    for namespace in ["team-a", "team-b"] {
        world
            .until_ready_says(namespace, "shop", "True Succeeded")
            .await;
    }
    let second = release(&world, "second", &["team-b"], Leave::Nothing);
    let told = || {
        second
            .metrics
            .expose()
            .contains("stageset_handled_elsewhere 1\n")
    };
    world.until("the second says that it waits", told).await;
    first.stop().await.unwrap();
    let from = world.requests().len();
    let leave = Leave::Namespaces(list(&["team-b"]));
    let first = release(&world, "first", &["team-a"], leave);
    until_claimed(&world, "team-b", "second").await;
    world.source("team-b", "app", &[("a.yaml", &config_map("a", "2"))]);
    let arrived = || {
        let found = world.cluster.get("v1", "ConfigMap", "team-b", "a");
        found.unwrap_or_default()["data"]["key"] == "2"
    };
    world.until("the second delivers", arrived).await;
    sleep(Duration::from_secs(1800)).await;
    assert_eq!(
        claimant(&world, "team-a"),
        "first",
        "what stays was given up"
    );
    assert_eq!(claimant(&world, "team-b"), "second");
    let sent = sent(&world, "first", "team-b", from);
    only_what_leaving_takes(&sent);
    assert_eq!(sent.len(), 2, "once is enough: {sent:?}");
    first.stop().await.unwrap();
    second.stop().await.unwrap();
}

/// A release for the whole cluster gets a list: it keeps what is listed, gives up all else that is its
/// own, in pages, and leaves the claims of others alone.
#[tokio::test(start_paused = true)]
async fn k24_a_release_without_a_list_that_gets_one_gives_up_all_else() {
    let world = World::with_shops(&["team-a", "team-b", "team-c"]).await;
    for index in 0..450 {
        let mut object = crate::harness::stage_set("team-b", &format!("s-{index:03}"), &["app"]);
        object["spec"]["suspend"] = true.into();
        world.put(&object);
    }
    let other = release(&world, "other", &["team-c"], Leave::Nothing);
    until_claimed(&world, "team-c", "other").await;
    other.stop().await.unwrap();
    let whole = release(&world, "whole", &[], Leave::Nothing);
    let claimed = || {
        let sets = world.cluster.list("stages.metio.wtf/v1", "StageSet", "");
        let ours = |set: &&serde_json::Value| set["status"]["handledBy"]["name"] == "whole";
        sets.iter().filter(ours).count()
    };
    world
        .until("it has claimed all but one", || claimed() == 452)
        .await;
    whole.stop().await.unwrap();
    let from = world.requests().len();
    let whole = release(&world, "whole", &["team-a"], Leave::AllOthers);
    world.until("it has given up", || claimed() == 1).await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(claimant(&world, "team-a"), "whole");
    let of_what_stays = sent(&world, "whole", "team-a", from);
    let given_up = |(verb, what): &(String, String)| verb == "patch" && what == "stagesets/status";
    assert!(!of_what_stays.iter().any(given_up), "{of_what_stays:?}");
    assert_eq!(claimant(&world, "team-b"), "");
    assert_eq!(claimant(&world, "team-c"), "other");
    only_what_leaving_takes(&sent(&world, "whole", "team-b", from));
    assert_eq!(
        sent(&world, "whole", "team-c", from).len(),
        3,
        "three pages"
    );
    whole.stop().await.unwrap();
}

/// Not while a replica with the longer list may lead: it would claim anew what was given up.
#[tokio::test(start_paused = true)]
async fn k24_claims_are_given_up_by_the_leader_alone() {
    let world = World::with_shops(&["team-a", "team-b"]).await;
    let elects = |leave, watched: &[&str]| Options {
        leader_elect: true,
        ..options("first", watched, leave)
    };
    let old = world.replica(
        elects(Leave::Nothing, &["team-a", "team-b"]),
        replica_user("old"),
        Some("old"),
    );
    until_claimed(&world, "team-b", "first").await;
    let leave = Leave::Namespaces(list(&["team-b"]));
    let new = world.replica(elects(leave, &["team-a"]), replica_user("new"), Some("new"));
    world
        .until("the new one stands by", || new.is_ready())
        .await;
    sleep(Duration::from_secs(600)).await;
    assert_eq!(claimant(&world, "team-b"), "first");
    assert_eq!(sent(&world, "new", "team-b", 0), []);
    old.stop().await.unwrap();
    until_claimed(&world, "team-b", "").await;
    sleep(Duration::from_secs(1200)).await;
    assert_eq!(claimant(&world, "team-b"), "");
    assert_eq!(claimant(&world, "team-a"), "first");
    new.stop().await.unwrap();
}

/// Without the right to do it, the claim stands and others are served; a grant heals it.
#[tokio::test(start_paused = true)]
async fn k24_a_release_that_may_not_give_up_tries_until_it_may() {
    let world = World::with_shops(&["team-a", "team-b", "team-c"]).await;
    let all = ["team-a", "team-b", "team-c"];
    let first = release(&world, "first", &all, Leave::Nothing);
    for namespace in all {
        until_claimed(&world, namespace, "first").await;
    }
    first.stop().await.unwrap();
    // From here on as an account with rights in the namespace that stays, and in one of the others.
    let rbac = "rbac.authorization.k8s.io";
    let everything = json!([{ "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] }]);
    world.put(&json!({
        "apiVersion": format!("{rbac}/v1"), "kind": "ClusterRole",
        "metadata": { "name": "everything" }, "rules": everything,
    }));
    let grant = |namespace: &str| {
        world.put(&json!({
            "apiVersion": format!("{rbac}/v1"), "kind": "RoleBinding",
            "metadata": { "name": "first", "namespace": namespace },
            "roleRef": { "apiGroup": rbac, "kind": "ClusterRole", "name": "everything" },
            "subjects": [{ "apiGroup": rbac, "kind": "User", "name": "first" }],
        }));
    };
    grant("team-a");
    grant("team-c");
    let leave = Leave::Namespaces(list(&["team-b", "team-c"]));
    let user = User::new("first", &["system:authenticated"]);
    let first = world.replica(options("first", &["team-a"], leave), user, None);
    until_claimed(&world, "team-c", "").await;
    sleep(Duration::from_secs(600)).await;
    assert_eq!(claimant(&world, "team-b"), "first");
    let refused = sent(&world, "first", "team-b", 0).len();
    grant("team-b");
    until_claimed(&world, "team-b", "").await;
    assert!(refused < 60, "it asks too often: {refused}");
    first.stop().await.unwrap();
}

/// Between the look and the write somebody else claims it: that claim stays.
#[tokio::test(start_paused = true)]
async fn k24_a_claim_that_changed_since_it_was_seen_is_not_taken_away() {
    let mut world = World::with_shops(&["team-a", "team-b"]).await;
    let first = release(&world, "first", &["team-a", "team-b"], Leave::Nothing);
    until_claimed(&world, "team-b", "first").await;
    first.stop().await.unwrap();
    let from = world.requests().len();
    world.latency = Duration::from_secs(10);
    let leave = Leave::Namespaces(list(&["team-b"]));
    let first = release(&world, "first", &["team-a"], leave);
    let asked = |verb: &str| {
        sent(&world, "first", "team-b", from)
            .iter()
            .any(|(v, _)| v == verb)
    };
    world.until("it has looked", || asked("list")).await;
    let claim = json!({ "handledBy": { "namespace": "other-system", "name": "other" } });
    world
        .cluster
        .patch_status("stages.metio.wtf/v1", "StageSet", "team-b", "shop", &claim)
        .unwrap();
    world.until("it has written", || asked("patch")).await;
    sleep(Duration::from_secs(120)).await;
    assert_eq!(claimant(&world, "team-b"), "other");
    first.stop().await.unwrap();
}
