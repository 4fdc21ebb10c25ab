//! Drift in a fleet at rest: somebody edits delivered objects at random, and how soon each is put right.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::{Value, json};
use stageset_e2e::client::{Api, Call};

use crate::fleet;

/// Edits under way at the same time.
const SIDE_BY_SIDE: usize = 4;

/// Edits `edits` Services of a fleet, and prints how long each stood.
pub(crate) async fn measure(api: &Api, fleet: &str, count: usize, edits: usize) -> Result<()> {
    let mut took = Vec::with_capacity(edits);
    let mut seed = 1_u64;
    for round in 0..edits.div_ceil(SIDE_BY_SIDE) {
        let mut namespaces = std::collections::BTreeSet::new();
        while namespaces.len() < SIDE_BY_SIDE.min(count) {
            // A linear congruence: which ones doesn't matter, that they are the same each time does.
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let index = usize::try_from(seed >> 33).unwrap_or_default() % count;
            namespaces.insert(fleet::namespace(fleet, index));
        }
        let namespaces: Vec<String> = namespaces.into_iter().collect();
        if let [a, b, c, d] = &namespaces[..] {
            let (a, b, c, d) = tokio::try_join!(
                edited(api, a, round),
                edited(api, b, round),
                edited(api, c, round),
                edited(api, d, round)
            )?;
            took.extend([a, b, c, d]);
        } else {
            for ns in &namespaces {
                took.push(edited(api, ns, round).await?);
            }
        }
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

/// Changes the selector of a Service, and waits until it is as it should be.
async fn edited(api: &Api, ns: &str, round: usize) -> Result<Duration> {
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
