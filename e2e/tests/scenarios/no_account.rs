//! A StageSet without an account is refused before the first request to the tenant's objects.

use anyhow::{Result, ensure};
use stageset_e2e::fixtures::{Tenant, artifacts};
use stageset_e2e::rules::violation;

use crate::checks;
use crate::stageset::{StageSet, config_map, spec};
use crate::world::World;

const NAMESPACE: &str = "no-account";

pub(crate) fn run(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    let tenant = Tenant::create(kubectl, NAMESPACE)?;
    tenant.grant_edit(kubectl)?;
    let artifact = world
        .artifacts
        .put_files(&[("a.yaml", &config_map("a", "one"))])?;
    artifacts::publish(kubectl, NAMESPACE, "app", "v1", &artifact)?;

    let mut without = spec("ExternalArtifact", "app", &[("only", "./")]);
    if let Some(fields) = without.as_object_mut() {
        fields.remove("serviceAccountName");
    }
    let set = StageSet::apply(kubectl, NAMESPACE, "release", &without)?;
    set.wait_failed_saying(&["RBACDenied"], &["serviceAccountName"])?;
    set.wait_warning(&["RBACDenied"])?;
    ensure!(
        set.owned()?.is_empty(),
        "applied without an account: {:?}",
        set.owned()?
    );

    // A blank account is no account, and no way around it.
    let blank = StageSet::apply(kubectl, NAMESPACE, "blank", &{
        let mut blank = without.clone();
        blank["serviceAccountName"] = " ".into();
        blank
    });
    if let Ok(blank) = &blank {
        blank.wait_failed(&["RBACDenied", "InvalidSpec"])?;
        blank.delete()?;
    }

    set.delete()?;
    let Some(events) = checks::about(world, NAMESPACE)? else {
        return Ok(());
    };
    for event in &events {
        ensure!(
            event.impersonated.is_none(),
            "a request as a tenant: {event:?}"
        );
        if let Some(wrong) = violation(event) {
            anyhow::bail!("a request to the tenant's objects: {wrong}");
        }
    }
    ensure!(
        !events.is_empty(),
        "the audit log knows nothing about {NAMESPACE}"
    );
    Ok(())
}
