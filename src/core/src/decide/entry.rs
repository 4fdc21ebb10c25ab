//! The door: own records usable, finalizer, suspend, valid spec.

use std::time::Duration;

use stageset_api::reason::Reason;

use crate::failure::Failure;
use crate::observation::Observation;
use crate::plan::{Operation, RecordOperation};
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
                Wait::For(Duration::from_secs(60)),
            )
            .into())
        }
    }
}
