//! From what the production code told of itself to the records that people want to read.
//!
//! Nothing is said twice: a wait, a refusal or a condition that stays as it is is one record, however
//! often the controller comes back to it. Reads are summarised by user at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use stageset_cluster::{Outcome, StageSetKey};
use stageset_core::failure::{Failure, FailureClass};
use stageset_core::identity::Identity;
use stageset_core::names::StageName;
use stageset_core::object::{ObjectKey, Reference};
use stageset_core::observation::{ConditionStatus, Phase, Status};
use stageset_core::plan::{
    ApplyReason, Need, Next, Operation, Plan, RecordOperation, TenantOperation,
};
use stageset_core::time::Timestamp;

use super::record::{Cure, Record, Verb, What};
use super::words;
use crate::simulation::{Event, Happening};

/// Reason of the Ready condition while a stage is on its way; the stage's own message says more.
const ON_ITS_WAY: &str = "StageProgressing";

/// Waits of one stage that follow each other within this are one.
const MOMENT: Duration = Duration::from_secs(1);

/// Which verbs a refused user lacked on a resource.
pub(crate) type Cures = BTreeMap<(String, ObjectKey), Cure>;

/// What was last said of a StageSet.
#[derive(Default)]
struct Said {
    status: Status,
    waits: Option<String>,
    refused: BTreeSet<(String, ObjectKey)>,
    failed: BTreeSet<String>,
}

/// Tells a trace as records.
pub(crate) fn records(events: &[Event], start: Timestamp, cures: &Cures) -> Vec<Record> {
    let mut teller = Teller {
        start,
        cures,
        said: BTreeMap::new(),
        records: Vec::new(),
    };
    for event in events {
        teller.event(event);
    }
    teller.records
}

struct Teller<'a> {
    start: Timestamp,
    cures: &'a Cures,
    said: BTreeMap<StageSetKey, Said>,
    records: Vec<Record>,
}

