//! StageSets that ask for what can't be: refused with a message that says all of it, and healed by
//! the fix.

use anyhow::{Result, ensure};
use serde_json::json;
use stageset_e2e::fixtures::{Tenant, artifacts};

use crate::checks;
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
    for (name, field, value, said) in [
        (
            "rollback",
            "rollbackOnFailure",
            json!(true),
            "spec.rollbackOnFailure",
        ),
        (
            "decryption",
            "decryption",
            json!({"provider": "sops", "secretRef": {"name": "keys"}}),
            "spec.decryption",
        ),
        (
            "promotion",
            "stages",
            json!([{"name": "only", "sourceRef": {"name": "app"}, "promotion": {"soak": "1m"}}]),
            "spec.stages[0].promotion",
        ),
    ] {
        let mut asking = spec("ExternalArtifact", "app", &[("only", "./")]);
        asking[field] = value;
        let set = StageSet::apply(kubectl, namespace, name, &asking)?;
        set.wait_failed_saying(&["InvalidSpec"], &[said, "not supported"])?;
        set.delete()?;
    }
    // S30: nothing that such a field names was read, as anybody.
    let events = checks::about(world, namespace)?.unwrap_or_default();
    let read = events.iter().find(|event| event.resource == "secrets");
    ensure!(read.is_none(), "{read:?}");
    Ok(())
}

/// S9: no name leads out of the namespace; the schema or the controller says so, and nothing is asked
/// as anybody.
pub(crate) fn account_of_somebody_else(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    let namespace = "somebody-else";
    Tenant::create(kubectl, namespace)?.grant_edit(kubectl)?;
    Tenant::create(kubectl, "somebody-elses")?.grant_edit(kubectl)?;
    let artifact = world
        .artifacts
        .put_files(&[("a.yaml", &config_map("a", "one"))])?;
    artifacts::publish(kubectl, namespace, "app", "v1", &artifact)?;
    for (name, account) in [
        ("colon", "somebody-elses:deployer"),
        ("user", "system:serviceaccount:somebody-elses:deployer"),
        ("slash", "somebody-elses/deployer"),
        ("group", "system:masters"),
        ("breaks", "deployer\r\nImpersonate-Group: system:masters"),
    ] {
        let mut wrong = spec("ExternalArtifact", "app", &[("only", "./")]);
        wrong["serviceAccountName"] = json!(account);
        if let Ok(set) = StageSet::apply(kubectl, namespace, name, &wrong) {
            set.wait_failed_saying(&["InvalidSpec"], &["serviceAccountName"])?;
            ensure!(set.owned()?.is_empty(), "{account}: something was applied");
            set.delete()?;
        }
    }
    for place in [namespace, "somebody-elses"] {
        let events = checks::about(world, place)?.unwrap_or_default();
        let acted = events.iter().find(|event| event.impersonated.is_some());
        ensure!(acted.is_none(), "{acted:?}");
    }
    Ok(())
}

/// S28: refused by the schema, which says what it is about.
pub(crate) fn config_map_ref(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    let namespace = "config-map-ref";
    Tenant::create(kubectl, namespace)?.grant_edit(kubectl)?;
    for kube_config in [
        json!({"configMapRef": {"name": "cloud"}}),
        json!({"configMapRef": {"name": "cloud"}, "secretRef": {"name": "prod"}}),
    ] {
        let mut asking = spec("ExternalArtifact", "app", &[("only", "./")]);
        asking["kubeConfig"] = kube_config;
        match StageSet::apply(kubectl, namespace, "release", &asking) {
            Ok(_) => anyhow::bail!("it was let in"),
            Err(error) => {
                let text = format!("{error:#}");
                ensure!(
                    text.contains("configMapRef") && text.contains("secretRef"),
                    "another failure: {text}"
                );
            }
        }
    }
    Ok(())
}
