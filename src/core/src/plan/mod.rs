//! What to do next, as data: it serializes, it prints for people, it is reviewed as a snapshot.

use serde::Serialize;

use crate::time::Timestamp;

mod deed;
mod need;
mod operation;
mod print;

pub use deed::{ActionStep, Deed, for_people};
pub use need::{Need, Purpose};
pub use operation::{
    ApplyReason, DeleteReason, Event, EventKind, Operation, RecordOperation, TenantOperation,
};

/// The answer of one decision.
///
/// A plan either asks for facts, or acts, or rests: `needs` are gathered in parallel; each step's
/// operations run in parallel, a step begins when the one before it has ended without a failure.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[must_use = "a plan that nobody carries out is a release that stands still"]
pub struct Plan {
    /// Facts without which nothing more can be decided.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Need>,
    /// What to do, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Vec<Operation>>,
    /// What then.
    pub next: Next,
}

/// What to do after a plan was carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Next {
    /// Decide again, with what was gathered or done.
    Again,
    /// Nothing to do until then, or until something that the decision rested on changes.
    Hold {
        /// The wait in words.
        waiting_for: String,
        /// Look again then, at the latest.
        until: Timestamp,
        /// At that time every fact is looked at again, unless a watch vouches for it: an interval
        /// tick, as against a short wait for something in particular.
        refresh: bool,
    },
    /// Nothing to do until the StageSet itself changes.
    Rest {
        /// Why, in words.
        waiting_for: String,
    },
    /// The StageSet is gone, or will be once its finalizer is; forget it.
    Gone,
}

impl Plan {
    /// A plan that asks.
    pub fn ask(needs: Vec<Need>) -> Self {
        Self {
            needs: Need::in_order(needs),
            steps: Vec::new(),
            next: Next::Again,
        }
    }

    /// A plan that acts and decides again.
    pub fn act(steps: Vec<Vec<Operation>>) -> Self {
        Self {
            needs: Vec::new(),
            steps: steps.into_iter().filter(|step| !step.is_empty()).collect(),
            next: Next::Again,
        }
    }

    /// Whether it does nothing but wait.
    pub fn is_idle(&self) -> bool {
        self.needs.is_empty() && self.steps.is_empty()
    }
}
