//! One process: the memory of a session, and the turns that it takes. What the production driver does
//! between two decisions, request by request, so that anything can happen in between.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use stageset_core::failure::{Fact, Failure, FailureClass};
use stageset_core::identity::Identity;
use stageset_core::names::{Namespace, ServiceAccountName};
use stageset_core::object::Reference;
use stageset_core::observation::{
    AccessState, AccountState, BuildState, Config, DryRun, Facts, KindState, Live, LiveState,
    NamespaceState, Observation, RulesState, Settled, SourceState, StageSet,
};
use stageset_core::plan::{Need, Next, Operation, Plan, RecordOperation, TenantOperation};
use stageset_core::time::Timestamp;

use super::call::{Answer, Call};
use super::server::{Server, Shelf, StageSetRecord};
use crate::saboteurs::Saboteur;
use crate::setup::{MAX_TEARDOWN_SECONDS, NAME, NAMESPACE};

/// Something still to be done of a plan.
#[derive(Debug)]
pub(super) enum Todo {
    Gather(Need),
    Look,
    Perform(Operation),
    EndOfStep,
}

/// News that a watch brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hint {
    Source(String),
    Account(String),
    Inventories,
    StageSet,
}

/// A process of the controller, as far as one StageSet goes.
pub(super) struct Process {
    pub(super) number: usize,
    pub(super) life: u32,
    facts: Facts,
    refresh_before: Timestamp,
    decided: Timestamp,
    requested: Option<String>,
    known: Option<StageSetRecord>,
    shelf: Shelf,
    work: VecDeque<Todo>,
    failed: bool,
    next: Option<Next>,
    hints: Vec<Hint>,
    /// When it looks again, by its own clock; `None` while it rests for good.
    wake: Option<Timestamp>,
    refresh_then: bool,
    pub(super) skew: i64,
    /// Until then (true time) its watches tell nothing.
    pub(super) lag_until: Timestamp,
    /// Until then (true time) it stands still.
    pub(super) paused_until: Timestamp,
    /// Decisions since the last rest.
    pub(super) decisions: u32,
    /// Rests in a row that no request came between.
    rests: u32,
    pub(super) gone: bool,
    /// The last plan, for people and for the check that it ends empty.
    pub(super) last_plan: Option<Plan>,
    /// A deliberate bug.
    saboteur: Option<Saboteur>,
}

impl Process {
    pub(super) fn new(
        number: usize,
        life: u32,
        now: Timestamp,
        saboteur: Option<Saboteur>,
    ) -> Self {
        Self {
            number,
            life,
            facts: Facts::default(),
            refresh_before: Timestamp::default(),
            decided: Timestamp::default(),
            requested: None,
            known: None,
            shelf: Shelf::new(),
            work: VecDeque::new(),
            failed: false,
            next: None,
            hints: Vec::new(),
            wake: Some(now),
            refresh_then: false,
            skew: 0,
            lag_until: Timestamp::default(),
            paused_until: Timestamp::default(),
            decisions: 0,
            rests: 0,
            gone: false,
            last_plan: None,
            saboteur,
        }
    }

    /// It dies, and comes back with nothing in its memory.
    pub(super) fn crash(&mut self, now: Timestamp) {
        let (skew, lag_until) = (self.skew, self.lag_until);
        *self = Self::new(self.number, self.life + 1, now, self.saboteur);
        self.skew = skew;
        self.lag_until = lag_until;
        // A pod takes a moment to come back.
        self.paused_until = now.plus(Duration::from_secs(1));
    }

    /// What its own clock shows.
    pub(super) fn clock(&self, now: Timestamp) -> Timestamp {
        Timestamp::from_millis(now.as_millis() + self.skew * 1000)
    }

    /// When (true time) it goes on, if it does by itself.
    pub(super) fn due(&self, now: Timestamp) -> Option<Timestamp> {
        if self.gone {
            return None;
        }
        let due = if self.is_busy() {
            now
        } else if !self.hints.is_empty() {
            now.max(self.lag_until)
        } else {
            let wake = self.wake?;
            Timestamp::from_millis(wake.as_millis() - self.skew * 1000)
        };
        Some(due.max(self.paused_until))
    }

    /// Whether a plan is under way.
    pub(super) fn is_busy(&self) -> bool {
        !self.work.is_empty() || self.next.is_some()
    }

    /// News; they reach it when its watches go on.
    pub(super) fn tell(&mut self, hint: &Hint) {
        if !self.hints.contains(hint) {
            self.hints.push(hint.clone());
        }
    }

