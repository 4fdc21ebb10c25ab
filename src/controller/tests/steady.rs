//! Steady state is silent: what watches tell isn't asked for (K17, K18).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use stageset_cluster::{Observer, Outcome, StageSetKey};
use stageset_controller::Options;
use stageset_core::plan::Need;
use stageset_core::time::Timestamp;
use tokio::time::sleep;

use crate::harness::{World, config_map, deployment, within};

async fn released(verbs: &[&str]) -> World {
    let world = World::new().await;
    world.tenant("payments", verbs);
    let files = [
        ("a.yaml", &*config_map("settings", "1")),
        ("b.yaml", &*deployment("app", "ready-after=1s")),
    ];
    world.source("payments", "app", &files);
    world.stage_set("payments", "shop", &["app"]);
    world
}

fn asked(world: &World) -> Vec<String> {
    world
        .requests()
        .iter()
        .filter(|record| record.verb != "watch")
        .map(|record| format!("{} {} {}", record.verb, record.resource, record.path))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn an_interval_tick_over_unchanged_objects_costs_no_request() {
    let world = released(&["*"]).await;
    let controller = world.controller(Options::default());
    world
        .until_ready_says("payments", "shop", "True Succeeded")
        .await;
    // What was read before its watch stood is read once more, at the first tick.
    sleep(Duration::from_secs(700)).await;
    let before = asked(&world).len();
    sleep(Duration::from_secs(3600)).await;
    let after = asked(&world);
    assert_eq!(after[before..], [""; 0], "an hour of ticks");
    controller.stop().await.unwrap();
}

/// Counts how often it is asked what a kind is, which costs no request.
#[derive(Default)]
struct Kinds(AtomicUsize);

impl Observer for Kinds {
    fn need(&self, _: Timestamp, _: &StageSetKey, need: &Need, _: &Outcome) {
        if matches!(need, Need::Kind { .. }) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What kinds there are is among what is put away: only a StageSet that was left alone asks again.
#[tokio::test(start_paused = true)]
async fn what_was_left_alone_for_ten_seconds_is_put_away_and_nothing_else() {
    let mut world = released(&["*"]).await;
    let kinds = Arc::new(Kinds::default());
    world.observer = Arc::clone(&kinds) as _;
    let controller = world.controller(Options::default());
    world
        .until_ready_says("payments", "shop", "True Succeeded")
        .await;
    sleep(Duration::from_secs(60)).await;
    for (after, asks) in [(60, true), (5, false), (60, true)] {
        sleep(Duration::from_secs(after)).await;
        let before = kinds.0.load(Ordering::Relaxed);
        let change = json!({ "data": { "key": format!("changed after {after} s") } });
        world
            .cluster
            .patch("v1", "ConfigMap", "payments", "settings", &change)
            .unwrap();
        let corrected = || {
            let found = world.cluster.get("v1", "ConfigMap", "payments", "settings");
            found.unwrap_or_default()["data"]["key"] == "1"
        };
        assert!(within(Duration::from_secs(2), corrected).await);
        sleep(Duration::from_secs(1)).await;
        let asked = kinds.0.load(Ordering::Relaxed) > before;
        assert_eq!(asked, asks, "after {after} s");
    }
    controller.stop().await.unwrap();
}

/// A check asks at every look what kind its object is.
#[tokio::test(start_paused = true)]
async fn what_was_looked_at_for_nothing_is_put_away_at_once() {
    let mut world = released(&["*"]).await;
    let kinds = Arc::new(Kinds::default());
    world.observer = Arc::clone(&kinds) as _;
    world.put(&json!({ "apiVersion": "v1", "kind": "Secret",
                       "metadata": { "name": "made-elsewhere", "namespace": "payments" } }));
    let stage = json!({ "name": "app", "sourceRef": { "name": "app" },
                        "checks": [{ "kind": "Secret", "name": "made-elsewhere" }] });
    world
        .cluster
        .patch(
            "stages.metio.wtf/v1",
            "StageSet",
            "payments",
            "shop",
            &json!({ "spec": { "stages": [stage] } }),
        )
        .unwrap();
    let controller = world.controller(Options::default());
    world
        .until_ready_says("payments", "shop", "True Succeeded")
        .await;
    for (after, writes, asks) in [
        (60, false, true),
        (5, false, true),
        (5, true, true),
        // That one wrote, which woke it again.
        (5, false, false),
        (60, false, true),
    ] {
        sleep(Duration::from_secs(after)).await;
        let before = kinds.0.load(Ordering::Relaxed);
        let (version, kind, name, change) = if writes {
            let change = json!({ "data": { "key": "changed" } });
            ("v1", "ConfigMap", "settings", change)
        } else {
            let note = json!({ "note": format!("{after}-{writes}-{asks}") });
            let change = json!({ "metadata": { "labels": note } });
            ("apps/v1", "Deployment", "app", change)
        };
        world
            .cluster
            .patch(version, kind, "payments", name, &change)
            .unwrap();
        sleep(Duration::from_secs(3)).await;
        let asked = kinds.0.load(Ordering::Relaxed) > before;
        assert_eq!(asked, asks, "after {after} s, {writes}");
    }
    controller.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn drift_is_corrected_at_once_where_the_tenant_may_watch() {
    let world = released(&["*"]).await;
    let controller = world.controller(Options::default());
    world
        .until_ready_says("payments", "shop", "True Succeeded")
        .await;
    sleep(Duration::from_secs(30)).await;
    let data = json!({ "data": { "key": "changed" } });
    world
        .cluster
        .patch("v1", "ConfigMap", "payments", "settings", &data)
        .unwrap();
    let corrected = || {
        let found = world.cluster.get("v1", "ConfigMap", "payments", "settings");
        found.unwrap_or_default()["data"] == json!({ "key": "1" })
    };
    assert!(within(Duration::from_secs(2), corrected).await);
    world
        .cluster
        .delete("v1", "ConfigMap", "payments", "settings")
        .unwrap();
    assert!(
        within(Duration::from_secs(2), corrected).await,
        "deleted ones come back too"
    );
    let drift = r#"stageset_drift_corrected_total{namespace="payments",name="shop",stage="app"} 2"#;
    let counted = || controller.metrics.expose().contains(drift);
    assert!(
        within(Duration::from_secs(2), counted).await,
        "{}",
        controller.metrics.expose()
    );
    controller.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn drift_is_corrected_by_the_interval_where_the_tenant_may_not_watch() {
    let world = released(&["get", "create", "update", "patch", "delete"]).await;
    let controller = world.controller(Options::default());
    world
        .until_ready_says("payments", "shop", "True Succeeded")
        .await;
    sleep(Duration::from_secs(30)).await;
    let data = json!({ "data": { "key": "changed" } });
    world
        .cluster
        .patch("v1", "ConfigMap", "payments", "settings", &data)
        .unwrap();
    let corrected = || {
        let found = world.cluster.get("v1", "ConfigMap", "payments", "settings");
        found.unwrap_or_default()["data"] == json!({ "key": "1" })
    };
    assert!(
        !within(Duration::from_secs(60), corrected).await,
        "nothing told it"
    );
    assert!(within(Duration::from_secs(600), corrected).await);
    controller.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_cap_on_watches_as_tenants_holds() {
    let world = released(&["*"]).await;
    let options = Options {
        max_tenant_watches: 1,
        ..Options::default()
    };
    let controller = world.controller(options);
    world
        .until_ready_says("payments", "shop", "True Succeeded")
        .await;
    sleep(Duration::from_secs(60)).await;
    let watched: std::collections::BTreeSet<String> = world
        .requests()
        .iter()
        .filter(|record| record.verb == "watch" && record.impersonated.is_some())
        .map(|record| record.resource.clone())
        .collect();
    assert_eq!(watched.len(), 1, "{watched:?}");
    assert!(
        controller
            .metrics
            .expose()
            .contains("stageset_tenant_watches 1")
    );
    controller.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn watches_are_renewed_within_five_minutes() {
    let world = released(&["*"]).await;
    let controller = world.controller(Options::default());
    world
        .until_ready_says("payments", "shop", "True Succeeded")
        .await;
    sleep(Duration::from_secs(1800)).await;
    let mut last = std::collections::BTreeMap::new();
    for record in world.requests() {
        if record.verb == "watch" && record.impersonated.is_some() {
            let resource = record.resource.clone();
            if let Some(before) = last.insert(resource, record.at) {
                let gap = record.at.duration_since(before);
                assert!(gap.as_secs() <= 300, "{gap:?}: {record:?}");
            }
        }
    }
    assert!(!last.is_empty());
    controller.stop().await.unwrap();
}
