//! A namespace's life: its label, its `default` account, and its end, which takes everything in it.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    kinds::{Resource, StoreKey},
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

fn terminate(server: &mut Server, name: &str, namespace: &Value) {
    let tables: Vec<StoreKey> = server.store.tables().cloned().collect();
    let mut left = 0;
    for table in &tables {
        let Some(resource) = server.registry.any_version(&table.group, &table.plural) else {
            continue;
        };
        if !resource.namespaced {
            continue;
        }
        let keys: Vec<String> = server
            .store
            .list(table, name)
            .map(|(k, _)| k.clone())
            .collect();
        for key in keys {
            mark_or_erase(server, &resource, table, &key);
        }
        left += server.store.list(table, name).count();
    }
    let kubernetes = namespace
        .pointer("/spec/finalizers")
        .and_then(Value::as_array);
    let holds = kubernetes.is_some_and(|f| f.iter().any(|f| f == "kubernetes"));
    let others = kubernetes.is_some_and(|f| f.iter().any(|f| f != "kubernetes"));
    let at = server.now;
    if left > 0 {
        let Some(resource) = server.registry.any_version("", "namespaces") else {
            return;
        };
        server.control(&resource, name, "kube-controller-manager", "status", |ns| {
            let condition = json!({
                "type": "NamespaceFinalizersRemaining", "status": "True",
                "reason": "SomeFinalizersRemain",
                "message": format!("Some content in the namespace has finalizers remaining: {left} objects"),
            });
            object::set_condition(ns, condition, at);
        });
        return;
    }
    let mut new = namespace.clone();
    if holds {
        let spec = object::child(&mut new, "spec");
        if others {
            if let Some(Value::Array(list)) = spec.get_mut("finalizers") {
                list.retain(|f| f != "kubernetes");
            }
            server.commit(&table(), new);
            return;
        }
        spec.remove("finalizers");
    } else if others {
        return;
    }
    if object::finalizers(namespace).is_empty() {
        server.erase(&table(), name);
    } else if new != *namespace {
        server.commit(&table(), new);
    }
}

/// Deletes one object of a dying namespace, or marks it when somebody's finalizer holds it.
fn mark_or_erase(server: &mut Server, resource: &Resource, table: &StoreKey, key: &str) {
    let Some(object) = server.store.get(table, key).cloned() else {
        return;
    };
    if object::finalizers(&object).is_empty() {
        server.erase(table, key);
    } else if !object::is_deleting(&object) {
        let mut new = object.as_ref().clone();
        object::set_meta(&mut new, "deletionTimestamp", rfc3339(server.now));
        object::set_meta(&mut new, "deletionGracePeriodSeconds", 0);
        if resource.generation {
            object::set_meta(&mut new, "generation", object::generation(&object) + 1);
        }
        server.commit(table, new);
    }
}
