//! The loop: look, gather, decide, perform, until there is nothing to do but wait.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, stream};
use serde_json::Value;
use stageset_api::field::field;
use stageset_api::reason::Reason;
use stageset_core::Lacking;
use stageset_core::failure::{Fact, Failure, FailureClass};
use stageset_core::identity::{Identity, Target};
use stageset_core::object::Reference;
use stageset_core::observation::{Facts, KindState, Observation, Progress, StageSet};
use stageset_core::plan::{Need, Next, Operation, Plan, RecordOperation, TenantOperation};
use tracing::Instrument as _;

use super::caught::caught;
use super::look::Look;
use super::{End, Pass, Session, StageSetKey, Wake};
use crate::gather::{Bodies, Found, Gather, in_a_row};
use crate::observe::Outcome;
use crate::perform::{self, Perform, Recorded};
use crate::ports::Ports;
use crate::records::stage_set::{self, Parsed};
use crate::requests::clean;
use crate::spans::{self, Stages};
use crate::stored::Stored;

/// After a defect of ours the object is looked at again then (G17).
const AFTER_DEFECT: Duration = Duration::from_secs(60);

impl Session {
    /// Gathers, decides and performs until there is nothing to do but wait.
    ///
    /// `object` is the StageSet as last seen. Between turns, and before each step of a plan, the
    /// session looks into [`WatchedObjects`](crate::ports::WatchedObjects) for a newer one and for
    /// news of its sources, so that a deletion, a new spec or a new revision ends the run where it
    /// stands (K07). Never panics because of a StageSet's content: a decision that does is caught,
    /// nothing of it is performed, and this one object is looked at again a minute later.
    pub async fn pass(&mut self, ports: &Ports, object: impl Into<Stored>, wake: Wake) -> Pass {
        let span = spans::pass(&self.key);
        let pass = self
            .run(ports, object.into(), wake)
            .instrument(span.clone())
            .await;
        spans::passed(&span, pass.turns, &pass.next);
        pass
    }

    async fn run(&mut self, ports: &Ports, object: Stored, wake: Wake) -> Pass {
        self.rouse();
        if let Some(known) = &self.known
            && known.object.uid() != object.uid()
        {
            // Another StageSet of the same name: nothing that was seen for the first holds.
            *self = Self::new(self.key.clone());
        }
        self.adopt(object);
        for hint in wake.hints {
            self.take(hint);
        }
        if wake.refresh {
            self.refresh_before = ports.clock.now();
        }
        let mut turns = 0;
        let next = loop {
            if turns >= ports.settings.max_turns {
                let said = format!("{turns} decisions in a row didn't come to a rest");
                break self.defect(ports, &said);
            }
            turns += 1;
            if let Some(next) = self.turn(ports).await {
                break next;
            }
        };
        // A pass that ends with a write of ours has not read the object anew. One that can't be read was
        // told of by the decision.
        self.observed().ok();
        self.forget(ports.clock.now());
        Pass { next, turns }
    }

    /// One decision, carried out; `None` if another is due.
    async fn turn(&mut self, ports: &Ports) -> Option<End> {
        if self.look(ports) == Look::Gone {
            return Some(End::Gone);
        }
        let plan = match self.decide(ports) {
            Ok(plan) => plan,
            Err(next) => return Some(next),
        };
        self.gather(ports, &plan.needs).await;
        for step in &plan.steps {
            // Before the next write: does the decision still rest on how things are?
            match self.look(ports) {
                Look::Gone => return Some(End::Gone),
                Look::News => return None,
                Look::Same => {}
            }
            match self.perform(ports, step).await {
                Step::Done => {}
                Step::Failed => return None,
                Step::Gone => return Some(End::Gone),
            }
        }
        match plan.next {
            Next::Again => None,
            Next::Hold {
                waiting_for,
                until,
                refresh,
            } => Some(End::Hold {
                waiting_for,
                until,
                refresh,
            }),
            Next::Rest { waiting_for } => Some(End::Rest { waiting_for }),
            Next::Gone => Some(End::Gone),
        }
    }

    /// Gathers and decides as a first pass does, and performs nothing: what the next write would be, or
    /// why there is none, and what accounts lack for it.
    pub async fn inspect(
        ports: &Ports,
        key: StageSetKey,
        object: impl Into<Stored>,
    ) -> (Plan, Vec<Lacking>) {
        let mut session = Self::new(key);
        session.adopt(object.into());
        let mut plan = Plan::ask(Vec::new());
        for _ in 0..ports.settings.max_turns {
            let Ok(decided) = session.decide(ports) else {
                break;
            };
            plan = decided;
            if plan.needs.is_empty() {
                break;
            }
            session.gather(ports, &plan.needs).await;
        }
        let lacking = session.inspect_rights(ports).await;
        (plan, lacking)
    }

