//! Which watches as the controller run, what is still missing, and when to try again.
//!
//! Our own kinds are watched from the start, on every replica; source kinds from when a StageSet
//! first refers to one (K19). A kind that doesn't exist or may not be listed is tried again within
//! 30 s, with one line in the log each time; a definition that appears ends the pause.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::Value;
use stageset_cluster::Connection;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tracing::debug;

use super::notices::{Definitions, Inventories, Ledgers};
use super::reflector::{News, Sink, reflect};
use super::resource::{Resource, WatchOn};
use super::standing::{Missing, Standing};
use super::store::{self, Change, Stores};
use crate::abandoned::Held;
use crate::metrics::Metrics;
use crate::queue::Key;

/// What watches tell the loop.
#[derive(Debug)]
pub enum Signal {
    /// An object in a store has changed.
    Changed(Change),
    /// An inventory was written by somebody else, or is gone; its labels name the StageSet.
    Inventory(Key),
    /// An inventory is being deleted, and our finalizer keeps it.
    HeldInventory(Held),
    /// The ledger of this StageSet was written, and has this version now, or is gone.
    Ledger(Key, Option<String>),
    /// A watch of ledgers (of one namespace, or of all) has begun anew: these are all there are.
    Ledgers {
        /// Its namespace.
        namespace: Option<String>,
        /// Whose they are.
        there: BTreeSet<Key>,
    },
    /// A CustomResourceDefinition is there or has changed.
    Definition(String),
    /// Something in a tenant's world; see [`super::tenant`].
    Tenant(super::tenant::Event),
    /// A watch of a tenant's world has begun anew.
    Listed(super::tenant::Listing),
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
            let inventories = WatchOn::metadata(Resource::inventories(), scope.clone());
            let ledgers = WatchOn::metadata(Resource::ledgers(), scope);
            self.missing.set(&stage_sets.to_string(), true);
            self.missing.set(&inventories.to_string(), true);
            self.missing.set(&ledgers.to_string(), true);
            let standing = self.standing(&stage_sets, true, false);
            self.spawn_stored(stage_sets, Keep::Whole, standing);
            let standing = self.standing(&accounts, false, false);
            self.spawn_stored(accounts, Keep::Bare, standing);
            let sink = Inventories {
                standing: self.standing(&inventories, true, false),
                stores: Arc::clone(&self.stores),
                signals: self.signals.clone(),
                listed: false,
            };
            self.spawn(inventories, Arc::default(), sink);
            let sink = Ledgers {
                standing: self.standing(&ledgers, true, false),
                signals: self.signals.clone(),
                listed: false,
            };
            self.spawn(ledgers, Arc::default(), sink);
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
    type Item = store::Item;

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
            News::Deleted(object) => self.tell(self.stores.remove(&self.on.resource, object)),
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
