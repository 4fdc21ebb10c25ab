//! Validation of Services.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{at, is_empty, label_name, list, metadata, one_of, port, text};
use crate::{admission::names, status::Cause};

pub(super) fn check(new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let spec = at(new, "spec");
    let kind = text(spec, "type");
    let headless = text(spec, "clusterIP") == "None";
    let ports = list(spec, "ports");
    if ports.is_empty() && !headless && kind != "ExternalName" {
        causes.push(Cause::required("spec.ports", ""));
    }
    match kind {
        "LoadBalancer" | "NodePort" if headless => {
            let what = format!("may not be set to 'None' for {kind} services");
            let at = "spec.clusterIPs[0]";
            causes.push(Cause::invalid(at, &json!("None"), &what));
        }
        "ExternalName" => external_name(spec, &mut causes),
        _ => {}
    }
    let selects = spec.get("selector").is_some_and(|s| !is_empty(s));
    if selects || !headless {
        one_family(spec, &mut causes);
    }
    let mut port_names = BTreeSet::new();
    for (i, entry) in ports.iter().enumerate() {
        let path = format!("spec.ports[{i}]");
        service_port(&path, entry, ports.len() > 1, &mut port_names, &mut causes);
    }
    metadata::labels("spec.selector", spec.get("selector"), &mut causes);
    let affinity = text(spec, "sessionAffinity");
    if affinity.is_empty() {
        causes.push(Cause::required("spec.sessionAffinity", ""));
    } else {
        let known = ["ClientIP", "None"];
        one_of("spec.sessionAffinity".into(), affinity, &known, &mut causes);
    }
    if affinity == "ClientIP" {
        let field = "sessionAffinityConfig.clientIP.timeoutSeconds";
        let seconds = at(spec, field);
        if seconds.as_i64().is_some_and(|n| !(1..=86400).contains(&n)) {
            let what = "must be greater than 0 and less than 86400";
            causes.push(Cause::invalid(format!("spec.{field}"), seconds, what));
        }
    }
    let known = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    one_of("spec.type".into(), kind, &known, &mut causes);
    if kind == "ClusterIP" {
        for (i, entry) in ports.iter().enumerate() {
            if entry.get("nodePort").and_then(Value::as_i64).unwrap_or(0) != 0 {
                let what = "may not be used when `type` is 'ClusterIP'";
                causes.push(Cause::forbidden(format!("spec.ports[{i}].nodePort"), what));
            }
        }
    }
    repeated(ports, &mut causes);
    if !spec["allocateLoadBalancerNodePorts"].is_null() && kind != "LoadBalancer" {
        let what = "may only be used when `type` is 'LoadBalancer'";
        causes.push(Cause::forbidden("spec.allocateLoadBalancerNodePorts", what));
    }
    traffic(spec, kind, &mut causes);
    causes
}

fn external_name(spec: &Value, causes: &mut Vec<Cause>) {
    for field in ["clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        if !is_empty(&spec[field]) {
            let what = "may not be set for ExternalName services";
            causes.push(Cause::forbidden(format!("spec.{field}"), what));
        }
    }
    let name = text(spec, "externalName");
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() {
        causes.push(Cause::required("spec.externalName", ""));
    }
    for problem in names::subdomain(name).iter().filter(|_| !name.is_empty()) {
        causes.push(Cause::invalid("spec.externalName", &json!(name), problem));
    }
}

fn service_port<'a>(
    path: &str,
    entry: &'a Value,
    named: bool,
    seen: &mut BTreeSet<&'a str>,
    causes: &mut Vec<Cause>,
) {
    let name = text(entry, "name");
    if named && name.is_empty() {
        causes.push(Cause::required(format!("{path}.name"), ""));
    } else if !name.is_empty() {
        label_name(&format!("{path}.name"), name, causes);
        if !seen.insert(name) {
            causes.push(Cause::duplicate(format!("{path}.name"), &json!(name)));
        }
    }
    let number = entry.get("port").cloned().unwrap_or(json!(0));
    port(&format!("{path}.port"), &number, causes);
    let known = ["SCTP", "TCP", "UDP"];
    one_of(
        format!("{path}.protocol"),
        text(entry, "protocol"),
        &known,
        causes,
    );
    let target = &entry["targetPort"];
    match target {
        Value::String(name) => {
            for problem in port_name(name) {
                causes.push(Cause::invalid(
                    format!("{path}.targetPort"),
                    &json!(name),
                    &problem,
                ));
            }
        }
        other => port(&format!("{path}.targetPort"), other, causes),
    }
}

