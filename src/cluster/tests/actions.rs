//! Actions on the simulated API server: all of it as the tenant, and nothing twice.

use std::time::Duration;

use serde_json::{Value, json};
use stageset_cluster::Wake;
use stageset_core::failure::{Failure, FailureClass};

use crate::faults::crash_after;
use crate::world::{TENANT, World, config_map, deployment, tenant_plane};

const HOUR: Duration = Duration::from_secs(3600);

fn job(name: &str, script: &str) -> String {
    format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {name}\n  annotations:\n    {}: {script}\n\
         spec:\n  template:\n    spec:\n      restartPolicy: Never\n      containers:\n      - name: run\n        \
         image: run:1\n",
        stageset_sim::WORKLOAD_ANNOTATION
    )
}

fn release(world: &World, actions: &Value) {
    world.publish(
        "app",
        "r1",
        &[("web.yaml", &deployment("web", "web:1", "ready-after=5s"))],
    );
    stage_set(world, actions);
}

fn stage_set(world: &World, actions: &Value) {
    world.apply(&json!({
        "apiVersion": "stages.metio.wtf/v1", "kind": "StageSet",
        "metadata": { "namespace": "shop", "name": "web" },
        "spec": {
            "serviceAccountName": "deployer",
            "stages": [{ "name": "app", "sourceRef": { "name": "app" }, "actions": actions }],
        },
    }));
}

fn received(world: &World) -> usize {
    world.receiver.received.lock().unwrap().len()
}

fn secret(world: &World) {
    world.apply(&json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "namespace": "shop", "name": "hook" },
        // "Bearer canary-token\n" and "{}"
        "data": { "Authorization": "QmVhcmVyIGNhbmFyeS10b2tlbgo=", "body": "e30=" },
    }));
}

fn http() -> Value {
    json!({
        "url": "https://hooks.example.org/deploy/canary-path",
        "bodyFrom": { "name": "hook", "key": "body" },
        "headersFrom": [{ "name": "hook", "key": "Authorization" }],
    })
}

#[tokio::test(start_paused = true)]
async fn all_six_verbs_are_done_as_the_tenant() {
    let mut world = World::new().await;
    secret(&world);
    world.apply(&json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "namespace": "shop", "name": "old" } }));
    world.apply(&json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "namespace": "shop", "name": "flags", "labels": { "app": "web" } },
        "data": { "a": "1", "b": "2" },
    }));
    world.publish(
        "steps",
        "s1",
        &[
            ("jobs/migrate.yaml", &job("migrate", "ready-after=20s")),
            (
                "extra/helper.yaml",
                &deployment("helper", "helper:1", "ready-after=3s"),
            ),
        ],
    );
    release(
        &world,
        &json!({
            "pre": [
                { "name": "clean", "delete": { "target": { "kind": "ConfigMap", "name": "old" } } },
                { "name": "flag", "patch": {
                    "target": { "kind": "ConfigMap", "selector": { "matchLabels": { "app": "web" } } },
                    "patch": "data: {a: \"9\", b: null}" } },
                { "name": "nobody", "patch": {
                    "target": { "kind": "ConfigMap", "selector": { "matchLabels": { "app": "none" } } },
                    "patch": "data: {a: \"9\"}" } },
                { "name": "json", "patch": { "type": "json6902",
                    "target": { "kind": "ConfigMap", "name": "flags" },
                    "patch": "- {op: add, path: /data/c, value: \"3\"}" } },
                { "name": "migrate", "job": { "sourceRef": { "name": "steps" }, "path": "jobs" } },
                { "name": "extra", "apply": { "sourceRef": { "name": "steps" }, "path": "extra", "wait": true } },
            ],
            "post": [
                { "name": "ready", "wait": { "target": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" },
                    "expr": "status.readyReplicas == spec.replicas" } },
                { "name": "pause", "wait": { "duration": "2s" } },
                { "name": "tell", "http": http() },
            ],
        }),
    );
    world.until_ready("web").await;
    assert!(world.config_map("old").is_none());
    assert_eq!(
        world.config_map("flags").unwrap()["data"],
        json!({ "a": "9", "c": "3" })
    );
    let helper = world
        .cluster
        .get("apps/v1", "Deployment", "shop", "helper")
        .unwrap();
    assert_eq!(helper["metadata"]["labels"]["stages.metio.wtf/name"], "web");
    assert!(
        world.cluster.list("batch/v1", "Job", "shop").is_empty(),
        "Jobs were left behind"
    );
    assert_eq!(world.inventories().len(), 1);
    assert!(!world.inventories()[0].to_string().contains("helper"));
    {
        let received = world.receiver.received.lock().unwrap();
        assert_eq!(received.len(), 1);
        assert_eq!(
            received[0].headers,
            [("Authorization".to_owned(), b"Bearer canary-token".to_vec())]
        );
        assert_eq!(received[0].body.as_deref(), Some(&b"{}"[..]));
        assert!(received[0].holds_secrets);
        assert_eq!(received[0].idempotency_key.len(), 64);
    }
    let requests = world.requests();
    for record in tenant_plane(&requests) {
        assert_eq!(record.impersonated.as_deref(), Some(TENANT), "{record:?}");
    }
    let status = world.object("web").unwrap()["status"]["stages"][0].clone();
    let names = [
        "clean", "flag", "nobody", "json", "migrate", "extra", "ready", "pause", "tell",
    ];
    assert_eq!(status["executedActions"], json!(names));
    assert_eq!(status["ledgerRevision"], "r1");
    assert_eq!(status.get("startedAction"), None, "{status}");
    // A21: neither what the Secret holds nor the rest of a hook's address.
    let said = format!("{}{:?}", world.log.text(), world.object("web"));
    let events = world.cluster.list("events.k8s.io/v1", "Event", "shop");
    for canary in ["canary-token", "Y2FuYXJ5"] {
        assert!(
            !said.contains(canary) && !format!("{events:?}").contains(canary),
            "{canary}"
        );
    }
    // Nothing again in the next pass.
    let before = world.requests().len();
    world.crash();
    world.pass("web", Wake::default()).await;
    assert_eq!(received(&world), 1);
    let writes = world.requests()[before..]
        .iter()
        .filter(|r| !["get", "list"].contains(&r.verb.as_str()) && !r.dry_run)
        .count();
    assert_eq!(writes, 0);
}