impl Teller<'_> {
    fn event(&mut self, event: &Event) {
        let Some(key) = &event.stage_set else {
            if let Happening::World(text) = &event.what {
                self.add(event, None, What::World { text: text.clone() });
            }
            return;
        };
        match &event.what {
            Happening::World(text) => self.add(event, None, What::World { text: text.clone() }),
            Happening::Fault(message) => {
                let attempt = "to go on".to_owned();
                self.add(
                    event,
                    None,
                    What::Failed {
                        attempt,
                        message: message.clone(),
                    },
                );
            }
            Happening::Decided(plan) => self.decided(event, key, plan),
            Happening::Gathered(Need::DryRun { identity, object }, Outcome::Failed(failure)) => {
                // Other failures of a dry run are told by the condition, all of a wave together.
                if failure.class == FailureClass::Denied {
                    let stage = Some(&object.stage);
                    self.refused(
                        event,
                        key,
                        stage,
                        "apply",
                        identity,
                        &object.reference,
                        failure,
                    );
                }
            }
            Happening::Gathered(
                Need::Read {
                    identity, object, ..
                },
                Outcome::Failed(failure),
            ) => {
                if failure.class == FailureClass::Denied {
                    self.refused(event, key, None, "read", identity, object, failure);
                }
            }
            Happening::Gathered(..) | Happening::Lacking(_) => {}
            Happening::Performed(operation, outcome) => {
                self.performed(event, key, operation, outcome);
            }
        }
    }

    fn add(&mut self, event: &Event, stage: Option<&StageName>, what: What) {
        let record = Record {
            at: event.at.since(self.start),
            stage_set: event.stage_set.as_ref().map(ToString::to_string),
            stage: stage.map(ToString::to_string),
            what,
        };
        match &record.what {
            What::Waits { .. } => self.add_wait(record),
            What::Pinned { .. } => self.add_pins(record),
            _ => self.records.push(record),
        }
    }

    /// The first looks at something new come in quick succession; the last of them says most.
    fn add_wait(&mut self, record: Record) {
        let mine = self
            .records
            .iter_mut()
            .rev()
            .filter(|r| r.stage_set == record.stage_set);
        let before = mine
            .take_while(|r| matches!(r.what, What::Condition { .. } | What::Waits { .. }))
            .find(|r| matches!(r.what, What::Waits { .. }))
            .filter(|r| r.stage.is_none() || r.stage == record.stage);
        match before {
            Some(before) if record.at.saturating_sub(before.at) <= MOMENT => {
                before.stage = record.stage;
                before.what = record.what;
            }
            _ => self.records.push(record),
        }
    }

    /// The pins are recorded with the first result of a run; they are told where the run began.
    fn add_pins(&mut self, mut record: Record) {
        let begun = self
            .records
            .iter()
            .enumerate()
            .rev()
            .filter(|(_, r)| r.stage_set == record.stage_set)
            .take_while(|(_, r)| {
                // A wait that no stage tells of wasn't recorded yet: the run is that young.
                let unrecorded = r.stage.is_none() && matches!(r.what, What::Waits { .. });
                let tried = matches!(
                    r.what,
                    What::Wrote { .. } | What::Refused { .. } | What::Failed { .. }
                );
                unrecorded || tried
            })
            .last();
        match begun {
            Some((index, first)) => {
                record.at = first.at;
                self.records.insert(index, record);
            }
            None => self.records.push(record),
        }
    }

    fn said(&mut self, key: &StageSetKey) -> &mut Said {
        self.said.entry(key.clone()).or_default()
    }

    /// A wait is told by the status that is recorded with it; by the plan itself only where nothing
    /// is recorded.
    fn decided(&mut self, event: &Event, key: &StageSetKey, plan: &Plan) {
        let (Next::Hold {
            waiting_for: text, ..
        }
        | Next::Rest { waiting_for: text }) = &plan.next
        else {
            return;
        };
        let recorded = plan.steps.iter().flatten().any(|operation| {
            matches!(
                operation,
                Operation::Record(RecordOperation::Status(_) | RecordOperation::Action { .. })
            )
        });
        let said = self.said(key);
        let told = said.status.condition("Ready").is_some_and(|ready| {
            ready.status == ConditionStatus::True || ready.message.starts_with(text.as_str())
        });
        if recorded || told || said.waits.as_ref() == Some(text) {
            return;
        }
        said.waits = Some(text.clone());
        self.add(event, None, What::Waits { text: text.clone() });
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one sentence has that many parts"
    )]
    fn refused(
        &mut self,
        event: &Event,
        key: &StageSetKey,
        stage: Option<&StageName>,
        verb: &str,
        identity: &Identity,
        object: &Reference,
        failure: &Failure,
    ) {
        let user = user_of(identity);
        let id = (user.clone(), object.key.clone());
        let cure = self.cures.get(&id).cloned();
        if !self.said(key).refused.insert(id) {
            return;
        }
        let what = What::Refused {
            verb: verb.to_owned(),
            object: object.key.clone(),
            identity: user,
            message: failure.message.clone(),
            cure,
        };
        self.add(event, stage, what);
    }

    fn performed(
        &mut self,
        event: &Event,
        key: &StageSetKey,
        operation: &Operation,
        outcome: &Outcome,
    ) {
        match (operation, outcome) {
            (
                Operation::Tenant(TenantOperation::Act {
                    identity,
                    attempt,
                    deed,
                }),
                outcome,
            ) => {
                let stage = Some(&attempt.stage);
                match outcome {
                    Outcome::Done => {
                        self.said(key).waits = None;
                        let what = What::Acted {
                            deed: deed.to_string(),
                            action: format!("{} action {:?}", attempt.phase, attempt.action),
                            identity: user_of(identity),
                        };
                        self.add(event, stage, what);
                    }
                    Outcome::Failed(failure) => {
                        self.failed(event, key, stage, deed.to_string(), failure);
                    }
                }
            }
            (Operation::Tenant(operation), Outcome::Done) => self.wrote(event, key, operation),
            (Operation::Tenant(operation), Outcome::Failed(failure)) => {
                let (verb, stage, identity, object) = match operation {
                    TenantOperation::Apply {
                        identity, object, ..
                    } => ("apply", &object.stage, identity, &object.reference),
                    TenantOperation::TakeOver {
                        identity, object, ..
                    } => ("take over", &object.stage, identity, &object.reference),
                    TenantOperation::Delete {
                        identity,
                        object,
                        stage,
                        ..
                    } => ("delete", stage, identity, object),
                    TenantOperation::Act { .. } => return,
                };
                if failure.class == FailureClass::Denied {
                    self.refused(event, key, Some(stage), verb, identity, object, failure);
                } else {
                    let attempt = format!("{verb} {}", words::object(&object.key));
                    self.failed(event, key, Some(stage), attempt, failure);
                }
            }
            (
                Operation::Record(
                    RecordOperation::Status(status) | RecordOperation::Action { status, .. },
                ),
                Outcome::Done,
            ) => {
                self.recorded(event, key, status);
            }
            (Operation::Record(RecordOperation::RemoveFinalizer), Outcome::Done) => {
                self.add(event, None, What::Gone);
                self.said.remove(key);
            }
            (Operation::Record(_), Outcome::Done) => {}
            // Somebody else wrote the record first; the next look decides.
            (Operation::Record(_), Outcome::Failed(f)) if f.class == FailureClass::Conflict => {}
            (Operation::Record(operation), Outcome::Failed(failure)) => {
                let attempt = match operation {
                    RecordOperation::Status(_) => "record status".to_owned(),
                    other => other.to_string(),
                };
                self.failed(event, key, None, attempt, failure);
            }
        }
    }

    fn failed(
        &mut self,
        event: &Event,
        key: &StageSetKey,
        stage: Option<&StageName>,
        attempt: String,
        failure: &Failure,
    ) {
        if self
            .said(key)
            .failed
            .insert(format!("{attempt}: {failure}"))
        {
            let message = failure.message.clone();
            self.add(event, stage, What::Failed { attempt, message });
        }
    }

    fn wrote(&mut self, event: &Event, key: &StageSetKey, operation: &TenantOperation) {
        let (stage, object, identity, verb, why) = match operation {
            TenantOperation::Apply {
                identity,
                object,
                why,
                ..
            } => {
                let (verb, words) = match why {
                    ApplyReason::Create => (Verb::Create, None),
                    ApplyReason::Change(_) => (Verb::Change, Some(why.to_string())),
                    ApplyReason::Drift { .. } => (Verb::Correct, Some(why.to_string())),
                };
                (&object.stage, &object.reference.key, identity, verb, words)
            }
            TenantOperation::TakeOver {
                identity,
                object,
                from,
                ..
            } => (
                &object.stage,
                &object.reference.key,
                identity,
                Verb::TakeOver,
                Some(format!("its fields of {} become ours", from.join(", "))),
            ),
            TenantOperation::Delete {
                identity,
                object,
                stage,
                why,
                ..
            } => (
                stage,
                &object.key,
                identity,
                Verb::Delete,
                Some(why.to_string()),
            ),
            TenantOperation::Act { .. } => return,
        };
        let identity = user_of(identity);
        let said = self.said(key);
        said.refused.remove(&(identity.clone(), object.clone()));
        said.waits = None;
        self.add(
            event,
            Some(stage),
            What::Wrote {
                verb,
                object: object.clone(),
                identity,
                why,
            },
        );
    }

    fn recorded(&mut self, event: &Event, key: &StageSetKey, status: &Status) {
        let before = std::mem::replace(&mut self.said(key).status, status.clone());
        if status.last_attempted_revisions != before.last_attempted_revisions
            && !status.last_attempted_revisions.is_empty()
        {
            let revisions = status
                .last_attempted_revisions
                .iter()
                .map(|(s, r)| (s.clone(), r.clone()));
            self.add(
                event,
                None,
                What::Pinned {
                    revisions: revisions.collect(),
                },
            );
        }
        for stage in &status.stages {
            let was = before.stage(&stage.name);
            let news =
                was.is_none_or(|was| was.phase != stage.phase || was.message != stage.message);
            match (stage.phase, &stage.message) {
                (Phase::Ready, _) if was.is_none_or(|was| was.phase != Phase::Ready) => {
                    self.add(event, Some(&stage.name), What::StageReady);
                }
                (Phase::Verifying, Some(text)) if news => {
                    self.add(event, Some(&stage.name), What::Waits { text: text.clone() });
                }
                _ => {}
            }
        }
        let stalled = status
            .condition("Stalled")
            .is_some_and(|c| c.status == ConditionStatus::True);
        if let Some(now) = status.condition("Ready") {
            let was = before.condition("Ready");
            let message = match now.reason.as_str() {
                ON_ITS_WAY if !status.stages.is_empty() => "",
                _ => words::without_runbook(&now.message),
            };
            let same = was.is_some_and(|was| {
                was.status == now.status
                    && was.reason == now.reason
                    && (message.is_empty() || was.message == now.message)
            });
            if !same {
                let what = What::Condition {
                    status: now.status.as_str().to_owned(),
                    reason: now.reason.clone(),
                    message: message.to_owned(),
                    stalled,
                };
                self.add(event, None, what);
            }
        }
    }
}

/// The user that the API server sees for an identity.
pub(crate) fn user_of(identity: &Identity) -> String {
    identity
        .impersonated_user()
        .unwrap_or_else(|| words::CONTROLLER.to_owned())
}
