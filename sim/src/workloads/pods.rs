//! Pods: bound to a node that isn't there, and removed when their grace is over.

use serde_json::Value;

use crate::{kinds::StoreKey, object, server::Server};

/// The node that all pods run on.
const NODE: &str = "simulated";

/// Schedules a pod.
pub(crate) fn bind(pod: &mut Value) {
    let spec = object::child(pod, "spec");
    spec.entry("nodeName").or_insert_with(|| NODE.into());
}

/// The end of a pod's grace period; finalizers hold it longer.
pub(crate) fn remove(server: &mut Server, key: &str, uid: &str) {
    let table = StoreKey::new("", "pods");
    let Some(pod) = server.store.get(&table, key).cloned() else {
        return;
    };
    if object::uid(&pod) == uid && object::is_deleting(&pod) {
        if object::finalizers(&pod).is_empty() {
            server.erase(&table, key);
        } else {
            let at = server
                .now
                .checked_add(server.timing.pod_termination)
                .unwrap_or(server.now);
            let job = crate::clock::Job::RemovePod {
                key: key.to_owned(),
                uid: uid.to_owned(),
            };
            server.agenda.add_once(at, job);
        }
    }
}
