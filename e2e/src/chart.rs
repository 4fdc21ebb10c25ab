//! What the Helm chart grants: rendered by `helm template`, applied as it is, and from nowhere else.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::kubectl::Kubectl;
use crate::tools;

/// The namespace that the controller is installed into.
pub const NAMESPACE: &str = "stageset-system";

/// The release's name, which is also its `ServiceAccount`'s.
pub const RELEASE: &str = "stageset-controller";

/// The user name of the controller's `ServiceAccount`.
pub const USER: &str = "system:serviceaccount:stageset-system:stageset-controller";

/// Everything that makes the controller's account and its rights.
const RIGHTS: &[&str] = &[
    "templates/serviceaccount.yaml",
    "templates/rbac-tenant.yaml",
    "templates/rbac-cluster.yaml",
    "templates/rbac-leader-election.yaml",
];

/// Renders some templates of the chart with `--set` values.
///
/// # Errors
/// When helm isn't built, or refuses.
pub fn render(templates: &[&str], values: &[&str]) -> Result<String> {
    let mut helm = Command::new(tools::program("helm", "helm")?);
    helm.args(["template", RELEASE])
        .arg(tools::repository_root().join("charts/stageset-controller"))
        .args(["--namespace", NAMESPACE]);
    for template in templates {
        helm.args(["--show-only", template]);
    }
    for value in values {
        helm.args(["--set", value]);
    }
    let output = helm.output().context("starting helm")?;
    if !output.status.success() {
        bail!(
            "helm template: {}",
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Installs the CRDs and waits until they are served.
///
/// # Errors
/// When the API server refuses them.
pub fn install_crds(kubectl: &Kubectl) -> Result<()> {
    kubectl.apply_yaml(&render(&["templates/crds.yaml"], &[])?)?;
    kubectl.wait_established(
        &[
            "stagesets.stages.metio.wtf",
            "stageinventories.stages.metio.wtf",
            "stageledgers.stages.metio.wtf",
        ],
        Duration::from_mins(1),
    )
}

/// Installs the controller's account with exactly the rights that the chart gives it by default.
///
/// # Errors
/// When the API server refuses them.
pub fn install_rights(kubectl: &Kubectl) -> Result<()> {
    kubectl.apply(&serde_json::json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE},
    }))?;
    kubectl.apply_yaml(&render(RIGHTS, &[])?)
}
