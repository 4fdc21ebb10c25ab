//! The requests that a process can make of the pure server, and their answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use stageset_core::failure::{Failure, FailureClass};
use stageset_core::identity::Identity;
use stageset_core::names::StageName;
use stageset_core::object::{Desired, GroupVersionKind, ObjectKey, Reference};
use stageset_core::observation::{
    Attempt, BaselineValid, BuildKey, BuildState, Completed, DependencyState, DryRun, KindState,
    Labelled, Ledger, Live, Question, SourceState, StageInventory, Status, VariableState,
};
use stageset_core::plan::Deed;
use stageset_core::rights::{Right, Rules};

use crate::event::Failing;

/// One request.
#[derive(Debug, Clone)]
pub(super) enum Call {
    /// As the controller: does the account exist?
    Account(String),
    /// As the controller: is the namespace going?
    Namespace,
    /// As the controller: all inventories.
    Inventories,
    /// As the controller: a source.
    Source(String),
    /// As the controller: discovery.
    Kind(GroupVersionKind),
    /// As the controller: the StageSet that this one depends on.
    Dependency,
    /// As the controller: the StageLedger.
    Ledger,
    /// Anonymously: download, and build with this value of the variable.
    Build(BuildKey, u8),
    /// As the tenant: the ConfigMap with the variable.
    Variables(Identity),
    /// As the tenant: what may it do in a namespace?
    Rules(Identity, String),
    /// As the tenant: may it do this?
    Access(Identity, Right),
    /// As the tenant: what an action wants to know.
    Look(Identity, Reference, Question),
    /// As the tenant: what an action does.
    Act(Identity, Attempt, Deed),
    /// As the tenant, with the uid and version that it rests on: a former manager's fields become
    /// ours.
    TakeOver(Identity, Arc<Desired>, String, Option<u64>),
    /// As the controller.
    CreateLedger,
    /// As the controller, with the version that it rests on.
    WriteLedger(Vec<Completed>, Option<BaselineValid>, Option<u64>),
    /// As the tenant.
    DryRun(Identity, Arc<Desired>),
    /// As the tenant: what carries a stage's labels (a lost inventory).
    Labelled(Identity, Labelled),
    /// As the tenant.
    Get(Identity, Reference),
    /// As the tenant.
    Apply(Identity, Arc<Desired>, Option<String>),
    /// As the tenant.
    Delete(Identity, Reference, String, Option<u64>),
    /// As the controller, with the version that it rests on.
    Finalizer(bool, Option<u64>),
    /// As the controller, with the version that it rests on.
    Status(Box<Status>, Option<u64>),
    /// As the controller, with the version that it rests on; `None` creates.
    Inventory(StageName, StageInventory, Option<u64>),
    /// As the controller, with the version that it rests on.
    DropInventory(StageName, Option<u64>),
    /// As the controller: our finalizers on inventories go. They stand until then in this world, so
    /// whoever deletes an inventory only marks it. With the versions on which that rests.
    ReleaseInventories(BTreeMap<StageName, u64>),
    /// As the controller.
    Announce(String, String),
}

/// What came back.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// The account's uid, if it exists.
    Account(Option<String>),
    /// Whether the namespace is going.
    Namespace(bool),
    /// All inventories with their versions.
    Inventories(BTreeMap<StageName, (u64, StageInventory)>),
    /// What the source says.
    Source(SourceState),
    /// What discovery says.
    Kind(KindState),
    /// What was built.
    Built(BuildState),
    /// The StageSet that this one depends on.
    Dependency(DependencyState),
    /// The StageLedger, if there is one, with its version.
    Ledger(Option<(u64, Ledger)>),
    /// The ConfigMap with the variable.
    Variables(VariableState),
    /// What an account may do.
    Rules(Rules),
    /// Whether an account may do it.
    Access(bool),
    /// What an action saw.
    Looked(stageset_core::observation::Answer),
    /// Done; there is nothing to show.
    Done,
    /// What an apply would do.
    DryRun(DryRun),
    /// What carries the labels, with uids.
    Labelled(Vec<(ObjectKey, String)>),
    /// The object.
    Live(Option<Live>),
    /// The object after an apply.
    Applied(Live),
    /// A deletion was accepted, or there was nothing to delete.
    Deleted,
    /// The record's new version.
    Written(u64),
    /// The StageSet is gone.
    Gone,
}

/// A failure as the wire would show it: a status, and what the driver makes of that.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    /// HTTP status; 0 without an answer.
    pub(super) code: u16,
    /// What the driver's classifier makes of it.
    pub(super) failure: Failure,
}

impl Refusal {
    /// A refusal of the server.
    pub(super) fn new(code: u16, class: FailureClass, message: impl Into<String>) -> Self {
        Self {
            code,
            failure: Failure::new(class, message),
        }
    }
}

/// What the driver's classifier makes of an injected failure; its own tests say the same.
pub(super) fn injected(failing: Failing) -> Refusal {
    let (code, class) = match failing {
        Failing::Code(code @ (401 | 403)) => (code, FailureClass::Denied),
        Failing::Code(409) => (409, FailureClass::Conflict),
        Failing::Code(422) => (422, FailureClass::Rejected),
        Failing::Code(429) => {
            let retry_after = Some(std::time::Duration::from_secs(7));
            (429, FailureClass::Transient { retry_after })
        }
        Failing::Code(code) => (code, FailureClass::Transient { retry_after: None }),
        Failing::Timeout | Failing::Reset => (0, FailureClass::Transient { retry_after: None }),
    };
    Refusal::new(code, class, format!("injected: {failing}"))
}
