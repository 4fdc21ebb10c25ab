//! Operations: writes to the controller's own records, and writes to the tenant's world. Two types,
//! so that the first can't be made as a tenant nor the second as the controller.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::identity::Identity;
use crate::names::StageName;
use crate::object::{Desired, Reference};
use crate::observation::{Attempt, BaselineValid, Completed, StageInventory, Status};

use super::deed::{ActionStep, Deed};

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Operation {
    /// As the controller, on its own records.
    Record(RecordOperation),
    /// As the tenant, on the target.
    Tenant(TenantOperation),
}

/// A write to the controller's own records.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum RecordOperation {
    /// Put our finalizer on the StageSet.
    AddFinalizer,
    /// Take our finalizer off: the last thing that happens to a StageSet.
    RemoveFinalizer,
    /// Record the status.
    Status(Box<Status>),
    /// Replace a stage's inventory. One that holds just this is written all the same: what follows may rest on
    /// its being so still, which its version decides.
    Inventory {
        /// The stage.
        stage: StageName,
        /// All its objects.
        inventory: StageInventory,
        /// Why now.
        why: &'static str,
    },
    /// Remove a stage's inventory; everything in it is gone or released.
    DropInventory {
        /// The stage.
        stage: StageName,
    },
    /// Let all inventories go, whoever asks for it: the last thing before the finalizer of the
    /// StageSet.
    ReleaseInventories,
    /// Tell people.
    Announce(Event),
    /// Record the status, with a step of an action in it.
    Action {
        /// The status.
        status: Box<Status>,
        /// The step.
        step: ActionStep,
    },
    /// Make an empty StageLedger.
    CreateLedger,
    /// Record what the StageLedger says.
    Ledger {
        /// All completions.
        completed: Vec<Completed>,
        /// The condition, if there is to be one.
        baseline_valid: Option<BaselineValid>,
        /// The attempt whose completion this records, with its scope; `None` for anything else.
        done: Option<Attempt>,
        /// Why now.
        why: String,
    },
    /// Tell people who look at the StageLedger.
    AnnounceOnLedger(Event),
}

impl RecordOperation {
    /// Whether it writes inventories. Whoever performs one and gets no answer knows no inventory any
    /// more: it may have taken effect.
    pub const fn is_of_inventories(&self) -> bool {
        match self {
            Self::Inventory { .. } | Self::DropInventory { .. } | Self::ReleaseInventories => true,
            Self::AddFinalizer
            | Self::RemoveFinalizer
            | Self::Status(_)
            | Self::Announce(_)
            | Self::Action { .. }
            | Self::CreateLedger
            | Self::Ledger { .. }
            | Self::AnnounceOnLedger(_) => false,
        }
    }
}

/// Normal or Warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum EventKind {
    /// As hoped.
    Normal,
    /// Somebody may have to act.
    Warning,
}

/// A Kubernetes event on the StageSet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Normal or Warning.
    pub kind: EventKind,
    /// CamelCase reason.
    pub reason: String,
    /// For people.
    pub message: String,
}

/// Why an object is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum ApplyReason {
    /// It doesn't exist.
    Create,
    /// It exists and differs from the new revision in these fields.
    Change(Vec<String>),
    /// It was as desired and somebody changed these fields, or deleted it (no fields).
    Drift {
        /// The fields.
        fields: Vec<String>,
        /// Who did, as far as the object remembers it.
        by: Option<String>,
    },
}

/// Why an object is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum DeleteReason {
    /// It left the release.
    Pruned,
    /// Its stage left the release.
    StageRemoved,
    /// The StageSet points at another cluster now.
    Moved,
    /// The StageSet is being deleted.
    Teardown,
    /// It is created anew, since a field of it can't be changed.
    Recreated,
}

/// A write to the tenant's world.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum TenantOperation {
    /// Server-side apply, forced, as field manager `stageset-controller`.
    Apply {
        /// As whom.
        identity: Identity,
        /// What.
        #[serde(serialize_with = "reference_only")]
        object: Arc<Desired>,
        /// The uid of the object that the decision was based on; a recreated one bounces (G8).
        uid: Option<String>,
        /// Why.
        why: ApplyReason,
    },
    /// Make the fields of `kubectl apply` or Helm ours, before the first apply (K14).
    TakeOver {
        /// As whom.
        identity: Identity,
        /// What.
        #[serde(serialize_with = "reference_only")]
        object: Arc<Desired>,
        /// The uid of the object that the decision was based on.
        uid: String,
        /// Its resource version then: fields that moved since are looked at anew.
        resource_version: String,
        /// The managers, in words.
        from: Vec<String>,
        /// What `metadata.managedFields` becomes.
        #[serde(skip)]
        managed_fields: Arc<Value>,
    },
    /// Delete, in the background, with uid and version as preconditions (K23): whoever took our
    /// labels off since we looked keeps the object (I8).
    Delete {
        /// As whom.
        identity: Identity,
        /// What.
        object: Reference,
        /// The uid that was recorded or seen.
        uid: String,
        /// `metadata.resourceVersion` of what was seen; empty if it had none.
        version: String,
        /// The stage it belongs to.
        stage: StageName,
        /// Why.
        why: DeleteReason,
    },
    /// What an action does.
    Act {
        /// As whom.
        identity: Identity,
        /// In which attempt.
        attempt: Attempt,
        /// What.
        deed: Deed,
    },
}

fn reference_only<S: serde::Serializer>(
    object: &Arc<Desired>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    object.reference.serialize(serializer)
}
