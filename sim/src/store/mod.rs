//! What is stored: objects by kind and name, one revision counter, and the history that watches,
//! continued lists and `410 Expired` need.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use serde_json::Value;

use crate::{kinds::StoreKey, object};

/// How many past changes of a kind are remembered.
pub(crate) const DEFAULT_HISTORY: usize = 4096;

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChangeType {
    Added,
    Modified,
    Deleted,
}

/// One committed change.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) revision: u64,
    pub(crate) kind: ChangeType,
    /// The object after the change; for a deletion its last state, at the deletion's revision.
    pub(crate) object: Arc<Value>,
    /// The object before the change.
    pub(crate) previous: Option<Arc<Value>>,
}

#[derive(Clone, Debug, Default)]
struct Table {
    objects: BTreeMap<String, Arc<Value>>,
    history: VecDeque<Change>,
    /// Changes up to this revision are forgotten.
    compacted: u64,
}

/// All stored objects.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    revision: u64,
    tables: BTreeMap<StoreKey, Table>,
    history: usize,
}

/// A table's key for an object: etcd's own order, in which `a-b/x` comes before `a/x`.
pub(crate) fn object_key(namespace: &str, name: &str) -> String {
    if namespace.is_empty() {
        name.to_owned()
    } else {
        format!("{namespace}/{name}")
    }
}

impl Store {
    pub(crate) fn new() -> Self {
        Self {
            revision: 1,
            tables: BTreeMap::new(),
            history: DEFAULT_HISTORY,
        }
    }

    /// How many changes of each kind are remembered from now on.
    pub(crate) fn set_history(&mut self, changes: usize) {
        self.history = changes;
    }

    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    pub(crate) fn get(&self, table: &StoreKey, key: &str) -> Option<&Arc<Value>> {
        self.tables.get(table)?.objects.get(key)
    }

    /// All objects of a kind in one namespace (empty: in all), in key order.
    pub(crate) fn list<'a>(
        &'a self,
        table: &StoreKey,
        namespace: &'a str,
    ) -> impl Iterator<Item = (&'a String, &'a Arc<Value>)> + use<'a> {
        let objects = self.tables.get(table).map(|t| &t.objects);
        let prefix = if namespace.is_empty() {
            String::new()
        } else {
            format!("{namespace}/")
        };
        let from = prefix.clone();
        objects
            .into_iter()
            .flat_map(move |objects| objects.range(from.clone()..))
            .take_while(move |(key, _)| key.starts_with(&prefix))
    }

    /// The kinds that have objects, or had some.
    pub(crate) fn tables(&self) -> impl Iterator<Item = &StoreKey> {
        self.tables.keys()
    }

    /// Writes an object at a new revision, which is set in its metadata.
    pub(crate) fn put(&mut self, table: &StoreKey, mut value: Value) -> Change {
        self.revision += 1;
        object::set_meta(&mut value, "resourceVersion", self.revision.to_string());
        let key = object_key(object::namespace(&value), object::name(&value));
        let object = Arc::new(value);
        let slot = self.tables.entry(table.clone()).or_default();
        let previous = slot.objects.insert(key, Arc::clone(&object));
        let kind = if previous.is_some() {
            ChangeType::Modified
        } else {
            ChangeType::Added
        };
        self.remember(
            table,
            Change {
                revision: self.revision,
                kind,
                object,
                previous,
            },
        )
    }

    /// Deletes an object; its last state carries the revision of the deletion.
    pub(crate) fn delete(&mut self, table: &StoreKey, key: &str) -> Option<Change> {
        let previous = self.tables.get_mut(table)?.objects.remove(key)?;
        self.revision += 1;
        let mut last = previous.as_ref().clone();
        object::set_meta(&mut last, "resourceVersion", self.revision.to_string());
        let change = Change {
            revision: self.revision,
            kind: ChangeType::Deleted,
            object: Arc::new(last),
            previous: Some(previous),
        };
        Some(self.remember(table, change))
    }

    /// A revision for something that isn't an object (a bookmark after nothing changed).
    fn remember(&mut self, table: &StoreKey, change: Change) -> Change {
        let limit = self.history;
        let slot = self.tables.entry(table.clone()).or_default();
        slot.history.push_back(change.clone());
        while slot.history.len() > limit {
            if let Some(old) = slot.history.pop_front() {
                slot.compacted = old.revision;
            }
        }
        change
    }

    /// Forgets all history up to now: watches and continued lists from before get `410`.
    pub(crate) fn compact(&mut self) {
        let revision = self.revision;
        for table in self.tables.values_mut() {
            table.history.clear();
            table.compacted = revision;
        }
    }

    /// The changes after a revision, or `None` when they are forgotten.
    pub(crate) fn since(&self, table: &StoreKey, revision: u64) -> Option<Vec<Change>> {
        let Some(slot) = self.tables.get(table) else {
            return Some(Vec::new());
        };
        if revision < slot.compacted {
            return None;
        }
        Some(
            slot.history
                .iter()
                .filter(|c| c.revision > revision)
                .cloned()
                .collect(),
        )
    }

    /// The objects as they were at a revision, or `None` when that is forgotten.
    pub(crate) fn snapshot(
        &self,
        table: &StoreKey,
        namespace: &str,
        revision: u64,
    ) -> Option<Vec<(String, Arc<Value>)>> {
        let mut objects: BTreeMap<String, Arc<Value>> = self
            .list(table, namespace)
            .map(|(k, v)| (k.clone(), Arc::clone(v)))
            .collect();
        for change in self.since(table, revision)?.into_iter().rev() {
            let object = &change.object;
            if !namespace.is_empty() && object::namespace(object) != namespace {
                continue;
            }
            let key = object_key(object::namespace(object), object::name(object));
            match change.previous {
                Some(previous) => objects.insert(key, previous),
                None => objects.remove(&key),
            };
        }
        Some(objects.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_snapshot_is_what_was_there() {
        let mut store = Store::new();
        let table = StoreKey::new("", "configmaps");
        let object = |name: &str| json!({ "metadata": { "name": name, "namespace": "n" } });
        store.put(&table, object("a"));
        let then = store.put(&table, object("b")).revision;
        store.delete(&table, "n/a");
        store.put(&table, object("c"));
        let keys =
            |list: Vec<(String, Arc<Value>)>| list.into_iter().map(|(k, _)| k).collect::<Vec<_>>();
        assert_eq!(
            keys(store.snapshot(&table, "n", then).unwrap()),
            ["n/a", "n/b"]
        );
        assert_eq!(store.list(&table, "n").count(), 2);
        store.compact();
        assert!(store.snapshot(&table, "n", then).is_none());
        assert!(store.since(&table, then).is_none());
    }
}
