//! A commit to a real git repository, fetched by the real source-controller, delivered in two
//! stages; a second commit updates it and drops an object; deletion tears down.

use anyhow::{Result, ensure};
use serde_json::json;
use stageset_e2e::fixtures::Tenant;

use crate::checks;
use crate::stageset::{StageSet, config_map, deployment, service, spec};
use crate::world::World;

const NAMESPACE: &str = "git-release";

pub(crate) fn run(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    let tenant = Tenant::create(kubectl, NAMESPACE)?;
    tenant.grant_edit(kubectl)?;

    let git = world.git(NAMESPACE)?;
    let first = git.commit(
        "first",
        &[
            ("base/settings.yaml", &config_map("settings", "one")),
            ("base/extra.yaml", &config_map("extra", "one")),
            (
                "app/web.yaml",
                &format!("{}---\n{}", deployment("web", 2, None), service("web")),
            ),
        ],
    )?;
    kubectl.apply(&json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": "GitRepository",
        "metadata": {"name": "app", "namespace": NAMESPACE},
        // The interval's length shows nothing here: the second commit is asked for by annotation.
        "spec": {"interval": "10m", "url": git.url(), "ref": {"branch": "main"}},
    }))?;
    let set = StageSet::apply(
        kubectl,
        NAMESPACE,
        "release",
        &spec(
            "GitRepository",
            "app",
            &[("base", "./base"), ("app", "./app")],
        ),
    )?;
    set.wait_revision(&first)?;
    ensure!(
        set.owned()? == set.inventory()?,
        "the inventory is not what is there"
    );
    ensure!(
        set.owned()?.iter().map(String::as_str).collect::<Vec<_>>()
            == [
                "ConfigMap/extra",
                "ConfigMap/settings",
                "Deployment/web",
                "Service/web"
            ],
        "delivered: {:?}",
        set.owned()?
    );
    stages_came_in_order(world)?;

    let second = git.commit(
        "second",
        &[
            ("base/settings.yaml", &config_map("settings", "two")),
            (
                "app/web.yaml",
                &format!("{}---\n{}", deployment("web", 1, None), service("web")),
            ),
        ],
    )?;
    kubectl.run(&[
        "-n",
        NAMESPACE,
        "annotate",
        "gitrepositories.source.toolkit.fluxcd.io/app",
        "reconcile.fluxcd.io/requestedAt=second",
        "--overwrite",
    ])?;
    set.wait_revision(&second)?;
    let settings = kubectl.raw(&format!(
        "/api/v1/namespaces/{NAMESPACE}/configmaps/settings"
    ))?;
    ensure!(
        settings.is_some_and(|map| map["data"]["value"] == "two"),
        "settings were not updated"
    );
    ensure!(
        !set.owned()?.contains("ConfigMap/extra"),
        "the dropped object was not pruned"
    );
    ensure!(
        set.owned()? == set.inventory()?,
        "the inventory is not what is there"
    );

    set.delete()?;
    ensure!(
        set.owned()?.is_empty(),
        "left after deletion: {:?}",
        set.owned()?
    );
    checks::namespace(world, NAMESPACE, &tenant.user())
}

/// Nothing of the second stage was written before everything of the first.
fn stages_came_in_order(world: &World) -> Result<()> {
    let Some(events) = checks::about(world, NAMESPACE)? else {
        return Ok(());
    };
    let written = |resource: &str| {
        events
            .iter()
            .filter(|event| event.changed() && event.resource == resource)
            .map(|event| event.time.clone())
            .collect::<Vec<_>>()
    };
    let (maps, deployments) = (written("configmaps"), written("deployments"));
    ensure!(
        maps.len() == 2,
        "wrote the two ConfigMaps in {} requests",
        maps.len()
    );
    ensure!(
        maps.iter().max() < deployments.iter().min(),
        "the Deployment was written before the first stage was: {maps:?} {deployments:?}"
    );
    Ok(())
}
