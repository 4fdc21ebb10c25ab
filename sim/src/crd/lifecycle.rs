//! From a CustomResourceDefinition to served resources, and back.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{CustomVersion, GROUP, PLURAL, conversion, names, schema::Schema};
use crate::{
    clock::Job,
    kinds::{Origin, Resource, StoreKey},
    object::{self, rfc3339},
    server::Server,
    status::ApiError,
};

fn table() -> StoreKey {
    StoreKey::new(GROUP, PLURAL)
}

pub(super) fn text<'a>(crd: &'a Value, path: &str) -> &'a str {
    crd.pointer(path)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

pub(super) fn versions(crd: &Value) -> &[Value] {
    crd.pointer("/spec/versions")
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Remembers in which version objects are stored from now on.
pub(crate) fn remember_storage(crd: &mut Value) {
    let now = storage_version(crd);
    let stored = object::child(crd, "status")
        .entry("storedVersions")
        .or_insert_with(|| json!([]));
    if let Value::Array(stored) = stored {
        stored.extend(
            now.into_iter()
                .take(1)
                .filter(|version| !stored.contains(version))
                .collect::<Vec<_>>(),
        );
    }
}

/// Accepts the names that nobody else has, and serves the versions once all are accepted.
pub(crate) fn establish(server: &mut Server, name: &str) {
    let Some(crd) = server.find(&table(), "", name).cloned() else {
        return;
    };
    let Some(resource) = server.registry.any_version(GROUP, PLURAL) else {
        return;
    };
    let at = server.now;
    // A definition is large: only its status is copied, and written where it changed.
    let before = crd.get("status").cloned().unwrap_or_default();
    let mut new = json!({ "status": before });
    if crd.pointer("/spec/names") != crd.pointer("/status/acceptedNames") {
        let (accepted, condition) = names::accept(server, &crd);
        let good = condition["status"] == "True";
        object::child(&mut new, "status").insert("acceptedNames".into(), accepted);
        object::set_condition(&mut new, condition, at);
        if !good && !has_condition(&new, "Established") {
            let condition = json!({
                "type": "Established", "status": "False", "reason": "NotAccepted",
                "message": "not all names are accepted",
            });
            object::set_condition(&mut new, condition, at);
        }
    }
    if is_condition(&new, "NamesAccepted") && !is_condition(&new, "Established") {
        let condition = json!({
            "type": "Established", "status": "True", "reason": "InitialNamesAccepted",
            "message": "the initial names have been accepted",
        });
        object::set_condition(&mut new, condition, at);
    }
    if crd.get("status") == new.get("status") {
        return;
    }
    let renamed = crd.pointer("/status/acceptedNames") != new.pointer("/status/acceptedNames");
    let status = new["status"].take();
    server.control(&resource, name, "kube-apiserver", "status", |crd| {
        object::members(crd).insert("status".into(), status);
    });
    if renamed {
        reconsider(server, &crd);
    }
}

/// Lets the other definitions of a group try for the names that this one has or had.
pub(crate) fn reconsider(server: &mut Server, crd: &Value) {
    let group = text(crd, "/spec/group");
    let others: Vec<String> = server
        .store
        .list(&table(), "")
        .filter(|(_, other)| text(other, "/spec/group") == group)
        .map(|(_, other)| object::name(other).to_owned())
        .filter(|name| name != object::name(crd))
        .collect();
    let at = server
        .now
        .checked_add(server.timing.crd)
        .unwrap_or(server.now);
    for name in others {
        server.agenda.add_once(at, Job::EstablishCrd(name));
    }
}

fn has_condition(crd: &Value, kind: &str) -> bool {
    condition(crd, kind).is_some()
}

pub(super) fn is_condition(crd: &Value, kind: &str) -> bool {
    condition(crd, kind).is_some_and(|condition| condition["status"] == "True")
}

fn condition<'a>(crd: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = crd.pointer("/status/conditions")?.as_array()?;
    conditions
        .iter()
        .find(|condition| condition["type"] == kind)
}

