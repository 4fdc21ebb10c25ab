//! Flux's source-controller as a plain process.

use std::process::Command;

use anyhow::Result;

use super::{ADMINS, ControlPlane, READY};
use crate::deadline::{Seen, eventually};
use crate::process::{Process, free_port};
use crate::tools;

/// Installs its CRDs, starts it and waits until it answers.
///
/// Its artifacts have loopback URLs, which the controller under test refuses unless it is told to
/// allow that range.
pub(super) fn start(plane: &mut ControlPlane) -> Result<()> {
    for crd in tools::shared_files("source-controller", "crds")? {
        plane.admin.apply_file(&crd)?;
    }
    plane.admin.wait_established(
        &[
            "gitrepositories.source.toolkit.fluxcd.io",
            "externalartifacts.source.toolkit.fluxcd.io",
        ],
        READY,
    )?;

    let kubeconfig = plane.credentials("e2e:source-controller", Some(ADMINS))?;
    let address = |port: u16| format!("127.0.0.1:{port}");
    let (storage, health) = (address(free_port()?), address(free_port()?));
    let mut command = Command::new(tools::program("source-controller", "source-controller")?);
    command
        .env("KUBECONFIG", kubeconfig)
        .env("RUNTIME_NAMESPACE", "default")
        .arg("--storage-path")
        .arg(plane.folder().join("artifacts"))
        .arg(format!("--storage-addr={storage}"))
        .arg(format!("--storage-adv-addr={storage}"))
        .arg(format!("--health-addr={health}"))
        .args([
            "--metrics-addr=0",
            "--enable-leader-election=false",
            "--log-level=info",
        ]);
    std::fs::create_dir_all(plane.folder().join("artifacts"))?;
    let process = Process::start(
        "source-controller",
        &command,
        &plane.log("source-controller"),
    )?;
    plane.processes.push(process);
    eventually("source-controller to be ready", READY, || {
        plane.must_run()?;
        Ok(match crate::http::get_status(&health, "/readyz") {
            Ok(200) => Seen::Yes(()),
            other => Seen::NotYet(format!("{other:?}")),
        })
    })
}
