//! Objects of the target: always as the tenant, never as anybody else.

use std::sync::Arc;

use stageset_api::names::FIELD_MANAGER;
use stageset_core::failure::{Failure, FailureClass};
use stageset_core::identity::Identity;
use stageset_core::judge::{drift, live};
use stageset_core::object::{Desired, GroupVersionKind, ObjectKey, Reference, labels};
use stageset_core::observation::{DryRun, Labelled, LiveState};

use super::{Found, Gather, text};
use crate::requests::Target;

/// As the tenant: what a forced apply would do, against the object as it stands.
pub(super) async fn dry_run(
    gather: Gather<'_>,
    identity: &Identity,
    object: &Arc<Desired>,
) -> Found {
    let state = try_apply(gather, identity, object)
        .await
        .unwrap_or_else(DryRun::Refused);
    Found::DryRun {
        identity: identity.clone(),
        key: object.reference.key.clone(),
        digest: object.digest.clone(),
        covered: gather.ports.watched.covers(
            identity,
            &object.reference.key,
            &object.reference.version,
        ),
        state,
    }
}

/// As the tenant: the objects that carry the labels of a stage, with their uids.
pub(super) async fn labelled(gather: Gather<'_>, identity: &Identity, search: &Labelled) -> Found {
    let api_version = GroupVersionKind {
        group: search.group.clone(),
        version: search.version.clone(),
        kind: String::new(),
    }
    .api_version();
    let target = Target::collection(&api_version, &search.plural, search.namespace.as_deref());
    let labels = format!(
        "{}={},{}={},{}={},!{}",
        labels::OWNER_NAMESPACE,
        gather.key.namespace,
        labels::OWNER_NAME,
        gather.key.name,
        labels::STAGE,
        search.stage,
        labels::TRANSIENT,
    );
    let listed = match gather.as_tenant(identity) {
        Ok(requests) => requests.list(&target, &labels).await,
        Err(failure) => Err(failure),
    };
    let found = listed.map(|objects| {
        let found = objects.iter().filter_map(|object| {
            let key = ObjectKey {
                group: search.group.clone(),
                kind: search.kind.clone(),
                namespace: text(object, "/metadata/namespace").map(str::to_owned),
                name: text(object, "/metadata/name")?.to_owned(),
            };
            Some((key, text(object, "/metadata/uid")?.to_owned()))
        });
        found.collect()
    });
    Found::Labelled(identity.clone(), search.clone(), found)
}

/// Whether a watch as the tenant tells of an object: it covers the kind and namespace, and picks
/// objects by the label of the tenant's namespace, which an object that we never wrote lacks.
fn covered(gather: Gather<'_>, identity: &Identity, object: &Reference, state: &LiveState) -> bool {
    let ours = match state {
        LiveState::Present(live) => live
            .owner
            .as_ref()
            .is_some_and(|owner| owner.namespace == gather.key.namespace),
        LiveState::Absent | LiveState::Unreadable(_) => false,
    };
    ours && gather
        .ports
        .watched
        .covers(identity, &object.key, &object.version)
}

async fn try_apply(
    gather: Gather<'_>,
    identity: &Identity,
    object: &Desired,
) -> Result<DryRun, Failure> {
    let requests = gather.as_tenant(identity)?;
    let target = Target::object(&object.reference);
    let Some(would_be) = requests.dry_run_apply(&target, &object.stamped()).await? else {
        return Ok(DryRun::Create);
    };
    Ok(match requests.get(&target).await? {
        Some(stands) => {
            let key = &object.reference.key;
            match drift::compare(&stands, &would_be, FIELD_MANAGER) {
                DryRun::Unchanged { live } => DryRun::Unchanged {
                    live: gather.bodies.kept(live, &stands, key),
                },
                // What changes is read again before anybody judges it.
                other => other,
            }
        }
        // It went away between the two.
        None => DryRun::Create,
    })
}

/// As the tenant: the object as it stands.
pub(super) async fn read(gather: Gather<'_>, identity: &Identity, object: &Reference) -> Found {
    let found = match gather.as_tenant(identity) {
        Ok(requests) => requests.get(&Target::object(object)).await,
        Err(failure) => Err(failure),
    };
    let state = match found {
        Ok(Some(stands)) => live::read(&stands, FIELD_MANAGER).map_or_else(
            || LiveState::Unreadable(without_uid(&object.key)),
            |live| LiveState::Present(gather.bodies.kept(live, &stands, &object.key)),
        ),
        Ok(None) => LiveState::Absent,
        Err(failure) => LiveState::Unreadable(failure),
    };
    Found::Read {
        identity: identity.clone(),
        key: object.key.clone(),
        covered: covered(gather, identity, object, &state),
        state,
    }
}

/// No stored object lacks a uid.
pub(crate) fn without_uid(what: &impl std::fmt::Display) -> Failure {
    Failure::new(
        FailureClass::Transient { retry_after: None },
        format!("the API server's answer about {what} has no metadata.uid"),
    )
}