    /// The next request that it has to make; decides as often as that takes. `None` when it rests,
    /// or what is wrong with its plans.
    pub(super) fn next_call(&mut self, server: &Server) -> Result<Option<(Todo, Call)>, String> {
        loop {
            let lagging = server.now < self.lag_until;
            match self.work.pop_front() {
                Some(Todo::Look) => {
                    if self.look(server, lagging) {
                        self.abandon();
                    }
                }
                Some(Todo::EndOfStep) => {
                    if std::mem::take(&mut self.failed) {
                        self.abandon();
                    }
                }
                Some(todo) => {
                    self.rests = 0;
                    return match self.call(&todo) {
                        Some(call) => Ok(Some((todo, call))),
                        None => Err(format!(
                            "level core doesn't know {todo:?} yet: docs/trials.md, Adding a behaviour"
                        )),
                    };
                }
                None => match self.next.take() {
                    Some(Next::Again) => {}
                    Some(Next::Hold { until, refresh, .. }) => {
                        self.rest(Some(until), refresh);
                        return Ok(None);
                    }
                    Some(Next::Rest { .. }) => {
                        self.rest(None, false);
                        return Ok(None);
                    }
                    Some(Next::Gone) => {
                        self.gone = true;
                        return Ok(None);
                    }
                    None => {
                        if !self.begin(server, lagging) {
                            return Ok(None);
                        }
                    }
                },
            }
            if self.work.is_empty() && self.next.as_ref().is_none_or(|next| *next == Next::Again) {
                self.decide(server, lagging)?;
            }
        }
    }

    fn rest(&mut self, wake: Option<Timestamp>, refresh: bool) {
        self.wake = wake;
        self.refresh_then = refresh;
        self.decisions = 0;
        self.rests += 1;
    }

    fn abandon(&mut self) {
        self.work.clear();
        self.failed = false;
        self.next = Some(Next::Again);
    }

    /// A pass begins, if something woke it.
    fn begin(&mut self, server: &Server, lagging: bool) -> bool {
        let clock = self.clock(server.now);
        let due = self.wake.is_some_and(|wake| wake <= clock);
        let told = !self.hints.is_empty() && !lagging;
        if !due && !told {
            return false;
        }
        if due && self.refresh_then {
            self.refresh_before = clock;
            self.refresh_then = false;
        }
        if !lagging {
            for hint in std::mem::take(&mut self.hints) {
                self.take(&hint);
            }
        }
        true
    }

    fn take(&mut self, hint: &Hint) {
        match hint {
            Hint::Source(name) => self.facts.sources.retain(|source, _| source.name != *name),
            Hint::Account(name) => {
                for (account, fact) in &mut self.facts.accounts {
                    if account.as_str() == name {
                        fact.at = Timestamp::from_millis(i64::MIN);
                        fact.failures = 0;
                    }
                }
            }
            Hint::Inventories => self.facts.inventories = None,
            Hint::StageSet => {}
        }
    }

    /// Looks at what the watch shows of the StageSet; whether a plan under way is overtaken.
    fn look(&mut self, server: &Server, lagging: bool) -> bool {
        if lagging && self.known.is_some() {
            return false;
        }
        let shown = if lagging {
            server
                .stage_set_before
                .as_ref()
                .or(server.stage_set.as_ref())
        } else {
            server.stage_set.as_ref()
        };
        let Some(shown) = shown else {
            self.gone = true;
            return true;
        };
        let Some(known) = &self.known else {
            self.known = Some(shown.clone());
            return true;
        };
        if shown.version <= known.version {
            return false;
        }
        if shown.deletion != known.deletion {
            // What is torn down rests on what the inventories hold now.
            self.facts.inventories = None;
        }
        let news = shown.generation != known.generation
            || shown.deletion != known.deletion
            || shown.requested != known.requested;
        self.known = Some(shown.clone());
        news
    }

