//! What stands in the clusters of every run before anything of its own does. It is made once by each
//! thread, and every run gets a fork: definitions take longer to establish than a run takes.

use std::cell::OnceCell;

use serde_json::{Value, json};
use stageset_sim::{HelperError, Recording, SimulatedCluster, Step};

use super::START;
use crate::setup::NAMESPACE;

/// What recordings call the cluster of the controller.
const AT_HOME: &str = "home";
/// What they call the remote one.
const REMOTE: &str = "abroad";

/// A cluster, and how it came to stand as it does.
struct Prototype {
    cluster: SimulatedCluster,
    history: Vec<Step>,
}

thread_local! {
    static HOME: OnceCell<Prototype> = const { OnceCell::new() };
    static ABROAD: OnceCell<Prototype> = const { OnceCell::new() };
}

/// The cluster of the controller: with our definitions, and that of a source.
pub(super) fn home(
    seed: u64,
    recording: Option<&Recording>,
) -> Result<SimulatedCluster, HelperError> {
    HOME.with(|made| {
        let made = prototype(made, 1, AT_HOME, |cluster| {
            for definition in stageset_api::crd::definitions() {
                cluster.load_yaml(&definition.definition.to_string())?;
            }
            let source = loose_definition("ExternalArtifact", "externalartifacts");
            cluster.load_yaml(&source.to_string())
        })?;
        Ok(fork(made, seed, AT_HOME, recording))
    })
}

/// A cluster that knows nothing of us.
pub(super) fn abroad(
    seed: u64,
    recording: Option<&Recording>,
) -> Result<SimulatedCluster, HelperError> {
    ABROAD.with(|made| {
        let made = prototype(made, 2, REMOTE, |_| Ok(()))?;
        Ok(fork(made, seed, REMOTE, recording))
    })
}

/// `own` tells the uids of what stands in one of them from those in the other.
fn prototype<'a>(
    made: &'a OnceCell<Prototype>,
    own: u64,
    name: &str,
    make: impl FnOnce(&SimulatedCluster) -> Result<(), HelperError>,
) -> Result<&'a Prototype, HelperError> {
    if let Some(made) = made.get() {
        return Ok(made);
    }
    let start = START.parse().unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let cluster = SimulatedCluster::new(start, own);
    let recording = Recording::new();
    cluster.record_standing(name, &recording);
    cluster.record(name, &recording);
    make(&cluster)?;
    cluster.apply_yaml_value(&json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE },
    }))?;
    let history = recording.steps();
    Ok(made.get_or_init(|| Prototype { cluster, history }))
}

fn fork(
    made: &Prototype,
    seed: u64,
    name: &str,
    recording: Option<&Recording>,
) -> SimulatedCluster {
    let cluster = made.cluster.fork(seed);
    if let Some(recording) = recording {
        recording.extend(made.history.clone());
        cluster.record(name, recording);
    }
    cluster
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
