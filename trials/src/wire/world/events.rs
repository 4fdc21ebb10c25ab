//! What happens to the simulated cluster, event by event.

use serde_json::{Value, json};
use stageset_core::object::ObjectKey;
use stageset_sim::HelperError;

use super::super::sight::keys;
use super::{OURS, World};
use crate::event::{Edit, Event};
use crate::scene::Scene as _;
use crate::setup::{CLOSED, CONTENT, Feature, NAME, NAMESPACE, STAGES, Variant, api_version};

impl World {
    /// Lets something happen. What the API server refuses (a deletion of what isn't there, a spec that
    /// admission doesn't let through) simply doesn't happen.
    pub(in super::super) fn happen(&mut self, event: &Event) -> Result<(), HelperError> {
        match event {
            Event::Revoke(account, verb, kind) => {
                self.revoked
                    .insert((account.clone(), verb.clone(), kind.clone()));
                self.rights()
            }
            Event::Grant => {
                self.revoked.clear();
                self.rights()
            }
            Event::RemoveAccount(account) => {
                self.cluster
                    .delete("v1", "ServiceAccount", NAMESPACE, account)
            }
            Event::RecreateAccount(account) => {
                let _ = self
                    .cluster
                    .delete("v1", "ServiceAccount", NAMESPACE, account);
                self.account(account)
            }
            Event::DenyDeletes => {
                self.deny_deletes = true;
                Ok(())
            }
            Event::AllowDeletes => {
                self.deny_deletes = false;
                Ok(())
            }
            Event::Reject(kind) => {
                self.rejected.insert(kind.clone());
                Ok(())
            }
            Event::Accept => {
                self.rejected.clear();
                Ok(())
            }
            Event::Source(source, offer) => self.offer(source, *offer),
            Event::Spec(edit) => self.edit_spec(*edit),
            Event::Request => {
                self.tokens += 1;
                let patch = json!({ "metadata": { "annotations": {
                    "reconcile.fluxcd.io/requestedAt": self.tokens.to_string(),
                }}});
                self.cluster
                    .patch(OURS, "StageSet", NAMESPACE, NAME, &patch)
                    .map(drop)
            }
            Event::Again(stage) => {
                self.tokens += 1;
                let asked = format!("{}@{}", STAGES[*stage % STAGES.len()], self.tokens);
                let patch = json!({ "metadata": { "annotations": {
                    "stages.metio.wtf/reconcile-stage": asked,
                }}});
                self.cluster
                    .patch(OURS, "StageSet", NAMESPACE, NAME, &patch)
                    .map(drop)
            }
            Event::DeleteStageSet => self.cluster.delete(OURS, "StageSet", NAMESPACE, NAME),
            Event::Workload(..)
            | Event::MendWorkloads
            | Event::Dependency(_)
            | Event::Variable(_)
            | Event::Deaf(_)
            | Event::Anchor
            | Event::Gate(..)
            | Event::Abroad(_) => self.feature(event),
            Event::Neighbour(event) if self.setup.has(Feature::Neighbour) => {
                self.happen_nearby(*event)
            }
            Event::RemoveKind(_) => self.target().delete(
                "apiextensions.k8s.io/v1",
                "CustomResourceDefinition",
                "",
                "widgets.example.org",
            ),
            Event::RemoveNamespace(name) => self.target().delete("v1", "Namespace", "", name),
            Event::Release => self.release(),
            Event::Forget(_) | Event::Plant(_) | Event::DropInventory(_) => self.tamper(event),
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
            _ => Ok(()),
        }
    }

    fn edit_spec(&mut self, edit: Edit) -> Result<(), HelperError> {
        let before = self.variant.clone();
        let variant = &mut self.variant;
        match edit {
            Edit::Drop(stage) if self.setup.stages > 1 => variant.dropped = Some(stage),
            Edit::Drop(_) => return Ok(()),
            Edit::Unprune(stage) => variant.unpruned = Some(stage),
            Edit::Reverse => variant.reversed = !variant.reversed,
            Edit::Suspend => variant.suspended = true,
            Edit::Invalid => variant.invalid = true,
            Edit::Successor => variant.succeeded = !variant.succeeded,
            Edit::Rename => variant.renamed = !variant.renamed,
            Edit::Swap => variant.swapped = !variant.swapped,
            Edit::Plain => *variant = Variant::default(),
        }
        let result = self.respec();
        if result.is_err() {
            self.variant = before;
        }
        result
    }

    pub(super) fn respec(&self) -> Result<(), HelperError> {
        let mut spec = self.setup.spec(&self.variant);
        for field in ["suspend", "serviceAccountName"] {
            if spec.get(field).is_none() {
                spec[field] = Value::Null;
            }
        }
        let patch = json!({ "spec": spec });
        self.cluster
            .patch(OURS, "StageSet", NAMESPACE, NAME, &patch)
            .map(drop)
    }

