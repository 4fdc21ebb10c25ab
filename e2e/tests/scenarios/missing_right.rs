//! The account lacks a right: nothing that it may not write is written, the condition says which
//! verb on which resource is missing, and granting it heals the run without touching the StageSet.

use anyhow::{Result, ensure};
use serde_json::json;
use stageset_e2e::fixtures::{Tenant, artifacts};

use crate::checks;
use crate::stageset::{NOTICED, StageSet, config_map, service, spec};
use crate::world::World;

const NAMESPACE: &str = "missing-right";
const ALL: &[&str] = &[
    "get", "list", "watch", "create", "update", "patch", "delete",
];

pub(crate) fn run(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    let tenant = Tenant::create(kubectl, NAMESPACE)?;
    tenant.grant(
        kubectl,
        "maps-only",
        &json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ALL}]),
    )?;
    let artifact = world.artifacts.put_files(&[
        ("maps/a.yaml", &config_map("a", "one")),
        ("mixed/b.yaml", &config_map("b", "one")),
        ("mixed/web.yaml", &service("web")),
    ])?;
    artifacts::publish(kubectl, NAMESPACE, "app", "v1", &artifact)?;
    let set = StageSet::apply(
        kubectl,
        NAMESPACE,
        "release",
        &spec(
            "ExternalArtifact",
            "app",
            &[("maps", "./maps"), ("mixed", "./mixed")],
        ),
    )?;
    set.wait_failed_saying(&["RBACDenied"], &["patch", "services"])?;
    set.wait_warning(&["RBACDenied"])?;
    // The dry run of the wave failed, so nothing of the second stage was written: neither what the
    // account may not write nor what it may.
    ensure!(
        set.owned()?.iter().map(String::as_str).collect::<Vec<_>>() == ["ConfigMap/a"],
        "written in spite of the missing right: {:?}",
        set.owned()?
    );
    nothing_was_tried_otherwise(world, &tenant.user())?;

    tenant.grant(
        kubectl,
        "services-too",
        &json!([{"apiGroups": [""], "resources": ["services"], "verbs": ALL}]),
    )?;
    set.wait_ready_within(NOTICED)?;
    ensure!(
        set.owned()?.len() == 3,
        "after the right was granted: {:?}",
        set.owned()?
    );
    set.delete()?;
    checks::namespace(world, NAMESPACE, &tenant.user())
}

/// No write on Services was accepted, and none was sent as anybody but the tenant.
fn nothing_was_tried_otherwise(world: &World, tenant: &str) -> Result<()> {
    let Some(events) = checks::about(world, NAMESPACE)? else {
        return Ok(());
    };
    for event in events.iter().filter(|event| event.resource == "services") {
        ensure!(!event.changed(), "a Service was written: {event:?}");
        ensure!(
            event.impersonated.as_deref() == Some(tenant),
            "not as the tenant: {event:?}"
        );
    }
    ensure!(
        events
            .iter()
            .filter(|event| event.resource == "services" && event.is_write())
            .count()
            <= 20,
        "the denied write was repeated in a hot loop"
    );
    Ok(())
}
