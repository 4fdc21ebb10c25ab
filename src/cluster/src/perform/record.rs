//! Writes to the controller's own records: finalizer, status, inventories, events.

use serde_json::{Value, json};
use stageset_api::names::FINALIZER;
use stageset_core::failure::{Failure, FailureClass};
use stageset_core::names::StageName;
use stageset_core::observation::Status;
use stageset_core::plan::RecordOperation;

use super::told::{Told, announce};
use super::{Perform, event, ledger};
use crate::records::inventory::{Inventories, Shard, ShardWrite, created, released, replaced};
use crate::records::status;
use crate::requests::{Deleted, Target};
use crate::stored::Stored;

/// The session's view of its own records, with the versions that preconditions need.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// The StageSet.
    pub object: Stored,
    /// Its inventories.
    pub inventories: Inventories,
    /// Its ledger, if there is one.
    pub ledger: Option<Value>,
    /// The events that were told last.
    pub told: Told,
}

/// How a write to a record ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// The StageSet's own object was written; [`Known::object`] is what it is now.
    StageSet,
    /// Inventories were written; [`Known::inventories`] is what they are now.
    Inventories,
    /// The ledger was written; [`Known::ledger`] is what it is now.
    Ledger,
    /// An event; nothing that decisions rest on.
    Nothing,
    /// The StageSet is gone.
    Gone,
}

/// Carries out one operation, as the controller.
///
/// After a conflict the view is renewed, so that the next try rests on what stands now.
pub(crate) async fn record(
    perform: Perform<'_>,
    operation: &RecordOperation,
    known: &mut Known,
) -> Result<Recorded, Failure> {
    match operation {
        RecordOperation::AddFinalizer => {
            let mut finalizers = finalizers(&known.object.value());
            finalizers.push(FINALIZER.into());
            stage_set(
                perform,
                known,
                |object| finalizer_patch(object, &finalizers),
                false,
            )
            .await
        }
        RecordOperation::RemoveFinalizer => {
            let mut finalizers = finalizers(&known.object.value());
            finalizers.retain(|finalizer| finalizer != FINALIZER);
            stage_set(
                perform,
                known,
                |object| finalizer_patch(object, &finalizers),
                false,
            )
            .await
        }
        RecordOperation::Status(wanted) => {
            let wanted: &Status = wanted;
            stage_set(perform, known, |object| status::patch(object, wanted), true).await
        }
        RecordOperation::Inventory {
            stage,
            inventory,
            why: _,
        } => {
            let cap = perform.ports.settings.inventory_shard_cap;
            let mut writes = known.inventories.writes(stage, inventory, cap);
            if writes.is_empty() {
                // What others let go of because of it rests on this being so still.
                writes = known.inventories.confirms(stage);
            }
            shards(perform, stage, writes, known).await
        }
        RecordOperation::DropInventory { stage } => {
            let writes = known.inventories.drops(stage);
            shards(perform, stage, writes, known).await
        }
        RecordOperation::ReleaseInventories => {
            for (stage, write) in known.inventories.releases() {
                shards(perform, &stage, vec![write], known).await?;
            }
            Ok(Recorded::Inventories)
        }
        RecordOperation::Action { status, .. } => {
            let wanted: &Status = status;
            stage_set(perform, known, |object| status::patch(object, wanted), true).await
        }
        RecordOperation::CreateLedger => ledger::create(perform, known).await,
        RecordOperation::Ledger {
            completed,
            baseline_valid,
            ..
        } => ledger::write(perform, known, completed, baseline_valid.as_ref()).await,
        RecordOperation::Announce(told) => {
            let regarding = event::regarding(perform.owner());
            announce(perform, regarding, told, &mut known.told).await
        }
        RecordOperation::AnnounceOnLedger(told) => {
            let regarding = ledger::regarding(perform, known);
            announce(perform, regarding, told, &mut known.told).await
        }
    }
}

fn finalizers(object: &Value) -> Vec<String> {
    let stands = object
        .pointer("/metadata/finalizers")
        .and_then(Value::as_array);
    let names = stands.into_iter().flatten().filter_map(Value::as_str);
    names.map(str::to_owned).collect()
}

