//! Every request that the operator can make, with its plane and identity (I1).
//!
//! One table: tests compare with it what the driver and the controller really send, on the simulator
//! request by request and on a real API server by its audit log. A request that isn't in it is a
//! defect, here or there. What is done as a tenant isn't listed by resource: a tenant's RBAC decides.

/// As whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Plane {
    /// As the controller, on its own records.
    Record,
    /// As the controller, reading what StageSets refer to and what is the same for all.
    Read,
    /// As the StageSet's tenant, or, remotely and without an account, as its kubeconfig.
    Tenant,
    /// As whoever a kubeconfig is, at its cluster: discovery.
    Remote,
}

/// One row: who may send which verbs about what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// As whom.
    pub plane: Plane,
    /// API group; `*` = any.
    pub group: &'static str,
    /// Plural resource with its subresource; empty = paths that name none; `*` = any.
    pub resource: &'static str,
    /// Kubernetes verbs.
    pub verbs: &'static [&'static str],
    /// Why.
    pub why: &'static str,
}

const READS: &[&str] = &["get", "list", "watch"];

const fn row(
    plane: Plane,
    group: &'static str,
    resource: &'static str,
    verbs: &'static [&'static str],
    why: &'static str,
) -> Row {
    Row {
        plane,
        group,
        resource,
        verbs,
        why,
    }
}

const OURS: &str = "stages.metio.wtf";

/// All rows.
pub const TABLE: &[Row] = &[
    row(
        Plane::Record,
        OURS,
        "stagesets",
        &["get", "list", "watch", "patch"],
        "what to deliver; the finalizer",
    ),
    row(
        Plane::Record,
        OURS,
        "stagesets/status",
        &["patch"],
        "how it went",
    ),
    row(
        Plane::Record,
        OURS,
        "stageinventories",
        &["get", "list", "watch", "create", "patch", "delete"],
        "what was delivered",
    ),
    row(
        Plane::Record,
        OURS,
        "stageledgers",
        &["get", "list", "watch", "create", "patch"],
        "which actions are done",
    ),
    row(
        Plane::Record,
        OURS,
        "stageledgers/status",
        &["patch"],
        "which actions are done",
    ),
    row(
        Plane::Record,
        "events.k8s.io",
        "events",
        &["create", "patch"],
        "what people should know",
    ),
    row(
        Plane::Record,
        "coordination.k8s.io",
        "leases",
        &["get", "create", "update", "patch"],
        "which replica acts",
    ),
    row(
        Plane::Record,
        "admissionregistration.k8s.io",
        "validatingwebhookconfigurations",
        &["get", "list", "watch", "patch", "update"],
        "the CA of its own webhook",
    ),
    row(
        Plane::Read,
        "",
        "",
        &["get"],
        "discovery: the same for everybody",
    ),
    row(
        Plane::Read,
        "",
        "serviceaccounts",
        READS,
        "does the account exist? (K02)",
    ),
    row(
        Plane::Read,
        "",
        "namespaces",
        &["get"],
        "is the namespace going? (K21)",
    ),
    row(
        Plane::Read,
        "",
        "secrets",
        &["get"],
        "the kubeconfig of a StageSet, and no other Secret (S26, S30)",
    ),
    row(
        Plane::Read,
        "source.toolkit.fluxcd.io",
        "*",
        READS,
        "what a source offers (K04)",
    ),
    row(
        Plane::Read,
        "jaas.metio.wtf",
        "*",
        READS,
        "what a source offers (K04)",
    ),
    row(
        Plane::Read,
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        READS,
        "which kinds appear",
    ),
    row(
        Plane::Tenant,
        "authorization.k8s.io",
        "selfsubjectrulesreviews",
        &["create"],
        "may the account do it? (K31)",
    ),
    row(
        Plane::Tenant,
        "authorization.k8s.io",
        "selfsubjectaccessreviews",
        &["create"],
        "may the account do it? (K31, K04)",
    ),
    row(
        Plane::Tenant,
        "*",
        "*",
        &["get", "list", "watch", "create", "patch", "delete"],
        "everything that a StageSet asks for; the tenant's RBAC decides",
    ),
    row(
        Plane::Remote,
        "",
        "",
        &["get"],
        "discovery of a remote cluster",
    ),
];

/// The row that allows a request, if one does. `resource` is the plural with its subresource, empty
/// for paths that name none.
pub fn listed(planes: &[Plane], verb: &str, group: &str, resource: &str) -> Option<&'static Row> {
    let fits =
        |pattern: &str, found: &str| pattern == found || (pattern == "*" && !found.is_empty());
    TABLE.iter().find(|row| {
        planes.contains(&row.plane)
            && row.verbs.contains(&verb)
            && (row.group == group || row.group == "*")
            && fits(row.resource, resource)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTROLLER: &[Plane] = &[Plane::Record, Plane::Read];

    #[test]
    fn s30_of_secrets_the_controller_may_get_one_and_nothing_else() {
        assert!(listed(CONTROLLER, "get", "", "secrets").is_some());
        for verb in ["list", "watch", "create", "patch", "update", "delete"] {
            assert!(listed(CONTROLLER, verb, "", "secrets").is_none(), "{verb}");
        }
    }

    #[test]
    fn s05_the_controller_writes_nothing_of_a_tenant() {
        for row in TABLE.iter().filter(|row| CONTROLLER.contains(&row.plane)) {
            assert!(row.group != "*" && !row.verbs.contains(&"*"));
        }
        for (group, resource) in [
            ("", "configmaps"),
            ("apps", "deployments"),
            ("", "pods"),
            ("rbac.authorization.k8s.io", "roles"),
        ] {
            for verb in [
                "get", "list", "watch", "create", "patch", "update", "delete",
            ] {
                assert!(
                    listed(CONTROLLER, verb, group, resource).is_none(),
                    "{verb} {resource}"
                );
                let tenant = listed(&[Plane::Tenant], verb, group, resource);
                assert_eq!(tenant.is_some(), verb != "update", "{verb} {resource}");
            }
        }
        assert!(listed(&[Plane::Remote], "get", "", "secrets").is_none());
    }

    /// The page that operators read has every row.
    #[test]
    fn the_documentation_has_every_row() {
        let page = include_str!("../../../../docs/tenancy.md");
        for row in TABLE {
            let resource = match (row.group, row.resource) {
                (_, "") => "discovery".to_owned(),
                ("*", "*") => "everything".to_owned(),
                ("", resource) => resource.to_owned(),
                (group, resource) => format!("{resource}.{group}"),
            };
            let line = format!(
                "| {:?} | {resource} | {} | {} |",
                row.plane,
                row.verbs.join(", "),
                row.why
            );
            assert!(page.contains(&line), "docs/tenancy.md lacks: {line}");
        }
    }
}
