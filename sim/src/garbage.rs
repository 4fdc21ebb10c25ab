//! Garbage collection by owner references: an object goes when all its owners are gone (by uid),
//! dependents are let go of by `Orphan`, and `Foreground` waits for those that block.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::Value;

use crate::{
    kinds::{Resource, StoreKey},
    object::{self, rfc3339},
    server::Server,
};

struct Found {
    table: StoreKey,
    key: String,
    object: Arc<Value>,
}

fn everything(server: &Server) -> Vec<Found> {
    let mut all = Vec::new();
    for table in server.store.tables() {
        for (key, object) in server.store.list(table, "") {
            all.push(Found {
                table: table.clone(),
                key: key.clone(),
                object: Arc::clone(object),
            });
        }
    }
    all
}

/// One pass over all objects; what it changes asks for the next pass.
pub(crate) fn collect(server: &mut Server) {
    let all = everything(server);
    let by_uid: BTreeMap<&str, &Found> = all.iter().map(|f| (object::uid(&f.object), f)).collect();
    let mut dependents: BTreeMap<&str, Vec<&Found>> = BTreeMap::new();
    for found in &all {
        for reference in object::owner_references(&found.object) {
            if let Some(uid) = reference.get("uid").and_then(Value::as_str) {
                dependents.entry(uid).or_default().push(found);
            }
        }
    }
    // Owners that are going by `Orphan` or `Foreground`.
    for found in all.iter().filter(|f| object::is_deleting(&f.object)) {
        let uid = object::uid(&found.object);
        let below = dependents.get(uid).map(Vec::as_slice).unwrap_or_default();
        let finalizers = object::finalizers(&found.object);
        if finalizers.contains(&"orphan") {
            for dependent in below {
                release(server, dependent, uid);
            }
            drop_finalizer(server, found, "orphan");
        } else if finalizers.contains(&"foregroundDeletion") {
            let mut blocked = false;
            for dependent in below {
                let blocks = object::owner_references(&dependent.object).iter().any(|r| {
                    r.get("uid").and_then(Value::as_str) == Some(uid)
                        && r.get("blockOwnerDeletion").and_then(Value::as_bool) == Some(true)
                });
                blocked |= blocks;
                remove(server, dependent, true);
            }
            if !blocked {
                drop_finalizer(server, found, "foregroundDeletion");
            }
        }
    }
    // Dependents without any owner left.
    for found in &all {
        let references = object::owner_references(&found.object);
        if references.is_empty() {
            continue;
        }
        let namespace = object::namespace(&found.object);
        let alive: BTreeSet<&str> = references
            .iter()
            .filter_map(|r| r.get("uid").and_then(Value::as_str))
            .filter(|uid| {
                by_uid.get(uid).is_some_and(|owner| {
                    let owner_namespace = object::namespace(&owner.object);
                    owner_namespace.is_empty() || owner_namespace == namespace
                })
            })
            .collect();
        if alive.is_empty() {
            remove(server, found, false);
        }
    }
}

fn resource_of(server: &Server, table: &StoreKey) -> Option<Arc<Resource>> {
    server.registry.any_version(&table.group, &table.plural)
}

fn release(server: &mut Server, dependent: &Found, owner: &str) {
    let Some(resource) = resource_of(server, &dependent.table) else {
        return;
    };
    server.control(
        &resource,
        &dependent.key,
        "kube-controller-manager",
        "",
        |object| {
            let left: Vec<Value> = object::owner_references(object)
                .iter()
                .filter(|r| r.get("uid").and_then(Value::as_str) != Some(owner))
                .cloned()
                .collect();
            if left.is_empty() {
                object::remove_meta(object, "ownerReferences");
            } else {
                object::set_meta(object, "ownerReferences", left);
            }
        },
    );
}

fn drop_finalizer(server: &mut Server, found: &Found, finalizer: &str) {
    let Some(resource) = resource_of(server, &found.table) else {
        return;
    };
    server.control(
        &resource,
        &found.key,
        "kube-controller-manager",
        "",
        |object| {
            let left: Vec<String> = object::finalizers(object)
                .into_iter()
                .filter(|f| *f != finalizer)
                .map(str::to_owned)
                .collect();
            object::set_finalizers(object, &left);
        },
    );
}

fn remove(server: &mut Server, found: &Found, foreground: bool) {
    let Some(object) = server.store.get(&found.table, &found.key).cloned() else {
        return;
    };
    if object::uid(&object) != object::uid(&found.object) || object::is_deleting(&object) {
        return;
    }
    let has_dependents = foreground
        && server.store.tables().any(|table| {
            server.store.list(table, "").any(|(_, other)| {
                object::owner_references(other)
                    .iter()
                    .any(|r| r.get("uid").and_then(Value::as_str) == Some(object::uid(&object)))
            })
        });
    if object::finalizers(&object).is_empty() && !has_dependents {
        server.erase(&found.table, &found.key);
        return;
    }
    let mut new = object.as_ref().clone();
    if has_dependents {
        let mut finalizers: Vec<String> = object::finalizers(&new)
            .into_iter()
            .map(str::to_owned)
            .collect();
        finalizers.push("foregroundDeletion".into());
        object::set_finalizers(&mut new, &finalizers);
    }
    object::set_meta(&mut new, "deletionTimestamp", rfc3339(server.now));
    object::set_meta(&mut new, "deletionGracePeriodSeconds", 0);
    if object::generation(&new) > 0 {
        object::set_meta(&mut new, "generation", object::generation(&object) + 1);
    }
    server.commit(&found.table, new);
}
