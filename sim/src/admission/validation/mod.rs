//! Validation: what a real server refuses with 422, in its own words.
//!
//! Covered are metadata of every kind and, of the built-in kinds in common use, the fields that
//! people get wrong. What isn't covered is accepted.

mod config;
mod counters;
mod metadata;
mod pod;
mod policies;
mod rbac;
pub(crate) mod service;
mod workload;

use serde_json::Value;

use super::{immutable, names, services, typed::Decoded};
use crate::{
    crd::structural,
    kinds::Resource,
    object,
    status::{ApiError, Cause},
};

/// Fails with 422 and all causes.
pub(crate) fn check(
    resource: &Resource,
    subresource: &str,
    old: Option<&Value>,
    new: &Value,
    decoded: &Decoded,
) -> Result<(), ApiError> {
    let mut causes = metadata::check(resource, old, new);
    match resource.custom() {
        Some(custom) => {
            structural::validate(custom, &resource.kind, subresource, old, new, &mut causes)?;
        }
        // The spec isn't looked at again: it is that of the stored service.
        None if services::are(resource) && subresource == "status" && old.is_some() => {
            causes.extend(service::status(new));
        }
        None => causes.extend(kind(resource, old, new)),
    }
    if let Some(old) = old {
        causes.extend(immutable::check(resource, old, new, decoded));
        if resource.custom().is_none() {
            causes.extend(counters::check(&resource.kind, new));
        }
        if resource.is("", "pods") {
            causes.extend(pod::update(old, new));
        }
    }
    if causes.is_empty() {
        return Ok(());
    }
    // Labels that were sent empty are shown so.
    let labels = "spec.template.metadata.labels";
    for cause in causes.iter_mut().filter(|cause| cause.field == labels) {
        if decoded.was_empty(labels) {
            cause.message = cause
                .message
                .replace("Invalid value: null", "Invalid value: {}");
        }
    }
    let called = new.get("kind").and_then(Value::as_str);
    Err(ApiError::invalid(
        called.unwrap_or(&resource.kind),
        &resource.group,
        object::name(new),
        &causes,
    ))
}

/// What makes sense in an object of a kind.
fn kind(resource: &Resource, old: Option<&Value>, new: &Value) -> Vec<Cause> {
    match resource.kind.as_str() {
        "ConfigMap" => config::config_map(new),
        "Secret" => config::secret(new),
        "Pod" => pod::pod(new),
        "Deployment" => workload::deployment(new),
        "ReplicaSet" => workload::replica_set(new),
        "StatefulSet" => workload::stateful_set(old, new),
        "DaemonSet" => workload::daemon_set(new),
        "Job" => workload::job("spec", at(new, "spec"), true),
        "CronJob" => workload::cron_job(new),
        "Service" => service::check(old, new),
        "Ingress" => policies::ingress(new),
        "PodDisruptionBudget" => policies::disruption_budget(new),
        "HorizontalPodAutoscaler" => policies::autoscaler(new),
        "Lease" => policies::lease(new),
        "StorageClass" => policies::storage_class(new),
        "PriorityClass" => policies::priority_class(new),
        "Role" => rbac::role(new, true),
        "ClusterRole" => rbac::role(new, false),
        "PersistentVolumeClaim" => pod::claim("spec", at(new, "spec")),
        "RoleBinding" => rbac::binding(new, true),
        "ClusterRoleBinding" => rbac::binding(new, false),
        _ => Vec::new(),
    }
}

/// The value at a path, or null.
pub(crate) fn at<'a>(object: &'a Value, path: &str) -> &'a Value {
    path.split('.')
        .try_fold(object, |v, part| v.get(part))
        .unwrap_or(&Value::Null)
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn list<'a>(object: &'a Value, field: &str) -> &'a [Value] {
    object
        .get(field)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
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

/// A number that may not be negative.
fn nonnegative(path: &str, object: &Value, field: &str, causes: &mut Vec<Cause>) {
    let value = at(object, field);
    if value.as_i64().is_some_and(|n| n < 0) {
        let what = "must be greater than or equal to 0";
        causes.push(Cause::invalid(format!("{path}.{field}"), value, what));
    }
}

/// A value that must be one of a few texts.
fn one_of(path: String, value: &str, known: &[&str], causes: &mut Vec<Cause>) {
    if !known.contains(&value) {
        let known: Vec<String> = known.iter().map(|k| (*k).to_owned()).collect();
        causes.push(Cause::unsupported(path, &Value::from(value), &known));
    }
}

/// A name that must be a DNS label.
fn label_name(path: &str, value: &str, causes: &mut Vec<Cause>) {
    for problem in names::dns_label(value) {
        causes.push(Cause::invalid(path, &Value::from(value), &problem));
    }
}

/// A port number.
fn port(path: &str, value: &Value, causes: &mut Vec<Cause>) {
    if value.as_i64().is_some_and(|n| !(1..=65535).contains(&n)) {
        let what = "must be between 1 and 65535, inclusive";
        causes.push(Cause::invalid(path, value, what));
    }
}

/// A label selector.
fn selector(path: &str, selector: &Value, causes: &mut Vec<Cause>) {
    let labels = selector.get("matchLabels");
    metadata::labels(&format!("{path}.matchLabels"), labels, causes);
    for (i, expression) in list(selector, "matchExpressions").iter().enumerate() {
        let path = format!("{path}.matchExpressions[{i}]");
        let values = list(expression, "values");
        match text(expression, "operator") {
            "In" | "NotIn" if values.is_empty() => {
                let what = "must be specified when `operator` is 'In' or 'NotIn'";
                causes.push(Cause::required(format!("{path}.values"), what));
            }
            "Exists" | "DoesNotExist" if !values.is_empty() => {
                let what = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                causes.push(Cause::forbidden(format!("{path}.values"), what));
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => {
                let what = "not a valid selector operator";
                let value = Value::from(other);
                causes.push(Cause::invalid(format!("{path}.operator"), &value, what));
            }
        }
        let key = text(expression, "key");
        for problem in names::label_key(key) {
            causes.push(Cause::invalid(
                format!("{path}.key"),
                &Value::from(key),
                &problem,
            ));
        }
        for (j, value) in values.iter().enumerate() {
            for problem in names::label_value(value.as_str().unwrap_or_default()) {
                causes.push(Cause::invalid(
                    format!("{path}.values[{j}]"),
                    value,
                    &problem,
                ));
            }
        }
    }
}
