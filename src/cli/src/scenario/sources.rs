//! The source objects of a scenario: those written out in `stagesets/`, and those made because a
//! StageSet names them and a folder of artifacts has that name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use super::{Manifest, Revisions, ScenarioError};

const GROUP: &str = "source.toolkit.fluxcd.io";
const FLUX: &str = "source.toolkit.fluxcd.io/v1";
/// Kinds that carry their artifact themselves.
const DIRECT: [&str; 4] = [
    "ExternalArtifact",
    "GitRepository",
    "OCIRepository",
    "Bucket",
];

/// A source object and the folder it offers.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceObject {
    /// The object without status.
    pub manifest: Manifest,
    /// Name of its folder below `artifacts/`.
    pub artifacts: String,
}

pub(super) fn is_stage_set(body: &Value) -> bool {
    body["kind"] == "StageSet"
        && body["apiVersion"]
            .as_str()
            .is_some_and(|v| v.starts_with("stages.metio.wtf/"))
}

fn is_source(body: &Value) -> bool {
    let group = body["apiVersion"]
        .as_str()
        .and_then(|v| v.split_once('/'))
        .map(|(g, _)| g);
    group == Some(GROUP)
        && body["kind"]
            .as_str()
            .is_some_and(|kind| DIRECT.contains(&kind))
}

/// What tells sources apart: kind, namespace, name.
type Key = (String, String, String);

/// The sources that the simulation has to make, and what each offers.
///
/// # Errors
/// For manifests that are neither StageSet nor source, and for artifacts that nobody refers to.
pub(super) fn of(
    stage_sets: &[Manifest],
    written: Vec<Manifest>,
    artifacts: &BTreeMap<String, Revisions>,
    directory: &Path,
) -> Result<Vec<SourceObject>, ScenarioError> {
    let mut sources: BTreeMap<Key, SourceObject> = BTreeMap::new();
    for manifest in written {
        let object = manifest.object();
        if !is_source(&manifest.body) {
            return Err(ScenarioError::Manifest(format!(
                "{}: {object} is neither a StageSet nor a Flux source; other objects belong in \
                 cluster/",
                manifest.origin
            )));
        }
        let name = object.name.clone();
        let key = (
            object.kind,
            object.namespace.unwrap_or_default(),
            object.name,
        );
        sources.insert(
            key,
            SourceObject {
                manifest,
                artifacts: name,
            },
        );
    }
    for (key, manifest) in stage_sets.iter().flat_map(named_sources) {
        if artifacts.contains_key(&key.2) {
            sources.entry(key.clone()).or_insert_with(|| SourceObject {
                manifest,
                artifacts: key.2,
            });
        }
    }
    let offered: BTreeSet<&str> = sources.values().map(|s| s.artifacts.as_str()).collect();
    if let Some(unused) = artifacts
        .keys()
        .find(|name| !offered.contains(name.as_str()))
    {
        return Err(ScenarioError::Path {
            path: directory
                .join("artifacts")
                .join(unused)
                .display()
                .to_string(),
            message:
                "is offered by no source: no stage and no action has a sourceRef with this name"
                    .to_owned(),
        });
    }
    Ok(sources.into_values().collect())
}

/// The `sourceRef`s of a stage: its own, and those of its actions.
fn references(stage: &Value) -> impl Iterator<Item = &Value> {
    let actions = ["pre", "post", "onFailure"]
        .into_iter()
        .filter_map(|phase| stage["actions"][phase].as_array())
        .flatten()
        .flat_map(|action| [&action["job"]["sourceRef"], &action["apply"]["sourceRef"]]);
    std::iter::once(&stage["sourceRef"]).chain(actions)
}

/// The objects that the stages' `sourceRef`s name, with the defaults of the API filled in. Whatever
/// has the wrong shape is left to the controller, whose answer is what people want to see.
fn named_sources(stage_set: &Manifest) -> Vec<(Key, Manifest)> {
    let body = &stage_set.body;
    let own_namespace = body["metadata"]["namespace"].as_str().unwrap_or_default();
    let stages = body["spec"]["stages"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    stages
        .iter()
        .flat_map(references)
        .filter_map(|reference| {
            let text = |field: &str| reference[field].as_str().filter(|text| !text.is_empty());
            let name = text("name")?;
            let kind = text("kind").unwrap_or("ExternalArtifact");
            let api_version = text("apiVersion").unwrap_or(FLUX);
            let namespace = text("namespace").unwrap_or(own_namespace);
            let direct = api_version.starts_with(GROUP) && DIRECT.contains(&kind);
            let spec = match (direct, kind) {
                (true, "ExternalArtifact") => json!({}),
                (true, _) => json!({"url": "https://git.example/simulated", "interval": "1m"}),
                // A producer: what it made is an ExternalArtifact that points back at it.
                (false, _) => json!({"sourceRef": {
                    "apiVersion": api_version,
                    "kind": kind,
                    "namespace": namespace,
                    "name": name,
                }}),
            };
            let (api_version, kind) = if direct {
                (api_version, kind)
            } else {
                (FLUX, "ExternalArtifact")
            };
            let manifest = Manifest {
                origin: stage_set.origin.clone(),
                body: json!({
                    "apiVersion": api_version,
                    "kind": kind,
                    "metadata": {"namespace": namespace, "name": name},
                    "spec": spec,
                }),
            };
            Some((
                (kind.to_owned(), namespace.to_owned(), name.to_owned()),
                manifest,
            ))
        })
        .collect()
}
