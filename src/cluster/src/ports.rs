//! Everything a session is given from outside. Tests and simulation replace these; nothing else
//! reaches out.

use std::collections::BTreeSet;
use std::sync::Arc;

use stageset_core::identity::Identity;
use stageset_core::object::{GroupVersionKind, ObjectKey};
use stageset_core::observation::Config;
use stageset_core::rights::Rules;

use crate::artifacts::ArtifactSource;
use crate::clock::Clock;
use crate::connection::Connection;
use crate::discovery::Discovery;
use crate::fairness::Budget;
use crate::hooks::Hooks;
use crate::observe::Observer;
use crate::pool::Pool;
use crate::remote::Remotes;
use crate::session::StageSetKey;
use crate::stored::Stored;

/// What a session works with. One value serves all sessions of a process.
#[derive(Clone)]
pub struct Ports {
    /// The API server.
    pub connection: Connection,
    /// Other clusters, by the kubeconfigs that name them.
    pub remotes: Arc<Remotes>,
    /// How many requests may be in flight, and whose turn it is.
    pub budget: Budget,
    /// Downloads.
    pub artifacts: Arc<dyn ArtifactSource>,
    /// Requests of http actions.
    pub hooks: Arc<dyn Hooks>,
    /// The time.
    pub clock: Clock,
    /// What the API server serves; shared by all tenants (K05).
    pub discovery: Arc<Discovery>,
    /// What accounts may do: many of them have the same roles.
    pub rules: Arc<Pool<Rules>>,
    /// What watches already know.
    pub watched: Arc<dyn WatchedObjects>,
    /// Who is told what happens.
    pub observer: Arc<dyn Observer>,
    /// Where builds run.
    pub renderer: Renderer,
    /// The controller's settings, as far as decisions rest on them.
    pub config: Arc<Config>,
    /// The driver's own settings.
    pub settings: Settings,
}

/// The driver's own settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Most entries in one StageInventory (`--inventory-shard-cap`).
    pub inventory_shard_cap: usize,
    /// Bounds of unpacking and building.
    pub limits: stageset_render::Limits,
    /// Most turns of one pass; more is a decision that goes in circles.
    pub max_turns: usize,
    /// Most needs or operations of one StageSet under way at once.
    pub parallel: usize,
    /// Name of the pod, for events' `reportingInstance`.
    pub instance: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            inventory_shard_cap: 5000,
            limits: stageset_render::Limits::default(),
            max_turns: 200,
            parallel: 16,
            instance: "stageset-controller".into(),
        }
    }
}

/// Where builds run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renderer {
    /// On tokio's pool for blocking work: production.
    Pooled,
    /// In place: simulation, where every run has to be the same.
    Inline,
}

/// What a watch store says of an object.
#[derive(Debug, Clone, PartialEq)]
pub enum Watched {
    /// A watch covers it and has synced; `None` if there is no such object.
    Synced(Option<Stored>),
    /// No watch covers it, or not yet: it has to be read (I5).
    NotWatched,
}

/// What a watch store says of a kind in a namespace.
#[derive(Debug, Clone, PartialEq)]
pub enum WatchedList {
    /// A watch covers all of them and has synced.
    Synced(Vec<Stored>),
    /// They have to be listed.
    NotWatched,
}

/// What watches already know. All methods answer at once.
pub trait WatchedObjects: Send + Sync {
    /// One object, with spec and status. Used for the StageSet itself (has it moved, is it being
    /// deleted?), for ServiceAccounts (metadata is enough), and for sources.
    fn get(&self, kind: &GroupVersionKind, namespace: &str, name: &str) -> Watched;

    /// All objects of a kind in a namespace, for producers' ExternalArtifacts.
    fn list(&self, kind: &GroupVersionKind, namespace: &str) -> WatchedList;

    /// Whether a metadata watch as this identity, on this version, covers an object of the target (K17).
    fn covers(&self, identity: &Identity, object: &ObjectKey, version: &str) -> bool;

    /// The names of the inventories whose labels name the StageSet; `None` if no live watch tells of all
    /// of them. What is in one is read; that there is none is believed of a StageSet that nothing was
    /// recorded of yet.
    fn inventories(&self, _stage_set: &StageSetKey) -> Option<BTreeSet<String>> {
        None
    }
}

/// No watches at all: everything is read. For the CLI and for tests.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoWatches;

impl WatchedObjects for NoWatches {
    fn get(&self, _kind: &GroupVersionKind, _namespace: &str, _name: &str) -> Watched {
        Watched::NotWatched
    }

    fn list(&self, _kind: &GroupVersionKind, _namespace: &str) -> WatchedList {
        WatchedList::NotWatched
    }

    fn covers(&self, _identity: &Identity, _object: &ObjectKey, _version: &str) -> bool {
        false
    }
}
