//! Validation of metadata, which is the same for every kind but for the names.

use serde_json::Value;

use crate::{admission::names, kinds::Resource, object, status::Cause};

/// How large all annotations together may be.
const ANNOTATIONS: usize = 256 * 1024;

/// Kinds whose finalizers need a domain, unless Kubernetes itself knows them.
fn wants_qualified_finalizers(resource: &Resource) -> bool {
    resource.custom().is_none()
        && !matches!(
            resource.group.as_str(),
            "coordination.k8s.io"
                | "admissionregistration.k8s.io"
                | "apiextensions.k8s.io"
                | "apiregistration.k8s.io"
                | "flowcontrol.apiserver.k8s.io"
        )
}

/// Everything wrong with an object's metadata.
pub(super) fn check(resource: &Resource, old: Option<&Value>, new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let name = object::name(new);
    let generate = object::meta_str(new, "generateName").unwrap_or_default();
    if name.is_empty() {
        let what = "name or generateName is required";
        causes.push(Cause::required("metadata.name", what));
    }
    if old.is_none() {
        let mut check = |field: &str, value: &str, shown: &str| {
            for problem in names::problems(&resource.group, &resource.plural, value) {
                let field = format!("metadata.{field}");
                causes.push(Cause::invalid(field, &Value::from(shown), &problem));
            }
        };
        if !generate.is_empty() {
            check("generateName", &names::masked_prefix(generate), generate);
        }
        if !name.is_empty() {
            check("name", name, name);
        }
    }
    labels(
        "metadata.labels",
        new.pointer("/metadata/labels"),
        &mut causes,
    );
    let annotations = new.pointer("/metadata/annotations");
    self::annotations("metadata.annotations", annotations, &mut causes);
    owners(new, &mut causes);
    finalizers(resource, new, &mut causes);
    managed_fields(new, &mut causes);
    if let Some(old) = old.filter(|old| object::is_deleting(old)) {
        new_finalizers(old, new, &mut causes);
    }
    causes
}

fn pairs(map: Option<&Value>) -> impl Iterator<Item = (&String, &str)> {
    map.and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(key, value)| (key, value.as_str().unwrap_or_default()))
}

/// Everything wrong with a map of labels.
pub(super) fn labels(path: &str, map: Option<&Value>, causes: &mut Vec<Cause>) {
    for (key, value) in pairs(map) {
        for problem in names::label_key(key) {
            causes.push(Cause::invalid(path, &Value::from(key.as_str()), &problem));
        }
        for problem in names::label_value(value) {
            causes.push(Cause::invalid(path, &Value::from(value), &problem));
        }
    }
}

/// Everything wrong with a map of annotations.
pub(super) fn annotations(path: &str, map: Option<&Value>, causes: &mut Vec<Cause>) {
    let mut size = 0;
    for (key, value) in pairs(map) {
        size += key.len() + value.len();
        for problem in names::label_key(&key.to_lowercase()) {
            causes.push(Cause::invalid(path, &Value::from(key.as_str()), &problem));
        }
    }
    if size > ANNOTATIONS {
        causes.push(Cause::too_long(path, ANNOTATIONS));
    }
}

fn owners(new: &Value, causes: &mut Vec<Cause>) {
    let mut controller: Option<String> = None;
    for (i, reference) in object::owner_references(new).iter().enumerate() {
        let text = |field: &str| {
            reference
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let at = |field: &str| format!("metadata.ownerReferences[{i}].{field}");
        let version = text("apiVersion");
        if version.is_empty() {
            causes.push(Cause::required(at("apiVersion"), "must not be empty"));
        } else if version.matches('/').count() > 1 || version.ends_with('/') {
            let what = "must be <group>/<version> or <version>";
            causes.push(Cause::invalid(
                at("apiVersion"),
                &Value::from(version),
                what,
            ));
        }
        for field in ["kind", "name", "uid"] {
            if text(field).is_empty() {
                causes.push(Cause::required(at(field), "must not be empty"));
            }
        }
        if reference.get("controller") != Some(&Value::Bool(true)) {
            continue;
        }
        let this = format!("{}/{}", text("kind"), text("name"));
        match &controller {
            None => controller = Some(this),
            Some(first) => {
                let what = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in \
                     references for {first} and {this}"
                );
                let all = Value::Array(object::owner_references(new).to_vec());
                causes.push(Cause::invalid("metadata.ownerReferences", &all, &what));
            }
        }
    }
}

fn finalizers(resource: &Resource, new: &Value, causes: &mut Vec<Cause>) {
    let all = object::finalizers(new);
    for finalizer in &all {
        for problem in names::label_key(finalizer) {
            let value = Value::from(*finalizer);
            causes.push(Cause::invalid("metadata.finalizers", &value, &problem));
        }
    }
    if all.contains(&"orphan") && all.contains(&"foregroundDeletion") {
        let what = "finalizer orphan and foregroundDeletion cannot be both set";
        let shown = Value::from(all.clone());
        causes.push(Cause::invalid("metadata.finalizers", &shown, what));
    }
    if !wants_qualified_finalizers(resource) {
        return;
    }
    for (i, finalizer) in all.iter().enumerate() {
        let standard = matches!(*finalizer, "orphan" | "foregroundDeletion" | "kubernetes");
        if !standard && !finalizer.contains('/') {
            let at = format!("metadata.finalizers[{i}]");
            let what = "name is neither a standard finalizer name nor is it fully qualified";
            causes.push(Cause::invalid(at, &Value::from(*finalizer), what));
        }
    }
}

fn managed_fields(new: &Value, causes: &mut Vec<Cause>) {
    let entries = new.pointer("/metadata/managedFields");
    for (i, entry) in entries
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .enumerate()
    {
        let at = |field: &str| format!("metadata.managedFields[{i}].{field}");
        let text = |field: &str| entry.get(field).and_then(Value::as_str).unwrap_or_default();
        match text("operation") {
            "" => causes.push(Cause::required(at("operation"), "must not be empty")),
            "Apply" | "Update" => {}
            other => {
                let known = ["Apply".to_owned(), "Update".to_owned()];
                let value = Value::from(other);
                causes.push(Cause::unsupported(at("operation"), &value, &known));
            }
        }
        if !matches!(text("fieldsType"), "" | "FieldsV1") {
            let value = Value::from(text("fieldsType"));
            causes.push(Cause::invalid(
                at("fieldsType"),
                &value,
                "must be `FieldsV1`",
            ));
        }
    }
}

fn new_finalizers(old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    let before = object::finalizers(old);
    let mut added: Vec<String> = object::finalizers(new)
        .into_iter()
        .filter(|f| !before.contains(f))
        .map(|f| format!("{f:?}"))
        .collect();
    added.sort();
    added.dedup();
    if added.is_empty() {
        return;
    }
    let what = format!(
        "no new finalizers can be added if the object is being deleted, found new finalizers \
         []string{{{}}}",
        added.join(", ")
    );
    causes.push(Cause::forbidden("metadata.finalizers", &what));
}
