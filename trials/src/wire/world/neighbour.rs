//! Another tenant of the same controller, in a namespace of its own. Its StageSet, source, stage and objects
//! have the names of ours, so that whatever is told apart by its name alone is mixed up.

use serde_json::{Value, json};
use stageset_render::{Tree, pack};
use stageset_sim::HelperError;

use super::sources::{artifact_status, source_status};
use super::{OURS, RBAC, SOURCES, World};
use crate::event::Nearby;
use crate::setup::{CLERK, NAME, NEIGHBOUR, STAGES};

/// What the run knows of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Neighbour {
    /// What its source offers.
    revision: u8,
    /// Its StageSet is to be there.
    there: bool,
}

impl World {
    pub(super) fn bring_neighbour(&mut self) -> Result<(), HelperError> {
        self.put(&json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NEIGHBOUR },
        }))?;
        self.put(&json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": { "name": CLERK, "namespace": NEIGHBOUR },
        }))?;
        self.put(&json!({
            "apiVersion": RBAC, "kind": "Role",
            "metadata": { "name": CLERK, "namespace": NEIGHBOUR },
            "rules": [{
                "apiGroups": [""], "resources": ["configmaps", "secrets"],
                "verbs": ["get", "list", "watch", "create", "patch", "delete"],
            }],
        }))?;
        for event in [Nearby::Granted, Nearby::Revision(1), Nearby::Created] {
            self.happen_nearby(event)?;
        }
        Ok(())
    }

    pub(super) fn happen_nearby(&mut self, event: Nearby) -> Result<(), HelperError> {
        match event {
            Nearby::Revision(revision) => {
                self.neighbour.get_or_insert_default().revision = revision;
                self.offer_nearby(revision)
            }
            Nearby::Deleted => {
                self.neighbour.get_or_insert_default().there = false;
                self.cluster.delete(OURS, "StageSet", NEIGHBOUR, NAME)
            }
            // One that is on its way out has to be gone first.
            Nearby::Created if self.nearby(OURS, "StageSet", NAME).is_some() => Ok(()),
            Nearby::Created => {
                self.neighbour.get_or_insert_default().there = true;
                self.put(&json!({
                    "apiVersion": OURS, "kind": "StageSet",
                    "metadata": { "name": NAME, "namespace": NEIGHBOUR },
                    "spec": {
                        "interval": "600s", "serviceAccountName": CLERK,
                        "stages": [{
                            "name": STAGES[0], "path": STAGES[0],
                            "sourceRef": { "name": self.setup.source(0) },
                        }],
                    },
                }))
            }
            Nearby::Revoked => self.cluster.delete(RBAC, "RoleBinding", NEIGHBOUR, CLERK),
            Nearby::Granted => self.put(&json!({
                "apiVersion": RBAC, "kind": "RoleBinding",
                "metadata": { "name": CLERK, "namespace": NEIGHBOUR },
                "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": CLERK },
                "subjects": [{ "kind": "ServiceAccount", "name": CLERK, "namespace": NEIGHBOUR }],
            })),
            Nearby::Edited => {
                let edit = json!({ "data": { "content": "somebody's" } });
                let name = object("ConfigMap");
                let patched = self.cluster.patch("v1", "ConfigMap", NEIGHBOUR, &name, &edit);
                patched.map(drop)
            }
        }
    }

    fn nearby(&self, api_version: &str, kind: &str, name: &str) -> Option<Value> {
        self.cluster.get(api_version, kind, NEIGHBOUR, name)
    }

    fn offer_nearby(&self, revision: u8) -> Result<(), HelperError> {
        let manifest = |kind: &str| {
            json!({
                "apiVersion": "v1", "kind": kind, "metadata": { "name": object(kind) },
                "data": { "content": content(kind, revision) },
            })
        };
        let files = ["ConfigMap", "Secret"].map(|kind| {
            let path = format!("{}/{kind}.json", STAGES[0]);
            (path, manifest(kind).to_string().into_bytes())
        });
        let (bytes, digest) = pack(&Tree::from_files(files).unwrap_or_default());
        let url = format!("http://artifacts.example/{NEIGHBOUR}/{revision}.tar.gz");
        self.artifacts.hold(&url, bytes.into());
        let source = self.setup.source(0);
        self.put(&json!({
            "apiVersion": SOURCES, "kind": "ExternalArtifact",
            "metadata": { "name": source, "namespace": NEIGHBOUR }, "spec": {},
        }))?;
        let artifact = artifact_status(&url, &digest.to_string(), revision);
        let status = source_status(&artifact, "True");
        self.cluster
            .patch_status(SOURCES, "ExternalArtifact", NEIGHBOUR, source, &status)
            .map(drop)
    }

    /// What the neighbour still misses, if there is one.
    pub(in super::super) fn missing_nearby(&self) -> Result<(), String> {
        let Some(Neighbour { revision, there }) = self.neighbour else {
            return Ok(());
        };
        let stage_set = self.nearby(OURS, "StageSet", NAME);
        if !there {
            return stage_set.map_or(Ok(()), |_| {
                Err("the neighbour's StageSet is still there".to_owned())
            });
        }
        let stage_set = stage_set.ok_or("the neighbour's StageSet isn't there")?;
        let conditions = stage_set["status"]["conditions"].as_array();
        let ready = conditions
            .into_iter()
            .flatten()
            .find(|condition| condition["type"] == "Ready");
        if ready.is_none_or(|ready| ready["status"] != "True") {
            return Err(format!("the neighbour isn't ready: {ready:?}"));
        }
        for kind in ["ConfigMap", "Secret"] {
            let stands = self.nearby("v1", kind, &object(kind)).unwrap_or_default();
            let stands = &stands["data"]["content"];
            if *stands != content(kind, revision) {
                return Err(format!(
                    "the neighbour's {kind} has {stands}, not revision {revision}"
                ));
            }
        }
        Ok(())
    }
}

impl Default for Neighbour {
    fn default() -> Self {
        Self {
            revision: 1,
            there: false,
        }
    }
}

/// Its objects have the names of the first stage's.
fn object(kind: &str) -> String {
    let number = if kind == "Secret" { 3 } else { 1 };
    format!("{}-{number}", STAGES[0])
}

/// The data of a Secret is base64.
fn content(kind: &str, revision: u8) -> String {
    let letter = char::from(b'a' + revision);
    if kind == "Secret" {
        "QUFB".replace('B', &letter.to_string())
    } else {
        format!("neighbour@{letter}")
    }
}
