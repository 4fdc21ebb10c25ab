//! What is said of a stage that can't go on.

use stageset_api::reason::Reason;

use crate::failure::FailureClass;
use crate::time::Timestamp;

use super::super::Stop;
use super::super::object::{Cause, ObjectFailure};
use super::super::release::{Release, StageView};
use super::super::report::{Report, Wait};

/// All refusals of a wave, in one report.
pub(super) fn refused(
    release: &Release<'_>,
    stage: &StageView<'_>,
    failures: &[ObjectFailure<'_>],
) -> Stop {
    let mut reason = Reason::StageFailed;
    let mut until: Option<Timestamp> = None;
    let mut messages = Vec::with_capacity(failures.len());
    for failure in failures {
        until = Some(until.map_or(failure.until, |until| until.min(failure.until)));
        match &failure.cause {
            Cause::Refused(refusal) => {
                if matches!(
                    refusal.class,
                    FailureClass::Denied | FailureClass::UnknownKind
                ) {
                    reason = Reason::RBACDenied;
                }
                messages.push(format!("{}: {refusal}", failure.object.reference.key));
            }
            Cause::Said(message) => messages.push(message.clone()),
        }
    }
    let until = until.unwrap_or(release.observation.now);
    let stop = stage_failure(release, stage, reason, &messages.join("; "), until);
    let passes = failures.iter().all(|failure| goes_away(stage, failure));
    match stop {
        Stop::Report(report) if passes => (*report).passing().into(),
        stop => stop,
    }
}

/// How often something that goes away by itself may fail in a row before it is a failure.
const PASSING: u32 = 3;

/// A conflict, a time-out, an overloaded server: the next try may well succeed.
fn goes_away(stage: &StageView<'_>, failure: &ObjectFailure<'_>) -> bool {
    let Cause::Refused(refusal) = &failure.cause else {
        return false;
    };
    let facts = stage.facts(&failure.object.reference.key);
    let tried = facts.and_then(|facts| facts.dry_run.as_deref().map(|(_, fact)| fact.failures));
    let written = facts.and_then(|facts| {
        facts
            .write_failure
            .as_deref()
            .map(|(_, fact)| fact.failures)
    });
    matches!(
        refusal.class,
        FailureClass::Conflict | FailureClass::Transient { .. }
    ) && tried.max(written).unwrap_or(0) < PASSING
}

/// A report of a stage that can't go on, with the stage marked as failed.
pub(in crate::decide) fn stage_failure(
    release: &Release<'_>,
    stage: &StageView<'_>,
    reason: Reason,
    message: &str,
    until: Timestamp,
) -> Stop {
    Report::failed(
        release.observation,
        reason,
        format!("stage {}: {message}", stage.spec.name),
        Wait::Until(until),
    )
    .attempting(release.pins)
    .stage_failed(&stage.spec.name, message.to_owned())
    .into()
}
