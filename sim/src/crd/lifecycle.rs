//! From a CustomResourceDefinition to served resources, and back.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Value, json};

use super::{CustomVersion, GROUP, PLURAL, names, schema::Schema};
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
        ("/spec/names/singular", "spec.names.singular"),
        ("/spec/names/listKind", "spec.names.listKind"),
        ("/spec/scope", "spec.scope"),
    ] {
        if text(new, path).is_empty() {
            causes.push(Cause::required(field, ""));
        }
    }
    let scope = text(new, "/spec/scope");
    if !matches!(scope, "" | "Cluster" | "Namespaced") {
        let known = ["Cluster", "Namespaced"].map(str::to_owned);
        causes.push(Cause::unsupported(
            "spec.scope",
            &Value::from(scope),
            &known,
        ));
    }
    let versions = versions(new);
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
    let names: BTreeSet<&str> = versions.iter().map(|v| text(v, "/name")).collect();
    if names.len() < versions.len() {
        causes.push(Cause::invalid(
            "spec.versions",
            &Value::Array(Vec::new()),
            "must contain unique version names",
        ));
    }
    for (i, version) in versions.iter().enumerate() {
        let field = format!("spec.versions[{i}].schema.openAPIV3Schema");
        match version.pointer("/schema/openAPIV3Schema") {
            Some(schema) => untyped(schema, &field, "at the root", &mut causes),
            None => causes.push(Cause::required(field, "")),
        }
    }
    stored(new, versions, &mut causes);
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

fn versions(crd: &Value) -> &[Value] {
    crd.pointer("/spec/versions")
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Everything in a schema has a type.
fn untyped(schema: &Value, path: &str, place: &str, causes: &mut Vec<Cause>) {
    let is = |field: &str| schema.get(field) == Some(&Value::Bool(true));
    let free = is("x-kubernetes-preserve-unknown-fields") || is("x-kubernetes-int-or-string");
    let root = place == "at the root";
    if text(schema, "/type").is_empty() && (root || !free) {
        let what = format!("must not be empty {place}");
        causes.push(Cause::required(format!("{path}.type"), &what));
    }
    for (name, below) in schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let path = format!("{path}.properties[{name}]");
        untyped(below, &path, "for specified object fields", causes);
    }
    for (field, place) in [
        ("items", "for specified array items"),
        ("additionalProperties", "for specified object fields"),
    ] {
        if let Some(below) = schema.get(field).filter(|below| below.is_object()) {
            untyped(below, &format!("{path}.{field}"), place, causes);
        }
    }
}

/// What was ever stored in a version needs that version.
fn stored(crd: &Value, versions: &[Value], causes: &mut Vec<Cause>) {
    let stored = crd.pointer("/status/storedVersions");
    let stored: Vec<&str> = stored
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if stored.is_empty() {
        let what = "must have at least one stored version";
        causes.push(Cause::invalid(
            "status.storedVersions",
            &json!(stored),
            what,
        ));
    }
    for (i, version) in stored.iter().enumerate() {
        if versions.iter().all(|v| text(v, "/name") != *version) {
            let what = format!(
                "missing from spec.versions; {version} was previously a storage version, and must \
                 remain in spec.versions until a storage migration ensures no data remains persisted \
                 in {version} and removes {version} from status.storedVersions"
            );
            let field = format!("status.storedVersions[{i}]");
            causes.push(Cause::invalid(field, &Value::from(*version), &what));
        }
    }
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
    let mut new = crd.as_ref().clone();
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
    let status = new.get("status").cloned().unwrap_or_default();
    server.control(&resource, name, "kube-apiserver", "status", |crd| {
        object::members(crd).insert("status".into(), status);
    });
    if crd.pointer("/status/acceptedNames") != new.pointer("/status/acceptedNames") {
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

fn is_condition(crd: &Value, kind: &str) -> bool {
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

/// The names that a definition may leave out.
pub(crate) fn complete_names(names: &mut Value) {
    let kind = names
        .get("kind")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    if kind.is_empty() {
        return;
    }
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
    for version in crd
        .pointer("/spec/versions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
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
