//! Watches that keep no objects and only notice: inventories that somebody else writes or deletes,
//! ledgers that anybody does, definitions that appear.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use stageset_api::names;
use tokio::sync::mpsc;

use super::engaged::Signal;
use super::reflector::{News, Sink};
use super::standing::Standing;
use super::store::Stores;
use crate::abandoned::Held;
use crate::queue::Key;

/// An inventory: whose it is, and whether somebody else wrote it last.
#[derive(Debug)]
pub(super) struct Inventory {
    key: Key,
    name: String,
    foreign: bool,
    /// Its deletion was asked for, and our finalizer keeps it: for which StageSet.
    held: Option<Held>,
}

/// Notices inventories that somebody else writes or deletes, and keeps the names of all.
#[derive(Debug)]
pub(super) struct Inventories {
    pub(super) standing: Standing,
    pub(super) stores: Arc<Stores>,
    pub(super) signals: mpsc::UnboundedSender<Signal>,
    /// The first list tells nothing new: nothing is remembered yet.
    pub(super) listed: bool,
}

impl Sink for Inventories {
    type Item = Inventory;

    fn reduce(&self, object: Value) -> Option<Self::Item> {
        let metadata = object.get("metadata")?;
        let namespace = metadata.get("namespace")?.as_str()?;
        let name = metadata
            .get("labels")?
            .get(names::LABEL_STAGE_SET)?
            .as_str()?;
        let key = Key::new(namespace, name);
        let held = metadata.get("deletionTimestamp").is_some() && has_our_finalizer(metadata);
        Some(Inventory {
            held: held.then(|| Held {
                key: key.clone(),
                owner: owner(metadata).unwrap_or_default().to_owned(),
            }),
            key,
            name: metadata.get("name")?.as_str()?.to_owned(),
            foreign: written_by_others(metadata),
        })
    }

    fn take(&mut self, news: News<Self::Item>) {
        let tell = |key| {
            let _ = self.signals.send(Signal::Inventory(key));
        };
        let scope = self.standing.on.namespace.as_deref();
        let inventoried = self.stores.inventoried();
        match news {
            News::Listed(inventories) => {
                let names = inventories.iter().map(|each| (&each.key, &*each.name));
                inventoried.replace(scope, names);
                let held = inventories.iter().filter_map(|each| each.held.clone());
                for held in held {
                    let _ = self.signals.send(Signal::HeldInventory(held));
                }
                if std::mem::replace(&mut self.listed, true) {
                    let keys: BTreeSet<_> = inventories.into_iter().map(|each| each.key).collect();
                    keys.into_iter().for_each(tell);
                }
            }
            News::Changed(inventory) => {
                inventoried.put(&inventory.key, &inventory.name);
                if inventory.foreign || inventory.held.is_some() {
                    tell(inventory.key);
                }
                if let Some(held) = inventory.held {
                    let _ = self.signals.send(Signal::HeldInventory(held));
                }
            }
            News::Deleted(inventory) => {
                inventoried.remove(&inventory.key, &inventory.name);
                tell(inventory.key);
            }
            News::Live => {
                inventoried.set_live(scope, true);
                self.standing.live();
            }
            News::Broken { error, pause } => {
                inventoried.set_live(scope, false);
                self.standing.broken(&error, pause);
            }
        }
    }
}

/// A ledger: whose it is, and which version.
#[derive(Debug)]
pub(super) struct Ledger {
    key: Key,
    resource_version: Option<String>,
}

/// Notices ledgers that are written or deleted: a baseline, a completion that is reset. Also by a
/// controller: it may be one that led before, whose last write came late. What we wrote ourselves is
/// known by its version, and written once in the life of an action.
#[derive(Debug)]
pub(super) struct Ledgers {
    pub(super) standing: Standing,
    pub(super) signals: mpsc::UnboundedSender<Signal>,
    /// The first list tells nothing new: nothing is remembered yet.
    pub(super) listed: bool,
}

impl Sink for Ledgers {
    type Item = Ledger;

    fn reduce(&self, object: Value) -> Option<Self::Item> {
        let metadata = object.get("metadata")?;
        Some(Ledger {
            key: Key::new(
                // It has the name of its StageSet, and no owner.
                metadata.get("namespace")?.as_str()?,
                metadata.get("name")?.as_str()?,
            ),
            resource_version: metadata
                .get("resourceVersion")
                .and_then(Value::as_str)
                .map(str::to_owned),
        })
    }

