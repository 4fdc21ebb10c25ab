//! Manifests that refer to each other.

use serde_json::{Value, json};

use super::{Forest, Known};

const NAMES: &[&str] = &["web", "db", "cache", "web", "x"];
const NAMESPACES: &[&str] = &["ns1", "ns2", "default"];
const KINDS: &[&str] = &[
    "Deployment",
    "Deployment",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "CronJob",
    "Pod",
    "Service",
    "Service",
    "ConfigMap",
    "ConfigMap",
    "Secret",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ClusterRole",
    "ClusterRoleBinding",
    "Ingress",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "NetworkPolicy",
    "PersistentVolumeClaim",
    "PersistentVolume",
    "Namespace",
    "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
    "CustomResourceDefinition",
    "StorageClass",
    "Widget",
    "APIService",
    "ReplicaSet",
    "ReplicationController",
    "IngressClass",
    "PriorityClass",
    "ResourceQuota",
    "LimitRange",
];

/// A name.
pub(super) fn name(forest: &mut Forest) -> &'static str {
    forest.random.pick(NAMES)
}

/// A kind.
pub(super) fn kind(forest: &mut Forest) -> &'static str {
    forest.random.pick(KINDS)
}

/// A namespace.
pub(super) fn namespace(forest: &mut Forest) -> &'static str {
    forest.random.pick(NAMESPACES)
}

/// The apiVersion of a kind.
pub(super) fn api_version(kind: &str) -> &'static str {
    match kind {
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" => "apps/v1",
        "Job" | "CronJob" => "batch/v1",
        "Role" | "RoleBinding" | "ClusterRole" | "ClusterRoleBinding" => {
            "rbac.authorization.k8s.io/v1"
        }
        "Ingress" | "NetworkPolicy" | "IngressClass" => "networking.k8s.io/v1",
        "HorizontalPodAutoscaler" => "autoscaling/v2",
        "PodDisruptionBudget" => "policy/v1",
        "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => {
            "admissionregistration.k8s.io/v1"
        }
        "CustomResourceDefinition" => "apiextensions.k8s.io/v1",
        "StorageClass" => "storage.k8s.io/v1",
        "PriorityClass" => "scheduling.k8s.io/v1",
        "APIService" => "apiregistration.k8s.io/v1",
        "Widget" => "example.com/v1",
        _ => "v1",
    }
}

/// A manifest; it becomes known.
pub(super) fn object(forest: &mut Forest) -> Value {
    let (kind, name) = unused(forest);
    let namespace = forest
        .random
        .percent(20)
        .then(|| namespace(forest).to_owned());
    forest.known.push(Known {
        kind: kind.to_owned(),
        name: name.to_owned(),
        namespace: namespace.clone(),
        generated: false,
    });
    let mut object = json!({
        "apiVersion": api_version(kind),
        "kind": kind,
        "metadata": {"name": name},
    });
    if let Some(namespace) = namespace {
        object["metadata"]["namespace"] = json!(namespace);
    }
    if forest.random.percent(40) {
        object["metadata"]["labels"] = labels(forest);
    }
    if forest.random.percent(20) {
        object["metadata"]["annotations"] = annotations(forest);
    }
    let Value::Object(body) = body(forest, kind) else {
        return object;
    };
    if let Value::Object(object) = &mut object {
        object.extend(body);
    }
    object
}

/// A kind and a name that no object has yet, mostly: the same object twice ends most builds.
fn unused(forest: &mut Forest) -> (&'static str, &'static str) {
    let mut found = (kind(forest), name(forest));
    for _ in 0..20 {
        let taken = forest
            .known
            .iter()
            .any(|known| known.kind == found.0 && known.name == found.1);
        if !taken || forest.random.percent(1) {
            break;
        }
        found = (kind(forest), name(forest));
    }
    found
}

fn labels(forest: &mut Forest) -> Value {
    let app = name(forest);
    if forest.random.percent(33) {
        json!({"app": app, "tier": "front"})
    } else {
        json!({"app": app})
    }
}

fn annotations(forest: &mut Forest) -> Value {
    match forest.random.below(14) {
        0 => json!({"config.kubernetes.io/local-config": "true"}),
        1 => json!({"kustomize.config.k8s.io/needs-hash": "true"}),
        2 => json!({"note": "true"}),
        3 => json!({"note": "5"}),
        _ => json!({"note": "some $(VAR) text", "owner": name(forest)}),
    }
}

/// A reference to the name of an object that may be there.
fn refer(forest: &mut Forest) -> String {
    let generated = ["settings", "creds", "web", "db"];
    if forest.random.percent(60) {
        forest.random.pick(&generated).to_owned()
    } else {
        name(forest).to_owned()
    }
}

