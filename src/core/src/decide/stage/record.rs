//! What is on record before anything is written: the write-ahead inventory.

use crate::names::StageName;
use crate::object::{Desired, ObjectKey};
use crate::observation::{InventoryEntry, StageInventory};
use crate::plan::{Event, EventKind, Operation, RecordOperation, TenantOperation};
use crate::waves::Wave;

use super::super::conflicts;
use super::super::preflight::Foresight;
use super::super::prune::kubeconfig_of;
use super::super::release::{Release, StageView};
use super::waves::in_wave;

/// What is about to be written of a stage.
#[derive(Clone, Copy)]
pub(super) struct Ahead<'a> {
    pub release: &'a Release<'a>,
    pub stage: &'a StageView<'a>,
    pub wave: Wave,
    pub foresight: Foresight,
}

impl Ahead<'_> {
    /// Nothing is written before the inventory holds it: old ∪ new, first (D1).
    ///
    /// Recorded after the dry runs: what was refused there was never written, and must not be answered
    /// for later by an account that may not even read it. Where the account is known to have all rights,
    /// later waves are recorded together with the first one: what is refused of them for another reason
    /// can be read, is seen not to be ours, and leaves the inventory.
    ///
    /// An object that is about to be created has no uid yet, whatever the one before it had, and one
    /// that somebody else made in the place of ours has its own: otherwise a deletion of the StageSet,
    /// or a revision without the object, in between would take it for somebody else's (K23). One that is
    /// deleted to be created anew is recorded with its uid and the content that follows, so that it
    /// happens once for that content, and only as long as no other one is applied.
    pub(super) fn steps(
        self,
        writes: &[Operation],
        recreates: &[(&Desired, &str)],
    ) -> Vec<Vec<Operation>> {
        let Self {
            release,
            stage,
            wave,
            ..
        } = self;
        let recorded = release.inventories.get(&stage.spec.name);
        let entry = |key: &ObjectKey| recorded.and_then(|inventory| inventory.entries.get(key));
        // What comes later in the list holds.
        let mut planned: Vec<(&ObjectKey, InventoryEntry)> = Vec::new();
        for object in in_wave(stage, wave) {
            let key = &object.reference.key;
            if entry(key).is_none() {
                planned.push((key, plain_entry(object)));
            }
        }
        for (object, uid) in writes.iter().filter_map(applied) {
            let key = &object.reference.key;
            let Some(known) = entry(key) else { continue };
            let mut now = known.clone();
            if known.uid.is_some() {
                now.uid.clone_from(uid);
            }
            if conflicts::records_another(known, object, &stage.spec.conflicts) {
                now.digest = None;
            }
            if now != *known {
                planned.push((key, now));
            }
        }
        for (object, uid) in recreates {
            let wanted = InventoryEntry {
                uid: Some((*uid).to_owned()),
                digest: Some(conflicts::recreated(object)),
                ..plain_entry(object)
            };
            if entry(&object.reference.key) != Some(&wanted) {
                planned.push((&object.reference.key, wanted));
            }
        }
        if planned.is_empty() {
            return Vec::new();
        }
        if self.foresight == Foresight::Sure {
            let later = stage.objects.iter().filter(|object| object.wave > wave);
            let later = later.filter(|object| entry(&object.reference.key).is_none());
            planned.extend(later.map(|object| (&object.reference.key, plain_entry(object))));
        }
        let mut inventory = recorded.cloned().unwrap_or_else(|| StageInventory {
            position: stage.index,
            service_account: stage.identity.service_account().cloned(),
            ..StageInventory::default()
        });
        // What was recorded elsewhere is settled by now (`whereabouts`): nothing of it is left.
        release.target.cluster().clone_into(&mut inventory.target);
        inventory.kubeconfig = kubeconfig_of(release.target);
        for (key, entry) in planned {
            inventory.entries.insert(key.clone(), entry);
        }
        vec![vec![record_inventory(
            &stage.spec.name,
            inventory,
            "before the first write, so that nothing written is ever forgotten",
        )]]
    }
}

/// The object that an operation applies, and its uid unless it creates it.
fn applied(operation: &Operation) -> Option<(&Desired, &Option<String>)> {
    match operation {
        Operation::Tenant(TenantOperation::Apply { object, uid, .. }) => Some((object, uid)),
        _ => None,
    }
}

pub(in crate::decide) fn plain_entry(object: &Desired) -> InventoryEntry {
    InventoryEntry {
        version: object.reference.version.clone(),
        uid: None,
        digest: None,
    }
}

/// The inventory operation.
pub(in crate::decide) fn record_inventory(
    stage: &StageName,
    inventory: StageInventory,
    why: &'static str,
) -> Operation {
    Operation::Record(RecordOperation::Inventory {
        stage: stage.clone(),
        inventory,
        why,
    })
}

/// The event operation.
pub(in crate::decide) fn announce(kind: EventKind, reason: &str, message: String) -> Operation {
    Operation::Record(RecordOperation::Announce(Event {
        kind,
        reason: reason.into(),
        message,
    }))
}
