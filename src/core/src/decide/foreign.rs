//! References into other namespaces: whether they are allowed at all, and whether the tenant could
//! follow them itself.
//!
//! Without a flag a foreign object is the controller's read, as the user asked. Under
//! `--no-cross-namespace-refs` it is refused unread (S31 to S33). Under `--check-cross-namespace-refs`
//! it is read only for an account that may read it as well, so that the controller is nobody's deputy
//! (K04). Every fault has one text and one reason, so that it doesn't tell what exists elsewhere (A09).

use stageset_api::reason::Reason;

use crate::identity::{Identity, Target, Tenancy};
use crate::names::ServiceAccountName;
use crate::object::GroupVersionKind;
use crate::observation::{AccessState, KindState, Observation};
use crate::plan::Need;
use crate::rights::{Right, Verb};
use crate::spec::{SourceReference, Spec};

use super::Stop;
use super::report::{DENIED_RETRY, Report, Wait};

/// Refuses every reference into another namespace, unread, if the operator wants it so.
pub(super) fn are_allowed(observation: &Observation, spec: &Spec) -> Result<(), Stop> {
    if !observation.config.no_cross_namespace_refs {
        return Ok(());
    }
    let own = &observation.stage_set.namespace;
    let foreign = |(index, stage): (usize, &crate::spec::Stage)| {
        let source = &stage.source;
        (source.namespace != *own).then(|| {
            (
                format!("spec.stages[{index}].sourceRef"),
                source.to_string(),
            )
        })
    };
    let Some((field, reference)) = spec.stages.iter().enumerate().find_map(foreign) else {
        return Ok(());
    };
    Err(refused(observation, &field, &reference))
}

/// The refusal of one reference.
pub(super) fn refused(observation: &Observation, field: &str, reference: &str) -> Stop {
    let own = &observation.stage_set.namespace;
    Report::stalled(
        observation,
        Reason::ResolveFailed,
        format!(
            "{field}: {reference} is in another namespace, which this controller doesn't allow \
             (--no-cross-namespace-refs): use one of namespace {own}"
        ),
        Wait::For(std::time::Duration::from_secs(60)),
    )
    .into()
}

/// The one answer about a foreign object that can't be used, whatever the matter with it.
pub(super) fn unavailable(observation: &Observation, reference: &str, wait: Wait) -> Report {
    Report::waiting(
        observation,
        Reason::ArtifactNotFound,
        format!("{reference} is not available to this StageSet"),
        wait,
    )
}

/// Whether a foreign source may be read for this account; `None` while that isn't known.
///
/// # Errors
/// [`unavailable`] if it may not, and if that can't be told (I5).
pub(super) fn may_read(
    observation: &Observation,
    spec: &Spec,
    account: Option<&ServiceAccountName>,
    source: &SourceReference,
    needs: &mut Vec<Need>,
) -> Result<bool, Box<Report>> {
    let own = &observation.stage_set.namespace;
    if !observation.config.check_cross_namespace_refs || source.namespace == *own {
        return Ok(true);
    }
    let no = |wait| {
        Err(Box::new(unavailable(
            observation,
            &source.to_string(),
            wait,
        )))
    };
    // With a kubeConfig and no account there is nobody here to read it as (K01).
    let tenancy = match spec.kube_config {
        Some(_) => Tenancy::Multi,
        None => observation.config.tenancy,
    };
    let Ok(identity) = Identity::resolve(tenancy, own, account, &Target::Local) else {
        return no(Wait::For(std::time::Duration::from_secs(60)));
    };
    if identity.is_controller() {
        return Ok(true);
    }
    let gvk = GroupVersionKind::from_manifest(&source.api_version, &source.kind);
    let retry = |at: crate::time::Timestamp| at.plus(DENIED_RETRY);
    let Some(kind) = observation.facts.kinds.get(&Target::Local, &gvk) else {
        needs.push(Need::Kind {
            target: Target::Local,
            gvk,
        });
        return Ok(false);
    };
    let (KindState::Served { plural, .. } | KindState::OtherVersion { plural, .. }) = &kind.value
    else {
        if observation.now >= retry(kind.at) {
            needs.push(Need::Kind {
                target: Target::Local,
                gvk,
            });
            return Ok(false);
        }
        return no(Wait::Until(retry(kind.at)));
    };
    let right = Right {
        namespace: Some(source.namespace.to_string()),
        group: gvk.group.clone(),
        resource: plural.clone(),
        verb: Verb::Get,
        name: source.name.clone(),
    };
    let ask = |needs: &mut Vec<Need>| {
        needs.push(Need::Access {
            identity: identity.clone(),
            right: right.clone(),
        });
        Ok(false)
    };
    let Some(answer) = observation.facts.reviews.access(&identity, &right) else {
        return ask(needs);
    };
    match &answer.value {
        // A right that was taken away counts from the next tick on.
        AccessState::Answered(true) if answer.at >= observation.refresh_before => Ok(true),
        AccessState::Answered(true) => ask(needs),
        AccessState::Answered(false) | AccessState::Unreadable(_) => {
            if observation.now >= retry(answer.at) {
                ask(needs)
            } else {
                no(Wait::Until(retry(answer.at)))
            }
        }
    }
}
