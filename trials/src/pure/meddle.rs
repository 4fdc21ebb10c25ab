//! What happens to the world, event by event, and which news of it watches bring.

use std::sync::Arc;
use std::time::Duration;

use stageset_core::names::{ServiceAccountName, StageName};
use stageset_core::object::{ObjectKey, Owner};
use stageset_core::observation::{InventoryEntry, ReconcileStage, StageInventory};

use super::process::Hint;
use super::release;
use super::server::{Readiness, Server, Stored, config_map, victim_key};
use crate::event::{Edit, Event, Offer};
use crate::setup::{ANCHOR, GATE, STAGES, own};

impl Server {
    /// Lets something happen; the news that watches bring of it. Events about processes and requests
    /// are the run's business.
    pub(super) fn happen(&mut self, event: &Event) -> Vec<Hint> {
        match event {
            Event::Revoke(account, verb, kind) => {
                self.revoked
                    .insert((account.clone(), verb.clone(), kind.clone()));
            }
            Event::Grant => self.revoked.clear(),
            Event::RemoveAccount(account) => {
                self.accounts.remove(account);
                return vec![Hint::Account(account.clone())];
            }
            Event::RecreateAccount(account) => {
                let uid = self.uid();
                self.accounts.insert(account.clone(), uid);
                return vec![Hint::Account(account.clone())];
            }
            Event::DenyDeletes => self.deny_deletes = true,
            Event::AllowDeletes => self.deny_deletes = false,
            Event::Reject(kind) => {
                self.rejected.insert(kind.clone());
            }
            Event::Accept => self.rejected.clear(),
            Event::Source(source, offer) => return self.offer(source, *offer),
            Event::Spec(edit) => return self.edit_spec(*edit),
            Event::Request => {
                let token = self.bump().to_string();
                return self.stage_set_changes(|stage_set| stage_set.requested = Some(token));
            }
            Event::Again(stage) => {
                let name = STAGES[*stage % STAGES.len()];
                let asked = ReconcileStage::parse(&format!("{name}@{}", self.bump()));
                return self.stage_set_changes(|stage_set| stage_set.again = Some(asked));
            }
            Event::DeleteStageSet => return self.delete_stage_set(),
            Event::RemoveKind(kind) => self.remove_kind(kind),
            Event::RemoveNamespace(namespace) => self.remove_namespace(namespace),
            Event::Dependency(standing) => {
                self.dependency = *standing;
                return vec![Hint::Dependency];
            }
            Event::Variable(level) => {
                self.level = *level;
                self.level_version = self.bump();
            }
            Event::Deaf(times) => self.deaf = *times,
            Event::Anchor if self.objects.remove(&config_map(ANCHOR)).is_some() => {
                self.plant(config_map(ANCHOR), "anchor");
            }
            Event::Gate(stage, open) => self.gate(*stage, *open),
            Event::Workload(kind, workload) => {
                self.workloads.insert(kind.clone(), *workload);
            }
            Event::MendWorkloads => self.mend_workloads(),
            Event::Jump(seconds) => self.now = self.now.plus(Duration::from_secs(*seconds)),
            Event::Release => self.release(),
            Event::Forget(_) | Event::Plant(_) | Event::DropInventory(_) => {
                self.tamper(event);
                return vec![Hint::Inventories];
            }
            Event::Edit(object)
            | Event::Fight(object, _)
            | Event::Delete(object)
            | Event::Replace(object)
            | Event::Unlabel(object)
            | Event::Steal(object)
            | Event::Hold(object)
            | Event::Keep(object)
            | Event::Unkeep(object)
            | Event::Close(object, _) => self.meddle_with(object, event),
            _ => {}
        }
        Vec::new()
    }

    /// Puts the object there that a stage waits for, or takes it away.
    pub(super) fn gate(&mut self, stage: usize, open: bool) {
        let gate = config_map(&own(GATE, stage));
        if !open {
            self.objects.remove(&gate);
        } else if !self.objects.contains_key(&gate) {
            self.plant(gate, "gate");
        }
    }

    fn mend_workloads(&mut self) {
        self.workloads.clear();
        let now = self.now;
        for stored in self.objects.values_mut() {
            if !matches!(stored.health, Readiness::At(_)) {
                stored.health = Readiness::At(now);
            }
        }
    }

    fn offer(&mut self, source: &str, offer: Offer) -> Vec<Hint> {
        self.revisions_before = self.revisions.clone();
        if let Offer::Revision(revision) = offer {
            self.revisions.insert(source.to_owned(), revision);
        }
        self.sources.insert(source.to_owned(), offer);
        vec![Hint::Source(source.to_owned())]
    }

    fn stage_set_changes(
        &mut self,
        change: impl FnOnce(&mut super::server::StageSetRecord),
    ) -> Vec<Hint> {
        let version = self.bump();
        let Some(stage_set) = &mut self.stage_set else {
            return Vec::new();
        };
        self.stage_set_before = Some(Arc::clone(stage_set));
        let stage_set = Arc::make_mut(stage_set);
        change(stage_set);
        stage_set.version = version;
        vec![Hint::StageSet]
    }

