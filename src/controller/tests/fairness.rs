//! One tenant's crowd and another's single change (A26), with a server that takes its time. The full size
//! is measured by `cargo bench -p stageset-controller --bench many`.

use std::time::Duration;

use crate::harness::{World, crowd};

#[tokio::test(start_paused = true)]
async fn attack_a26_a_crowd_of_changes_delays_anothers_single_one_by_less_than_two_seconds() {
    let took = crowd(World::new().await, 120).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
}
