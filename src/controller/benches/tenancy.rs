//! What tenants cost each other: others' latency while a remote cluster is down, and how many reviews
//! of rights a release takes. Printed next to what it must reach; nothing is asserted.
//!
//! On the simulated cluster and its clock, so the numbers are those of waiting and not of this machine.
#![expect(clippy::unwrap_used, reason = "a measurement that can't be made ends")]

#[path = "../tests/harness.rs"]
#[allow(dead_code, reason = "tests use the rest")]
mod harness;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Request, Response};
use kube::client::Body;
use serde_json::json;
use stageset_cluster::remote::Connect;
use stageset_cluster::{Connection, Remotes};
use stageset_controller::Options;
use stageset_core::identity::{Remote, Target};
use stageset_core::kubeconfig::{Allowed, Kubeconfig};
use stageset_sim::{SimulatedCluster, User};
use tokio::time::Instant;
use tower::{BoxError, service_fn};

use harness::{World, deployment, stage_set};

const LOCAL: usize = 20;
const REMOTE: usize = 20;
const ROUNDS: usize = 10;

/// The remote cluster: as it should be, or one that never answers.
#[derive(Clone)]
enum Far {
    Up(SimulatedCluster),
    Down,
}

impl Connect for Far {
    fn connect(&self, _: &Kubeconfig, remote: &Arc<Remote>) -> Result<Connection, String> {
        let side = Target::Remote(Arc::clone(remote));
        Ok(match self {
            Self::Up(cluster) => Connection::from_service_at(cluster.door(User::admin()), &side),
            Self::Down => Connection::from_service_at(
                service_fn(|_: Request<Body>| async {
                    std::future::pending::<Result<Response<Body>, BoxError>>().await
                }),
                &side,
            ),
        })
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let healthy = runtime.block_on(others(false));
    let down = runtime.block_on(others(true));
    let change = (down.1.as_secs_f64() / healthy.1.as_secs_f64() - 1.0) * 100.0;
    println!(
        "{LOCAL} local releases beside {REMOTE} remote ones, {ROUNDS} changes each: remote cluster up p50 \
         {:?}, p99 {:?}; down p50 {:?}, p99 {:?}: p99 changes by {change:.1} % (must stay below 10 %)",
        healthy.0, healthy.1, down.0, down.1
    );
    runtime.block_on(reviews());
}

async fn world(namespace: &str) -> World {
    let world = World::new().await;
    world.tenant(namespace, &["*"]);
    world
}

/// p50 and p99 of the time from a new revision to Ready, of releases whose objects are here.
async fn others(down: bool) -> (Duration, Duration) {
    let mut world = world("near").await;
    world.tenant("far", &["*"]);
    let abroad = World::bare();
    abroad.tenant("far", &["*"]);
    let far = if down {
        Far::Down
    } else {
        Far::Up(abroad.cluster.clone())
    };
    world.remotes = Arc::new(Remotes::new(far, Allowed::default()));
    let kubeconfig = "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts:\n- name: c\n  context: \
        {cluster: k, user: u}\nclusters:\n- name: k\n  cluster: {server: 'https://far.example'}\nusers:\n- \
        name: u\n  user: {token: t}\n";
    world.put(&json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "namespace": "far", "name": "far" },
        "data": { "value": STANDARD.encode(kubeconfig) },
    }));
    let name = |index: usize| format!("app-{index}");
    let publish = |world: &World, namespace: &str, index: usize, round: usize| {
        let app = deployment(&name(index), "ready-after=2s");
        let app = app.replace(
            "registry.example/app:1",
            &format!("registry.example/app:{round}"),
        );
        world.source(namespace, &name(index), &[("app.yaml", &app)]);
    };
    for index in 0..REMOTE {
        publish(&world, "far", index, 0);
        let mut object = stage_set("far", &name(index), &[&name(index)]);
        object["spec"]["kubeConfig"] = json!({ "secretRef": { "name": "far" } });
        object["spec"]["retryInterval"] = "5s".into();
        world.put(&object);
    }
    for index in 0..LOCAL {
        publish(&world, "near", index, 0);
        world.stage_set("near", &name(index), &[&name(index)]);
    }
    let controller = world.controller(Options::default());
    for index in 0..LOCAL {
        world
            .until_ready_says("near", &name(index), "True Succeeded")
            .await;
    }
    let mut took = Vec::new();
    for round in 1..=ROUNDS {
        for index in 0..REMOTE {
            publish(&world, "far", index, round);
        }
        let begun = Instant::now();
        let mut waiting: Vec<usize> = (0..LOCAL).collect();
        for index in 0..LOCAL {
            publish(&world, "near", index, round);
        }
        while !waiting.is_empty() {
            waiting.retain(|index| {
                let set = world
                    .get_stage_set("near", &name(*index))
                    .unwrap_or_default();
                let offered = world
                    .cluster
                    .get(
                        "source.toolkit.fluxcd.io/v1",
                        "ExternalArtifact",
                        "near",
                        &name(*index),
                    )
                    .unwrap_or_default();
                let applied =
                    &set["status"]["lastAppliedRevisions"][format!("near/{}", name(*index))];
                let there = *applied == offered["status"]["artifact"]["revision"]
                    && world.ready("near", &name(*index)) == "True Succeeded";
                if there {
                    took.push(begun.elapsed());
                }
                !there
            });
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tokio::time::sleep(Duration::from_secs(20)).await;
    }
    controller.kill().await;
    took.sort();
    let at = |part: usize| took[(took.len() - 1) * part / 1000];
    (at(500), at(990))
}

/// How many reviews three stages in one namespace take: first release, next revision, an hour at rest.
async fn reviews() {
    let world = world("team").await;
    for stage in ["one", "two", "three"] {
        world.source(
            "team",
            stage,
            &[("app.yaml", &deployment(stage, "ready-after=2s"))],
        );
    }
    world.stage_set("team", "app", &["one", "two", "three"]);
    let count = || {
        let requests = world.requests().into_iter();
        requests
            .filter(|request| request.group == "authorization.k8s.io")
            .count()
    };
    let controller = world.controller(Options::default());
    world
        .until_ready_says("team", "app", "True Succeeded")
        .await;
    let first = count();
    let app = deployment("one", "ready-after=2s").replace("app:1", "app:2");
    world.source("team", "one", &[("app.yaml", &app)]);
    tokio::time::sleep(Duration::from_secs(30)).await;
    world
        .until_ready_says("team", "app", "True Succeeded")
        .await;
    let second = count() - first;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let rest = count() - first - second;
    println!(
        "reviews of rights for 3 stages in one namespace: {first} for the first revision (at most one \
         for each namespace, stage and revision), {second} for the next, {rest} in an hour at rest \
         (must be 0)"
    );
    controller.kill().await;
}
