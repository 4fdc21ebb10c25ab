//! StageSets that ask for what can't be: refused with a message that says all of it, and healed by
//! the fix.

use anyhow::{Result, ensure};
use serde_json::json;
use stageset_e2e::fixtures::{Tenant, artifacts};

use crate::stageset::{NOTICED, StageSet, config_map, spec};
use crate::world::World;

pub(crate) fn missing_source(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    let namespace = "missing-source";
    Tenant::create(kubectl, namespace)?.grant_edit(kubectl)?;
    let spec = spec("ExternalArtifact", "later", &[("only", "./")]);
    let set = StageSet::apply(kubectl, namespace, "release", &spec)?;
    set.wait_failed_saying(&["ArtifactNotFound"], &["later"])?;

    let artifact = world
        .artifacts
        .put_files(&[("a.yaml", &config_map("a", "one"))])?;
    artifacts::publish(kubectl, namespace, "later", "v1", &artifact)?;
    set.wait_ready()?;
    set.delete()
}

pub(crate) fn two_stages_claim_one_object(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    let namespace = "two-claims";
    Tenant::create(kubectl, namespace)?.grant_edit(kubectl)?;
    let artifact = world.artifacts.put_files(&[
        ("one/a.yaml", &config_map("a", "one")),
        ("two/a.yaml", &config_map("a", "two")),
        ("two/b.yaml", &config_map("b", "two")),
    ])?;
    artifacts::publish(kubectl, namespace, "app", "v1", &artifact)?;
    let both = spec(
        "ExternalArtifact",
        "app",
        &[("first", "./one"), ("second", "./two")],
    );
    let set = StageSet::apply(kubectl, namespace, "release", &both)?;
    set.wait_failed_saying(&["InvalidSpec"], &["first", "second", "ConfigMap"])?;
    ensure!(
        set.owned()?.is_empty(),
        "written before the claim was found: {:?}",
        set.owned()?
    );

    set.patch_spec(&spec("ExternalArtifact", "app", &[("first", "./one")]))?;
    set.wait_ready()?;
    set.delete()
}

pub(crate) fn five_rules_at_once(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    let namespace = "five-rules";
    Tenant::create(kubectl, namespace)?.grant_edit(kubectl)?;
    let source = json!({"kind": "ExternalArtifact", "name": "app"});
    let set = StageSet::apply(
        kubectl,
        namespace,
        "release",
        &json!({
            "serviceAccountName": "deployer",
            "stages": [
                {"name": "twice", "sourceRef": source},
                {"name": "twice", "sourceRef": source},
                {"name": "producer", "sourceRef": {"kind": "JsonnetSnippet", "name": "app"}},
            ],
            "dependsOn": [{"name": "other", "minVersion": "not-a-version"}],
            "updateWindows": [{"type": "Allow", "from": "2026-01-01T00:00:00Z"}],
            "migrations": [{"name": "m", "to": "1.0.0"}],
        }),
    )?;
    set.wait_failed_saying(
        &["InvalidSpec"],
        &[
            "twice",
            "JsonnetSnippet",
            "not-a-version",
            "updateWindows[0]",
            "spec.version",
        ],
    )?;
    set.wait_warning(&["InvalidSpec"])?;
    set.delete()
}

pub(crate) fn account_that_does_not_exist(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    let namespace = "no-such-account";
    Tenant::create(kubectl, namespace)?.grant_edit(kubectl)?;
    let artifact = world
        .artifacts
        .put_files(&[("a.yaml", &config_map("a", "one"))])?;
    artifacts::publish(kubectl, namespace, "app", "v1", &artifact)?;
    let mut wrong = spec("ExternalArtifact", "app", &[("only", "./")]);
    wrong["serviceAccountName"] = json!("nobody");
    let set = StageSet::apply(kubectl, namespace, "release", &wrong)?;
    set.wait_failed_saying(&["RBACDenied"], &["nobody"])?;
    ensure!(
        set.owned()?.is_empty(),
        "applied as nobody: {:?}",
        set.owned()?
    );

    set.patch_spec(&json!({"serviceAccountName": "deployer"}))?;
    set.wait_ready_within(NOTICED)?;
    set.delete()
}

pub(crate) fn unsupported_field(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    let namespace = "unsupported";
    Tenant::create(kubectl, namespace)?.grant_edit(kubectl)?;
    let mut asking = spec("ExternalArtifact", "app", &[("only", "./")]);
    asking["stages"][0]["promotion"] = json!({"soak": "1m"});
    let set = StageSet::apply(kubectl, namespace, "release", &asking)?;
    set.wait_failed_saying(
        &["InvalidSpec"],
        &["spec.stages[0].promotion", "not supported"],
    )?;
    set.delete()
}
