//! How actions stand in the status. Every step of an action is a write of its own; the rest of the
//! status goes with it as it would be reported at that moment.

use stageset_api::reason::Reason;

use crate::failure::Failure;
use crate::names::StageName;
use crate::observation::{ActionRecord, Attempt, Observation, Started, Status};
use crate::plan::{ActionStep, EventKind, Operation, RecordOperation};
use crate::spec::{ActionPhase, Stage};

use super::super::Stop;
use super::super::release::StageView;
use super::super::report::{Report, Wait};
use super::super::stage::announce;
use super::attempt::This;

/// Something is on its way: `stage app: pre action "migrate": …`.
pub(super) fn report(this: This<'_>, reason: Reason, message: &str, wait: Wait) -> Report {
    let stage = this.run.stage;
    let report = Report::waiting(
        this.run.release.observation,
        reason,
        format!("stage {}: {message}", stage.spec.name),
        wait,
    )
    .attempting(this.run.release.pins);
    of_stage(this, report).stage_says(&stage.spec.name, message.to_owned())
}

/// The list came to a stop.
pub(super) fn failed_report(this: This<'_>, reason: Reason, message: &str, wait: Wait) -> Report {
    let stage = this.run.stage;
    let observation = this.run.release.observation;
    let message_of_stage = format!("stage {}: {message}", stage.spec.name);
    let report = if reason == Reason::ActionDirty {
        Report::stalled(observation, reason, message_of_stage, wait)
    } else {
        Report::failed(observation, reason, message_of_stage, wait)
    };
    let report = report.attempting(this.run.release.pins);
    of_stage(this, report).stage_failed(&stage.spec.name, message.to_owned())
}

/// After the stage everything of it is written, and ready.
fn of_stage(this: This<'_>, report: Report) -> Report {
    match this.run.phase {
        ActionPhase::Post => report.stage_written(this.run.release, this.run.stage),
        ActionPhase::Pre | ActionPhase::OnFailure => report,
    }
}

/// The status with a change of the stage's action record in it.
fn status(this: This<'_>, report: &Report, change: impl FnOnce(&mut ActionRecord)) -> Box<Status> {
    let observation = this.run.release.observation;
    let name = &this.run.stage.spec.name;
    // During onFailure actions the failure is what the StageSet says.
    let mut status = this.run.failure.unwrap_or(report).status(observation);
    if let Some(stage) = status.stages.iter_mut().find(|stage| stage.name == *name) {
        change(&mut stage.actions);
    }
    Box::new(status)
}

/// Records that an attempt begins.
pub(super) fn started(this: This<'_>, started: Started, step: ActionStep) -> Operation {
    let message = format!("{} runs", this.name());
    let report = report(this, Reason::StageProgressing, &message, Wait::Tick);
    let revision = crate::observation::ledger_key(Some(this.run.stage.revision));
    let status = status(this, &report, |record| {
        record.started.retain(|other| {
            let same = other.phase == started.phase
                && other.action == started.action
                && other.key == started.key;
            !same && stands(this.run.stage, other, &revision)
        });
        record.started.push(started);
    });
    Operation::Record(RecordOperation::Action { status, step })
}

/// Whether a recorded start still says something: of this revision, or of a Lifetime action.
fn stands(stage: &StageView<'_>, started: &Started, revision: &str) -> bool {
    let action = stage.spec.actions.named(&started.action);
    action.is_some_and(|action| started.key == revision || action.scope.is_lifetime())
}

/// Records a completion at this revision. What leaves something behind keeps its start on record
/// until that is tidied up.
pub(super) fn done(this: This<'_>, attempt: Attempt) -> Operation {
    let message = format!("{} is done", this.name());
    let report = report(this, Reason::StageProgressing, &message, Wait::Tick);
    let revision = this.run.stage.revision.to_owned();
    let status = status(this, &report, |record| {
        if record.revision.as_deref() != Some(revision.as_str()) {
            record.executed.retain(|entry| super::again::is_mark(entry));
            record.revision = Some(revision);
        }
        record.executed.push(this.action.name.clone());
        if super::verbs::leaves_nothing(&this.action.verb) {
            record.started.retain(|started| !is_of(started, &attempt));
        }
    });
    let step = ActionStep::Done {
        attempt,
        scope: this.action.scope.as_str(),
    };
    Operation::Record(RecordOperation::Action { status, step })
}

/// Records that nothing of a Lifetime action is under way; its completion stands in the ledger.
pub(super) fn ended(this: This<'_>, attempt: &Attempt, step: ActionStep) -> Operation {
    let message = format!("{} is done", this.name());
    let report = report(this, Reason::StageProgressing, &message, Wait::Tick);
    let status = status(this, &report, |record| {
        if super::verbs::leaves_nothing(&this.action.verb) {
            record.started.retain(|started| !is_of(started, attempt));
        }
    });
    Operation::Record(RecordOperation::Action { status, step })
}

