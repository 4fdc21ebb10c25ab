//! What a committed change sets off: the server's own controllers, each through the agenda.

use serde_json::Value;

use crate::{
    clock::Job,
    kinds::StoreKey,
    object,
    rbac::aggregation,
    server::Server,
    store::{Change, ChangeType},
    workloads,
};

/// Puts on the agenda what follows from a change.
pub(crate) fn after(server: &mut Server, table: &StoreKey, change: &Change) {
    let soon = |server: &Server, span| server.now.checked_add(span).unwrap_or(server.now);
    let name = object::name(&change.object).to_owned();
    let deleting = object::is_deleting(&change.object);
    let owned = |object: &Value| !object::owner_references(object).is_empty();
    let garbage = change.kind == ChangeType::Deleted
        || deleting
        || owned(&change.object)
        || change
            .previous
            .as_ref()
            .is_some_and(|previous| owned(previous));
    let uid = object::uid(&change.object);
    if change.kind == ChangeType::Deleted {
        server.waited.remove(uid);
    } else if deleting && object::finalizers(&change.object).contains(&"foregroundDeletion") {
        server.waited.insert(uid.to_owned());
    }
    if garbage && server.controllers {
        let at = soon(server, server.timing.garbage_collection);
        server.agenda.add_once(at, Job::CollectGarbage);
    }
    if server.controllers && table.is("", "namespaces") && change.kind != ChangeType::Deleted {
        let at = soon(server, server.timing.namespace);
        server.agenda.add_once(at, Job::Namespace(name.clone()));
    }
    // What goes lets its namespace go, and what is held by less is counted anew.
    if server.controllers && (change.kind == ChangeType::Deleted || deleting) {
        let namespace = object::namespace(&change.object).to_owned();
        if !namespace.is_empty() && is_terminating(server, &namespace) {
            let at = soon(server, server.timing.namespace);
            server.agenda.add_once(at, Job::Namespace(namespace));
        }
    }
    let namespace = object::namespace(&change.object).to_owned();
    let counted = change.kind == ChangeType::Deleted
        || table.is("", "resourcequotas") && change.kind == ChangeType::Added;
    if server.controllers && counted && has_quota(server, &namespace) {
        let at = soon(server, server.timing.namespace);
        server.agenda.add_once(at, Job::CountQuota(namespace));
    }
    if table.is("apiextensions.k8s.io", "customresourcedefinitions") {
        let at = soon(server, server.timing.crd);
        match change.kind {
            ChangeType::Added => server.agenda.add_once(at, Job::EstablishCrd(name)),
            ChangeType::Modified if deleting => {
                crate::crd::lifecycle::reload(server, &change.object);
                server.agenda.add_once(at, Job::FinalizeCrd(name));
            }
            ChangeType::Modified => {
                crate::crd::lifecycle::reload(server, &change.object);
                server.agenda.add_once(at, Job::EstablishCrd(name));
            }
            // Its names are free.
            ChangeType::Deleted => crate::crd::lifecycle::reconsider(server, &change.object),
        }
    } else if change.kind == ChangeType::Deleted {
        crate::crd::lifecycle::object_gone(server, table);
    }
    if table.is("rbac.authorization.k8s.io", "clusterroles")
        && aggregation::concerns(server, change)
    {
        server.agenda.add_once(server.now, Job::AggregateRoles);
    }
    if change.kind == ChangeType::Deleted {
        workloads::forget(server, object::uid(&change.object));
    } else {
        workloads::schedule(server, table, change);
    }
}

fn has_quota(server: &Server, namespace: &str) -> bool {
    let quotas = StoreKey::new("", "resourcequotas");
    !namespace.is_empty() && server.store.list(&quotas, namespace).next().is_some()
}

fn is_terminating(server: &Server, namespace: &str) -> bool {
    server
        .find(&StoreKey::new("", "namespaces"), "", namespace)
        .is_some_and(|ns| object::is_deleting(ns))
}
