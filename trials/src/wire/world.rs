//! The simulated cluster of a wire run: what stands in it, what happens to it, and how checkers see it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use stageset_cluster::artifacts::ArtifactSource;
use stageset_core::failure::{Failure, FailureClass};
use stageset_core::object::ObjectKey;
use stageset_core::time::Timestamp;
use stageset_render::{Tree, pack};
use stageset_sim::{HelperError, SimulatedCluster};

use super::sight::{entries, sight};
use crate::event::{Edit, Event, Offer};
use crate::log::Sight;
use crate::scene::{Scene, StageSetSight};
use crate::setup::{CONTENT, Flavour, KINDS, NAME, NAMESPACE, STAGES, Setup, Variant, api_version};
use crate::table::Table;

pub(super) const START: &str = "2026-11-23T21:00:00Z";
const OURS: &str = "stages.metio.wtf/v1";
const SOURCES: &str = "source.toolkit.fluxcd.io/v1";
const RBAC: &str = "rbac.authorization.k8s.io/v1";

/// Artifacts by URL; those of broken sources can't be had.
#[derive(Clone, Default)]
pub(super) struct Artifacts(Arc<Mutex<(BTreeMap<String, Bytes>, BTreeSet<String>)>>);

impl ArtifactSource for Artifacts {
    fn fetch<'a>(&'a self, url: &'a str, _limit: u64) -> BoxFuture<'a, Result<Bytes, Failure>> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let broken = held
            .1
            .iter()
            .any(|source| url.contains(&format!("/{source}/")));
        let found = held.0.get(url).filter(|_| !broken).cloned();
        drop(held);
        Box::pin(async move {
            found.ok_or_else(|| {
                let class = FailureClass::Transient { retry_after: None };
                Failure::new(class, format!("GET {url}: 503"))
            })
        })
    }
}

/// The cluster, and what only the run knows of it.
pub(super) struct World {
    pub(super) setup: Setup,
    pub(super) table: Arc<Table>,
    pub(super) variant: Variant,
    pub(super) cluster: SimulatedCluster,
    pub(super) artifacts: Artifacts,
    pub(super) offers: BTreeMap<String, Offer>,
    pub(super) revisions: BTreeMap<String, u8>,
    pub(super) revoked: BTreeSet<(String, String, String)>,
    pub(super) deny_deletes: bool,
    pub(super) rejected: BTreeSet<String>,
    pub(super) fights: BTreeMap<ObjectKey, u64>,
    tokens: u64,
}

