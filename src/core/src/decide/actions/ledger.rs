//! The StageLedger: which Lifetime actions are done for ever.
//!
//! It is made when a Lifetime action first stands in a spec, and outlives the StageSet. People add to
//! it with `spec.baseline`; a witness whose loss undoes a completion is looked at as the stage's
//! account.

use std::time::Duration;

use stageset_api::reason::Reason;

use crate::failure::Failure;
use crate::object::{GroupVersionKind, ObjectKey};
use crate::observation::{
    Answer, Attempt, BaselineValid, Completed, Ledger, Observation, Question, ReconcileStage,
    Witness,
};
use crate::plan::{ActionStep, Event, EventKind, Need, Operation, RecordOperation};
use crate::spec::{Action, ActionScope, Spec};

use super::super::Stop;
use super::super::freshness::retry_at;
use super::super::release::StageView;
use super::super::report::{Report, Wait};
use super::super::stage::announce;
use super::attempt::This;
use super::verbs::Go;
use super::{look, record, target};

/// Makes the ledger usable, before anything rests on it: there, adopted, its baseline promoted.
pub(in super::super) fn opened(observation: &Observation, spec: &Spec) -> Result<(), Stop> {
    if lifetime(spec).next().is_none() {
        return Ok(());
    }
    // It doesn't age: our own writes keep it current, and a foreign edit drops the fact.
    let Some(fact) = &observation.facts.ledger else {
        return Err(Stop::Ask(vec![Need::Ledger]));
    };
    let ledger = match &fact.value {
        Ok(Some(ledger)) => ledger,
        Ok(None) => {
            return Err(Stop::Act(vec![vec![Operation::Record(
                RecordOperation::CreateLedger,
            )]]));
        }
        Err(failure) => {
            let until = retry_at(fact.at, failure, fact.failures);
            return Err(if observation.now >= until {
                Stop::Ask(vec![Need::Ledger])
            } else {
                unreadable(observation, failure, until)
            });
        }
    };
    adopt(observation, ledger)?;
    promote(observation, spec, ledger)
}

/// Stage and name of each Lifetime action.
fn lifetime(spec: &Spec) -> impl Iterator<Item = (&str, &str)> {
    spec.stages.iter().flat_map(|stage| {
        stage
            .actions
            .all()
            .filter(|(_, action)| action.scope.is_lifetime())
            .map(|(_, action)| (stage.name.as_str(), action.name.as_str()))
    })
}

fn unreadable(observation: &Observation, failure: &Failure, until: crate::time::Timestamp) -> Stop {
    Report::failed(
        observation,
        Reason::StageFailed,
        format!(
            "StageLedger {}/{} can't be read, and without it nobody knows which Lifetime actions \
             are done: {failure}",
            observation.stage_set.namespace, observation.stage_set.name
        ),
        Wait::Until(until),
    )
    .into()
}

/// The first pass of a StageSet found a ledger that an earlier one of its name left: said once.
fn adopt(observation: &Observation, ledger: &Ledger) -> Result<(), Stop> {
    let status = &observation.stage_set.status;
    if status.observed_generation != 0 || ledger.completed.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = ledger
        .completed
        .iter()
        .map(|done| format!("{}/{}", done.stage, done.action))
        .collect();
    let message = format!(
        "found a StageLedger of an earlier StageSet of this name: {} count as done (stagesetctl \
         reset-ledger forgets them)",
        list.join(", ")
    );
    let report = Report::waiting(
        observation,
        Reason::StageProgressing,
        message.clone(),
        Wait::Tick,
    );
    Err(Stop::Act(vec![
        vec![Operation::Record(RecordOperation::Status(Box::new(
            report.status(observation),
        )))],
        vec![announce(EventKind::Normal, "LedgerAdopted", message)],
    ]))
}

