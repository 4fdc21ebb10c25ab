//! One StageSet's memory, and the loop over gather, decide, perform.
//!
//! - [`mod@pass`] the loop, [`key`] whose memory it is;
//! - [`needs`] what a plan asks for, [`steps`] what it does, [`served`] what is believed of a cluster's kinds;
//! - [`mod@caught`] a decision that panics;
//! - [`mod@wake`] why a pass is run, [`hints`] what news from watches drop from memory;
//! - [`look`] what the watches' stores tell between turns;
//! - [`interests`] what a rest depends on, [`references`] how its objects are reached;
//! - [`memory`] what isn't kept, [`rest`] what is put away while nothing happens, [`mod@away`] as
//!   little as it can be.
//!
//! Nothing here decides: what to ask for and what to do is the core's word, turn by turn.

mod away;
mod caught;
mod hints;
mod interests;
mod key;
mod look;
mod memory;
mod needs;
mod pass;
mod references;
mod rest;
mod served;
mod steps;
mod wake;

use std::sync::Arc;

use serde_json::Value;
use stageset_core::observation::{Config, ControllerRelease, Facts, ReconcileStage, StageSet};
use stageset_core::spec::Accounts;
use stageset_core::time::Timestamp;

pub use interests::Interests;
pub use key::{NamespacedName, StageSetKey};
pub use wake::{Hint, Wake};

use self::away::Away;
use self::references::References;
use crate::Stored;
use crate::perform::Known;
use crate::records::stage_set::Parsed;

/// How a pass ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// What then.
    pub next: End,
    /// How many decisions it took.
    pub turns: usize,
}

/// What follows a pass: [`Next`](stageset_core::plan::Next) without another decision, which the pass
/// itself would have made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Nothing to do until then, or until something that the decision rested on changes.
    Hold {
        /// The wait in words.
        waiting_for: String,
        /// Look again then, at the latest.
        until: Timestamp,
        /// At that time every fact is looked at again, unless a watch vouches for it.
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

/// One StageSet's memory. Dropping it costs requests, never correctness.
#[derive(Debug)]
pub struct Session {
    key: StageSetKey,
    facts: Facts,
    /// Facts older than this are looked at again, unless a watch vouches for them.
    refresh_before: Timestamp,
    /// The time of the last decision, or of what was seen or done since.
    decided: Timestamp,
    /// The last `requestedAt` that made facts old.
    requested: Option<String>,
    /// The last `reconcile-stage` that made facts old.
    stage_asked: Option<ReconcileStage>,
    /// The account of each stage at the last decision about a valid spec.
    accounts: Accounts,
    /// Whether a decision has seen that the StageSet is being deleted.
    deletion_seen: bool,
    known: Option<Known>,
    /// What [`Known::object`] says; `None` after it changed.
    read: Option<Box<StageSet>>,
    /// The spec of it, which outlives our own writes.
    parsed: Option<Parsed>,
    /// How the objects among the facts are reached, for watches.
    references: References,
    /// When the inventories were seen, while their facts are put away ([`rest`]).
    inventories_seen: Option<Timestamp>,
    /// What nobody has looked at for a while.
    away: Away,
}

impl Session {
    /// An empty memory.
    pub fn new(key: StageSetKey) -> Self {
        Self {
            key,
            facts: Facts::default(),
            refresh_before: Timestamp::default(),
            decided: Timestamp::default(),
            requested: None,
            stage_asked: None,
            accounts: Accounts::default(),
            deletion_seen: false,
            known: None,
            read: None,
            parsed: None,
            references: References::default(),
            inventories_seen: None,
            away: Away::default(),
        }
    }

    /// Which StageSet.
    pub fn key(&self) -> &StageSetKey {
        &self.key
    }

    /// What is remembered of the cluster.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The StageSet as this session saw it last, its own writes included.
    pub fn stage_set(&self) -> Option<Arc<Value>> {
        self.known.as_ref().map(|known| known.object.value())
    }

    /// The same, as it is kept.
    pub fn newest(&self) -> Option<Stored> {
        self.known.as_ref().map(|known| known.object.clone())
    }

    /// The other release of the controller that handles the StageSet, if one does (K24), as of the last
    /// pass.
    pub fn handled_elsewhere(&self, config: &Config) -> Option<ControllerRelease> {
        config
            .handled_elsewhere(&self.read.as_ref()?.status)
            .cloned()
    }
}
