//! Inventories that nobody looks after any more.
//!
//! Our finalizer keeps an inventory until its objects are gone. Should its StageSet vanish first
//! (somebody stripped the StageSet's own finalizer by hand, or replaced it by another of the same
//! name), no session would ever take the finalizer off again, and the namespace could never be
//! deleted. So an inventory whose deletion was asked for is let go once the StageSet that it was
//! written for doesn't exist.

use stageset_api::inventory::StageInventory;
use stageset_api::names::{FINALIZER, KIND_STAGE_SET, LABEL_STAGE_SET};
use stageset_core::failure::Failure;

use crate::ports::Ports;
use crate::records::inventory::released;
use crate::requests::{Requests, Target};
use crate::session::StageSetKey;

/// Takes our finalizer off the inventories of this name that are being deleted and whose StageSet
/// doesn't exist; answers how many. As the controller, on its own records.
///
/// Whether the StageSet exists is asked of the API server and of no cache: one that lags must not
/// let the record of a living release go.
pub async fn let_go(ports: &Ports, key: &StageSetKey) -> Result<usize, Failure> {
    let requests = Requests::as_controller(&ports.connection, &ports.budget, &key.namespace);
    let all = Target::inventories(&key.namespace);
    let labels = format!("{LABEL_STAGE_SET}={}", key.name);
    let leaving: Vec<StageInventory> = requests
        .list(&all, &labels)
        .await?
        .iter()
        .map(StageInventory::read)
        .filter(|inventory| {
            let metadata = &inventory.metadata;
            metadata.deletion_timestamp.is_some()
                && metadata.finalizers.iter().any(|name| name == FINALIZER)
        })
        .collect();
    if leaving.is_empty() {
        return Ok(0);
    }
    let stage_set = requests
        .get(&Target::stage_set(&key.namespace, &key.name))
        .await?;
    let living = stage_set
        .as_ref()
        .and_then(|object| object.pointer("/metadata/uid"))
        .and_then(serde_json::Value::as_str);
    let mut count = 0;
    for inventory in leaving {
        let metadata = inventory.metadata;
        let has_owner = metadata
            .owner_references
            .iter()
            .any(|owner| owner.kind == KIND_STAGE_SET && Some(owner.uid.as_str()) == living);
        if has_owner {
            continue;
        }
        let target = all.clone().named(&metadata.name);
        let patch = released(&metadata.resource_version, &metadata.finalizers);
        match requests.merge_patch(&target, &patch).await {
            Ok(_) => count += 1,
            Err(failure) if target.is_missing_itself(&failure) => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(count)
}
