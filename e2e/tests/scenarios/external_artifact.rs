//! The same as a git release, from an artifact that an external producer published; and an
//! unchanged pass, which writes nothing.

use anyhow::{Result, ensure};
use stageset_e2e::fixtures::{Tenant, artifacts};

use crate::checks;
use crate::stageset::{SOON, StageSet, config_map, deployment, spec};
use crate::world::World;

const NAMESPACE: &str = "external-artifact";

pub(crate) fn run(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    let tenant = Tenant::create(kubectl, NAMESPACE)?;
    tenant.grant_edit(kubectl)?;

    let artifact = world.artifacts.put_files(&[
        ("base/a.yaml", &config_map("a", "one")),
        ("base/b.yaml", &config_map("b", "one")),
        ("app/web.yaml", &deployment("web", 1, None)),
    ])?;
    artifacts::publish(kubectl, NAMESPACE, "app", "v1", &artifact)?;
    let set = StageSet::apply(
        kubectl,
        NAMESPACE,
        "release",
        &spec(
            "ExternalArtifact",
            "app",
            &[("base", "./base"), ("app", "app")],
        ),
    )?;
    set.wait_revision("v1")?;
    ensure!(
        set.owned()? == set.inventory()?,
        "the inventory is not what is there"
    );

    drift_is_corrected(world)?;
    set.wait_ready()?;

    let artifact = world.artifacts.put_files(&[
        ("base/a.yaml", &config_map("a", "two")),
        ("app/web.yaml", &deployment("web", 2, None)),
    ])?;
    artifacts::publish(kubectl, NAMESPACE, "app", "v2", &artifact)?;
    set.wait_revision("v2")?;
    ensure!(
        set.owned()?.iter().map(String::as_str).collect::<Vec<_>>()
            == ["ConfigMap/a", "Deployment/web"],
        "delivered: {:?}",
        set.owned()?
    );
    ensure!(
        set.owned()? == set.inventory()?,
        "the inventory is not what is there"
    );

    set.delete()?;
    ensure!(
        set.owned()?.is_empty(),
        "left after deletion: {:?}",
        set.owned()?
    );
    checks::namespace(world, NAMESPACE, &tenant.user())
}

/// A field that somebody changed is put back by a pass that is asked for, so that this shows the
/// correction and not how soon drift is noticed.
fn drift_is_corrected(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    kubectl.run(&[
        "-n",
        NAMESPACE,
        "patch",
        "configmap",
        "a",
        "--type=merge",
        "-p",
        r#"{"data":{"value":"drifted"}}"#,
    ])?;
    kubectl.run(&[
        "-n",
        NAMESPACE,
        "annotate",
        "stagesets.stages.metio.wtf/release",
        "reconcile.fluxcd.io/requestedAt=drift",
        "--overwrite",
    ])?;
    kubectl.wait_for(
        &format!("/api/v1/namespaces/{NAMESPACE}/configmaps/a"),
        "put back",
        SOON,
        |map| map["data"]["value"] == "one",
    )?;
    Ok(())
}
