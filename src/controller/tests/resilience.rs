//! One that is broken harms itself alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use stageset_cluster::remote::Connect;
use stageset_cluster::{Connection, Remotes};
use stageset_controller::Options;
use stageset_core::identity::Remote;
use stageset_core::kubeconfig::{Allowed, Kubeconfig};

use crate::harness::{World, config_map, loose_definition, stage_set};

/// What no schema would let through, as a definition that was loosened would.
fn poison() -> Vec<Value> {
    let with = |name: &str, pointer: &str, value: Value| {
        let mut object = stage_set("payments", name, &["app"]);
        match pointer {
            "" => object["spec"] = value,
            key => object["spec"][key] = value,
        }
        object
    };
    vec![
        with("poison-interval", "interval", json!("eternity")),
        with("poison-interval-type", "interval", json!({ "a": [1] })),
        with("poison-stages-null", "stages", Value::Null),
        with("poison-stages-text", "stages", json!("app")),
        with("poison-stage-null", "stages", json!([null, 3, "x", {}])),
        with("poison-spec-empty", "", json!({})),
        with(
            "poison-deep",
            "stages",
            (0..80).fold(json!(1), |deep, _| json!([deep])),
        ),
        with(
            "poison-account",
            "serviceAccountName",
            json!("a\r\nImpersonate-Group: system:masters"),
        ),
        with("poison-large", "suspend", json!("x".repeat(200_000))),
    ]
}

#[tokio::test(start_paused = true)]
async fn attack_a23_poison_parks_itself_alone_also_after_a_restart() {
    let world = World::bare();
    world.put(&loose_definition(
        "stages.metio.wtf",
        "StageSet",
        "stagesets",
    ));
    for definition in stageset_api::crd::definitions() {
        if !definition.file.starts_with("stagesets") {
            world.put(&definition.definition);
        }
    }
    world.install_sources();
    world.until_established("stagesets.stages.metio.wtf").await;
    world
        .until_established("gitrepositories.source.toolkit.fluxcd.io")
        .await;
    world.tenant("payments", &["*"]);
    for object in poison() {
        world.put(&object);
    }
    for index in 0..30 {
        let name = format!("app-{index}");
        let file = config_map(&name, "1");
        world.source("payments", &name, &[("a.yaml", &file)]);
        world.stage_set("payments", &name, &[&name]);
    }
    // And a status that no controller wrote.
    let file = config_map("odd", "1");
    world.source("payments", "odd", &[("a.yaml", &file)]);
    world.stage_set("payments", "odd", &["odd"]);
    let odd = json!({
        "conditions": "none", "stages": [null, 3, { "name": 5, "phase": "Nowhere" }],
        "lastAppliedRevisions": [1], "handledBy": "me", "observedGeneration": "seven",
    });
    let kind = ("stages.metio.wtf/v1", "StageSet");
    world
        .cluster
        .patch_status(kind.0, kind.1, "payments", "odd", &odd)
        .unwrap();
    for round in 0..2 {
        let controller = world.controller(Options::default());
        world
            .until_ready_says("payments", "odd", "True Succeeded")
            .await;
        for index in 0..30 {
            world
                .until_ready_says("payments", &format!("app-{index}"), "True Succeeded")
                .await;
        }
        for object in poison() {
            let name = object["metadata"]["name"].as_str().unwrap().to_owned();
            let parked = || world.ready("payments", &name).starts_with("False");
            world
                .until(&format!("{name} says what is wrong, round {round}"), parked)
                .await;
        }
        controller.kill().await;
    }
}

/// A defect of the controller that one kind of StageSet runs into, until it is mended.
#[derive(Clone, Default)]
struct Defect {
    met: Arc<AtomicUsize>,
    mended: Arc<AtomicBool>,
}

impl Connect for Defect {
    fn connect(&self, _: &Kubeconfig, _: &Arc<Remote>) -> Result<Connection, String> {
        self.met.fetch_add(1, Ordering::SeqCst);
        assert!(self.mended.load(Ordering::SeqCst), "a defect");
        Err("it was mended".to_owned())
    }
}

