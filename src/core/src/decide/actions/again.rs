//! `stages.metio.wtf/reconcile-stage: <stage>@<token>`: what a stage's Revision actions have done is
//! to be done again, once for each token.
//!
//! The token counts as handled when the stage succeeds. Until then a mark in the ledger itself says
//! that it was cleared for this token, so that a retry doesn't clear it again and fire what has
//! already been fired anew.

use stageset_api::reason::Reason;

use crate::names::StageName;
use crate::observation::{ActionRecord, Observation, ReconcileStage};
use crate::plan::{ActionStep, Operation, RecordOperation};

use super::super::Stop;
use super::super::release::{Release, StageView};
use super::super::report::{Report, Wait};

/// The token that was asked for, if it was for this stage.
pub(super) fn asked<'a>(observation: &'a Observation, stage: &StageName) -> Option<&'a str> {
    match &observation.stage_set.reconcile_stage {
        Some(ReconcileStage::Asked {
            stage: asked,
            token,
        }) if asked == stage => Some(token),
        _ => None,
    }
}

const MARK: &str = "reconcile-stage@";

fn mark(token: &str) -> String {
    format!("{MARK}{token}")
}

/// Whether an entry of `executedActions` is such a mark, which holds for every revision.
pub(super) fn is_mark(entry: &str) -> bool {
    entry.starts_with(MARK)
}

/// Clears the stage's Revision ledger, once for each token.
pub(super) fn clear(release: &Release<'_>, stage: &StageView<'_>) -> Result<(), Stop> {
    let observation = release.observation;
    let Some(token) = asked(observation, &stage.spec.name) else {
        return Ok(());
    };
    let mark = mark(token);
    let marked = stage.recorded.is_some_and(|recorded| {
        let record = &recorded.actions;
        record.handled.as_deref() == Some(token) || record.executed.contains(&mark)
    });
    if marked || stage.spec.actions.all().next().is_none() {
        return Ok(());
    }
    let message = "its actions run again, as asked for".to_owned();
    let report = Report::waiting(
        observation,
        Reason::StageProgressing,
        format!("stage {}: {message}", stage.spec.name),
        Wait::Tick,
    )
    .attempting(release.pins)
    .stage_says(&stage.spec.name, message);
    let mut status = report.status(observation);
    if let Some(found) = status
        .stages
        .iter_mut()
        .find(|found| found.name == stage.spec.name)
    {
        found.actions.executed = vec![mark];
        found.actions.revision = Some(stage.revision.to_owned());
        found.actions.started.retain(|started| {
            let action = stage.spec.actions.named(&started.action);
            action.is_some_and(|action| action.scope.is_lifetime())
        });
    }
    let step = ActionStep::Cleared {
        stage: stage.spec.name.clone(),
    };
    Err(Stop::Act(vec![vec![Operation::Record(
        RecordOperation::Action {
            status: Box::new(status),
            step,
        },
    )]]))
}

/// The stage succeeded: the token is handled, and its mark goes.
pub(super) fn handled(record: &mut ActionRecord, token: &str) {
    let mark = mark(token);
    record.executed.retain(|name| *name != mark);
    record.handled = Some(token.to_owned());
}
