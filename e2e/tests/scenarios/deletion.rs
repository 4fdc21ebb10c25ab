//! A deletion is acted on at once, also while a stage waits for health.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use stageset_e2e::fixtures::{Tenant, artifacts};

use crate::stageset::{SOON, StageSet, config_map, deployment, spec};
use crate::world::World;

pub(crate) fn while_waiting(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    let namespace = "deleted-waiting";
    Tenant::create(kubectl, namespace)?.grant_edit(kubectl)?;
    let artifact = world.artifacts.put_files(&[
        (
            "stuck/d.yaml",
            &deployment("stuck", 1, Some("no-node: has-this")),
        ),
        ("after/b.yaml", &config_map("b", "one")),
    ])?;
    artifacts::publish(kubectl, namespace, "app", "v1", &artifact)?;
    let spec = spec(
        "ExternalArtifact",
        "app",
        &[("stuck", "./stuck"), ("after", "./after")],
    );
    let set = StageSet::apply(kubectl, namespace, "release", &spec)?;
    let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments/stuck");
    kubectl.wait_for(&path, "applied", SOON, |_| true)?;
    ensure!(
        !set.owned()?.contains("ConfigMap/b"),
        "the next stage did not wait"
    );

    let asked = Instant::now();
    set.request_deletion()?;
    kubectl.wait_until_gone(&set.path(), SOON)?;
    let took = asked.elapsed();
    println!(
        "deletion_while_waiting: gone {:.1} s after the request",
        took.as_secs_f32()
    );
    ensure!(
        took < Duration::from_secs(20),
        "the deletion waited for the stage: {took:?}"
    );
    ensure!(set.owned()?.is_empty(), "left: {:?}", set.owned()?);
    Ok(())
}
