//! What the watches as the controller have seen. A store answers only for what a live watch covers;
//! for everything else the driver has to ask (I5).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::{Value, json};
use stageset_cluster::ports::{Watched, WatchedList, WatchedObjects};
use stageset_cluster::records::stage_set::supersedes;
use stageset_cluster::{StageSetKey, Stored, is_newer};
use stageset_core::identity::Identity;
use stageset_core::object::{GroupVersionKind, ObjectKey};

use super::inventories::Inventoried;
use super::resource::{Resource, WatchOn};

/// A change of an object in a store.
#[derive(Debug, Clone)]
pub struct Change {
    /// Its kind.
    pub gvk: GroupVersionKind,
    /// Its namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// As it was, if it was known.
    pub old: Option<Stored>,
    /// As it is, if it still is.
    pub new: Option<Stored>,
}

/// What is kept of one kind.
#[derive(Debug, Default)]
struct Kind {
    /// Objects by namespace and name.
    objects: BTreeMap<String, BTreeMap<String, Stored>>,
    /// The scopes (one namespace, or all) that a live watch covers.
    live: BTreeSet<Option<String>>,
}

impl Kind {
    fn get(&self, namespace: &str, name: &str) -> Option<&Stored> {
        self.objects.get(namespace)?.get(name)
    }

    fn covers(&self, namespace: &str) -> bool {
        self.live.contains(&None)
            || self
                .live
                .iter()
                .flatten()
                .any(|covered| covered == namespace)
    }
}

/// Answers whether a watch as a tenant covers an object.
pub trait Coverage: Send + Sync {
    /// Whether a live watch as this identity covers the object.
    fn covers(&self, identity: &Identity, object: &ObjectKey, version: &str) -> bool;
}

/// All stores of a process.
#[derive(Default)]
pub struct Stores {
    kinds: RwLock<BTreeMap<GroupVersionKind, Kind>>,
    tenants: Option<Arc<dyn Coverage>>,
    inventories: Inventoried,
}

impl std::fmt::Debug for Stores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stores").finish_non_exhaustive()
    }
}

impl Stores {
    /// Empty stores; `tenants` answers for objects of the target.
    pub fn new(tenants: Option<Arc<dyn Coverage>>) -> Self {
        Self {
            kinds: RwLock::default(),
            tenants,
            inventories: Inventoried::default(),
        }
    }

    /// Which inventories there are.
    pub fn inventoried(&self) -> &Inventoried {
        &self.inventories
    }

    /// Replaces everything in a watch's scope by what was listed; returns what differs, in order.
    pub fn replace(&self, on: &WatchOn, objects: Vec<Item>) -> Vec<Change> {
        let mut kinds = self.kinds.write().unwrap_or_else(PoisonError::into_inner);
        let kind = kinds.entry(on.resource.gvk.clone()).or_default();
        let mut listed: BTreeMap<(String, String), Stored> = objects
            .into_iter()
            .map(|item| ((item.namespace, item.name), item.object))
            .collect();
        let mut changes = Vec::new();
        let gone: Vec<(String, String)> = kind
            .objects
            .iter()
            .filter(|(namespace, _)| on.namespace.as_ref().is_none_or(|only| only == *namespace))
            .flat_map(|(namespace, names)| {
                names
                    .keys()
                    .map(move |name| (namespace.clone(), name.clone()))
            })
            .filter(|place| !listed.contains_key(place))
            .collect();
        for place in gone {
            changes.extend(set(kind, &on.resource.gvk, place, None));
        }
        for (place, object) in std::mem::take(&mut listed) {
            changes.extend(set(kind, &on.resource.gvk, place, Some(object)));
        }
        changes
    }

    /// An object has changed; `None` if that was known, or a later state of it is.
    pub fn upsert(&self, resource: &Resource, item: Item) -> Option<Change> {
        let mut kinds = self.kinds.write().unwrap_or_else(PoisonError::into_inner);
        let kind = kinds.entry(resource.gvk.clone()).or_default();
        let held = kind.get(&item.namespace, &item.name);
        if held.is_some_and(|held| !supersedes(&item.object, held)) {
            return None;
        }
        let place = (item.namespace, item.name);
        set(kind, &resource.gvk, place, Some(item.object))
    }

    /// An object is gone; `None` if that was known, or another one of the name has come since.
    pub fn remove(&self, resource: &Resource, item: Item) -> Option<Change> {
        let mut kinds = self.kinds.write().unwrap_or_else(PoisonError::into_inner);
        let kind = kinds.entry(resource.gvk.clone()).or_default();
        let came_since = |held: &Stored| {
            let versions = item.object.version().zip(held.version());
            held.uid() != item.object.uid()
                && versions.is_some_and(|(gone, stands)| !is_newer(gone, stands))
        };
        if kind
            .get(&item.namespace, &item.name)
            .is_some_and(came_since)
        {
            return None;
        }
        let place = (item.namespace, item.name);
        set(kind, &resource.gvk, place, None)
    }