/// Baseline entries that name a Lifetime action count as done; others are kept, and said to be wrong.
fn promote(observation: &Observation, spec: &Spec, ledger: &Ledger) -> Result<(), Stop> {
    let mut completed = ledger.completed.clone();
    let mut promoted = Vec::new();
    let mut unresolved = Vec::new();
    for (stage, action) in &ledger.baseline {
        if !lifetime(spec).any(|known| known == (stage.as_str(), action.as_str())) {
            unresolved.push(format!("{stage}/{action}"));
        } else if ledger.completion(stage, action).is_none()
            && !promoted.contains(&format!("{stage}/{action}"))
        {
            promoted.push(format!("{stage}/{action}"));
            completed.push(Completed {
                stage: stage.clone(),
                action: action.clone(),
                executed: false,
                witness: None,
                at: observation.now,
            });
        }
    }
    let managed = !ledger.baseline.is_empty() || ledger.baseline_valid.is_some();
    let baseline_valid = managed.then(|| condition(observation, ledger, &unresolved));
    if promoted.is_empty() && baseline_valid == ledger.baseline_valid {
        return Ok(());
    }
    let mut steps = vec![vec![Operation::Record(RecordOperation::Ledger {
        completed,
        baseline_valid: baseline_valid.clone(),
        done: None,
        why: if promoted.is_empty() {
            "whether its baseline names Lifetime actions".to_owned()
        } else {
            format!(
                "{} count as done, as its baseline says",
                promoted.join(", ")
            )
        },
    })]];
    if let Some(valid) = baseline_valid
        && !valid.valid
    {
        steps.push(vec![Operation::Record(RecordOperation::AnnounceOnLedger(
            Event {
                kind: EventKind::Warning,
                reason: "BaselineInvalid".to_owned(),
                message: valid.message,
            },
        ))]);
    }
    Err(Stop::Act(steps))
}

fn condition(observation: &Observation, ledger: &Ledger, unresolved: &[String]) -> BaselineValid {
    let valid = unresolved.is_empty();
    let message = if valid {
        "every baseline entry names a Lifetime action".to_owned()
    } else {
        format!(
            "{} name no Lifetime action of StageSet {} (stage/action): correct them or take them \
             out; they are kept until they do",
            unresolved.join(", "),
            observation.stage_set.name
        )
    };
    let before = ledger.baseline_valid.as_ref();
    BaselineValid {
        valid,
        message,
        last_transition: before
            .filter(|before| before.valid == valid)
            .map_or(observation.now, |before| before.last_transition),
    }
}

fn known(observation: &Observation) -> Option<&Ledger> {
    observation
        .facts
        .ledger
        .as_ref()?
        .value
        .as_ref()
        .ok()?
        .as_ref()
}

/// Whether the completion of a Lifetime action is on record.
pub(super) fn is_recorded(
    observation: &Observation,
    stage: &StageView<'_>,
    action: &Action,
) -> bool {
    known(observation).is_some_and(|ledger| {
        ledger
            .completion(stage.spec.name.as_str(), &action.name)
            .is_some()
    })
}

/// Whether a Lifetime action is done: on record, and its witness, if it has one, still stands. A
/// witness that can't be read is believed.
pub(super) fn is_done(this: This<'_>) -> Result<bool, Stop> {
    let observation = this.run.release.observation;
    let stage = this.run.stage.spec.name.as_str();
    let Some(ledger) = known(observation) else {
        return Ok(false);
    };
    let Some(completed) = ledger.completion(stage, &this.action.name) else {
        return Ok(false);
    };
    let Some(witness) = &completed.witness else {
        return Ok(true);
    };
    let seen = target::witness(this, &witness.anchor).and_then(|object| {
        let after = observation.refresh_before;
        look::one(this, &object, &Question::Exists, after, after)
    });
    let gone = match seen {
        Err(Go::Stop(stop)) => return Err(stop),
        // Its kind can't be had just now: no proof of anything.
        Err(_) => return Ok(true),
        Ok((Answer::Absent, _)) => "is gone",
        Ok((answer, _)) => match answer.uid() {
            Some(uid) if uid != witness.uid => "is another one of the same name",
            _ => return Ok(true),
        },
    };
    let anchor = format!("{} {}", witness.anchor.kind, witness.anchor.name);
    let message = format!(
        "stage {stage}: {}: its completion anchor {anchor} {gone}, so it runs again",
        this.name()
    );
    let completed = ledger
        .completed
        .iter()
        .filter(|other| *other != completed)
        .cloned()
        .collect();
    Err(Stop::Act(vec![
        vec![Operation::Record(RecordOperation::Ledger {
            completed,
            baseline_valid: ledger.baseline_valid.clone(),
            done: None,
            why: format!(
                "{stage}/{} isn't done any more: {anchor} {gone}",
                this.action.name
            ),
        })],
        vec![announce(EventKind::Normal, "LedgerInvalidated", message)],
    ]))
}

