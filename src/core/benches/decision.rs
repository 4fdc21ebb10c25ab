//! How long one decision takes, and how many full rollouts a core can decide in a second.
//!
//! Printed, never asserted. The baseline of the same run is a sha256 over 64 KiB, so that figures of
//! different machines can be compared by their ratio.
#![allow(
    clippy::expect_used,
    reason = "a benchmark stops where its assumptions end"
)]

#[path = "../tests/world/mod.rs"]
mod world;

use std::hint::black_box;
use std::time::{Duration, Instant};

use stageset_core::object::sha256_hex;
use stageset_core::plan::Next;
use stageset_core::reconcile;
use world::{World, shop, stage};

const HOUR: Duration = Duration::from_secs(3600);

fn main() {
    let bytes = vec![7_u8; 64 * 1024];
    let baseline = median(2_000, || {
        black_box(sha256_hex(black_box(&bytes)));
    });
    println!("baseline: sha256 of 64 KiB, median {baseline:.1?}");
    decisions(baseline);
    rollouts(baseline);
}

/// 3 stages × 20 objects, at the three moments that differ most.
fn decisions(baseline: Duration) {
    let mut world = large();
    let mut moments: Vec<(&str, _)> = Vec::new();
    // Before the first write: everything is known, nothing is there.
    while world.requests < 60 {
        let _ = world.turn();
    }
    moments.push(("in the middle of the first stage", world.observation()));
    world.settle(HOUR);
    moments.push(("at rest", world.observation()));
    world.publish(
        "s2",
        "r2",
        &manifests("s2", "2")
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>(),
    );
    while world.turn().steps.is_empty() {}
    moments.push(("in an update of the last stage", world.observation()));
    for (what, observation) in &moments {
        let took = median(5_000, || {
            let _ = black_box(reconcile(black_box(observation)));
        });
        println!(
            "one decision, 3 stages x 20 objects, {what}: median {took:.1?}, {:.2} of the baseline",
            took.as_secs_f64() / baseline.as_secs_f64()
        );
    }
}

/// 2 stages × 4 objects from nothing to Ready, in memory.
fn rollouts(baseline: Duration) {
    let start = Instant::now();
    let mut count = 0_u32;
    while count == 0 || start.elapsed() < Duration::from_secs(2) {
        let mut world = shop();
        world.publish(
            "config",
            "r1",
            &[
                "ConfigMap/a=1",
                "ConfigMap/b=1",
                "Secret/c=1",
                "Deployment/cache=1",
            ],
        );
        world.publish(
            "app",
            "r1",
            &[
                "Deployment/web=1",
                "Service/web=1",
                "Ingress/web=1",
                "ServiceAccount/web=1",
            ],
        );
        let next = world.settle(HOUR);
        assert!(matches!(next, Next::Hold { refresh: true, .. }), "{next:?}");
        count += 1;
    }
    let each = start.elapsed() / count;
    println!(
        "full rollout, 2 stages x 4 objects, pure level: {:.0} a second and core ({each:.1?} each, \
         {:.2} of the baseline)",
        1.0 / each.as_secs_f64(),
        each.as_secs_f64() / baseline.as_secs_f64()
    );
}

fn manifests(source: &str, content: &str) -> Vec<String> {
    (0..20)
        .map(|n| format!("ConfigMap/{source}-{n}={content}"))
        .collect()
}

fn large() -> World {
    let mut world = World::new(vec![
        stage("s0", "s0"),
        stage("s1", "s1"),
        stage("s2", "s2"),
    ]);
    for source in ["s0", "s1", "s2"] {
        let manifests = manifests(source, "1");
        world.publish(
            source,
            "r1",
            &manifests.iter().map(String::as_str).collect::<Vec<_>>(),
        );
    }
    world
}

/// `SAMPLES` sets how often each moment is measured: few, for a run under a profiler.
fn median(times: usize, mut run: impl FnMut()) -> Duration {
    let times = match std::env::var("SAMPLES") {
        Ok(text) => text.parse().expect("SAMPLES is a number of runs"),
        Err(_) => times,
    };
    let mut taken: Vec<Duration> = (0..times)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    taken.sort();
    taken[times / 2]
}
