//! What an empty object of a kind already contains when the real server compares a new object
//! with it: fields that Go writes even when they are empty. They don't become members of an
//! `Update` entry by being there (so `f:template` has no `.` but `f:rollingUpdate` has one).

use serde_json::{Value, json};

/// The empty object of a built-in kind.
pub(crate) fn empty(api_version: &str, kind: &str, custom: bool) -> Value {
    let mut object = json!({ "apiVersion": api_version, "kind": kind, "metadata": {} });
    if custom {
        return object;
    }
    let pod_spec = || json!({ "containers": null });
    let template = || json!({ "metadata": {}, "spec": { "containers": null } });
    let extra = match kind {
        "Deployment" => json!({
            "spec": { "selector": null, "template": template(), "strategy": {} }, "status": {}
        }),
        "StatefulSet" => json!({
            "spec": { "selector": null, "template": template(), "updateStrategy": {}, "serviceName": "" },
            "status": { "replicas": 0, "availableReplicas": 0 }
        }),
        "DaemonSet" => json!({
            "spec": { "selector": null, "template": template(), "updateStrategy": {} },
            "status": {
                "currentNumberScheduled": 0, "numberMisscheduled": 0,
                "desiredNumberScheduled": 0, "numberReady": 0
            }
        }),
        "ReplicaSet" => json!({
            "spec": { "selector": null, "template": { "metadata": {}, "spec": pod_spec() } },
            "status": { "replicas": 0 }
        }),
        "Job" => json!({ "spec": { "template": template() }, "status": {} }),
        "CronJob" => json!({
            "spec": {
                "schedule": "",
                "jobTemplate": { "metadata": {}, "spec": { "template": template() } }
            },
            "status": {}
        }),
        "Pod" => json!({ "spec": pod_spec(), "status": {} }),
        "PodTemplate" => json!({ "template": template() }),
        "Service" | "Ingress" => json!({ "spec": {}, "status": { "loadBalancer": {} } }),
        "PersistentVolumeClaim" => json!({ "spec": { "resources": {} }, "status": {} }),
        "Role" | "ClusterRole" => json!({ "rules": null }),
        "RoleBinding" | "ClusterRoleBinding" => {
            json!({ "roleRef": { "apiGroup": "", "kind": "", "name": "" } })
        }
        "NetworkPolicy" => json!({ "spec": { "podSelector": {} } }),
        "PodDisruptionBudget" => json!({
            "spec": {},
            "status": {
                "disruptionsAllowed": 0, "currentHealthy": 0,
                "desiredHealthy": 0, "expectedPods": 0
            }
        }),
        "HorizontalPodAutoscaler" => json!({
            "spec": { "scaleTargetRef": { "kind": "", "name": "" }, "maxReplicas": 0 },
            "status": { "desiredReplicas": 0, "currentMetrics": null }
        }),
        "Namespace" | "Node" | "PersistentVolume" | "ResourceQuota" | "ReplicationController" => {
            json!({ "spec": {}, "status": {} })
        }
        "Lease"
        | "IngressClass"
        | "SelfSubjectAccessReview"
        | "SubjectAccessReview"
        | "LocalSubjectAccessReview"
        | "SelfSubjectRulesReview" => json!({ "spec": {} }),
        "LimitRange" => json!({ "spec": { "limits": null } }),
        "StorageClass" => json!({ "provisioner": "" }),
        "PriorityClass" => json!({ "value": 0 }),
        "CustomResourceDefinition" => json!({
            "spec": { "group": "", "names": { "plural": "", "kind": "" }, "scope": "", "versions": null },
            "status": {
                "conditions": null, "acceptedNames": { "plural": "", "kind": "" },
                "storedVersions": null
            }
        }),
        _ => json!({}),
    };
    if let (Some(object), Value::Object(extra)) = (object.as_object_mut(), extra) {
        object.extend(extra);
    }
    object
}
