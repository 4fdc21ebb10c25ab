//! What the store itself puts into an object: into a new one, and on updates. Nobody owns it.

use serde_json::{Value, json};

use super::{
    pods::{quality, tolerate},
    relabel, under,
};
use crate::{
    admission::{services, typed::Decoded},
    kinds::Resource,
    object,
    server::Server,
    status::ApiError,
};

/// How a daemon set counts changes of its template.
pub(crate) const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

/// What the store adds to a new object; nobody owns it.
pub(crate) fn on_create(
    server: &mut Server,
    resource: &Resource,
    subresource: &str,
    decoded: &Decoded,
    new: &mut Value,
) -> Result<(), ApiError> {
    match resource.kind.as_str() {
        "Namespace" => {
            // A generated name wasn't known when defaults were laid.
            let name = object::name(new).to_owned();
            let labels = object::meta(new)
                .entry("labels")
                .or_insert_with(|| json!({}));
            object::members(labels).insert("kubernetes.io/metadata.name".into(), name.into());
            object::child(new, "status").insert("phase".into(), "Active".into());
            let spec = object::child(new, "spec");
            let finalizers = spec.entry("finalizers").or_insert_with(|| json!([]));
            if let Some(list) = finalizers.as_array_mut()
                && !list.iter().any(|f| f == "kubernetes")
            {
                list.push("kubernetes".into());
            }
        }
        "Service" => {
            object::child(new, "status").insert("loadBalancer".into(), json!({}));
            // Created through its status, a service is given nothing.
            if subresource.is_empty() {
                services::begin_create(server, new)?;
            }
        }
        "Ingress" => {
            object::child(new, "status").insert("loadBalancer".into(), json!({}));
        }
        "Deployment" | "CronJob" | "Job" => {
            object::members(new).insert("status".into(), json!({}));
            if resource.kind == "Job" {
                job_selector(decoded, new);
            }
        }
        "StatefulSet" => {
            object::members(new).insert(
                "status".into(),
                json!({ "replicas": 0, "availableReplicas": 0 }),
            );
        }
        "ReplicaSet" | "ReplicationController" => {
            object::members(new).insert("status".into(), json!({ "replicas": 0 }));
        }
        "DaemonSet" => {
            let annotations = object::meta(new)
                .entry("annotations")
                .or_insert_with(|| json!({}));
            let count = object::members(annotations)
                .entry(TEMPLATE_GENERATION)
                .or_insert(Value::Null);
            if matches!(count.as_str(), None | Some("0")) {
                *count = "1".into();
            }
            object::members(new).insert(
                "status".into(),
                json!({
                    "currentNumberScheduled": 0, "desiredNumberScheduled": 0,
                    "numberMisscheduled": 0, "numberReady": 0,
                }),
            );
        }
        "Pod" => {
            let quality = quality(new.get("spec").unwrap_or(&Value::Null));
            object::members(new).insert(
                "status".into(),
                json!({ "phase": "Pending", "qosClass": quality }),
            );
            under(
                object::child(new, "spec"),
                json!({
                    "preemptionPolicy": "PreemptLowerPriority", "priority": 0,
                }),
            );
            tolerate(object::child(new, "spec"));
        }
        "PersistentVolumeClaim" | "PersistentVolume" => {
            object::members(new).insert("status".into(), json!({ "phase": "Pending" }));
            if resource.kind == "PersistentVolumeClaim" {
                protect(new, "kubernetes.io/pvc-protection");
            }
        }
        "ResourceQuota" => {
            object::members(new).insert("status".into(), json!({}));
        }
        "CustomResourceDefinition" => crate::crd::lifecycle::first_status(new),
        "PodDisruptionBudget" => {
            object::members(new).insert("status".into(), json!({
                "currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0,
            }));
        }
        "HorizontalPodAutoscaler" => {
            object::members(new).insert(
                "status".into(),
                json!({ "currentMetrics": null, "desiredReplicas": 0 }),
            );
        }
        _ => {}
    }
    Ok(())
}

