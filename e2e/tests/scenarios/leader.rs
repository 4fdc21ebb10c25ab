//! Two replicas: one leads, the other stands by and takes over when the first stops.

use anyhow::{Result, ensure};
use stageset_e2e::chart;
use stageset_e2e::fixtures::{Tenant, artifacts};

use crate::stageset::{SOON, StageSet, config_map, spec};
use crate::world::World;

const LEASE: &str = "stageset-controller.stages.metio.wtf";

pub(crate) fn run(world: &World) -> Result<()> {
    // The shared controller elects nobody, so it makes room.
    world.controller().terminate()?;
    let result = hand_over(world);
    world.controller().start_ready()?;
    result
}

fn hand_over(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    let lease = format!(
        "/apis/coordination.k8s.io/v1/namespaces/{}/leases/{LEASE}",
        chart::NAMESPACE
    );
    let held_by = |name: &str| {
        kubectl.wait_for(&lease, &format!("held by {name}"), SOON, |lease| {
            lease["spec"]["holderIdentity"]
                .as_str()
                .is_some_and(|holder| holder.contains(name))
        })
    };
    let mut first = world.another_controller("replica-one", &["--leader-elect=true"])?;
    first.start_ready()?;
    held_by("replica-one")?;
    let mut second = world.another_controller("replica-two", &["--leader-elect=true"])?;
    second.start()?;

    let namespace = "handed-over";
    Tenant::create(kubectl, namespace)?.grant_edit(kubectl)?;
    let artifact = world
        .artifacts
        .put_files(&[("a.yaml", &config_map("a", "one"))])?;
    artifacts::publish(kubectl, namespace, "app", "v1", &artifact)?;
    let spec = spec("ExternalArtifact", "app", &[("only", "./")]);
    let set = StageSet::apply(kubectl, namespace, "release", &spec)?;
    set.wait_revision("v1")?;

    let status = first.terminate()?;
    ensure!(status.success(), "a clean stop ends with {status}");
    held_by("replica-two")?;
    let artifact = world
        .artifacts
        .put_files(&[("a.yaml", &config_map("a", "two"))])?;
    artifacts::publish(kubectl, namespace, "app", "v2", &artifact)?;
    set.wait_revision("v2")?;
    set.delete()?;
    ensure!(
        second.terminate()?.success(),
        "the second replica didn't stop cleanly"
    );
    Ok(())
}
