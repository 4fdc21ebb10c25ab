//! Defaults of the built-in kinds, where they can be seen: a small table of the common ones.
//!
//! | Idea | File |
//! |---|---|
//! | what the decoder lays under what was sent | here; pods and templates in `pods` |
//! | webhook configurations | `webhooks` |
//! | what the store adds to a new object, and keeps on an update | `stored` |

mod pods;
mod stored;
mod webhooks;

use serde_json::{Map, Value, json};

use self::pods::{pod, requests_from_limits, template};
pub(crate) use self::stored::{
    TEMPLATE_GENERATION, forget_empty_rules, lend, on_create, on_update, unsettled,
};
use super::{services, typed::Decoded};
use crate::{kinds::Resource, object};

/// Lays defaults under what is there: maps merge, everything else stays.
pub(crate) fn under(target: &mut Map<String, Value>, defaults: Value) {
    let Value::Object(defaults) = defaults else {
        return;
    };
    for (key, default) in defaults {
        match target.get_mut(&key) {
            None | Some(Value::Null) => {
                target.insert(key, default);
            }
            Some(Value::Object(below)) if default.is_object() => under(below, default),
            Some(_) => {}
        }
    }
}

pub(crate) fn each(list: Option<&mut Value>, mut change: impl FnMut(&mut Map<String, Value>)) {
    for item in list.and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(item) = item.as_object_mut() {
            change(item);
        }
    }
}

/// Decoder's defaults, before anybody owns a field. Nulls go, as typed objects have none.
pub(crate) fn apply(resource: &Resource, new: &mut Value) {
    drop_nulls(new);
    object::meta(new);
    complete_conditions(&resource.kind, new);
    if matches!(
        resource.kind.as_str(),
        "Lease" | "IngressClass" | "Ingress" | "NetworkPolicy" | "PodDisruptionBudget"
    ) {
        object::child(new, "spec");
    }
    if resource.kind == "NetworkPolicy" {
        under(object::child(new, "spec"), json!({ "podSelector": {} }));
    }
    match resource.kind.as_str() {
        "Namespace" => {
            let name = object::name(new).to_owned();
            if !name.is_empty() {
                let labels = object::meta(new)
                    .entry("labels")
                    .or_insert_with(|| json!({}));
                object::members(labels).insert("kubernetes.io/metadata.name".into(), name.into());
            }
        }
        "MutatingWebhookConfiguration" => webhooks::configuration(new, true),
        "ValidatingWebhookConfiguration" => webhooks::configuration(new, false),
        "Deployment" => {
            // Two counters that other kinds write though they are zero.
            if let Some(Value::Object(status)) = new.get_mut("status") {
                status.retain(|field, count| {
                    *count != json!(0)
                        || !matches!(field.as_str(), "replicas" | "availableReplicas")
                });
            }
            let spec = object::child(new, "spec");
            under(
                spec,
                json!({
                    "replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600,
                    "strategy": { "type": "RollingUpdate" },
                }),
            );
            if spec["strategy"]["type"] == "RollingUpdate" {
                under(
                    spec,
                    json!({ "strategy": { "rollingUpdate": { "maxSurge": "25%", "maxUnavailable": "25%" } } }),
                );
            }
            template(spec, "Always");
        }
        "StatefulSet" => {
            counted(new, &["replicas", "availableReplicas"]);
            let spec = object::child(new, "spec");
            under(
                spec,
                json!({
                    "replicas": 1, "revisionHistoryLimit": 10, "podManagementPolicy": "OrderedReady",
                    "serviceName": "",
                    "updateStrategy": { "type": "RollingUpdate" },
                    "persistentVolumeClaimRetentionPolicy": { "whenDeleted": "Retain", "whenScaled": "Retain" },
                }),
            );
            if spec["updateStrategy"]["type"] == "RollingUpdate" {
                under(
                    spec,
                    json!({ "updateStrategy": { "rollingUpdate": { "partition": 0, "maxUnavailable": 1 } } }),
                );
            }
            each(spec.get_mut("volumeClaimTemplates"), |claim| {
                under(
                    claim,
                    json!({
                        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
                        "spec": { "volumeMode": "Filesystem" }, "status": { "phase": "Pending" },
                    }),
                );
            });
            template(spec, "Always");
        }
        "DaemonSet" => {
            let spec = object::child(new, "spec");
            under(
                spec,
                json!({ "revisionHistoryLimit": 10, "updateStrategy": { "type": "RollingUpdate" } }),
            );
            if spec["updateStrategy"]["type"] == "RollingUpdate" {
                under(
                    spec,
                    json!({ "updateStrategy": { "rollingUpdate": { "maxSurge": 0, "maxUnavailable": 1 } } }),
                );
            }
            template(spec, "Always");
            let annotations = object::meta(new)
                .entry("annotations")
                .or_insert_with(|| json!({}));
            let annotations = object::members(annotations);
            annotations
                .entry(TEMPLATE_GENERATION)
                .or_insert_with(|| "0".into());
        }
        "ReplicaSet" => {
            counted(new, &["replicas"]);
            let spec = object::child(new, "spec");
            under(spec, json!({ "replicas": 1 }));
            template(spec, "Always");
        }
        "Job" => {
            job(object::child(new, "spec"));
            relabel(new);
        }
        "CronJob" => {
            let spec = object::child(new, "spec");
            under(
                spec,
                json!({
                    "concurrencyPolicy": "Allow", "suspend": false,
                    "successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1,
                }),
            );
            let outer = spec.entry("jobTemplate").or_insert_with(|| json!({}));
            object::meta(outer);
            template(object::child(outer, "spec"), "Always");
        }
        "Pod" => {
            let spec = object::child(new, "spec");
            pod(spec, "Always", true);
            for list in ["containers", "initContainers"] {
                each(spec.get_mut(list), requests_from_limits);
            }
        }
        "Service" => services::defaults(new),
        "Secret" => secret(object::members(new)),
        "PersistentVolumeClaim" => under(
            object::child(new, "spec"),
            json!({ "volumeMode": "Filesystem" }),
        ),
        "PersistentVolume" => under(
            object::child(new, "spec"),
            json!({
                "volumeMode": "Filesystem", "persistentVolumeReclaimPolicy": "Retain",
            }),
        ),
        "StorageClass" => under(
            object::members(new),
            json!({
                "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate",
            }),
        ),
        "PriorityClass" => under(
            object::members(new),
            json!({ "preemptionPolicy": "PreemptLowerPriority", "value": 0 }),
        ),
        "NetworkPolicy" => {
            let spec = object::child(new, "spec");
            let types = if spec.contains_key("egress") {
                json!(["Ingress", "Egress"])
            } else {
                json!(["Ingress"])
            };
            under(spec, json!({ "policyTypes": types }));
            for direction in ["ingress", "egress"] {
                each(spec.get_mut(direction), |rule| {
                    each(rule.get_mut("ports"), |port| {
                        under(port, json!({ "protocol": "TCP" }));
                    });
                });
            }
        }
        "HorizontalPodAutoscaler" => under(
            object::child(new, "spec"),
            json!({
                "minReplicas": 1,
                "metrics": [{
                    "type": "Resource",
                    "resource": {
                        "name": "cpu",
                        "target": { "type": "Utilization", "averageUtilization": 80 },
                    },
                }],
            }),
        ),
        "CustomResourceDefinition" => {
            let spec = object::child(new, "spec");
            under(
                spec,
                json!({ "conversion": { "strategy": "None" }, "names": {} }),
            );
            if let Some(names) = spec.get_mut("names") {
                crate::crd::names::complete_names(names);
            }
        }
        "RoleBinding" | "ClusterRoleBinding" => {
            let members = object::members(new);
            under(
                members,
                json!({ "roleRef": { "apiGroup": "rbac.authorization.k8s.io" } }),
            );
            if let Some(Value::Object(reference)) = members.get_mut("roleRef")
                && reference.get("apiGroup").and_then(Value::as_str) == Some("")
            {
                let group = "rbac.authorization.k8s.io";
                reference.insert("apiGroup".into(), group.into());
            }
            each(members.get_mut("subjects"), |subject| {
                if matches!(
                    subject.get("kind").and_then(Value::as_str),
                    Some("User" | "Group")
                ) {
                    under(subject, json!({ "apiGroup": "rbac.authorization.k8s.io" }));
                }
            });
        }
        "Role" | "ClusterRole" => {
            object::members(new).entry("rules").or_insert(Value::Null);
        }
        _ => {}
    }
}

