//! The sources that releases come from, and what can be downloaded of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use stageset_cluster::artifacts::ArtifactSource;
use stageset_core::failure::{Failure, FailureClass};
use stageset_render::{Tree, pack};
use stageset_sim::HelperError;

use super::{SOURCES, START, World};
use crate::event::Offer;
use crate::setup::{NAMESPACE, STAGES, job, probe};

/// Artifacts by URL; those of broken sources can't be had.
#[derive(Clone, Default)]
pub(in super::super) struct Artifacts(Arc<Mutex<(BTreeMap<String, Bytes>, BTreeSet<String>)>>);

impl Artifacts {
    pub(super) fn hold(&self, url: &str, bytes: Bytes) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.0.insert(url.to_owned(), bytes);
    }
}

impl ArtifactSource for Artifacts {
    fn fetch<'a>(&'a self, url: &'a str, _limit: u64) -> BoxFuture<'a, Result<Bytes, Failure>> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let broken = held
            .1
            .iter()
            .any(|source| url.contains(&format!("/{source}/")));
        let found = held.0.get(url).filter(|_| !broken).cloned();
        drop(held);
        Box::pin(async move {
            found.ok_or_else(|| {
                let class = FailureClass::Transient { retry_after: None };
                Failure::new(class, format!("GET {url}: 503"))
            })
        })
    }
}

pub(super) fn artifact_status(url: &str, digest: &str, revision: u8) -> Value {
    json!({
        "url": url, "digest": digest, "revision": format!("r{revision}"),
        "path": "x", "lastUpdateTime": START,
    })
}

pub(super) fn source_status(artifact: &Value, ready: &str) -> Value {
    json!({
        "artifact": artifact,
        "conditions": [{
            "type": "Ready", "status": ready, "reason": "Trial", "message": "",
            "lastTransitionTime": START,
        }],
    })
}

impl World {
    pub(super) fn offer(&mut self, source: &str, offer: Offer) -> Result<(), HelperError> {
        if let Offer::Revision(revision) = offer {
            self.revisions.insert(source.to_owned(), revision);
        }
        self.offers.insert(source.to_owned(), offer);
        let revision = self.revisions.get(source).copied().unwrap_or(1);
        let (url, digest) = self.artifact(source, revision);
        {
            let mut held = self
                .artifacts
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if offer == Offer::Broken {
                held.1.insert(source.to_owned());
            } else {
                held.1.remove(source);
            }
        }
        if offer == Offer::Absent {
            // It may not be there any more: that is as well.
            let _ = self
                .cluster
                .delete(SOURCES, "ExternalArtifact", NAMESPACE, source);
            return Ok(());
        }
        let ready = if offer == Offer::NotReady {
            "False"
        } else {
            "True"
        };
        let artifact = if offer == Offer::NoArtifact {
            Value::Null
        } else {
            artifact_status(&url, &digest, revision)
        };
        self.put(&json!({
            "apiVersion": SOURCES, "kind": "ExternalArtifact",
            "metadata": { "name": source, "namespace": NAMESPACE }, "spec": {},
        }))?;
        let status = source_status(&artifact, ready);
        self.cluster
            .patch_status(SOURCES, "ExternalArtifact", NAMESPACE, source, &status)
            .map(drop)
    }

    fn artifact(&self, source: &str, revision: u8) -> (String, String) {
        let mut files = Vec::new();
        for stage in (0..self.setup.stages).filter(|stage| self.setup.source(*stage) == source) {
            for item in self.setup.items(stage, revision) {
                let path = format!(
                    "{}/{}.json",
                    STAGES[stage],
                    item.to_string().replace('/', "-")
                );
                files.push((path, item.manifest(&self.setup).to_string().into_bytes()));
            }
            for (folder, manifest) in [("jobs", job()), ("probe", probe(stage))] {
                let path = format!("{}-{folder}/{folder}.json", STAGES[stage]);
                files.push((path, manifest.to_string().into_bytes()));
            }
        }
        let tree = Tree::from_files(files).unwrap_or_default();
        let (bytes, digest) = pack(&tree);
        let url = format!("http://artifacts.example/{source}/{revision}.tar.gz");
        self.artifacts.hold(&url, bytes.into());
        (url, digest.to_string())
    }
}