fn container(forest: &mut Forest, name: &str) -> Value {
    let image = forest.random.pick(&[
        "nginx",
        "nginx:1.2",
        "registry.example.com:5000/app:v1",
        "app@sha256:0123456789abcdef",
        "example.com/app",
        "busybox:latest",
    ]);
    let mut container = json!({"name": name, "image": image});
    if forest.random.percent(50) {
        let mut env = vec![json!({"name": "A", "value": "a $(VAR)"})];
        if forest.random.percent(60) {
            env.push(json!({"name": "B", "valueFrom": {"configMapKeyRef": {
                "name": refer(forest), "key": "k"}}}));
        }
        if forest.random.percent(40) {
            env.push(json!({"name": "C", "valueFrom": {"secretKeyRef": {
                "name": refer(forest), "key": "k", "optional": true}}}));
        }
        container["env"] = Value::Array(env);
    }
    if forest.random.percent(30) {
        container["envFrom"] = json!([
            {"configMapRef": {"name": refer(forest)}},
            {"secretRef": {"name": refer(forest)}},
        ]);
    }
    if forest.random.percent(40) {
        container["ports"] = json!([
            {"containerPort": 80, "name": "http"},
            {"containerPort": 80, "protocol": "UDP"},
        ]);
    }
    if forest.random.percent(30) {
        container["args"] = json!(["--name", "$(VAR)", "--level=5", "plain"]);
    }
    if forest.random.percent(30) {
        container["volumeMounts"] = json!([{"name": "v", "mountPath": "/v"}]);
    }
    if forest.random.percent(20) {
        container["resources"] = json!({"limits": {"cpu": "1", "memory": "1Gi"}});
    }
    container
}

fn pod_spec(forest: &mut Forest) -> Value {
    let mut containers = vec![container(forest, "main")];
    if forest.random.percent(30) {
        containers.push(container(forest, "side"));
    }
    let mut spec = json!({"containers": containers});
    if forest.random.percent(30) {
        spec["initContainers"] = json!([container(forest, "init")]);
    }
    if forest.random.percent(40) {
        spec["serviceAccountName"] = json!(refer(forest));
    }
    if forest.random.percent(20) {
        spec["imagePullSecrets"] = json!([{"name": refer(forest)}]);
    }
    if forest.random.percent(50) {
        let (first, second, third) = (refer(forest), refer(forest), refer(forest));
        spec["volumes"] = json!([
            {"name": "v", "configMap": {"name": first}},
            {"name": "s", "secret": {"secretName": second}},
            {"name": "p", "projected": {"sources": [
                {"configMap": {"name": third}}, {"secret": {"name": "creds"}}]}},
            {"name": "c", "persistentVolumeClaim": {"claimName": refer(forest)}},
        ]);
    }
    if forest.random.percent(15) {
        spec["affinity"] = json!({"podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [{
                "labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": "host"}]}});
    }
    if forest.random.percent(10) {
        spec["topologySpreadConstraints"] = json!([{
            "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app": "web"}}}]);
    }
    spec
}

fn template(forest: &mut Forest) -> Value {
    let labels = labels(forest);
    let mut template = json!({"metadata": {"labels": labels}, "spec": pod_spec(forest)});
    if forest.random.percent(15) {
        template["metadata"]["annotations"] = json!({"t": "1"});
    }
    template
}

fn workload(forest: &mut Forest) -> Value {
    let template = template(forest);
    let mut spec = json!({
        "selector": {"matchLabels": template["metadata"]["labels"]},
        "template": template,
    });
    if forest.random.percent(60) {
        spec["replicas"] = json!(forest.random.below(5));
    }
    spec
}

