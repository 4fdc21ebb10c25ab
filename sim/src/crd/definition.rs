//! What a definition must be like.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    GROUP, PLURAL,
    lifecycle::{is_condition, text, versions},
};
use crate::{
    kinds::Resource,
    object,
    status::{ApiError, Cause},
};

/// Checks a write of a CRD, and refuses by name what isn't modelled.
pub(crate) fn check(resource: &Resource, old: Option<&Value>, new: &Value) -> Result<(), ApiError> {
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
            &Value::Array(versions.to_vec()),
            "must have exactly one version marked as storage version",
        ));
    }
    let names: BTreeSet<&str> = versions.iter().map(|v| text(v, "/name")).collect();
    if names.len() < versions.len() {
        causes.push(Cause::invalid(
            "spec.versions",
            &Value::Array(versions.to_vec()),
            "must contain unique version names",
        ));
    }
    schemas(versions, &mut causes);
    stored(new, versions, &mut causes);
    if let Some(old) = old {
        let served = is_condition(old, "Established");
        for (path, field, fixed) in [
            ("/spec/group", "spec.group", true),
            ("/spec/names/plural", "spec.names.plural", true),
            ("/spec/names/kind", "spec.names.kind", served),
            ("/spec/scope", "spec.scope", served),
        ] {
            if fixed && text(old, path) != text(new, path) {
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

/// Every version has a schema, and everything in it a type. A schema that all have is looked at once.
fn schemas(versions: &[Value], causes: &mut Vec<Cause>) {
    let of = |version: &Value| version.pointer("/schema/openAPIV3Schema").cloned();
    let first = versions.first().and_then(of);
    if let Some(schema) = &first
        && versions.iter().all(|version| of(version) == first)
    {
        let field = "spec.validation.openAPIV3Schema";
        untyped(schema, field, "at the root", causes);
        return;
    }
    for (i, version) in versions.iter().enumerate() {
        let field = format!("spec.versions[{i}].schema.openAPIV3Schema");
        match of(version) {
            Some(schema) => untyped(&schema, &field, "at the root", causes),
            None => causes.push(Cause::required(field, "")),
        }
    }
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
        causes.push(Cause::invalid("status.storedVersions", &Value::Null, what));
        return;
    }
    for version in versions {
        let name = text(version, "/name");
        if version.get("storage") == Some(&Value::Bool(true)) && !stored.contains(&name) {
            let what = format!("must have the storage version {name}");
            causes.push(Cause::invalid(
                "status.storedVersions",
                &json!(stored),
                &what,
            ));
        }
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
