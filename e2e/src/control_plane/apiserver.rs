//! etcd and kube-apiserver.

use std::fs;
use std::process::Command;

use anyhow::Result;

use super::{ADMINS, ControlPlane, Folder, READY};
use crate::deadline::{Seen, eventually};
use crate::kubeconfig::{Server, User};
use crate::kubectl::Kubectl;
use crate::pki::{self, Authority};
use crate::process::{Process, free_port};
use crate::tools;

/// Everything at level Metadata (who, as whom, verb, object, code), once a request is answered.
/// The control plane's own components are left out: they are most of the traffic and none of ours.
const AUDIT_POLICY: &str = r#"{
  "apiVersion": "audit.k8s.io/v1",
  "kind": "Policy",
  "omitStages": ["RequestReceived"],
  "rules": [
    {"level": "None", "users": ["system:apiserver", "system:kube-controller-manager",
                                "system:kube-scheduler", "e2e:kwok"]},
    {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]},
    {"level": "Metadata"}
  ]
}"#;

/// Starts both and waits until the API server says that it is ready.
pub(super) fn start(folder: Folder, authority: Authority) -> Result<ControlPlane> {
    let dir = folder.path.clone();
    let etcd_url = format!("http://127.0.0.1:{}", free_port()?);
    let etcd = start_etcd(&folder, &etcd_url)?;

    let port = free_port()?;
    let serving = authority.server(
        "kube-apiserver",
        &["127.0.0.1", "localhost", "kubernetes.default.svc"],
    )?;
    let (sa_key, sa_public) = pki::service_account_key(&dir)?;
    let policy = dir.join("audit-policy.json");
    fs::write(&policy, AUDIT_POLICY)?;

    let mut command = Command::new(tools::program("kubernetes", "kube-apiserver")?);
    command
        .args(["--etcd-servers", &etcd_url])
        .args([
            "--bind-address",
            "127.0.0.1",
            "--secure-port",
            &port.to_string(),
        ])
        .args(["--authorization-mode", "RBAC", "--anonymous-auth=false"])
        // As every distribution has it.
        .arg("--allow-privileged=true")
        .args(["--service-cluster-ip-range", "10.96.0.0/16"])
        .args(["--service-account-issuer", "https://kubernetes.default.svc"])
        .arg("--service-account-key-file")
        .arg(sa_public)
        .arg("--service-account-signing-key-file")
        .arg(sa_key)
        .arg("--client-ca-file")
        .arg(authority.file())
        .arg("--tls-cert-file")
        .arg(&serving.cert_file)
        .arg("--tls-private-key-file")
        .arg(&serving.key_file)
        .arg("--audit-policy-file")
        .arg(policy)
        .arg("--audit-log-path")
        .arg(dir.join("audit.log"))
        // A long run asks about old versions as often as it likes.
        .args(["--etcd-compaction-interval", "0"])
        // Never rotated: a reader sees one file from the first line on.
        .args(["--audit-log-maxsize", "10000"])
        // Priority and fairness would slow a benchmark down by guesses about this small machine.
        .args([
            "--max-requests-inflight",
            "800",
            "--max-mutating-requests-inflight",
            "400",
        ]);
    let api = Process::start("kube-apiserver", &command, &dir.join("kube-apiserver.log"))?;

    let server = Server {
        url: format!("https://127.0.0.1:{port}"),
        ca: authority.pem(),
    };
    let admin = authority.client("e2e:admin", Some(ADMINS))?;
    let kubeconfig = dir.join("admin.kubeconfig");
    server.write_kubeconfig(User::Certificate(&admin), &kubeconfig)?;
    let admin = Kubectl::new(&kubeconfig, &dir.join("kubectl-cache"));

    let mut plane = ControlPlane {
        processes: vec![etcd, api],
        admin,
        server,
        authority,
        folder,
    };
    eventually("kube-apiserver to be ready", READY, || {
        plane.must_run()?;
        Ok(match plane.admin.run(&["get", "--raw", "/readyz"]) {
            Ok(_) => Seen::Yes(()),
            Err(error) => Seen::NotYet(error.to_string()),
        })
    })?;
    Ok(plane)
}

fn start_etcd(folder: &Folder, client_url: &str) -> Result<Process> {
    let peer_url = format!("http://127.0.0.1:{}", free_port()?);
    let mut command = Command::new(tools::program("etcd", "etcd")?);
    command
        // The data is thrown away with the folder, so nothing needs to reach the disk.
        .arg("--unsafe-no-fsync")
        .arg("--data-dir")
        .arg(folder.path.join("etcd"))
        .args([
            "--listen-client-urls",
            client_url,
            "--advertise-client-urls",
            client_url,
        ])
        .args([
            "--listen-peer-urls",
            &peer_url,
            "--initial-advertise-peer-urls",
            &peer_url,
        ])
        .arg("--initial-cluster")
        .arg(format!("default={peer_url}"));
    Process::start("etcd", &command, &folder.path.join("etcd.log"))
}
