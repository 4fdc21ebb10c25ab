//! What must be true of every run, read from the API server's audit log.

use anyhow::{Result, ensure};
use stageset_e2e::audit::Event;
use stageset_e2e::chart;

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

/// Why a request should not have been sent the way it was; none when it is right.
pub(crate) fn violation(event: &Event) -> Option<String> {
    let wrong = match &event.impersonated {
        Some(user) => wrong_tenant(event, user),
        None if own_plane(event) => None,
        None => Some("not impersonated".to_owned()),
    };
    wrong.map(|wrong| {
        format!(
            "{} {} ({}) as {:?}: {wrong}",
            event.verb, event.uri, event.code, event.impersonated
        )
    })
}

fn wrong_tenant(event: &Event, user: &str) -> Option<String> {
    let namespace = user
        .strip_prefix("system:serviceaccount:")
        .and_then(|rest| rest.split_once(':').map(|(namespace, _)| namespace));
    match namespace {
        None => Some("not a ServiceAccount".to_owned()),
        // A tenant may be refused elsewhere, but what it is allowed to touch in these scenarios is
        // its own namespace.
        Some(own) if !event.namespace.is_empty() && event.namespace != own && event.code < 400 => {
            Some(format!(
                "an account of {own} in the namespace {}",
                event.namespace
            ))
        }
        Some(_) if event.group == "stages.metio.wtf" => {
            Some("the controller's own records are not the tenant's to touch".to_owned())
        }
        Some(_) => None,
    }
}

/// Whether a request without impersonation is one that the controller makes for itself.
fn own_plane(event: &Event) -> bool {
    let reads = matches!(event.verb.as_str(), "get" | "list" | "watch");
    match (event.group.as_str(), event.resource.as_str()) {
        ("stages.metio.wtf", _) => true,
        // Discovery, version and health; what StageSets refer to; what kinds there are.
        ("", "")
        | ("source.toolkit.fluxcd.io" | "jaas.metio.wtf", _)
        | ("apiextensions.k8s.io", "customresourcedefinitions") => reads,
        ("", "serviceaccounts" | "namespaces") => reads && event.subresource.is_empty(),
        ("coordination.k8s.io", "leases") => event.namespace == chart::NAMESPACE,
        ("" | "events.k8s.io", "events") => matches!(event.verb.as_str(), "create" | "patch"),
        _ => false,
    }
}
