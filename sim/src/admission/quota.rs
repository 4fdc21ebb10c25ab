//! Resource quotas: what a namespace may hold. An object that would exceed one is refused, and one
//! that doesn't is counted in the quota's status.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::{Map, Value, json};

use super::{quantity::Quantity, validation::at};
use crate::{
    kinds::{Resource, StoreKey},
    object,
    server::Server,
    status::ApiError,
};

type Usage = BTreeMap<String, Quantity>;

fn table() -> StoreKey {
    StoreKey::new("", "resourcequotas")
}

/// What an object takes of a quota.
fn usage(resource: &Resource, object: &Value) -> Usage {
    let mut usage = Usage::new();
    let one = Quantity::whole(1);
    usage.insert(format!("count/{}", resource.qualified()), one);
    if !resource.group.is_empty() {
        return usage;
    }
    match resource.plural.as_str() {
        "configmaps" | "secrets" | "replicationcontrollers" | "resourcequotas" => {
            usage.insert(resource.plural.clone(), one);
        }
        "services" => services(object, &mut usage),
        "persistentvolumeclaims" => {
            usage.insert("persistentvolumeclaims".into(), one);
            let storage = at(object, "spec.resources.requests.storage");
            if let Some(storage) = read(storage) {
                usage.insert("requests.storage".into(), storage);
            }
        }
        "pods" => pods(object, &mut usage),
        _ => {}
    }
    usage
}

fn read(value: &Value) -> Option<Quantity> {
    Quantity::parse(value.as_str()?).ok()
}

fn services(object: &Value, usage: &mut Usage) {
    usage.insert("services".into(), Quantity::whole(1));
    let kind = at(object, "spec.type").as_str().unwrap_or_default();
    let ports = at(object, "spec.ports").as_array().map_or(0, Vec::len);
    let ports = i128::try_from(ports).unwrap_or_default();
    if matches!(kind, "NodePort" | "LoadBalancer") {
        usage.insert("services.nodeports".into(), Quantity::whole(ports));
    }
    if kind == "LoadBalancer" {
        usage.insert("services.loadbalancers".into(), Quantity::whole(1));
    }
}

/// Requests and limits of all containers; init containers run before the others, so the larger
/// counts. A pod that has ended takes nothing but its place.
fn pods(object: &Value, usage: &mut Usage) {
    let ended = matches!(
        at(object, "status.phase").as_str(),
        Some("Succeeded" | "Failed")
    );
    if ended {
        return;
    }
    usage.insert("pods".into(), Quantity::whole(1));
    for (field, prefix) in [("requests", "requests."), ("limits", "limits.")] {
        for name in ["cpu", "memory", "ephemeral-storage"] {
            let of = |list: &str| -> Vec<Quantity> {
                let containers = at(object, &format!("spec.{list}")).as_array();
                containers
                    .into_iter()
                    .flatten()
                    .filter_map(|c| read(at(c, &format!("resources.{field}.{name}"))))
                    .collect()
            };
            let sum = of("containers").into_iter().reduce(Quantity::plus);
            let first = of("initContainers").into_iter().reduce(Quantity::larger);
            let total = match (sum, first) {
                (Some(a), Some(b)) => Some(a.larger(b)),
                (a, b) => a.or(b),
            };
            if let Some(total) = total {
                usage.insert(format!("{prefix}{name}"), total);
                if field == "requests" {
                    usage.insert(name.to_owned(), total);
                }
            }
        }
    }
}

fn listed(map: &Usage) -> String {
    let shown: Vec<String> = map.iter().map(|(k, v)| format!("{k}={v}")).collect();
    shown.join(",")
}

fn amounts(value: &Value) -> Usage {
    value
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(name, amount)| Some((name.clone(), read(amount)?)))
        .collect()
}

