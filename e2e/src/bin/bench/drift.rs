//! Drift in a fleet at rest: somebody edits delivered objects at random, and how soon each is put right.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use futures::future::try_join_all;
use serde_json::{Value, json};
use stageset_e2e::client::{Api, Call};

use crate::fleet;

/// Edits under way at the same time.
const SIDE_BY_SIDE: usize = 4;

/// One field that is put right more often than this within an hour counts as a fight of two writers,
/// and is left alone for a minute and more, by design: that isn't what is measured here.
const UNFOUGHT: usize = 2;

/// Edits `edits` Services of a fleet (fewer if it is small), and prints how long each stood.
pub(crate) async fn measure(api: &Api, fleet: &str, count: usize, edits: usize) -> Result<()> {
    let order = shuffled(count);
    let turns: Vec<usize> = order.repeat(UNFOUGHT).into_iter().take(edits).collect();
    let mut took = Vec::with_capacity(turns.len());
    for (round, turn) in turns.chunks(SIDE_BY_SIDE).enumerate() {
        let edits = turn.iter().map(|index| edited(api, fleet, *index, round));
        took.extend(try_join_all(edits).await?);
    }
    took.sort();
    let at = |part: usize| took[(took.len() * part / 100).min(took.len() - 1)];
    println!("{} random edits among {count} StageSets", took.len());
    println!(
        "  put right after   {:.0?} median, {:.0?} p99 (to reach: 1s)",
        at(50),
        at(99)
    );
    Ok(())
}

/// The numbers below `count`, each once, in an order that looks random and is the same each time.
fn shuffled(count: usize) -> Vec<usize> {
    let mut seed = 1_u64;
    let mut order: Vec<(u64, usize)> = (0..count)
        .map(|index| {
            // A linear congruence, of which the upper bits look random.
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33, index)
        })
        .collect();
    order.sort_unstable();
    order.into_iter().map(|(_, index)| index).collect()
}

/// Changes the selector of a Service, and waits until it is as it should be.
async fn edited(api: &Api, fleet: &str, index: usize, round: usize) -> Result<Duration> {
    let ns = fleet::namespace(fleet, index);
    let path = format!("/api/v1/namespaces/{ns}/services/web");
    let patch = json!({"spec": {"selector": {"app": format!("edited-{round}")}}});
    api.json(&Call::merge(
        format!("{path}?fieldManager=somebody"),
        &patch,
    ))
    .await?;
    let begun = Instant::now();
    loop {
        let service: Value = api.json(&Call::get(path.clone())).await?;
        if service["spec"]["selector"]["app"] == "web" {
            return Ok(begun.elapsed());
        }
        if begun.elapsed() > Duration::from_mins(1) {
            bail!("nobody puts {path} right");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
