//! One step of a plan is carried out: its records one after the other, then what it does to the tenant's
//! world side by side.

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, stream};
use serde_json::Value;
use stageset_api::field::field;
use stageset_core::failure::{Fact, Failure, FailureClass};
use stageset_core::identity::Identity;
use stageset_core::object::Reference;
use stageset_core::observation::Progress;
use stageset_core::plan::{Operation, RecordOperation, TenantOperation};
use stageset_core::time::Timestamp;
use tracing::Instrument as _;

use super::Session;
use super::served::{ask_again_whether_served, forget_if_unknown};
use crate::gather::{Bodies, in_a_row};
use crate::observe::Outcome;
use crate::perform::{self, Perform, Recorded};
use crate::ports::Ports;
use crate::spans::Stages;

/// What became of a step.
pub(super) enum Step {
    /// All of it was done.
    Done,
    /// Something wasn't: what comes after it in the plan must not be.
    Failed,
    /// The StageSet isn't there any more.
    Gone,
}

impl Session {
    /// Carries out one step.
    pub(super) async fn perform(&mut self, ports: &Ports, step: &[Operation]) -> Step {
        let uid = self.uid();
        let bodies = self.bodies();
        let mut end = Step::Done;
        // One by one, since each answer is the next one's precondition.
        for operation in step {
            let Operation::Record(record) = operation else {
                continue;
            };
            match self.record(ports, (&uid, &bodies), operation, record).await {
                Step::Done => {}
                Step::Failed => end = Step::Failed,
                Step::Gone => return Step::Gone,
            }
        }
        if self.act(ports, (&uid, &bodies), step).await {
            end
        } else {
            Step::Failed
        }
    }

    /// Writes one record.
    async fn record(
        &mut self,
        ports: &Ports,
        (uid, bodies): (&str, &Bodies),
        operation: &Operation,
        record: &RecordOperation,
    ) -> Step {
        let Some(known) = &mut self.known else {
            return Step::Failed;
        };
        let perform = Perform {
            ports,
            key: &self.key,
            uid,
            bodies,
        };
        if let RecordOperation::Action { step, .. } = record {
            self.facts.actions.recording(step, ports.clock.now());
        }
        let result = perform::record(perform, record, known).await;
        let at = ports.clock.now();
        self.decided = self.decided.max(at);
        let outcome = result.as_ref().map_or_else(
            |failure| Outcome::Failed(failure.clone()),
            |_| Outcome::Done,
        );
        ports.observer.operation(at, &self.key, operation, &outcome);
        match result {
            Ok(Recorded::StageSet) => {
                self.read = None;
                self.facts.record_failure = None;
                match record {
                    RecordOperation::Status(_) => self.facts.status_recorded = Some(at),
                    RecordOperation::Action { step, .. } => {
                        self.facts.status_recorded = Some(at);
                        let object = known.object.value();
                        let generation = field(&object, "/metadata/generation");
                        let generation = generation.and_then(Value::as_i64).unwrap_or(0);
                        self.facts.actions.recorded(step, generation, at);
                    }
                    _ => {}
                }
            }
            Ok(Recorded::Ledger) => {
                let ledger = known.ledger.as_ref().map(crate::records::ledger::read);
                self.facts.ledger = Some(Fact::seen(Ok(ledger), at));
                self.facts.record_failure = None;
                if let RecordOperation::Ledger {
                    done: Some(attempt),
                    ..
                } = record
                {
                    self.facts.actions.has_succeeded(attempt);
                }
            }
            Ok(Recorded::Inventories) => {
                self.facts.inventories_are(known.inventories.observed());
                self.facts.record_failure = None;
            }
            Ok(Recorded::Nothing) => {}
            Ok(Recorded::Gone) => return Step::Gone,
            // Nothing rests on an event: that nobody could be told must not stop a release.
            Err(_) if is_event(record) => {}
            Err(failure) => {
                self.record_failed(record, failure, at);
                return Step::Failed;
            }
        }
        Step::Done
    }

    fn record_failed(&mut self, record: &RecordOperation, value: Failure, at: Timestamp) {
        // The view of the StageSet may have been renewed, and inventories may be others' by now. A write
        // of theirs may have taken effect although it got no answer, and no watch tells of our own.
        self.read = None;
        if value.class == FailureClass::Conflict || record.is_of_inventories() {
            self.facts.inventories = None;
        }
        if self
            .known
            .as_ref()
            .is_some_and(|known| known.ledger.is_none())
        {
            self.facts.ledger = None;
        }
        let failures = in_a_row(self.facts.record_failure.as_ref(), true);
        self.facts.record_failure = Some(Fact {
            value,
            at,
            failures,
        });
    }

    /// Does what a step does to the tenant's world; says whether all of it was done.
    async fn act(
        &mut self,
        ports: &Ports,
        (uid, bodies): (&str, &Bodies),
        step: &[Operation],
    ) -> bool {
        let perform = Perform {
            ports,
            key: &self.key,
            uid,
            bodies,
        };
        let tenants: Vec<_> = step
            .iter()
            .filter_map(|operation| match operation {
                Operation::Tenant(tenant) => Some((operation, tenant)),
                Operation::Record(_) => None,
            })
            .collect();
        for (_, tenant) in &tenants {
            // From here on nobody knows, until an answer is seen.
            if let TenantOperation::Act { attempt, .. } = tenant {
                self.facts
                    .actions
                    .advanced(attempt, Progress::Sent, ports.clock.now());
            }
        }
        let mut stages = Stages::default();
        // Boxed, and made before any is polled: see `Gather::all`.
        let tenants: Vec<BoxFuture<'_, _>> = tenants
            .into_iter()
            .map(|(operation, tenant)| {
                let span = stages.of_operation(tenant);
                async move { (operation, tenant, perform::tenant(perform, tenant).await) }
                    .instrument(span)
                    .boxed()
            })
            .collect();
        drop(stages);
        let done: Vec<_> = stream::iter(tenants)
            .buffered(ports.settings.parallel.max(1))
            .collect()
            .await;
        let mut all = true;
        for (operation, tenant, done) in done {
            let at = ports.clock.now();
            self.decided = self.decided.max(at);
            let outcome = done.outcome();
            ports.observer.operation(at, &self.key, operation, &outcome);
            all &= outcome == Outcome::Done;
            if let Some((identity, reference)) = addressed(tenant) {
                forget_if_unknown(&outcome, &mut self.facts, ports, identity, reference);
                if matches!(tenant, TenantOperation::Apply { .. }) {
                    ask_again_whether_served(&mut self.facts, ports, identity, reference);
                }
                self.facts.objects.written(identity, &reference.key);
            }
            done.record(&mut self.facts, at);
            if let Some((identity, reference)) = addressed(tenant) {
                self.references
                    .insert(identity, reference, &self.facts.objects);
            }
        }
        all
    }
}

fn is_event(record: &RecordOperation) -> bool {
    matches!(
        record,
        RecordOperation::Announce(_) | RecordOperation::AnnounceOnLedger(_)
    )
}

/// The object that an operation of the release is about; actions look at theirs themselves.
fn addressed(operation: &TenantOperation) -> Option<(&Identity, &Reference)> {
    match operation {
        TenantOperation::Apply {
            identity, object, ..
        }
        | TenantOperation::TakeOver {
            identity, object, ..
        } => Some((identity, &object.reference)),
        TenantOperation::Delete {
            identity, object, ..
        } => Some((identity, object)),
        TenantOperation::Act { .. } => None,
    }
}
