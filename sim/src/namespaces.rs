//! A namespace's life: its label, its `default` account, and its end, which takes everything in it.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use crate::{
    kinds::StoreKey,
    object::{self, rfc3339},
    server::Server,
    status::ApiError,
};

/// Namespaces that can't be deleted.
const IMMORTAL: [&str; 3] = ["default", "kube-public", "kube-system"];

fn table() -> StoreKey {
    StoreKey::new("", "namespaces")
}

/// Asks for a namespace's end.
pub(crate) fn delete(
    server: &mut Server,
    old: &Arc<Value>,
    propagate: impl FnOnce(&mut Value),
    dry_run: bool,
) -> Result<(Arc<Value>, bool), ApiError> {
    let name = object::name(old).to_owned();
    if IMMORTAL.contains(&name.as_str()) {
        let why = "this namespace may not be deleted";
        return Err(ApiError::forbidden("namespaces", "", &name, why));
    }
    let mut new = old.as_ref().clone();
    if !object::is_deleting(old) {
        object::set_meta(&mut new, "deletionTimestamp", rfc3339(server.now));
        propagate(&mut new);
    }
    object::child(&mut new, "status").insert("phase".into(), "Terminating".into());
    if dry_run || new == **old {
        return Ok((Arc::new(new), false));
    }
    Ok((server.commit(&table(), new), false))
}

/// The next step in a namespace's life.
pub(crate) fn step(server: &mut Server, name: &str) {
    let Some(namespace) = server.find(&table(), "", name).cloned() else {
        return;
    };
    if object::is_deleting(&namespace) {
        terminate(server, name, &namespace);
        return;
    }
    let accounts = StoreKey::new("", "serviceaccounts");
    if server.find(&accounts, name, "default").is_none() {
        server.plant(json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": { "name": "default", "namespace": name },
        }));
    }
    let maps = StoreKey::new("", "configmaps");
    if server.find(&maps, name, "kube-root-ca.crt").is_none() {
        server.plant(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": "kube-root-ca.crt", "namespace": name,
                "annotations": {
                    "kubernetes.io/description": "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters."
                }
            },
            "data": { "ca.crt": "simulated" },
        }));
    }
}

/// What is left in a namespace although it was deleted.
#[derive(Debug, Default)]
struct Left {
    /// How many objects of which kind, by `PLURAL.GROUP`.
    objects: BTreeMap<String, usize>,
    /// How many of them each finalizer holds.
    finalizers: BTreeMap<String, usize>,
}

impl Left {
    fn count(&mut self, server: &Server, table: &StoreKey, namespace: &str) {
        for (_, object) in server.store.list(table, namespace) {
            let kind = format!("{}.{}", table.plural, table.group);
            *self.objects.entry(kind).or_default() += 1;
            for finalizer in object::finalizers(object) {
                *self.finalizers.entry(finalizer.to_owned()).or_default() += 1;
            }
        }
    }
}

fn terminate(server: &mut Server, name: &str, namespace: &Value) {
    if spec_finalizers(namespace).is_empty() {
        finalize(server, name);
        return;
    }
    let mut left = Left::default();
    let pods = StoreKey::new("", "pods");
    empty(server, &pods, name);
    left.count(server, &pods, name);
    if !left.objects.is_empty() {
        // Nothing else goes before the pods are gone, and nothing is said of it.
        conclude(server, name, &Left::default());
        return;
    }
    let tables: Vec<StoreKey> = server.store.tables().cloned().collect();
    for table in &tables {
        let resource = server.registry.any_version(&table.group, &table.plural);
        if resource.is_some_and(|resource| resource.namespaced) {
            empty(server, table, name);
            left.count(server, table, name);
        }
    }
    conclude(server, name, &left);
    if left.objects.is_empty() {
        finalize(server, name);
    }
}

pub(crate) fn spec_finalizers(namespace: &Value) -> Vec<&str> {
    let finalizers = namespace.pointer("/spec/finalizers");
    let finalizers = finalizers.and_then(Value::as_array).into_iter().flatten();
    finalizers.filter_map(Value::as_str).collect()
}

/// Takes its own finalizer from a namespace in which nothing is left, and the namespace with its last
/// one.
fn finalize(server: &mut Server, name: &str) {
    let Some(namespace) = server.find(&table(), "", name).cloned() else {
        return;
    };
    let others: Vec<&str> = spec_finalizers(&namespace)
        .into_iter()
        .filter(|finalizer| *finalizer != "kubernetes")
        .collect();
    if others.is_empty() && object::finalizers(&namespace).is_empty() {
        server.erase(&table(), name);
        return;
    }
    let mut new = namespace.as_ref().clone();
    let spec = object::child(&mut new, "spec");
    if others.is_empty() {
        spec.remove("finalizers");
    } else {
        spec.insert("finalizers".into(), json!(others));
    }
    if new != *namespace {
        server.commit(&table(), new);
    }
}

/// Deletes all objects of a kind in a namespace.
fn empty(server: &mut Server, table: &StoreKey, namespace: &str) {
    let objects: Vec<(String, Arc<Value>)> = server
        .store
        .list(table, namespace)
        .map(|(key, object)| (key.clone(), Arc::clone(object)))
        .collect();
    for (key, object) in objects {
        crate::garbage::delete(server, table, &key, &object, "Background");
    }
}

/// Says in the namespace's status what is left.
fn conclude(server: &mut Server, name: &str, left: &Left) {
    let Some(resource) = server.registry.any_version("", "namespaces") else {
        return;
    };
    let listed = |counts: &BTreeMap<String, usize>, words: &str| {
        let counts = counts.iter();
        let listed: Vec<String> = counts
            .map(|(what, count)| format!("{what} {words} {count} resource instances"))
            .collect();
        listed.join(", ")
    };
    let remaining = (!left.objects.is_empty()).then(|| {
        let listed = listed(&left.objects, "has");
        (
            "SomeResourcesRemain",
            format!("Some resources are remaining: {listed}"),
        )
    });
    let held = (!left.finalizers.is_empty()).then(|| {
        let listed = listed(&left.finalizers, "in");
        let message = format!("Some content in the namespace has finalizers remaining: {listed}");
        ("SomeFinalizersRemain", message)
    });
    let conditions = [
        (
            "NamespaceDeletionDiscoveryFailure",
            None,
            (
                "ResourcesDiscovered",
                "All resources successfully discovered",
            ),
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            None,
            (
                "ParsedGroupVersions",
                "All legacy kube types successfully parsed",
            ),
        ),
        (
            "NamespaceDeletionContentFailure",
            None,
            (
                "ContentDeleted",
                "All content successfully deleted, may be waiting on finalization",
            ),
        ),
        (
            "NamespaceContentRemaining",
            remaining,
            ("ContentRemoved", "All content successfully removed"),
        ),
        (
            "NamespaceFinalizersRemaining",
            held,
            (
                "ContentHasNoFinalizers",
                "All content-preserving finalizers finished",
            ),
        ),
    ];
    let at = server.now;
    server.control(&resource, name, "kube-controller-manager", "status", |ns| {
        for (kind, bad, (reason, message)) in conditions {
            let condition = match bad {
                Some((reason, message)) => {
                    json!({ "type": kind, "status": "True", "reason": reason, "message": message })
                }
                None => {
                    json!({ "type": kind, "status": "False", "reason": reason, "message": message })
                }
            };
            object::set_condition(ns, condition, at);
        }
    });
}