impl World {
    pub(super) fn new(setup: &Setup, seed: u64) -> Result<Self, HelperError> {
        let start = START.parse().unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let mut world = Self {
            table: Table::of(setup),
            variant: Variant::default(),
            cluster: SimulatedCluster::new(start, seed),
            artifacts: Artifacts::default(),
            offers: BTreeMap::new(),
            revisions: BTreeMap::new(),
            revoked: BTreeSet::new(),
            deny_deletes: false,
            rejected: BTreeSet::new(),
            fights: BTreeMap::new(),
            tokens: 0,
            setup: setup.clone(),
        };
        for definition in stageset_api::crd::definitions() {
            world.load(&definition.definition)?;
        }
        world.load(&loose_definition("ExternalArtifact", "externalartifacts"))?;
        world.put(&json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE },
        }))?;
        for account in setup.account_names() {
            world.account(account)?;
            world.put(&json!({
                "apiVersion": RBAC, "kind": "ClusterRoleBinding", "metadata": { "name": account },
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": account,
                },
                "subjects": [{
                    "kind": "ServiceAccount", "name": account, "namespace": NAMESPACE,
                }],
            }))?;
        }
        world.rights()?;
        world.put(&json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": "victim", "namespace": NAMESPACE },
        }))?;
        for source in setup.sources() {
            world.offer(source, Offer::Revision(1))?;
        }
        world.put(&world.stage_set_object())?;
        Ok(world)
    }

    fn put(&self, object: &Value) -> Result<(), HelperError> {
        self.cluster.apply_yaml_value(object).map(drop)
    }

    /// With its definitions established at once.
    fn load(&self, definition: &Value) -> Result<(), HelperError> {
        self.cluster.load_yaml(&definition.to_string())
    }

    fn account(&self, name: &str) -> Result<(), HelperError> {
        self.put(&json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": { "name": name, "namespace": NAMESPACE },
        }))
    }

    /// What each account may do, anew.
    fn rights(&self) -> Result<(), HelperError> {
        for account in self.setup.account_names() {
            let rules: Vec<Value> = KINDS
                .iter()
                .map(|(kind, plural, _)| {
                    let may = |verb: &&str| {
                        !self.revoked.contains(&(
                            account.to_owned(),
                            (*verb).to_owned(),
                            (*kind).to_owned(),
                        ))
                    };
                    let verbs: Vec<&str> = ["get", "list", "watch", "create", "patch", "delete"]
                        .into_iter()
                        .filter(may)
                        .collect();
                    json!({
                        "apiGroups": [crate::setup::group(kind)],
                        "resources": [plural], "verbs": verbs,
                    })
                })
                .collect();
            self.put(&json!({
                "apiVersion": RBAC, "kind": "ClusterRole", "metadata": { "name": account },
                "rules": rules,
            }))?;
        }
        Ok(())
    }

    fn stage_set_object(&self) -> Value {
        json!({
            "apiVersion": OURS, "kind": "StageSet",
            "metadata": { "name": NAME, "namespace": NAMESPACE },
            "spec": self.setup.spec(&self.variant),
        })
    }

    fn offer(&mut self, source: &str, offer: Offer) -> Result<(), HelperError> {
        if let Offer::Revision(revision) = offer {
            self.revisions.insert(source.to_owned(), revision);
        }
        self.offers.insert(source.to_owned(), offer);
        let revision = self.revisions.get(source).copied().unwrap_or(1);
        let (url, digest) = self.artifact(source, revision);
        {
            let mut held = self
                .artifacts
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if offer == Offer::Broken {
                held.1.insert(source.to_owned());
            } else {
                held.1.remove(source);
            }
        }
        if offer == Offer::Absent {
            // It may not be there any more: that is as well.
            let _ = self
                .cluster
                .delete(SOURCES, "ExternalArtifact", NAMESPACE, source);
            return Ok(());
        }
        let ready = if offer == Offer::NotReady {
            "False"
        } else {
            "True"
        };
        let artifact = if offer == Offer::NoArtifact {
            Value::Null
        } else {
            json!({ "url": url, "digest": digest, "revision": format!("r{revision}"),
                    "path": "x", "lastUpdateTime": START })
        };
        self.put(&json!({
            "apiVersion": SOURCES, "kind": "ExternalArtifact",
            "metadata": { "name": source, "namespace": NAMESPACE }, "spec": {},
        }))?;
        let status = json!({
            "artifact": artifact,
            "conditions": [{
                "type": "Ready", "status": ready, "reason": "Trial", "message": "",
                "lastTransitionTime": START,
            }],
        });
        self.cluster
            .patch_status(SOURCES, "ExternalArtifact", NAMESPACE, source, &status)
            .map(drop)
    }

    fn artifact(&self, source: &str, revision: u8) -> (String, String) {
        let mut files = Vec::new();
        for stage in (0..self.setup.stages).filter(|stage| self.setup.source(*stage) == source) {
            for item in self.setup.items(stage, revision) {
                let path = format!(
                    "{}/{}.json",
                    STAGES[stage],
                    item.to_string().replace('/', "-")
                );
                files.push((
                    path,
                    item.manifest(self.setup.slow).to_string().into_bytes(),
                ));
            }
        }
        let tree = Tree::from_files(files).unwrap_or_default();
        let (bytes, digest) = pack(&tree);
        let url = format!("http://artifacts.example/{source}/{revision}.tar.gz");
        let mut held = self
            .artifacts
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        held.0.insert(url.clone(), bytes.into());
        (url, digest.to_string())
    }

    /// Lets something happen. What the API server refuses (a deletion of what isn't there, a spec that
    /// admission doesn't let through) simply doesn't happen.
    pub(super) fn happen(&mut self, event: &Event) -> Result<(), HelperError> {
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
            Event::DeleteStageSet => self.cluster.delete(OURS, "StageSet", NAMESPACE, NAME),
            Event::RemoveKind(_) => self.cluster.delete(
                "apiextensions.k8s.io/v1",
                "CustomResourceDefinition",
                "",
                "widgets.example.org",
            ),
            Event::RemoveNamespace(name) => self.cluster.delete("v1", "Namespace", "", name),
            Event::Release => self.release(),
            Event::Forget(_) | Event::Plant(_) | Event::DropInventory(_) => self.tamper(event),
            Event::Edit(object)
            | Event::Fight(object, _)
            | Event::Delete(object)
            | Event::Replace(object)
            | Event::Unlabel(object)
            | Event::Steal(object)
            | Event::Hold(object)
            | Event::Keep(object) => self.meddle_with(object, event),
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
        if !self.variant.suspended {
            spec["suspend"] = Value::Null;
        }
        let patch = json!({ "spec": spec });
        self.cluster
            .patch(OURS, "StageSet", NAMESPACE, NAME, &patch)
            .map(drop)
    }

    fn key_of(&self, object: &str) -> Option<ObjectKey> {
        let items = self.setup.all_items();
        let found = items.iter().find(|(_, item)| item.to_string() == object);
        found.map(|(_, item)| item.key())
    }

    pub(super) fn get(&self, key: &ObjectKey) -> Option<Value> {
        let namespace = key.namespace.as_deref().unwrap_or_default();
        self.cluster
            .get(api_version(&key.kind), &key.kind, namespace, &key.name)
    }

    fn patch(&self, key: &ObjectKey, patch: &Value) -> Result<(), HelperError> {
        let namespace = key.namespace.as_deref().unwrap_or_default();
        let version = api_version(&key.kind);
        self.cluster
            .patch(version, &key.kind, namespace, &key.name, patch)
            .map(drop)
    }

    /// Another manager changes a field of ours.
    pub(super) fn meddle(&self, key: &ObjectKey) -> Result<(), HelperError> {
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
                .cluster
                .delete(version, &key.kind, namespace, &key.name),
            Event::Replace(_) => {
                self.cluster
                    .delete(version, &key.kind, namespace, &key.name)?;
                let plain = !matches!(key.kind.as_str(), "CustomResourceDefinition" | "Namespace");
                let items = self.setup.all_items();
                let item = items.iter().find(|(_, item)| item.key() == key);
                if let (true, Some((_, item))) = (plain, item) {
                    let mut body = item.manifest(0);
                    body["metadata"]["namespace"] = namespace.into();
                    body["metadata"]["annotations"] = json!({ CONTENT: "another's" });
                    self.put(&body)?;
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
            _ => Ok(()),
        }
    }

    fn release(&self) -> Result<(), HelperError> {
        for (key, _) in self.objects() {
            let held = self.get(&key).is_some_and(|object| {
                object["metadata"]["finalizers"] == json!(["example.org/held"])
            });
            if held {
                self.patch(&key, &json!({ "metadata": { "finalizers": null } }))?;
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
                    let kept = entries(&inventory);
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

    /// Whoever broke something mends it.
    pub(super) fn heal(&mut self) -> Result<(), HelperError> {
        for event in [
            Event::Grant,
            Event::AllowDeletes,
            Event::Accept,
            Event::Release,
        ] {
            self.happen(&event)?;
        }
        self.fights.clear();
        for account in self.setup.account_names() {
            let found = self.cluster.get("v1", "ServiceAccount", NAMESPACE, account);
            if found.is_none() {
                self.account(account)?;
            }
        }
        let last = self.revisions.values().max().copied().unwrap_or(1);
        for source in self.setup.sources() {
            let own = self.revisions.get(source).copied().unwrap_or(1);
            let revision = if self.setup.flavour == Flavour::Platform {
                last
            } else {
                own
            };
            if self.offers.get(source) != Some(&Offer::Revision(revision)) {
                self.offer(source, Offer::Revision(revision))?;
            }
        }
        let mended = Variant {
            suspended: false,
            invalid: false,
            ..if self.setup.flavour == Flavour::Platform {
                Variant {
                    unpruned: self.variant.unpruned,
                    ..Variant::default()
                }
            } else {
                self.variant.clone()
            }
        };
        if mended != self.variant && self.stage_set().is_some() {
            self.variant = mended;
            self.respec()?;
        }
        Ok(())
    }
}

fn loose_definition(kind: &str, plural: &str) -> Value {
    let open = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{plural}.source.toolkit.fluxcd.io") },
        "spec": {
            "group": "source.toolkit.fluxcd.io", "scope": "Namespaced",
            "names": {
                "kind": kind, "plural": plural, "singular": kind.to_lowercase(),
                "listKind": format!("{kind}List"),
            },
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": { "status": {} },
                "schema": { "openAPIV3Schema": {
                    "type": "object", "properties": { "spec": open, "status": open },
                }},
            }],
        },
    })
}