    /// What accounts lack for the delivery, or for the teardown of a StageSet that is being deleted.
    async fn inspect_rights(&mut self, ports: &Ports) -> Vec<Lacking> {
        for _ in 0..ports.settings.max_turns {
            let Some(observation) = self.observation(ports) else {
                break;
            };
            let lacking = if observation.stage_set.deletion_timestamp.is_some() {
                stageset_core::lacking_to_tear_down(&observation)
            } else {
                Ok(stageset_core::lacking(&observation))
            };
            self.facts = observation.facts;
            match lacking {
                Ok(lacking) => return lacking,
                Err(needs) => self.gather(ports, &needs).await,
            }
        }
        Vec::new()
    }

    /// Everything that is known now; the facts are moved into it.
    fn observation(&mut self, ports: &Ports) -> Option<Observation> {
        let stage_set = self.observed().ok()?.clone();
        Some(Observation {
            now: ports.clock.now(),
            refresh_before: self.refresh_before,
            config: Arc::clone(&ports.config),
            stage_set,
            facts: std::mem::take(&mut self.facts),
        })
    }

    fn observed(&mut self) -> Result<&StageSet, String> {
        if self.read.is_none() {
            let known = self.known.as_ref().ok_or("no StageSet was seen yet")?;
            let read = stage_set::read_again(&known.object.value(), self.parsed.as_ref());
            let read = read.map_err(|error| error.to_string())?;
            self.parsed = Some(Parsed::of(&read));
            self.read = Some(Box::new(read));
        }
        self.read
            .as_deref()
            .ok_or_else(|| "the StageSet can't be read".to_owned())
    }

    fn decide(&mut self, ports: &Ports) -> Result<Plan, End> {
        let now = ports.clock.now();
        let stage_set = match self.observed() {
            Ok(stage_set) => stage_set.clone(),
            Err(said) => {
                // Nothing can be recorded of an object that no API server lets through.
                return Err(End::Rest {
                    waiting_for: format!("a StageSet that can be read: {said}"),
                });
            }
        };
        self.follow_clock(now);
        self.follow_stage_set(&stage_set, now);
        self.renew_tracking(ports);
        let observation = Observation {
            now,
            refresh_before: self.refresh_before,
            config: Arc::clone(&ports.config),
            stage_set,
            facts: std::mem::take(&mut self.facts),
        };
        let decided = caught(|| {
            let plan = stageset_core::reconcile(&observation);
            let lacking = if says_denied(&plan) {
                stageset_core::lacking(&observation)
            } else {
                Vec::new()
            };
            (plan, lacking)
        });
        self.facts = observation.facts;
        match decided {
            Ok((plan, lacking)) => {
                ports.observer.plan(now, &self.key, &plan);
                if !lacking.is_empty() {
                    ports.observer.lacking(now, &self.key, &lacking);
                }
                Ok(plan)
            }
            Err(said) => Err(self.defect(ports, &said)),
        }
    }

    async fn gather(&mut self, ports: &Ports, needs: &[Need]) {
        if needs.is_empty() {
            return;
        }
        let (key, uid) = (self.key.clone(), self.uid());
        let bodies = self.bodies();
        let gather = Gather {
            ports,
            key: &key,
            uid: &uid,
            bodies: &bodies,
            deleting: self.is_deleting(),
            unrecorded: self.is_unrecorded(),
        };
        for (need, at, found) in gather.all(needs).await {
            // A clock that is set back between two decisions is noticed by what was seen meanwhile.
            self.decided = self.decided.max(at);
            let outcome = found.outcome();
            ports
                .observer
                .need(ports.clock.now(), &self.key, need, &outcome);
            match need {
                Need::DryRun { identity, object } => {
                    after(
                        &outcome,
                        &mut self.facts,
                        ports,
                        identity,
                        &object.reference,
                    );
                }
                Need::Read {
                    identity, object, ..
                } => {
                    after(&outcome, &mut self.facts, ports, identity, object);
                }
                _ => {}
            }
            if let (Found::Ledger(Ok(ledger)), Some(known)) = (&found, &mut self.known) {
                known.ledger.clone_from(ledger);
            }
            if let Some((inventories, skipped)) = found.record(&mut self.facts, at) {
                for (stage, count) in skipped {
                    let stage = stage.as_str();
                    ports.observer.skipped_entries(at, &self.key, stage, count);
                }
                if let Some(known) = &mut self.known {
                    known.inventories = inventories;
                }
            }
            // Now the facts have the object's key, which is shared.
            if let Some((identity, reference)) = looked_at(need) {
                self.references
                    .insert(identity, reference, &self.facts.objects);
            }
        }
    }

