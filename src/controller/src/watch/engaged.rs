//! Which watches as the controller run, what is still missing, and when to try again.
//!
//! Our own kinds are watched from the start, on every replica; source kinds from when a StageSet
//! first refers to one (K19). A kind that doesn't exist or may not be listed is tried again within
//! 30 s, with one line in the log each time; a definition that appears ends the pause.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use stageset_api::names;
use stageset_cluster::Connection;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::reflector::{News, Sink, WatchError, reflect};
use super::resource::{Resource, WatchOn};
use super::store::{self, Change, Stores};
use crate::metrics::Metrics;
use crate::queue::Key;

/// Least time between two lines about the same watch.
const LOG_PAUSE: Duration = Duration::from_secs(30);

/// What watches tell the loop.
#[derive(Debug)]
pub enum Signal {
    /// An object in a store has changed.
    Changed(Change),
    /// An inventory was written by somebody else, or is gone; its labels name the StageSet.
    Inventory(Key),
    /// A CustomResourceDefinition is there or has changed.
    Definition(String),
    /// Something in a tenant's world; see [`super::tenant`].
    Tenant(super::tenant::Event),
}

/// What is missing before this replica is ready. Clones share it.
#[derive(Debug, Clone)]
pub struct Missing {
    labels: Arc<Mutex<BTreeSet<String>>>,
    told: watch::Sender<Vec<String>>,
}

impl Missing {
    /// Nothing is known to be missing; `told` gets every change.
    pub fn new(told: watch::Sender<Vec<String>>) -> Self {
        Self {
            labels: Arc::default(),
            told,
        }
    }

    fn set(&self, label: &str, missing: bool) {
        let mut labels = self.labels.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = if missing {
            labels.insert(label.to_owned())
        } else {
            labels.remove(label)
        };
        if changed {
            self.told.send_replace(labels.iter().cloned().collect());
        }
    }
}

/// A watch that runs.
#[derive(Debug)]
struct Running {
    /// Ends a pause between two tries.
    poke: Arc<Notify>,
    /// Set when nothing that it says counts any more.
    ended: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

/// The watches as the controller. Dropping it ends them.
#[derive(Debug)]
pub struct Engaged {
    connection: Connection,
    stores: Arc<Stores>,
    signals: mpsc::UnboundedSender<Signal>,
    metrics: Metrics,
    missing: Missing,
    /// What a watch of a namespaced kind is split into.
    scopes: Vec<Option<String>>,
    running: BTreeMap<WatchOn, Running>,
}

impl Engaged {
    /// None yet. `namespaces`: the only ones to be watched; empty = all.
    pub fn new(
        connection: Connection,
        stores: Arc<Stores>,
        signals: mpsc::UnboundedSender<Signal>,
        metrics: Metrics,
        missing: Missing,
        namespaces: &[String],
    ) -> Self {
        let scopes = if namespaces.is_empty() {
            vec![None]
        } else {
            namespaces.iter().cloned().map(Some).collect()
        };
        Self {
            connection,
            stores,
            signals,
            metrics,
            missing,
            scopes,
            running: BTreeMap::new(),
        }
    }

    /// Starts the watches that every replica needs.
    pub fn start(&mut self) {
        for scope in self.scopes.clone() {
            let stage_sets = WatchOn::whole(Resource::stage_sets(), scope.clone());
            let accounts = WatchOn::metadata(Resource::service_accounts(), scope.clone());
            let inventories = WatchOn::metadata(Resource::inventories(), scope);
            self.missing.set(&stage_sets.to_string(), true);
            self.missing.set(&inventories.to_string(), true);
            let standing = self.standing(&stage_sets, true, false);
            self.spawn_stored(stage_sets, Keep::Whole, standing);
            let standing = self.standing(&accounts, false, false);
            self.spawn_stored(accounts, Keep::Bare, standing);
            let sink = Inventories {
                standing: self.standing(&inventories, true, false),
                signals: self.signals.clone(),
                listed: false,
            };
            self.spawn(inventories, Arc::default(), sink);
        }
        let definitions = WatchOn::metadata(Resource::definitions(), None);
        let sink = Definitions {
            standing: self.standing(&definitions, false, false),
            signals: self.signals.clone(),
        };
        self.spawn(definitions, Arc::default(), sink);
    }

    /// Watches a source kind from now on, if it isn't watched yet.
    pub fn engage(&mut self, resource: &Resource) {
        for scope in self.scopes.clone() {
            let on = WatchOn::whole(resource.clone(), scope);
            if !self.running.contains_key(&on) {
                debug!(watch = %on, "first referred to");
                let standing = self.standing(&on, false, true);
                self.spawn_stored(on, Keep::Whole, standing);
            }
        }
    }

    /// Nobody refers to a source kind any more.
    pub fn release(&mut self, resource: &Resource) {
        for scope in self.scopes.clone() {
            let on = WatchOn::whole(resource.clone(), scope);
            if let Some(running) = self.running.remove(&on) {
                debug!(watch = %on, "no longer referred to");
                running.task.abort();
                self.stores.drop_scope(&on, &running.ended);
            }
        }
    }

    /// A definition has appeared or changed: whoever waits for its kind tries at once.
    pub fn definition_changed(&self, name: &str) {
        for (on, running) in &self.running {
            if on.resource.definition_name() == name {
                // Only a pause listens; one that isn't in a pause keeps the poke for its next one,
                // which costs one early try.
                running.poke.notify_one();
            }
        }
    }

    fn spawn<S: Sink>(&mut self, on: WatchOn, ended: Arc<AtomicBool>, sink: S) {
        let poke = Arc::new(Notify::new());
        let reflector = reflect(self.connection.clone(), on.clone(), Arc::clone(&poke), sink);
        let task = tokio::spawn(reflector);
        self.running.insert(on, Running { poke, ended, task });
    }

