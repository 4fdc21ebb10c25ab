//! Roles and bindings.

use serde_json::{Value, json};

use super::{Kind, plain};
use crate::random::Random;

const VERSION: &str = "rbac.authorization.k8s.io/v1";
const GROUP: &str = "rbac.authorization.k8s.io";

pub(crate) const ROLE: Kind = plain("Role", VERSION, "roles", role);
pub(crate) const ROLE_BINDING: Kind = plain("RoleBinding", VERSION, "rolebindings", binding);
pub(crate) const CLUSTER_ROLE: Kind = Kind {
    namespaced: false,
    ..plain("ClusterRole", VERSION, "clusterroles", cluster_role)
};
pub(crate) const CLUSTER_ROLE_BINDING: Kind = Kind {
    namespaced: false,
    ..plain(
        "ClusterRoleBinding",
        VERSION,
        "clusterrolebindings",
        cluster_binding,
    )
};

fn role(object: &mut Value, random: &mut Random) {
    object["rules"] = (0..random.below(3)).map(|_| rule(random)).collect();
    if random.percent(4) {
        object["rules"] = json!([{ "verbs": random.some(&["get"]), "nonResourceURLs": ["/x"] }]);
    }
}

fn cluster_role(object: &mut Value, random: &mut Random) {
    role(object, random);
    if random.percent(4) {
        object["rules"] = json!([{ "verbs": ["get"], "apiGroups": [""] }]);
    }
}

fn subjects(object: &mut Value, random: &mut Random) {
    let kinds = random.some(&["User", "Group", "ServiceAccount", "Cat"]);
    if random.percent(95) {
        object["subjects"] = kinds
            .iter()
            .filter(|kind| **kind != "Cat" || random.percent(10))
            .map(|kind| {
                let mut subject = json!({ "kind": kind, "name": "s" });
                match *kind {
                    "ServiceAccount" => subject["namespace"] = json!("n"),
                    _ => subject["apiGroup"] = json!(GROUP),
                }
                subject
            })
            .collect();
    }
}

fn binding(object: &mut Value, random: &mut Random) {
    let kind = random.pick(&["Role", "ClusterRole"]);
    object["roleRef"] = json!({ "apiGroup": GROUP, "kind": kind, "name": "a" });
    subjects(object, random);
}

fn cluster_binding(object: &mut Value, random: &mut Random) {
    let name = random.pick(&["view", "view", "edit"]);
    object["roleRef"] = json!({ "apiGroup": GROUP, "kind": "ClusterRole", "name": name });
    subjects(object, random);
}

/// A rule about resources.
pub(crate) fn rule(random: &mut Random) -> Value {
    let resources = [
        "pods",
        "pods/log",
        "deployments",
        "deployments/status",
        "*/status",
        "*",
        "jobs",
        "secrets",
    ];
    let mut rule = json!({
        "verbs": random.few(&["get", "list", "create", "patch", "*", "delete"]),
        "apiGroups": random.few(&["", "apps", "batch", "*"]),
        "resources": random.few(&resources),
    });
    if random.percent(30) {
        rule["resourceNames"] = json!(random.few(&["x", "y"]));
    }
    rule
}