#[tokio::test(start_paused = true)]
async fn attack_a23_a_pass_that_panics_takes_nothing_with_it_and_is_tried_again() {
    let mut world = World::new().await;
    let defect = Defect::default();
    world.remotes = Arc::new(Remotes::new(defect.clone(), Allowed::default()));
    world.tenant("payments", &["*"]);
    world.put(&json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "namespace": "payments", "name": "abroad" },
        "stringData": { "value": "{contexts: [{name: c, context: {cluster: k, user: u}}], clusters: \
            [{name: k, cluster: {server: 'https://eu.example'}}], users: [{name: u, user: {token: t}}]}" },
    }));
    let mut poison = stage_set("payments", "poison", &["app"]);
    poison["spec"]["kubeConfig"] = json!({ "secretRef": { "name": "abroad" } });
    world.source("payments", "app", &[("a.yaml", &config_map("a", "1"))]);
    world.put(&poison);
    let controller = world.controller(Options::default());
    let met = || defect.met.load(Ordering::SeqCst) > 0;
    world.until("the defect is met", met).await;
    world.stage_set("payments", "shop", &["app"]);
    world
        .until_ready_says("payments", "shop", "True Succeeded")
        .await;
    defect.mended.store(true, Ordering::SeqCst);
    world
        .until_ready_says("payments", "poison", "False StageFailed")
        .await;
    controller.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn stages_that_never_get_healthy_hold_nobody_up() {
    let world = World::new().await;
    for namespace in ["slow", "quick"] {
        world.tenant(namespace, &["*"]);
    }
    for index in 0..20 {
        let name = format!("hangs-{index}");
        let file = crate::harness::deployment(&name, "never");
        world.source("slow", &name, &[("a.yaml", &file)]);
        world.stage_set("slow", &name, &[&name]);
    }
    let controller = world.controller(Options::default());
    tokio::time::sleep(Duration::from_secs(30)).await;
    let begun = tokio::time::Instant::now();
    for index in 0..5 {
        let name = format!("app-{index}");
        world.source("quick", &name, &[("a.yaml", &config_map(&name, "1"))]);
        world.stage_set("quick", &name, &[&name]);
    }
    for index in 0..5 {
        world
            .until_ready_says("quick", &format!("app-{index}"), "True Succeeded")
            .await;
    }
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    controller.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_status_that_somebody_else_wrote_is_put_right() {
    let world = World::new().await;
    world.tenant("payments", &["*"]);
    world.source("payments", "app", &[("a.yaml", &config_map("a", "1"))]);
    world.stage_set("payments", "shop", &["app"]);
    let controller = world.controller(Options::default());
    world
        .until_ready_says("payments", "shop", "True Succeeded")
        .await;
    let status = json!({ "conditions": [{
        "type": "Ready", "status": "False", "reason": "Forged", "message": "not by us",
        "lastTransitionTime": "2026-11-23T21:00:00Z",
    }]});
    let kind = ("stages.metio.wtf/v1", "StageSet");
    world
        .cluster
        .patch_status(kind.0, kind.1, "payments", "shop", &status)
        .unwrap();
    assert_eq!(world.ready("payments", "shop"), "False Forged");
    world
        .until_ready_says("payments", "shop", "True Succeeded")
        .await;
    controller.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_killed_controller_goes_on_after_its_start() {
    let world = World::new().await;
    world.tenant("payments", &["*"]);
    world.source(
        "payments",
        "app",
        &[(
            "a.yaml",
            &crate::harness::deployment("app", "ready-after=60s"),
        )],
    );
    world.stage_set("payments", "shop", &["app"]);
    for _ in 0..5 {
        let controller = world.controller(Options::default());
        tokio::time::sleep(Duration::from_millis(700)).await;
        controller.kill().await;
    }
    let controller = world.controller(Options::default());
    world
        .until_ready_says("payments", "shop", "True Succeeded")
        .await;
    controller.stop().await.unwrap();
}