/// Refuses what exceeds a quota of its namespace; what fits is counted unless it is a dry run.
pub(crate) fn admit(
    server: &mut Server,
    resource: &Resource,
    old: Option<&Value>,
    new: &Value,
    dry_run: bool,
) -> Result<(), ApiError> {
    if !resource.namespaced || resource.is("", "events") {
        return Ok(());
    }
    let namespace = object::namespace(new).to_owned();
    let quotas: Vec<(String, Arc<Value>)> = server
        .store
        .list(&table(), &namespace)
        .map(|(key, quota)| (key.clone(), Arc::clone(quota)))
        .collect();
    if quotas.is_empty() {
        return Ok(());
    }
    let taken = usage(resource, new);
    let before = old.map(|old| usage(resource, old)).unwrap_or_default();
    let mut counted = Vec::new();
    for (key, quota) in &quotas {
        let name = object::name(quota);
        let refuse = |why: String| {
            ApiError::forbidden(&resource.plural, &resource.group, object::name(new), &why)
        };
        let (hard, used) = (
            amounts(at(quota, "status.hard")),
            amounts(at(quota, "status.used")),
        );
        if old.is_none() {
            unspecified(resource, &hard, new).map_err(|missing| {
                refuse(format!("failed quota: {name}: must specify {missing}"))
            })?;
        }
        let mut requested = Usage::new();
        for (what, amount) in &taken {
            let more = before.get(what).map_or(*amount, |b| amount.minus(*b));
            if hard.contains_key(what) && more.is_positive() {
                requested.insert(what.clone(), more);
            }
        }
        if let Some(unknown) = requested.keys().find(|what| !used.contains_key(*what)) {
            return Err(refuse(format!(
                "status unknown for quota: {name}, resources: {unknown}"
            )));
        }
        let over: Vec<&String> = requested
            .iter()
            .filter(|(what, more)| used[*what].plus(**more) > hard[*what])
            .map(|(what, _)| what)
            .collect();
        if !over.is_empty() {
            let only = |map: &Usage| {
                let kept = map.iter().filter(|(k, _)| over.contains(k));
                listed(&kept.map(|(k, v)| (k.clone(), *v)).collect())
            };
            return Err(refuse(format!(
                "exceeded quota: {name}, requested: {}, used: {}, limited: {}",
                only(&requested),
                only(&used),
                only(&hard)
            )));
        }
        if !requested.is_empty() {
            counted.push((key.clone(), used, requested));
        }
    }
    if !dry_run {
        for (key, used, requested) in counted {
            count(server, &key, used, &requested);
        }
    }
    Ok(())
}

/// Each container of a pod under a quota of computing resources must say what it takes of them.
fn unspecified(resource: &Resource, hard: &Usage, pod: &Value) -> Result<(), String> {
    if !resource.is("", "pods") {
        return Ok(());
    }
    let mut missing: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for name in hard.keys() {
        let (field, of) = match name.split_once('.') {
            Some((field @ ("requests" | "limits"), of)) => (field, of),
            _ => ("requests", name.as_str()),
        };
        if !matches!(of, "cpu" | "memory") {
            continue;
        }
        for list in ["containers", "initContainers"] {
            let containers = at(pod, &format!("spec.{list}")).as_array();
            for container in containers.into_iter().flatten() {
                if at(container, &format!("resources.{field}.{of}")).is_null() {
                    let container = at(container, "name").as_str().unwrap_or_default();
                    missing.entry(name).or_default().insert(container);
                }
            }
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let said: Vec<String> = missing
        .into_iter()
        .map(|(name, containers)| {
            let containers: Vec<&str> = containers.into_iter().collect();
            format!("{name} for: {}", containers.join(","))
        })
        .collect();
    Err(said.join("; "))
}

fn count(server: &mut Server, key: &str, used: Usage, requested: &Usage) {
    let Some(resource) = server.registry.any_version("", "resourcequotas") else {
        return;
    };
    let mut shown = Map::new();
    for (name, amount) in used {
        let sum = requested.get(&name).map_or(amount, |r| amount.plus(*r));
        shown.insert(name, json!(sum.to_string()));
    }
    server.control(&resource, key, "kube-apiserver", "status", |quota| {
        object::child(quota, "status").insert("used".into(), Value::Object(shown));
    });
}

/// The quota controller: the status of every quota of a namespace from what is there.
pub(crate) fn recount(server: &mut Server, namespace: &str) {
    let quotas: Vec<(String, Arc<Value>)> = server
        .store
        .list(&table(), namespace)
        .map(|(key, quota)| (key.clone(), Arc::clone(quota)))
        .collect();
    for (key, quota) in quotas {
        let hard = amounts(at(&quota, "spec.hard"));
        let mut used: Usage = hard
            .keys()
            .map(|name| (name.clone(), Quantity::whole(0)))
            .collect();
        let tables: Vec<StoreKey> = server.store.tables().cloned().collect();
        for table in tables {
            let Some(resource) = server.registry.any_version(&table.group, &table.plural) else {
                continue;
            };
            for (_, object) in server.store.list(&table, namespace) {
                for (name, amount) in usage(&resource, object) {
                    if let Some(sum) = used.get_mut(&name) {
                        *sum = amount.plus(*sum);
                    }
                }
            }
        }
        let Some(resource) = server.registry.any_version("", "resourcequotas") else {
            return;
        };
        let show = |usage: &Usage| -> Value {
            usage
                .iter()
                .map(|(k, v)| (k.clone(), json!(v.to_string())))
                .collect::<Map<_, _>>()
                .into()
        };
        let status = json!({ "hard": show(&hard), "used": show(&used) });
        server.control(
            &resource,
            &key,
            "kube-controller-manager",
            "status",
            |quota| {
                object::members(quota).insert("status".into(), status);
            },
        );
    }
}
