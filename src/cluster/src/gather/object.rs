//! Objects of the target: always as the tenant, never as anybody else.

use std::sync::Arc;

use stageset_api::names::FIELD_MANAGER;
use stageset_core::failure::{Failure, FailureClass};
use stageset_core::identity::Identity;
use stageset_core::judge::{drift, live};
use stageset_core::object::{Desired, Reference};
use stageset_core::observation::{DryRun, LiveState};

use super::{Found, Gather};
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
        covered: gather.ports.watched.covers(identity, &object.reference),
        state,
    }
}

async fn try_apply(
    gather: Gather<'_>,
    identity: &Identity,
    object: &Desired,
) -> Result<DryRun, Failure> {
    let requests = gather.as_tenant(identity)?;
    let target = Target::object(&object.reference);
    let answer = requests.dry_run_apply(&target, &object.stamped()).await?;
    if answer.created {
        return Ok(DryRun::Create);
    }
    Ok(match requests.get(&target).await? {
        Some(stands) => drift::compare(&stands, &answer.object, FIELD_MANAGER),
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
            LiveState::Present,
        ),
        Ok(None) => LiveState::Absent,
        Err(failure) => LiveState::Unreadable(failure),
    };
    Found::Read {
        identity: identity.clone(),
        key: object.key.clone(),
        covered: gather.ports.watched.covers(identity, object),
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
