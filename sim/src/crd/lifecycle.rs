//! From a CustomResourceDefinition to served resources, and back.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{CustomVersion, GROUP, PLURAL, schema::Schema};
use crate::{
    clock::Job,
    kinds::{Origin, Resource, StoreKey},
    object::{self, rfc3339},
    server::Server,
    status::{ApiError, Cause},
};

fn table() -> StoreKey {
    StoreKey::new(GROUP, PLURAL)
}

fn text<'a>(crd: &'a Value, path: &str) -> &'a str {
    crd.pointer(path)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Checks a write of a CRD, and refuses by name what isn't modelled.
pub(crate) fn check(
    _server: &Server,
    resource: &Resource,
    old: Option<&Value>,
    new: &Value,
) -> Result<(), ApiError> {
    if !resource.is(GROUP, PLURAL) {
        return Ok(());
    }
    let name = object::name(new);
    let mut causes = Vec::new();
    let wanted = format!(
        "{}.{}",
        text(new, "/spec/names/plural"),
        text(new, "/spec/group")
    );
    if name != wanted {
        let what = "must be spec.names.plural+\".\"+spec.group";
        causes.push(Cause::invalid("metadata.name", &Value::from(name), what));
    }
    for (path, field) in [
        ("/spec/group", "spec.group"),
        ("/spec/names/kind", "spec.names.kind"),
        ("/spec/scope", "spec.scope"),
    ] {
        if text(new, path).is_empty() {
            causes.push(Cause::required(field, ""));
        }
    }
    let versions = new
        .pointer("/spec/versions")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let storage = versions
        .iter()
        .filter(|v| v.get("storage") == Some(&Value::Bool(true)))
        .count();
    if storage != 1 {
        causes.push(Cause::invalid(
            "spec.versions",
            &Value::Array(Vec::new()),
            "must have exactly one version marked as storage version",
        ));
    }
    for (i, version) in versions.iter().enumerate() {
        if version.pointer("/schema/openAPIV3Schema").is_none() {
            causes.push(Cause::required(
                format!("spec.versions[{i}].schema.openAPIV3Schema"),
                "schemas are required",
            ));
        }
    }
    if let Some(old) = old {
        for (path, field) in [
            ("/spec/group", "spec.group"),
            ("/spec/names/plural", "spec.names.plural"),
            ("/spec/scope", "spec.scope"),
        ] {
            if text(old, path) != text(new, path) {
                let value = Value::from(text(new, path));
                causes.push(Cause::invalid(field, &value, "field is immutable"));
            }
        }
    }
    if !causes.is_empty() {
        return Err(ApiError::invalid(
            &resource.kind,
            &resource.group,
            name,
            &causes,
        ));
    }
    if text(new, "/spec/conversion/strategy") == "Webhook" {
        return Err(ApiError::not_modelled(
            "conversion webhooks of CustomResourceDefinitions",
        ));
    }
    Ok(())
}

/// Accepts the names and serves the versions.
pub(crate) fn establish(server: &mut Server, name: &str) {
    let Some(crd) = server.find(&table(), "", name).cloned() else {
        return;
    };
    if object::is_deleting(&crd) {
        return;
    }
    let Some(resource) = server.registry.any_version(GROUP, PLURAL) else {
        return;
    };
    let at = server.now;
    serve(server, &crd);
    server.control(&resource, name, "kube-apiserver", "status", |crd| {
        let mut names = crd.pointer("/spec/names").cloned().unwrap_or_default();
        complete_names(&mut names);
        let stored = storage_version(crd);
        let status = object::child(crd, "status");
        status.insert("acceptedNames".into(), names.clone());
        status.insert("storedVersions".into(), Value::Array(stored));
        for (kind, reason, message) in [
            ("NamesAccepted", "NoConflicts", "no conflicts found"),
            (
                "Established",
                "InitialNamesAccepted",
                "the initial names have been accepted",
            ),
        ] {
            let condition =
                json!({ "type": kind, "status": "True", "reason": reason, "message": message });
            object::set_condition(crd, condition, at);
        }
    });
}

/// The names that a definition may leave out.
pub(crate) fn complete_names(names: &mut Value) {
    let kind = names
        .get("kind")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let names = object::members(names);
    names
        .entry("singular")
        .or_insert_with(|| kind.to_ascii_lowercase().into());
    names
        .entry("listKind")
        .or_insert_with(|| format!("{kind}List").into());
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
    let established = server
        .registry
        .any_version(text(crd, "/spec/group"), text(crd, "/spec/names/plural"))
        .is_some();
    if established {
        serve(server, crd);
    }
}

fn serve(server: &mut Server, crd: &Value) {
    let mut names = crd.pointer("/spec/names").cloned().unwrap_or_default();
    complete_names(&mut names);
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
    for version in crd
        .pointer("/spec/versions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        if version.get("served") != Some(&Value::Bool(true)) {
            continue;
        }
        let empty = json!({});
        let schema = Schema::read(version.pointer("/schema/openAPIV3Schema").unwrap_or(&empty));
        let custom = CustomVersion {
            list_kind: name("listKind"),
            merge_type: schema.root_type(),
            schema,
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
            verbs: [
                "delete",
                "deletecollection",
                "get",
                "list",
                "patch",
                "create",
                "update",
                "watch",
            ]
            .map(str::to_owned)
            .to_vec(),
            stored: true,
            status: version.pointer("/subresources/status").is_some(),
            subresources,
            generation: true,
            store: StoreKey::new(&group, &plural),
            origin: Origin::Custom(Arc::new(custom)),
        });
    }
}

/// Deletes what is left of a CRD that is going; the CRD itself goes when nothing is left.
pub(crate) fn finalize(server: &mut Server, name: &str) {
    let Some(crd) = server.find(&table(), "", name).cloned() else {
        return;
    };
    if !object::is_deleting(&crd) || !object::finalizers(&crd).contains(&FINALIZER) {
        return;
    }
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
    server.close_watches(&objects.group, &objects.plural);
    let Some(resource) = server.registry.any_version(GROUP, PLURAL) else {
        return;
    };
    server.control(&resource, name, "kube-apiserver", "", |crd| {
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