/// An inventory that is recorded anew from labels holds nothing that actions made: it would be pruned (level
/// wire of the trials, seed 1529940).
#[tokio::test(start_paused = true)]
async fn what_actions_made_is_in_no_inventory_that_is_recorded_anew() {
    let mut world = World::new().await;
    let helper = deployment("helper", "helper:1", "ready-after=3s");
    world.publish("steps", "s1", &[("extra/helper.yaml", &helper)]);
    release(
        &world,
        &json!({ "pre": [
            { "name": "extra", "apply": { "sourceRef": { "name": "steps" }, "path": "extra" } },
        ]}),
    );
    world.until_ready("web").await;
    let helper = |world: &World| world.cluster.get("apps/v1", "Deployment", "shop", "helper");
    let labels = helper(&world).unwrap()["metadata"]["labels"].clone();
    assert_eq!(labels["stages.metio.wtf/transient"], "true");
    let lost = world.inventories()[0]["metadata"]["name"].clone();
    let lost = lost.as_str().unwrap();
    let free = json!({ "metadata": { "finalizers": null } });
    let (version, kind) = ("stages.metio.wtf/v1", "StageInventory");
    world
        .cluster
        .patch(version, kind, "shop", lost, &free)
        .unwrap();
    world.cluster.delete(version, kind, "shop", lost).unwrap();
    world.crash();
    for _ in 0..2 {
        tokio::time::sleep(HOUR).await;
        world.pass("web", Wake::default()).await;
    }
    let again = world.inventories();
    assert_eq!(again.len(), 1, "{again:?}");
    assert_eq!(again[0]["spec"]["entries"].as_array().unwrap().len(), 1);
    assert!(helper(&world).is_some(), "it was pruned");
    let told = world.cluster.list("events.k8s.io/v1", "Event", "shop");
    assert!(
        told.iter()
            .any(|event| event["reason"] == "InventoryReconstructed")
    );
}