    fn decide(&mut self, server: &Server, lagging: bool) -> Result<(), String> {
        self.look(server, lagging);
        if self.gone {
            self.abandon();
            self.next = Some(Next::Gone);
            return Ok(());
        }
        let now = self.clock(server.now);
        let Some(known) = &self.known else {
            self.next = Some(Next::Gone);
            return Ok(());
        };
        if now < self.decided {
            // A clock that was set back makes every remembered time wrong.
            self.facts = Facts::default();
            self.refresh_before = now;
        } else if self.decided == Timestamp::default() {
            self.refresh_before = now;
        }
        self.decided = now;
        if known.requested != known.status.last_handled_reconcile_at
            && known.requested != self.requested
        {
            self.refresh_before = now;
        }
        self.requested.clone_from(&known.requested);
        let mut observation = Observation {
            now,
            refresh_before: self.refresh_before,
            config: config(),
            stage_set: StageSet {
                namespace: namespace(),
                name: NAME.to_owned(),
                uid: "5e7".to_owned(),
                generation: known.generation,
                deletion_timestamp: known.deletion,
                has_finalizer: known.finalizer,
                requested_at: known.requested.clone(),
                reconcile_stage: None,
                spec: known.spec.clone(),
                suspend: known.suspended,
                status: known.status.clone(),
            },
            facts: std::mem::take(&mut self.facts),
        };
        let plan = match self.saboteur {
            None => stageset_core::reconcile(&observation),
            Some(saboteur) => {
                let kept = observation.facts.clone();
                let plan = saboteur.decide(&mut observation);
                observation.facts = kept;
                plan
            }
        };
        let judged = super::plan::check(&observation, &plan);
        self.facts = observation.facts;
        judged?;
        self.decisions += 1;
        if self.rests > 500 {
            return Err(format!(
                "500 rests in a row with nothing done in between:\n{plan}"
            ));
        }
        if self.decisions > 400 {
            return Err(format!(
                "400 decisions without a rest; the last one:\n{plan}"
            ));
        }
        let (reviews, others): (Vec<&Need>, Vec<&Need>) = plan
            .needs
            .iter()
            .partition(|need| matches!(need, Need::Rules { .. } | Need::Access { .. }));
        // Nobody here reviews rights: the dry run alone tells, as where a server answers no reviews.
        for need in reviews {
            let failure = || Failure::new(FailureClass::UnknownKind, "no reviews here");
            match need {
                Need::Rules {
                    identity,
                    namespace,
                } => {
                    let unreadable = Fact::seen(RulesState::Unreadable(failure()), now);
                    let reviews = &mut self.facts.reviews;
                    reviews.insert_rules(identity, namespace.clone(), unreadable);
                }
                Need::Access { identity, right } => {
                    let unreadable = Fact::seen(AccessState::Unreadable(failure()), now);
                    let reviews = &mut self.facts.reviews;
                    reviews.insert_access(identity, right.clone(), unreadable);
                }
                _ => {}
            }
        }
        self.work
            .extend(others.into_iter().cloned().map(Todo::Gather));
        for step in &plan.steps {
            self.work.push_back(Todo::Look);
            self.work.extend(step.iter().cloned().map(Todo::Perform));
            self.work.push_back(Todo::EndOfStep);
        }
        self.next = Some(plan.next.clone());
        self.last_plan = Some(plan);
        Ok(())
    }

    fn call(&self, todo: &Todo) -> Option<Call> {
        Some(match todo {
            Todo::Look | Todo::EndOfStep => return None,
            Todo::Gather(need) => match need {
                Need::Account(name) => Call::Account(name.to_string()),
                Need::Namespace => Call::Namespace,
                Need::Inventories => Call::Inventories,
                Need::Source(source) => Call::Source(source.name.clone()),
                Need::Kind { gvk, .. } => Call::Kind(gvk.clone()),
                // Nothing of the trials' StageSets asks for these yet: `next_call` says so if it does.
                Need::Kubeconfig(_)
                | Need::Dependency(_)
                | Need::Variables { .. }
                | Need::Ledger
                | Need::Rules { .. }
                | Need::Access { .. }
                | Need::Look { .. } => return None,
                Need::Labelled { identity, search } => {
                    Call::Labelled(identity.clone(), search.clone())
                }
                Need::Build { key, .. } => Call::Build(key.clone()),
                Need::DryRun { identity, object } => {
                    Call::DryRun(identity.clone(), Arc::clone(object))
                }
                Need::Read {
                    identity, object, ..
                } => Call::Get(identity.clone(), object.clone()),
            },
            Todo::Perform(Operation::Record(record)) => return self.record_call(record),
            Todo::Perform(Operation::Tenant(TenantOperation::Apply {
                identity,
                object,
                uid,
                why: _,
            })) => Call::Apply(identity.clone(), Arc::clone(object), uid.clone()),
            Todo::Perform(Operation::Tenant(TenantOperation::Delete {
                identity,
                object,
                uid,
                version,
                ..
            })) => Call::Delete(
                identity.clone(),
                object.clone(),
                uid.clone(),
                version.parse().ok(),
            ),
            Todo::Perform(Operation::Tenant(
                TenantOperation::TakeOver { .. } | TenantOperation::Act { .. },
            )) => return None,
        })
    }

