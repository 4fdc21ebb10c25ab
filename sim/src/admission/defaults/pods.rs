//! Defaults of pods and of the templates that make them.

use serde_json::{Map, Value, json};

use super::{each, under};
use crate::object;

/// A pod template, which is there even if it wasn't sent.
pub(super) fn template(owner: &mut Map<String, Value>, restart: &str) {
    let template = owner.entry("template").or_insert_with(|| json!({}));
    object::meta(template);
    pod(object::child(template, "spec"), restart, false);
}

pub(super) fn pod(spec: &mut Map<String, Value>, restart: &str, is_pod: bool) {
    under(spec, json!({ "restartPolicy": restart }));
    under(
        spec,
        json!({
            "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler",
            "securityContext": {}, "terminationGracePeriodSeconds": 30,
        }),
    );
    // The old name of the field fills in for the new one, and follows it.
    if let Some(account) = spec.get("serviceAccount").cloned() {
        under(spec, json!({ "serviceAccountName": account }));
    }
    if let Some(account) = spec.get("serviceAccountName").cloned() {
        spec.insert("serviceAccount".into(), account);
    }
    if is_pod {
        under(spec, json!({ "enableServiceLinks": true }));
    }
    for list in ["containers", "initContainers"] {
        each(spec.get_mut(list), |container| {
            let image = container
                .get("image")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let tag = image
                .rsplit('/')
                .next()
                .and_then(|i| i.split_once(':'))
                .map(|(_, t)| t);
            // No image is no name that could lack its tag.
            let latest =
                !image.is_empty() && !image.contains('@') && tag.is_none_or(|t| t == "latest");
            under(
                container,
                json!({
                    "imagePullPolicy": if latest { "Always" } else { "IfNotPresent" },
                    "resources": {}, "terminationMessagePath": "/dev/termination-log",
                    "terminationMessagePolicy": "File",
                }),
            );
            each(container.get_mut("ports"), |port| {
                under(port, json!({ "protocol": "TCP" }));
            });
            for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
                if let Some(Value::Object(probe)) = container.get_mut(probe) {
                    under(
                        probe,
                        json!({
                            "timeoutSeconds": 1, "periodSeconds": 10,
                            "successThreshold": 1, "failureThreshold": 3,
                        }),
                    );
                    if let Some(Value::Object(get)) = probe.get_mut("httpGet") {
                        under(get, json!({ "path": "/", "scheme": "HTTP" }));
                    }
                }
            }
            each(container.get_mut("env"), |env| {
                if let Some(Value::Object(field)) =
                    env.get_mut("valueFrom").and_then(|v| v.get_mut("fieldRef"))
                {
                    under(field, json!({ "apiVersion": "v1" }));
                }
            });
        });
    }
    each(spec.get_mut("volumes"), |volume| {
        if volume.keys().all(|key| key == "name") {
            volume.insert("emptyDir".into(), json!({}));
        }
        for (source, mode) in [
            ("configMap", 420),
            ("secret", 420),
            ("projected", 420),
            ("downwardAPI", 420),
        ] {
            if let Some(Value::Object(source)) = volume.get_mut(source) {
                under(source, json!({ "defaultMode": mode }));
            }
        }
        if let Some(Value::Object(path)) = volume.get_mut("hostPath") {
            under(path, json!({ "type": "" }));
        }
    });
}

/// A container of a pod asks for what limits it, unless it says otherwise.
pub(super) fn requests_from_limits(container: &mut Map<String, Value>) {
    let Some(Value::Object(resources)) = container.get_mut("resources") else {
        return;
    };
    if let Some(limits) = resources.get("limits").cloned() {
        under(resources, json!({ "requests": limits }));
    }
}

/// The quality of service that a pod's resources earn.
pub(super) fn quality(spec: &Value) -> &'static str {
    let containers = ["containers", "initContainers"]
        .into_iter()
        .filter_map(|list| spec.get(list).and_then(Value::as_array))
        .flatten();
    let (mut any, mut all) = (false, true);
    for container in containers {
        let amount = |kind: &str, name: &str| {
            container
                .pointer(&format!("/resources/{kind}/{name}"))
                .filter(|amount| amount.as_str() != Some("0"))
        };
        for name in ["cpu", "memory"] {
            let (request, limit) = (amount("requests", name), amount("limits", name));
            any |= request.is_some() || limit.is_some();
            all &= limit.is_some() && (request.is_none() || request == limit);
        }
    }
    match (any, all) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

/// What the admission of a real cluster lets every pod put up with.
pub(super) fn tolerate(spec: &mut Map<String, Value>) {
    let list = spec.entry("tolerations").or_insert_with(|| json!([]));
    let Some(list) = list.as_array_mut() else {
        return;
    };
    for key in [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    ] {
        if !list
            .iter()
            .any(|t| t.get("key").and_then(Value::as_str) == Some(key))
        {
            list.push(json!({
                "key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300,
            }));
        }
    }
}