    pub(super) fn key_of(&self, object: &str) -> Option<ObjectKey> {
        let items = self.setup.all_items();
        let found = items.iter().find(|(_, item)| item.to_string() == object);
        found.map(|(_, item)| item.key())
    }

    /// Another manager changes a field of ours.
    pub(in super::super) fn meddle(&self, key: &ObjectKey) -> Result<(), HelperError> {
        self.patch(
            key,
            &json!({ "metadata": { "annotations": { CONTENT: "meddled" } } }),
        )
    }

    fn meddle_with(&mut self, object: &str, event: &Event) -> Result<(), HelperError> {
        let Some(key) = self.key_of(object) else {
            return Ok(());
        };
        if self.get(&key).is_none() {
            return Ok(());
        }
        let namespace = key.namespace.as_deref().unwrap_or_default();
        let version = api_version(&key.kind);
        match event {
            Event::Edit(_) => self.meddle(&key),
            Event::Fight(_, times) => {
                self.fights.insert(key.clone(), *times);
                self.meddle(&key)
            }
            Event::Delete(_) => self
                .target()
                .delete(version, &key.kind, namespace, &key.name),
            Event::Replace(_) => {
                self.target()
                    .delete(version, &key.kind, namespace, &key.name)?;
                let plain = !matches!(key.kind.as_str(), "CustomResourceDefinition" | "Namespace");
                let items = self.setup.all_items();
                let item = items.iter().find(|(_, item)| item.key() == key);
                if let (true, Some((_, item))) = (plain, item) {
                    let mut body = item.manifest_with("another's");
                    body["metadata"]["namespace"] = namespace.into();
                    self.put_there(&body)?;
                }
                Ok(())
            }
            Event::Unlabel(_) => self.patch(
                &key,
                &json!({ "metadata": { "labels": {
                    "stages.metio.wtf/name": null, "stages.metio.wtf/namespace": null,
                }}}),
            ),
            Event::Steal(_) => self.patch(
                &key,
                &json!({ "metadata": { "labels": {
                    "stages.metio.wtf/name": "theirs", "stages.metio.wtf/namespace": "others",
                }}}),
            ),
            Event::Hold(_) => self.patch(
                &key,
                &json!({ "metadata": { "finalizers": ["example.org/held"] } }),
            ),
            Event::Keep(_) => self.patch(
                &key,
                &json!({ "metadata": { "annotations": {
                    "stages.metio.wtf/prune": "disabled",
                }}}),
            ),
            Event::Unkeep(_) => self.patch(
                &key,
                &json!({ "metadata": { "annotations": { "stages.metio.wtf/prune": null }}}),
            ),
            Event::Close(_, closed) => {
                let said = closed.then_some("yes");
                let patch = json!({ "metadata": { "annotations": { CLOSED: said } } });
                self.patch(&key, &patch)
            }
            _ => Ok(()),
        }
    }

    /// Takes the stranger's finalizer off, and leaves those that the cluster has put beside it.
    fn release(&self) -> Result<(), HelperError> {
        for (key, _) in self.objects() {
            let object = self.get(&key).unwrap_or_default();
            let finalizers = object["metadata"]["finalizers"].as_array();
            let (held, others): (Vec<&Value>, Vec<&Value>) = finalizers
                .into_iter()
                .flatten()
                .partition(|finalizer| **finalizer == "example.org/held");
            if !held.is_empty() {
                let patch = json!({ "metadata": { "finalizers": others } });
                self.patch(&key, &patch)?;
            }
        }
        Ok(())
    }

    fn tamper(&self, event: &Event) -> Result<(), HelperError> {
        for inventory in self.cluster.list(OURS, "StageInventory", NAMESPACE) {
            let name = inventory["metadata"]["name"].as_str().unwrap_or_default();
            let stage = inventory["metadata"]["labels"]["stages.metio.wtf/stage"]
                .as_str()
                .unwrap_or_default();
            let mut list = inventory["spec"]["entries"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            match event {
                Event::DropInventory(index) if STAGES[*index % STAGES.len()] == stage => {
                    return self.cluster.delete(OURS, "StageInventory", NAMESPACE, name);
                }
                Event::Plant(index) if STAGES[*index % STAGES.len()] == stage => {
                    list.push(json!({ "id": format!("{NAMESPACE}_victim__Secret"), "v": "v1" }));
                }
                Event::Forget(object) => {
                    let Some(key) = self.key_of(object) else {
                        return Ok(());
                    };
                    let kept = keys(&inventory);
                    let mut index = 0;
                    list.retain(|_| {
                        let keep = kept.get(index) != Some(&key);
                        index += 1;
                        keep
                    });
                }
                _ => continue,
            }
            let patch = json!({ "spec": { "entries": list } });
            self.cluster
                .patch(OURS, "StageInventory", NAMESPACE, name, &patch)?;
        }
        Ok(())
    }
}
