//! References into other namespaces: whether they are allowed at all, and whether the tenant could
//! follow them itself.
//!
//! Without a flag a foreign object is the controller's read, as the user asked. Under
//! `--no-cross-namespace-refs` it is refused unread (S31 to S33). Under `--check-cross-namespace-refs`
//! it is read only for an account that may read it as well, so that the controller is nobody's deputy
//! (K04). Every fault has one text and one reason, so that it doesn't tell what exists elsewhere (A09).

use std::fmt;

use stageset_api::names::{GROUP, PLURAL_STAGE_SETS};
use stageset_api::reason::Reason;

use crate::identity::{Identity, Target, Tenancy};
use crate::names::{Namespace, ServiceAccountName};
use crate::object::GroupVersionKind;
use crate::observation::{AccessState, KindState, Observation};
use crate::plan::Need;
use crate::rights::{Right, Verb};
use crate::spec::{SourceReference, Spec, StageSetReference};
use crate::time::Timestamp;

use super::Stop;
use super::report::{DENIED_RETRY, Report, Wait};

/// Something that a spec names, perhaps in another namespace.
#[derive(Clone, Copy)]
pub(super) enum Named<'a> {
    /// A source of a stage, or of an action.
    Source(&'a SourceReference),
    /// A StageSet that is to be ready first.
    StageSet(&'a StageSetReference),
}

/// Whether the controller may read it for an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// It may.
    Allowed,
    /// That isn't known yet and was asked for.
    Asked,
    /// It may not, and it can't be told otherwise before then (I5).
    Refused(Timestamp),
}

/// Refuses every source in another namespace, unread, if the operator wants it so.
pub(super) fn sources_are_allowed(observation: &Observation, spec: &Spec) -> Result<(), Stop> {
    if !observation.config.no_cross_namespace_refs {
        return Ok(());
    }
    for (index, stage) in spec.stages.iter().enumerate() {
        let of_stage = std::iter::once((format!("spec.stages[{index}].sourceRef"), &stage.source));
        let of_actions = stage.actions.all().filter_map(|(phase, action)| {
            let field = format!(
                "spec.stages[{index}].actions.{phase}: sourceRef of action {:?}",
                action.name
            );
            Some((field, &action.verb.manifests()?.source))
        });
        for (field, source) in of_stage.chain(of_actions) {
            is_allowed(
                observation,
                &field,
                Named::Source(source),
                Reason::ResolveFailed,
            )?;
        }
    }
    Ok(())
}

/// Refuses one reference if it leads elsewhere and the operator doesn't want that.
pub(super) fn is_allowed(
    observation: &Observation,
    field: &str,
    named: Named<'_>,
    reason: Reason,
) -> Result<(), Stop> {
    let own = &observation.stage_set.namespace;
    if !observation.config.no_cross_namespace_refs || named.namespace() == own {
        return Ok(());
    }
    let message = format!(
        "{field}: {named} is in another namespace, which this controller doesn't allow \
         (--no-cross-namespace-refs): use one of namespace {own}"
    );
    let wait = Wait::For(DENIED_RETRY);
    Err(Report::stalled(observation, reason, message, wait).into())
}

/// The one answer about a foreign source that can't be used, whatever the matter with it.
pub(super) fn unavailable(
    observation: &Observation,
    source: &SourceReference,
    wait: Wait,
) -> Report {
    Report::waiting(
        observation,
        Reason::ArtifactNotFound,
        format!("{source} is not available to this StageSet"),
        wait,
    )
}

/// Whether something may be read for this account.
pub(super) fn may_read(
    observation: &Observation,
    spec: &Spec,
    account: Option<&ServiceAccountName>,
    named: Named<'_>,
    needs: &mut Vec<Need>,
) -> Reading {
    let own = &observation.stage_set.namespace;
    if !observation.config.check_cross_namespace_refs || named.namespace() == own {
        return Reading::Allowed;
    }
    // With a kubeConfig and no account there is nobody here to read it as (K01).
    let tenancy = match spec.kube_config {
        Some(_) => Tenancy::Multi,
        None => observation.config.tenancy,
    };
    let Ok(identity) = Identity::resolve(tenancy, own, account, &Target::Local) else {
        return Reading::Refused(observation.now.plus(DENIED_RETRY));
    };
    if identity.is_controller() {
        return Reading::Allowed;
    }
    let right = match named.right(observation, needs) {
        Ok(right) => right,
        Err(unknown) => return unknown,
    };
    let answer = observation.facts.reviews.access(&identity, &right);
    let known = match answer.map(|fact| (&fact.value, fact.at)) {
        // A right that was taken away counts from the next tick on.
        Some((AccessState::Answered(true), at)) if at >= observation.refresh_before => {
            Some(Reading::Allowed)
        }
        Some((AccessState::Answered(false) | AccessState::Unreadable(_), at)) => {
            let until = at.plus(DENIED_RETRY);
            (observation.now < until).then_some(Reading::Refused(until))
        }
        Some((AccessState::Answered(true), _)) | None => None,
    };
    known.unwrap_or_else(|| {
        needs.push(Need::Access { identity, right });
        Reading::Asked
    })
}

impl Named<'_> {
    fn namespace(&self) -> &Namespace {
        match self {
            Self::Source(source) => &source.namespace,
            Self::StageSet(stage_set) => &stage_set.namespace,
        }
    }

    /// What an account needs to read it itself; the resource of a source is discovery's to tell.
    fn right(&self, observation: &Observation, needs: &mut Vec<Need>) -> Result<Right, Reading> {
        let right = |group: &str, resource: &str, name: &str| Right {
            namespace: Some(self.namespace().to_string()),
            group: group.to_owned(),
            resource: resource.to_owned(),
            verb: Verb::Get,
            name: name.to_owned(),
        };
        let source = match self {
            Self::StageSet(stage_set) => {
                return Ok(right(GROUP, PLURAL_STAGE_SETS, &stage_set.name));
            }
            Self::Source(source) => source,
        };
        let target = Target::Local;
        let gvk = GroupVersionKind::from_manifest(&source.api_version, &source.kind);
        let kind = observation.facts.kinds.get(&target, &gvk);
        let until = kind.map(|kind| kind.at.plus(DENIED_RETRY));
        match (kind.map(|kind| &kind.value), until) {
            (
                Some(KindState::Served { plural, .. } | KindState::OtherVersion { plural, .. }),
                _,
            ) => Ok(right(&gvk.group, plural, &source.name)),
            (Some(_), Some(until)) if observation.now < until => Err(Reading::Refused(until)),
            _ => {
                needs.push(Need::Kind { target, gvk });
                Err(Reading::Asked)
            }
        }
    }
}

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(source) => source.fmt(f),
            Self::StageSet(stage_set) => write!(f, "StageSet {stage_set}"),
        }
    }
}