    fn take(&mut self, news: News<Self::Item>) {
        let tell = |key, version| {
            let _ = self.signals.send(Signal::Ledger(key, version));
        };
        match news {
            News::Listed(ledgers) => {
                if std::mem::replace(&mut self.listed, true) {
                    let there: BTreeSet<Key> =
                        ledgers.iter().map(|each| each.key.clone()).collect();
                    for ledger in ledgers {
                        tell(ledger.key, ledger.resource_version);
                    }
                    // What came and went since its last word isn't known here.
                    let namespace = self.standing.on.namespace.clone();
                    let _ = self.signals.send(Signal::Ledgers { namespace, there });
                }
            }
            News::Changed(ledger) => tell(ledger.key, ledger.resource_version),
            News::Deleted(ledger) => tell(ledger.key, None),
            News::Live => self.standing.live(),
            News::Broken { error, pause } => self.standing.broken(&error, pause),
        }
    }
}

fn owner(metadata: &Value) -> Option<&str> {
    let owners = metadata.get("ownerReferences").and_then(Value::as_array)?;
    let ours = owners
        .iter()
        .find(|owner| owner["kind"] == names::KIND_STAGE_SET)?;
    ours.get("uid").and_then(Value::as_str)
}

fn has_our_finalizer(metadata: &Value) -> bool {
    let finalizers = metadata.get("finalizers").and_then(Value::as_array);
    finalizers.is_some_and(|names| names.iter().any(|name| name == names::FINALIZER))
}

/// Whether the last write wasn't made by the controller. Without managed fields nobody can tell.
fn written_by_others(metadata: &Value) -> bool {
    let Some(entries) = metadata.get("managedFields").and_then(Value::as_array) else {
        return true;
    };
    let time = |entry: &Value| entry.get("time").and_then(Value::as_str).map(str::to_owned);
    let last = entries.iter().map(time).max().flatten();
    entries
        .iter()
        .filter(|entry| time(entry) == last)
        .any(|entry| entry.get("manager").and_then(Value::as_str) != Some(names::FIELD_MANAGER))
}

/// Notices definitions, so that nobody has to wait for a pause to end.
#[derive(Debug)]
pub(super) struct Definitions {
    pub(super) standing: Standing,
    pub(super) signals: mpsc::UnboundedSender<Signal>,
}

impl Sink for Definitions {
    type Item = String;

    fn reduce(&self, object: Value) -> Option<Self::Item> {
        Some(object.pointer("/metadata/name")?.as_str()?.to_owned())
    }

    fn take(&mut self, news: News<Self::Item>) {
        match news {
            News::Listed(names) => {
                for name in names {
                    let _ = self.signals.send(Signal::Definition(name));
                }
            }
            News::Changed(name) => {
                let _ = self.signals.send(Signal::Definition(name));
            }
            News::Deleted(_) => {}
            News::Live => self.standing.live(),
            News::Broken { error, pause } => self.standing.broken(&error, pause),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::resource::{Resource, WatchOn};
    use super::*;
    use serde_json::json;

    #[test]
    fn a_watch_of_ledgers_that_begins_anew_tells_whose_there_are() {
        let (signals, mut received) = mpsc::unbounded_channel();
        let on = WatchOn::metadata(Resource::ledgers(), Some("payments".into()));
        let mut sink = Ledgers {
            standing: Standing {
                on,
                missing: None,
                metrics: None,
                broken: false,
                logged: None,
            },
            signals,
            listed: false,
        };
        let ledger = |name: &str| Ledger {
            key: Key::new("payments", name),
            resource_version: Some("1".into()),
        };
        sink.take(News::Listed(vec![ledger("shop"), ledger("till")]));
        assert!(
            received.try_recv().is_err(),
            "nothing was remembered before"
        );
        sink.take(News::Listed(vec![ledger("shop")]));
        assert!(
            matches!(received.try_recv(), Ok(Signal::Ledger(key, Some(_))) if key.name == "shop")
        );
        let Ok(Signal::Ledgers { namespace, there }) = received.try_recv() else {
            panic!("it doesn't say which are gone");
        };
        assert_eq!(namespace.as_deref(), Some("payments"));
        assert_eq!(there, BTreeSet::from([Key::new("payments", "shop")]));
    }

    #[test]
    fn the_last_writer_of_an_inventory_is_known_by_its_managed_fields() {
        let entry = |manager: &str, time: &str| json!({ "manager": manager, "time": time });
        let metadata = |entries: Vec<Value>| json!({ "managedFields": entries });
        let ours = names::FIELD_MANAGER;
        let (early, late) = ("2026-11-23T21:00:00Z", "2026-11-23T21:00:01Z");
        assert!(!written_by_others(&metadata(vec![
            entry(ours, late),
            entry("kubectl", early)
        ])));
        assert!(written_by_others(&metadata(vec![
            entry(ours, early),
            entry("kubectl", late)
        ])));
        assert!(written_by_others(&metadata(vec![
            entry(ours, late),
            entry("kubectl", late)
        ])));
        assert!(written_by_others(&json!({})));
    }
}
