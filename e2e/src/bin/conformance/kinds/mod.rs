//! Random objects of the kinds in common use, small enough that their fields collide all the time.
//!
//! | Kinds | File |
//! |---|---|
//! | ConfigMap, Secret, Service, ServiceAccount, Pod, claims, Namespace | `core` |
//! | Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob and their pods | `workloads` |
//! | NetworkPolicy, Ingress, disruption budget, autoscaler, classes, Lease | `policies` |
//! | roles and bindings | `rights` |
//! | the two custom resources and their definitions | `custom` |

pub(crate) mod core;
pub(crate) mod custom;
pub(crate) mod policies;
pub(crate) mod rights;
pub(crate) mod workloads;

use serde_json::{Map, Value, json};

use crate::random::Random;

/// A kind that the generator writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) api_version: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) namespaced: bool,
    /// Adds to an object all but its metadata.
    pub(crate) fill: fn(&mut Value, &mut Random),
    /// A value for the status subresource, if there is one.
    pub(crate) status: Option<fn(&mut Random) -> Value>,
    /// Fields beside name and namespace that it can be selected by.
    pub(crate) selectable: &'static [&'static str],
    /// A custom resource, which knows no strategic merge patch.
    pub(crate) custom: bool,
}

/// A namespaced kind without a status.
pub(crate) const fn plain(
    name: &'static str,
    api_version: &'static str,
    plural: &'static str,
    fill: fn(&mut Value, &mut Random),
) -> Kind {
    Kind {
        name,
        api_version,
        plural,
        namespaced: true,
        fill,
        status: None,
        selectable: &[],
        custom: false,
    }
}

/// All kinds. Those that operators write most stand there more than once.
pub(crate) const KINDS: &[Kind] = &[
    core::CONFIG_MAP,
    core::CONFIG_MAP,
    core::SECRET,
    core::SERVICE,
    core::SERVICE,
    core::SERVICE_ACCOUNT,
    core::POD,
    core::CLAIM,
    core::NAMESPACE,
    workloads::DEPLOYMENT,
    workloads::DEPLOYMENT,
    workloads::STATEFUL_SET,
    workloads::DAEMON_SET,
    workloads::REPLICA_SET,
    workloads::JOB,
    workloads::CRON_JOB,
    policies::NETWORK_POLICY,
    policies::INGRESS,
    policies::DISRUPTION_BUDGET,
    policies::AUTOSCALER,
    policies::LEASE,
    policies::PRIORITY_CLASS,
    policies::STORAGE_CLASS,
    rights::ROLE,
    rights::ROLE_BINDING,
    rights::CLUSTER_ROLE,
    rights::CLUSTER_ROLE_BINDING,
    custom::WIDGET,
    custom::WIDGET,
    custom::GADGET,
];

/// The kinds on which server-side apply is tried alone.
pub(crate) const APPLIED: &[Kind] = &[
    core::CONFIG_MAP,
    core::SERVICE,
    workloads::DEPLOYMENT,
    custom::WIDGET,
];

impl Kind {
    /// The path of the collection; in a namespace if the kind has them.
    pub(crate) fn collection(&self, namespace: &str) -> String {
        if self.namespaced {
            format!("{}/namespaces/{namespace}/{}", self.root(), self.plural)
        } else {
            self.everywhere()
        }
    }

    /// The path of all objects of the kind.
    pub(crate) fn everywhere(&self) -> String {
        format!("{}/{}", self.root(), self.plural)
    }

    fn root(&self) -> String {
        if self.api_version.contains('/') {
            format!("/apis/{}", self.api_version)
        } else {
            format!("/api/{}", self.api_version)
        }
    }

    /// An object of that kind. A tenth has nothing but its metadata.
    pub(crate) fn object(&self, name: &str, random: &mut Random) -> Value {
        let mut object = json!({
            "apiVersion": self.api_version,
            "kind": self.name,
            "metadata": metadata(name, random),
        });
        if !random.percent(10) {
            (self.fill)(&mut object, random);
        }
        object
    }
}

fn metadata(name: &str, random: &mut Random) -> Value {
    let mut meta = json!({ "name": name });
    if random.percent(40) {
        meta["labels"] = texts(&["a", "b", "c"], random);
    }
    if random.percent(30) {
        meta["annotations"] = texts(&["a", "b", "c"], random);
    }
    if random.percent(4) {
        meta["finalizers"] = json!(random.some(&["example.com/x", "example.com/y"]));
    }
    if random.percent(2) {
        meta["labels"] =
            json!({ random.pick(&["-a", "a/b/c", "ok"]): random.pick(&["v!", "-", ""]) });
    }
    if random.percent(2) {
        meta["ownerReferences"] = json!([{
            "apiVersion": "v1", "kind": "ConfigMap", "name": "owner",
            "uid": random.pick(&["00000000-0000-0000-0000-000000000001", ""]),
            "blockOwnerDeletion": true,
        }]);
    }
    meta
}

/// A map with some of the keys and small texts.
pub(crate) fn texts(keys: &[&'static str], random: &mut Random) -> Value {
    let keys = random.some(keys);
    map(keys, |_| json!(random.pick(&["1", "2", "3"])))
}

/// A map with a value for each key.
pub(crate) fn map(keys: Vec<&'static str>, mut value: impl FnMut(&str) -> Value) -> Value {
    let fields: Map<String, Value> = keys
        .into_iter()
        .map(|key| (key.to_owned(), value(key)))
        .collect();
    Value::Object(fields)
}

/// Conditions as statuses have them.
pub(crate) fn conditions(random: &mut Random) -> Value {
    random
        .some(&["Ready", "Progressing"])
        .into_iter()
        .map(|kind| {
            json!({
                "type": kind, "status": random.pick(&["True", "False", "Unknown"]),
                "reason": "Because", "message": random.pick(&["", "so"]),
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            })
        })
        .collect()
}
