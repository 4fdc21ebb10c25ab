//! The rights that the default chart grants: impersonate and read, no write on workloads.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use stageset_e2e::chart;

use crate::world::World;

pub(crate) fn run(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    for part in ["tenant", "cluster"] {
        let name = format!(
            "{}:{}:{}:{part}",
            chart::RELEASE,
            chart::NAMESPACE,
            chart::RELEASE
        );
        let path = format!("/apis/rbac.authorization.k8s.io/v1/clusterroles/{name}");
        let role = kubectl
            .raw(&path)?
            .with_context(|| format!("{name} is not there"))?;
        for rule in role["rules"].as_array().into_iter().flatten() {
            allowed(rule)?;
        }
    }
    // The API server's own view of the same account.
    for (verb, resource, expected) in [
        ("impersonate", "serviceaccounts", true),
        ("get", "secrets", true),
        ("list", "secrets", false),
        ("watch", "secrets", false),
        ("impersonate", "users", false),
        ("impersonate", "groups", false),
        ("create", "deployments.apps", false),
        ("patch", "configmaps", false),
        ("delete", "pods", false),
        ("create", "serviceaccounts/token", false),
        ("list", "pods", false),
        ("get", "configmaps", false),
    ] {
        let answer = kubectl
            .run(&["auth", "can-i", verb, resource, "-A", "--as", chart::USER])
            .unwrap_or_else(|error| error.to_string());
        ensure!(
            answer.lines().any(|line| line.trim() == "yes") == expected,
            "{verb} {resource}: expected {expected}, the API server says {answer}"
        );
    }
    let admin = chart::render(
        &["templates/rbac-cluster.yaml"],
        &["rbac.clusterAdmin=true"],
    )?;
    ensure!(
        admin.contains("name: cluster-admin"),
        "rbac.clusterAdmin binds nothing:\n{admin}"
    );
    let deployment = "templates/deployment.yaml";
    let flag = "--single-tenant";
    ensure!(
        chart::render(&[deployment], &["rbac.clusterAdmin=true"])?.contains(flag)
            && !chart::render(&[deployment], &[])?.contains(flag),
        "{flag} must come with rbac.clusterAdmin and only with it"
    );
    let scoped = chart::render(
        &["templates/rbac-tenant.yaml"],
        &["controller.watchNamespaces={a,b}"],
    )?;
    ensure!(
        !scoped.contains("kind: ClusterRoleBinding")
            && scoped.matches("kind: RoleBinding").count() == 2,
        "with watchNamespaces the tenant rights end at the list:\n{scoped}"
    );
    Ok(())
}

/// One rule of the default roles: no star, and writes only on the controller's own records.
fn allowed(rule: &Value) -> Result<()> {
    let words = |field: &str| -> Vec<String> {
        let list = rule[field].as_array().cloned().unwrap_or_default();
        list.iter()
            .filter_map(|word| word.as_str().map(str::to_owned))
            .collect()
    };
    let (groups, resources, verbs) = (words("apiGroups"), words("resources"), words("verbs"));
    for list in [&groups, &resources, &verbs] {
        ensure!(!list.iter().any(|word| word == "*"), "a star in {rule}");
    }
    let reads = ["get", "list", "watch"];
    if verbs.iter().all(|verb| reads.contains(&verb.as_str())) {
        return Ok(());
    }
    let own = groups == ["stages.metio.wtf"]
        || (resources == ["events"] && verbs == ["create", "patch"])
        || (resources == ["serviceaccounts"] && verbs == ["get", "list", "watch", "impersonate"]);
    ensure!(
        own,
        "a write that the controller has no business with: {rule}"
    );
    Ok(())
}
