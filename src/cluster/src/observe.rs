//! What a session tells of itself: for logs, metrics and the CLI's timeline. Nothing here holds a
//! manifest, a token or an artifact's content (I9): needs and operations are shown by their
//! `Display`, which names objects and fields only.

use stageset_core::Lacking;
use stageset_core::failure::Failure;
use stageset_core::plan::{Need, Operation, Plan};
use stageset_core::time::Timestamp;

use crate::session::StageSetKey;

/// How something ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As hoped.
    Done,
    /// It failed.
    Failed(Failure),
}

/// Is told what sessions do. Implementations answer quickly and don't block.
pub trait Observer: Send + Sync {
    /// A decision was taken.
    fn plan(&self, _at: Timestamp, _stage_set: &StageSetKey, _plan: &Plan) {}

    /// A fact was gathered; `need.identity()` says as whom.
    fn need(&self, _at: Timestamp, _stage_set: &StageSetKey, _need: &Need, _outcome: &Outcome) {}

    /// An operation was carried out; for tenant operations it names the identity itself.
    fn operation(
        &self,
        _at: Timestamp,
        _stage_set: &StageSetKey,
        _operation: &Operation,
        _outcome: &Outcome,
    ) {
    }

    /// Accounts lack rights for what would be delivered; told with each decision that says so anew.
    fn lacking(&self, _at: Timestamp, _stage_set: &StageSetKey, _lacking: &[Lacking]) {}

    /// Inventory entries with malformed ids were left out.
    fn skipped_entries(
        &self,
        _at: Timestamp,
        _stage_set: &StageSetKey,
        _stage: &str,
        _count: usize,
    ) {
    }

    /// A defect of ours: a decision panicked, or decisions came to no rest. Nothing of it was
    /// performed; this one StageSet is looked at again a minute later (G17).
    fn defect(&self, _at: Timestamp, _stage_set: &StageSetKey, _message: &str) {}
}

/// Listens to nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {}
