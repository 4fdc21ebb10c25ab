//! What the watches as the controller have seen. A store answers only for what a live watch covers;
//! for everything else the driver has to ask (I5).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::{Value, json};
use stageset_cluster::ports::{Watched, WatchedList, WatchedObjects};
use stageset_cluster::records::stage_set::supersedes;
use stageset_cluster::{StageSetKey, Stored};
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
        let held = kind.objects.get(&item.namespace);
        let held = held.and_then(|names| names.get(&item.name));
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
        let held = kind.objects.get(&item.namespace);
        let held = held.and_then(|names| names.get(&item.name));
        if held.is_some_and(|held| held.uid() != item.object.uid() && later(held, &item.object)) {
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
        kinds.get(gvk)?.objects.get(namespace)?.get(name).cloned()
    }
}

impl WatchedObjects for Stores {
    fn get(&self, kind: &GroupVersionKind, namespace: &str, name: &str) -> Watched {
        let kinds = self.kinds.read().unwrap_or_else(PoisonError::into_inner);
        match kinds.get(kind) {
            Some(kind) if kind.covers(namespace) => Watched::Synced(
                kind.objects
                    .get(namespace)
                    .and_then(|names| names.get(name))
                    .cloned(),
            ),
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

/// Whether one was written after the other. Versions of one server can be compared as numbers
/// (KEP-5504), those of two objects too.
fn later(one: &Stored, other: &Stored) -> bool {
    let number = |object: &Stored| object.version()?.parse::<u64>().ok();
    number(one)
        .zip(number(other))
        .is_some_and(|(one, other)| one > other)
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
mod tests {
    use super::*;

    fn object(namespace: &str, name: &str, version: &str) -> Item {
        let object = json!({ "metadata": {
            "namespace": namespace, "name": name, "resourceVersion": version,
        }});
        Item::of(&object["metadata"], object.clone().into()).unwrap()
    }

    fn names(changes: &[Change]) -> Vec<String> {
        changes
            .iter()
            .map(|change| {
                let sign = match (&change.old, &change.new) {
                    (None, Some(_)) => '+',
                    (Some(_), None) => '-',
                    _ => '~',
                };
                format!("{sign}{}/{}", change.namespace, change.name)
            })
            .collect()
    }

    /// No server tells events in another order; a proxy, or a watch that was resumed, might.
    #[test]
    fn an_event_of_before_changes_nothing() {
        let stores = Stores::default();
        let resource = Resource::stage_sets();
        let told = |version: &str| {
            let change = stores.upsert(&resource, object("a", "x", version));
            change.is_some()
        };
        let held = || {
            let seen = stores.last_seen(&resource.gvk, "a", "x").unwrap();
            seen.version().map(str::to_owned)
        };
        assert!(told("9"));
        assert!(told("10"));
        assert!(!told("9"));
        assert_eq!(held().as_deref(), Some("10"));
        assert!(told("later"), "versions that can't be compared");
        // Another one of the name may come from a server whose versions begin anew.
        let mut another = object("a", "x", "3");
        another.object = json!({ "metadata": { "uid": "v", "resourceVersion": "3" } }).into();
        assert!(stores.upsert(&resource, another).is_some());
    }

    #[test]
    fn an_object_that_is_there_again_does_not_go_with_the_one_before_it() {
        let stores = Stores::default();
        let resource = Resource::service_accounts();
        let of = |uid: &str, version: &str| {
            let mut item = object("a", "x", version);
            item.object = json!({ "metadata": { "uid": uid, "resourceVersion": version } }).into();
            item
        };
        assert!(stores.upsert(&resource, of("old", "5")).is_some());
        assert!(stores.upsert(&resource, of("new", "9")).is_some());
        assert!(stores.remove(&resource, of("old", "8")).is_none());
        assert!(stores.last_seen(&resource.gvk, "a", "x").is_some());
        assert!(stores.remove(&resource, of("new", "10")).is_some());
        assert!(stores.last_seen(&resource.gvk, "a", "x").is_none());
        // One that is gone before it was told that it is there again.
        assert!(stores.upsert(&resource, of("new", "9")).is_some());
        assert!(stores.remove(&resource, of("next", "12")).is_some());
    }

    #[test]
    fn a_store_answers_only_while_its_watch_stands() {
        let running = AtomicBool::new(false);
        let stores = Stores::default();
        let resource = Resource::stage_sets();
        let on = WatchOn::whole(resource.clone(), Some("a".to_owned()));
        stores.replace(&on, vec![object("a", "x", "1")]);
        assert_eq!(stores.get(&resource.gvk, "a", "x"), Watched::NotWatched);
        stores.set_live(&on, true, &running);
        assert_eq!(
            stores.get(&resource.gvk, "a", "x"),
            Watched::Synced(Some(object("a", "x", "1").object))
        );
        assert_eq!(stores.get(&resource.gvk, "a", "y"), Watched::Synced(None));
        assert_eq!(
            stores.get(&resource.gvk, "b", "x"),
            Watched::NotWatched,
            "another namespace"
        );
        assert_eq!(
            stores.list(&resource.gvk, "a"),
            WatchedList::Synced(vec![object("a", "x", "1").object])
        );
        stores.set_live(&on, false, &running);
        assert_eq!(stores.get(&resource.gvk, "a", "x"), Watched::NotWatched);
    }

    #[test]
    fn a_watch_that_was_ended_vouches_for_nothing_however_late_it_speaks() {
        let stores = Stores::default();
        let resource = Resource::stage_sets();
        let on = WatchOn::whole(resource.clone(), None);
        let ended = AtomicBool::new(false);
        stores.drop_scope(&on, &ended);
        stores.set_live(&on, true, &ended);
        assert_eq!(stores.get(&resource.gvk, "a", "x"), Watched::NotWatched);
    }

    #[test]
    fn a_new_list_tells_what_differs_in_its_own_scope() {
        let stores = Stores::default();
        let resource = Resource::stage_sets();
        let in_a = WatchOn::whole(resource.clone(), Some("a".to_owned()));
        let in_b = WatchOn::whole(resource.clone(), Some("b".to_owned()));
        let first = stores.replace(&in_a, vec![object("a", "x", "1"), object("a", "y", "1")]);
        assert_eq!(names(&first), ["+a/x", "+a/y"]);
        stores.replace(&in_b, vec![object("b", "z", "1")]);
        let second = stores.replace(&in_a, vec![object("a", "x", "2"), object("a", "w", "1")]);
        assert_eq!(names(&second), ["-a/y", "+a/w", "~a/x"]);
        assert!(
            stores.upsert(&resource, object("a", "x", "2")).is_none(),
            "known already"
        );
        assert!(
            stores.remove(&resource, object("a", "q", "2")).is_none(),
            "never known"
        );
        assert_eq!(
            names(&[stores.remove(&resource, object("b", "z", "1")).unwrap()]),
            ["-b/z"]
        );
    }

    #[test]
    fn managed_fields_are_dropped_and_the_kind_is_filled_in() {
        let resource = Resource::stage_sets();
        let raw = json!({ "metadata": { "name": "x", "managedFields": [1] }, "spec": null });
        let kept = whole(&resource, raw).unwrap();
        assert_eq!(
            *kept.object.value(),
            json!({ "apiVersion": "stages.metio.wtf/v1", "kind": "StageSet",
                    "metadata": { "name": "x" }, "spec": null })
        );
        assert!(whole(&resource, json!({ "metadata": null })).is_none());
        assert!(whole(&resource, json!([])).is_none());
    }
}
