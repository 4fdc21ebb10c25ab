//! What must be true of every run, read from the API server's audit log.

use anyhow::{Result, ensure};
use stageset_e2e::audit::Event;
use stageset_e2e::chart;
use stageset_e2e::rules::violation;

use crate::world::World;

/// Judges every request that the controller sent so far: what touched a tenant's object carried
/// that tenant's impersonated user, and what did not was one of the controller's own reads and
/// records.
pub(crate) fn every_request(world: &World) -> Result<()> {
    let Some(events) = world.audit()? else {
        return Ok(());
    };
    let ours: Vec<&Event> = events
        .iter()
        .filter(|event| event.user == chart::USER)
        .collect();
    ensure!(
        !ours.is_empty(),
        "the audit log has no request of the controller at all"
    );
    let wrong: Vec<String> = ours.iter().filter_map(|event| violation(event)).collect();
    ensure!(
        wrong.is_empty(),
        "{} of {} requests under the wrong identity:\n{}",
        wrong.len(),
        ours.len(),
        wrong[..wrong.len().min(20)].join("\n")
    );
    Ok(())
}

/// Judges the requests about one namespace, and that there were some as `tenant`.
pub(crate) fn namespace(world: &World, namespace: &str, tenant: &str) -> Result<()> {
    let Some(events) = about(world, namespace)? else {
        return Ok(());
    };
    let wrong: Vec<String> = events.iter().filter_map(violation).collect();
    ensure!(
        wrong.is_empty(),
        "requests under the wrong identity:\n{}",
        wrong.join("\n")
    );
    ensure!(
        events
            .iter()
            .any(|event| event.impersonated.as_deref() == Some(tenant) && event.changed()),
        "nothing in {namespace} was written as {tenant}"
    );
    Ok(())
}

/// The controller's requests about one namespace: to its objects, or as one of its accounts.
pub(crate) fn about(world: &World, namespace: &str) -> Result<Option<Vec<Event>>> {
    let account = format!("system:serviceaccount:{namespace}:");
    Ok(world.audit()?.map(|events| {
        events
            .into_iter()
            .filter(|event| event.user == chart::USER)
            .filter(|event| {
                event.namespace == namespace
                    || event
                        .impersonated
                        .as_ref()
                        .is_some_and(|user| user.starts_with(&account))
            })
            .collect()
    }))
}
