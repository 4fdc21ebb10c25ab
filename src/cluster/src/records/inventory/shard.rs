//! One StageInventory object: as it is written, and as it is read.

use serde_json::{Value, json};
use stageset_api::inventory::{
    EntryId, InventoryEntry as WireEntry, StageInventory as WireInventory, StageInventorySpec,
    shard_labels, shard_name,
};
use stageset_api::names::{
    ANNOTATION_KUBECONFIG, API_VERSION, FINALIZER, KIND_STAGE_INVENTORY, KIND_STAGE_SET,
    LABEL_SHARD, LABEL_STAGE_SET,
};
use stageset_core::identity::KubeconfigReference;
use stageset_core::names::{SecretName, ServiceAccountName, StageName};
use stageset_core::object::ObjectKey;
use stageset_core::observation::{InventoryEntry, StageInventory};

/// One StageInventory object, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// Object name.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
    /// Its index, if name and label agree on one; others are read, and deleted with the next write.
    pub index: Option<u32>,
    /// Who still has to act before it goes.
    pub finalizers: Vec<String>,
    /// Somebody asked for its deletion; our finalizer keeps it until its entries stand elsewhere.
    pub deleting: bool,
    /// Its content.
    pub spec: StageInventorySpec,
    /// Its annotation [`ANNOTATION_KUBECONFIG`].
    pub kubeconfig: Option<KubeconfigReference>,
}

/// Whose inventories.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// Namespace of the StageSet.
    pub namespace: &'a str,
    /// Name of the StageSet.
    pub name: &'a str,
    /// Its uid: an inventory whose owner reference names another isn't ours.
    pub uid: &'a str,
}

impl Shard {
    /// Whether our finalizer is on it.
    pub fn is_held(&self) -> bool {
        self.finalizers.iter().any(|name| name == FINALIZER)
    }
}

/// The object that creates a shard.
pub fn created(
    owner: Owner<'_>,
    stage: &StageName,
    index: u32,
    spec: &StageInventorySpec,
    kubeconfig: Option<&KubeconfigReference>,
) -> Value {
    let mut object = json!({
        "apiVersion": API_VERSION,
        "kind": KIND_STAGE_INVENTORY,
        "metadata": {
            "name": shard_name(owner.name, stage.as_str(), index),
            "namespace": owner.namespace,
            "labels": shard_labels(owner.name, stage.as_str(), index),
            "finalizers": [FINALIZER],
            "ownerReferences": owner_references(owner),
        },
        "spec": spec,
    });
    if kubeconfig.is_some() {
        object["metadata"]["annotations"] = annotations(kubeconfig);
    }
    object
}

/// The merge patch that gives a shard new content, if it is still as it stands here.
pub fn replaced(
    owner: Owner<'_>,
    stage: &StageName,
    shard: &Shard,
    spec: &StageInventorySpec,
    kubeconfig: Option<&KubeconfigReference>,
) -> Value {
    let mut content = json!({
        "stagePosition": spec.stage_position,
        "target": spec.target,
        "serviceAccountName": spec.service_account_name,
    });
    content["entries"] = json!(spec.entries);
    let mut patch = json!({
        "metadata": {
            "resourceVersion": shard.resource_version,
            "ownerReferences": owner_references(owner),
        },
        "spec": content,
    });
    if kubeconfig != shard.kubeconfig.as_ref() {
        patch["metadata"]["annotations"] = annotations(kubeconfig);
    }
    if let Some(index) = shard.index {
        patch["metadata"]["labels"] = json!(shard_labels(owner.name, stage.as_str(), index));
    }
    if !shard.is_held() {
        // Written by an earlier controller.
        let others = shard.finalizers.iter().map(String::as_str);
        let all: Vec<&str> = others.chain([FINALIZER]).collect();
        patch["metadata"]["finalizers"] = json!(all);
    }
    patch
}

/// The merge patch that takes our finalizer off an inventory, if it is still as it stands here.
pub fn released(resource_version: &str, finalizers: &[String]) -> Value {
    let others: Vec<&String> = finalizers
        .iter()
        .filter(|name| *name != FINALIZER)
        .collect();
    json!({ "metadata": { "resourceVersion": resource_version, "finalizers": others } })
}

