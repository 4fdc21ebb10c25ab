//! Actions: the steps before, after and on failure of a stage.
//!
//! An action is a state, never a task: a pause or a running Job is a hold like any other. Its life is
//! `start recorded → side effect → completion recorded`, each in its own write; what a crash in
//! between means is decided by a rule of each verb (docs/actions.md).
//!
//! - [`attempt`] the life of one action: attempts, bounds, retries, what is recorded when;
//! - [`failures`] how a list ends that failed, and when it is begun again;
//! - [`verbs`] what each verb does next; [`manifests`], [`target`], [`look`] what they need for it;
//! - [`ledger`] the StageLedger: completions for ever, baselines, witnesses;
//! - [`record`] how all this stands in the status;
//! - [`again`] `reconcile-stage`.

mod again;
mod attempt;
mod failures;
mod ledger;
mod look;
mod manifests;
mod record;
mod target;
mod verbs;

pub(super) use ledger::{notes, opened};
pub(super) use record::{forgive, settled};

use crate::spec::ActionPhase;

use super::Stop;
use super::release::{Release, StageView};
use super::report::Report;

/// A list of actions of a stage, and what is said of the stage meanwhile.
#[derive(Clone, Copy)]
struct Run<'a> {
    release: &'a Release<'a>,
    stage: &'a StageView<'a>,
    phase: ActionPhase,
    /// The failure that onFailure actions follow: it stays what the StageSet says.
    failure: Option<&'a Report>,
}

/// Lets the stage begin once all that comes before it is done. Until then the stage is untouched.
pub(super) fn pre(release: &Release<'_>, stage: &StageView<'_>) -> Result<(), Stop> {
    again::clear(release, stage)?;
    list(Run {
        release,
        stage,
        phase: ActionPhase::Pre,
        failure: None,
    })
}

/// Lets the stage end once all that comes after it is done.
pub(super) fn post(release: &Release<'_>, stage: &StageView<'_>) -> Result<(), Stop> {
    list(Run {
        release,
        stage,
        phase: ActionPhase::Post,
        failure: None,
    })
}

/// Whether nothing is left to do before and after the stage.
pub(super) fn finished(release: &Release<'_>, stage: &StageView<'_>) -> bool {
    [ActionPhase::Pre, ActionPhase::Post]
        .into_iter()
        .all(|phase| {
            attempt::all_done(Run {
                release,
                stage,
                phase,
                failure: None,
            })
        })
}

/// What follows when the stage came to a stop: after a failure, its onFailure actions.
///
/// The failure stays the outcome, whatever becomes of them; it is recorded and told before they
/// begin. Waiting isn't failing, and neither is what goes away by itself: a conflict, a time-out, an
/// overloaded server ([`Report::stage_failed`] tells which is which).
pub(super) fn after(release: &Release<'_>, stage: &StageView<'_>, stop: Stop) -> Stop {
    let Stop::Report(mut report) = stop else {
        return stop;
    };
    if !report.has_failed(&stage.spec.name) || stage.spec.actions.on_failure.is_empty() {
        return Stop::Report(report);
    }
    let observation = release.observation;
    let run = Run {
        release,
        stage,
        phase: ActionPhase::OnFailure,
        failure: Some(&report),
    };
    if report.is_news(&observation.stage_set.status) {
        if !attempt::all_done(run) {
            report.look_by(observation.now);
        }
        return Stop::Report(report);
    }
    match list(run) {
        Ok(()) => Stop::Report(report),
        Err(Stop::Report(inner)) => {
            report.no_later_than(&inner);
            Stop::Report(report)
        }
        Err(stop) => stop,
    }
}

/// One after the other; the first that isn't done stops the list.
fn list(run: Run<'_>) -> Result<(), Stop> {
    run.stage
        .spec
        .actions
        .of(run.phase)
        .iter()
        .try_for_each(|action| attempt::one(run, action))
}
