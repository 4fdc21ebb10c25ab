//! The built `stageset-controller`, run as its `ServiceAccount`.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::chart;
use crate::deadline::{Seen, eventually};
use crate::http;
use crate::process::{Process, free_port};
use crate::tools;

/// How long the controller may take to become ready, or to stop.
const PATIENCE: Duration = Duration::from_mins(1);

/// A controller process that can be killed and started again.
#[derive(Debug)]
pub struct Controller {
    binary: PathBuf,
    kubeconfig: PathBuf,
    log: PathBuf,
    flags: Vec<String>,
    name: String,
    namespace: String,
    health: String,
    metrics: String,
    process: Option<Process>,
}

impl Controller {
    /// Prepares a controller that uses `kubeconfig` and logs to `folder/name.log`; nothing runs yet.
    ///
    /// `flags` come after the ones that every test needs: addresses of its own, loopback artifacts
    /// allowed, text logs.
    ///
    /// # Errors
    /// When the binary isn't built.
    pub fn new(name: &str, kubeconfig: &Path, folder: &Path, flags: &[&str]) -> Result<Self> {
        let (health, metrics) = (
            format!("127.0.0.1:{}", free_port()?),
            format!("127.0.0.1:{}", free_port()?),
        );
        let mut all = vec![
            format!("--health-probe-bind-address={health}"),
            format!("--metrics-bind-address={metrics}"),
            "--allow-artifact-addresses=127.0.0.0/8".to_owned(),
            "--allow-remote-addresses=127.0.0.0/8".to_owned(),
            "--allow-action-addresses=127.0.0.1/32".to_owned(),
            "--log-format=text".to_owned(),
            "--log-level=debug".to_owned(),
            "--enable-webhook=false".to_owned(),
        ];
        all.extend(flags.iter().map(|flag| (*flag).to_owned()));
        Ok(Self {
            binary: binary()?,
            kubeconfig: kubeconfig.to_owned(),
            log: folder.join(format!("{name}.log")),
            flags: all,
            name: name.to_owned(),
            namespace: chart::NAMESPACE.to_owned(),
            health,
            metrics,
            process: None,
        })
    }

    /// The same, as if its pod were in another namespace.
    #[must_use]
    pub fn in_namespace(mut self, namespace: &str) -> Self {
        namespace.clone_into(&mut self.namespace);
        self
    }

    /// Starts the process without waiting for anything.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn start(&mut self) -> Result<()> {
        let mut command = Command::new(&self.binary);
        command
            .args(&self.flags)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("POD_NAMESPACE", &self.namespace)
            .env("POD_NAME", &self.name);
        self.process = Some(Process::start(&self.name, &command, &self.log)?);
        Ok(())
    }

    /// Starts the process and waits until `/readyz` says yes.
    ///
    /// # Errors
    /// When it ends early or isn't ready in time.
    pub fn start_ready(&mut self) -> Result<()> {
        self.start()?;
        self.wait_ready()
    }

    /// Waits until `/readyz` says yes.
    ///
    /// # Errors
    /// When the process ends or the deadline passes.
    pub fn wait_ready(&mut self) -> Result<()> {
        let health = self.health.clone();
        eventually(&format!("{} to be ready", self.name), PATIENCE, || {
            self.must_run()?;
            Ok(match http::get_status(&health, "/readyz") {
                Ok(200) => Seen::Yes(()),
                other => Seen::NotYet(format!("{other:?}")),
            })
        })
    }

    /// Fails when the process isn't running.
    ///
    /// # Errors
    /// With the end of its log.
    pub fn must_run(&mut self) -> Result<()> {
        match &mut self.process {
            Some(process) => process.must_run(),
            None => bail!("{} is not running", self.name),
        }
    }

    /// SIGKILL: no time to say goodbye.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.process
            .take()
            .map_or(Ok(()), |mut process| process.kill())
    }

    /// SIGTERM, and waits for the end.
    ///
    /// # Errors
    /// When it isn't running or doesn't end in time.
    pub fn terminate(&mut self) -> Result<ExitStatus> {
        match self.process.take() {
            Some(mut process) => process.terminate(PATIENCE),
            None => bail!("{} is not running", self.name),
        }
    }

    /// The status code of a path on the health port.
    ///
    /// # Errors
    /// When nobody answers.
    pub fn health_status(&self, path: &str) -> Result<u16> {
        http::get_status(&self.health, path)
    }

    /// All its metrics.
    ///
    /// # Errors
    /// When it doesn't answer.
    pub fn metrics(&self) -> Result<String> {
        http::get_text(&self.metrics, "/metrics")
    }

    /// Process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// What it has logged so far, over all of its lives.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(&self.log)?)
    }
}

/// `STAGESET_CONTROLLER_BIN`, else the debug binary of this workspace.
fn binary() -> Result<PathBuf> {
    let path = std::env::var_os("STAGESET_CONTROLLER_BIN").map_or_else(
        || {
            let target = std::env::var_os("CARGO_TARGET_DIR")
                .map_or_else(|| tools::repository_root().join("target"), PathBuf::from);
            target.join("debug/stageset-controller")
        },
        PathBuf::from,
    );
    if !path.exists() {
        bail!(
            "{} is not there: run `cargo build -p stageset-controller` first",
            path.display()
        );
    }
    Ok(path)
}