/// The cluster has addresses of one family.
fn one_family(spec: &Value, causes: &mut Vec<Cause>) {
    for (i, family) in list(spec, "ipFamilies").iter().enumerate() {
        if family == "IPv6" {
            let path = format!("spec.ipFamilies[{i}]");
            causes.push(Cause::invalid(
                path,
                family,
                "not configured on this cluster",
            ));
        }
    }
    let policy = at(spec, "ipFamilyPolicy");
    if policy == "RequireDualStack" {
        let what = "this cluster is not configured for dual-stack services";
        causes.push(Cause::invalid("spec.ipFamilyPolicy", policy, what));
    }
}

/// What is wrong with the name of a port.
pub(super) fn port_name(name: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if name.len() > 15 {
        problems.push("must be no more than 15 characters".to_owned());
    }
    let fits = name
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !fits || name.is_empty() {
        problems.push(
            "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned(),
        );
    }
    if !name.bytes().any(|b| b.is_ascii_lowercase()) {
        problems.push("must contain at least one letter (a-z)".to_owned());
    }
    if name.contains("--") {
        problems.push("must not contain consecutive hyphens".to_owned());
    }
    if name.starts_with('-') || name.ends_with('-') {
        problems.push("must not begin or end with a hyphen".to_owned());
    }
    problems
}

/// Ports (and node ports) that two entries have.
fn repeated(ports: &[Value], causes: &mut Vec<Cause>) {
    let mut nodes = BTreeSet::new();
    for (i, entry) in ports.iter().enumerate() {
        let node = entry.get("nodePort").and_then(Value::as_i64).unwrap_or(0);
        if node != 0 && !nodes.insert((text(entry, "protocol"), node)) {
            causes.push(Cause::duplicate(
                format!("spec.ports[{i}].nodePort"),
                &json!(node),
            ));
        }
    }
    let mut seen = BTreeSet::new();
    for (i, entry) in ports.iter().enumerate() {
        let number = entry.get("port").and_then(Value::as_i64).unwrap_or(0);
        if !seen.insert((text(entry, "protocol"), number)) {
            // The real server prints the struct that it keeps in its set.
            let shown = Value::String(format!(
                "{{\"Name\":\"\",\"Protocol\":{:?},\"AppProtocol\":null,\"Port\":{number},\
                 \"TargetPort\":0,\"NodePort\":0}}",
                text(entry, "protocol")
            ));
            let mut cause = Cause::duplicate(format!("spec.ports[{i}]"), &shown);
            cause.message = format!("Duplicate value: {}", shown.as_str().unwrap_or_default());
            causes.push(cause);
        }
    }
}

fn traffic(spec: &Value, kind: &str, causes: &mut Vec<Cause>) {
    let external = text(spec, "externalTrafficPolicy");
    let reachable = matches!(kind, "LoadBalancer" | "NodePort")
        || (kind == "ClusterIP" && !list(spec, "externalIPs").is_empty());
    let field = "spec.externalTrafficPolicy";
    if !reachable {
        if !external.is_empty() {
            let what = "may only be set for externally-accessible services";
            causes.push(Cause::invalid(field, &json!(external), what));
        }
    } else if external.is_empty() {
        causes.push(Cause::required(field, ""));
    } else {
        one_of(field.into(), external, &["Cluster", "Local"], causes);
    }
    let internal = text(spec, "internalTrafficPolicy");
    if !internal.is_empty() {
        let known = ["Cluster", "Local"];
        one_of(
            "spec.internalTrafficPolicy".into(),
            internal,
            &known,
            causes,
        );
    }
    let distribution = text(spec, "trafficDistribution");
    if !distribution.is_empty() {
        let known = ["PreferClose", "PreferSameZone", "PreferSameNode"];
        one_of(
            "spec.trafficDistribution".into(),
            distribution,
            &known,
            causes,
        );
    }
}
