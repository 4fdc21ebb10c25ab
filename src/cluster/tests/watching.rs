//! What watches change: fewer requests, and runs that end where they stand.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use stageset_api::names::FIELD_MANAGER;
use stageset_cluster::{End, Hint, Observer, Outcome, StageSetKey, Wake};
use stageset_core::judge::live::entry_of_metadata;
use stageset_core::object::ObjectKey;
use stageset_core::plan::{Need, Operation, TenantOperation};
use stageset_core::time::Timestamp;
use stageset_sim::AuditRecord;

use crate::world::{Stores, World, config_map, deployment};

const OTHERS: &str = "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: web\n---\napiVersion: \
    v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  selector: {app: web}\n  ports: [{port: \
    80}]\n---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: web\nspec:\n  \
    defaultBackend: {service: {name: web, port: {number: 80}}}\n";

pub(crate) async fn watched_world() -> World {
    let mut world = World::new().await;
    let stores = Stores {
        cluster: world.cluster.clone(),
        covers: true,
        shows_no_inventories: Arc::default(),
    };
    world.ports.watched = Arc::new(stores);
    world
}

/// The same, with a watch on inventories that shows none until the switch is turned.
async fn blind_world() -> (World, Arc<AtomicBool>) {
    let mut world = World::new().await;
    let blind = Arc::new(AtomicBool::new(true));
    let stores = Stores {
        cluster: world.cluster.clone(),
        covers: true,
        shows_no_inventories: Arc::clone(&blind),
    };
    world.ports.watched = Arc::new(stores);
    (world, blind)
}

/// How often inventories were listed, and how often one was to be created, since.
pub(crate) fn about_inventories(world: &World, since: usize) -> (usize, usize) {
    let requests = world.requests().split_off(since);
    let of = |verb: &str| {
        let all = requests.iter();
        all.filter(|record| record.resource == "stageinventories" && record.verb == verb)
            .count()
    };
    (of("list"), of("create"))
}

/// The StageSet as if nothing had ever been recorded of it.
fn forget_status(world: &mut World) {
    let nothing = json!({
        "stages": null, "conditions": null, "observedGeneration": null,
        "lastAttemptedRevisions": null, "lastAppliedRevisions": null,
    });
    world
        .cluster
        .patch_status("stages.metio.wtf/v1", "StageSet", "shop", "web", &nothing)
        .unwrap();
    world.crash();
}

/// What metadata watches would tell of the objects that a StageSet is interested in.
fn events(world: &World, name: &str) -> Vec<Hint> {
    let interests = world.sessions[name].interests();
    interests
        .objects
        .into_iter()
        .map(|(identity, reference)| {
            let ObjectKey {
                kind,
                namespace,
                name,
                ..
            } = &reference.key;
            let api_version = reference.gvk().api_version();
            let namespace = namespace.as_deref().unwrap_or_default();
            let object = world.cluster.get(&api_version, kind, namespace, name);
            let metadata = object
                .as_ref()
                .map_or(&serde_json::Value::Null, |o| &o["metadata"]);
            Hint::Object {
                identity: Some(identity),
                entry: entry_of_metadata(metadata, FIELD_MANAGER),
                resource_version: metadata["resourceVersion"]
                    .as_str()
                    .unwrap_or_default()
                    .into(),
                deleted: object.is_none(),
                key: reference.key,
            }
        })
        .collect()
}

/// Passes on events alone, one every 100 ms.
pub(crate) async fn until_ready_by_events(world: &mut World, name: &str) {
    let mut hints = Vec::new();
    for _ in 0..100 {
        world
            .pass(
                name,
                Wake {
                    refresh: false,
                    hints,
                },
            )
            .await;
        if world.ready(name) == "True Succeeded" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        hints = events(world, name);
    }
    panic!("not ready:\n{}", world.log.text());
}