/// `secret/key`; neither can hold a slash.
fn annotations(kubeconfig: Option<&KubeconfigReference>) -> Value {
    let text = kubeconfig.map(|reference| format!("{}/{}", reference.name, reference.key));
    json!({ ANNOTATION_KUBECONFIG: text })
}

pub(super) fn read_kubeconfig(text: &str) -> Option<KubeconfigReference> {
    let (name, key) = text.split_once('/')?;
    Some(KubeconfigReference {
        name: SecretName::new(name).ok()?,
        key: key.to_owned(),
    })
}

pub(super) fn owner_references(owner: Owner<'_>) -> Value {
    json!([{
        "apiVersion": API_VERSION,
        "kind": KIND_STAGE_SET,
        "name": owner.name,
        "uid": owner.uid,
        "controller": true,
        "blockOwnerDeletion": true,
    }])
}

/// Labels can be written by anybody who may write inventories; the uid at least says which
/// incarnation of the StageSet is meant. What an entry may cause is bounded by the live object's
/// labels and the tenant's own rights (A13).
pub(super) fn belongs(wire: &WireInventory, owner: Owner<'_>) -> bool {
    let metadata = &wire.metadata;
    metadata
        .labels
        .get(LABEL_STAGE_SET)
        .is_some_and(|name| name == owner.name)
        && metadata.owner_references.iter().any(|reference| {
            reference.uid == owner.uid
                && reference.kind == KIND_STAGE_SET
                && reference.name == owner.name
        })
}

pub(super) fn shard_of(wire: WireInventory, owner: Owner<'_>, stage: &StageName) -> Shard {
    let index = wire
        .metadata
        .labels
        .get(LABEL_SHARD)
        .and_then(|label| label.parse().ok())
        .filter(|index| shard_name(owner.name, stage.as_str(), *index) == wire.metadata.name);
    Shard {
        name: wire.metadata.name,
        uid: wire.metadata.uid,
        resource_version: wire.metadata.resource_version,
        index,
        finalizers: wire.metadata.finalizers,
        deleting: wire.metadata.deletion_timestamp.is_some(),
        kubeconfig: wire
            .metadata
            .annotations
            .get(ANNOTATION_KUBECONFIG)
            .and_then(|text| read_kubeconfig(text)),
        spec: wire.spec,
    }
}

pub(super) fn merged(shards: &[Shard]) -> StageInventory {
    let mut inventory = StageInventory::default();
    if let Some(position) = shards.iter().find_map(|shard| shard.spec.stage_position) {
        inventory.position = usize::try_from(position).unwrap_or(0);
    }
    inventory.deleting = shards.iter().any(|shard| shard.deleting);
    inventory.target = shards
        .iter()
        .find_map(|shard| shard.spec.target.clone())
        .unwrap_or_default();
    inventory.kubeconfig = shards.iter().find_map(|shard| shard.kubeconfig.clone());
    inventory.service_account = shards
        .iter()
        .find_map(|shard| shard.spec.service_account_name.as_ref())
        .and_then(|name| ServiceAccountName::new(name.as_str()).ok());
    for entry in shards.iter().flat_map(|shard| &shard.spec.entries) {
        if let Some(key) = key_of(entry) {
            // The same object in two shards is the trace of an interrupted move: the first counts.
            inventory
                .entries
                .entry(key)
                .or_insert_with(|| InventoryEntry {
                    version: entry.v.clone(),
                    uid: entry.uid.clone(),
                    digest: entry.digest.clone(),
                });
        }
    }
    inventory
}

pub(super) fn key_of(entry: &WireEntry) -> Option<ObjectKey> {
    let id: EntryId = entry.id.parse().ok()?;
    Some(ObjectKey {
        group: id.group,
        kind: id.kind,
        namespace: (!id.namespace.is_empty()).then_some(id.namespace),
        name: id.name,
    })
}

pub(super) fn id_of(key: &ObjectKey) -> EntryId {
    EntryId {
        namespace: key.namespace.clone().unwrap_or_default(),
        name: key.name.clone(),
        group: key.group.clone(),
        kind: key.kind.clone(),
    }
}

pub(super) fn wire_entry(id: String, entry: &InventoryEntry) -> WireEntry {
    WireEntry {
        id,
        v: entry.version.clone(),
        uid: entry.uid.clone(),
        digest: entry.digest.clone(),
    }
}