    fn spawn_stored(&mut self, on: WatchOn, keep: Keep, standing: Standing) {
        let ended = Arc::new(AtomicBool::new(false));
        let sink = Stored {
            on: on.clone(),
            keep,
            stores: Arc::clone(&self.stores),
            signals: self.signals.clone(),
            standing,
            ended: Arc::clone(&ended),
        };
        self.spawn(on, ended, sink);
    }

    fn standing(&self, on: &WatchOn, needed: bool, dynamic: bool) -> Standing {
        Standing {
            on: on.clone(),
            missing: needed.then(|| self.missing.clone()),
            metrics: dynamic.then(|| self.metrics.clone()),
            broken: false,
            logged: None,
        }
    }
}

impl Drop for Engaged {
    fn drop(&mut self) {
        for running in self.running.values() {
            running.task.abort();
        }
    }
}

/// How a watch stands: for readiness, log and metrics.
#[derive(Debug)]
struct Standing {
    on: WatchOn,
    /// Where to report if readiness waits for it.
    missing: Option<Missing>,
    /// Where to count failures, for kinds engaged on first use.
    metrics: Option<Metrics>,
    broken: bool,
    logged: Option<Instant>,
}

impl Standing {
    fn live(&mut self) {
        if let Some(missing) = &self.missing {
            missing.set(&self.on.to_string(), false);
        }
        if std::mem::take(&mut self.broken) {
            info!(watch = %self.on, "watching again");
        } else {
            debug!(watch = %self.on, "watching");
        }
        self.logged = None;
    }

    fn broken(&mut self, error: &WatchError, pause: Duration) {
        self.broken = true;
        if error.is_lasting() {
            if let Some(missing) = &self.missing {
                missing.set(&self.on.to_string(), true);
            }
            if let Some(metrics) = &self.metrics {
                let gvk = &self.on.resource.gvk;
                metrics.watch_engagement_failed(&format!(
                    "{}, Kind={}",
                    gvk.api_version(),
                    gvk.kind
                ));
            }
        }
        if self
            .logged
            .is_none_or(|logged| logged.elapsed() >= LOG_PAUSE)
        {
            self.logged = Some(Instant::now());
            let what = match error.status() {
                Some(404) => "the API server doesn't serve this kind: install its definition",
                Some(401 | 403) => "the controller may not list and watch this kind: grant it",
                _ => "the watch doesn't stand",
            };
            warn!(watch = %self.on, %error, retry_in_seconds = pause.as_secs(), "{what}");
        }
    }
}

/// How much of an object a store keeps.
#[derive(Debug, Clone, Copy)]
enum Keep {
    Whole,
    Bare,
}

/// Keeps a store up to date and tells what changed.
#[derive(Debug)]
struct Stored {
    on: WatchOn,
    keep: Keep,
    stores: Arc<Stores>,
    signals: mpsc::UnboundedSender<Signal>,
    standing: Standing,
    ended: Arc<AtomicBool>,
}

impl Stored {
    fn tell(&self, changes: impl IntoIterator<Item = Change>) {
        for change in changes {
            // Nobody listens any more only when the process ends.
            let _ = self.signals.send(Signal::Changed(change));
        }
    }
}

impl Sink for Stored {
    type Item = Arc<Value>;

    fn reduce(&self, object: Value) -> Option<Self::Item> {
        match self.keep {
            Keep::Whole => store::whole(&self.on.resource, object),
            Keep::Bare => store::bare(&self.on.resource, &object),
        }
    }

    fn take(&mut self, news: News<Self::Item>) {
        match news {
            News::Listed(objects) => self.tell(self.stores.replace(&self.on, objects)),
            News::Changed(object) => self.tell(self.stores.upsert(&self.on.resource, object)),
            News::Deleted(object) => self.tell(self.stores.remove(&self.on.resource, &object)),
            News::Live => {
                self.stores.set_live(&self.on, true, &self.ended);
                self.standing.live();
            }
            News::Broken { error, pause } => {
                self.stores.set_live(&self.on, false, &self.ended);
                self.standing.broken(&error, pause);
            }
        }
    }
}

/// An inventory: whose it is, and whether somebody else wrote it last.
#[derive(Debug)]
struct Inventory {
    key: Key,
    foreign: bool,
}

/// Notices inventories that somebody else writes or deletes.
#[derive(Debug)]
struct Inventories {
    standing: Standing,
    signals: mpsc::UnboundedSender<Signal>,
    /// The first list tells nothing new: nothing is remembered yet.
    listed: bool,
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
        Some(Inventory {
            key: Key {
                namespace: namespace.into(),
                name: name.into(),
            },
            foreign: written_by_others(metadata),
        })
    }

    fn take(&mut self, news: News<Self::Item>) {
        let tell = |key| {
            let _ = self.signals.send(Signal::Inventory(key));
        };
        match news {
            News::Listed(inventories) => {
                if std::mem::replace(&mut self.listed, true) {
                    let keys: BTreeSet<_> = inventories.into_iter().map(|each| each.key).collect();
                    keys.into_iter().for_each(tell);
                }
            }
            News::Changed(inventory) if inventory.foreign => tell(inventory.key),
            News::Changed(_) => {}
            News::Deleted(inventory) => tell(inventory.key),
            News::Live => self.standing.live(),
            News::Broken { error, pause } => self.standing.broken(&error, pause),
        }
    }
}

/// Whether the last write wasn't made under our name. Without managed fields nobody can tell.
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
struct Definitions {
    standing: Standing,
    signals: mpsc::UnboundedSender<Signal>,
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
    use super::*;
    use serde_json::json;

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