/// Refuses new objects of a kind whose definition goes.
pub(crate) fn check_open(server: &Server, resource: &Resource, name: &str) -> Result<(), ApiError> {
    let definition = format!("{}.{}", resource.plural, resource.group);
    let going = resource.custom().is_some()
        && server
            .find(&table(), "", &definition)
            .is_some_and(|crd| is_condition(crd, "Terminating"));
    if going {
        let why = "create not allowed while custom resource definition is terminating";
        return Err(ApiError::forbidden(
            &resource.plural,
            &resource.group,
            name,
            why,
        ));
    }
    Ok(())
}

/// The status of a definition that nobody has looked at yet.
pub(crate) fn first_status(crd: &mut Value) {
    let stored = storage_version(crd);
    object::members(crd).insert(
        "status".into(),
        json!({
            "acceptedNames": { "kind": "", "plural": "" },
            "conditions": null,
            "storedVersions": stored,
        }),
    );
}

fn storage_version(crd: &Value) -> Vec<Value> {
    crd.pointer("/spec/versions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|v| v.get("storage") == Some(&Value::Bool(true)))
        .filter_map(|v| v.get("name").cloned())
        .take(1)
        .collect()
}

/// Asks for a definition's end: its objects go first.
pub(crate) fn delete(server: &mut Server, old: &Arc<Value>, dry_run: bool) -> (Arc<Value>, bool) {
    let mut new = old.as_ref().clone();
    if !object::is_deleting(old) {
        object::set_meta(&mut new, "deletionTimestamp", rfc3339(server.now));
        let mut finalizers: Vec<String> = object::finalizers(&new)
            .into_iter()
            .map(str::to_owned)
            .collect();
        if !finalizers.iter().any(|f| f == FINALIZER) {
            finalizers.push(FINALIZER.to_owned());
        }
        object::set_finalizers(&mut new, &finalizers);
        let condition = json!({
            "type": "Terminating", "status": "True", "reason": "InstanceDeletionPending",
            "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
        });
        object::set_condition(&mut new, condition, server.now);
    }
    if dry_run || new == **old {
        return (Arc::new(new), false);
    }
    (server.commit(&table(), new), false)
}

/// Serves a changed CRD's versions anew, if it was established.
pub(crate) fn reload(server: &mut Server, crd: &Arc<Value>) {
    if is_condition(crd, "Established") {
        serve(server, crd);
    }
}

fn serve(server: &mut Server, crd: &Value) {
    let names = crd
        .pointer("/status/acceptedNames")
        .cloned()
        .unwrap_or_default();
    let name = |field: &str| {
        names
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let list = |field: &str| -> Vec<String> {
        names
            .get(field)
            .and_then(Value::as_array)
            .map(|l| {
                l.iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect()
            })
            .unwrap_or_default()
    };
    let group = text(crd, "/spec/group").to_owned();
    let plural = name("plural");
    server.registry.remove_custom(&group, &plural);
    let read = stored_in(crd, &group);
    // Of what goes nothing more is made.
    let verbs: &[&str] = if is_condition(crd, "Terminating") {
        &["delete", "deletecollection", "get", "list", "watch"]
    } else {
        &[
            "delete",
            "deletecollection",
            "get",
            "list",
            "patch",
            "create",
            "update",
            "watch",
        ]
    };
    for version in versions(crd) {
        if version.get("served") != Some(&Value::Bool(true)) {
            continue;
        }
        server
            .registry
            .document(&group, text(version, "/name"), object::name(crd));
        let empty = json!({});
        let schema = Schema::read(version.pointer("/schema/openAPIV3Schema").unwrap_or(&empty));
        let custom = CustomVersion {
            list_kind: name("listKind"),
            merge_type: schema.root_type(),
            schema,
            versions: read.clone(),
        };
        let mut subresources = Vec::new();
        if version.pointer("/subresources/scale").is_some() {
            subresources.push("scale".to_owned());
        }
        server.registry.insert(Resource {
            group: group.clone(),
            version: text(version, "/name").to_owned(),
            plural: plural.clone(),
            singular: name("singular"),
            kind: name("kind"),
            namespaced: text(crd, "/spec/scope") == "Namespaced",
            short_names: list("shortNames"),
            categories: list("categories"),
            verbs: verbs.iter().map(|verb| (*verb).to_owned()).collect(),
            stored: true,
            status: version.pointer("/subresources/status").is_some(),
            subresources,
            generation: true,
            store: StoreKey::new(&group, &plural),
            origin: Origin::Custom(Arc::new(custom)),
        });
    }
}

/// The versions that objects may be stored in, where there are several or were other schemas before.
fn stored_in(crd: &Value, group: &str) -> Option<Arc<conversion::Versions>> {
    let versions = versions(crd);
    if versions.len() < 2 && object::generation(crd) < 2 {
        return None;
    }
    let named = |version: &Value| object::join_api_version(group, text(version, "/name"));
    let empty = json!({});
    let schemas = versions.iter().map(|version| {
        let schema = version.pointer("/schema/openAPIV3Schema");
        (named(version), Schema::read(schema.unwrap_or(&empty)))
    });
    let storage = versions
        .iter()
        .find(|version| version.get("storage") == Some(&Value::Bool(true)))?;
    Some(Arc::new(conversion::Versions {
        storage: named(storage),
        schemas: schemas.collect(),
    }))
}

/// Group and version of all that definitions serve or want to.
pub(crate) fn registered(server: &Server) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for (_, crd) in server.store.list(&table(), "") {
        for version in versions(crd) {
            if version.get("served") == Some(&Value::Bool(true)) {
                let group = text(crd, "/spec/group").to_owned();
                out.push((group, text(version, "/name").to_owned()));
            }
        }
    }
    out
}

/// Deletes what is left of a CRD that is going; the CRD itself goes when nothing is left.
pub(crate) fn finalize(server: &mut Server, name: &str) {
    let Some(crd) = server.find(&table(), "", name).cloned() else {
        return;
    };
    if !object::is_deleting(&crd) || !object::finalizers(&crd).contains(&FINALIZER) {
        return;
    }
    let Some(resource) = server.registry.any_version(GROUP, PLURAL) else {
        return;
    };
    let at = server.now;
    server.control(&resource, name, "kube-apiserver", "status", |crd| {
        let condition = json!({
            "type": "Terminating", "status": "True", "reason": "InstanceDeletionInProgress",
            "message": "CustomResource deletion is in progress",
        });
        object::set_condition(crd, condition, at);
    });
    let objects = StoreKey::new(text(&crd, "/spec/group"), text(&crd, "/spec/names/plural"));
    let all: Vec<(String, Arc<Value>)> = server
        .store
        .list(&objects, "")
        .map(|(k, v)| (k.clone(), Arc::clone(v)))
        .collect();
    for (key, object) in &all {
        if object::finalizers(object).is_empty() {
            server.erase(&objects, key);
        } else if !object::is_deleting(object) {
            let mut new = object.as_ref().clone();
            object::set_meta(&mut new, "deletionTimestamp", rfc3339(server.now));
            object::set_meta(&mut new, "deletionGracePeriodSeconds", 0);
            object::set_meta(&mut new, "generation", object::generation(object) + 1);
            server.commit(&objects, new);
        }
    }
    if server.store.list(&objects, "").next().is_some() {
        return;
    }
    server
        .registry
        .remove_custom(&objects.group, &objects.plural);
    server.registry.forget_documents(name);
    server.close_watches(&objects.group, &objects.plural);
    let ended = if is_condition(&crd, "Established") {
        json!({
            "type": "Terminating", "status": "False", "reason": "InstanceDeletionCompleted",
            "message": "removed all instances",
        })
    } else {
        json!({
            "type": "Terminating", "status": "False", "reason": "NeverEstablished",
            "message": "resource was never established",
        })
    };
    let at = server.now;
    server.control(&resource, name, "kube-apiserver", "status", |crd| {
        object::set_condition(crd, ended, at);
        let left: Vec<String> = object::finalizers(crd)
            .into_iter()
            .filter(|f| *f != FINALIZER)
            .map(str::to_owned)
            .collect();
        object::set_finalizers(crd, &left);
    });
}

/// The finalizer by which a CRD outlives its objects.
pub(crate) const FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

/// When the last object of a dying CRD went, the CRD can go.
pub(crate) fn object_gone(server: &mut Server, objects: &StoreKey) {
    let name = format!("{}.{}", objects.plural, objects.group);
    let dying = server
        .find(&table(), "", &name)
        .is_some_and(|crd| object::is_deleting(crd));
    if dying {
        let at = server
            .now
            .checked_add(server.timing.crd)
            .unwrap_or(server.now);
        server.agenda.add_once(at, Job::FinalizeCrd(name));
    }
}