fn finalizer_patch(object: &Value, finalizers: &[String]) -> Value {
    json!({ "metadata": {
        "resourceVersion": object.pointer("/metadata/resourceVersion"),
        "finalizers": finalizers,
    }})
}

async fn stage_set(
    perform: Perform<'_>,
    known: &mut Known,
    patch: impl FnOnce(&Value) -> Value,
    of_status: bool,
) -> Result<Recorded, Failure> {
    let whole = Target::stage_set(&perform.key.namespace, &perform.key.name);
    let target = if of_status {
        whole.clone().status()
    } else {
        whole.clone()
    };
    let requests = perform.as_controller();
    match requests
        .merge_patch(&target, &patch(&known.object.value()))
        .await
    {
        Ok(object) => {
            known.object = without_managed_fields(object).into();
            Ok(Recorded::StageSet)
        }
        Err(failure) if whole.is_missing_itself(&failure) => Ok(Recorded::Gone),
        Err(failure) => {
            if failure.class == FailureClass::Conflict {
                match requests.get(&whole).await {
                    Ok(Some(object)) => known.object = without_managed_fields(object).into(),
                    Ok(None) => return Ok(Recorded::Gone),
                    // The conflict is what counts; the next try meets it again.
                    Err(_) => {}
                }
            }
            Err(failure)
        }
    }
}

async fn shards(
    perform: Perform<'_>,
    stage: &StageName,
    writes: Vec<ShardWrite>,
    known: &mut Known,
) -> Result<Recorded, Failure> {
    let owner = perform.owner();
    let requests = perform.as_controller();
    let all = Target::inventories(&perform.key.namespace);
    // In this order, one after the other: see `records::inventory`.
    for write in writes {
        match write {
            ShardWrite::Create {
                index,
                spec,
                kubeconfig,
            } => {
                let object = created(owner, stage, index, &spec, kubeconfig.as_ref());
                let object = requests.create(&all, &object).await?;
                known.inventories.written(owner, stage, &object);
            }
            ShardWrite::Replace {
                shard,
                spec,
                kubeconfig,
            } => {
                let target = all.clone().named(&shard.name);
                let patch = replaced(owner, stage, &shard, &spec, kubeconfig.as_ref());
                let object = requests.merge_patch(&target, &patch).await?;
                known.inventories.written(owner, stage, &object);
            }
            ShardWrite::Release { shard } => {
                release(perform, stage, &shard, known).await?;
            }
            ShardWrite::Delete { shard } => {
                let target = all.clone().named(&shard.name);
                let version = if shard.is_held() {
                    match release(perform, stage, &shard, known).await? {
                        Some(version) => Some(version),
                        None => continue,
                    }
                } else {
                    Some(shard.resource_version.clone())
                };
                let version = version.as_deref();
                match requests.delete(&target, &shard.uid, version).await? {
                    Deleted::Accepted | Deleted::Absent => {
                        known.inventories.removed(stage, &shard.name);
                    }
                }
            }
        }
    }
    Ok(Recorded::Inventories)
}

/// Takes our finalizer off; the version that stands now, or `None` if the shard is gone with it.
async fn release(
    perform: Perform<'_>,
    stage: &StageName,
    shard: &Shard,
    known: &mut Known,
) -> Result<Option<String>, Failure> {
    let target = Target::inventories(&perform.key.namespace).named(&shard.name);
    let patch = released(&shard.resource_version, &shard.finalizers);
    match perform.as_controller().merge_patch(&target, &patch).await {
        // Nothing else held it: the answer shows what is already gone.
        Ok(_) if shard.deleting && shard.finalizers.len() == 1 => {
            known.inventories.removed(stage, &shard.name);
            Ok(None)
        }
        Ok(object) => {
            known.inventories.written(perform.owner(), stage, &object);
            let version = object.pointer("/metadata/resourceVersion");
            Ok(version.and_then(Value::as_str).map(str::to_owned))
        }
        Err(failure) if target.is_missing_itself(&failure) => {
            known.inventories.removed(stage, &shard.name);
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

/// Nothing reads them, and they are most of an object.
pub(crate) fn without_managed_fields(mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    object
}
