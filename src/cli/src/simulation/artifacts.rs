//! Artifacts served in the process: the downloads of a simulation.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use serde_json::{Value, json};
use stageset_cluster::artifacts::ArtifactSource;
use stageset_core::failure::{Failure, FailureClass};
use stageset_core::time::Timestamp;
use stageset_render::pack;

use crate::scenario::Scenario;

/// Every revision of every source, packed.
#[derive(Debug, Clone, Default)]
pub(super) struct Artifacts {
    by_url: BTreeMap<String, Bytes>,
    /// By source folder and revision.
    offers: BTreeMap<(String, String), Offer>,
}

#[derive(Debug, Clone)]
struct Offer {
    url: String,
    digest: String,
    size: usize,
}

impl Artifacts {
    /// Packs the artifacts of a scenario.
    pub(super) fn of(scenario: &Scenario) -> Self {
        let mut artifacts = Self::default();
        for (source, revisions) in &scenario.artifacts {
            for (revision, tree) in &revisions.by_name {
                let (bytes, digest) = pack(tree);
                let url = format!("http://artifacts.simulated/{source}/{revision}.tar.gz");
                let offer = Offer {
                    url: url.clone(),
                    digest: digest.to_string(),
                    size: bytes.len(),
                };
                artifacts
                    .offers
                    .insert((source.clone(), revision.clone()), offer);
                artifacts.by_url.insert(url, Bytes::from(bytes));
            }
        }
        artifacts
    }

    /// The status of a source that offers this revision, as source-controller writes it.
    pub(super) fn status(&self, source: &str, revision: &str, at: Timestamp) -> Option<Value> {
        let offer = self.offers.get(&(source.to_owned(), revision.to_owned()))?;
        let at = at.to_string();
        Some(json!({
            "conditions": [{
                "type": "Ready",
                "status": "True",
                "reason": "Succeeded",
                "message": format!("stored artifact for revision '{revision}'"),
                "lastTransitionTime": at,
                "observedGeneration": 1,
            }],
            "observedGeneration": 1,
            "artifact": {
                "url": offer.url,
                "digest": offer.digest,
                "revision": revision,
                "path": offer.url.trim_start_matches("http://artifacts.simulated/"),
                "lastUpdateTime": at,
                "size": offer.size,
            },
        }))
    }
}

impl ArtifactSource for Artifacts {
    fn fetch<'a>(&'a self, url: &'a str, limit: u64) -> BoxFuture<'a, Result<Bytes, Failure>> {
        let answer = match self.by_url.get(url) {
            None => Err(Failure::new(
                FailureClass::Transient { retry_after: None },
                format!("GET {url}: 404 Not Found"),
            )),
            Some(bytes) if bytes.len() as u64 > limit => Err(Failure::new(
                FailureClass::Terminal,
                format!(
                    "GET {url}: {} bytes, more than the limit of {limit}",
                    bytes.len()
                ),
            )),
            Some(bytes) => Ok(bytes.clone()),
        };
        ready(answer).boxed()
    }
}
