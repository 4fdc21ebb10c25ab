//! Defaults of the built-in kinds, where they can be seen: a small table of the common ones.

use serde_json::{Map, Value, json};

use crate::{kinds::Resource, object, server::Server};

/// How a daemon set counts changes of its template.
pub(crate) const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

/// Lays defaults under what is there: maps merge, everything else stays.
fn under(target: &mut Map<String, Value>, defaults: Value) {
    let Value::Object(defaults) = defaults else {
        return;
    };
    for (key, default) in defaults {
        match target.get_mut(&key) {
            None | Some(Value::Null) => {
                target.insert(key, default);
            }
            Some(Value::Object(below)) if default.is_object() => under(below, default),
            Some(_) => {}
        }
    }
}

fn each(list: Option<&mut Value>, mut change: impl FnMut(&mut Map<String, Value>)) {
    for item in list.and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(item) = item.as_object_mut() {
            change(item);
        }
    }
}

/// Decoder's defaults, before anybody owns a field. Nulls go, as typed objects have none.
pub(crate) fn apply(resource: &Resource, new: &mut Value) {
    drop_nulls(new);
    object::meta(new);
    times_of_conditions(&resource.kind, new);
    if matches!(
        resource.kind.as_str(),
        "Lease" | "IngressClass" | "Ingress" | "NetworkPolicy" | "PodDisruptionBudget"
    ) {
        object::child(new, "spec");
    }
    if resource.kind == "NetworkPolicy" {
        under(object::child(new, "spec"), json!({ "podSelector": {} }));
    }
    match resource.kind.as_str() {
        "Namespace" => {
            let name = object::name(new).to_owned();
            if !name.is_empty() {
                let labels = object::meta(new)
                    .entry("labels")
                    .or_insert_with(|| json!({}));
                object::members(labels).insert("kubernetes.io/metadata.name".into(), name.into());
            }
        }
        "Deployment" => {
            // Two counters that other kinds write though they are zero.
            if let Some(Value::Object(status)) = new.get_mut("status") {
                status.retain(|field, count| {
                    *count != json!(0)
                        || !matches!(field.as_str(), "replicas" | "availableReplicas")
                });
            }
            let spec = object::child(new, "spec");
            under(
                spec,
                json!({
                    "replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600,
                    "strategy": { "type": "RollingUpdate" },
                }),
            );
            if spec["strategy"]["type"] == "RollingUpdate" {
                under(
                    spec,
                    json!({ "strategy": { "rollingUpdate": { "maxSurge": "25%", "maxUnavailable": "25%" } } }),
                );
            }
            template(spec, "Always");
        }
        "StatefulSet" => {
            counted(new, &["replicas", "availableReplicas"]);
            let spec = object::child(new, "spec");
            under(
                spec,
                json!({
                    "replicas": 1, "revisionHistoryLimit": 10, "podManagementPolicy": "OrderedReady",
                    "serviceName": "",
                    "updateStrategy": { "type": "RollingUpdate" },
                    "persistentVolumeClaimRetentionPolicy": { "whenDeleted": "Retain", "whenScaled": "Retain" },
                }),
            );
            if spec["updateStrategy"]["type"] == "RollingUpdate" {
                under(
                    spec,
                    json!({ "updateStrategy": { "rollingUpdate": { "partition": 0, "maxUnavailable": 1 } } }),
                );
            }
            each(spec.get_mut("volumeClaimTemplates"), |claim| {
                under(
                    claim,
                    json!({
                        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
                        "spec": { "volumeMode": "Filesystem" }, "status": { "phase": "Pending" },
                    }),
                );
            });
            template(spec, "Always");
        }
        "DaemonSet" => {
            let spec = object::child(new, "spec");
            under(
                spec,
                json!({ "revisionHistoryLimit": 10, "updateStrategy": { "type": "RollingUpdate" } }),
            );
            if spec["updateStrategy"]["type"] == "RollingUpdate" {
                under(
                    spec,
                    json!({ "updateStrategy": { "rollingUpdate": { "maxSurge": 0, "maxUnavailable": 1 } } }),
                );
            }
            template(spec, "Always");
            let annotations = object::meta(new)
                .entry("annotations")
                .or_insert_with(|| json!({}));
            let annotations = object::members(annotations);
            annotations
                .entry(TEMPLATE_GENERATION)
                .or_insert_with(|| "0".into());
        }
        "ReplicaSet" => {
            counted(new, &["replicas"]);
            let spec = object::child(new, "spec");
            under(spec, json!({ "replicas": 1 }));
            template(spec, "Always");
        }
        "Job" => job(object::child(new, "spec")),
        "CronJob" => {
            let spec = object::child(new, "spec");
            under(
                spec,
                json!({
                    "concurrencyPolicy": "Allow", "suspend": false,
                    "successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1,
                }),
            );
            let outer = spec.entry("jobTemplate").or_insert_with(|| json!({}));
            object::meta(outer);
            template(object::child(outer, "spec"), "Always");
        }
        "Pod" => {
            let spec = object::child(new, "spec");
            pod(spec, "Always", true);
            for list in ["containers", "initContainers"] {
                each(spec.get_mut(list), requests_from_limits);
            }
        }
        "Service" => service(object::child(new, "spec")),
        "Secret" => secret(object::members(new)),
        "PersistentVolumeClaim" => under(
            object::child(new, "spec"),
            json!({ "volumeMode": "Filesystem" }),
        ),
        "PersistentVolume" => under(
            object::child(new, "spec"),
            json!({
                "volumeMode": "Filesystem", "persistentVolumeReclaimPolicy": "Retain",
            }),
        ),
        "StorageClass" => under(
            object::members(new),
            json!({
                "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate",
            }),
        ),
        "PriorityClass" => under(
            object::members(new),
            json!({ "preemptionPolicy": "PreemptLowerPriority", "value": 0 }),
        ),
        "NetworkPolicy" => {
            let spec = object::child(new, "spec");
            let types = if spec.contains_key("egress") {
                json!(["Ingress", "Egress"])
            } else {
                json!(["Ingress"])
            };
            under(spec, json!({ "policyTypes": types }));
            for direction in ["ingress", "egress"] {
                each(spec.get_mut(direction), |rule| {
                    each(rule.get_mut("ports"), |port| {
                        under(port, json!({ "protocol": "TCP" }));
                    });
                });
            }
        }
        "HorizontalPodAutoscaler" => under(
            object::child(new, "spec"),
            json!({
                "minReplicas": 1,
                "metrics": [{
                    "type": "Resource",
                    "resource": {
                        "name": "cpu",
                        "target": { "type": "Utilization", "averageUtilization": 80 },
                    },
                }],
            }),
        ),
        "CustomResourceDefinition" => {
            let spec = object::child(new, "spec");
            under(
                spec,
                json!({ "conversion": { "strategy": "None" }, "names": {} }),
            );
            if let Some(names) = spec.get_mut("names") {
                crate::crd::lifecycle::complete_names(names);
            }
        }
        "RoleBinding" | "ClusterRoleBinding" => {
            let members = object::members(new);
            under(
                members,
                json!({ "roleRef": { "apiGroup": "rbac.authorization.k8s.io" } }),
            );
            if let Some(Value::Object(reference)) = members.get_mut("roleRef")
                && reference.get("apiGroup").and_then(Value::as_str) == Some("")
            {
                let group = "rbac.authorization.k8s.io";
                reference.insert("apiGroup".into(), group.into());
            }
            each(members.get_mut("subjects"), |subject| {
                if matches!(
                    subject.get("kind").and_then(Value::as_str),
                    Some("User" | "Group")
                ) {
                    under(subject, json!({ "apiGroup": "rbac.authorization.k8s.io" }));
                }
            });
        }
        "Role" | "ClusterRole" => {
            object::members(new).entry("rules").or_insert(Value::Null);
        }
        _ => {}
    }
}

