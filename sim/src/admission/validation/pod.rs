//! Validation of pods and pod templates: containers, their volumes, resources and probes.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{at, label_name, list, metadata, nonnegative, one_of, port, service::port_name, text};
use crate::{
    admission::{names, quantity::Quantity},
    status::Cause,
};

pub(super) fn pod(new: &Value) -> Vec<Cause> {
    let mut causes = spec("spec", at(new, "spec"));
    let pod = at(new, "spec");
    nonnegative("spec", pod, "terminationGracePeriodSeconds", &mut causes);
    causes
}

/// The spec of a pod or of a template for pods.
pub(super) fn spec(path: &str, spec: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let volumes = volumes(path, spec, &mut causes);
    let containers = list(spec, "containers");
    if containers.is_empty() {
        causes.push(Cause::required(format!("{path}.containers"), ""));
    }
    let mut seen = BTreeSet::new();
    for (field, list) in [
        ("containers", containers),
        ("initContainers", list(spec, "initContainers")),
    ] {
        for (i, entry) in list.iter().enumerate() {
            let path = format!("{path}.{field}[{i}]");
            container(&path, entry, &volumes, &mut causes);
            let sidecar = text(entry, "restartPolicy") == "Always";
            if field == "initContainers" && !sidecar {
                for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
                    if entry.get(probe).is_some() {
                        let what =
                            "may not be set for init containers without restartPolicy=Always";
                        causes.push(Cause::forbidden(format!("{path}.{probe}"), what));
                    }
                }
            }
            let name = text(entry, "name");
            if !seen.insert(name) {
                causes.push(Cause::duplicate(format!("{path}.name"), &json!(name)));
            }
        }
    }
    let restart = format!("{path}.restartPolicy");
    let known = ["Always", "OnFailure", "Never"];
    if text(spec, "restartPolicy").is_empty() {
        causes.push(Cause::required(restart, ""));
    } else {
        one_of(restart, text(spec, "restartPolicy"), &known, &mut causes);
    }
    let dns = text(spec, "dnsPolicy");
    if !dns.is_empty() {
        let known = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
        one_of(format!("{path}.dnsPolicy"), dns, &known, &mut causes);
    }
    if dns == "None" && spec.get("dnsConfig").is_none() {
        let what = "must provide `dnsConfig` when `dnsPolicy` is None";
        causes.push(Cause::required(format!("{path}.dnsConfig"), what));
    }
    let nodes = spec.get("nodeSelector");
    metadata::labels(&format!("{path}.nodeSelector"), nodes, &mut causes);
    let account = text(spec, "serviceAccountName");
    for problem in names::subdomain(account)
        .iter()
        .filter(|_| !account.is_empty())
    {
        let at = format!("{path}.serviceAccountName");
        causes.push(Cause::invalid(at, &json!(account), problem));
    }
    let deadline = at(spec, "activeDeadlineSeconds");
    if deadline.as_i64().is_some_and(|n| n < 1) {
        let what = "must be between 1 and 2147483647, inclusive";
        let at = format!("{path}.activeDeadlineSeconds");
        causes.push(Cause::invalid(at, deadline, what));
    }
    for field in ["hostname", "subdomain"] {
        if !text(spec, field).is_empty() {
            label_name(&format!("{path}.{field}"), text(spec, field), &mut causes);
        }
    }
    causes
}

/// Checks the volumes and gives the names of those that are right.
fn volumes<'a>(path: &str, spec: &'a Value, causes: &mut Vec<Cause>) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    for (i, volume) in list(spec, "volumes").iter().enumerate() {
        let path = format!("{path}.volumes[{i}]");
        let name = text(volume, "name");
        let mut found = Vec::new();
        let sources: Vec<&String> = volume
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, _)| key)
            .filter(|key| key.as_str() != "name")
            .collect();
        // The first source in the order of the real server's code counts; the order is close to
        // that of the alphabet for those in common use.
        for source in sources.iter().skip(1) {
            let what = "may not specify more than 1 volume type";
            found.push(Cause::forbidden(format!("{path}.{source}"), what));
        }
        if volume.get("secret").is_some() && text(&volume["secret"], "secretName").is_empty() {
            found.push(Cause::required(format!("{path}.secret.secretName"), ""));
        }
        if volume.get("configMap").is_some() && text(&volume["configMap"], "name").is_empty() {
            found.push(Cause::required(format!("{path}.configMap.name"), ""));
        }
        if name.is_empty() {
            found.push(Cause::required(format!("{path}.name"), ""));
        } else {
            label_name(&format!("{path}.name"), name, &mut found);
        }
        if seen.contains(name) {
            found.push(Cause::duplicate(format!("{path}.name"), &json!(name)));
        }
        if found.is_empty() {
            seen.insert(name);
        }
        causes.extend(found);
    }
    seen
}

