//! Services, of which the registry does more than store: it gives addresses and ports on the nodes,
//! keeps what it gave when a client doesn't send it back, and takes what a change of type makes
//! pointless.
//!
//! The cluster has addresses of one family (IPv4). A service that was created through its status
//! was given nothing; what it lacks is made up whenever it is read.

mod addresses;
mod ports;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use self::{
    addresses::{addresses, families, follow_address},
    ports::{more_ports, new_ports, node_port},
};
use super::defaults::{each, under};
use crate::{
    kinds::Resource,
    object,
    server::Server,
    status::{ApiError, Cause},
};

type Spec = Map<String, Value>;

pub(crate) fn text<'a>(spec: &'a Spec, field: &str) -> &'a str {
    spec.get(field).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn list<'a>(spec: &'a Spec, field: &str) -> &'a [Value] {
    spec.get(field)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// `ExternalName` services have no address.
fn addressed(spec: &Spec) -> bool {
    text(spec, "type") != "ExternalName"
}

/// Whether every node opens ports for it.
fn opened(spec: &Spec) -> bool {
    matches!(text(spec, "type"), "NodePort" | "LoadBalancer")
}

fn balanced(spec: &Spec) -> bool {
    text(spec, "type") == "LoadBalancer"
}

/// Whether traffic may come from outside the cluster.
pub(crate) fn reachable(spec: &Spec) -> bool {
    opened(spec) || (text(spec, "type") == "ClusterIP" && !list(spec, "externalIPs").is_empty())
}

/// Whether a load balancer has to ask each node for its health.
pub(crate) fn checked(spec: &Spec) -> bool {
    balanced(spec) && text(spec, "externalTrafficPolicy") == "Local"
}

fn selects(spec: &Spec) -> bool {
    spec.get("selector")
        .and_then(Value::as_object)
        .is_some_and(|selector| !selector.is_empty())
}

/// The decoder's defaults.
pub(crate) fn defaults(service: &mut Value) {
    let spec = object::child(service, "spec");
    under(
        spec,
        json!({ "sessionAffinity": "None", "type": "ClusterIP" }),
    );
    if text(spec, "sessionAffinity").is_empty() {
        spec.insert("sessionAffinity".into(), "None".into());
    }
    match text(spec, "sessionAffinity") {
        "None" => {
            spec.remove("sessionAffinityConfig");
        }
        "ClientIP" => {
            let seconds = spec
                .get("sessionAffinityConfig")
                .and_then(|config| config.pointer("/clientIP/timeoutSeconds"));
            if seconds.is_none_or(Value::is_null) {
                let config = json!({ "clientIP": { "timeoutSeconds": 10800 } });
                spec.insert("sessionAffinityConfig".into(), config);
            }
        }
        _ => {}
    }
    each(spec.get_mut("ports"), |port| {
        let number = port.get("port").cloned().unwrap_or_else(|| json!(0));
        under(port, json!({ "protocol": "TCP" }));
        let target = port.get("targetPort");
        if target.is_none_or(|t| t.is_null() || *t == json!(0) || *t == json!("")) {
            port.insert("targetPort".into(), number);
        }
    });
    if reachable(spec) {
        under(spec, json!({ "externalTrafficPolicy": "Cluster" }));
    }
    if opened(spec) || text(spec, "type") == "ClusterIP" {
        under(spec, json!({ "internalTrafficPolicy": "Cluster" }));
    }
    if balanced(spec) {
        under(spec, json!({ "allocateLoadBalancerNodePorts": true }));
        let status = service
            .get_mut("status")
            .and_then(|s| s.get_mut("loadBalancer"));
        each(status.and_then(|s| s.get_mut("ingress")), |ingress| {
            if !text(ingress, "ip").is_empty() {
                under(ingress, json!({ "ipMode": "VIP" }));
            }
        });
    }
}

/// A service as it is read: what is interlinked is there even if it was never stored.
pub(crate) fn as_read(service: &mut Value) {
    let Some(Value::Object(spec)) = service.get_mut("spec") else {
        return;
    };
    follow_address(None, spec);
    if !addressed(spec) {
        // Earlier servers gave it to everybody.
        spec.remove("internalTrafficPolicy");
    }
    if !addressed(spec) || !list(spec, "ipFamilies").is_empty() {
        return;
    }
    let (families, policy) = if text(spec, "clusterIP") == "None" && !selects(spec) {
        // Whoever fills in the endpoints may use any address.
        (json!(["IPv4", "IPv6"]), "RequireDualStack")
    } else if text(spec, "clusterIP") == "None" {
        (json!(["IPv4"]), "SingleStack")
    } else {
        let families: Vec<&str> = list(spec, "clusterIPs").iter().map(family).collect();
        match families.len() {
            0 => return,
            1 => (json!(families), "SingleStack"),
            _ => (json!(families), "RequireDualStack"),
        }
    };
    spec.insert("ipFamilies".into(), families);
    spec.insert("ipFamilyPolicy".into(), policy.into());
}

fn family(address: &Value) -> &'static str {
    if address.as_str().is_some_and(|ip| ip.contains(':')) {
        "IPv6"
    } else {
        "IPv4"
    }
}

