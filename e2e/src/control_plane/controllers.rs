//! kube-controller-manager and kube-scheduler.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::{ControlPlane, READY};
use crate::deadline::{Seen, eventually};
use crate::process::Process;
use crate::tools;

/// Starts the controller-manager with some of its controllers (`*`: all) and waits until it makes
/// `ServiceAccount`s.
pub(super) fn start_manager(plane: &mut ControlPlane, controllers: &[&str]) -> Result<()> {
    let kubeconfig = plane.credentials("system:kube-controller-manager", None)?;
    let mut command = component("kube-controller-manager", &kubeconfig)?;
    command
        .arg("--use-service-account-credentials=true")
        .arg(format!("--controllers={}", controllers.join(",")))
        // Its default of 20 requests a second would be what a hundred Deployments wait for.
        .args(["--kube-api-qps=1000", "--kube-api-burst=2000"])
        .arg("--concurrent-deployment-syncs=20")
        // kwok's node reports every 55 s or so, later than the default of 50 s, and its pods would
        // stay unready once they were found on a silent node.
        .arg("--node-monitor-grace-period=1h")
        .arg("--service-account-private-key-file")
        .arg(plane.folder().join("sa.key"))
        .arg("--root-ca-file")
        .arg(plane.authority.file());
    let process = Process::start(
        "kube-controller-manager",
        &command,
        &plane.log("kube-controller-manager"),
    )?;
    plane.processes.push(process);
    eventually("the default ServiceAccount", READY, || {
        plane.must_run()?;
        Ok(
            match plane
                .admin
                .raw("/api/v1/namespaces/default/serviceaccounts/default")?
            {
                Some(_) => Seen::Yes(()),
                None => Seen::NotYet("it does not exist".into()),
            },
        )
    })
}

/// Starts the scheduler. What it is ready for shows when the first pod gets its node.
pub(super) fn start_scheduler(plane: &mut ControlPlane) -> Result<()> {
    let kubeconfig = plane.credentials("system:kube-scheduler", None)?;
    let command = component("kube-scheduler", &kubeconfig)?;
    let process = Process::start("kube-scheduler", &command, &plane.log("kube-scheduler"))?;
    plane.processes.push(process);
    Ok(())
}

/// What both have in common: one instance, no port of their own.
fn component(name: &str, kubeconfig: &Path) -> Result<Command> {
    let mut command = Command::new(tools::program("kubernetes", name)?);
    command
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .arg("--authentication-kubeconfig")
        .arg(kubeconfig)
        .arg("--authorization-kubeconfig")
        .arg(kubeconfig)
        .args(["--leader-elect=false", "--secure-port=0"]);
    Ok(command)
}
