//! Fields that a kind never changes once they are set.

use serde_json::Value;
use stageset_schema::Rule;

use crate::{kinds::Resource, status::Cause};

fn at<'a>(object: &'a Value, path: &str) -> &'a Value {
    path.split('.')
        .try_fold(object, |v, part| v.get(part))
        .unwrap_or(&Value::Null)
}

/// What an update changes though it may not.
pub(crate) fn check(resource: &Resource, old: &Value, new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    if resource.custom().is_some() {
        return causes;
    }
    let kind = resource.kind.as_str();
    let fixed = stageset_schema::immutable_fields(&resource.group, kind)
        .filter(|immutable| immutable.rule == Rule::Fixed);
    for path in fixed.map(|immutable| immutable.field) {
        if at(old, path) == at(new, path) {
            continue;
        }
        causes.push(match path {
            "roleRef" => Cause::invalid(path, &role_reference(at(new, path)), "field is immutable"),
            _ if kind == "StorageClass" => Cause::invalid(path, &Value::Null, "field is immutable"),
            _ => Cause::invalid(path, at(new, path), "field is immutable"),
        });
    }
    if matches!(kind, "ConfigMap" | "Secret") && old.get("immutable") == Some(&Value::Bool(true)) {
        let what = "field is immutable when `immutable` is set";
        if new.get("immutable") != Some(&Value::Bool(true)) {
            causes.push(Cause::forbidden("immutable", what));
        }
        for field in ["data", "binaryData"] {
            if old.get(field) != new.get(field) {
                causes.push(Cause::forbidden(field, what));
            }
        }
    }
    if kind == "Service" {
        let ip = at(old, "spec.clusterIP").as_str().unwrap_or_default();
        let external = at(new, "spec.type") == "ExternalName";
        if !ip.is_empty() && !external && at(new, "spec.clusterIP") != at(old, "spec.clusterIP") {
            let ips = Value::Array(vec![at(new, "spec.clusterIP").clone()]);
            let cause = Cause::invalid("spec.clusterIPs[0]", &ips, "may not change once set");
            causes.push(cause);
        }
    }
    if kind == "StatefulSet" {
        causes.extend(stateful_set(old, new));
    }
    if kind == "PersistentVolumeClaim" {
        causes.extend(claim(old, new));
    }
    causes
}

/// The real server shows its internal struct here.
fn role_reference(reference: &Value) -> Value {
    let field = |name: &str| reference.get(name).cloned().unwrap_or_default();
    serde_json::json!({ "APIGroup": field("apiGroup"), "Kind": field("kind"), "Name": field("name") })
}

fn stateful_set(old: &Value, new: &Value) -> Option<Cause> {
    // The rest is refused as a whole, these four by themselves.
    const FREE: [&str; 11] = [
        "serviceName",
        "selector",
        "podManagementPolicy",
        "volumeClaimTemplates",
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
        "revisionHistoryLimit",
    ];
    let fixed = |object: &Value| {
        let mut spec = at(object, "spec").clone();
        for field in FREE {
            crate::object::members(&mut spec).remove(field);
        }
        spec
    };
    (fixed(old) != fixed(new)).then(|| {
        Cause::forbidden(
            "spec",
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', \
             'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and \
             'minReadySeconds' are forbidden",
        )
    })
}

fn claim(old: &Value, new: &Value) -> Option<Cause> {
    let fixed = |object: &Value| {
        let mut spec = at(object, "spec").clone();
        crate::object::members(&mut spec).remove("resources");
        crate::object::members(&mut spec).remove("volumeAttributesClassName");
        crate::object::members(&mut spec).remove("volumeName");
        spec
    };
    (fixed(old) != fixed(new)).then(|| {
        Cause::forbidden(
            "spec",
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
        )
    })
}
