//! Artifacts that can't be delivered: each gets a clear condition and event, nothing is applied, and
//! a better artifact heals the run.

use anyhow::{Result, ensure};
use serde_json::json;
use stageset_e2e::fixtures::Tenant;
use stageset_e2e::fixtures::artifacts::{self, Artifact};

use crate::stageset::{NOTICED, StageSet, config_map, spec};
use crate::world::World;

pub(crate) fn wrong_digest(world: &World) -> Result<()> {
    let mut artifact = world
        .artifacts
        .put_files(&[("a.yaml", &config_map("a", "one"))])?;
    artifact.digest = format!("sha256:{}", "0".repeat(64));
    refused(
        world,
        "wrong-digest",
        &artifact,
        &["StageFailed"],
        &["digest"],
    )
}

pub(crate) fn unreachable_server(world: &World) -> Result<()> {
    let mut artifact = world
        .artifacts
        .put_files(&[("a.yaml", &config_map("a", "one"))])?;
    // A port that was free a moment ago: nobody listens there.
    let port = stageset_e2e::process::free_port()?;
    artifact.url = format!("http://127.0.0.1:{port}/artifact.tar.gz");
    refused(
        world,
        "unreachable-server",
        &artifact,
        &["StageFailed"],
        &[&port.to_string()],
    )
}

pub(crate) fn hostile_path_in_tar(world: &World) -> Result<()> {
    let bytes = artifacts::hostile_tarball("../escape.yaml", &config_map("a", "one"))?;
    let artifact = world.artifacts.put_bytes(bytes);
    refused(
        world,
        "hostile-path",
        &artifact,
        &["StageFailed"],
        &["../escape.yaml"],
    )
}

pub(crate) fn yaml_that_does_not_parse(world: &World) -> Result<()> {
    let artifact = world.artifacts.put_files(&[
        ("a.yaml", &config_map("a", "one")),
        (
            "broken.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: [\n",
        ),
    ])?;
    refused(
        world,
        "broken-yaml",
        &artifact,
        &["StageFailed"],
        &["broken.yaml"],
    )
}

pub(crate) fn object_without_name(world: &World) -> Result<()> {
    let artifact = world.artifacts.put_files(&[
        ("a.yaml", &config_map("a", "one")),
        (
            "nameless.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n",
        ),
    ])?;
    refused(
        world,
        "nameless",
        &artifact,
        &["StageFailed"],
        &["nameless.yaml", "name"],
    )
}

pub(crate) fn unknown_kind(world: &World) -> Result<()> {
    let artifact = world.artifacts.put_files(&[
        ("a.yaml", &config_map("a", "one")),
        (
            "odd.yaml",
            "apiVersion: odd.example.invalid/v1\nkind: Gizmo\nmetadata:\n  name: g\n",
        ),
    ])?;
    refused(
        world,
        "unknown-kind",
        &artifact,
        &["RBACDenied", "StageFailed"],
        &["Gizmo"],
    )
}

/// What a kustomization would fetch from elsewhere is refused with its place.
pub(crate) fn remote_kustomization(world: &World) -> Result<()> {
    let artifact = world.artifacts.put_files(&[
        ("a.yaml", &config_map("a", "one")),
        (
            "kustomization.yaml",
            "resources: [a.yaml, \"https://example.invalid/b.yaml\"]\n",
        ),
    ])?;
    refused(
        world,
        "kustomization",
        &artifact,
        &["StageFailed"],
        &["kustomization.yaml", "https://example.invalid/b.yaml"],
    )
}

/// A manifest that names another tenant's namespace is bounded by the account's rights there.
pub(crate) fn foreign_namespace(world: &World) -> Result<()> {
    let victim = Tenant::create(world.kubectl(), "foreign-victim")?;
    let foreign = config_map("planted", "one").replace(
        "  name: planted\n",
        "  name: planted\n  namespace: foreign-victim\n",
    );
    let artifact = world.artifacts.put_files(&[("foreign.yaml", &foreign)])?;
    refused(
        world,
        "foreign",
        &artifact,
        &["RBACDenied"],
        &["foreign-victim", "configmaps"],
    )?;
    let path = format!("/api/v1/namespaces/{}/configmaps/planted", victim.namespace);
    ensure!(
        world.kubectl().raw(&path)?.is_none(),
        "an object was planted in another namespace"
    );
    Ok(())
}

/// Delivers `artifact`, expects one of the reasons with all the words and nothing applied, then
/// publishes a good artifact under the next revision and expects it to arrive.
fn refused(
    world: &World,
    namespace: &str,
    artifact: &Artifact,
    reasons: &[&str],
    words: &[&str],
) -> Result<()> {
    let kubectl = world.kubectl();
    Tenant::create(kubectl, namespace)?.grant_edit(kubectl)?;
    artifacts::publish(kubectl, namespace, "app", "bad", artifact)?;
    let spec = spec("ExternalArtifact", "app", &[("only", "./")]);
    let set = StageSet::apply(kubectl, namespace, "release", &spec)?;
    set.wait_failed_saying(reasons, words)?;
    set.wait_warning(reasons)?;
    ensure!(
        set.owned()?.is_empty(),
        "applied from a bad artifact: {:?}",
        set.owned()?
    );

    let good = world
        .artifacts
        .put_files(&[("a.yaml", &config_map("a", "good"))])?;
    artifacts::publish(kubectl, namespace, "app", "good", &good)?;
    set.wait_ready_within(NOTICED)?;
    // The object had no namespace: it is in the StageSet's.
    let map = kubectl.raw(&format!("/api/v1/namespaces/{namespace}/configmaps/a"))?;
    ensure!(
        map.is_some_and(|map| map["data"] == json!({"value": "good"})),
        "not healed"
    );
    set.delete()
}
