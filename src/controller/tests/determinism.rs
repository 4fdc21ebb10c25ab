//! The same cluster, the same loop, the same trace.
#![expect(clippy::unwrap_used, reason = "a run that can't start fails the test")]

use stageset_controller::Options;

use crate::harness::{World, config_map, deployment};

/// Every request of a run with several tenants, in order, with its time.
fn trace() -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let world = World::new().await;
        for namespace in ["a", "b", "c", "d"] {
            world.tenant(namespace, &["*"]);
            world.source(namespace, "base", &[("a.yaml", &config_map("a", "1"))]);
            world.source(
                namespace,
                "app",
                &[("b.yaml", &deployment("b", "ready-after=2s"))],
            );
            for name in ["one", "two"] {
                // Both claim the same objects: one of them is refused.
                world.stage_set(namespace, name, &["base", "app"]);
            }
        }
        let controller = world.controller(Options::default());
        tokio::time::sleep(std::time::Duration::from_secs(1200)).await;
        controller.stop().await.unwrap();
        let requests = world.requests().into_iter();
        requests
            .map(|r| {
                format!(
                    "{} {} {:?} {} {}",
                    r.at, r.verb, r.impersonated, r.path, r.code
                )
            })
            .collect()
    })
}

#[test]
fn two_runs_send_the_same_requests_at_the_same_times() {
    let (first, second) = (trace(), trace());
    assert!(first.len() > 100);
    for (index, (one, other)) in first.iter().zip(&second).enumerate() {
        assert_eq!(one, other, "request {index}");
    }
    assert_eq!(first.len(), second.len());
}
