//! One process: the memory of a session, and the turns that it takes. What the production driver does
//! between two decisions, request by request, so that anything can happen in between.
//!
//! - [`requests`] from a need or an operation to the request that it takes;
//! - [`gathered`] the answers to needs, [`performed`] those to operations, put among the facts;
//! - [`facts`] what all of them share;
//! - [`memory`] what is forgotten, and when; [`beginning`] what there is to decide on at first.

mod beginning;
mod facts;
mod gathered;
mod memory;
mod performed;
mod requests;

pub(super) use beginning::config;
use beginning::{nothing, stage_set};

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use stageset_core::failure::Failure;
use stageset_core::observation::{Config, Observation, Progress, ReconcileStage};
use stageset_core::plan::{Need, Next, Operation, Plan, RecordOperation, TenantOperation};
use stageset_core::spec::Accounts;
use stageset_core::time::Timestamp;

use super::call::{Answer, Call};
use super::server::{Server, Shelf, StageSetRecord};
use crate::saboteurs::Saboteur;

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
    Dependency,
    Inventories,
    Ledger,
    StageSet,
}

/// A process of the controller, as far as one StageSet goes.
pub(super) struct Process {
    pub(super) number: usize,
    pub(super) life: u32,
    /// All that it decides on; its facts are its memory.
    observation: Box<Observation>,
    /// The version of the StageSet that stands in there.
    observed: u64,
    refresh_before: Timestamp,
    decided: Timestamp,
    requested: Option<String>,
    again: Option<ReconcileStage>,
    accounts: Accounts,
    known: Option<Arc<StageSetRecord>>,
    shelf: Shelf,
    /// The version of the ledger that it last saw.
    ledger: Option<u64>,
    work: VecDeque<Todo>,
    failed: bool,
    next: Option<Next>,
    hints: Vec<Hint>,
    /// A pass began with all that its watches had to tell; up to which boundary that was.
    pub(super) caught_up: bool,
    pub(super) heard: Option<u64>,
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
    /// The last plan, for people, if plans are kept for them.
    pub(super) last_plan: Option<Plan>,
    pub(super) keep: bool,
    /// Whether the last plan did nothing but wait.
    pub(super) idle: bool,
    /// A deliberate bug.
    saboteur: Option<Saboteur>,
}

impl Process {
    pub(super) fn new(
        number: usize,
        life: u32,
        now: Timestamp,
        config: Arc<Config>,
        saboteur: Option<Saboteur>,
    ) -> Self {
        Self {
            number,
            life,
            observation: Box::new(nothing(config)),
            observed: 0,
            refresh_before: Timestamp::default(),
            decided: Timestamp::default(),
            requested: None,
            again: None,
            accounts: Accounts::default(),
            known: None,
            shelf: Shelf::new(),
            ledger: None,
            work: VecDeque::new(),
            failed: false,
            next: None,
            hints: Vec::new(),
            caught_up: false,
            heard: None,
            wake: Some(now),
            refresh_then: false,
            skew: 0,
            lag_until: Timestamp::default(),
            paused_until: Timestamp::default(),
            decisions: 0,
            rests: 0,
            gone: false,
            last_plan: None,
            keep: false,
            idle: true,
            saboteur,
        }
    }

    /// It dies, and comes back with nothing in its memory.
    pub(super) fn crash(&mut self, now: Timestamp) {
        let (skew, lag_until, keep) = (self.skew, self.lag_until, self.keep);
        let config = Arc::clone(&self.observation.config);
        *self = Self::new(self.number, self.life + 1, now, config, self.saboteur);
        self.skew = skew;
        self.lag_until = lag_until;
        self.keep = keep;
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
                    self.begins(&todo, server.now);
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

    /// What the driver remembers of an action before its request goes out: from then on nobody knows
    /// whether it happened, until an answer is seen.
    fn begins(&mut self, todo: &Todo, now: Timestamp) {
        let at = self.clock(now);
        match todo {
            Todo::Perform(Operation::Record(RecordOperation::Action { step, .. })) => {
                self.observation.facts.actions.recording(step, at);
            }
            Todo::Perform(Operation::Tenant(TenantOperation::Act { attempt, .. })) => {
                self.observation
                    .facts
                    .actions
                    .advanced(attempt, Progress::Sent, at);
            }
            _ => {}
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
            self.caught_up = true;
            for hint in std::mem::take(&mut self.hints) {
                self.take(&hint);
            }
        }
        true
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
            self.known = Some(Arc::clone(shown));
            return true;
        };
        if shown.version <= known.version {
            return false;
        }
        if shown.deletion != known.deletion {
            // What is torn down rests on what the inventories hold now.
            self.observation.facts.inventories = None;
        }
        let news = shown.generation != known.generation
            || shown.deletion != known.deletion
            || shown.requested != known.requested
            || shown.again != known.again;
        self.known = Some(Arc::clone(shown));
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
        let known = Arc::clone(known);
        self.follow(&known, now);
        let observation = &mut *self.observation;
        observation.now = now;
        observation.refresh_before = self.refresh_before;
        if self.observed != known.version {
            self.observed = known.version;
            observation.stage_set = stage_set(&known);
        }
        let plan = match self.saboteur {
            None => stageset_core::reconcile(observation),
            Some(saboteur) => {
                // Bent for this decision only.
                let kept = observation.clone();
                let plan = saboteur.decide(observation);
                *observation = kept;
                plan
            }
        };
        super::plan::check(observation, &plan)?;
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
        if self.keep {
            self.last_plan = Some(plan.clone());
        }
        self.idle = plan.is_idle();
        let Plan { needs, steps, next } = plan;
        self.work.extend(needs.into_iter().map(Todo::Gather));
        for step in steps {
            self.work.push_back(Todo::Look);
            self.work.extend(step.into_iter().map(Todo::Perform));
            self.work.push_back(Todo::EndOfStep);
        }
        self.next = Some(next);
        Ok(())
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
            Todo::Gather(need) => {
                let at = self.clock(asked);
                // A clock that is set back between two decisions is noticed by what was seen.
                self.decided = self.decided.max(at);
                self.gathered(&need, answer, at);
            }
            Todo::Perform(Operation::Record(record)) => {
                let at = self.clock(server.now);
                self.decided = self.decided.max(at);
                self.recorded(&record, answer, at, server);
            }
            Todo::Perform(Operation::Tenant(operation)) => {
                let at = self.clock(server.now);
                self.decided = self.decided.max(at);
                self.performed(operation, answer, at);
            }
            Todo::Look | Todo::EndOfStep => {}
        }
    }
}
