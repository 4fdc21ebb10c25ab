//! One fake node, on which every pod becomes ready at once.

use std::process::Command;

use anyhow::Result;
use serde_json::json;

use super::{ADMINS, ControlPlane, READY};
use crate::deadline::{Seen, eventually};
use crate::kubectl::condition;
use crate::process::Process;
use crate::tools;

/// On a pod of a Job: its containers end with an error.
pub const FAILS: &str = "e2e.stageset.invalid/fails";

/// What becomes of pods with the annotation [`FAILS`]; its weight wins over kwok's own stages, which
/// have none.
const FAILING: &str = r#"
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata:
  name: pod-fail
spec:
  resourceRef: {apiGroup: v1, kind: Pod}
  selector:
    matchAnnotations:
      e2e.stageset.invalid/fails: "true"
    matchExpressions:
    - {key: .metadata.deletionTimestamp, operator: DoesNotExist}
    - {key: .status.phase, operator: In, values: [Running]}
  weight: 100
  next:
    statusTemplate: |
      {{ $now := Now }}
      containerStatuses:
      {{ range $index, $item := .spec.containers }}
      - image: {{ $item.image | Quote }}
        name: {{ $item.name | Quote }}
        ready: false
        restartCount: 0
        started: false
        state:
          terminated:
            exitCode: 1
            finishedAt: {{ $now | Quote }}
            reason: Error
            startedAt: {{ $now | Quote }}
      {{ end }}
      phase: Failed
"#;

/// Starts kwok with its stage files and waits until its node is ready.
pub(super) fn start(plane: &mut ControlPlane) -> Result<()> {
    let kubeconfig = plane.credentials("e2e:kwok", Some(ADMINS))?;
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
    let failing = plane.folder().join("pod-fail.yaml");
    std::fs::write(&failing, FAILING)?;
    command.arg("-c").arg(failing);
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
