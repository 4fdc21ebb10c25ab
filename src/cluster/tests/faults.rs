//! Requests that fail, answers that are lost, and a driver that dies.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use stageset_cluster::Wake;
use stageset_sim::{Interceptor, Reply, Request, Response, Verdict};

use crate::world::{CONTROLLER, World, config_map, deployment};

/// Answers nothing any more after some requests of the driver, as if it had died.
struct Dead {
    left: Arc<AtomicUsize>,
    user: fn(&Request) -> bool,
}

fn of_driver(request: &Request) -> bool {
    request.user.name == CONTROLLER
}

fn failing(status: u16) -> Response {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status,
        "message": "injected fault", "reason": "InternalError",
    });
    Response {
        status: StatusCode::from_u16(status).unwrap(),
        headers: http::HeaderMap::new(),
        body: body.to_string().into(),
    }
}

impl Interceptor for Dead {
    fn before(&mut self, request: &Request) -> Verdict {
        if !(self.user)(request) {
            return Verdict::Pass;
        }
        let left = self.left.load(Ordering::SeqCst);
        if left == 0 {
            return Verdict::Answer(failing(503));
        }
        self.left.store(left - 1, Ordering::SeqCst);
        Verdict::Pass
    }
}

/// Lets the driver make that many requests, then none; then lets the API server live again. Says
/// whether it came to that.
pub(crate) async fn crash_after(world: &mut World, name: &str, survived: usize) -> bool {
    let left = Arc::new(AtomicUsize::new(survived));
    let dead = Dead {
        left: Arc::clone(&left),
        user: of_driver,
    };
    world
        .cluster
        .with_server(|server| server.intercept(Box::new(dead)));
    for _ in 0..4 {
        world.pass(name, Wake::default()).await;
        if left.load(Ordering::SeqCst) == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_secs(6)).await;
    }
    left.swap(usize::MAX, Ordering::SeqCst) == 0
}

/// Fails the nth request of the driver, before or after it took effect.
struct Nth {
    count: usize,
    at: usize,
    lost: bool,
    status: u16,
    hit: Arc<Mutex<Option<String>>>,
}

impl Interceptor for Nth {
    fn before(&mut self, request: &Request) -> Verdict {
        if !of_driver(request) {
            return Verdict::Pass;
        }
        self.count += 1;
        if self.count == self.at {
            *self.hit.lock().unwrap() = Some(format!("{} {}", request.method, request.uri));
            if !self.lost {
                return Verdict::Answer(failing(self.status));
            }
        }
        Verdict::Pass
    }

    fn after(&mut self, request: &Request, reply: Reply) -> Reply {
        if of_driver(request) && self.lost && self.count == self.at {
            return Reply::Response(failing(self.status));
        }
        reply
    }
}

#[tokio::test(start_paused = true)]
async fn one_failed_or_lost_answer_anywhere_is_survived() {
    for (status, lost) in [
        (503, false),
        (503, true),
        (409, false),
        (429, false),
        (504, true),
    ] {
        let mut reached = 0;
        let mut world = World::new().await;
        for nth in 1..80 {
            let (config, app) = (format!("config{nth}"), format!("app{nth}"));
            world.publish(&config, "r1", &[("a.yaml", &config_map(&config, "one"))]);
            let web = deployment(&app, "web:1", "ready-after=5s");
            world.publish(&app, "r1", &[("b.yaml", &web)]);
            let name = format!("web{nth}");
            world.stage_set(&name, &[&config, &app]);
            let hit = Arc::new(Mutex::new(None));
            let fault = Nth {
                count: 0,
                at: nth,
                lost,
                status,
                hit: Arc::clone(&hit),
            };
            world
                .cluster
                .with_server(|server| server.intercept(Box::new(fault)));
            world.until_ready(&name).await;
            assert!(world.config_map(&config).is_some(), "{status} {lost} {nth}");
            world.crash();
            if hit.lock().unwrap().is_none() {
                break;
            }
            reached = nth;
        }
        assert!(
            reached > 10,
            "only {reached} requests were tried with {status}"
        );
    }
}

/// Loses the first answer to such a request of the driver.
struct LostAnswer {
    to: fn(&Request) -> bool,
    hit: Arc<AtomicUsize>,
}

impl LostAnswer {
    fn lose(world: &World, to: fn(&Request) -> bool) -> Arc<AtomicUsize> {
        let hit = Arc::default();
        let lost = Self {
            to,
            hit: Arc::clone(&hit),
        };
        world
            .cluster
            .with_server(|server| server.intercept(Box::new(lost)));
        hit
    }
}

impl Interceptor for LostAnswer {
    fn before(&mut self, _: &Request) -> Verdict {
        Verdict::Pass
    }

    fn after(&mut self, request: &Request, reply: Reply) -> Reply {
        let asked = of_driver(request) && (self.to)(request);
        if asked && self.hit.fetch_add(1, Ordering::SeqCst) == 0 {
            return Reply::Response(failing(504));
        }
        reply
    }
}