fn webhooks(forest: &mut Forest) -> Value {
    json!({"webhooks": [{
        "name": "a.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "clientConfig": {"service": {"name": refer(forest), "namespace": namespace(forest)}}}]})
}

fn subjects(forest: &mut Forest) -> Value {
    let mut account = json!({"kind": "ServiceAccount", "name": refer(forest)});
    if forest.random.percent(60) {
        account["namespace"] = json!(namespace(forest));
    }
    let mut subjects = vec![account];
    if forest.random.percent(20) {
        subjects.push(json!({"kind": "ServiceAccount", "name": "default",
            "namespace": namespace(forest)}));
    }
    if forest.random.percent(20) {
        subjects.push(json!({"kind": "User", "name": "web",
            "apiGroup": "rbac.authorization.k8s.io"}));
    }
    Value::Array(subjects)
}

/// What follows the metadata.
fn body(forest: &mut Forest, kind: &str) -> Value {
    match kind {
        "Deployment" | "DaemonSet" | "ReplicaSet" => json!({"spec": workload(forest)}),
        "ReplicationController" => json!({"spec": {"replicas": 1, "selector": {"app": "web"},
            "template": template(forest)}}),
        "StatefulSet" => {
            let mut spec = workload(forest);
            spec["serviceName"] = json!(refer(forest));
            if forest.random.percent(40) {
                spec["volumeClaimTemplates"] = json!([{"metadata": {"name": "data"}, "spec": {
                    "accessModes": ["ReadWriteOnce"], "storageClassName": refer(forest)}}]);
            }
            json!({"spec": spec})
        }
        "Job" => json!({"spec": {"template": template(forest)}}),
        "CronJob" => json!({"spec": {"schedule": "* * * * *", "jobTemplate": {"spec": {
            "template": template(forest)}}}}),
        "Pod" => json!({"spec": pod_spec(forest)}),
        "Service" => {
            let mut spec = json!({"ports": [
                {"port": 80, "name": "http"}, {"port": 80, "protocol": "UDP"}]});
            if forest.random.percent(70) {
                spec["selector"] = labels(forest);
            }
            json!({"spec": spec})
        }
        "ConfigMap" => match forest.random.below(4) {
            0 => json!({}),
            1 => json!({"data": {"k": "line one\nline two\n", "other": "5"}}),
            _ => json!({"data": {"k": "v $(VAR)", "n": "1"}}),
        },
        "Secret" => json!({"type": "Opaque", "stringData": {"k": "s"}, "data": {"d": "QQ=="}}),
        "Role" | "ClusterRole" => json!({"rules": [{"apiGroups": [""], "resources":
            [forest.random.pick(&["secrets", "configmaps", "*"])], "verbs": ["get"],
            "resourceNames": [refer(forest), "fixed"]}]}),
        "RoleBinding" => json!({
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io",
                "kind": forest.random.pick(&["Role", "ClusterRole"]), "name": refer(forest)},
            "subjects": subjects(forest)}),
        "ClusterRoleBinding" => json!({
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                "name": refer(forest)},
            "subjects": subjects(forest)}),
        "Ingress" => json!({"spec": {
            "ingressClassName": refer(forest),
            "defaultBackend": {"service": {"name": refer(forest), "port": {"number": 80}}},
            "tls": [{"secretName": refer(forest), "hosts": ["a.example.com"]}],
            "rules": [{"host": "a.example.com", "http": {"paths": [{"path": "/", "pathType":
                "Prefix", "backend": {"service": {"name": refer(forest), "port":
                {"number": 80}}}}]}}]}}),
        "HorizontalPodAutoscaler" => json!({"spec": {"scaleTargetRef": {"apiVersion": "apps/v1",
            "kind": forest.random.pick(&["Deployment", "StatefulSet"]), "name": refer(forest)},
            "minReplicas": 1, "maxReplicas": 3}}),
        "PodDisruptionBudget" => json!({"spec": {"minAvailable": 1,
            "selector": {"matchLabels": labels(forest)}}}),
        "NetworkPolicy" => json!({"spec": {"podSelector": {"matchLabels": labels(forest)},
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}],
            "egress": [{"to": [{"podSelector": {"matchLabels": {"app": "db"}}}]}]}}),
        "PersistentVolumeClaim" => json!({"spec": {"accessModes": ["ReadWriteOnce"],
            "volumeName": refer(forest), "storageClassName": refer(forest)}}),
        "PersistentVolume" => json!({"spec": {"storageClassName": refer(forest),
            "claimRef": {"name": refer(forest), "namespace": namespace(forest)}}}),
        "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => webhooks(forest),
        "CustomResourceDefinition" => json!({"spec": {"group": "example.com", "scope":
            "Namespaced", "names": {"kind": "Widget", "plural": "widgets"}, "conversion":
            {"strategy": "Webhook", "webhook": {"clientConfig": {"service": {"name":
            refer(forest), "namespace": namespace(forest)}}, "conversionReviewVersions":
            ["v1"]}}}}),
        "StorageClass" => json!({"provisioner": "example.com/p"}),
        "Widget" => json!({"spec": {"size": 3, "ref": {"kind": "ConfigMap", "name": refer(forest)},
            "image": "nginx:1.2", "items": [{"name": "one", "v": 1}, {"name": "two", "v": 2}],
            "text": "a-b-c"}}),
        "APIService" => json!({"spec": {"group": "example.com", "version": "v1", "service":
            {"name": refer(forest), "namespace": namespace(forest)}}}),
        "IngressClass" => json!({"spec": {"controller": "example.com/c"}}),
        "PriorityClass" => json!({"value": 10}),
        "ResourceQuota" => json!({"spec": {"hard": {"pods": "4"}}}),
        "LimitRange" => json!({"spec": {"limits": []}}),
        _ => json!({}),
    }
}
