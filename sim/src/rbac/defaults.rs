//! The cluster roles and bindings that come with a cluster, as far as users of it rely on them:
//! `cluster-admin`, `admin`, `edit`, `view` (aggregated), `system:discovery`, `system:basic-user`,
//! `system:public-info-viewer`.

use serde_json::{Value, json};

use crate::{object, server::Server};

const READ: [&str; 3] = ["get", "list", "watch"];
const WRITE: [&str; 5] = ["create", "delete", "deletecollection", "patch", "update"];

fn rule(verbs: &[&str], group: &str, resources: &[&str]) -> Value {
    json!({ "verbs": verbs, "apiGroups": [group], "resources": resources })
}

fn role(name: &str, labels: &Value, rules: &Value) -> Value {
    let mut labels = labels.clone();
    object::members(&mut labels)
        .insert("kubernetes.io/bootstrapping".into(), "rbac-defaults".into());
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {
            "name": name, "labels": labels,
            "annotations": { "rbac.authorization.kubernetes.io/autoupdate": "true" }
        },
        "rules": rules,
    })
}

fn aggregated(name: &str, labels: &Value) -> Value {
    let mut role = role(name, labels, &Value::Null);
    let selector = format!("rbac.authorization.k8s.io/aggregate-to-{name}");
    object::members(&mut role).insert(
        "aggregationRule".into(),
        json!({ "clusterRoleSelectors": [{ "matchLabels": { selector: "true" } }] }),
    );
    role
}

fn binding(role: &str, groups: &[&str]) -> Value {
    let subjects: Vec<Value> = groups
        .iter()
        .map(|g| json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": g }))
        .collect();
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": { "name": role, "labels": { "kubernetes.io/bootstrapping": "rbac-defaults" } },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role },
        "subjects": subjects,
    })
}

fn aggregate_to(role: &str) -> Value {
    let key = format!("rbac.authorization.k8s.io/aggregate-to-{role}");
    json!({ key: "true" })
}

