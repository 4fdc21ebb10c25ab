//! Dependencies, checks, immutable fields and taking over, as a real API server has them.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use stageset_e2e::fixtures::{Tenant, artifacts};

use crate::stageset::{SOON, StageSet, config_map, spec};
use crate::world::World;

/// A StageSet waits for one in another namespace, and begins in the moment in which that one is ready.
pub(crate) fn dependency_across_namespaces(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    for namespace in ["depends-data", "depends-web"] {
        Tenant::create(kubectl, namespace)?.grant_edit(kubectl)?;
        let artifact = world
            .artifacts
            .put_files(&[("a.yaml", &config_map("a", "one"))])?;
        artifacts::publish(kubectl, namespace, "app", "v1", &artifact)?;
    }
    let plain = spec("ExternalArtifact", "app", &[("only", "./")]);
    let mut waiting = plain.clone();
    waiting["dependsOn"] = json!([{"name": "release", "namespace": "depends-data"}]);
    // An hour: only news can wake it in time.
    waiting["interval"] = json!("1h");
    let web = StageSet::apply(kubectl, "depends-web", "release", &waiting)?;
    web.wait_failed_saying(&["DependencyNotReady"], &["depends-data/release"])?;
    ensure!(web.owned()?.is_empty(), "something was delivered too early");
    let data = StageSet::apply(kubectl, "depends-data", "release", &plain)?;
    data.wait_ready()?;
    web.wait_ready()?;
    // A circle is told, and nothing more is delivered.
    let mut circle = plain;
    circle["dependsOn"] = json!([{"name": "release", "namespace": "depends-web"}]);
    data.patch_spec(&circle)?;
    data.wait_failed_saying(
        &["Stalled"],
        &["depends-data/release → depends-web/release"],
    )?;
    web.delete()?;
    data.delete()
}

fn stateful_set(name: &str, service: &str) -> String {
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name},
        "spec": {
            "replicas": 0, "serviceName": service,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "app", "image": "registry.example/app:1"}]},
            },
        },
    })
    .to_string()
}

/// A field that can't be changed is told, and a policy recreates the object.
pub(crate) fn immutable_field(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    let namespace = "immutable";
    Tenant::create(kubectl, namespace)?.grant_edit(kubectl)?;
    let publish = |revision: &str, service: &str| -> Result<()> {
        let artifact = world
            .artifacts
            .put_files(&[("db.yaml", &stateful_set("db", service))])?;
        artifacts::publish(kubectl, namespace, "app", revision, &artifact)
    };
    publish("v1", "one")?;
    let mut wanted = spec("ExternalArtifact", "app", &[("only", "./")]);
    let set = StageSet::apply(kubectl, namespace, "release", &wanted)?;
    set.wait_ready()?;
    let path = format!("/apis/apps/v1/namespaces/{namespace}/statefulsets/db");
    let uid = |world: &World| -> Result<Value> {
        let found = world
            .kubectl()
            .raw(&path)?
            .context("the StatefulSet is gone")?;
        Ok(found["metadata"]["uid"].clone())
    };
    let before = uid(world)?;
    publish("v2", "two")?;
    set.wait_failed_saying(&["StageFailed"], &["StatefulSet.apps", "action Recreate"])?;
    ensure!(
        uid(world)? == before,
        "it was deleted without anybody's word"
    );
    wanted["stages"][0]["conflictPolicy"] =
        json!({"rules": [{"target": {"kind": "StatefulSet"}, "action": "Recreate"}]});
    set.patch_spec(&wanted)?;
    set.wait_revision("v2")?;
    kubectl.wait_for(&path, "the new service name", SOON, |found| {
        found["spec"]["serviceName"] == "two"
    })?;
    ensure!(uid(world)? != before, "it wasn't recreated");
    set.delete()
}

/// What `kubectl apply` made is adopted: a field that the manifest doesn't have goes (K14).
pub(crate) fn taken_over_from_kubectl(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    let namespace = "taken-over";
    Tenant::create(kubectl, namespace)?.grant_edit(kubectl)?;
    for (name, side) in [
        ("client", "--server-side=false"),
        ("server", "--server-side=true"),
    ] {
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": namespace},
            "data": {"value": "old", "removed": "since"},
        });
        let args = ["apply", side, "-f", "-"];
        kubectl.run_with_input(&args, Some(&serde_json::to_vec(&object)?))?;
    }
    let artifact = world.artifacts.put_files(&[
        ("client.yaml", &config_map("client", "one")),
        ("server.yaml", &config_map("server", "one")),
    ])?;
    artifacts::publish(kubectl, namespace, "app", "v1", &artifact)?;
    let wanted = spec("ExternalArtifact", "app", &[("only", "./")]);
    let set = StageSet::apply(kubectl, namespace, "release", &wanted)?;
    set.wait_ready()?;
    for name in ["client", "server"] {
        let path = format!("/api/v1/namespaces/{namespace}/configmaps/{name}");
        let found = kubectl.raw(&path)?.context("the ConfigMap is gone")?;
        ensure!(
            found["data"] == json!({"value": "one"}),
            "{name}: {}",
            found["data"]
        );
    }
    set.delete()
}

/// A stage waits for an object that it doesn't write, and a read that is denied is told as that.
pub(crate) fn ready_check(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    let namespace = "checked";
    Tenant::create(kubectl, namespace)?.grant_edit(kubectl)?;
    let artifact = world
        .artifacts
        .put_files(&[("a.yaml", &config_map("a", "one"))])?;
    artifacts::publish(kubectl, namespace, "app", "v1", &artifact)?;
    let mut wanted = spec("ExternalArtifact", "app", &[("only", "./")]);
    wanted["stages"][0]["readyChecks"] = json!({
        "checks": [{"kind": "ConfigMap", "name": "theirs"}],
        "exprs": [{"apiVersion": "v1", "kind": "ConfigMap", "current": "has(metadata.uid)"}],
    });
    let set = StageSet::apply(kubectl, namespace, "release", &wanted)?;
    set.wait_failed_saying(&["StageProgressing"], &["theirs", "doesn't exist"])?;
    kubectl.apply(&json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "theirs", "namespace": namespace}, "data": {},
    }))?;
    set.wait_ready()?;
    ensure!(
        !set.inventory()?.contains("ConfigMap/theirs"),
        "what is only looked at was recorded"
    );
    wanted["stages"][0]["readyChecks"] = json!({
        "checks": [{"apiVersion": "v1", "kind": "Node", "name": "any"}],
    });
    set.patch_spec(&wanted)?;
    set.wait_failed_saying(&["RBACDenied"], &["Node", "can't be read"])?;
    set.delete()
}
