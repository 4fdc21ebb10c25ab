//! Validation of Services.

use std::{collections::BTreeSet, net::IpAddr};

use serde_json::{Map, Value, json};

use super::{at, is_empty, label_name, list, metadata, one_of, port, text};
use crate::{
    admission::{names, services},
    status::Cause,
};

/// A service, and what an update changes of it though it may not.
pub(super) fn check(old: Option<&Value>, new: &Value) -> Vec<Cause> {
    let mut causes = old.map_or_else(Vec::new, |old| update(old, new));
    let spec = at(new, "spec");
    let kind = text(spec, "type");
    let headless = matches!(list(spec, "clusterIPs"), [only] if only == "None");
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
    if let Value::Object(spec) = spec {
        causes.extend(related_fields(spec));
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

/// Addresses, their families and the policy, which must fit each other.
pub(crate) fn related_fields(spec: &Map<String, Value>) -> Vec<Cause> {
    let (one, all) = (
        services::text(spec, "clusterIP"),
        services::list(spec, "clusterIPs"),
    );
    let mut causes = Vec::new();
    if services::text(spec, "type") == "ExternalName" {
        return causes;
    }
    let field = "spec.clusterIPs";
    let shown = || Value::from(all.to_vec());
    match all.first() {
        None if !one.is_empty() => causes.push(Cause::required(field, "")),
        Some(_) if one.is_empty() => {
            let what = "must be empty when `clusterIP` is not specified";
            causes.push(Cause::invalid(field, &shown(), what));
        }
        Some(first) if first != one => {
            let what = "first value must match `clusterIP`";
            causes.push(Cause::invalid(field, &shown(), what));
        }
        _ => {}
    }
    let mut seen = BTreeSet::new();
    for (i, family) in services::list(spec, "ipFamilies").iter().enumerate() {
        let family = family.as_str().unwrap_or_default();
        let path = format!("spec.ipFamilies[{i}]");
        one_of(path.clone(), family, &["IPv4", "IPv6"], &mut causes);
        if !seen.insert(family) {
            causes.push(Cause::duplicate(path, &json!(family)));
        }
    }
    let policy = services::text(spec, "ipFamilyPolicy");
    if !policy.is_empty() {
        let known = ["PreferDualStack", "RequireDualStack", "SingleStack"];
        one_of("spec.ipFamilyPolicy".into(), policy, &known, &mut causes);
    }
    for (i, address) in all.iter().enumerate() {
        if i == 0 && address == "None" {
            if all.len() > 1 {
                let what = "'None' must be the first and only value";
                causes.push(Cause::invalid(field, &shown(), what));
            }
            continue;
        }
        if address
            .as_str()
            .is_none_or(|a| a.parse::<IpAddr>().is_err())
        {
            let what = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
            causes.push(Cause::invalid(format!("{field}[{i}]"), address, what));
        }
    }
    if all.len() > 2 {
        causes.push(Cause::invalid(
            field,
            &shown(),
            "may only hold up to 2 values",
        ));
    }
    causes
}

/// A service keeps its address and family, unless it comes from or goes to an external name.
fn update(old: &Value, new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let (before, after) = (at(old, "spec"), at(new, "spec"));
    let external = |spec: &Value| text(spec, "type") == "ExternalName";
    if external(before) || external(after) {
        return causes;
    }
    let headless = |spec: &Value| matches!(list(spec, "clusterIPs"), [only] if only == "None");
    let (old_ips, new_ips) = (list(before, "clusterIPs"), list(after, "clusterIPs"));
    let fixed = "may not change once set";
    if !(headless(before) && headless(after)) {
        if new_ips.is_empty() && !old_ips.is_empty() {
            let what = "primary clusterIP can not be unset";
            causes.push(Cause::invalid("spec.clusterIPs[0]", &json!([]), what));
        }
        for (i, (was, is)) in old_ips.iter().zip(new_ips).enumerate() {
            // Of lists that grow or shrink only the first is held on to.
            if was != is && (i == 0 || old_ips.len() == new_ips.len()) {
                let path = format!("spec.clusterIPs[{i}]");
                causes.push(Cause::invalid(path, &json!(new_ips), fixed));
            }
        }
    }
    if headless(before) == headless(after) && !headless(after) {
        let families = |spec| list(spec, "ipFamilies");
        for (was, is) in families(before).iter().zip(families(after)) {
            if was != is {
                let shown = json!(families(after));
                causes.push(Cause::invalid("spec.ipFamilies[0]", &shown, fixed));
            }
        }
    }
    let checked = |spec: &Value| spec.as_object().is_some_and(services::checked);
    if checked(before)
        && checked(after)
        && before.get("healthCheckNodePort") != after.get("healthCheckNodePort")
    {
        let path = "spec.healthCheckNodePort";
        causes.push(Cause::forbidden(path, "field is immutable"));
    }
    causes
}

/// The status of a service, which only load balancers fill.
pub(super) fn status(new: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let field = "status.loadBalancer.ingress";
    let ingress = list(at(new, "status.loadBalancer"), "ingress");
    if text(at(new, "spec"), "type") != "LoadBalancer" {
        if !ingress.is_empty() {
            let what = "may only be used when `spec.type` is 'LoadBalancer'";
            causes.push(Cause::forbidden(field, what));
        }
        return causes;
    }
    for (i, entry) in ingress.iter().enumerate() {
        let path = format!("{field}[{i}]");
        let (ip, mode) = (text(entry, "ip"), text(entry, "ipMode"));
        if !ip.is_empty() && ip.parse::<IpAddr>().is_err() {
            let what = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
            causes.push(Cause::invalid(format!("{path}.ip"), &json!(ip), what));
        }
        match (ip, mode) {
            ("", "") => {}
            (_, "") => {
                let what = "must be specified when `ip` is set";
                causes.push(Cause::required(format!("{path}.ipMode"), what));
            }
            ("", _) => {
                let what = "may not be specified when `ip` is not set";
                causes.push(Cause::forbidden(format!("{path}.ipMode"), what));
            }
            (_, mode) => one_of(
                format!("{path}.ipMode"),
                mode,
                &["Proxy", "VIP"],
                &mut causes,
            ),
        }
    }
    causes
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
    let node = &spec["healthCheckNodePort"];
    if !spec.as_object().is_some_and(services::checked) && node.as_i64().is_some_and(|n| n != 0) {
        let what = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is \
                    'Local'";
        causes.push(Cause::invalid("spec.healthCheckNodePort", node, what));
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
