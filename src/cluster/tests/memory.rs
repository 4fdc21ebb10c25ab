//! What a session remembers, and what makes it forget.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::json;
use stageset_cluster::artifacts::ArtifactSource;
use stageset_cluster::{Clock, Hint, Observer, Outcome, Session, StageSetKey, Wake};
use stageset_core::failure::Failure;
use stageset_core::plan::Need;
use stageset_core::time::Timestamp;

use crate::world::{Artifacts, Stores, World, config_map};

/// An object that moves to a stage with another account and back within one interval is as that account
/// left it, whatever the first account saw before (the trials found it: L4).
#[tokio::test(start_paused = true)]
async fn what_one_account_writes_is_news_for_what_another_one_saw() {
    let mut world = World::new().await;
    world.ports.watched = Arc::new(Stores {
        cluster: world.cluster.clone(),
        covers: false,
        shows_no_inventories: Arc::default(),
    });
    world.account("shop", "operator");
    let everything = json!([{ "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] }]);
    world.grant("shop", "operator", &everything);
    let (own, other) = (config_map("own", "same"), config_map("other", "same"));
    let moves = |value| config_map("moves", value);
    world.publish("base", "r1", &[("a.yaml", &own), ("b.yaml", &moves("one"))]);
    world.publish("app", "r1", &[("a.yaml", &other)]);
    world.apply(&json!({
        "apiVersion": "stages.metio.wtf/v1", "kind": "StageSet",
        "metadata": { "namespace": "shop", "name": "web" },
        "spec": { "interval": "1h", "serviceAccountName": "deployer", "stages": [
            { "name": "base", "sourceRef": { "name": "base" } },
            { "name": "app", "sourceRef": { "name": "app" }, "serviceAccountName": "operator" },
        ] },
    }));
    world.until_ready("web").await;

    world.publish("base", "r2", &[("a.yaml", &own)]);
    world.publish(
        "app",
        "r2",
        &[("a.yaml", &other), ("b.yaml", &moves("two"))],
    );
    world.until_ready("web").await;
    let value = |world: &World| world.config_map("moves").unwrap()["data"]["key"].clone();
    assert_eq!(value(&world), "two");

    world.publish("base", "r3", &[("a.yaml", &own), ("b.yaml", &moves("one"))]);
    world.publish("app", "r3", &[("a.yaml", &other)]);
    world.until_ready("web").await;
    assert_eq!(value(&world), "one");
}

/// A stage that goes back to a former account is judged by what this one sees now, not by what it saw before another
/// one had the stage (the trials found it: L4). Nothing else would tell it: no watch covers what it sees, and what an
/// expression says of an object is asked of its own look.
#[tokio::test(start_paused = true)]
async fn an_account_that_comes_back_looks_anew() {
    let mut world = World::new().await;
    world.ports.watched = Arc::new(Stores {
        cluster: world.cluster.clone(),
        covers: false,
        shows_no_inventories: Arc::default(),
    });
    let everything = json!([{ "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] }]);
    for account in ["operator", "late"] {
        world.account("shop", account);
    }
    world.grant("shop", "operator", &everything);
    world.publish("base", "r1", &[("a.yaml", &config_map("base", "one"))]);
    world.publish("app", "r1", &[("a.yaml", &config_map("app", "one"))]);
    let delivered_by = |account: &str| {
        json!({
            "apiVersion": "stages.metio.wtf/v1", "kind": "StageSet",
            "metadata": { "namespace": "shop", "name": "web" },
            "spec": { "interval": "1h", "stages": [
                { "name": "base", "sourceRef": { "name": "base" }, "serviceAccountName": account,
                  "readyChecks": { "exprs": [{ "apiVersion": "v1", "kind": "ConfigMap",
                    "current": "!('broken' in metadata.labels)" }] } },
                { "name": "app", "sourceRef": { "name": "app" }, "serviceAccountName": "late" },
            ] },
        })
    };
    let waits_for = |what: &'static str| move |world: &World| world.message("web").contains(what);
    let bound = Duration::from_secs(120);
    world.apply(&delivered_by("operator"));
    world.run_until("web", bound, waits_for("late")).await;

    let patch = json!({ "metadata": { "labels": { "broken": "yes" } } });
    world
        .cluster
        .patch("v1", "ConfigMap", "shop", "base", &patch)
        .unwrap();
    world.apply(&delivered_by("deployer"));
    world.run_until("web", bound, waits_for("broken")).await;

    world.grant("shop", "late", &everything);
    world.apply(&delivered_by("operator"));
    tokio::time::sleep(bound).await;
    for _ in 0..3 {
        world.pass("web", Wake::default()).await;
    }
    assert!(
        world.config_map("app").is_none(),
        "{}",
        world.message("web")
    );
    assert!(waits_for("broken")(&world), "{}", world.message("web"));
}

/// A download that takes ten seconds.
struct Slow(Arc<Artifacts>);

impl ArtifactSource for Slow {
    fn fetch<'a>(&'a self, url: &'a str, limit: u64) -> BoxFuture<'a, Result<Bytes, Failure>> {
        let fetched = self.0.fetch(url, limit);
        async move {
            // Virtual time: what takes long here is what lets the clock be set back in between.
            tokio::time::sleep(Duration::from_secs(10)).await;
            fetched.await
        }
        .boxed()
    }
}

/// Sets the clock back after three downloads, of which two are made at a time: to between the decision
/// that they were made for and the beginning of the last one. Counts the sources that are read then.
struct SetsBack {
    clock: Clock,
    done: AtomicBool,
    read_again: AtomicUsize,
}

impl Observer for SetsBack {
    fn need(&self, _: Timestamp, _: &StageSetKey, need: &Need, _: &Outcome) {
        match need {
            Need::Build { .. } if !self.done.swap(true, Ordering::Relaxed) => {
                self.clock.set_back(Duration::from_secs(15));
            }
            Need::Source { .. } if self.done.load(Ordering::Relaxed) => {
                self.read_again.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
    }
}

/// What is remembered must not be of the future: it would count as fresh for too long.
#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_between_two_decisions_is_noticed() {
    let mut world = World::new().await;
    let stages = ["base", "app", "edge"];
    for stage in stages {
        world.publish(stage, "r1", &[("a.yaml", &config_map(stage, "one"))]);
    }
    world.stage_set("web", &stages);
    world.ports.artifacts = Arc::new(Slow(Arc::clone(&world.artifacts)));
    let observer = Arc::new(SetsBack {
        clock: world.ports.clock.clone(),
        done: AtomicBool::new(false),
        read_again: AtomicUsize::new(0),
    });
    world.ports.observer = Arc::clone(&observer) as _;
    world.until_ready("web").await;
    assert!(
        observer.done.load(Ordering::Relaxed),
        "nothing was downloaded"
    );
    let read_again = observer.read_again.load(Ordering::Relaxed);
    assert_eq!(
        read_again,
        stages.len(),
        "what was seen before still counts"
    );
}

/// Ten thousand StageSets that rest are ten thousand of these: what no decision asks for is not kept, and
/// what the watch has anyway is not kept twice.
#[tokio::test(start_paused = true)]
async fn at_rest_nothing_is_kept_that_nobody_asks_for() {
    let mut world = World::new().await;
    world.publish("app", "r1", &[("a.yaml", &config_map("settings", "one"))]);
    world.stage_set("web", &["app"]);
    world.until_ready("web").await;
    let watched = Arc::new(world.object("web").unwrap());
    let session = world.sessions.get_mut("web").unwrap();
    let tried = |session: &Session| {
        let objects = session.facts().objects.iter();
        objects
            .filter(|(_, _, facts)| facts.dry_run.is_some())
            .count()
    };
    assert_eq!((session.facts().objects.len(), tried(session)), (1, 0));
    session.share(&watched.clone().into());
    let known = session.stage_set().unwrap();
    assert!(Arc::ptr_eq(&known, &watched));
    // A state that was overtaken is not taken for the one that is known.
    let mut older = (*watched).clone();
    older["metadata"]["resourceVersion"] = json!("1");
    session.share(&older.into());
    assert!(Arc::ptr_eq(&session.stage_set().unwrap(), &watched));
}

/// Inventories are put away at rest, and are what they were, seen when they were, once something happens;
/// unless somebody else has written to them meanwhile.
#[tokio::test(start_paused = true)]
async fn what_was_put_away_comes_back_and_nothing_that_is_out_of_date() {
    let mut world = World::new().await;
    world.publish("app", "r1", &[("a.yaml", &config_map("settings", "one"))]);
    world.stage_set("web", &["app"]);
    world.until_ready("web").await;
    let seen = |world: &World| world.sessions["web"].facts().inventories.clone();
    let before = seen(&world).unwrap();
    world.sessions.get_mut("web").unwrap().rest();
    assert_eq!(seen(&world), None);
    // Virtual time: inventories that were read anew would have been seen later than before.
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.pass("web", Wake::default()).await;
    assert_eq!(seen(&world), Some(before.clone()));

    world.sessions.get_mut("web").unwrap().rest();
    let told = Wake {
        hints: vec![Hint::Inventories],
        ..Wake::default()
    };
    world.pass("web", told).await;
    let after = seen(&world).unwrap();
    assert_eq!(after.value, before.value);
    assert!(after.at > before.at, "listed anew");
}

/// What is put away after a while comes back without a request and without another decision's outcome.
#[tokio::test(start_paused = true)]
async fn what_was_left_alone_for_a_while_takes_less_room_and_costs_no_request() {
    let mut world = World::new().await;
    world.publish("app", "r1", &[("a.yaml", &config_map("settings", "one"))]);
    world.stage_set("web", &["app"]);
    world.until_ready("web").await;
    let facts = |world: &World| world.sessions["web"].facts().clone();
    let before = facts(&world);
    let shown = world.object("web").unwrap();
    let requests = world.requests().len();

    let session = world.sessions.get_mut("web").unwrap();
    let known = session.stage_set();
    session.rest();
    session.put_away();
    assert!(session.facts().builds.is_empty());
    assert_eq!(session.stage_set(), known);
    world.pass("web", Wake::default()).await;
    let after = facts(&world);
    assert_eq!(after.builds, before.builds);
    assert_eq!(after.objects, before.objects);
    assert_eq!(world.object("web").unwrap(), shown);
    assert_eq!(world.requests().len(), requests, "{:?}", world.requests());
}