    fn record_call(&self, record: &RecordOperation) -> Option<Call> {
        let blind = self.saboteur == Some(Saboteur::OverwriteRecords);
        let version = self
            .known
            .as_ref()
            .map(|known| known.version)
            .filter(|_| !blind);
        Some(match record {
            RecordOperation::Action { .. }
            | RecordOperation::CreateLedger
            | RecordOperation::Ledger { .. }
            | RecordOperation::AnnounceOnLedger(_) => return None,
            RecordOperation::AddFinalizer => Call::Finalizer(true, version),
            RecordOperation::RemoveFinalizer => Call::Finalizer(false, version),
            RecordOperation::Status(status) => Call::Status(status.clone(), version),
            RecordOperation::Inventory {
                stage, inventory, ..
            } => Call::Inventory(
                stage.clone(),
                inventory.clone(),
                self.shelf.get(stage).map(|(version, _)| *version),
            ),
            RecordOperation::DropInventory { stage } => Call::DropInventory(
                stage.clone(),
                self.shelf.get(stage).map(|(version, _)| *version),
            ),
            RecordOperation::ReleaseInventories => Call::ReleaseInventories,
            RecordOperation::Announce(event) => {
                Call::Announce(event.reason.clone(), event.message.clone())
            }
        })
    }

    /// Takes an answer in. `asked` is the true time at which the request was made.
    pub(super) fn take_answer(
        &mut self,
        todo: Todo,
        answer: Result<Answer, Failure>,
        asked: Timestamp,
        server: &Server,
    ) {
        match todo {
            Todo::Gather(need) => self.gathered(&need, answer, self.clock(asked)),
            Todo::Perform(Operation::Record(record)) => {
                let at = self.clock(server.now);
                self.recorded(&record, answer, at, server);
            }
            Todo::Perform(Operation::Tenant(operation)) => {
                let at = self.clock(server.now);
                self.performed(operation, answer, at);
            }
            Todo::Look | Todo::EndOfStep => {}
        }
    }

