//! One Kubernetes control plane in one temporary folder.
//!
//! | Program | What it is for |
//! |---|---|
//! | etcd, kube-apiserver | always: RBAC on, audit log on, its own authority |
//! | kube-controller-manager | garbage collection, namespaces, workloads' controllers, ServiceAccounts |
//! | kube-scheduler, kwok | pods get a node and become ready, without a kubelet |
//! | source-controller | Flux's sources, real artifacts from real git repositories |

mod apiserver;
mod controllers;
mod kwok;
mod source;

pub use kwok::FAILS;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::kubeconfig::{Server, User};
use crate::kubectl::Kubectl;
use crate::pki::{Authority, Pair};
use crate::process::Process;

/// How long any one program may take to become ready.
const READY: Duration = Duration::from_mins(2);

/// The group whose members the API server lets do everything.
const ADMINS: &str = "system:masters";

/// What runs beside etcd and kube-apiserver.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// kube-controller-manager.
    pub controller_manager: bool,
    /// kube-scheduler and kwok with one node: pods become ready. Wants the controller-manager.
    pub workloads: bool,
    /// Flux's source-controller, with its CRDs.
    pub source_controller: bool,
}

impl Options {
    /// The API server alone.
    pub const API_ONLY: Self = Self {
        controller_manager: false,
        workloads: false,
        source_controller: false,
    };

    /// Everything this crate can start.
    pub const EVERYTHING: Self = Self {
        controller_manager: true,
        workloads: true,
        source_controller: true,
    };
}

/// A running control plane. Dropping it stops every process and removes its folder.
#[derive(Debug)]
pub struct ControlPlane {
    // In the order in which they are stopped: fields drop from top to bottom.
    processes: Vec<Process>,
    admin: Kubectl,
    server: Server,
    authority: Authority,
    folder: Folder,
}

impl ControlPlane {
    /// Starts a control plane and waits until every part of it works.
    ///
    /// # Errors
    /// When a tool isn't built, a program ends early (with its log) or doesn't get ready in time.
    pub fn start(options: Options) -> Result<Self> {
        let folder = Folder::create()?;
        let authority = Authority::create(&folder.path.join("pki"))?;
        let mut plane = apiserver::start(folder, authority)?;
        if options.controller_manager {
            controllers::start_manager(&mut plane, &["*"])?;
        }
        if options.workloads {
            controllers::start_scheduler(&mut plane)?;
            kwok::start(&mut plane)?;
        }
        if options.source_controller {
            source::start(&mut plane)?;
        }
        Ok(plane)
    }

    /// Starts kube-controller-manager with nothing but these controllers, one of which must be the one
    /// that makes `ServiceAccount`s. For a control plane that was started without it.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_controllers(&mut self, controllers: &[&str]) -> Result<()> {
        controllers::start_manager(self, controllers)
    }

    /// `kubectl` as the cluster's administrator.
    pub fn admin(&self) -> &Kubectl {
        &self.admin
    }

    /// Address and authority of the API server, for further kubeconfigs.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The folder with the logs, the keys and the data.
    pub fn folder(&self) -> &Path {
        &self.folder.path
    }

    /// The API server's audit log: one event a line.
    pub fn audit_log(&self) -> PathBuf {
        self.folder.path.join("audit.log")
    }

    /// Leaves the folder behind when this control plane is dropped, for diagnosis.
    pub fn keep_folder(&mut self) {
        self.folder.keep = true;
    }

    /// Fails when one of the programs has ended.
    ///
    /// # Errors
    /// With the end of that program's log.
    pub fn must_run(&mut self) -> Result<()> {
        self.processes.iter_mut().try_for_each(Process::must_run)
    }

    /// A client certificate for a user, who is in a group if one is given.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn certificate(&self, user: &str, group: Option<&str>) -> Result<Pair> {
        self.authority.client(user, group)
    }

    /// Writes a kubeconfig for a certificate of `user` and returns its path.
    fn credentials(&self, user: &str, group: Option<&str>) -> Result<PathBuf> {
        let pair = self.certificate(user, group)?;
        let file = self
            .folder
            .path
            .join(format!("{}.kubeconfig", user.replace(':', "-")));
        self.server
            .write_kubeconfig(User::Certificate(&pair), &file)?;
        Ok(file)
    }

    fn log(&self, program: &str) -> PathBuf {
        self.folder.path.join(format!("{program}.log"))
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        // Last started, first stopped: nobody retries against a server that is gone.
        while let Some(process) = self.processes.pop() {
            drop(process);
        }
    }
}

/// A temporary folder that goes away with its owner.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    fn create() -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "stageset-e2e-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        // A folder of that name is one that an earlier process with our id left behind.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).with_context(|| format!("creating {}", path.display()))?;
        Ok(Self {
            path,
            keep: std::env::var_os("STAGESET_E2E_KEEP").is_some(),
        })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep {
            // What can't be removed lies in the system's temporary folder and harms nobody.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
