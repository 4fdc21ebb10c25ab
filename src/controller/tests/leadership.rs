//! Two replicas: one writes.

use std::time::Duration;

use jiff::Timestamp;
use stageset_controller::{Options, RunError};
use stageset_sim::{Interceptor, Reply, Request, Response, Verdict};
use tokio::time::{Instant, sleep};

use crate::harness::{Replica, World, config_map, replica_user, within};

/// A server that answers 503 to whom it is told to, while told to.
struct Outage {
    user: &'static str,
}

impl Interceptor for Outage {
    fn before(&mut self, request: &Request) -> Verdict {
        if request.user.name == self.user {
            let body = serde_json::json!({
                "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 503,
                "reason": "ServiceUnavailable", "message": "outage",
            });
            Verdict::Answer(Response {
                status: http::StatusCode::SERVICE_UNAVAILABLE,
                headers: http::HeaderMap::new(),
                body: body.to_string().into(),
            })
        } else {
            Verdict::Pass
        }
    }

    fn after(&mut self, _request: &Request, reply: Reply) -> Reply {
        reply
    }
}

fn elects() -> Options {
    Options {
        leader_elect: true,
        ..Options::default()
    }
}

fn start(world: &World, name: &str) -> Replica {
    world.replica(elects(), replica_user(name), Some(name))
}

/// When a replica has written anything but the lease, in order.
fn writes(world: &World, name: &str) -> Vec<Timestamp> {
    world
        .requests()
        .iter()
        .filter(|record| record.user == name && record.resource != "leases")
        .filter(|record| {
            matches!(
                record.verb.as_str(),
                "create" | "update" | "patch" | "delete"
            )
        })
        .map(|record| record.at)
        .collect()
}

fn holder(world: &World) -> String {
    let lease = world
        .cluster
        .get(
            "coordination.k8s.io/v1",
            "Lease",
            "default",
            "stageset-controller.stages.metio.wtf",
        )
        .unwrap_or_default();
    lease["spec"]["holderIdentity"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

async fn world_with_a_release() -> World {
    let world = World::new().await;
    world.tenant("payments", &["*"]);
    world.source("payments", "app", &[("a.yaml", &config_map("a", "1"))]);
    world.stage_set("payments", "shop", &["app"]);
    world
}

#[tokio::test(start_paused = true)]
async fn one_of_two_writes_and_the_other_takes_over_when_it_stops() {
    let world = world_with_a_release().await;
    let first = start(&world, "first");
    world
        .until("the first leads", || holder(&world) == "first")
        .await;
    let second = start(&world, "second");
    world
        .until_ready_says("payments", "shop", "True Succeeded")
        .await;
    world
        .until("the second is ready to take over", || second.is_ready())
        .await;
    sleep(Duration::from_secs(120)).await;
    assert_eq!(holder(&world), "first");
    assert_eq!(writes(&world, "second"), []);

    first.stop().await.unwrap();
    assert_eq!(holder(&world), "", "a graceful stop releases the lease");
    let taken = within(Duration::from_secs(3), || holder(&world) == "second").await;
    assert!(
        taken,
        "it was released, so nobody has to wait for it to run out"
    );
    world.source("payments", "app", &[("a.yaml", &config_map("a", "2"))]);
    world
        .until("the second writes", || !writes(&world, "second").is_empty())
        .await;
    second.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_cut_off_stops_before_another_begins() {
    let world = world_with_a_release().await;
    let first = start(&world, "first");
    world
        .until_ready_says("payments", "shop", "True Succeeded")
        .await;
    let second = start(&world, "second");
    world
        .until("the second is ready to take over", || second.is_ready())
        .await;

    let cut = Instant::now();
    world.cluster.with_server(|server| {
        server.intercept(Box::new(Outage { user: "first" }));
    });
    let ended = first.ended().await;
    assert_eq!(ended, Err(RunError::LeadershipLost));
    let stopped_after = cut.elapsed();
    assert!(
        stopped_after <= Duration::from_secs(12),
        "{stopped_after:?}"
    );
    assert_eq!(
        holder(&world),
        "first",
        "the other waits for the lease to run out"
    );
    world
        .until("the second leads", || holder(&world) == "second")
        .await;
    world.source("payments", "app", &[("a.yaml", &config_map("a", "2"))]);
    world
        .until("the second writes", || !writes(&world, "second").is_empty())
        .await;
    let (first, second_) = (writes(&world, "first"), writes(&world, "second"));
    assert!(first.last() < second_.first(), "{first:?} {second_:?}");
    second.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_died_is_replaced_when_its_lease_has_run_out() {
    let world = world_with_a_release().await;
    let first = start(&world, "first");
    world
        .until("the first leads", || holder(&world) == "first")
        .await;
    first.kill().await;
    let second = start(&world, "second");
    let begun = Instant::now();
    world
        .until("the second leads", || holder(&world) == "second")
        .await;
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_secs(14) && took <= Duration::from_secs(20),
        "{took:?}"
    );
    world
        .until_ready_says("payments", "shop", "True Succeeded")
        .await;
    second.stop().await.unwrap();
}

/// Helm finds out by labels and annotations that the Lease is its release's; without them an uninstall
/// leaves it behind, and the next install refuses to begin.
#[tokio::test(start_paused = true)]
async fn what_helm_wrote_on_the_lease_stays() {
    let world = World::new().await;
    let metadata = serde_json::json!({
        "name": "stageset-controller.stages.metio.wtf", "namespace": "default",
        "labels": { "app.kubernetes.io/managed-by": "Helm" },
        "annotations": { "meta.helm.sh/release-name": "stageset-controller" },
    });
    world.put(&serde_json::json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata,
    }));
    let kept = || {
        let name = "stageset-controller.stages.metio.wtf";
        let lease = world
            .cluster
            .get("coordination.k8s.io/v1", "Lease", "default", name)
            .unwrap();
        lease["metadata"]["labels"] == metadata["labels"]
            && lease["metadata"]["annotations"] == metadata["annotations"]
    };
    let first = start(&world, "first");
    world
        .until("the first leads", || holder(&world) == "first")
        .await;
    sleep(Duration::from_secs(30)).await;
    assert!(kept(), "renewing took them away");
    first.stop().await.unwrap();
    assert_eq!(holder(&world), "");
    assert!(kept(), "releasing took them away");
}