    async fn perform(&mut self, ports: &Ports, step: &[Operation]) -> Step {
        let uid = self.uid();
        let bodies = self.bodies();
        let mut end = Step::Done;
        // Records one by one, since each answer is the next one's precondition.
        for operation in step {
            let Operation::Record(record) = operation else {
                continue;
            };
            let Some(known) = &mut self.known else {
                return Step::Failed;
            };
            let perform = Perform {
                ports,
                key: &self.key,
                uid: &uid,
                bodies: &bodies,
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
                Err(_) if is_event(operation) => {}
                Err(failure) => {
                    self.record_failed(record, failure, at);
                    end = Step::Failed;
                }
            }
        }
        let perform = Perform {
            ports,
            key: &self.key,
            uid: &uid,
            bodies: &bodies,
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
        for (operation, tenant, done) in done {
            let at = ports.clock.now();
            self.decided = self.decided.max(at);
            let outcome = done.outcome();
            ports.observer.operation(at, &self.key, operation, &outcome);
            if outcome != Outcome::Done {
                end = Step::Failed;
            }
            if let Some((identity, reference)) = addressed(tenant) {
                after(&outcome, &mut self.facts, ports, identity, reference);
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
        end
    }

    fn record_failed(
        &mut self,
        record: &RecordOperation,
        value: Failure,
        at: stageset_core::time::Timestamp,
    ) {
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

    /// Parks the object after a defect of ours: nothing is performed (G17).
    fn defect(&self, ports: &Ports, said: &str) -> End {
        let now = ports.clock.now();
        let said = clean(said);
        ports.observer.defect(now, &self.key, &said);
        End::Hold {
            waiting_for: format!("another try after an internal error: {said}"),
            until: now.plus(AFTER_DEFECT),
            refresh: false,
        }
    }

    fn bodies(&self) -> Bodies {
        let read = self.read.as_ref();
        let spec = read.and_then(|stage_set| stage_set.spec.as_ref().ok());
        spec.map(|spec| Bodies::of(spec)).unwrap_or_default()
    }

    /// Whether nothing is recorded of the StageSet yet, as far as anybody could.
    fn is_unrecorded(&self) -> bool {
        let status = self.read.as_ref().map(|stage_set| &stage_set.status);
        self.facts.record_failure.is_none()
            && status.is_some_and(|status| {
                status.stages.is_empty() && status.last_attempted_revisions.is_empty()
            })
    }

    fn is_deleting(&self) -> bool {
        let read = self.read.as_ref();
        read.is_some_and(|stage_set| stage_set.deletion_timestamp.is_some())
    }

    fn uid(&self) -> String {
        let known = self.known.as_ref();
        let uid = known.and_then(|known| known.object.uid());
        uid.unwrap_or_default().to_owned()
    }
}

/// Whether a plan records that rights are missing.
fn says_denied(plan: &Plan) -> bool {
    plan.steps
        .iter()
        .flatten()
        .any(|operation| match operation {
            Operation::Record(RecordOperation::Status(status)) => status
                .condition("Ready")
                .is_some_and(|ready| ready.reason == Reason::RBACDenied.as_str()),
            _ => false,
        })
}

enum Step {
    Done,
    Failed,
    Gone,
}

fn is_event(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Record(RecordOperation::Announce(_) | RecordOperation::AnnounceOnLedger(_))
    )
}

/// The object that a need of the release is about.
fn looked_at(need: &Need) -> Option<(&Identity, &Reference)> {
    match need {
        Need::DryRun { identity, object } => Some((identity, &object.reference)),
        Need::Read {
            identity, object, ..
        } => Some((identity, object)),
        _ => None,
    }
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

/// A kind that turned out not to be served as discovery said is asked for anew.
fn after(
    outcome: &Outcome,
    facts: &mut Facts,
    ports: &Ports,
    identity: &Identity,
    reference: &Reference,
) {
    if let Outcome::Failed(failure) = outcome
        && failure.class == FailureClass::UnknownKind
    {
        discover_anew(facts, ports, identity.target(), reference);
    }
}

fn discover_anew(facts: &mut Facts, ports: &Ports, target: &Target, reference: &Reference) {
    match target {
        Target::Local => ports.discovery.forget(&reference.key.group),
        Target::Remote(remote) => {
            // One that isn't connected to any more is discovered anew anyway.
            if let Ok(cluster) = ports.remotes.reach(remote) {
                cluster.discovery().forget(&reference.key.group);
            }
        }
    }
    facts.kinds.remove(target, &reference.gvk());
}

/// An object of a kind that wasn't served was written, so its definition, of the same release, must
/// stand by now. Were "not served" believed any longer, the object would be taken for gone (D1).
fn ask_again_whether_served(
    facts: &mut Facts,
    ports: &Ports,
    identity: &Identity,
    reference: &Reference,
) {
    let served = facts
        .kinds
        .get(identity.target(), &reference.gvk())
        .is_none_or(|fact| matches!(fact.value, KindState::Served { .. }));
    if !served {
        discover_anew(facts, ports, identity.target(), reference);
    }
}
