//! Validation of metadata, and of the few fields without which a built-in kind makes no sense.

use serde_json::Value;

use super::{immutable, names};
use crate::{
    kinds::Resource,
    object,
    status::{ApiError, Cause},
};

/// Fails with 422 and all causes.
pub(crate) fn check(resource: &Resource, old: Option<&Value>, new: &Value) -> Result<(), ApiError> {
    let mut causes = metadata(resource, old, new);
    if resource.custom().is_none() {
        causes.extend(kind(resource, new));
    }
    if let Some(old) = old {
        causes.extend(immutable::check(resource, old, new));
    }
    if causes.is_empty() {
        return Ok(());
    }
    Err(ApiError::invalid(
        &resource.kind,
        &resource.group,
        object::name(new),
        &causes,
    ))
}

fn metadata(resource: &Resource, old: Option<&Value>, new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let name = object::name(new);
    if name.is_empty() {
        causes.push(Cause::required(
            "metadata.name",
            "name or generateName is required",
        ));
    } else if old.is_none()
        && let Some(problem) = names::problem(&resource.group, &resource.plural, name)
    {
        causes.push(Cause::invalid(
            "metadata.name",
            &Value::from(name),
            &problem,
        ));
    }
    for (field, is_label) in [("labels", true), ("annotations", false)] {
        let path = format!("metadata.{field}");
        let map = new
            .pointer(&format!("/metadata/{field}"))
            .and_then(Value::as_object);
        for (key, value) in map.into_iter().flatten() {
            let checked = if is_label {
                key.clone()
            } else {
                key.to_ascii_lowercase()
            };
            if !names::is_qualified(&checked) {
                causes.push(Cause::invalid(
                    path.clone(),
                    &Value::from(key.clone()),
                    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
                ));
            }
            if is_label && !names::is_label_value(value.as_str().unwrap_or_default()) {
                causes.push(Cause::invalid(
                    path.clone(),
                    value,
                    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
                ));
            }
        }
    }
    for (i, finalizer) in object::finalizers(new).into_iter().enumerate() {
        let known = matches!(finalizer, "orphan" | "foregroundDeletion" | "kubernetes");
        let qualified = finalizer.contains('/') && names::is_qualified(finalizer);
        if !(known || qualified) {
            causes.push(Cause::invalid(
                format!("metadata.finalizers[{i}]"),
                &Value::from(finalizer),
                "name is neither a standard finalizer name nor is it fully qualified",
            ));
        }
    }
    for (i, reference) in object::owner_references(new).iter().enumerate() {
        for field in ["apiVersion", "kind", "name", "uid"] {
            let empty = reference
                .get(field)
                .and_then(Value::as_str)
                .is_none_or(str::is_empty);
            let at = format!("metadata.ownerReferences[{i}].{field}");
            match field {
                _ if !empty => {}
                "uid" => causes.push(Cause::required(at, "must not be empty")),
                "apiVersion" => {
                    causes.push(Cause::invalid(
                        at,
                        &Value::from(""),
                        "version must not be empty",
                    ));
                }
                _ => {
                    let what = format!("{field} must not be empty");
                    causes.push(Cause::invalid(at, &Value::from(""), &what));
                }
            }
        }
    }
    let Some(old) = old else { return causes };
    if object::is_deleting(old) {
        let before = object::finalizers(old);
        let new_ones: Vec<&str> = object::finalizers(new)
            .into_iter()
            .filter(|f| !before.contains(f))
            .collect();
        if !new_ones.is_empty() {
            let shown: Vec<String> = new_ones.iter().map(|f| format!("{f:?}")).collect();
            causes.push(Cause::forbidden(
                "metadata.finalizers",
                &format!(
                    "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                    shown.join(", ")
                ),
            ));
        }
    }
    causes
}

fn at<'a>(object: &'a Value, path: &str) -> &'a Value {
    path.split('.')
        .try_fold(object, |v, part| v.get(part))
        .unwrap_or(&Value::Null)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

/// The fields that every object of a kind needs, and the selector's fit to the template.
fn kind(resource: &Resource, new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    match resource.kind.as_str() {
        "Deployment" | "ReplicaSet" | "DaemonSet" | "StatefulSet" => {
            let selector = at(new, "spec.selector");
            if selector.is_null() {
                causes.push(Cause::required("spec.selector", ""));
            } else if is_empty(selector) {
                let what = format!("empty selector is invalid for {}", resource.singular);
                causes.push(Cause::invalid("spec.selector", selector, &what));
            }
            // No selector selects nothing, an empty one everything.
            let fits = crate::selector::LabelSelector::from_object(selector)
                .is_some_and(|s| s.matches(at(new, "spec.template")));
            if selector.is_null() || (!is_empty(selector) && !fits) {
                let labels = at(new, "spec.template.metadata.labels");
                causes.push(Cause::invalid(
                    "spec.template.metadata.labels",
                    labels,
                    "`selector` does not match template `labels`",
                ));
            }
            causes.extend(pod_spec(
                "spec.template.spec",
                at(new, "spec.template.spec"),
            ));
        }
        "Pod" => causes.extend(pod_spec("spec", at(new, "spec"))),
        "Job" => causes.extend(pod_spec(
            "spec.template.spec",
            at(new, "spec.template.spec"),
        )),
        "Service"
            if at(new, "spec.type") != "ExternalName"
                && at(new, "spec.clusterIP") != "None"
                && is_empty(at(new, "spec.ports")) =>
        {
            causes.push(Cause::required("spec.ports", ""));
        }
        "RoleBinding" | "ClusterRoleBinding" if is_empty(at(new, "roleRef.name")) => {
            causes.push(Cause::required("roleRef.name", ""));
        }
        _ => {}
    }
    causes
}

fn pod_spec(path: &str, spec: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let containers = spec.get("containers").and_then(Value::as_array);
    let Some(containers) = containers.filter(|l| !l.is_empty()) else {
        causes.push(Cause::required(format!("{path}.containers"), ""));
        return causes;
    };
    let mut seen = std::collections::BTreeSet::new();
    for (i, container) in containers.iter().enumerate() {
        let text = |field: &str| {
            container
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let at = format!("{path}.containers[{i}]");
        if text("name").is_empty() {
            causes.push(Cause::required(format!("{at}.name"), ""));
        }
        if text("image").is_empty() {
            causes.push(Cause::required(format!("{at}.image"), ""));
        }
        if !text("name").is_empty() && !seen.insert(text("name")) {
            causes.push(Cause::duplicate(
                format!("{at}.name"),
                &Value::from(text("name")),
            ));
        }
    }
    causes
}