#[tokio::test(start_paused = true)]
async fn attack_a03_a_secret_that_the_account_may_not_read_goes_nowhere() {
    let mut world = World::new().await;
    secret(&world);
    world.account("shop", "narrow");
    world.grant(
        "shop",
        "narrow",
        &json!([{ "apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["*"] }]),
    );
    release(
        &world,
        &json!({ "pre": [{ "name": "tell", "http": http() }] }),
    );
    world.apply(&json!({
        "apiVersion": "stages.metio.wtf/v1", "kind": "StageSet", "metadata": { "namespace": "shop", "name": "web" },
        "spec": { "serviceAccountName": "narrow", "stages": [{ "name": "app", "sourceRef": { "name": "app" },
            "actions": { "pre": [{ "name": "tell", "http": http() }] } }] },
    }));
    world
        .run_until("web", Duration::from_secs(60), |world| {
            world.ready("web") == "False RBACDenied"
        })
        .await;
    assert!(
        world.message("web").contains("secrets"),
        "{}",
        world.message("web")
    );
    assert_eq!(received(&world), 0);
    assert!(
        world
            .cluster
            .get("apps/v1", "Deployment", "shop", "web")
            .is_none(),
        "the stage was touched"
    );
}

#[tokio::test(start_paused = true)]
async fn a_merge_patch_works_on_custom_resources() {
    let mut world = World::new().await;
    world.publish("other", "r1", &[("x.yaml", &config_map("x", "1"))]);
    release(
        &world,
        &json!({ "pre": [{ "name": "mark", "patch": {
        "target": { "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "ExternalArtifact", "name": "other" },
        "patch": "{\"metadata\": {\"labels\": {\"seen\": \"yes\"}}}" } }] }),
    );
    world.until_ready("web").await;
    let other = world
        .cluster
        .get(
            "source.toolkit.fluxcd.io/v1",
            "ExternalArtifact",
            "shop",
            "other",
        )
        .unwrap();
    assert_eq!(other["metadata"]["labels"]["seen"], "yes");
}

#[tokio::test(start_paused = true)]
async fn a_failing_job_is_told_and_deleted() {
    let mut world = World::new().await;
    world.publish(
        "steps",
        "s1",
        &[("jobs/migrate.yaml", &job("migrate", "fail-after=3s"))],
    );
    release(
        &world,
        &json!({ "pre": [{ "name": "migrate", "job": { "sourceRef": { "name": "steps" }, "path": "jobs" } }] }),
    );
    world
        .run_until("web", Duration::from_secs(120), |world| {
            world.ready("web") == "False StageFailed"
        })
        .await;
    assert!(
        world
            .message("web")
            .contains("pre action \"migrate\" failed: Job.batch shop/migrate-"),
        "{}",
        world.message("web")
    );
    assert!(world.cluster.list("batch/v1", "Job", "shop").is_empty());
}

#[tokio::test(start_paused = true)]
async fn lifetime_actions_are_remembered_by_the_ledger_beyond_the_stage_set() {
    let mut world = World::new().await;
    let actions = json!({ "pre": [{ "name": "once", "scope": "Lifetime", "http": { "url": "https://a.example" } }] });
    release(&world, &actions);
    world.until_ready("web").await;
    let ledger = world
        .cluster
        .get("stages.metio.wtf/v1", "StageLedger", "shop", "web")
        .unwrap();
    let done = &ledger["status"]["completedActions"][0];
    assert_eq!(
        (&done["stage"], &done["action"], &done["origin"]),
        (&json!("app"), &json!("once"), &json!("Executed"))
    );
    assert!(ledger["metadata"].get("ownerReferences").is_none());
    world
        .cluster
        .delete("stages.metio.wtf/v1", "StageSet", "shop", "web")
        .unwrap();
    world
        .run_until("web", HOUR, |world| world.object("web").is_none())
        .await;
    world.crash();
    stage_set(&world, &actions);
    world.until_ready("web").await;
    assert_eq!(received(&world), 1, "once ever");
    let events = world.cluster.list("events.k8s.io/v1", "Event", "shop");
    assert!(
        events
            .iter()
            .any(|event| event["reason"] == "LedgerAdopted"),
        "{events:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_somebody_wrote_meanwhile_is_looked_at_anew() {
    let mut world = World::new().await;
    let actions = json!({ "pre": [
        { "name": "rest", "wait": { "duration": "30s" } },
        { "name": "once", "scope": "Lifetime", "http": { "url": "https://a.example" } },
    ] });
    release(&world, &actions);
    world
        .run_until("web", HOUR, |world| {
            world.message("web").contains("pausing")
        })
        .await;
    // The session knows the ledger as it was before this.
    world.apply(&json!({
        "apiVersion": "stages.metio.wtf/v1", "kind": "StageLedger", "metadata": { "namespace": "shop", "name": "web" },
        "spec": { "baseline": [{ "stage": "app", "action": "other" }] },
    }));
    world.until_ready("web").await;
    let ledger = world
        .cluster
        .get("stages.metio.wtf/v1", "StageLedger", "shop", "web")
        .unwrap();
    assert_eq!(
        ledger["spec"]["baseline"][0]["action"], "other",
        "what people wrote stays"
    );
    assert_eq!(
        ledger["status"]["completedActions"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    assert_eq!(received(&world), 1);
}

/// A process that dies after any of its requests: nothing is done twice, and what can't be known is
/// said.
#[tokio::test(start_paused = true)]
async fn a_driver_that_dies_anywhere_does_nothing_twice() {
    let actions = json!({ "pre": [
        { "name": "migrate", "job": { "sourceRef": { "name": "steps" }, "path": "jobs" } },
        { "name": "once", "scope": "Lifetime", "http": { "url": "https://a.example", "method": "PUT" } },
    ] });
    for survived in (0..80).step_by(3) {
        let mut world = World::new().await;
        world.publish(
            "steps",
            "s1",
            &[("jobs/migrate.yaml", &job("migrate", "ready-after=1s"))],
        );
        release(&world, &actions);
        let hit = crash_after(&mut world, "web", survived).await;
        world.crash();
        world.until_ready("web").await;
        let created = world
            .requests()
            .iter()
            .filter(|r| r.verb == "create" && r.resource == "jobs" && r.code == 201)
            .count();
        assert_eq!(created, 1, "after {survived} requests");
        assert!(
            (1..=2).contains(&received(&world)),
            "after {survived} requests: {}",
            received(&world)
        );
        if !hit {
            return;
        }
    }
    panic!("never got through");
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_retried_is_not() {
    let mut world = World::new().await;
    let refused = Failure::new(
        FailureClass::Terminal,
        "POST https://a.example: the server answered 404 Not Found",
    );
    world.receiver.failures.lock().unwrap().push_back(refused);
    release(
        &world,
        &json!({ "pre": [{ "name": "tell", "retries": 5, "http": { "url": "https://a.example" } }] }),
    );
    world
        .run_until("web", Duration::from_secs(60), |world| {
            world.ready("web") == "False StageFailed"
        })
        .await;
    assert_eq!(received(&world), 1);
    assert!(
        world.message("web").contains("404 Not Found"),
        "{}",
        world.message("web")
    );
}

/// A list that fails the same way at each retry is told once, with a count; after the event is gone,
/// once more.
#[tokio::test(start_paused = true)]
async fn a_failure_that_comes_back_at_each_retry_is_one_event_that_counts() {
    let mut world = World::new().await;
    let refused = || Failure::new(FailureClass::Terminal, "the receiver answered 403");
    let fails = |world: &World, times: usize| {
        let failures = std::iter::repeat_with(refused).take(times);
        world.receiver.failures.lock().unwrap().extend(failures);
    };
    fails(&world, 100);
    release(
        &world,
        &json!({ "pre": [{ "name": "tell", "http": { "url": "https://a.example" } }] }),
    );
    let events = |world: &World| -> Vec<Value> {
        let events = world.cluster.list("events.k8s.io/v1", "Event", "shop");
        let failed = events.into_iter();
        failed
            .filter(|event| event["reason"] == "StageFailed")
            .collect()
    };
    world
        .run_until("web", HOUR, |world| received(world) == 4)
        .await;
    let told = events(&world);
    assert_eq!(told.len(), 1, "{told:#?}");
    let note = told[0]["note"].as_str().unwrap();
    assert!(
        note.contains("the receiver answered 403") && note.contains("(runbook: https://"),
        "{note}"
    );
    let count = told[0]["series"]["count"].as_u64().unwrap();
    assert!((3..=4).contains(&count), "{told:#?}");
    assert!(told[0]["series"]["lastObservedTime"].as_str() > told[0]["eventTime"].as_str());

    let name = told[0]["metadata"]["name"].as_str().unwrap();
    world
        .cluster
        .delete("events.k8s.io/v1", "Event", "shop", name)
        .unwrap();
    world
        .run_until("web", HOUR, |world| received(world) == 6)
        .await;
    let again = events(&world);
    assert_eq!(again.len(), 1, "{again:#?}");
    assert_ne!(again[0]["metadata"]["name"], name);
}
