//! Garbage collection by owner references: an object goes when all its owners are gone, a reference
//! goes when its owner is gone and another is left, dependents are let go of by `Orphan`, and
//! `Foreground` waits for those that block.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use crate::{
    kinds::{Resource, StoreKey},
    object::{self, rfc3339},
    server::Server,
    verbs::delete::set_propagation,
};

const ORPHAN: &str = "orphan";
const FOREGROUND: &str = "foregroundDeletion";

struct Found {
    table: StoreKey,
    key: String,
    object: Arc<Value>,
}

impl Found {
    /// What it is by now, if it is still there.
    fn now(&self, server: &Server) -> Option<Arc<Value>> {
        let now = server.store.get(&self.table, &self.key)?;
        (object::uid(now) == object::uid(&self.object)).then(|| Arc::clone(now))
    }
}

/// Whom an object's references name, by uid.
#[derive(Debug, Default)]
struct Owners {
    /// They are there.
    solid: usize,
    /// Nobody of that kind, name and uid is there.
    dangling: Vec<String>,
    /// They go when their dependents are gone.
    waiting: Vec<String>,
}

/// All objects that have owners, or are on their way out.
fn concerned(server: &Server) -> Vec<Found> {
    let mut all = Vec::new();
    for table in server.store.tables() {
        for (key, object) in server.store.list(table, "") {
            if object::owner_references(object).is_empty() && !object::is_deleting(object) {
                continue;
            }
            all.push(Found {
                table: table.clone(),
                key: key.clone(),
                object: Arc::clone(object),
            });
        }
    }
    all
}

fn uid_of(reference: &Value) -> Option<&str> {
    reference.get("uid").and_then(Value::as_str)
}

fn blocks(reference: &Value) -> bool {
    reference.get("blockOwnerDeletion") == Some(&Value::Bool(true))
}

/// One pass; what it changes asks for the next pass.
pub(crate) fn collect(server: &mut Server) {
    let all = concerned(server);
    let mut dependents: BTreeMap<&str, Vec<&Found>> = BTreeMap::new();
    for found in &all {
        for uid in object::owner_references(&found.object)
            .iter()
            .filter_map(uid_of)
        {
            dependents.entry(uid).or_default().push(found);
        }
    }
    let below = |found: &Found| {
        let below = dependents.get(object::uid(&found.object));
        below.map(Vec::as_slice).unwrap_or_default()
    };
    // Dependents come before the owner who waits for them, and may not wait long.
    for found in &all {
        let now = found.now(server).filter(|now| !object::is_deleting(now));
        if let Some(now) = now.filter(|now| !object::owner_references(now).is_empty()) {
            judge(server, found, &now, below(found));
        }
    }
    for found in &all {
        let Some(now) = found.now(server) else {
            continue;
        };
        let (uid, below) = (object::uid(&found.object), below(found));
        if object::is_deleting(&now) {
            let finalizers = object::finalizers(&now);
            if finalizers.contains(&ORPHAN) {
                for dependent in below {
                    release(server, dependent, &[uid.to_owned()]);
                }
                drop_finalizer(server, found, ORPHAN);
            } else if finalizers.contains(&FOREGROUND) && !is_blocked(server, uid, below) {
                drop_finalizer(server, found, FOREGROUND);
            }
        }
    }
}

fn is_blocked(server: &Server, uid: &str, below: &[&Found]) -> bool {
    below.iter().any(|dependent| {
        dependent.now(server).is_some_and(|now| {
            object::owner_references(&now)
                .iter()
                .any(|reference| uid_of(reference) == Some(uid) && blocks(reference))
        })
    })
}

/// What becomes of an object that has owners.
fn judge(server: &mut Server, found: &Found, now: &Value, below: &[&Found]) {
    // Where one owner can't even be looked for nothing is decided.
    let Some(owners) = classify(server, now) else {
        return;
    };
    if owners.solid > 0 {
        let gone: Vec<String> = owners.dangling.into_iter().chain(owners.waiting).collect();
        if !gone.is_empty() {
            release(server, found, &gone);
        }
        return;
    }
    let below: Vec<Arc<Value>> = below.iter().filter_map(|d| d.now(server)).collect();
    if !owners.waiting.is_empty() && !below.is_empty() {
        // It may be a circle in which each waits for the next.
        let waits = |dependent: &Arc<Value>| server.waited.contains(object::uid(dependent));
        if below.iter().any(waits) {
            unblock(server, found);
        }
        remove(server, found, "Foreground");
        return;
    }
    let finalizers = object::finalizers(now);
    let policy = if finalizers.contains(&ORPHAN) {
        "Orphan"
    } else if finalizers.contains(&FOREGROUND) {
        "Foreground"
    } else {
        "Background"
    };
    remove(server, found, policy);
}

