//! Others write at the same time: the spec is edited in mid-run, the status is forged, an object
//! belongs to somebody else.

use anyhow::{Result, ensure};
use serde_json::json;
use stageset_e2e::fixtures::{Tenant, artifacts};
use stageset_e2e::kubectl::condition;

use crate::stageset::{SOON, StageSet, config_map, deployment, spec};
use crate::world::World;

pub(crate) fn edited_in_mid_run(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    let namespace = "edited";
    Tenant::create(kubectl, namespace)?.grant_edit(kubectl)?;
    let artifact = world.artifacts.put_files(&[
        (
            "stuck/d.yaml",
            &deployment("stuck", 1, Some("no-node: has-this")),
        ),
        ("good/a.yaml", &config_map("a", "one")),
        ("after/b.yaml", &config_map("b", "one")),
    ])?;
    artifacts::publish(kubectl, namespace, "app", "v1", &artifact)?;
    let stuck = spec(
        "ExternalArtifact",
        "app",
        &[("first", "./stuck"), ("after", "./after")],
    );
    let set = StageSet::apply(kubectl, namespace, "release", &stuck)?;
    kubectl.wait_for(
        &format!("/apis/apps/v1/namespaces/{namespace}/deployments/stuck"),
        "there",
        SOON,
        |_| true,
    )?;
    set.patch_spec(&spec(
        "ExternalArtifact",
        "app",
        &[("first", "./good"), ("after", "./after")],
    ))?;
    set.wait_ready()?;
    ensure!(
        set.owned()?.iter().map(String::as_str).collect::<Vec<_>>()
            == ["ConfigMap/a", "ConfigMap/b"],
        "after the edit: {:?}",
        set.owned()?
    );
    ensure!(
        set.inventory()? == set.owned()?,
        "recorded: {:?}",
        set.inventory()?
    );
    set.delete()
}

pub(crate) fn status_written_by_somebody_else(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    let namespace = "forged-status";
    Tenant::create(kubectl, namespace)?.grant_edit(kubectl)?;
    let artifact = world
        .artifacts
        .put_files(&[("a.yaml", &config_map("a", "one"))])?;
    artifacts::publish(kubectl, namespace, "app", "v1", &artifact)?;
    let mut suspended = spec("ExternalArtifact", "app", &[("only", "./")]);
    suspended["suspend"] = json!(true);
    let set = StageSet::apply(kubectl, namespace, "release", &suspended)?;
    set.wait_failed(&["Suspended"])?;
    let pins = json!({ format!("{namespace}/app"): "v1" });
    kubectl.patch_status(
        namespace,
        "stagesets/release",
        &json!({
            "observedGeneration": 2,
            "lastAttemptedRevisions": pins,
            "lastAppliedRevisions": pins,
            "stages": [{"name": "only", "phase": "Ready", "appliedRevision": "v1"}],
            "conditions": [{
                "type": "Ready", "status": "True", "reason": "Succeeded", "message": "believe me",
                "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 2,
            }],
        }),
    )?;
    set.patch_spec(&json!({"suspend": false}))?;
    kubectl.wait_for(
        &format!("/api/v1/namespaces/{namespace}/configmaps/a"),
        "delivered in spite of the forged status",
        SOON,
        |map| map["data"]["value"] == "one",
    )?;
    kubectl.wait_for(&set.path(), "a status of its own", SOON, |set| {
        condition(set, "Ready")
            .is_some_and(|ready| ready["status"] == "True" && ready["message"] != "believe me")
    })?;
    set.delete()
}

pub(crate) fn object_of_another_stage_set(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    let namespace = "contested";
    Tenant::create(kubectl, namespace)?.grant_edit(kubectl)?;
    let artifact = world
        .artifacts
        .put_files(&[("a.yaml", &config_map("a", "one"))])?;
    artifacts::publish(kubectl, namespace, "app", "v1", &artifact)?;
    let spec = spec("ExternalArtifact", "app", &[("only", "./")]);
    let owner = StageSet::apply(kubectl, namespace, "owner", &spec)?;
    owner.wait_ready()?;
    let taker = StageSet::apply(kubectl, namespace, "taker", &spec)?;
    taker.wait_failed_saying(&["StageFailed", "InvalidSpec"], &["owner", "ConfigMap"])?;
    ensure!(
        owner.owned()?.len() == 1 && taker.owned()?.is_empty(),
        "the object was taken"
    );
    taker.delete()?;
    ensure!(
        owner.owned()?.len() == 1,
        "deleting the other StageSet took the object along"
    );
    owner.delete()
}