fn container(path: &str, entry: &Value, volumes: &BTreeSet<&str>, causes: &mut Vec<Cause>) {
    let name = text(entry, "name");
    if name.is_empty() {
        causes.push(Cause::required(format!("{path}.name"), ""));
    } else {
        label_name(&format!("{path}.name"), name, causes);
    }
    if text(entry, "image").is_empty() {
        causes.push(Cause::required(format!("{path}.image"), ""));
    }
    let policy = text(entry, "terminationMessagePolicy");
    if !policy.is_empty() {
        let known = ["File", "FallbackToLogsOnError"];
        one_of(
            format!("{path}.terminationMessagePolicy"),
            policy,
            &known,
            causes,
        );
    }
    ports(path, entry, causes);
    for (i, variable) in list(entry, "env").iter().enumerate() {
        let path = format!("{path}.env[{i}]");
        environment(&path, variable, causes);
    }
    mounts(path, entry, volumes, causes);
    let pull = text(entry, "imagePullPolicy");
    if !pull.is_empty() {
        let known = ["Always", "IfNotPresent", "Never"];
        one_of(format!("{path}.imagePullPolicy"), pull, &known, causes);
    }
    resources(&format!("{path}.resources"), at(entry, "resources"), causes);
    let probed = !path.contains("initContainers[") || text(entry, "restartPolicy") == "Always";
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if probed && entry.get(probe).is_some() {
            self::probe(&format!("{path}.{probe}"), probe, &entry[probe], causes);
        }
    }
}

fn ports(path: &str, entry: &Value, causes: &mut Vec<Cause>) {
    let mut seen = BTreeSet::new();
    for (i, one) in list(entry, "ports").iter().enumerate() {
        let path = format!("{path}.ports[{i}]");
        let name = text(one, "name");
        if !name.is_empty() {
            let problems = port_name(name);
            if problems.is_empty() && !seen.insert(name) {
                causes.push(Cause::duplicate(format!("{path}.name"), &json!(name)));
            }
            for problem in problems {
                causes.push(Cause::invalid(
                    format!("{path}.name"),
                    &json!(name),
                    &problem,
                ));
            }
        }
        let number = at(one, "containerPort");
        if number.as_i64().unwrap_or(0) == 0 {
            causes.push(Cause::required(format!("{path}.containerPort"), ""));
        } else {
            port(&format!("{path}.containerPort"), number, causes);
        }
        let known = ["SCTP", "TCP", "UDP"];
        one_of(
            format!("{path}.protocol"),
            text(one, "protocol"),
            &known,
            causes,
        );
    }
}

fn environment(path: &str, variable: &Value, causes: &mut Vec<Cause>) {
    let name = text(variable, "name");
    let at_name = format!("{path}.name");
    if name.is_empty() {
        causes.push(Cause::required(at_name, ""));
    } else if name.contains('=') || name.chars().any(|c| !(' '..='~').contains(&c)) {
        let what = "a valid environment variable name must consist only of printable ASCII \
                    characters other than '='";
        causes.push(Cause::invalid(at_name, &json!(name), what));
    }
    let Some(from) = variable.get("valueFrom") else {
        return;
    };
    let path = format!("{path}.valueFrom");
    let sources = from.as_object().map_or(0, serde_json::Map::len);
    for (source, key) in [("configMapKeyRef", "key"), ("secretKeyRef", "key")] {
        if from.get(source).is_some() && text(&from[source], key).is_empty() {
            causes.push(Cause::required(format!("{path}.{source}.{key}"), ""));
        }
    }
    let what = if sources == 0 {
        "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` \
         or `fileKeyRef`"
    } else if !text(variable, "value").is_empty() {
        "may not be specified when `value` is not empty"
    } else if sources > 1 {
        "may not have more than one field specified at a time"
    } else {
        return;
    };
    causes.push(Cause::invalid(path, &json!(""), what));
}

fn mounts(path: &str, entry: &Value, volumes: &BTreeSet<&str>, causes: &mut Vec<Cause>) {
    let mut seen = BTreeSet::new();
    for (i, mount) in list(entry, "volumeMounts").iter().enumerate() {
        let path = format!("{path}.volumeMounts[{i}]");
        let (name, place) = (text(mount, "name"), text(mount, "mountPath"));
        if name.is_empty() {
            causes.push(Cause::required(format!("{path}.name"), ""));
        }
        if !volumes.contains(name) {
            causes.push(Cause::not_found(format!("{path}.name"), &json!(name)));
        }
        if place.is_empty() {
            causes.push(Cause::required(format!("{path}.mountPath"), ""));
        }
        if !seen.insert(place) {
            let at = format!("{path}.mountPath");
            causes.push(Cause::invalid(at, &json!(place), "must be unique"));
        }
    }
}

