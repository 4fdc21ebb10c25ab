//! The cluster, the controller and the fixtures that all scenarios share.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail};
use stageset_e2e::audit::{self, Event};
use stageset_e2e::chart::{self, Release};
use stageset_e2e::controller::Controller;
use stageset_e2e::fixtures::{ArtifactServer, GitServer};
use stageset_e2e::kubeconfig::User;
use stageset_e2e::{ControlPlane, Kubectl, Options};

/// What a scenario works with.
#[derive(Debug)]
pub(crate) struct World {
    // Dropped before the cluster that it talks to.
    controller: Mutex<Controller>,
    pub(crate) artifacts: ArtifactServer,
    kubectl: Kubectl,
    kubeconfig: PathBuf,
    folder: PathBuf,
    plane: Option<ControlPlane>,
    keep: bool,
}

impl Drop for World {
    fn drop(&mut self) {
        // The control plane removes its own folder; this is the one beside an existing cluster.
        if self.plane.is_none() && !self.keep {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

impl World {
    /// Starts everything: the cluster, the CRDs and rights of the chart, the controller.
    pub(crate) fn start() -> Result<Self> {
        let existing = match std::env::var("STAGESET_E2E_CLUSTER").as_deref() {
            Ok("existing") => true,
            Ok("local") | Err(_) => false,
            Ok(other) => bail!("STAGESET_E2E_CLUSTER is {other:?}: local or existing"),
        };
        let world = if existing {
            Self::on_existing()?
        } else {
            Self::on_local()?
        };
        world.controller().start_ready()?;
        Ok(world)
    }

    fn on_local() -> Result<Self> {
        let plane = ControlPlane::start(Options::EVERYTHING)?;
        let kubectl = plane.admin().clone();
        install(&kubectl)?;
        let token = kubectl.service_account_token(chart::NAMESPACE, chart::RELEASE)?;
        let folder = plane.folder().to_owned();
        let kubeconfig = folder.join("controller.kubeconfig");
        plane
            .server()
            .write_kubeconfig(User::Token(&token), &kubeconfig)?;
        Self::with(kubectl, kubeconfig, folder, Some(plane))
    }

    fn on_existing() -> Result<Self> {
        let admin = std::env::var_os("KUBECONFIG")
            .context("STAGESET_E2E_CLUSTER=existing needs KUBECONFIG")?;
        let folder = std::env::temp_dir().join(format!("stageset-e2e-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let kubectl = Kubectl::new(Path::new(&admin), &folder.join("kubectl-cache"));
        install(&kubectl)?;
        let token = kubectl.service_account_token(chart::NAMESPACE, chart::RELEASE)?;
        let kubeconfig = folder.join("controller.kubeconfig");
        std::fs::write(&kubeconfig, with_token(&kubectl, &token)?)?;
        Self::with(kubectl, kubeconfig, folder, None)
    }

    fn with(
        kubectl: Kubectl,
        kubeconfig: PathBuf,
        folder: PathBuf,
        plane: Option<ControlPlane>,
    ) -> Result<Self> {
        let controller = Controller::new("stageset-controller", &kubeconfig, &folder, &[])?;
        let artifacts = ArtifactServer::start()?;
        Ok(Self {
            controller: Mutex::new(controller),
            artifacts,
            kubectl,
            kubeconfig,
            folder,
            plane,
            keep: false,
        })
    }

    /// The cluster as its administrator.
    pub(crate) fn kubectl(&self) -> &Kubectl {
        &self.kubectl
    }

    /// The controller that all scenarios share.
    pub(crate) fn controller(&self) -> MutexGuard<'_, Controller> {
        self.controller
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A further controller with the same rights; nothing runs yet.
    pub(crate) fn another_controller(&self, name: &str, flags: &[&str]) -> Result<Controller> {
        Controller::new(name, &self.kubeconfig, &self.folder, flags)
    }

    /// A controller of another release, with the rights that the chart gives that one; nothing runs
    /// yet.
    pub(crate) fn controller_of(&self, release: &Release, flags: &[&str]) -> Result<Controller> {
        release.install_rights(&self.kubectl)?;
        self.controller_installed(release, flags)
    }

    /// A controller of a release that stands in the cluster; nothing runs yet.
    pub(crate) fn controller_installed(
        &self,
        release: &Release,
        flags: &[&str],
    ) -> Result<Controller> {
        let kubeconfig = self.kubeconfig_of(release)?;
        let controller = Controller::new(&release.account(), &kubeconfig, &self.folder, flags)?;
        Ok(controller.in_namespace(release.namespace()))
    }

    /// kubectl in the hands of whoever has the token of a release's controller.
    pub(crate) fn kubectl_of(&self, release: &Release) -> Result<Kubectl> {
        let cache = self.folder.join(format!("{}-cache", release.account()));
        Ok(Kubectl::new(&self.kubeconfig_of(release)?, &cache))
    }

    fn kubeconfig_of(&self, release: &Release) -> Result<PathBuf> {
        let account = release.account();
        let token = self
            .kubectl
            .service_account_token(release.namespace(), &account)?;
        let plane = self
            .plane
            .as_ref()
            .context("needs a control plane of its own")?;
        let kubeconfig = self.folder.join(format!("{account}.kubeconfig"));
        plane
            .server()
            .write_kubeconfig(User::Token(&token), &kubeconfig)?;
        Ok(kubeconfig)
    }

    /// A git repository of the scenario's own.
    pub(crate) fn git(&self, name: &str) -> Result<GitServer> {
        GitServer::start(&self.folder.join("git").join(name))
    }

    /// Whether the cluster is one that this process started.
    pub(crate) fn is_local(&self) -> bool {
        self.plane.is_some()
    }

    /// All requests that the API server answered so far; none where its audit log can't be read.
    pub(crate) fn audit(&self) -> Result<Option<Vec<Event>>> {
        self.plane
            .as_ref()
            .map(|plane| audit::read(&plane.audit_log()))
            .transpose()
    }

    /// Keeps the folder with all logs and says where it is.
    pub(crate) fn keep(&mut self) {
        self.keep = true;
        if let Some(plane) = &mut self.plane {
            plane.keep_folder();
        }
        println!("logs are kept in {}", self.folder.display());
    }
}

fn install(kubectl: &Kubectl) -> Result<()> {
    chart::install_crds(kubectl)?;
    chart::install_rights(kubectl)
}

/// The existing cluster's kubeconfig with this token instead of its own credentials.
fn with_token(kubectl: &Kubectl, token: &str) -> Result<Vec<u8>> {
    let text = kubectl.run(&[
        "config",
        "view",
        "--raw",
        "--flatten",
        "--minify",
        "-o",
        "json",
    ])?;
    let mut config: serde_json::Value = serde_json::from_str(&text)?;
    config["users"][0]["user"] = serde_json::json!({ "token": token });
    Ok(serde_json::to_vec(&config)?)
}