    fn gathered(&mut self, need: &Need, answer: Result<Answer, Failure>, at: Timestamp) {
        let failed = answer.is_err();
        let facts = &mut self.facts;
        match need {
            Need::Account(name) => {
                let value = match answer {
                    Ok(Answer::Account(Some(uid))) => AccountState::Exists { uid },
                    Ok(_) => AccountState::Absent,
                    Err(failure) => AccountState::Unreadable(failure),
                };
                forget_former_account(facts, name, &value);
                put(facts.accounts.entry(name.clone()), value, at, failed);
            }
            Need::Namespace => {
                let value = match answer {
                    Ok(Answer::Namespace(true)) => NamespaceState::Terminating,
                    Ok(_) => NamespaceState::Active,
                    Err(failure) => NamespaceState::Unreadable(failure),
                };
                facts.namespace = Some(fact(value, at, facts.namespace.as_ref(), failed));
            }
            Need::Inventories => {
                let value = match answer {
                    Ok(Answer::Inventories(shelf)) => {
                        self.shelf = shelf;
                        Ok(observed(&self.shelf))
                    }
                    Ok(_) => Ok(std::collections::BTreeMap::new()),
                    Err(failure) => Err(failure),
                };
                facts.inventories = Some(fact(value, at, facts.inventories.as_ref(), failed));
            }
            Need::Source(source) => {
                let value = match answer {
                    Ok(Answer::Source(state)) => state,
                    Ok(_) => SourceState::Absent,
                    Err(failure) => SourceState::Unreadable(failure),
                };
                put(facts.sources.entry(source.clone()), value, at, failed);
            }
            Need::Kind { target, gvk } => {
                let value = match answer {
                    Ok(Answer::Kind(state)) => state,
                    Ok(_) => KindState::Unknown,
                    Err(failure) => KindState::Unreadable(failure),
                };
                let known = fact(value, at, facts.kinds.get(target, gvk), failed);
                facts.kinds.insert(target, gvk.clone(), known);
            }
            Need::Kubeconfig(_)
            | Need::Dependency(_)
            | Need::Variables { .. }
            | Need::Ledger
            | Need::Rules { .. }
            | Need::Access { .. }
            | Need::Look { .. } => {}
            Need::Labelled { identity, search } => {
                let value = match answer {
                    Ok(Answer::Labelled(list)) => Ok(list),
                    Ok(_) => return,
                    Err(failure) => Err(failure),
                };
                let place = (identity.clone(), search.clone());
                put(facts.labelled.entry(place), value, at, failed);
            }
            Need::Build { key, .. } => {
                let value = match answer {
                    Ok(Answer::Built(state)) => state,
                    Ok(_) => return,
                    Err(failure) => BuildState::Failed(failure),
                };
                let failed = matches!(value, BuildState::Failed(_));
                put(facts.builds.entry(key.clone()), value, at, failed);
            }
            Need::DryRun { identity, object } => {
                let value = match answer {
                    Ok(Answer::DryRun(state)) => state,
                    Ok(_) => return,
                    Err(failure) => DryRun::Refused(failure),
                };
                unserved(facts, identity, &value, &object.reference);
                let object_facts = facts.objects.entry(identity, &object.reference.key);
                let before = object_facts.dry_run.as_ref().map(|(_, fact)| fact);
                let failures = in_a_row(before, failed);
                match &value {
                    DryRun::Create => object_facts.live = Some(Fact::seen(LiveState::Absent, at)),
                    DryRun::Change { live, .. } | DryRun::Unchanged { live } => {
                        object_facts.live = Some(Fact::seen(LiveState::Present(live.clone()), at));
                    }
                    DryRun::Refused(_) => {}
                }
                if let DryRun::Unchanged { live } = &value {
                    object_facts.settled = Some(settled(&object.digest, live, at));
                }
                object_facts.dry_run = Some((
                    object.digest.clone(),
                    Fact {
                        value,
                        at,
                        failures,
                    },
                ));
            }
            Need::Read {
                identity, object, ..
            } => {
                let value = match answer {
                    Ok(Answer::Live(Some(live))) => LiveState::Present(live),
                    Ok(_) => LiveState::Absent,
                    Err(failure) => {
                        if failure.class == FailureClass::UnknownKind {
                            facts.kinds.remove(identity.target(), &object.gvk());
                        }
                        LiveState::Unreadable(failure)
                    }
                };
                let object_facts = facts.objects.entry(identity, &object.key);
                let live = fact(value, at, object_facts.live.as_ref(), failed);
                object_facts.live = Some(live);
            }
        }
    }

    fn recorded(
        &mut self,
        record: &RecordOperation,
        answer: Result<Answer, Failure>,
        at: Timestamp,
        server: &Server,
    ) {
        if matches!(record, RecordOperation::Announce(_)) {
            return;
        }
        match answer {
            Ok(Answer::Gone) => {
                self.work.clear();
                self.next = Some(Next::Gone);
            }
            Ok(Answer::Written(version)) => {
                self.facts.record_failure = None;
                match record {
                    RecordOperation::Inventory {
                        stage, inventory, ..
                    } => {
                        self.shelf
                            .insert(stage.clone(), (version, inventory.clone()));
                        self.facts.inventories = Some(Fact::seen(Ok(observed(&self.shelf)), at));
                    }
                    RecordOperation::ReleaseInventories => {}
                    RecordOperation::DropInventory { stage } => {
                        self.shelf.remove(stage);
                        self.facts.inventories = Some(Fact::seen(Ok(observed(&self.shelf)), at));
                    }
                    _ => {
                        // The answer to a write is the object as it is then.
                        self.known = server.stage_set.clone();
                        if matches!(record, RecordOperation::Status(_)) {
                            self.facts.status_recorded = Some(at);
                        }
                    }
                }
            }
            Ok(_) => {}
            Err(failure) => {
                self.failed = true;
                if failure.class == FailureClass::Conflict {
                    self.facts.inventories = None;
                    if let Some(stage_set) = &server.stage_set {
                        self.known = Some(stage_set.clone());
                    }
                }
                let failures = in_a_row(self.facts.record_failure.as_ref(), true);
                self.facts.record_failure = Some(Fact {
                    value: failure,
                    at,
                    failures,
                });
            }
        }
    }