impl Scene for World {
    fn setup(&self) -> &Setup {
        &self.setup
    }

    fn table(&self) -> &Table {
        &self.table
    }

    fn variant(&self) -> &Variant {
        &self.variant
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.cluster.now().as_millisecond())
    }

    fn stage_set(&self) -> Option<StageSetSight> {
        let object = self.cluster.get(OURS, "StageSet", NAMESPACE, NAME)?;
        let conditions = object["status"]["conditions"].as_array();
        let ready = conditions
            .into_iter()
            .flatten()
            .find(|condition| condition["type"] == "Ready");
        let text = |field: &str| {
            ready
                .and_then(|ready| ready[field].as_str())
                .unwrap_or_default()
                .to_owned()
        };
        Some(StageSetSight {
            deletion: object["metadata"]["deletionTimestamp"]
                .as_str()
                .and_then(Timestamp::parse),
            finalizer: object["metadata"]["finalizers"]
                .as_array()
                .is_some_and(|list| !list.is_empty()),
            generation: object["metadata"]["generation"].as_i64().unwrap_or(0),
            observed_generation: object["status"]["observedGeneration"].as_i64().unwrap_or(0),
            ready: format!("{} {}", text("status"), text("reason")),
            message: text("message"),
        })
    }

    fn object(&self, key: &ObjectKey) -> Option<Sight> {
        self.get(key).map(|object| sight(&object))
    }

    fn objects(&self) -> Vec<(ObjectKey, Sight)> {
        let items = self.setup.all_items().into_iter();
        items
            .map(|(_, item)| item.key())
            .filter_map(|key| Some((key.clone(), self.object(&key)?)))
            .collect()
    }

    fn inventories(&self) -> Vec<(String, Vec<ObjectKey>)> {
        let all = self.cluster.list(OURS, "StageInventory", NAMESPACE);
        all.iter()
            .map(|inventory| {
                let stage = inventory["metadata"]["labels"]["stages.metio.wtf/stage"]
                    .as_str()
                    .unwrap_or_default();
                (stage.to_owned(), entries(inventory))
            })
            .collect()
    }

    fn recorded(&self, key: &ObjectKey) -> bool {
        self.inventories()
            .iter()
            .any(|(_, keys)| keys.contains(key))
    }

    fn allows(&self, account: &str, verb: &str, key: &ObjectKey) -> bool {
        !self
            .revoked
            .contains(&(account.to_owned(), verb.to_owned(), key.kind.clone()))
    }

    fn offered(&self, source: &str) -> Option<u8> {
        match self.offers.get(source)? {
            Offer::Revision(revision) => Some(*revision),
            Offer::NotReady | Offer::Absent | Offer::NoArtifact | Offer::Broken => None,
        }
    }
}