/// Conditions have times even if nobody gave them.
fn times_of_conditions(kind: &str, new: &mut Value) {
    let times: &[&str] = match kind {
        "Pod" | "Job" | "PersistentVolumeClaim" => &["lastProbeTime", "lastTransitionTime"],
        "Deployment" => &["lastUpdateTime", "lastTransitionTime"],
        _ => &["lastTransitionTime"],
    };
    let conditions = new.get_mut("status").and_then(|s| s.get_mut("conditions"));
    each(conditions, |condition| {
        for time in times {
            condition.entry(*time).or_insert(Value::Null);
        }
    });
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, v| !v.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// A pod template, which is there even if it wasn't sent.
fn template(owner: &mut Map<String, Value>, restart: &str) {
    let template = owner.entry("template").or_insert_with(|| json!({}));
    object::meta(template);
    pod(object::child(template, "spec"), restart, false);
}

fn pod(spec: &mut Map<String, Value>, restart: &str, is_pod: bool) {
    under(spec, json!({ "restartPolicy": restart }));
    under(
        spec,
        json!({
            "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler",
            "securityContext": {}, "terminationGracePeriodSeconds": 30,
        }),
    );
    if let Some(account) = spec.get("serviceAccountName").cloned() {
        under(spec, json!({ "serviceAccount": account }));
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
            let latest = !image.contains('@') && tag.is_none_or(|t| t == "latest");
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
fn requests_from_limits(container: &mut Map<String, Value>) {
    let Some(Value::Object(resources)) = container.get_mut("resources") else {
        return;
    };
    if let Some(limits) = resources.get("limits").cloned() {
        under(resources, json!({ "requests": limits }));
    }
}

/// The quality of service that a pod's resources earn.
fn quality(spec: &Value) -> &'static str {
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

fn job(spec: &mut Map<String, Value>) {
    under(
        spec,
        json!({
            "backoffLimit": 6, "completionMode": "NonIndexed", "manualSelector": false,
            "parallelism": 1, "podReplacementPolicy": "TerminatingOrFailed", "suspend": false,
        }),
    );
    if spec.get("parallelism").and_then(Value::as_i64) == Some(1) {
        under(spec, json!({ "completions": 1 }));
    }
    template(spec, "Always");
}

fn service(spec: &mut Map<String, Value>) {
    under(
        spec,
        json!({ "sessionAffinity": "None", "type": "ClusterIP" }),
    );
    let kind = spec["type"].as_str().unwrap_or_default().to_owned();
    if kind != "ExternalName" {
        under(spec, json!({ "internalTrafficPolicy": "Cluster" }));
    }
    if matches!(kind.as_str(), "LoadBalancer" | "NodePort") {
        under(spec, json!({ "externalTrafficPolicy": "Cluster" }));
    }
    if spec["sessionAffinity"] == "None" {
        spec.remove("sessionAffinityConfig");
    }
    if spec["sessionAffinity"] == "ClientIP" {
        under(
            spec,
            json!({ "sessionAffinityConfig": { "clientIP": { "timeoutSeconds": 10800 } } }),
        );
    }
    if kind == "LoadBalancer" {
        under(spec, json!({ "allocateLoadBalancerNodePorts": true }));
    }
    each(spec.get_mut("ports"), |port| {
        let number = port.get("port").cloned().unwrap_or_default();
        under(port, json!({ "protocol": "TCP", "targetPort": number }));
    });
}

fn secret(secret: &mut Map<String, Value>) {
    use base64::Engine as _;
    under(secret, json!({ "type": "Opaque" }));
    let Some(Value::Object(plain)) = secret.remove("stringData") else {
        return;
    };
    let data = secret.entry("data").or_insert_with(|| json!({}));
    for (key, value) in plain {
        let text = value.as_str().unwrap_or_default();
        let encoded = base64::engine::general_purpose::STANDARD.encode(text);
        object::members(data).insert(key, encoded.into());
    }
}

/// Counters that a status shows even when they are zero.
fn counted(new: &mut Value, fields: &[&str]) {
    if let Some(Value::Object(status)) = new.get_mut("status") {
        for field in fields {
            status.entry(*field).or_insert_with(|| json!(0));
        }
    }
}

/// What the store adds to a new object; nobody owns it.
pub(crate) fn on_create(
    server: &mut Server,
    resource: &Resource,
    subresource: &str,
    new: &mut Value,
) {
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
                cluster_ip(server, object::child(new, "spec"));
                node_ports(server, object::child(new, "spec"));
            }
        }
        "Ingress" => {
            object::child(new, "status").insert("loadBalancer".into(), json!({}));
        }
        "Deployment" | "CronJob" | "Job" => {
            object::members(new).insert("status".into(), json!({}));
            if resource.kind == "Job" {
                job_selector(new);
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
}

/// What the admission of a real cluster lets every pod put up with.
fn tolerate(spec: &mut Map<String, Value>) {
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

fn job_selector(job: &mut Value) {
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
    // A Job without labels of its own takes those of its template.
    if let Some(labels) = job.pointer("/spec/template/metadata/labels").cloned()
        && job.pointer("/metadata/labels").is_none()
    {
        object::set_meta(job, "labels", labels);
    }
}

fn cluster_ip(server: &mut Server, spec: &mut Map<String, Value>) {
    if spec.get("type").and_then(Value::as_str) == Some("ExternalName") {
        return;
    }
    let asked = spec
        .get("clusterIP")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let ip = if asked.is_empty() {
        server.ids.cluster_ip()
    } else {
        asked
    };
    spec.insert("clusterIP".into(), ip.clone().into());
    let selects = spec
        .get("selector")
        .and_then(Value::as_object)
        .is_some_and(|s| !s.is_empty());
    if ip == "None" && !selects {
        // Whoever fills in the endpoints may use any address.
        under(
            spec,
            json!({ "ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "RequireDualStack" }),
        );
    }
    under(
        spec,
        json!({
            "clusterIPs": [ip], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
        }),
    );
}

/// Every port of a service that nodes open gets a port of theirs.
fn node_ports(server: &mut Server, spec: &mut Map<String, Value>) {
    if matches!(
        spec.get("type").and_then(Value::as_str),
        Some("NodePort" | "LoadBalancer")
    ) {
        each(spec.get_mut("ports"), |port| {
            port.entry("nodePort")
                .or_insert_with(|| server.ids.node_port().into());
        });
    }
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
pub(crate) fn on_update(server: &mut Server, resource: &Resource, old: &Value, new: &mut Value) {
    match resource.kind.as_str() {
        "Service" => {
            let old = old.get("spec").cloned().unwrap_or_default();
            update_service(server, &old, object::child(new, "spec"));
        }
        "Namespace" => {
            object::copy_field(old, new, "spec");
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
}

fn kind_of(spec: &Map<String, Value>) -> &str {
    spec.get("type").and_then(Value::as_str).unwrap_or_default()
}

/// What a service keeps of what it was given, and what it loses when its type has no use for it.
fn update_service(server: &mut Server, old: &Value, new: &mut Map<String, Value>) {
    let empty = Map::new();
    let old = old.as_object().unwrap_or(&empty);
    let addressed = |spec: &Map<String, Value>| kind_of(spec) != "ExternalName";
    let opened = |spec: &Map<String, Value>| matches!(kind_of(spec), "NodePort" | "LoadBalancer");
    if addressed(new) {
        for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
            let unset = new.get(field).is_none_or(|v| v.as_str() == Some(""));
            if let Some(value) = old.get(field).filter(|_| unset) {
                new.insert(field.into(), value.clone());
            }
        }
        if !addressed(old) {
            cluster_ip(server, new);
        }
        under(
            new,
            json!({ "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack" }),
        );
    } else if addressed(old) {
        for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
            if new.get(field) == old.get(field) {
                new.remove(field);
            }
        }
    }
    if opened(old) && opened(new) {
        // The same port of the same protocol keeps its port on the nodes.
        let before = old.get("ports").and_then(Value::as_array);
        each(new.get_mut("ports"), |port| {
            let same = before.into_iter().flatten().find(|other| {
                other.get("port") == port.get("port")
                    && other.get("protocol") == port.get("protocol")
            });
            if let Some(node) = same.and_then(|other| other.get("nodePort"))
                && !port.contains_key("nodePort")
            {
                port.insert("nodePort".into(), node.clone());
            }
        });
    }
    if opened(old) && !opened(new) {
        each(new.get_mut("ports"), |port| {
            port.remove("nodePort");
        });
        if new.get("externalTrafficPolicy") == old.get("externalTrafficPolicy") {
            new.remove("externalTrafficPolicy");
        }
    }
    let balanced = |spec: &Map<String, Value>| kind_of(spec) == "LoadBalancer";
    if balanced(old) && !balanced(new) {
        let field = "allocateLoadBalancerNodePorts";
        if new.get(field) == old.get(field) {
            new.remove(field);
        }
    }
    node_ports(server, new);
}
