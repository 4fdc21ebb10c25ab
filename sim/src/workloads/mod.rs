//! Workloads that become ready, stay pending or fail as a script on them says: the work of the
//! deployment, replica-set, job, … controllers and of kubelets, as far as it shows in `status`.
//!
//! The script is the annotation [`script::ANNOTATION`] on the object (for a Job or Deployment on
//! the object itself, not its pods); without one an object is ready after one second. No pods are
//! made for controllers: their counts are set as if there were.

pub(crate) mod pods;
pub(crate) mod script;
mod status;

use crate::{
    clock::Job,
    kinds::StoreKey,
    object,
    server::Server,
    store::{Change, ChangeType},
};

/// Whether objects of a table are simulated.
fn is_workload(table: &StoreKey) -> bool {
    matches!(
        (table.group.as_str(), table.plural.as_str()),
        (
            "apps",
            "deployments" | "statefulsets" | "daemonsets" | "replicasets"
        ) | ("batch", "jobs")
            | (
                "",
                "pods" | "persistentvolumeclaims" | "services" | "replicationcontrollers"
            )
            | ("policy", "poddisruptionbudgets")
    )
}

/// Forgets a workload that is gone.
pub(crate) fn forget(server: &mut Server, uid: &str) {
    server.spec_times.remove(uid);
}

/// Puts on the agenda what a changed workload's controllers will do: see it at once, finish it
/// when the script says.
pub(crate) fn schedule(server: &mut Server, table: &StoreKey, change: &Change) {
    if !server.controllers || !is_workload(table) {
        return;
    }
    let object = &change.object;
    let first = change.kind == ChangeType::Added;
    let spec_changed = change.previous.as_ref().is_none_or(|previous| {
        previous.get("spec") != object.get("spec")
            || object::annotation(previous, script::ANNOTATION)
                != object::annotation(object, script::ANNOTATION)
    });
    // A generation that came of annotations alone is seen too, and nothing is rolled out for it.
    let moved = change
        .previous
        .as_ref()
        .is_some_and(|previous| object::generation(previous) != object::generation(object));
    if !first && !spec_changed && !moved && !object::is_deleting(object) {
        return;
    }
    let key = crate::store::object_key(object::namespace(object), object::name(object));
    let uid = object::uid(object).to_owned();
    if first || spec_changed {
        server.spec_times.insert(uid.clone(), server.now);
    }
    let seen = server.now.checked_add(status::NOTICE).unwrap_or(server.now);
    let job = || Job::Workload {
        table: table.clone(),
        key: key.clone(),
        uid: uid.clone(),
    };
    server.agenda.add(seen, job());
    if let Ok(script) = script::read(object)
        && let Some(delay) = script.delay()
    {
        let at = server.now.checked_add(delay).unwrap_or(server.now);
        server.agenda.add(at.max(seen), job());
    }
}

/// Brings a workload's status to what its script says for this moment.
pub(crate) fn run(server: &mut Server, table: &StoreKey, key: &str, uid: &str) {
    let Some(object) = server.store.get(table, key).cloned() else {
        return;
    };
    if object::uid(&object) != uid {
        return;
    }
    let Some(resource) = server.registry.any_version(&table.group, &table.plural) else {
        return;
    };
    if table.is("", "persistentvolumeclaims") && object::is_deleting(&object) {
        server.control(&resource, key, "kube-controller-manager", "", |claim| {
            let left: Vec<String> = object::finalizers(claim)
                .into_iter()
                .filter(|f| *f != "kubernetes.io/pvc-protection")
                .map(str::to_owned)
                .collect();
            object::set_finalizers(claim, &left);
        });
        return;
    }
    let now = server.now;
    let state = script::state(server, &object);
    let manager = if table.is("", "pods") {
        "kubelet"
    } else {
        "kube-controller-manager"
    };
    if table.is("", "pods") {
        server.control(&resource, key, "kube-scheduler", "", pods::bind);
    }
    server.control(&resource, key, manager, "status", |object| {
        status::set(object, state, now);
    });
}
