//! One fake node, on which every pod becomes ready at once.

use std::process::Command;

use anyhow::Result;
use serde_json::json;

use super::{ADMINS, ControlPlane, READY};
use crate::deadline::{Seen, eventually};
use crate::kubectl::condition;
use crate::pki::Authority;
use crate::process::Process;
use crate::tools;

/// Starts kwok with its stage files and waits until its node is ready.
pub(super) fn start(plane: &mut ControlPlane, authority: &Authority) -> Result<()> {
    let kubeconfig = plane.credentials(authority, "e2e:kwok", Some(ADMINS))?;
    let mut command = Command::new(tools::program("kwok", "kwok")?);
    command
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .arg("--manage-all-nodes=true")
        // Its own folder instead of the user's home.
        .env("KWOK_WORKDIR", plane.folder().join("kwok"));
    for stage in tools::shared_files("kwok", "stages")? {
        command.arg("-c").arg(stage);
    }
    let process = Process::start("kwok", &command, &plane.log("kwok"))?;
    plane.processes.push(process);
    plane.admin.apply(&json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "kwok-0", "labels": {"kubernetes.io/hostname": "kwok-0"}},
        "status": {
            "allocatable": {"cpu": "64", "memory": "256Gi", "pods": "10000"},
            "capacity": {"cpu": "64", "memory": "256Gi", "pods": "10000"},
        },
    }))?;
    eventually("the node kwok-0 to be ready", READY, || {
        plane.must_run()?;
        let node = plane.admin.raw("/api/v1/nodes/kwok-0")?;
        Ok(
            match node.as_ref().and_then(|node| condition(node, "Ready")) {
                Some(ready) if ready["status"] == "True" => Seen::Yes(()),
                other => Seen::NotYet(format!("{other:?}")),
            },
        )
    })
}
