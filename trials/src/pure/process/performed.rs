//! The answers to operations, put among the facts as the driver's `perform` puts them.

use std::sync::Arc;

use stageset_core::failure::{Fact, Failure, FailureClass};
use stageset_core::observation::{Correction, KindState, LiveState};
use stageset_core::plan::{ApplyReason, Next, RecordOperation, TenantOperation};
use stageset_core::time::Timestamp;

use super::super::call::Answer;
use super::super::server::Server;
use super::Process;
use super::facts::{in_a_row, observed, settled};

impl Process {
    pub(super) fn recorded(
        &mut self,
        record: &RecordOperation,
        answer: Result<Answer, Failure>,
        at: Timestamp,
        server: &Server,
    ) {
        if matches!(
            record,
            RecordOperation::Announce(_) | RecordOperation::AnnounceOnLedger(_)
        ) {
            return;
        }
        match answer {
            Ok(Answer::Gone) => {
                self.work.clear();
                self.next = Some(Next::Gone);
            }
            Ok(Answer::Written(version)) => {
                self.observation.facts.record_failure = None;
                match record {
                    RecordOperation::Inventory {
                        stage, inventory, ..
                    } => {
                        self.shelf
                            .insert(stage.clone(), (version, inventory.clone()));
                        self.observation
                            .facts
                            .inventories_are(observed(&self.shelf));
                    }
                    RecordOperation::ReleaseInventories => {}
                    RecordOperation::CreateLedger | RecordOperation::Ledger { .. } => {
                        self.ledger_written(record, version, at, server);
                    }
                    RecordOperation::DropInventory { stage } => {
                        self.shelf.remove(stage);
                        self.observation
                            .facts
                            .inventories_are(observed(&self.shelf));
                    }
                    _ => {
                        // The answer to a write is the object as it is then.
                        self.known.clone_from(&server.stage_set);
                        match record {
                            RecordOperation::Status(_) => {
                                self.observation.facts.status_recorded = Some(at);
                            }
                            RecordOperation::Action { step, .. } => {
                                self.observation.facts.status_recorded = Some(at);
                                let known = self.known.as_ref();
                                let generation = known.map_or(0, |known| known.generation);
                                self.observation
                                    .facts
                                    .actions
                                    .recorded(step, generation, at);
                            }
                            _ => {}
                        }
                    }
                }
            }
            Ok(_) => {}
            Err(failure) => {
                self.failed = true;
                if record.is_of_inventories() {
                    // It may have taken effect although it got no answer.
                    self.observation.facts.inventories = None;
                }
                if failure.class == FailureClass::Conflict {
                    self.observation.facts.inventories = None;
                    if let Some(stage_set) = &server.stage_set {
                        self.known = Some(Arc::clone(stage_set));
                    }
                }
                if matches!(record, RecordOperation::Ledger { .. }) {
                    self.ledger = None;
                }
                if self.ledger.is_none() {
                    self.observation.facts.ledger = None;
                }
                let failures = in_a_row(self.observation.facts.record_failure.as_ref(), true);
                self.observation.facts.record_failure = Some(Fact {
                    value: failure,
                    at,
                    failures,
                });
            }
        }
    }

    pub(super) fn performed(
        &mut self,
        operation: TenantOperation,
        answer: Result<Answer, Failure>,
        at: Timestamp,
    ) {
        let facts = &mut self.observation.facts;
        match operation {
            TenantOperation::Apply {
                identity,
                object,
                why,
                ..
            } => {
                facts.objects.written(&identity, &object.reference.key);
                let object_facts = facts.objects.entry(&identity, &object.reference.key);
                match answer {
                    Ok(Answer::Applied(live)) => {
                        if let ApplyReason::Drift { fields, .. } = why
                            && !fields.is_empty()
                        {
                            object_facts.corrected(Correction { at, fields });
                        }
                        object_facts.settled = Some(settled(&object.digest, &live, at));
                        object_facts.live = Some(Fact::seen(LiveState::Present(live), at));
                        object_facts.write_failure = None;
                    }
                    Ok(_) => {}
                    Err(failure) => {
                        self.failed = true;
                        let unknown = failure.class == FailureClass::UnknownKind;
                        let before = object_facts.write_failure.as_deref().map(|(_, fact)| fact);
                        let failures = in_a_row(before, true);
                        object_facts.write_failure = Some(Box::new((
                            object.digest.clone(),
                            Fact {
                                value: failure,
                                at,
                                failures,
                            },
                        )));
                        object_facts.dry_run = None;
                        object_facts.live = None;
                        if unknown {
                            facts
                                .kinds
                                .remove(identity.target(), &object.reference.gvk());
                        }
                    }
                }
                let gvk = object.reference.gvk();
                let served = facts
                    .kinds
                    .get(identity.target(), &gvk)
                    .is_none_or(|fact| matches!(fact.value, KindState::Served { .. }));
                if !served {
                    facts.kinds.remove(identity.target(), &gvk);
                }
            }
            TenantOperation::TakeOver {
                identity, object, ..
            } => {
                facts.objects.written(&identity, &object.reference.key);
                let object_facts = facts.objects.entry(&identity, &object.reference.key);
                // What was seen of it is of before, however that ended.
                object_facts.dry_run = None;
                object_facts.live = None;
                if let Err(value) = answer {
                    self.failed = true;
                    let before = object_facts.write_failure.as_deref().map(|(_, fact)| fact);
                    let failures = in_a_row(before, true);
                    let fact = Fact {
                        value,
                        at,
                        failures,
                    };
                    object_facts.write_failure = Some(Box::new((object.digest.clone(), fact)));
                }
            }
            TenantOperation::Act { attempt, .. } => {
                self.failed |= answer.is_err();
                facts.actions.ended(&attempt, answer.map(drop), at);
            }
            TenantOperation::Delete {
                identity, object, ..
            } => {
                facts.objects.written(&identity, &object.key);
                let object_facts = facts.objects.entry(&identity, &object.key);
                match answer {
                    Ok(_) => {
                        object_facts.live = None;
                        object_facts.dry_run = None;
                        object_facts.settled = None;
                        object_facts.write_failure = None;
                    }
                    Err(failure) => {
                        self.failed = true;
                        let unknown = failure.class == FailureClass::UnknownKind;
                        if failure.class == FailureClass::Conflict {
                            object_facts.live = None;
                        }
                        let before = object_facts.write_failure.as_deref().map(|(_, fact)| fact);
                        let failures = in_a_row(before, true);
                        object_facts.write_failure = Some(Box::new((
                            String::new(),
                            Fact {
                                value: failure,
                                at,
                                failures,
                            },
                        )));
                        if unknown {
                            facts.kinds.remove(identity.target(), &object.gvk());
                        }
                    }
                }
            }
        }
    }

    /// The answer to a write is the ledger as it is then.
    fn ledger_written(
        &mut self,
        record: &RecordOperation,
        version: u64,
        at: Timestamp,
        server: &Server,
    ) {
        self.ledger = Some(version);
        let stands = server.ledger.as_ref().map(|(_, ledger)| ledger.clone());
        self.observation.facts.ledger = Some(Fact::seen(Ok(stands), at));
        if let RecordOperation::Ledger {
            done: Some(attempt),
            ..
        } = record
        {
            self.observation.facts.actions.has_succeeded(attempt);
        }
    }
}
