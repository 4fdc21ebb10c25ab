//! From a need or an operation to the request that it takes.

use std::sync::Arc;

use stageset_core::plan::{Need, Operation, RecordOperation, TenantOperation};

use super::super::call::Call;
use super::{Process, Todo};
use crate::saboteurs::Saboteur;
use crate::setup::VARIABLE;

impl Process {
    /// The request; `None` for what this level doesn't know.
    pub(super) fn call(&self, todo: &Todo) -> Option<Call> {
        Some(match todo {
            Todo::Look | Todo::EndOfStep => return None,
            Todo::Gather(need) => match need {
                Need::Account(name) => Call::Account(name.to_string()),
                Need::Namespace => Call::Namespace,
                Need::Inventories => Call::Inventories,
                Need::Source(source) => Call::Source(source.name.clone()),
                Need::Kind { gvk, .. } => Call::Kind(gvk.clone()),
                // Remote clusters are level wire's.
                Need::Kubeconfig(_) => return None,
                Need::Dependency(_) => Call::Dependency,
                Need::Variables { identity, .. } => Call::Variables(identity.clone()),
                Need::Ledger => Call::Ledger,
                Need::Rules {
                    identity,
                    namespace,
                } => Call::Rules(identity.clone(), namespace.clone()),
                Need::Access { identity, right } => Call::Access(identity.clone(), right.clone()),
                Need::Look {
                    identity,
                    object,
                    question,
                } => Call::Look(identity.clone(), object.clone(), question.clone()),
                Need::Labelled { identity, search } => {
                    Call::Labelled(identity.clone(), search.clone())
                }
                Need::Build { key, overlay, .. } => {
                    let mut variables = overlay.variables.iter();
                    let level = variables.find(|(name, _)| *name == VARIABLE);
                    let level = level.and_then(|(_, value)| value.parse().ok());
                    Call::Build(key.clone(), level.unwrap_or(0))
                }
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
            Todo::Perform(Operation::Tenant(TenantOperation::TakeOver {
                identity,
                object,
                uid,
                resource_version,
                ..
            })) => Call::TakeOver(
                identity.clone(),
                Arc::clone(object),
                uid.clone(),
                resource_version.parse().ok(),
            ),
            Todo::Perform(Operation::Tenant(TenantOperation::Act {
                identity,
                attempt,
                deed,
            })) => Call::Act(identity.clone(), attempt.clone(), deed.clone()),
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
            RecordOperation::Action { status, .. } => Call::Status(status.clone(), version),
            RecordOperation::CreateLedger => Call::CreateLedger,
            RecordOperation::Ledger {
                completed,
                baseline_valid,
                ..
            } => Call::WriteLedger(completed.clone(), baseline_valid.clone(), self.ledger),
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
            RecordOperation::ReleaseInventories => {
                let based = self.shelf.iter();
                let based = based.map(|(stage, (version, _))| (stage.clone(), *version));
                Call::ReleaseInventories(based.collect())
            }
            RecordOperation::Announce(event) | RecordOperation::AnnounceOnLedger(event) => {
                Call::Announce(event.reason.clone(), event.message.clone())
            }
        })
    }
}