    fn performed(
        &mut self,
        operation: TenantOperation,
        answer: Result<Answer, Failure>,
        at: Timestamp,
    ) {
        let facts = &mut self.facts;
        match operation {
            TenantOperation::Apply {
                identity, object, ..
            } => {
                let object_facts = facts.objects.entry(&identity, &object.reference.key);
                match answer {
                    Ok(Answer::Applied(live)) => {
                        object_facts.settled = Some(settled(&object.digest, &live, at));
                        object_facts.live = Some(Fact::seen(LiveState::Present(live), at));
                        object_facts.write_failure = None;
                    }
                    Ok(_) => {}
                    Err(failure) => {
                        self.failed = true;
                        let unknown = failure.class == FailureClass::UnknownKind;
                        let before = object_facts.write_failure.as_ref().map(|(_, fact)| fact);
                        let failures = in_a_row(before, true);
                        object_facts.write_failure = Some((
                            object.digest.clone(),
                            Fact {
                                value: failure,
                                at,
                                failures,
                            },
                        ));
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
            TenantOperation::TakeOver { .. } | TenantOperation::Act { .. } => {}
            TenantOperation::Delete {
                identity, object, ..
            } => {
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
                        let before = object_facts.write_failure.as_ref().map(|(_, fact)| fact);
                        let failures = in_a_row(before, true);
                        object_facts.write_failure = Some((
                            String::new(),
                            Fact {
                                value: failure,
                                at,
                                failures,
                            },
                        ));
                        if unknown {
                            facts.kinds.remove(identity.target(), &object.gvk());
                        }
                    }
                }
            }
        }
    }
}

fn unserved(facts: &mut Facts, identity: &Identity, value: &DryRun, reference: &Reference) {
    if let DryRun::Refused(failure) = value
        && failure.class == FailureClass::UnknownKind
    {
        facts.kinds.remove(identity.target(), &reference.gvk());
    }
}

fn settled(digest: &str, live: &Live, at: Timestamp) -> Settled {
    Settled {
        digest: digest.to_owned(),
        uid: live.uid.clone(),
        entry: live.entry.clone(),
        since: at,
    }
}

fn observed(
    shelf: &Shelf,
) -> std::collections::BTreeMap<
    stageset_core::names::StageName,
    stageset_core::observation::StageInventory,
> {
    shelf
        .iter()
        .map(|(stage, (_, inventory))| (stage.clone(), inventory.clone()))
        .collect()
}

fn in_a_row<T>(before: Option<&Fact<T>>, failed: bool) -> u32 {
    if failed {
        before.map_or(0, |fact| fact.failures).saturating_add(1)
    } else {
        0
    }
}

fn fact<T>(value: T, at: Timestamp, before: Option<&Fact<T>>, failed: bool) -> Fact<T> {
    let failures = in_a_row(before, failed);
    Fact {
        value,
        at,
        failures,
    }
}

fn put<K: Ord, T>(
    entry: std::collections::btree_map::Entry<'_, K, Fact<T>>,
    value: T,
    at: Timestamp,
    failed: bool,
) {
    use std::collections::btree_map::Entry;
    match entry {
        Entry::Occupied(mut known) => {
            let failures = in_a_row(Some(known.get()), failed);
            known.insert(Fact {
                value,
                at,
                failures,
            });
        }
        Entry::Vacant(place) => {
            place.insert(fact(value, at, None, failed));
        }
    }
}

/// A recreated account is another one: nothing that the former one saw answers it (A07).
fn forget_former_account(facts: &mut Facts, name: &ServiceAccountName, state: &AccountState) {
    let before = facts.accounts.get(name).map(|fact| &fact.value);
    let same = match (before, state) {
        (Some(AccountState::Exists { uid: before }), AccountState::Exists { uid: now }) => {
            before == now
        }
        // In between it may have been another one.
        (Some(_), AccountState::Exists { .. }) | (_, AccountState::Absent) => false,
        (None, AccountState::Exists { .. }) | (_, AccountState::Unreadable(_)) => true,
    };
    if !same {
        facts
            .objects
            .retain(|identity, _, _| identity.local_account() != Some(name));
    }
}

thread_local! {
    static CONFIG: Arc<Config> = Arc::new(Config {
        max_teardown_wait: Duration::from_secs(MAX_TEARDOWN_SECONDS),
        ..Config::default()
    });
}

fn config() -> Arc<Config> {
    CONFIG.with(Arc::clone)
}

#[expect(
    clippy::expect_used,
    reason = "a constant of the trials is a namespace, or nothing here works"
)]
fn namespace() -> Namespace {
    Namespace::new(NAMESPACE).expect("the trials' namespace is one")
}