/// What a new service is given.
pub(crate) fn begin_create(server: &mut Server, service: &mut Value) -> Result<(), ApiError> {
    let name = object::name(service).to_owned();
    let spec = object::child(service, "spec");
    follow_address(None, spec);
    families(None, spec).map_err(|causes| invalid(&name, &causes))?;
    addresses(server, &name, spec).map_err(|cause| invalid(&name, &[cause]))?;
    if opened(spec) {
        new_ports(server, spec);
    }
    if checked(spec) {
        under(
            spec,
            json!({ "healthCheckNodePort": server.ids.node_port() }),
        );
    }
    Ok(())
}

/// What an update keeps of what was given, and what it is given anew.
pub(crate) fn begin_update(
    server: &mut Server,
    old: &Value,
    service: &mut Value,
) -> Result<(), ApiError> {
    let name = object::name(service).to_owned();
    let empty = Map::new();
    let old = old.get("spec").and_then(Value::as_object).unwrap_or(&empty);
    let spec = object::child(service, "spec");
    keep_given(old, spec);
    follow_address(Some(old), spec);
    families(Some(old), spec).map_err(|causes| invalid(&name, &causes))?;
    if !addressed(old) && addressed(spec) {
        addresses(server, &name, spec).map_err(|cause| invalid(&name, &[cause]))?;
    }
    if opened(spec) {
        more_ports(server, spec)?;
    }
    if !checked(old) && checked(spec) {
        under(
            spec,
            json!({ "healthCheckNodePort": server.ids.node_port() }),
        );
    }
    drop_pointless(old, spec);
    if !balanced(spec) && service.get("status").is_some() {
        object::child(service, "status").insert("loadBalancer".into(), json!({}));
    }
    Ok(())
}

fn invalid(name: &str, causes: &[Cause]) -> ApiError {
    ApiError::invalid("Service", "", name, causes)
}

/// What a client didn't send back of what it was given.
fn keep_given(old: &Spec, new: &mut Spec) {
    if addressed(old) && addressed(new) {
        if text(new, "clusterIP").is_empty() {
            copy(old, new, "clusterIP");
        }
        if list(new, "clusterIPs").is_empty() {
            copy(old, new, "clusterIPs");
        }
    }
    if opened(old) && opened(new) {
        let ports = |spec: &Spec| -> BTreeSet<i64> {
            let ports = list(spec, "ports").iter();
            ports.map(node_port).filter(|port| *port != 0).collect()
        };
        let used: BTreeSet<i64> = ports(old).intersection(&ports(new)).copied().collect();
        let by_name: BTreeMap<&str, i64> = list(old, "ports")
            .iter()
            .map(|port| (port_name(port), node_port(port)))
            .collect();
        each(new.get_mut("ports"), |port| {
            let given = by_name.get(text(port, "name")).copied().unwrap_or(0);
            let own = port.get("nodePort").and_then(Value::as_i64).unwrap_or(0);
            if own == 0 && given != 0 && !used.contains(&given) {
                port.insert("nodePort".into(), given.into());
            }
        });
    }
    if checked(old) && checked(new) && !new.contains_key("healthCheckNodePort") {
        copy(old, new, "healthCheckNodePort");
    }
}

fn copy(from: &Spec, to: &mut Spec, field: &str) {
    if let Some(value) = from.get(field) {
        to.insert(field.to_owned(), value.clone());
    }
}

fn port_name(port: &Value) -> &str {
    port.get("name").and_then(Value::as_str).unwrap_or_default()
}

/// Takes away what the new type has no use for, unless the client changed it as well: then
/// validation has something to say about it.
fn drop_pointless(old: &Spec, new: &mut Spec) {
    let same = |new: &Spec, field: &str| old.get(field) == new.get(field);
    if addressed(old) && !addressed(new) {
        if text(old, "clusterIP") == text(new, "clusterIP")
            && list(old, "clusterIPs") == list(new, "clusterIPs")
        {
            new.remove("clusterIP");
            new.remove("clusterIPs");
        }
        for field in ["ipFamilies", "ipFamilyPolicy"] {
            if same(new, field) {
                new.remove(field);
            }
        }
    }
    if opened(old) && !opened(new) {
        let before: BTreeSet<i64> = list(old, "ports").iter().map(node_port).collect();
        let known = |port: &Value| node_port(port) == 0 || before.contains(&node_port(port));
        if list(new, "ports").iter().all(known) {
            each(new.get_mut("ports"), |port| {
                port.remove("nodePort");
            });
        }
    }
    if checked(old) && !checked(new) && same(new, "healthCheckNodePort") {
        new.remove("healthCheckNodePort");
    }
    if balanced(old) && !balanced(new) {
        for field in ["allocateLoadBalancerNodePorts", "loadBalancerClass"] {
            if same(new, field) {
                new.remove(field);
            }
        }
    }
    if reachable(old) && !reachable(new) && same(new, "externalTrafficPolicy") {
        new.remove("externalTrafficPolicy");
    }
}

/// Whether a resource is that of services.
pub(crate) fn are(resource: &Resource) -> bool {
    resource.is("", "services")
}
