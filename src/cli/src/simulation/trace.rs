//! What the production code told of itself, as it told it: raw material of timelines and plans.

use std::sync::{Arc, Mutex, PoisonError};

use stageset_cluster::{Observer, Outcome, StageSetKey};
use stageset_core::plan::{Need, Operation, Plan};
use stageset_core::time::Timestamp;

/// Something that happened, in the order in which it happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// To which StageSet; `None` for the scenario's own steps.
    pub stage_set: Option<StageSetKey>,
    /// What.
    pub what: Happening,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Happening {
    /// The scenario took a step, in words.
    World(String),
    /// A decision was taken.
    Decided(Plan),
    /// A fact was gathered.
    Gathered(Need, Outcome),
    /// An operation was carried out.
    Performed(Operation, Outcome),
    /// The driver reports a fault of its own.
    Fault(String),
}

/// Collects events; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Trace(Arc<Mutex<Vec<Event>>>);

impl Trace {
    /// Adds an event.
    pub fn add(&self, at: Timestamp, stage_set: Option<&StageSetKey>, what: Happening) {
        let event = Event {
            at,
            stage_set: stage_set.cloned(),
            what,
        };
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(event);
    }

    /// How many there are by now.
    pub fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether nothing happened yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them so far.
    pub fn events(&self) -> Vec<Event> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Observer for Trace {
    fn plan(&self, at: Timestamp, stage_set: &StageSetKey, plan: &Plan) {
        self.add(at, Some(stage_set), Happening::Decided(plan.clone()));
    }

    fn need(&self, at: Timestamp, stage_set: &StageSetKey, need: &Need, outcome: &Outcome) {
        self.add(
            at,
            Some(stage_set),
            Happening::Gathered(need.clone(), outcome.clone()),
        );
    }

    fn operation(
        &self,
        at: Timestamp,
        stage_set: &StageSetKey,
        operation: &Operation,
        outcome: &Outcome,
    ) {
        self.add(
            at,
            Some(stage_set),
            Happening::Performed(operation.clone(), outcome.clone()),
        );
    }

    fn skipped_entries(&self, at: Timestamp, stage_set: &StageSetKey, count: usize) {
        let text = format!("left out {count} inventory entries with malformed ids");
        self.add(at, Some(stage_set), Happening::Fault(text));
    }

    fn panicked(&self, at: Timestamp, stage_set: &StageSetKey, message: &str) {
        let text = format!("the decision panicked: {message}");
        self.add(at, Some(stage_set), Happening::Fault(text));
    }
}