/// Conditions have times and texts even if nobody gave them.
fn complete_conditions(kind: &str, new: &mut Value) {
    let times: &[&str] = match kind {
        "Pod" | "Job" | "PersistentVolumeClaim" => &["lastProbeTime", "lastTransitionTime"],
        "Deployment" => &["lastUpdateTime", "lastTransitionTime"],
        _ => &["lastTransitionTime"],
    };
    let conditions = new.get_mut("status").and_then(|s| s.get_mut("conditions"));
    each(conditions, |condition| {
        for time in times {
            condition.entry(*time).or_insert(Value::Null);
        }
        let texts: &[&str] = match kind {
            "Service" | "PodDisruptionBudget" => &["type", "status", "reason", "message"],
            _ => &["type", "status"],
        };
        for text in texts {
            condition.entry(*text).or_insert_with(|| "".into());
        }
    });
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, v| !v.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// Whether an object has labels.
pub(crate) fn is_labelled(object: &Value) -> bool {
    let labels = object
        .pointer("/metadata/labels")
        .and_then(Value::as_object);
    labels.is_some_and(|labels| !labels.is_empty())
}

/// Whether an object without labels shares those of its template, even if they are none yet.
pub(crate) fn gives_labels(resource: &Resource, new: &Value, decoded: &Decoded) -> bool {
    let labels = new.pointer("/spec/template/metadata/labels");
    resource.is("batch", "jobs")
        && (labels.is_some() || decoded.was_empty("spec.template.metadata.labels"))
}

/// A job without labels takes those of its template.
fn relabel(job: &mut Value) {
    if !is_labelled(job)
        && let Some(labels) = job.pointer("/spec/template/metadata/labels").cloned()
    {
        object::set_meta(job, "labels", labels);
    }
}

fn job(spec: &mut Map<String, Value>) {
    if !spec.contains_key("parallelism") {
        under(spec, json!({ "completions": 1 }));
    }
    under(
        spec,
        json!({
            "backoffLimit": 6, "completionMode": "NonIndexed", "manualSelector": false,
            "parallelism": 1, "podReplacementPolicy": "TerminatingOrFailed", "suspend": false,
        }),
    );
    template(spec, "Always");
}

fn secret(secret: &mut Map<String, Value>) {
    use base64::Engine as _;
    under(secret, json!({ "type": "Opaque" }));
    let Some(Value::Object(plain)) = secret.remove("stringData") else {
        return;
    };
    let data = secret.entry("data").or_insert_with(|| json!({}));
    for (key, value) in plain {
        let text = value.as_str().unwrap_or_default();
        let encoded = base64::engine::general_purpose::STANDARD.encode(text);
        object::members(data).insert(key, encoded.into());
    }
}

/// Counters that a status shows even when they are zero.
fn counted(new: &mut Value, fields: &[&str]) {
    if let Some(Value::Object(status)) = new.get_mut("status") {
        for field in fields {
            status.entry(*field).or_insert_with(|| json!(0));
        }
    }
}