/// Looks for the owners; none if one is of an unknown kind, or of a kind that is in namespaces while
/// the object isn't.
fn classify(server: &Server, object: &Value) -> Option<Owners> {
    let mut owners = Owners::default();
    for reference in object::owner_references(object) {
        let text = |field: &str| reference.get(field).and_then(Value::as_str);
        let (group, version) = object::split_api_version(text("apiVersion")?);
        let resource = server.registry.by_kind(group, version, text("kind")?)?;
        let namespace = match (resource.namespaced, object::namespace(object)) {
            (true, "") => return None,
            (true, namespace) => namespace,
            (false, _) => "",
        };
        let uid = uid_of(reference)?;
        let owner = server.find(&resource.store, namespace, text("name")?);
        match owner.filter(|owner| object::uid(owner) == uid) {
            None => owners.dangling.push(uid.to_owned()),
            Some(owner)
                if object::is_deleting(owner)
                    && object::finalizers(owner).contains(&FOREGROUND) =>
            {
                owners.waiting.push(uid.to_owned());
            }
            Some(_) => owners.solid += 1,
        }
    }
    Some(owners)
}

fn resource_of(server: &Server, table: &StoreKey) -> Option<Arc<Resource>> {
    server.registry.any_version(&table.group, &table.plural)
}

/// Changes an object as the collector.
fn change(server: &mut Server, found: &Found, change: impl FnOnce(&mut Value)) {
    let Some(resource) = resource_of(server, &found.table) else {
        return;
    };
    if found.now(server).is_some() {
        let manager = "kube-controller-manager";
        server.control(&resource, &found.key, manager, "", change);
    }
}

/// Takes some owners from an object.
fn release(server: &mut Server, dependent: &Found, owners: &[String]) {
    change(server, dependent, |object| {
        let left: Vec<Value> = object::owner_references(object)
            .iter()
            .filter(|r| !uid_of(r).is_some_and(|uid| owners.iter().any(|gone| gone == uid)))
            .cloned()
            .collect();
        if left.is_empty() {
            object::remove_meta(object, "ownerReferences");
        } else {
            object::set_meta(object, "ownerReferences", left);
        }
    });
}

/// Lets an object block none of its owners.
fn unblock(server: &mut Server, dependent: &Found) {
    change(server, dependent, |object| {
        let mut references = object::owner_references(object).to_vec();
        for reference in references.iter_mut().filter(|r| blocks(r)) {
            object::members(reference).insert("blockOwnerDeletion".into(), json!(false));
        }
        object::set_meta(object, "ownerReferences", references);
    });
}

fn drop_finalizer(server: &mut Server, found: &Found, finalizer: &str) {
    change(server, found, |object| {
        let left: Vec<String> = object::finalizers(object)
            .into_iter()
            .filter(|f| *f != finalizer)
            .map(str::to_owned)
            .collect();
        object::set_finalizers(object, &left);
    });
}

fn remove(server: &mut Server, found: &Found, policy: &str) {
    if let Some(object) = found.now(server) {
        delete(server, &found.table, &found.key, &object, policy);
    }
}

/// Deletes an object as a controller does, by a propagation policy.
pub(crate) fn delete(
    server: &mut Server,
    table: &StoreKey,
    key: &str,
    object: &Arc<Value>,
    policy: &str,
) {
    let mut new = object.as_ref().clone();
    set_propagation(&mut new, Some(policy));
    if object::finalizers(&new).is_empty() {
        server.erase(table, key);
        return;
    }
    if !object::is_deleting(object) {
        object::set_meta(&mut new, "deletionTimestamp", rfc3339(server.now));
        object::set_meta(&mut new, "deletionGracePeriodSeconds", 0);
        if object::generation(&new) > 0 {
            object::set_meta(&mut new, "generation", object::generation(object) + 1);
        }
    }
    if new != **object {
        server.commit(table, new);
    }
}