/// Amounts of resources: names, no negative numbers, and requests within limits.
fn resources(path: &str, resources: &Value, causes: &mut Vec<Cause>) {
    for field in ["limits", "requests"] {
        for (name, amount) in resources
            .get(field)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let at = format!("{path}.{field}[{name}]");
            let standard = matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage")
                || name.starts_with("hugepages-");
            if !name.contains('/') && !standard {
                for what in [
                    "must be a standard resource type or fully qualified",
                    "must be a standard resource for containers",
                ] {
                    causes.push(Cause::invalid(at.clone(), &json!(name), what));
                }
            }
            let quantity = amount.as_str().and_then(|a| Quantity::parse(a).ok());
            if quantity.is_some_and(super::super::quantity::Quantity::is_negative) {
                let what = "must be greater than or equal to 0";
                causes.push(Cause::invalid(at, amount, what));
            }
        }
    }
    for (name, request) in resources
        .get("requests")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let Some(limit) = resources.get("limits").and_then(|l| l.get(name)) else {
            continue;
        };
        let quantity = |v: &Value| v.as_str().and_then(|v| Quantity::parse(v).ok());
        let (Some(asked), Some(most)) = (quantity(request), quantity(limit)) else {
            continue;
        };
        let limit = limit.as_str().unwrap_or_default();
        if name.contains('/') && asked != most {
            let what = format!("must be equal to {name} limit of {limit}");
            causes.push(Cause::invalid(format!("{path}.requests"), request, &what));
        } else if asked > most {
            let what = format!("must be less than or equal to {name} limit of {limit}");
            causes.push(Cause::invalid(format!("{path}.requests"), request, &what));
        }
    }
}

fn probe(path: &str, kind: &str, probe: &Value, causes: &mut Vec<Cause>) {
    let handlers: Vec<&str> = ["exec", "httpGet", "tcpSocket", "grpc"]
        .into_iter()
        .filter(|h| probe.get(h).is_some())
        .collect();
    for extra in handlers.iter().skip(1) {
        let what = "may not specify more than 1 handler type";
        causes.push(Cause::forbidden(format!("{path}.{extra}"), what));
    }
    match handlers.first().copied() {
        None => causes.push(Cause::required(path, "must specify a handler type")),
        Some("exec") if list(&probe["exec"], "command").is_empty() => {
            causes.push(Cause::required(format!("{path}.exec.command"), ""));
        }
        Some(handler @ ("httpGet" | "tcpSocket")) => {
            port(
                &format!("{path}.{handler}.port"),
                &probe[handler]["port"],
                causes,
            );
        }
        _ => {}
    }
    for field in [
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ] {
        nonnegative(path, probe, field, causes);
    }
    let success = at(probe, "successThreshold");
    if kind != "readinessProbe" && success.as_i64().is_some_and(|n| n != 1) {
        causes.push(Cause::invalid(
            format!("{path}.successThreshold"),
            success,
            "must be 1",
        ));
    }
}

/// The spec of a claim for a volume.
pub(super) fn claim(path: &str, spec: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let modes = list(spec, "accessModes");
    if modes.is_empty() {
        let what = "at least 1 access mode is required";
        causes.push(Cause::required(format!("{path}.accessModes"), what));
    }
    let known = [
        "ReadOnlyMany",
        "ReadWriteMany",
        "ReadWriteOnce",
        "ReadWriteOncePod",
    ];
    for mode in modes {
        let mode = mode.as_str().unwrap_or_default();
        one_of(format!("{path}.accessModes"), mode, &known, &mut causes);
    }
    if at(spec, "resources.requests.storage").is_null() {
        let at = format!("{path}.resources[storage]");
        causes.push(Cause::required(at, ""));
    }
    causes
}

/// What an update of a pod changes though it may not.
pub(super) fn update(old: &Value, new: &Value) -> Vec<Cause> {
    let (old, new) = (at(old, "spec"), at(new, "spec"));
    for field in ["containers", "initContainers"] {
        let (before, after) = (list(old, field), list(new, field));
        if before.len() != after.len() {
            let what = "pod updates may not add or remove containers";
            return vec![Cause::forbidden(format!("spec.{field}"), what)];
        }
    }
    let mut causes = Vec::new();
    for field in ["containers", "initContainers"] {
        for (i, entry) in list(new, field).iter().enumerate() {
            if text(entry, "image").is_empty() {
                causes.push(Cause::required(format!("spec.{field}[{i}].image"), ""));
            }
        }
    }
    let tolerated = list(new, "tolerations");
    if !list(old, "tolerations")
        .iter()
        .all(|t| tolerated.contains(t))
    {
        let what = "existing toleration can not be modified except its tolerationSeconds";
        causes.push(Cause::forbidden("spec.tolerations", what));
    }
    let fixed = |spec: &Value| {
        let mut spec = spec.clone();
        let map = crate::object::members(&mut spec);
        map.remove("tolerations");
        map.remove("activeDeadlineSeconds");
        for field in ["containers", "initContainers"] {
            let entries = map.get_mut(field).and_then(Value::as_array_mut);
            for entry in entries.into_iter().flatten() {
                crate::object::members(entry).remove("image");
            }
        }
        spec
    };
    if fixed(old) != fixed(new) {
        let what = "pod updates may not change fields other than \
                    `spec.containers[*].image`,`spec.initContainers[*].image`,\
                    `spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing \
                    tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if \
                    it was previously negative)";
        causes.push(Cause::forbidden("spec", what));
    }
    causes
}