    /// Whether a watch stands; only then its scope answers. One that was ended says nothing more:
    /// its task may still be on its way when its scope has been dropped.
    pub fn set_live(&self, on: &WatchOn, live: bool, ended: &AtomicBool) {
        let mut kinds = self.kinds.write().unwrap_or_else(PoisonError::into_inner);
        let kind = kinds.entry(on.resource.gvk.clone()).or_default();
        if live && !ended.load(Ordering::SeqCst) {
            kind.live.insert(on.namespace.clone());
        } else {
            kind.live.remove(&on.namespace);
        }
    }

    /// Nothing is watched there any more: forgets the scope.
    pub fn drop_scope(&self, on: &WatchOn, ended: &AtomicBool) {
        ended.store(true, Ordering::SeqCst);
        self.set_live(on, false, ended);
        self.replace(on, Vec::new());
    }

    /// An object as last seen, whether or not its watch stands.
    pub fn last_seen(&self, gvk: &GroupVersionKind, namespace: &str, name: &str) -> Option<Stored> {
        let kinds = self.kinds.read().unwrap_or_else(PoisonError::into_inner);
        kinds.get(gvk)?.get(namespace, name).cloned()
    }
}

impl WatchedObjects for Stores {
    fn get(&self, kind: &GroupVersionKind, namespace: &str, name: &str) -> Watched {
        let kinds = self.kinds.read().unwrap_or_else(PoisonError::into_inner);
        match kinds.get(kind) {
            Some(kind) if kind.covers(namespace) => {
                Watched::Synced(kind.get(namespace, name).cloned())
            }
            _ => Watched::NotWatched,
        }
    }

    fn list(&self, kind: &GroupVersionKind, namespace: &str) -> WatchedList {
        let kinds = self.kinds.read().unwrap_or_else(PoisonError::into_inner);
        match kinds.get(kind) {
            Some(kind) if kind.covers(namespace) => WatchedList::Synced(
                kind.objects
                    .get(namespace)
                    .into_iter()
                    .flat_map(BTreeMap::values)
                    .cloned()
                    .collect(),
            ),
            _ => WatchedList::NotWatched,
        }
    }

    fn covers(&self, identity: &Identity, object: &ObjectKey, version: &str) -> bool {
        self.tenants
            .as_ref()
            .is_some_and(|tenants| tenants.covers(identity, object, version))
    }

    fn inventories(&self, stage_set: &StageSetKey) -> Option<BTreeSet<String>> {
        self.inventories.of(stage_set)
    }
}

/// Puts an object in or takes it out; `None` if nothing changed by that.
fn set(
    kind: &mut Kind,
    gvk: &GroupVersionKind,
    (namespace, name): (String, String),
    new: Option<Stored>,
) -> Option<Change> {
    let old = if let Some(object) = &new {
        let names = kind.objects.entry(namespace.clone()).or_default();
        names.insert(name.clone(), object.clone())
    } else {
        let names = kind.objects.get_mut(&namespace)?;
        let old = names.remove(&name);
        if names.is_empty() {
            kind.objects.remove(&namespace);
        }
        old
    };
    let version = |object: &Option<Stored>| {
        let object = object.as_ref();
        object.map(|object| object.version().map(str::to_owned))
    };
    if version(&old) == version(&new) {
        return None;
    }
    Some(Change {
        gvk: gvk.clone(),
        namespace,
        name,
        old,
        new,
    })
}

/// An object on its way into a store, or out of it.
#[derive(Debug, Clone)]
pub struct Item {
    namespace: String,
    name: String,
    object: Stored,
}

impl Item {
    fn of(metadata: &Value, object: Stored) -> Option<Self> {
        let text = |key: &str| Some(metadata.get(key)?.as_str()?.to_owned());
        Some(Self {
            name: text("name")?,
            namespace: text("namespace").unwrap_or_default(),
            object,
        })
    }
}

/// A whole object as it is kept: with its kind, which lists leave out, and without managed fields,
/// which are most of its size. `None` if it has no name.
///
/// Sources are looked at before each step of a pass; there are many more StageSets, each looked at when it has
/// moved.
pub fn whole(resource: &Resource, mut object: Value) -> Option<Item> {
    let fields = object.as_object_mut()?;
    fields.insert("apiVersion".to_owned(), resource.gvk.api_version().into());
    fields.insert("kind".to_owned(), resource.gvk.kind.clone().into());
    fields
        .get_mut("metadata")?
        .as_object_mut()?
        .remove("managedFields");
    let metadata = object.get("metadata")?.clone();
    let object = if *resource == Resource::stage_sets() {
        Stored::packed(object)
    } else {
        object.into()
    };
    Item::of(&metadata, object)
}

/// What is kept of an object of which only the existence matters: name, uid and version. `None` if
/// it has no name.
pub fn bare(resource: &Resource, object: &Value) -> Option<Item> {
    let metadata = object.get("metadata")?;
    let mut kept = serde_json::Map::new();
    for key in [
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "deletionTimestamp",
    ] {
        if let Some(value) = metadata.get(key) {
            kept.insert(key.to_owned(), value.clone());
        }
    }
    let object = json!({
        "apiVersion": resource.gvk.api_version(),
        "kind": resource.gvk.kind,
        "metadata": kept,
    });
    Item::of(metadata, Stored::packed(object))
}

#[cfg(test)]
mod tests;