fn is_of(started: &Started, attempt: &Attempt) -> bool {
    started.phase == attempt.phase && started.action == attempt.action && started.key == attempt.key
}

/// Records that an action's attempts are used up, and tells people.
pub(super) fn gave_up(
    this: This<'_>,
    report: &Report,
    attempt: Attempt,
    failure: Failure,
    failures: u32,
    message: &str,
) -> Stop {
    let observation = this.run.release.observation;
    let mut status = status(this, report, |record| {
        record.started.retain(|started| !is_of(started, &attempt));
    });
    status.action_failures = failures;
    let told = match this.run.failure {
        Some(_) => Some(announce(
            EventKind::Warning,
            "OnFailureAction",
            format!("stage {}: {message}", this.run.stage.spec.name),
        )),
        None => report
            .is_news(&observation.stage_set.status)
            .then(|| Operation::Record(RecordOperation::Announce(report.event()))),
    };
    let step = ActionStep::Failed {
        attempt,
        scope: this.action.scope.as_str(),
        failure,
    };
    let mut steps = vec![vec![Operation::Record(RecordOperation::Action {
        status,
        step,
    })]];
    steps.extend(told.map(|told| vec![told]));
    Stop::Act(steps)
}

/// Whether somebody asked for another try since the last status was written.
pub(in super::super) fn asked_again(observation: &Observation) -> bool {
    let stage_set = &observation.stage_set;
    stage_set.requested_at.is_some()
        && stage_set.requested_at != stage_set.status.last_handled_reconcile_at
}

/// Failures on record; a fresh request takes them away.
pub(super) fn failures(observation: &Observation) -> u32 {
    if asked_again(observation) {
        0
    } else {
        observation.stage_set.status.action_failures
    }
}

/// What a fresh `requestedAt` changes in a status that is about to be written: failures count from
/// nought again, and starts that a lost process left undecided no longer hold anything up, once people
/// know of them. Those of this process still do: their outcome is known, or will be.
pub(in super::super) fn forgive(observation: &Observation, status: &mut Status) {
    if !asked_again(observation) {
        return;
    }
    status.action_failures = 0;
    let Ok(spec) = &observation.stage_set.spec else {
        return;
    };
    for stage in &mut status.stages {
        let Some(spec) = spec.stages.iter().find(|spec| spec.name == stage.name) else {
            continue;
        };
        let name = stage.name.clone();
        stage.actions.started.retain(|started| {
            let attempt = Attempt {
                stage: name.clone(),
                phase: started.phase,
                action: started.action.clone(),
                key: started.key.clone(),
                number: started.attempt,
            };
            observation
                .facts
                .actions
                .carried(&attempt, started.since)
                .is_some()
                || !people_know(observation, &name, started)
                || spec
                    .actions
                    .named(&started.action)
                    .is_some_and(|action| action.verb.is_repeatable())
        });
    }
}

/// `pre action "migrate"`.
pub(super) fn name(phase: ActionPhase, action: &str) -> String {
    format!("{phase} action {action:?}")
}

/// How it is told that an action was lost.
pub(super) const STOPPED: &str = "the controller stopped while it was under way";

/// Whether it is on record that nobody knows whether this start took effect. Who asked for another try
/// before that was said has not looked for the effect (D2). Of `onFailure` actions it is said in the
/// words of the failure that they belong to, so that any wish counts for them.
pub(super) fn people_know(observation: &Observation, stage: &StageName, started: &Started) -> bool {
    let recorded = observation.stage_set.status.stage(stage);
    let message = recorded.and_then(|recorded| recorded.message.as_deref());
    let said = format!("{}: {STOPPED}", name(started.phase, &started.action));
    started.phase == ActionPhase::OnFailure
        || message.is_some_and(|message| message.starts_with(&said))
}

/// The record of a stage that is ready: nothing of it is under way, and what was asked for is done.
pub(in super::super) fn settled(
    observation: &Observation,
    stage: &Stage,
    mut record: ActionRecord,
) -> ActionRecord {
    // onFailure actions that a lost process left undecided stay so.
    let executed = &record.executed;
    record.started.retain(|started| {
        started.phase == ActionPhase::OnFailure && !executed.contains(&started.action)
    });
    if let Some(token) = super::again::asked(observation, &stage.name)
        && record.handled.as_deref() != Some(token)
    {
        super::again::handled(&mut record, token);
    }
    record
}