fn protect(object: &mut Value, finalizer: &str) {
    let mut finalizers: Vec<String> = object::finalizers(object)
        .into_iter()
        .map(str::to_owned)
        .collect();
    if !finalizers.iter().any(|f| f == finalizer) {
        finalizers.push(finalizer.to_owned());
        object::set_finalizers(object, &finalizers);
    }
}

fn job_selector(decoded: &Decoded, job: &mut Value) {
    let uid = object::uid(job).to_owned();
    let name = object::name(job).to_owned();
    let spec = object::child(job, "spec");
    if spec.contains_key("selector") {
        return;
    }
    spec.insert(
        "selector".into(),
        json!({ "matchLabels": { "batch.kubernetes.io/controller-uid": uid } }),
    );
    if let Some(template) = spec.get_mut("template") {
        let meta = object::meta(template);
        let labels = meta.entry("labels").or_insert_with(|| json!({}));
        let labels = object::members(labels);
        for (key, value) in [
            ("batch.kubernetes.io/controller-uid", &uid),
            ("batch.kubernetes.io/job-name", &name),
            ("controller-uid", &uid),
            ("job-name", &name),
        ] {
            labels.insert(key.into(), value.clone().into());
        }
    }
    // Shared with the template.
    if decoded.takes_labels {
        object::remove_meta(job, "labels");
        relabel(job);
    }
}

/// What is given to a new object whenever it is read, so that it lacks it until it is stored.
pub(crate) fn lend(resource: &Resource, new: &mut Value) {
    if resource.is("batch", "jobs") {
        relabel(new);
    }
}

/// The empty fields of a new object that isn't read as it is stored. The phase of a new claim and the
/// labels of a new job are given by the decoder, for want of them in what is stored; what an apply
/// leaves empty in the metadata of a custom resource is stored and not read.
pub(crate) fn unsettled(resource: &Resource, decoded: &Decoded) -> Option<Vec<String>> {
    let given = resource.is("", "persistentvolumeclaims")
        || (resource.is("batch", "jobs") && decoded.lacks_labels);
    let lacking = given.then(Vec::new);
    decoded.emptied.clone().or(lacking)
}

/// A role without rules is stored without a list of them.
pub(crate) fn forget_empty_rules(new: &mut Value) {
    if let Some(rules) = new.get_mut("rules")
        && rules.as_array().is_some_and(Vec::is_empty)
    {
        *rules = Value::Null;
    }
}

/// What an update keeps though it wasn't sent.
pub(crate) fn on_update(
    server: &mut Server,
    resource: &Resource,
    subresource: &str,
    old: &Value,
    new: &mut Value,
) -> Result<(), ApiError> {
    match resource.kind.as_str() {
        "Service" if subresource.is_empty() => services::begin_update(server, old, new)?,
        "Namespace" => {
            object::copy_field(old, new, "spec");
        }
        "CustomResourceDefinition" if subresource.is_empty() => {
            crate::crd::lifecycle::remember_storage(new);
        }
        "Pod" => {
            tolerate(object::child(new, "spec"));
            let quality = old.pointer("/status/qosClass").cloned();
            let status = object::child(new, "status");
            if let Some(quality) = quality {
                status.entry("qosClass").or_insert(quality);
            }
        }
        "DaemonSet" => {
            let count = object::annotation(old, TEMPLATE_GENERATION)
                .unwrap_or("1")
                .to_owned();
            let changed = old.pointer("/spec/template") != new.pointer("/spec/template");
            let next = count.parse::<i64>().map_or(1, |n| n + i64::from(changed));
            let annotations = object::meta(new)
                .entry("annotations")
                .or_insert_with(|| json!({}));
            object::members(annotations)
                .insert(TEMPLATE_GENERATION.into(), next.to_string().into());
        }
        _ => {}
    }
    Ok(())
}
