//! What the production code told of itself, as it told it: raw material of timelines and plans.

use std::sync::{Arc, Mutex, PoisonError};

use stageset_cluster::{Observer, Outcome, StageSetKey};
use stageset_core::Lacking;
use stageset_core::failure::FailureClass;
use stageset_core::identity::Identity;
use stageset_core::object::Reference;
use stageset_core::plan::{Need, Operation, Plan, TenantOperation};
use stageset_core::time::Timestamp;
use tokio::sync::mpsc;

use crate::timeline::user_of;

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
    /// Accounts lack rights.
    Lacking(Vec<Lacking>),
    /// The driver reports a fault of its own.
    Fault(String),
}

/// A request of a tenant that RBAC refused.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refused {
    /// The user that the API server saw.
    pub(super) user: String,
    /// The object.
    pub(super) object: Reference,
    /// The verbs that what was tried takes.
    pub(super) verbs: &'static [&'static str],
}

/// Verbs of a server-side apply: it reads, patches, and creates what isn't there.
const APPLY: &[&str] = &["get", "create", "patch"];
/// The verb of a read.
const READ: &[&str] = &["get"];
/// Verbs of a deletion: it reads first.
const DELETE: &[&str] = &["get", "delete"];

/// Collects events, and passes refusals on; clones share them.
#[derive(Debug, Clone)]
pub struct Trace {
    events: Arc<Mutex<Vec<Event>>>,
    refusals: mpsc::UnboundedSender<Refused>,
}

impl Trace {
    /// An empty trace, and where it tells of refusals.
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<Refused>) {
        let (refusals, told) = mpsc::unbounded_channel();
        (
            Self {
                events: Arc::default(),
                refusals,
            },
            told,
        )
    }

    fn refused(
        &self,
        outcome: &Outcome,
        identity: &Identity,
        object: &Reference,
        verbs: &'static [&'static str],
    ) {
        if let Outcome::Failed(failure) = outcome
            && failure.class == FailureClass::Denied
        {
            let refused = Refused {
                user: user_of(identity),
                object: object.clone(),
                verbs,
            };
            // Nobody listens any more when the simulation is over.
            let _ = self.refusals.send(refused);
        }
    }

    /// Adds an event.
    pub fn add(&self, at: Timestamp, stage_set: Option<&StageSetKey>, what: Happening) {
        let event = Event {
            at,
            stage_set: stage_set.cloned(),
            what,
        };
        self.events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(event);
    }

    /// How many there are by now.
    pub fn len(&self) -> usize {
        self.events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Whether nothing happened yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them so far.
    pub fn events(&self) -> Vec<Event> {
        self.events
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
        match need {
            Need::DryRun { identity, object } => {
                self.refused(outcome, identity, &object.reference, APPLY);
            }
            Need::Read {
                identity, object, ..
            } => self.refused(outcome, identity, object, READ),
            _ => {}
        }
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
        match operation {
            Operation::Tenant(
                TenantOperation::Apply {
                    identity, object, ..
                }
                | TenantOperation::TakeOver {
                    identity, object, ..
                },
            ) => {
                self.refused(outcome, identity, &object.reference, APPLY);
            }
            Operation::Tenant(TenantOperation::Delete {
                identity, object, ..
            }) => {
                self.refused(outcome, identity, object, DELETE);
            }
            // What an action is refused is told by its own record.
            Operation::Tenant(TenantOperation::Act { .. }) | Operation::Record(_) => {}
        }
        self.add(
            at,
            Some(stage_set),
            Happening::Performed(operation.clone(), outcome.clone()),
        );
    }

    fn lacking(&self, at: Timestamp, stage_set: &StageSetKey, lacking: &[Lacking]) {
        self.add(at, Some(stage_set), Happening::Lacking(lacking.to_vec()));
    }

    fn skipped_entries(&self, at: Timestamp, stage_set: &StageSetKey, stage: &str, count: usize) {
        let text =
            format!("left out {count} inventory entries of stage {stage} with malformed ids");
        self.add(at, Some(stage_set), Happening::Fault(text));
    }

    fn defect(&self, at: Timestamp, stage_set: &StageSetKey, message: &str) {
        let text = format!("a defect of the controller: {message}");
        self.add(at, Some(stage_set), Happening::Fault(text));
    }
}