/// Records that a Lifetime action is done, with its witness; then that nothing of it is under way.
pub(super) fn complete(this: This<'_>, attempt: Attempt) -> Stop {
    let observation = this.run.release.observation;
    let witness = match &this.action.scope {
        ActionScope::Lifetime(Some(anchor)) => {
            let after = this
                .started()
                .map_or(observation.now, |started| started.since);
            let seen = target::witness(this, anchor).and_then(|object| {
                look::one(this, &object, &Question::Exists, after, observation.now)
            });
            let (said, until) = match seen {
                Ok((answer, until)) => match (answer.uid(), answer) {
                    (Some(uid), _) => {
                        let uid = uid.to_owned();
                        return recorded(
                            this,
                            attempt,
                            Some(Witness {
                                anchor: anchor.clone(),
                                uid,
                            }),
                        );
                    }
                    (None, Answer::Unreadable(failure)) => (failure.to_string(), until),
                    (None, _) => ("it doesn't exist".to_owned(), until),
                },
                Err(Go::Stop(stop)) => return stop,
                Err(Go::Wait { said, until }) => (said, until),
                Err(Go::Failed(failure, at)) => {
                    (failure.to_string(), at.plus(Duration::from_secs(30)))
                }
                Err(_) => (String::new(), observation.now),
            };
            let message = format!(
                "{} has run, but its completion anchor {} {} can't be recorded: {said}; it isn't run \
                 again, and counts as done once the anchor can be read",
                this.name(),
                anchor.kind,
                anchor.name
            );
            return record::failed_report(this, Reason::StageFailed, &message, Wait::Until(until))
                .into();
        }
        _ => None,
    };
    recorded(this, attempt, witness)
}

fn recorded(this: This<'_>, attempt: Attempt, witness: Option<Witness>) -> Stop {
    let observation = this.run.release.observation;
    let stage = this.run.stage.spec.name.as_str();
    let ledger = known(observation).cloned().unwrap_or_default();
    let mut completed = ledger.completed;
    completed.push(Completed {
        stage: stage.to_owned(),
        action: this.action.name.clone(),
        executed: true,
        witness,
        at: observation.now,
    });
    let in_ledger = Operation::Record(RecordOperation::Ledger {
        completed,
        baseline_valid: ledger.baseline_valid,
        done: Some(attempt.clone()),
        why: format!("{stage}/{} is done for ever", this.action.name),
    });
    let step = ActionStep::Done {
        attempt: attempt.clone(),
        scope: this.action.scope.as_str(),
    };
    let in_status = record::ended(this, &attempt, step);
    Stop::Act(vec![vec![in_ledger], vec![in_status]])
}

/// What is to be said beside the state of the release, with the reason of its event.
pub(in super::super) fn notes(observation: &Observation) -> Vec<(&'static str, String)> {
    let mut notes = Vec::new();
    let Ok(spec) = &observation.stage_set.spec else {
        return notes;
    };
    let annotation = stageset_api::names::ANNOTATION_RECONCILE_STAGE;
    match &observation.stage_set.reconcile_stage {
        Some(ReconcileStage::Malformed(value)) => notes.push((
            "ReconcileStageIgnored",
            format!(
                "annotation {annotation} is {:?}, which isn't <stage>@<token>, and is ignored",
                value.chars().take(64).collect::<String>()
            ),
        )),
        Some(ReconcileStage::Asked { stage, .. })
            if !spec.stages.iter().any(|known| known.name == *stage) =>
        {
            notes.push((
                "ReconcileStageIgnored",
                format!("annotation {annotation} names stage {stage}, which doesn't exist"),
            ));
        }
        _ => {}
    }
    for completed in known(observation).map_or(&[][..], |ledger| &ledger.completed) {
        if let Some(witness) = &completed.witness
            && let Some(failure) = anchor_failure(observation, witness)
        {
            notes.push((
                "LedgerAnchorUnreadable",
                format!(
                    "the completion anchor {} {} of {}/{} can't be read, and its completion is kept: \
                     {failure}",
                    witness.anchor.kind, witness.anchor.name, completed.stage, completed.action
                ),
            ));
        }
    }
    notes
}

fn anchor_failure<'a>(observation: &'a Observation, witness: &Witness) -> Option<&'a Failure> {
    let anchor = &witness.anchor;
    let gvk = GroupVersionKind::from_manifest(&anchor.api_version, &anchor.kind);
    let own = observation.stage_set.namespace.to_string();
    [Some(own), None].into_iter().find_map(|namespace| {
        observation.facts.actions.unreadable(&ObjectKey {
            name: anchor.name.clone(),
            kind: gvk.kind.clone(),
            namespace,
            group: gvk.group.clone(),
        })
    })
}