fn lines(requests: &[AuditRecord]) -> Vec<String> {
    requests
        .iter()
        .map(|record| {
            let dry = if record.dry_run { " (dry run)" } else { "" };
            format!("{} {} {}{dry}", record.code, record.verb, record.path)
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_release_of_four_objects_takes_few_requests_and_an_unchanged_one_none() {
    let mut world = watched_world().await;
    // Discovery is shared by all StageSets of a process: another one pays for it.
    let warm_up = deployment("warm", "a:1", "ready-after=0s").replace("replicas: 1", "replicas: 0");
    let warm_others = OTHERS.replace("name: web", "name: warm");
    world.publish(
        "warm",
        "r1",
        &[("a.yaml", &warm_up), ("b.yaml", &warm_others)],
    );
    world.stage_set("warm", &["warm"]);
    until_ready_by_events(&mut world, "warm").await;

    let web = deployment("web", "a:1", "ready-after=0s").replace("replicas: 1", "replicas: 0");
    world.publish("app", "r1", &[("a.yaml", &web), ("b.yaml", OTHERS)]);
    world.stage_set("web", &["app"]);
    let before = world.requests().len();
    until_ready_by_events(&mut world, "web").await;
    let delivered = world.requests().split_off(before);
    // Two statuses of them tell of progress (the stage is being applied; it is waited for), and one asks
    // for the account's rights.
    assert!(
        delivered.len() <= 16,
        "{} requests:\n{}",
        delivered.len(),
        lines(&delivered).join("\n")
    );

    let before = world.requests().len();
    tokio::time::sleep(Duration::from_secs(660)).await;
    let pass = world
        .pass(
            "web",
            Wake {
                refresh: true,
                hints: Vec::new(),
            },
        )
        .await;
    assert!(
        matches!(pass.next, End::Hold { refresh: true, .. }),
        "{:?}",
        pass.next
    );
    assert_eq!(
        lines(&world.requests().split_off(before)),
        Vec::<String>::new()
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_shows_no_inventory_of_a_new_stage_set_spares_the_list() {
    let mut world = watched_world().await;
    world.publish("app", "r1", &[("a.yaml", &config_map("settings", "one"))]);
    world.stage_set("web", &["app"]);
    world.until_ready("web").await;
    assert_eq!(about_inventories(&world, 0), (0, 1));
    // What is recorded of it says that there are some: then what is in them has to be read.
    world.crash();
    let before = world.requests().len();
    world.pass("web", Wake::default()).await;
    assert_eq!(about_inventories(&world, before), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_shows_no_inventory_is_not_believed_of_what_was_delivered() {
    let (mut world, _) = blind_world().await;
    world.publish("app", "r1", &[("a.yaml", &config_map("settings", "one"))]);
    world.stage_set("web", &["app"]);
    world.until_ready("web").await;
    world.crash();
    let before = world.requests().len();
    world.pass("web", Wake::default()).await;
    assert_eq!(about_inventories(&world, before), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_lags_behind_meets_the_inventory_that_it_misses() {
    let (mut world, _) = blind_world().await;
    world.publish("app", "r1", &[("a.yaml", &config_map("settings", "one"))]);
    world.stage_set("web", &["app"]);
    world.until_ready("web").await;
    let stands = world.inventories();
    forget_status(&mut world);
    let before = world.requests().len();
    world.until_ready("web").await;
    // The creation bounces off the one that stands, which then is read.
    assert_eq!(about_inventories(&world, before), (1, 1));
    let uid = |all: &[serde_json::Value]| all[0]["metadata"]["uid"].clone();
    assert_eq!(uid(&world.inventories()), uid(&stands));
    assert_eq!(world.inventories()[0]["spec"], stands[0]["spec"]);
}

#[tokio::test(start_paused = true)]
async fn an_inventory_that_a_watch_tells_of_late_is_not_forgotten() {
    let (mut world, blind) = blind_world().await;
    world.publish("old", "r1", &[("a.yaml", &config_map("former", "one"))]);
    world.publish("new", "r1", &[("a.yaml", &config_map("settings", "one"))]);
    world.stage_set("web", &["old"]);
    world.until_ready("web").await;
    forget_status(&mut world);
    world.stage_set("web", &["new"]);
    world.until_ready("web").await;
    assert!(world.config_map("former").is_some());
    blind.store(false, Ordering::SeqCst);
    let before = world.requests().len();
    world.pass("web", Wake::default()).await;
    assert!(world.config_map("former").is_none(), "{}", world.log.text());
    assert_eq!(world.ready("web"), "True Succeeded");
    assert_eq!(about_inventories(&world, before), (1, 0));
    assert_eq!(world.inventories().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_touches_what_we_own_costs_a_read_and_is_corrected() {
    let mut world = watched_world().await;
    world.publish("app", "r1", &[("a.yaml", &config_map("settings", "one"))]);
    world.stage_set("web", &["app"]);
    world.until_ready("web").await;
    let event = |world: &World| {
        let events = events(world, "web");
        assert_eq!(events.len(), 1);
        events.into_iter().next().unwrap()
    };
    // The event of our own write, and one that touches nothing of ours, cost nothing (K18).
    let own = event(&world);
    let before = world.requests().len();
    world
        .pass(
            "web",
            Wake {
                refresh: false,
                hints: vec![own],
            },
        )
        .await;
    let foreign = json!({ "metadata": { "annotations": { "somebody": "was here" } } });
    world
        .cluster
        .patch("v1", "ConfigMap", "shop", "settings", &foreign)
        .unwrap();
    let hints = vec![event(&world)];
    world
        .pass(
            "web",
            Wake {
                refresh: false,
                hints,
            },
        )
        .await;
    assert_eq!(
        lines(&world.requests().split_off(before)),
        Vec::<String>::new()
    );

    let edit = json!({ "data": { "key": "edited" } });
    world
        .cluster
        .patch("v1", "ConfigMap", "shop", "settings", &edit)
        .unwrap();
    let hints = vec![event(&world)];
    world
        .pass(
            "web",
            Wake {
                refresh: false,
                hints,
            },
        )
        .await;
    assert_eq!(world.config_map("settings").unwrap()["data"]["key"], "one");
}

/// Does something once, right after the first apply of an object of this name.
struct After {
    name: &'static str,
    act: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    applied: Mutex<Vec<String>>,
}

impl After {
    fn new(name: &'static str, act: impl FnOnce() + Send + 'static) -> Arc<Self> {
        Arc::new(Self {
            name,
            act: Mutex::new(Some(Box::new(act))),
            applied: Mutex::default(),
        })
    }

    fn applied(&self) -> Vec<String> {
        self.applied.lock().unwrap().clone()
    }
}

impl Observer for After {
    fn operation(&self, _: Timestamp, _: &StageSetKey, operation: &Operation, outcome: &Outcome) {
        let Operation::Tenant(TenantOperation::Apply { object, .. }) = operation else {
            return;
        };
        assert_eq!(*outcome, Outcome::Done);
        self.applied
            .lock()
            .unwrap()
            .push(object.reference.key.name.clone());
        if object.reference.key.name == self.name
            && let Some(act) = self.act.lock().unwrap().take()
        {
            act();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_deletion_in_mid_run_ends_it_before_its_next_write() {
    let mut world = watched_world().await;
    world.publish("one", "r1", &[("a.yaml", &config_map("one", "first"))]);
    world.publish("two", "r1", &[("a.yaml", &config_map("two", "first"))]);
    world.stage_set("web", &["one", "two"]);
    let cluster = world.cluster.clone();
    let observer = After::new("one", move || {
        cluster
            .delete("stages.metio.wtf/v1", "StageSet", "shop", "web")
            .unwrap();
    });
    world.ports.observer = Arc::clone(&observer) as _;
    world
        .run_until("web", Duration::from_secs(60), |world| {
            world.object("web").is_none()
        })
        .await;
    assert_eq!(observer.applied(), ["one"]);
    assert!(world.config_map("one").is_none());
}

/// Publishes something right after the first delete.
struct AfterDelete(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Observer for AfterDelete {
    fn operation(&self, _: Timestamp, _: &StageSetKey, operation: &Operation, _: &Outcome) {
        let delete = matches!(operation, Operation::Tenant(TenantOperation::Delete { .. }));
        if delete && let Some(act) = self.0.lock().unwrap().take() {
            act();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_brings_an_object_back_comes_before_the_next_step_of_pruning() {
    let mut world = watched_world().await;
    let service =
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: extra\nspec:\n  ports: [{port: 80}]\n";
    let (stays, extra) = (config_map("stays", "one"), config_map("extra", "one"));
    let all = [
        ("a.yaml", &*stays),
        ("b.yaml", &*extra),
        ("c.yaml", service),
    ];
    world.publish("app", "r1", &all);
    world.stage_set("web", &["app"]);
    world.until_ready("web").await;
    let uid = world.config_map("extra").unwrap()["metadata"]["uid"].clone();

    let (url, digest) = world.artifacts.put("app", "r3", &all);
    let cluster = world.cluster.clone();
    world.ports.observer = Arc::new(AfterDelete(Mutex::new(Some(Box::new(move || {
        let artifact = json!({ "artifact": { "url": url, "digest": digest, "revision": "r3" } });
        let group = "source.toolkit.fluxcd.io/v1";
        cluster
            .patch_status(group, "ExternalArtifact", "shop", "app", &artifact)
            .unwrap();
    })))));
    world.publish("app", "r2", &[("a.yaml", &stays)]);
    world.pass("web", Wake::default()).await;
    world.until_ready("web").await;
    let status = world.object("web").unwrap()["status"].clone();
    assert_eq!(status["lastAppliedRevisions"]["shop/app"], "r3");
    // The Service went first and came again; the ConfigMap's turn never came.
    assert!(
        world
            .cluster
            .get("v1", "Service", "shop", "extra")
            .is_some()
    );
    assert_eq!(world.config_map("extra").unwrap()["metadata"]["uid"], uid);
}

#[tokio::test(start_paused = true)]
async fn a_new_revision_in_mid_run_begins_the_release_anew() {
    let mut world = watched_world().await;
    world.publish("one", "r1", &[("a.yaml", &config_map("one", "first"))]);
    world.publish("two", "r1", &[("a.yaml", &config_map("two", "first"))]);
    world.stage_set("web", &["one", "two"]);
    let (url, digest) =
        world
            .artifacts
            .put("two", "r2", &[("a.yaml", &config_map("two", "second"))]);
    let cluster = world.cluster.clone();
    let observer = After::new("one", move || {
        let artifact = json!({ "artifact": { "url": url, "digest": digest, "revision": "r2" } });
        let group = "source.toolkit.fluxcd.io/v1";
        cluster
            .patch_status(group, "ExternalArtifact", "shop", "two", &artifact)
            .unwrap();
    });
    world.ports.observer = Arc::clone(&observer) as _;
    world.until_ready("web").await;
    // The old revision of the second stage was never written (K07).
    assert_eq!(observer.applied(), ["one", "two"]);
    assert_eq!(world.config_map("two").unwrap()["data"]["key"], "second");
}

/// Recreates an object right after its dry run.
struct Recreate {
    cluster: stageset_sim::SimulatedCluster,
    armed: Mutex<bool>,
}

impl Observer for Recreate {
    fn need(&self, _: Timestamp, _: &StageSetKey, need: &Need, _: &Outcome) {
        if matches!(need, Need::DryRun { .. }) && std::mem::take(&mut *self.armed.lock().unwrap()) {
            self.cluster
                .delete("v1", "ConfigMap", "shop", "settings")
                .unwrap();
            let foreign = json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": { "namespace": "shop", "name": "settings" },
            });
            self.cluster.apply_yaml_value(&foreign).unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_that_was_recreated_since_it_was_judged_bounces() {
    let mut world = watched_world().await;
    world.publish("app", "r1", &[("a.yaml", &config_map("settings", "one"))]);
    world.stage_set("web", &["app"]);
    world.until_ready("web").await;
    world.publish("app", "r2", &[("a.yaml", &config_map("settings", "two"))]);
    let cluster = world.cluster.clone();
    world.ports.observer = Arc::new(Recreate {
        cluster,
        armed: Mutex::new(true),
    });
    let before = world.requests().len();
    world.pass("web", Wake::default()).await;
    let applies: Vec<u16> = world
        .requests()
        .split_off(before)
        .iter()
        .filter(|record| record.apply && !record.dry_run)
        .map(|record| record.code)
        .collect();
    // 422 since an apply may not change the uid; it counts as a conflict: looked at again at once.
    assert_eq!(applies.first(), Some(&422), "{applies:?}");
    world.until_ready("web").await;
    assert_eq!(world.config_map("settings").unwrap()["data"]["key"], "two");
}

#[tokio::test(start_paused = true)]
async fn decisions_that_come_to_no_rest_are_parked() {
    let mut world = watched_world().await;
    world.publish("app", "r1", &[("a.yaml", &config_map("settings", "one"))]);
    world.stage_set("web", &["app"]);
    world.ports.settings.max_turns = 2;
    let pass = world.pass("web", Wake::default()).await;
    let End::Hold {
        waiting_for, until, ..
    } = pass.next
    else {
        panic!("{:?}", pass.next)
    };
    assert!(waiting_for.contains("internal error"), "{waiting_for}");
    assert_eq!(
        until.since(world.ports.clock.now()),
        Duration::from_secs(60)
    );
    assert!(world.log.text().contains("! defect"));
    world.ports.settings.max_turns = 200;
    world.until_ready("web").await;
}

#[tokio::test(start_paused = true)]
async fn attack_a07_a_recreated_account_inherits_nothing() {
    let mut world = watched_world().await;
    world.publish("app", "r1", &[("a.yaml", &config_map("settings", "one"))]);
    world.stage_set("web", &["app"]);
    world.until_ready("web").await;
    world
        .cluster
        .delete("v1", "ServiceAccount", "shop", "deployer")
        .unwrap();
    world.account("shop", "deployer");
    let account = stageset_core::names::ServiceAccountName::new("deployer").unwrap();
    let before = world.requests().len();
    let hints = vec![Hint::Account(account)];
    world
        .pass(
            "web",
            Wake {
                refresh: false,
                hints,
            },
        )
        .await;
    let tried = world.requests().split_off(before);
    assert!(
        tried.iter().any(|record| record.dry_run),
        "{}",
        lines(&tried).join("\n")
    );
}
