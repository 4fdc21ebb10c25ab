//! What a webhook is asked: the `AdmissionReview`.

use serde_json::{Value, json};

use super::{Asked, Operation};
use crate::{admission::defaults::under, kinds::Resource, object};

pub(super) fn review(uid: &str, asked: Asked<'_>, new: Option<&Value>) -> Value {
    let (call, resource) = (asked.call, asked.resource);
    let show = |object: Option<&Value>| object.map_or(Value::Null, |o| shown(resource, o));
    let kind = json!({
        "group": resource.group, "version": resource.version, "kind": resource.kind,
    });
    let plural = json!({
        "group": resource.group, "version": resource.version, "resource": resource.plural,
    });
    let mut request = json!({
        "uid": uid, "kind": kind, "resource": plural,
        "requestKind": kind, "requestResource": plural,
        "operation": asked.operation.name(),
        "userInfo": { "username": call.user.name, "groups": call.user.groups },
        "object": show(new), "oldObject": show(asked.old), "dryRun": asked.dry_run,
        "options": asked.options.cloned().unwrap_or_else(|| options(asked)),
    });
    let map = object::members(&mut request);
    // A request for a collection names no object.
    let name = match call.info.name.as_str() {
        "" => new.map_or("", object::name),
        name => name,
    };
    for (field, value) in [
        ("name", name),
        ("namespace", &call.info.namespace),
        ("subResource", &call.info.subresource),
        ("requestSubResource", &call.info.subresource),
    ] {
        if !value.is_empty() {
            map.insert(field.into(), value.into());
        }
    }
    json!({ "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request })
}

/// An object as a typed server writes it: what it counts is there before anybody counted.
pub(super) fn shown(resource: &Resource, object: &Value) -> Value {
    let mut shown = crate::verbs::present(resource, object).into_owned();
    if resource.custom().is_some() || !resource.status {
        return shown;
    }
    let status = object::child(&mut shown, "status");
    let empty = match resource.kind.as_str() {
        "Service" | "Ingress" => json!({ "loadBalancer": {} }),
        "StatefulSet" | "ReplicaSet" | "ReplicationController" => json!({ "replicas": 0 }),
        "DaemonSet" => json!({
            "currentNumberScheduled": 0, "desiredNumberScheduled": 0, "numberMisscheduled": 0,
            "numberReady": 0,
        }),
        "PodDisruptionBudget" => json!({
            "currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0,
        }),
        _ => return shown,
    };
    under(status, empty);
    shown
}

/// The options of a write. Those of a patch are shown as those of what it comes to.
fn options(asked: Asked<'_>) -> Value {
    let query = &asked.call.info.query;
    let kind = match asked.operation {
        Operation::Create => "CreateOptions",
        Operation::Update => "UpdateOptions",
        Operation::Delete => "DeleteOptions",
    };
    let mut options = json!({ "kind": kind, "apiVersion": "meta.k8s.io/v1" });
    let map = object::members(&mut options);
    let dry_run = query.all("dryRun");
    if !dry_run.is_empty() {
        map.insert("dryRun".into(), json!(dry_run));
    }
    for field in ["fieldManager", "fieldValidation"] {
        if let Some(value) = query.get(field).filter(|value| !value.is_empty()) {
            map.insert(field.into(), value.into());
        }
    }
    options
}