    fn edit_spec(&mut self, edit: Edit) -> Vec<Hint> {
        let variant = &mut self.variant;
        match edit {
            Edit::Drop(stage) if self.setup.stages > 1 => variant.dropped = Some(stage),
            Edit::Drop(_) => return Vec::new(),
            Edit::Unprune(stage) => variant.unpruned = Some(stage),
            Edit::Reverse => variant.reversed = !variant.reversed,
            Edit::Suspend => variant.suspended = true,
            Edit::Invalid => variant.invalid = true,
            Edit::Successor => variant.succeeded = !variant.succeeded,
            Edit::Rename => variant.renamed = !variant.renamed,
            Edit::Swap => variant.swapped = !variant.swapped,
            Edit::Plain => *variant = crate::setup::Variant::default(),
        }
        self.respec()
    }

    /// Puts the spec of the present variant into the StageSet.
    pub(super) fn respec(&mut self) -> Vec<Hint> {
        let spec = release::spec(&self.setup, &self.variant);
        let suspended = self.variant.suspended;
        self.stage_set_changes(|stage_set| {
            stage_set.spec = spec;
            stage_set.suspended = suspended;
            stage_set.generation += 1;
        })
    }

    fn delete_stage_set(&mut self) -> Vec<Hint> {
        let now = self.now;
        let Some(stage_set) = &self.stage_set else {
            return Vec::new();
        };
        if stage_set.deletion.is_some() {
            return Vec::new();
        }
        if !stage_set.finalizer {
            self.stage_set = None;
            self.inventories.clear();
            return vec![Hint::StageSet];
        }
        self.stage_set_changes(|stage_set| stage_set.deletion = Some(now))
    }

    fn tamper(&mut self, event: &Event) {
        self.inventories_before = self.inventories.clone();
        let version = self.bump();
        match event {
            Event::Forget(object) => {
                let Some(key) = self.key_of(object) else {
                    return;
                };
                for (stood, inventory) in self.inventories.values_mut() {
                    if inventory.entries.remove(&key).is_some() {
                        *stood = version;
                    }
                }
            }
            Event::DropInventory(stage) => {
                if let Ok(name) = StageName::new(STAGES[*stage % STAGES.len()]) {
                    // Our finalizer keeps it until its entries have moved.
                    if let Some((stood, inventory)) = self.inventories.get_mut(&name) {
                        inventory.deleting = true;
                        *stood = version;
                    }
                }
            }
            Event::Plant(stage) => {
                let stage = *stage % STAGES.len();
                let Ok(name) = StageName::new(STAGES[stage]) else {
                    return;
                };
                let account = self.setup.account(stage);
                let (stood, inventory) = self.inventories.entry(name).or_insert_with(|| {
                    let inventory = StageInventory {
                        position: stage,
                        service_account: account
                            .and_then(|account| ServiceAccountName::new(account).ok()),
                        ..StageInventory::default()
                    };
                    (version, inventory)
                });
                *stood = version;
                let entry = InventoryEntry {
                    version: "v1".into(),
                    uid: None,
                    digest: None,
                };
                inventory.entries.insert(victim_key(), entry);
            }
            _ => {}
        }
    }

    /// The object that an event names as `Kind/name`.
    pub(super) fn key_of(&self, object: &str) -> Option<ObjectKey> {
        let (kind, name) = object.split_once('/')?;
        let in_cluster = self
            .objects
            .keys()
            .find(|key| key.kind == kind && key.name == name);
        in_cluster.or_else(|| self.table.key_of(object)).cloned()
    }

    fn meddle_with(&mut self, object: &str, event: &Event) {
        let Some(key) = self.key_of(object) else {
            return;
        };
        if !self.objects.contains_key(&key) {
            return;
        }
        match event {
            Event::Edit(_) => self.meddle(&key),
            Event::Fight(_, times) => {
                self.fights.insert(key.clone(), *times);
                self.meddle(&key);
            }
            Event::Delete(_) => self.remove(&key),
            Event::Replace(_) => {
                self.remove(&key);
                let (uid, version) = (self.uid(), self.bump());
                let now = self.now;
                let served = !self.unserved.contains(&key.kind)
                    && key
                        .namespace
                        .as_ref()
                        .is_none_or(|namespace| self.namespaces.contains(namespace));
                // Definitions and namespaces bring others along: the trials leave those alone.
                let plain = !matches!(key.kind.as_str(), "CustomResourceDefinition" | "Namespace");
                if served && plain {
                    let another = Stored::foreign(uid, version, "another's", now);
                    self.objects.entry(key).or_insert(another);
                }
            }
            _ => {
                let version = self.bump();
                let Some(stored) = self.objects.get_mut(&key) else {
                    return;
                };
                stored.version = version;
                let ours = stored.entry.map(|entry| entry + 1_000_000);
                match event {
                    Event::Unlabel(_) => {
                        stored.owner = None;
                        stored.digest = None;
                        stored.entry = ours;
                    }
                    Event::Steal(_) => {
                        stored.owner = Some(Owner {
                            namespace: "others".into(),
                            name: "theirs".into(),
                        });
                        stored.digest = None;
                        stored.entry = ours;
                    }
                    Event::Hold(_) => stored.held = true,
                    Event::Keep(_) => stored.keep = true,
                    Event::Unkeep(_) => stored.keep = false,
                    Event::Close(_, closed) => stored.closed = *closed,
                    _ => {}
                }
            }
        }
    }
}
