//! The door: own records usable, finalizer, suspend, valid spec.

use stageset_api::reason::Reason;

use crate::failure::Failure;
use crate::observation::Observation;
use crate::plan::{Operation, Plan, RecordOperation};
use crate::spec::Spec;

use super::Stop;
use super::freshness::{Use, judge};
use super::report::{Report, Wait};

/// After a failed write to our own records nothing else is tried until its pause is over: acting
/// without being able to record it would leave things half-done and unrecorded.
pub(super) fn own_records_are_writable(observation: &Observation) -> Result<(), Stop> {
    let fact = observation.facts.record_failure.as_ref();
    match judge(observation, fact, |failure: &Failure| Some(failure)) {
        Use::Wait(failure, until) => {
            Err(Report::unrecordable(failure.message.clone(), until).into())
        }
        Use::Ask | Use::Rely(_) => Ok(()),
    }
}

/// Two releases of the controller may look at one StageSet; the one that claimed it first handles it,
/// and the other one does nothing at all (K24).
pub(super) fn handled_here(observation: &Observation) -> Result<(), Stop> {
    let status = &observation.stage_set.status;
    if let Some(other) = observation.config.handled_elsewhere(status) {
        return Err(Stop::Rest(format!(
            "release {other} of the controller handles this StageSet (status.handledBy): let the \
             lists of --watch-namespaces not overlap, or start this one with --take-over"
        )));
    }
    Ok(())
}

/// The claim of our release (K24) rides on the first status that is recorded; whatever else would be
/// written before that waits for a claim of its own. It is a write at the version that was seen, so only
/// one of two releases can win. The finalizer may come before: it is the same for all of them.
pub(super) fn claimed(observation: &Observation, mut plan: Plan) -> Plan {
    let recorded = &observation.stage_set.status;
    let Some(ours) = &observation.config.release else {
        return plan;
    };
    if recorded.handled_by.as_ref() == Some(ours) {
        return plan;
    }
    let mut first = None;
    for operation in plan.steps.iter_mut().flatten() {
        let status = match operation {
            Operation::Record(RecordOperation::AddFinalizer) => continue,
            Operation::Record(
                RecordOperation::Status(status) | RecordOperation::Action { status, .. },
            ) => Some(status),
            Operation::Record(_) | Operation::Tenant(_) => None,
        };
        first.get_or_insert(status.is_some());
        if let Some(status) = status {
            status.handled_by = Some(ours.clone());
        }
    }
    if first != Some(false) {
        return plan;
    }
    let mut claim = recorded.clone();
    claim.handled_by = Some(ours.clone());
    Plan::act(vec![vec![Operation::Record(RecordOperation::Status(
        Box::new(claim),
    ))]])
}

/// The finalizer comes before everything else, so that nothing applied can be forgotten by a
/// deletion.
pub(super) fn finalizer_stands(observation: &Observation) -> Result<(), Stop> {
    if observation.stage_set.has_finalizer {
        Ok(())
    } else {
        Err(Stop::Act(vec![vec![Operation::Record(
            RecordOperation::AddFinalizer,
        )]]))
    }
}

/// `spec.suspend` stops everything but deletion.
pub(super) fn not_suspended(observation: &Observation) -> Result<(), Stop> {
    if observation.stage_set.suspend {
        Err(Report::suspended(observation).into())
    } else {
        Ok(())
    }
}

/// The admission rules, again: a disabled webhook lets nothing through (A08).
pub(super) fn spec_is_valid(observation: &Observation) -> Result<&Spec, Stop> {
    match &observation.stage_set.spec {
        Ok(spec) => Ok(spec),
        Err(problems) => {
            let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Err(Report::stalled(
                observation,
                Reason::InvalidSpec,
                list.join("; "),
                Wait::Tick,
            )
            .into())
        }
    }
}
