//! References into other namespaces: refused unread under `--no-cross-namespace-refs` (S31 to S33), and
//! followed only for an account that may read what they lead to under `--check-cross-namespace-refs`
//! (K04), with one text whatever is the matter (A09).

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use stageset_e2e::chart;
use stageset_e2e::fixtures::{Tenant, artifacts};

use super::modes::{instead_of_the_shared_one, written};
use crate::stageset::{NOTICED, StageSet, config_map, spec};
use crate::world::World;

const OWN: &str = "refs-own";
const THEIRS: &str = "refs-theirs";

/// Namespaces: one that refers, one with a source `app` and a StageSet `release` to refer to.
fn furnish(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    Tenant::create(kubectl, OWN)?.grant_edit(kubectl)?;
    let artifact = world
        .artifacts
        .put_files(&[("a.yaml", &config_map("a", "one"))])?;
    artifacts::publish(kubectl, OWN, "app", "v1", &artifact)
}

fn apply<'a>(
    world: &'a World,
    name: &str,
    change: impl FnOnce(&mut Value),
) -> Result<StageSet<'a>> {
    let mut spec = spec("ExternalArtifact", "app", &[("only", "./")]);
    change(&mut spec);
    StageSet::apply(world.kubectl(), OWN, name, &spec)
}

fn foreign_source(spec: &mut Value) {
    spec["stages"][0]["sourceRef"]["namespace"] = THEIRS.into();
}

fn foreign_action(spec: &mut Value) {
    let source = json!({"kind": "ExternalArtifact", "name": "app", "namespace": THEIRS});
    let apply = json!({"sourceRef": source, "path": "./"});
    spec["stages"][0]["actions"] = json!({"pre": [{"name": "extra", "apply": apply}]});
}

fn foreign_dependency(spec: &mut Value) {
    spec["dependsOn"] = json!([{"name": "release", "namespace": THEIRS}]);
}

/// How often the controller asked for an object of the foreign namespace.
fn foreign_reads(world: &World) -> Result<usize> {
    let events = world.audit()?.unwrap_or_default();
    let foreign = |event: &&stageset_e2e::audit::Event| {
        event.user == chart::USER
            && event.namespace == THEIRS
            && ["externalartifacts", "stagesets"].contains(&event.resource.as_str())
    };
    Ok(events.iter().filter(foreign).count())
}

pub(crate) fn isolated(world: &World) -> Result<()> {
    furnish(world)?;
    instead_of_the_shared_one(world, || {
        // Nobody's StageSet stands in the foreign namespace, so every request there is for ours.
        Tenant::create(world.kubectl(), THEIRS)?;
        let mut controller =
            world.another_controller("isolated", &["--no-cross-namespace-refs"])?;
        controller.start_ready()?;
        let sets = [
            (
                "source",
                apply(world, "source", foreign_source)?,
                "ResolveFailed",
                "stages[0].sourceRef",
            ),
            (
                "action",
                apply(world, "action", foreign_action)?,
                "ResolveFailed",
                "stages[0].actions.pre",
            ),
            (
                "depends",
                apply(world, "depends", foreign_dependency)?,
                "DependencyNotReady",
                "dependsOn[0]",
            ),
        ];
        for (_, set, reason, field) in &sets {
            set.wait_failed_saying(&[*reason], &["--no-cross-namespace-refs", *field, THEIRS])?;
            ensure!(set.owned()?.is_empty(), "{field}: something was applied");
        }
        let reads = foreign_reads(world)?;
        ensure!(reads == 0, "{reads} reads of foreign objects");
        for (_, set, ..) in &sets {
            set.delete()?;
        }
        ensure!(controller.terminate()?.success(), "it didn't stop cleanly");
        Ok(())
    })
}

pub(crate) fn checked(world: &World) -> Result<()> {
    furnish(world)?;
    instead_of_the_shared_one(world, || {
        let kubectl = world.kubectl();
        let mut controller =
            world.another_controller("checked", &["--check-cross-namespace-refs"])?;
        controller.start_ready()?;
        let theirs = written(world, THEIRS)?;
        theirs.wait_ready()?;
        for (name, change, reason, said, group, resource, object) in [
            (
                "source",
                foreign_source as fn(&mut Value),
                "ArtifactNotFound",
                "is not available to this StageSet",
                "source.toolkit.fluxcd.io",
                "externalartifacts",
                "app",
            ),
            (
                "depends",
                foreign_dependency,
                "DependencyNotReady",
                "is not ready for this one",
                "stages.metio.wtf",
                "stagesets",
                "release",
            ),
        ] {
            let set = apply(world, name, change)?;
            set.wait_failed_saying(&[reason], &[said])?;
            let rbac = "rbac.authorization.k8s.io";
            kubectl.apply_all(&[
                json!({
                    "apiVersion": format!("{rbac}/v1"), "kind": "Role",
                    "metadata": {"name": name, "namespace": THEIRS},
                    "rules": [{"apiGroups": [group], "resources": [resource],
                               "resourceNames": [object], "verbs": ["get"]}],
                }),
                json!({
                    "apiVersion": format!("{rbac}/v1"), "kind": "RoleBinding",
                    "metadata": {"name": name, "namespace": THEIRS},
                    "roleRef": {"apiGroup": rbac, "kind": "Role", "name": name},
                    "subjects": [{"kind": "ServiceAccount", "name": "deployer", "namespace": OWN}],
                }),
            ])?;
            set.wait_ready_within(NOTICED)?;
            set.delete()?;
        }
        theirs.delete()?;
        ensure!(controller.terminate()?.success(), "it didn't stop cleanly");
        Ok(())
    })
}