/// No watch tells of what we wrote ourselves, so the driver must look for what it may have written.
#[tokio::test(start_paused = true)]
async fn d1_an_inventory_whose_creation_got_no_answer_goes_with_its_stage() {
    let mut world = World::new().await;
    for name in ["config", "app"] {
        world.publish(name, "r1", &[("a.yaml", &config_map(name, "one"))]);
    }
    world.stage_set("web", &["config"]);
    world.until_ready("web").await;
    let hit = LostAnswer::lose(&world, |request| {
        request.method == http::Method::POST && request.uri.path().ends_with("/stageinventories")
    });
    world.stage_set("web", &["config", "app"]);
    world.pass("web", Wake::default()).await;
    assert_eq!(hit.load(Ordering::SeqCst), 1);
    assert_eq!(world.inventories().len(), 2);
    assert!(world.config_map("app").is_none());
    world.stage_set("web", &["config"]);
    world
        .run_until("web", Duration::from_secs(900), |world| {
            let generation = |path| world.object("web")?.pointer(path)?.as_i64();
            world.ready("web") == "True Succeeded"
                && generation("/status/observedGeneration") == generation("/metadata/generation")
        })
        .await;
    assert_eq!(world.inventories().len(), 1);
}

/// Level wire, seed 149806: managed fields tell the time to the second, so that by them an object is as it was
/// when two writes of the same fields fall into one.
#[tokio::test(start_paused = true)]
async fn a_write_that_got_no_answer_is_not_taken_for_one_that_did_nothing() {
    let mut world = World::new().await;
    let refresh = || Wake {
        refresh: true,
        hints: Vec::new(),
    };
    let release = |world: &World, revision: &str, value: &str| {
        world.publish("app", revision, &[("a.yaml", &config_map("app", value))]);
    };
    let value = |world: &World| {
        world
            .config_map("app")
            .map(|found| found["data"]["key"].clone())
    };
    release(&world, "r1", "one");
    world.stage_set("web", &["app"]);
    world.pass("web", Wake::default()).await;
    assert_eq!(value(&world), Some("one".into()));
    let hit = LostAnswer::lose(&world, |request| {
        let query = request.uri.query().unwrap_or_default();
        request.method == http::Method::PATCH
            && request.uri.path().ends_with("/configmaps/app")
            && !query.contains("dryRun")
    });
    // The clock is paused: it only moves here. What was seen has to be of before, or a pass asks for nothing;
    // and all has to fall into one second.
    let later = || tokio::time::sleep(Duration::from_millis(10));
    later().await;
    release(&world, "r2", "two");
    world.pass("web", refresh()).await;
    assert_eq!(hit.load(Ordering::SeqCst), 1);
    assert_eq!(value(&world), Some("two".into()), "it took effect");
    later().await;
    release(&world, "r1", "one");
    world.pass("web", refresh()).await;
    world
        .run_until("web", Duration::from_secs(60), |world| {
            world.ready("web") == "True Succeeded"
        })
        .await;
    assert_eq!(value(&world), Some("one".into()));
}

#[tokio::test(start_paused = true)]
async fn attack_a28_a_wrong_digest_applies_nothing_and_a_new_revision_heals_it() {
    let mut world = World::new().await;
    world.publish("app", "r1", &[("a.yaml", &config_map("settings", "one"))]);
    world
        .artifacts
        .replace("http://artifacts/app/r1.tar.gz", b"something else");
    world.stage_set("web", &["app"]);
    world
        .run_until("web", Duration::from_secs(60), |world| {
            world.ready("web") == "False StageFailed"
        })
        .await;
    assert!(world.config_map("settings").is_none());
    assert!(world.inventories().is_empty());
    world.publish("app", "r2", &[("a.yaml", &config_map("settings", "two"))]);
    world
        .pass(
            "web",
            Wake {
                refresh: true,
                hints: Vec::new(),
            },
        )
        .await;
    world.until_ready("web").await;
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_artifact_server_is_tried_again() {
    let mut world = World::new().await;
    let (url, digest) = (
        "http://artifacts/none.tar.gz",
        format!("sha256:{}", "0".repeat(64)),
    );
    world.apply(&json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "ExternalArtifact",
        "metadata": { "namespace": "shop", "name": "app" },
        "status": {
            "conditions": [{ "type": "Ready", "status": "True" }],
            "artifact": { "url": url, "digest": digest, "revision": "r0" },
        },
    }));
    world.stage_set("web", &["app"]);
    world
        .run_until("web", Duration::from_secs(60), |world| {
            world.ready("web") == "False StageFailed"
        })
        .await;
    assert!(
        world.message("web").contains("404"),
        "{}",
        world.message("web")
    );
    world.publish("app", "r1", &[("a.yaml", &config_map("settings", "one"))]);
    world
        .pass(
            "web",
            Wake {
                refresh: true,
                hints: Vec::new(),
            },
        )
        .await;
    world.until_ready("web").await;
}
