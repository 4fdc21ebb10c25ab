//! The controller's rights in a simulation: those of the default chart, read from the chart's own
//! templates, so that a right that the chart lacks is missing here too.

use serde_json::{Value, json};
use stageset_render::{Limits, yaml};

/// Namespace of the controller.
pub(super) const NAMESPACE: &str = "stageset-system";
/// ServiceAccount of the controller.
pub(super) const ACCOUNT: &str = "stageset-controller";

const TENANT: &str =
    include_str!("../../../../charts/stageset-controller/templates/rbac-tenant.yaml");
const IMPERSONATION: &str =
    include_str!("../../../../charts/stageset-controller/templates/rbac-impersonation.yaml");
const CLUSTER: &str =
    include_str!("../../../../charts/stageset-controller/templates/rbac-cluster.yaml");

/// The rules of a template: the plain YAML below its first `rules:`.
fn rules(template: &str) -> Option<Value> {
    let block: String = template
        .lines()
        .skip_while(|line| *line != "rules:")
        .take_while(|line| *line == "rules:" || line.starts_with("  "))
        .fold(String::new(), |block, line| block + line + "\n");
    let mut documents = yaml::documents(block.as_bytes(), &Limits::default()).ok()?;
    let rules = documents.pop()?.value.get("rules")?.clone();
    rules
        .as_array()
        .is_some_and(|rules| !rules.is_empty())
        .then_some(rules)
}

/// The controller's namespace, account, roles and bindings; `None` if the chart's
/// templates have lost their shape, which a test would have noticed.
pub(super) fn objects(cluster_admin: bool) -> Option<Vec<Value>> {
    let subjects = json!([{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE}]);
    let binding = |name: &str, role: &str| {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": role,
            },
            "subjects": subjects,
        })
    };
    let role = |name: &str, rules: Value| {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": name},
            "rules": rules,
        })
    };
    let mut objects = vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}),
        json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": ACCOUNT, "namespace": NAMESPACE},
        }),
    ];
    for (name, template) in [
        ("stageset-controller:tenant", TENANT),
        ("stageset-controller:impersonation", IMPERSONATION),
        ("stageset-controller:cluster", CLUSTER),
    ] {
        objects.push(role(name, rules(template)?));
        objects.push(binding(name, name));
    }
    if cluster_admin {
        objects.push(binding(
            "stageset-controller:cluster-admin",
            "cluster-admin",
        ));
    }
    Some(objects)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rights_are_the_charts_own() {
        let tenant = rules(TENANT).unwrap().to_string();
        let impersonation = rules(IMPERSONATION).unwrap().to_string();
        assert!(impersonation.contains("impersonate"), "{impersonation}");
        assert!(tenant.contains("stageinventories"), "{tenant}");
        let cluster = rules(CLUSTER).unwrap().to_string();
        assert!(cluster.contains("customresourcedefinitions"), "{cluster}");
        for rules in [tenant, impersonation, cluster] {
            assert!(
                !rules.contains("deployments") && !rules.contains('*'),
                "{rules}"
            );
        }
        assert_eq!(objects(false).unwrap().len(), 8);
        assert_eq!(objects(true).unwrap().len(), 9);
    }
}