fn cluster_roles() -> Vec<Value> {
    let core = [
        "configmaps",
        "endpoints",
        "persistentvolumeclaims",
        "persistentvolumeclaims/status",
        "pods",
        "replicationcontrollers",
        "replicationcontrollers/scale",
        "serviceaccounts",
        "services",
        "services/status",
    ];
    let core_read = [
        "bindings",
        "events",
        "limitranges",
        "namespaces/status",
        "pods/log",
        "pods/status",
        "replicationcontrollers/status",
        "resourcequotas",
        "resourcequotas/status",
        "namespaces",
    ];
    let core_write = [
        "configmaps",
        "endpoints",
        "events",
        "persistentvolumeclaims",
        "replicationcontrollers",
        "replicationcontrollers/scale",
        "services",
        "services/proxy",
    ];
    let apps = [
        "daemonsets",
        "deployments",
        "deployments/scale",
        "replicasets",
        "replicasets/scale",
        "statefulsets",
        "statefulsets/scale",
    ];
    let apps_status = [
        "daemonsets/status",
        "deployments/status",
        "replicasets/status",
        "statefulsets/status",
    ];
    let view = json!([
        rule(&READ, "", &core),
        rule(&READ, "", &core_read),
        rule(&READ, "discovery.k8s.io", &["endpointslices"]),
        rule(&READ, "apps", &["controllerrevisions"]),
        rule(&READ, "apps", &apps),
        rule(&READ, "apps", &apps_status),
        rule(
            &READ,
            "autoscaling",
            &[
                "horizontalpodautoscalers",
                "horizontalpodautoscalers/status"
            ]
        ),
        rule(
            &READ,
            "batch",
            &["cronjobs", "cronjobs/status", "jobs", "jobs/status"]
        ),
        rule(
            &READ,
            "policy",
            &["poddisruptionbudgets", "poddisruptionbudgets/status"]
        ),
        rule(
            &READ,
            "networking.k8s.io",
            &["ingresses", "ingresses/status", "networkpolicies"]
        ),
    ]);
    let edit = json!([
        rule(
            &READ,
            "",
            &[
                "pods/attach",
                "pods/exec",
                "pods/portforward",
                "pods/proxy",
                "secrets",
                "services/proxy"
            ]
        ),
        rule(&["impersonate"], "", &["serviceaccounts"]),
        rule(
            &WRITE,
            "",
            &[
                "pods",
                "pods/attach",
                "pods/exec",
                "pods/portforward",
                "pods/proxy"
            ]
        ),
        rule(&["create"], "", &["pods/eviction"]),
        rule(&WRITE, "", &core_write),
        rule(&WRITE, "", &["secrets", "serviceaccounts"]),
        rule(&["create"], "", &["serviceaccounts/token"]),
        rule(
            &WRITE,
            "apps",
            &[
                "daemonsets",
                "deployments",
                "deployments/rollback",
                "deployments/scale",
                "replicasets",
                "replicasets/scale",
                "statefulsets",
                "statefulsets/scale"
            ]
        ),
        rule(&WRITE, "autoscaling", &["horizontalpodautoscalers"]),
        rule(&WRITE, "batch", &["cronjobs", "jobs"]),
        rule(&WRITE, "policy", &["poddisruptionbudgets"]),
        rule(
            &WRITE,
            "networking.k8s.io",
            &["ingresses", "networkpolicies"]
        ),
        rule(
            &[
                "create",
                "delete",
                "deletecollection",
                "get",
                "list",
                "patch",
                "update",
                "watch"
            ],
            "coordination.k8s.io",
            &["leases"]
        ),
    ]);
    let admin = json!([
        rule(
            &["create"],
            "authorization.k8s.io",
            &["localsubjectaccessreviews"]
        ),
        rule(
            &[
                "create",
                "delete",
                "deletecollection",
                "get",
                "list",
                "patch",
                "update",
                "watch"
            ],
            super::GROUP,
            &["rolebindings", "roles"],
        ),
    ]);
    let none = json!({});
    vec![
        role(
            "cluster-admin",
            &none,
            &json!([
                { "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] },
                { "verbs": ["*"], "nonResourceURLs": ["*"] },
            ]),
        ),
        role(
            "system:discovery",
            &none,
            &json!([{
                "verbs": ["get"],
                "nonResourceURLs": [
                    "/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*",
                    "/readyz", "/version", "/version/",
                ],
            }]),
        ),
        role(
            "system:public-info-viewer",
            &none,
            &json!([{
                "verbs": ["get"],
                "nonResourceURLs": ["/healthz", "/livez", "/readyz", "/version", "/version/"],
            }]),
        ),
        role(
            "system:basic-user",
            &none,
            &json!([
                rule(
                    &["create"],
                    "authorization.k8s.io",
                    &["selfsubjectaccessreviews", "selfsubjectrulesreviews"]
                ),
                rule(
                    &["create"],
                    "authentication.k8s.io",
                    &["selfsubjectreviews"]
                ),
            ]),
        ),
        aggregated("admin", &none),
        aggregated("edit", &aggregate_to("admin")),
        aggregated("view", &aggregate_to("edit")),
        role("system:aggregate-to-admin", &aggregate_to("admin"), &admin),
        role("system:aggregate-to-edit", &aggregate_to("edit"), &edit),
        role("system:aggregate-to-view", &aggregate_to("view"), &view),
    ]
}

/// Puts them into a fresh cluster.
pub(crate) fn install(server: &mut Server) {
    for role in cluster_roles() {
        server.plant(role);
    }
    for (name, groups) in [
        ("cluster-admin", &["system:masters"][..]),
        ("system:discovery", &["system:authenticated"]),
        ("system:basic-user", &["system:authenticated"]),
        (
            "system:public-info-viewer",
            &["system:authenticated", "system:unauthenticated"],
        ),
    ] {
        server.plant(binding(name, groups));
    }
    // `edit` takes from `view`, `admin` from both.
    super::aggregation::aggregate(server);
    super::aggregation::aggregate(server);
    super::aggregation::aggregate(server);
}
