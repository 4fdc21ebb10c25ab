//! Validation of ingresses, disruption budgets, autoscalers, leases and classes.

use serde_json::{Value, json};

use super::{
    at, is_empty, label_name, list, nonnegative, one_of, port, selector, text,
    workload::{amount, at_most_all},
};
use crate::{admission::names, status::Cause};

pub(super) fn ingress(new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let spec = at(new, "spec");
    let rules = list(spec, "rules");
    if rules.is_empty() && at(spec, "defaultBackend").is_null() {
        let what = "either `defaultBackend` or `rules` must be specified";
        causes.push(Cause::invalid("spec", &Value::Null, what));
    }
    if !at(spec, "defaultBackend").is_null() {
        backend(
            "spec.defaultBackend",
            at(spec, "defaultBackend"),
            &mut causes,
        );
    }
    for (i, rule) in rules.iter().enumerate() {
        let path = format!("spec.rules[{i}]");
        let host = text(rule, "host");
        if !host.is_empty() && !host.contains('*') {
            for problem in names::subdomain(host) {
                causes.push(Cause::invalid(
                    format!("{path}.host"),
                    &json!(host),
                    &problem,
                ));
            }
        }
        let http = at(rule, "http");
        if http.is_object() && list(http, "paths").is_empty() {
            causes.push(Cause::required(format!("{path}.http.paths"), ""));
        }
        for (j, entry) in list(http, "paths").iter().enumerate() {
            let path = format!("{path}.http.paths[{j}]");
            route(&path, entry, &mut causes);
        }
    }
    causes
}

fn route(path: &str, entry: &Value, causes: &mut Vec<Cause>) {
    let kind = text(entry, "pathType");
    let known = ["Exact", "ImplementationSpecific", "Prefix"];
    if kind.is_empty() {
        causes.push(Cause::required(
            format!("{path}.pathType"),
            "pathType must be specified",
        ));
    } else {
        one_of(format!("{path}.pathType"), kind, &known, causes);
    }
    let route = text(entry, "path");
    if matches!(kind, "Exact" | "Prefix") && !route.starts_with('/') {
        let what = "must be an absolute path";
        causes.push(Cause::invalid(format!("{path}.path"), &json!(route), what));
    }
    backend(&format!("{path}.backend"), at(entry, "backend"), causes);
}

fn backend(path: &str, backend: &Value, causes: &mut Vec<Cause>) {
    let service = at(backend, "service");
    if service.is_null() {
        if at(backend, "resource").is_null() {
            let what = "resource or service backend is required";
            causes.push(Cause::required(path, what));
        }
        return;
    }
    let name = text(service, "name");
    if name.is_empty() {
        causes.push(Cause::required(format!("{path}.service.name"), ""));
    } else {
        label_name(&format!("{path}.service.name"), name, causes);
    }
    let chosen = at(service, "port");
    let (number, named) = (at(chosen, "number"), text(chosen, "name"));
    if !named.is_empty() && number.as_i64().unwrap_or(0) != 0 {
        let what = "cannot set both port name & port number";
        causes.push(Cause::invalid(path, &json!(""), what));
    } else if named.is_empty() {
        if number.as_i64().unwrap_or(0) == 0 {
            let what = "port name or number is required";
            causes.push(Cause::required(path, what));
        } else {
            port(&format!("{path}.service.port.number"), number, causes);
        }
    }
}

pub(super) fn disruption_budget(new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let spec = at(new, "spec");
    let (min, max) = (at(spec, "minAvailable"), at(spec, "maxUnavailable"));
    if !min.is_null() && !max.is_null() {
        // The real server prints the struct that it decoded.
        let shown = json!({
            "MinAvailable": min, "Selector": at(spec, "selector"), "MaxUnavailable": max,
            "UnhealthyPodEvictionPolicy": at(spec, "unhealthyPodEvictionPolicy"),
        });
        let what = "minAvailable and maxUnavailable cannot be both set";
        causes.push(Cause::invalid("spec", &shown, what));
    }
    for field in ["minAvailable", "maxUnavailable"] {
        let path = format!("spec.{field}");
        amount(&path, at(spec, field), &mut causes);
        at_most_all(&path, at(spec, field), &mut causes);
    }
    selector("spec.selector", at(spec, "selector"), &mut causes);
    causes
}

pub(super) fn autoscaler(new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let spec = at(new, "spec");
    let (min, max) = (at(spec, "minReplicas"), at(spec, "maxReplicas"));
    let most = max.as_i64().unwrap_or(0);
    if min.as_i64().is_some_and(|n| n < 1) {
        let what = "must be greater than or equal to 1";
        causes.push(Cause::invalid("spec.minReplicas", min, what));
    }
    if most == 0 {
        causes.push(Cause::required("spec.maxReplicas", ""));
    } else if most < 0 {
        let what = "must be greater than or equal to 1";
        causes.push(Cause::invalid("spec.maxReplicas", max, what));
    }
    if min.as_i64().is_some_and(|least| most < least) {
        let what = "must be greater than or equal to `minReplicas`";
        causes.push(Cause::invalid("spec.maxReplicas", &json!(most), what));
    }
    let target = at(spec, "scaleTargetRef");
    for field in ["kind", "name"] {
        if text(target, field).is_empty() {
            causes.push(Cause::required(format!("spec.scaleTargetRef.{field}"), ""));
        }
    }
    let version = text(target, "apiVersion");
    if !version.contains('/') {
        let what = "apiVersion must specify API group";
        let field = "spec.scaleTargetRef.apiVersion";
        causes.push(Cause::invalid(field, &json!(version), what));
    }
    causes
}

pub(super) fn lease(new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let spec = at(new, "spec");
    let seconds = at(spec, "leaseDurationSeconds");
    if seconds.as_i64().is_some_and(|n| n <= 0) {
        let what = "must be greater than 0";
        causes.push(Cause::invalid("spec.leaseDurationSeconds", seconds, what));
    }
    nonnegative("spec", spec, "leaseTransitions", &mut causes);
    causes
}

pub(super) fn storage_class(new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let provisioner = text(new, "provisioner");
    if provisioner.is_empty() {
        causes.push(Cause::required("provisioner", ""));
    } else {
        for problem in names::label_key(&provisioner.to_lowercase()) {
            causes.push(Cause::invalid("provisioner", &json!(provisioner), &problem));
        }
    }
    let policy = text(new, "reclaimPolicy");
    let known = ["Delete", "Retain"];
    one_of("reclaimPolicy".into(), policy, &known, &mut causes);
    causes
}

pub(super) fn priority_class(new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    if new.get("value").and_then(Value::as_i64).unwrap_or(0) > 1_000_000_000 {
        let what = "maximum allowed value of a user defined priority is 1000000000";
        causes.push(Cause::forbidden("value", what));
    }
    if !is_empty(at(new, "preemptionPolicy")) {
        let policy = text(new, "preemptionPolicy");
        let known = ["PreemptLowerPriority", "Never"];
        one_of("preemptionPolicy".into(), policy, &known, &mut causes);
    }
    causes
}
