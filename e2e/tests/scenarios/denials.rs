//! Denials that are told apart: an account that nothing is bound to, rights that nobody may pass on, a
//! quota. (One that doesn't exist is in `bad_specs`, a missing right in `missing_right`, admission in
//! `objects` and `admission`.) In each nothing is written, and the cure is enough.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use stageset_e2e::fixtures::{Tenant, artifacts};

use crate::checks;
use crate::stageset::{NOTICED, SOON, StageSet, config_map, spec};
use crate::world::World;

const ALL: &[&str] = &[
    "get", "list", "watch", "create", "update", "patch", "delete",
];

/// A StageSet of one stage with these files.
fn release<'a>(world: &'a World, namespace: &str, files: &[(&str, &str)]) -> Result<StageSet<'a>> {
    let kubectl = world.kubectl();
    let artifact = world.artifacts.put_files(files)?;
    artifacts::publish(kubectl, namespace, "app", "v1", &artifact)?;
    let wanted = spec("ExternalArtifact", "app", &[("only", "./")]);
    StageSet::apply(kubectl, namespace, "release", &wanted)
}

fn nothing_written(set: &StageSet<'_>) -> Result<()> {
    let owned = set.owned()?;
    ensure!(
        owned.is_empty(),
        "written in spite of the denial: {owned:?}"
    );
    Ok(())
}

/// Heals by the cure alone, and leaves nothing.
fn heals(world: &World, set: &StageSet<'_>, tenant: &Tenant, objects: usize) -> Result<()> {
    set.wait_ready_within(NOTICED)?;
    let owned = set.owned()?;
    ensure!(owned.len() == objects, "after the cure: {owned:?}");
    set.delete()?;
    checks::namespace(world, &set.namespace, &tenant.user())
}

pub(crate) fn account_without_any_binding(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    let namespace = "unbound";
    let tenant = Tenant::create(kubectl, namespace)?;
    let set = release(world, namespace, &[("a.yaml", &config_map("a", "one"))])?;
    set.wait_failed_saying(
        &["RBACDenied"],
        &["no rights at all", "no RoleBinding", "configmaps"],
    )?;
    set.wait_warning(&["RBACDenied"])?;
    nothing_written(&set)?;
    tenant.grant_edit(kubectl)?;
    heals(world, &set, &tenant, 1)
}

pub(crate) fn escalation_prevented(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    let namespace = "escalating";
    let tenant = Tenant::create(kubectl, namespace)?;
    let rules = json!([
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ALL},
        {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "verbs": ALL},
    ]);
    tenant.grant(kubectl, "maps-and-roles", &rules)?;
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"name": "reader"},
        "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}],
    });
    let files = [
        ("a.yaml", &*config_map("a", "one")),
        ("role.yaml", &*role.to_string()),
    ];
    let set = release(world, namespace, &files)?;
    set.wait_failed_saying(&["RBACDenied"], &["secrets", "escalation prevention: "])?;
    set.wait_warning(&["RBACDenied"])?;
    nothing_written(&set)?;
    // Whoever holds a right may pass it on.
    let held = json!([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]);
    tenant.grant(kubectl, "secrets-too", &held)?;
    heals(world, &set, &tenant, 2)
}

pub(crate) fn quota_exceeded(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    let namespace = "full";
    let tenant = Tenant::create(kubectl, namespace)?;
    tenant.grant_edit(kubectl)?;
    let quota = |most: &str| -> Result<()> {
        kubectl.apply(&json!({
            "apiVersion": "v1", "kind": "ResourceQuota",
            "metadata": {"name": "maps", "namespace": namespace},
            "spec": {"hard": {"count/configmaps": most}},
        }))?;
        // Admission goes by what the quota controller wrote down.
        let path = format!("/api/v1/namespaces/{namespace}/resourcequotas/maps");
        let counted = |quota: &Value| quota["status"]["hard"]["count/configmaps"] == *most;
        kubectl.wait_for(&path, "the quota to be counted", SOON, counted)?;
        Ok(())
    };
    // None beside the namespace's own `kube-root-ca.crt`.
    quota("1")?;
    let files = [
        ("a.yaml", &*config_map("a", "one")),
        ("b.yaml", &*config_map("b", "one")),
    ];
    let set = release(world, namespace, &files)?;
    set.wait_failed_saying(
        &["StageFailed"],
        &[
            "quota: configmaps",
            "exceeded quota: maps",
            "count/configmaps",
        ],
    )?;
    set.wait_warning(&["StageFailed"])?;
    nothing_written(&set)?;
    quota("3")?;
    heals(world, &set, &tenant, 2)
}
