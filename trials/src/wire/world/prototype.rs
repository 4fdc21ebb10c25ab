//! What stands in the clusters of every run before anything of its own does. It is made once by each
//! thread, and every run gets a fork: definitions take longer to establish than a run takes.

use std::cell::OnceCell;

use serde_json::{Value, json};
use stageset_sim::{HelperError, SimulatedCluster};

use super::START;
use crate::setup::NAMESPACE;

thread_local! {
    static HOME: OnceCell<SimulatedCluster> = const { OnceCell::new() };
    static ABROAD: OnceCell<SimulatedCluster> = const { OnceCell::new() };
}

/// The cluster of the controller: with our definitions, and that of a source.
pub(super) fn home(seed: u64) -> Result<SimulatedCluster, HelperError> {
    HOME.with(|made| {
        fork(made, seed, 1, |cluster| {
            for definition in stageset_api::crd::definitions() {
                cluster.load_yaml(&definition.definition.to_string())?;
            }
            let source = loose_definition("ExternalArtifact", "externalartifacts");
            cluster.load_yaml(&source.to_string())
        })
    })
}

/// A cluster that knows nothing of us.
pub(super) fn abroad(seed: u64) -> Result<SimulatedCluster, HelperError> {
    ABROAD.with(|made| fork(made, seed, 2, |_| Ok(())))
}

/// `own` tells the uids of what stands in one of them from those in the other.
fn fork(
    made: &OnceCell<SimulatedCluster>,
    seed: u64,
    own: u64,
    make: impl FnOnce(&SimulatedCluster) -> Result<(), HelperError>,
) -> Result<SimulatedCluster, HelperError> {
    if let Some(cluster) = made.get() {
        return Ok(cluster.fork(seed));
    }
    let start = START.parse().unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let cluster = SimulatedCluster::new(start, own);
    make(&cluster)?;
    cluster.apply_yaml_value(&json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE },
    }))?;
    Ok(made.get_or_init(|| cluster).fork(seed))
}

fn loose_definition(kind: &str, plural: &str) -> Value {
    let open = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{plural}.source.toolkit.fluxcd.io") },
        "spec": {
            "group": "source.toolkit.fluxcd.io", "scope": "Namespaced",
            "names": {
                "kind": kind, "plural": plural, "singular": kind.to_lowercase(),
                "listKind": format!("{kind}List"),
            },
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": { "status": {} },
                "schema": { "openAPIV3Schema": {
                    "type": "object", "properties": { "spec": open, "status": open },
                }},
            }],
        },
    })
}
