//! The ports that nodes open for a service.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Spec, list, text};
use crate::{admission::defaults::each, server::Server, status::ApiError};

pub(super) fn node_port(port: &Value) -> i64 {
    port.get("nodePort").and_then(Value::as_i64).unwrap_or(0)
}

/// Whether ports that name no port on the nodes get one.
fn gives_ports(spec: &Spec) -> bool {
    match text(spec, "type") {
        "NodePort" => true,
        "LoadBalancer" => spec.get("allocateLoadBalancerNodePorts") != Some(&Value::Bool(false)),
        _ => false,
    }
}

/// Ports of a new service; those with the same number share one on the nodes.
pub(super) fn new_ports(server: &mut Server, spec: &mut Spec) {
    let gives = gives_ports(spec);
    let mut shared: BTreeMap<i64, i64> = BTreeMap::new();
    for port in list(spec, "ports") {
        let number = port.get("port").and_then(Value::as_i64).unwrap_or(0);
        if node_port(port) != 0 {
            shared.entry(number).or_insert(node_port(port));
        }
    }
    each(spec.get_mut("ports"), |port| {
        let own = port.get("nodePort").and_then(Value::as_i64).unwrap_or(0);
        if own != 0 || !gives {
            return;
        }
        let number = port.get("port").and_then(Value::as_i64).unwrap_or(0);
        let given = *shared
            .entry(number)
            .or_insert_with(|| i64::try_from(server.ids.node_port()).unwrap_or_default());
        port.insert("nodePort".into(), given.into());
    });
}

/// Ports of an updated service; each gets one of its own.
pub(super) fn more_ports(server: &mut Server, spec: &mut Spec) -> Result<(), ApiError> {
    let gives = gives_ports(spec);
    let mut seen = BTreeSet::new();
    let mut twice = None;
    each(spec.get_mut("ports"), |port| {
        let own = port.get("nodePort").and_then(Value::as_i64).unwrap_or(0);
        if own == 0 {
            if !gives {
                return;
            }
            port.insert("nodePort".into(), server.ids.node_port().into());
            return;
        }
        let protocol = text(port, "protocol").to_owned();
        if !seen.insert((protocol.clone(), own)) {
            twice.get_or_insert(format!("duplicate nodePort: {{{protocol} {own}}}"));
        }
    });
    twice.map_or(Ok(()), |message| Err(ApiError::internal(message)))
}
