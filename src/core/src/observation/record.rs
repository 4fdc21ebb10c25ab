//! The controller's own records: status and inventory, as the core reads and writes them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::identity::KubeconfigReference;
use crate::names::{ServiceAccountName, StageName};
use crate::object::ObjectKey;
use crate::time::Timestamp;

use super::ActionRecord;

/// Phases of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Phase {
    /// Not reached in this run.
    Pending,
    /// Its objects are being written.
    Applying,
    /// All written; waiting for them to become ready.
    Verifying,
    /// Ready for this run.
    Ready,
    /// Stopped by a failure; the message says which.
    Failed,
    /// Objects that left it are being deleted.
    Pruning,
}

/// `status.stages[]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StageStatus {
    /// The stage.
    pub name: StageName,
    /// Where it stands.
    pub phase: Phase,
    /// The revision whose objects were all written; kept through failures.
    pub applied_revision: Option<String>,
    /// How many objects its inventory holds.
    pub entries_count: usize,
    /// For people.
    pub message: Option<String>,
    /// The run that wrote `phase` (K22).
    pub run: Option<String>,
    /// Since when readiness is awaited in this run (K22).
    pub verifying_since: Option<Timestamp>,
    /// What its actions have done.
    pub actions: ActionRecord,
}

/// `True`, `False` or `Unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum ConditionStatus {
    /// True.
    True,
    /// False.
    False,
    /// Unknown.
    Unknown,
}

impl ConditionStatus {
    /// As written in a condition.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// A `metav1.Condition` of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// `Ready`, `Reconciling` or `Stalled`.
    pub kind: &'static str,
    /// Its status.
    pub status: ConditionStatus,
    /// CamelCase reason.
    pub reason: String,
    /// For people.
    pub message: String,
    /// The generation it speaks of.
    pub observed_generation: i64,
    /// When `status` last changed.
    pub last_transition: Timestamp,
}

/// `StageSet.status`, as far as the core reads or writes it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Status {
    /// The generation that the conditions speak of.
    pub observed_generation: i64,
    /// The last `requestedAt` that was acted on.
    pub last_handled_reconcile_at: Option<String>,
    /// Our conditions: `Ready`, `Reconciling`, `Stalled`.
    pub conditions: Vec<Condition>,
    /// Pins of the last run that resolved all its sources: `namespace/name` to revision.
    pub last_attempted_revisions: BTreeMap<String, String>,
    /// Pins of the last run that succeeded.
    pub last_applied_revisions: BTreeMap<String, String>,
    /// The stages.
    pub stages: Vec<StageStatus>,
    /// `actionFailureCount`: failures of stages with an unfinished Lifetime action.
    pub action_failures: u32,
    /// The release of the controller that handles this StageSet (K24).
    pub handled_by: Option<ControllerRelease>,
}

/// A release of the controller itself: several may run side by side, each StageSet handled by one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ControllerRelease {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl std::fmt::Display for ControllerRelease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl Status {
    /// The record of a stage.
    pub fn stage(&self, name: &StageName) -> Option<&StageStatus> {
        self.stages.iter().find(|stage| &stage.name == name)
    }

    /// The condition of this type.
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions
            .iter()
            .find(|condition| condition.kind == kind)
    }
}

/// One object that a stage is answerable for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InventoryEntry {
    /// API version it was last applied at.
    pub version: String,
    /// Its uid, once its write was seen (K22).
    pub uid: Option<String>,
    /// Digest of what was last written and seen (K22).
    pub digest: Option<String>,
}

/// All shards of one stage's inventory.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct StageInventory {
    /// Index of the stage in `spec.stages` when this was written; teardown goes by it.
    pub position: usize,
    /// The account that the objects were applied as; `None` in single-tenant mode or when an older
    /// controller wrote the inventory.
    pub service_account: Option<ServiceAccountName>,
    /// Which cluster the objects are in; empty = the local one (K22).
    pub target: String,
    /// The kubeconfig by which they were applied, so that they can be reached again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubeconfig: Option<KubeconfigReference>,
    /// Somebody asked for the deletion of a part of it; the entries have to move before it may go.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub deleting: bool,
    /// The objects.
    #[serde(serialize_with = "entries_as_list")]
    pub entries: BTreeMap<ObjectKey, InventoryEntry>,
}

fn entries_as_list<S: serde::Serializer>(
    entries: &BTreeMap<ObjectKey, InventoryEntry>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(entries.iter().map(|(key, entry)| (key.to_string(), entry)))
}
