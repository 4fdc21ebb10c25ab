//! The end of a list that failed: what is recorded and told, how long it rests, and when nobody tries
//! again unasked.

use stageset_api::reason::Reason;

use crate::failure::{Failure, FailureClass};
use crate::observation::Attempt;
use crate::spec::ActionPhase;

use super::super::Stop;
use super::super::freshness::retry_at;
use super::super::report::{Report, Wait};
use super::attempt::This;
use super::{ledger, record};

/// Failures of a stage with an unfinished Lifetime action, after which nobody tries again unasked.
const DIRTY: u32 = 5;

/// All attempts are used up: the failure is recorded and told, and the list stops here.
pub(super) fn give_up(this: This<'_>, attempt: Attempt, failure: Failure) -> Stop {
    let observation = this.run.release.observation;
    let of = if attempt.number > 1 {
        format!(" after {} attempts", attempt.number)
    } else {
        String::new()
    };
    let message = format!("{} failed{of}: {failure}", this.name());
    let counts = counts(this);
    let failures = if counts {
        record::failures(observation).saturating_add(1)
    } else {
        record::failures(observation)
    };
    let report = if counts && failures >= DIRTY {
        record::failed_report(
            this,
            Reason::ActionDirty,
            &dirty_message(this, &message),
            Wait::Tick,
        )
    } else {
        record::failed_report(this, reason(&failure), &message, Wait::Tick)
    };
    record::gave_up(this, &report, attempt, failure, failures, &message)
}

fn reason(failure: &Failure) -> Reason {
    match failure.class {
        FailureClass::Denied | FailureClass::UnknownKind => Reason::RBACDenied,
        _ => Reason::StageFailed,
    }
}

/// Whether a failure here counts towards being dirty: an unfinished Lifetime action stands in the
/// stage, so that half of something that is done once ever may stand in the cluster.
fn counts(this: This<'_>) -> bool {
    this.run.phase != ActionPhase::OnFailure
        && [ActionPhase::Pre, ActionPhase::Post]
            .into_iter()
            .any(|phase| {
                this.run.stage.spec.actions.of(phase).iter().any(|action| {
                    action.scope.is_lifetime()
                        && !ledger::is_recorded(
                            this.run.release.observation,
                            this.run.stage,
                            action,
                        )
                })
            })
}

fn dirty_message(this: This<'_>, said: &str) -> String {
    format!(
        "{said}; this was failure {DIRTY} of stage {} while a Lifetime action of it isn't done, so \
         nothing is tried again unasked: look at what it left half-done, then set the annotation \
         reconcile.fluxcd.io/requestedAt to a new value",
        this.run.stage.spec.name
    )
}

/// Dirty means: not again until somebody says so.
pub(super) fn refuse_dirty(this: This<'_>) -> Result<(), Stop> {
    if !counts(this) || record::failures(this.run.release.observation) < DIRTY {
        return Ok(());
    }
    let status = &this.run.release.observation.stage_set.status;
    let said = this
        .run
        .stage
        .recorded
        .and_then(|recorded| recorded.message.as_ref());
    let message = match (status.condition("Ready"), said) {
        // As it was said when it happened.
        (Some(ready), Some(message)) if ready.reason == Reason::ActionDirty.as_str() => {
            message.clone()
        }
        _ => dirty_message(this, &format!("{} isn't run", this.name())),
    };
    Err(record::failed_report(this, Reason::ActionDirty, &message, Wait::Tick).into())
}

/// A failed list is begun again after a pause that grows; at once after a change of the spec, or
/// when somebody asks.
pub(super) fn rest_after_failure(this: This<'_>) -> Result<(), Stop> {
    let observation = this.run.release.observation;
    let stage = &this.run.stage.spec.name;
    let known = observation
        .facts
        .actions
        .failure(stage, this.run.phase, &this.action.name);
    let Some(known) = known else { return Ok(()) };
    let until = retry_at(known.fact.at, &known.fact.value, known.fact.failures);
    if observation.now >= until
        || known.generation != observation.stage_set.generation
        || this.asked_again()
        || this.started().is_some()
    {
        return Ok(());
    }
    // As it was said when it happened, with the number of attempts.
    let name = format!("{} failed", this.name());
    let said = this
        .run
        .stage
        .recorded
        .and_then(|recorded| recorded.message.as_ref());
    let message = match said {
        Some(said) if said.starts_with(&name) => said.clone(),
        _ => format!("{name}: {}", known.fact.value),
    };
    let report: Report = record::failed_report(
        this,
        reason(&known.fact.value),
        &message,
        Wait::Until(until),
    );
    Err(report.into())
}
