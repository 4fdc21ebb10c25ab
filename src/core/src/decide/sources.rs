//! Resolving and pinning: every stage's source, before anything else happens.

use stageset_api::reason::Reason;

use crate::failure::{Failure, FailureClass};
use crate::few::Few;
use crate::names::ServiceAccountName;
use crate::observation::{Artifact, Observation, SourceState};
use crate::plan::Need;
use crate::spec::{SourceReference, Spec};
use crate::time::Timestamp;

use super::Stop;
use super::foreign::{self, Named, Reading};
use super::freshness::{Use, jittered, judge};
use super::report::{Report, Wait, retry_interval};

/// The artifact that each source is pinned to in this pass.
#[derive(Default)]
pub(super) struct Pins<'a> {
    /// That of each stage, in stage order.
    stages: Vec<Option<&'a Artifact>>,
    sources: Few<&'a SourceReference, &'a Artifact>,
}

impl<'a> Pins<'a> {
    /// What the stage of this index delivers, once its source is pinned.
    pub(super) fn of(&self, stage: usize) -> Option<&'a Artifact> {
        *self.stages.get(stage)?
    }

    /// Every source once, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a SourceReference, &'a Artifact)> {
        self.sources.iter().map(|(source, pin)| (*source, *pin))
    }
}

/// Pins every source, or says which one can't be.
///
/// A foreign source is refused unread under `--no-cross-namespace-refs` (S31, S33). Sources that
/// aren't usable are looked at again after the retry interval, or at once when a watch tells of them.
pub(super) fn pin<'a>(
    observation: &'a Observation,
    spec: &'a Spec,
    needs: &mut Vec<Need>,
) -> Result<Pins<'a>, Stop> {
    foreign::sources_are_allowed(observation, spec)?;
    let mut pins = Pins::default();
    let mut stop = None;
    for stage in &spec.stages {
        let source = &stage.source;
        if let Some(pin) = pins.sources.get(source).copied() {
            pins.stages.push(Some(pin));
            continue;
        }
        let account = stage.account(spec);
        let pinned = pin_one(observation, spec, account, source, needs);
        match pinned {
            Ok(pin) => {
                pins.stages.push(pin);
                if let Some(artifact) = pin {
                    pins.sources.insert(source, artifact);
                }
            }
            Err(report) => {
                pins.stages.push(None);
                stop.get_or_insert(report);
            }
        }
    }
    match stop {
        Some(report) => Err((*report).into()),
        None => Ok(pins),
    }
}

/// One source, for this account; `None` while facts are missing.
pub(super) fn pin_one<'a>(
    observation: &'a Observation,
    spec: &Spec,
    account: Option<&ServiceAccountName>,
    source: &SourceReference,
    needs: &mut Vec<Need>,
) -> Result<Option<&'a Artifact>, Box<Report>> {
    match foreign::may_read(observation, spec, account, Named::Source(source), needs) {
        Reading::Allowed => {}
        Reading::Asked => return Ok(None),
        Reading::Refused(until) => {
            let wait = Wait::Until(until);
            return Err(Box::new(foreign::unavailable(observation, source, wait)));
        }
    }
    let fact = observation.facts.sources.get(source);
    let state = match judge(observation, fact, unreadable) {
        Use::Ask => {
            needs.push(Need::Source(source.clone()));
            return Ok(None);
        }
        Use::Wait(failure, until) => {
            return Err(Box::new(unusable_failure(
                observation,
                source,
                failure,
                until,
            )));
        }
        Use::Rely(state) => state,
    };
    let (reason, message) = match state {
        SourceState::Ready(artifact) => return Ok(Some(artifact)),
        SourceState::NotReady {
            artifact: Some(artifact),
            ..
        } if pinned_before(observation, source, artifact) => {
            return Ok(Some(artifact));
        }
        SourceState::NotReady { message, .. } => (
            Reason::SourceNotReady,
            format!("{source} isn't ready: {message}"),
        ),
        SourceState::NoArtifact => (
            Reason::ArtifactNotFound,
            format!("{source} offers no artifact (status.artifact needs url and digest)"),
        ),
        SourceState::Absent => (
            Reason::ArtifactNotFound,
            format!("{source} doesn't exist: create it, or correct the sourceRef"),
        ),
        SourceState::Ambiguous { candidates } => (
            Reason::ResolveFailed,
            format!(
                "{source} is named by several ExternalArtifacts ({}): leave one",
                candidates.join(", ")
            ),
        ),
        SourceState::Unreadable(_) => return Ok(None),
    };
    let at = fact.map_or(observation.now, |fact| fact.at);
    let again = at.plus(jittered(
        retry_interval(observation, spec),
        &observation.stage_set.uid,
    ));
    if observation.now >= again {
        needs.push(Need::Source(source.clone()));
    }
    if source.namespace != observation.stage_set.namespace {
        let wait = Wait::Until(again);
        return Err(Box::new(foreign::unavailable(observation, source, wait)));
    }
    Err(Box::new(Report::waiting(
        observation,
        reason,
        message,
        Wait::Until(again),
    )))
}

fn unreadable(state: &SourceState) -> Option<&Failure> {
    match state {
        SourceState::Unreadable(failure) => Some(failure),
        _ => None,
    }
}

/// A run keeps its pins while its source is busy with the next revision (K07).
fn pinned_before(observation: &Observation, source: &SourceReference, artifact: &Artifact) -> bool {
    let status = &observation.stage_set.status;
    status.last_attempted_revisions.get(&pin_key(source)) == Some(&artifact.revision)
}

/// The key of a pin in `status.lastAttemptedRevisions`.
pub(super) fn pin_key(source: &SourceReference) -> String {
    format!("{}/{}", source.namespace, source.name)
}

fn unusable_failure(
    observation: &Observation,
    source: &SourceReference,
    failure: &Failure,
    until: Timestamp,
) -> Report {
    if source.namespace != observation.stage_set.namespace {
        return foreign::unavailable(observation, source, Wait::Until(until));
    }
    let reason = match failure.class {
        FailureClass::Denied | FailureClass::UnknownKind => Reason::RBACDenied,
        _ => Reason::ResolveFailed,
    };
    Report::failed(
        observation,
        reason,
        format!("{source} can't be read: {failure}"),
        Wait::Until(until),
    )
}
