//! S4 and S3: a RoleBinding to the built-in ClusterRole `edit` suffices for ordinary workloads; what
//! the account may not do is said all at once, and the printed roles allow exactly it (K31).

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use stageset_e2e::Kubectl;
use stageset_e2e::fixtures::{Tenant, artifacts};
use stageset_e2e::tools;

use crate::stageset::{NOTICED, StageSet, config_map, deployment, service, spec};
use crate::world::World;

const NAMESPACE: &str = "only-edit";

pub(crate) fn run(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    let tenant = Tenant::create(kubectl, NAMESPACE)?;
    let role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata:\n  name: extra\nrules: []\n";
    let artifact = world.artifacts.put_files(&[
        ("first/a.yaml", &config_map("settings", "one")),
        ("second/b.yaml", &deployment("web", 1, None)),
        ("second/c.yaml", &service("web")),
        ("third/d.yaml", role),
    ])?;
    artifacts::publish(kubectl, NAMESPACE, "app", "v1", &artifact)?;
    let two = spec(
        "ExternalArtifact",
        "app",
        &[("first", "first"), ("second", "second")],
    );
    let set = StageSet::apply(kubectl, NAMESPACE, "release", &two)?;
    // Nothing binds the account: all of it is said, of both stages, before the first write.
    set.wait_failed_saying(
        &["RBACDenied"],
        &[
            "has no rights at all",
            "stage first",
            "stage second",
            "deployments.apps",
            "services",
        ],
    )?;
    ensure!(
        set.owned()?.is_empty(),
        "half of it was written: {:?}",
        set.owned()?
    );
    tenant.grant_edit(kubectl)?;
    set.wait_ready_within(NOTICED)?;

    // `edit` doesn't cover roles; `why` prints what does, ready to apply.
    let three = spec(
        "ExternalArtifact",
        "app",
        &[("first", "first"), ("second", "second"), ("third", "third")],
    );
    let set = StageSet::apply(kubectl, NAMESPACE, "release", &three)?;
    set.wait_failed_saying(
        &["RBACDenied"],
        &["roles.rbac.authorization.k8s.io (extra)"],
    )?;
    let Some(stagesetctl) = tools::built("stagesetctl") else {
        println!(
            "only_edit: stagesetctl isn't built beside the controller; its roles aren't tried"
        );
        return set.delete();
    };
    grant_what_why_prints(kubectl, &stagesetctl)?;
    set.wait_ready_within(NOTICED)?;

    // Exactly that was granted: deleting the role is another right, and its want is said.
    set.request_deletion()?;
    set.wait_failed_saying(&["RBACDenied"], &["cannot delete resource \"roles\""])?;
    grant_what_why_prints(kubectl, &stagesetctl)?;
    kubectl.wait_until_gone(&set.path(), NOTICED)
}

fn grant_what_why_prints(kubectl: &Kubectl, stagesetctl: &Path) -> Result<()> {
    let output = Command::new(stagesetctl)
        .args(["why", "release", "-n", NAMESPACE])
        .args(["--allow-artifact-addresses", "127.0.0.0/8"])
        .env("KUBECONFIG", kubectl.kubeconfig())
        .output()
        .context("starting stagesetctl")?;
    let printed = String::from_utf8(output.stdout)?;
    ensure!(
        printed.contains("kind: RoleBinding"),
        "why printed no role:\n{printed}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    kubectl.apply_yaml(&printed)
}
