//! What the Helm chart makes: rendered by `helm template`, applied as it is, and from nowhere else.

use std::path::PathBuf;
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
    "templates/rbac-impersonation.yaml",
    "templates/rbac-cluster.yaml",
];

/// The rights in the release's own namespace, where a leader is elected.
const ELECTION: &str = "templates/rbac-leader-election.yaml";

/// A release of the chart: its name, its namespace and its `--set` values.
#[derive(Clone, Debug)]
pub struct Release {
    name: String,
    namespace: String,
    values: Vec<String>,
}

impl Default for Release {
    /// As most people install it.
    fn default() -> Self {
        Self::new(RELEASE, NAMESPACE, &[])
    }
}

impl Release {
    /// A release; nothing is installed.
    pub fn new(name: &str, namespace: &str, values: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        }
    }

    /// The same without the CRDs.
    #[must_use]
    pub fn without_crds(&self) -> Self {
        let mut release = self.clone();
        release.values.push("crds.create=false".to_owned());
        release
    }

    /// Name of the release's `ServiceAccount`, by the chart's own rule.
    pub fn account(&self) -> String {
        if self.name.contains(RELEASE) {
            self.name.clone()
        } else {
            format!("{}-{RELEASE}", self.name)
        }
    }

    /// User name of that account.
    pub fn user(&self) -> String {
        format!(
            "system:serviceaccount:{}:{}",
            self.namespace,
            self.account()
        )
    }

    /// The release's namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Renders some templates of the chart; all of them if none is named.
    ///
    /// # Errors
    /// When helm isn't built, or refuses.
    pub fn render(&self, templates: &[&str]) -> Result<String> {
        self.helm(templates, None)
    }

    /// Renders everything as for a cluster of this version.
    ///
    /// # Errors
    /// When helm isn't built, or refuses.
    pub fn render_for(&self, kubernetes: &str) -> Result<String> {
        self.helm(&[], Some(kubernetes))
    }

    fn helm(&self, templates: &[&str], kubernetes: Option<&str>) -> Result<String> {
        let mut helm = Command::new(tools::program("helm", "helm")?);
        helm.args(["template", &self.name])
            .arg(folder())
            .args(["--namespace", &self.namespace])
            // The newest that the chart knows of, whatever this helm was built with.
            .args(["--kube-version", kubernetes.unwrap_or("1.37.0")]);
        for template in templates {
            helm.args(["--show-only", template]);
        }
        for value in &self.values {
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

    /// Installs the release, or brings it to its values, as `helm upgrade --install` does.
    ///
    /// # Errors
    /// When helm isn't built, or the API server refuses something.
    pub fn upgrade(&self, kubectl: &Kubectl) -> Result<()> {
        let mut helm = Command::new(tools::program("helm", "helm")?);
        helm.args(["upgrade", "--install", "--create-namespace", &self.name])
            .arg(folder());
        for value in &self.values {
            helm.args(["--set", value]);
        }
        self.with_cluster(helm, kubectl)
    }

    /// Takes the release away without the cleanup of `StageSets`, which needs a node to run on.
    ///
    /// # Errors
    /// When helm isn't built, or the API server refuses something.
    pub fn uninstall(&self, kubectl: &Kubectl) -> Result<()> {
        let mut helm = Command::new(tools::program("helm", "helm")?);
        helm.args(["uninstall", "--no-hooks", &self.name]);
        self.with_cluster(helm, kubectl)
    }

    fn with_cluster(&self, mut helm: Command, kubectl: &Kubectl) -> Result<()> {
        helm.args(["--namespace", &self.namespace])
            .arg("--kubeconfig")
            .arg(kubectl.kubeconfig());
        let output = helm.output().context("starting helm")?;
        if !output.status.success() {
            bail!(
                "helm: {}",
                String::from_utf8_lossy(&output.stderr).trim_end()
            );
        }
        Ok(())
    }

    /// Installs the controller's account with exactly the rights that the chart gives it.
    ///
    /// # Errors
    /// When the API server refuses them.
    pub fn install_rights(&self, kubectl: &Kubectl) -> Result<()> {
        kubectl.apply(&serde_json::json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace},
        }))?;
        kubectl.apply_yaml(&self.render(&[RIGHTS, &[ELECTION]].concat())?)
    }
}

/// Where the chart is.
pub fn folder() -> PathBuf {
    tools::repository_root().join("charts/stageset-controller")
}

/// Installs the CRDs and waits until they are served.
///
/// # Errors
/// When the API server refuses them.
pub fn install_crds(kubectl: &Kubectl) -> Result<()> {
    kubectl.apply_yaml(&Release::default().render(&["templates/crds.yaml"])?)?;
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
    Release::default().install_rights(kubectl)
}
