//! What a cluster lived through, in order: every request that reached the server with its answer, every
//! event that a watch told, and every change that the cluster made by itself. Enough to live through it
//! again elsewhere.
//!
//! [`file`] writes a history down and reads it.

mod file;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};
use jiff::Timestamp;
use serde_json::Value;

pub use file::{FileError, VERSION};

use crate::{
    cluster::SimulatedCluster,
    kinds::{Registry, StoreKey},
    object,
    request::{Reply, Request, SubscriptionId, User},
    server::Server,
    store::{Change, ChangeType},
    verbs,
};

/// A history, and whose it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// What was recorded, e.g. `wire seed 7`.
    pub of: String,
    /// What happened.
    pub steps: Vec<Step>,
}

/// One thing that happened to a cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// To which cluster, as the recording calls it.
    pub cluster: String,
    /// When, by the cluster's clock.
    pub at: Timestamp,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// Somebody asked for something.
    Request(Exchange),
    /// The cluster did something by itself.
    Change(OwnChange),
    /// A client took an event of its watch.
    Told(Told),
    /// A watch is over, for its client or for the server.
    Ended(Ended),
}

/// A request with its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// Who asked, as the door authenticated.
    pub user: User,
    /// HTTP method.
    pub method: Method,
    /// Path and query.
    pub uri: Uri,
    /// All headers.
    pub headers: HeaderMap,
    /// The request's body.
    pub body: Bytes,
    /// What came back.
    pub answer: Answered,
}

/// What a request got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// Code and body.
    Whole(u16, Bytes),
    /// A watch that began, by its number in its cluster.
    Watch(u64),
}

/// What a watch told its client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The watch's number.
    pub watch: u64,
    /// The event, as the client took it.
    pub event: Bytes,
}

/// A watch that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its number.
    pub watch: u64,
    /// How many events its client didn't take any more.
    pub untaken: u64,
}

/// A change that no request asked for: by one of the cluster's own controllers, or what a server
/// comes with.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnChange {
    /// Where the object is.
    pub path: String,
    /// Whether its status is written at `PATH/status`.
    pub status: bool,
    /// The object before; `None` for a new one.
    pub before: Option<Value>,
    /// The object after; `None` for one that is gone.
    pub after: Option<Value>,
}

/// Where steps are written to; clones write to the same place, so that what happens to several
/// clusters stands in one order.
#[derive(Clone, Debug, Default)]
pub struct Recording(Arc<Mutex<Vec<Step>>>);

impl Recording {
    /// A recording without a step.
    pub fn new() -> Self {
        Self::default()
    }

    /// The steps so far.
    pub fn steps(&self) -> Vec<Step> {
        self.lock().clone()
    }

    /// Adds steps that were recorded elsewhere.
    pub fn extend(&self, steps: Vec<Step>) {
        self.lock().extend(steps);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Step>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SimulatedCluster {
    /// Records what happens to this cluster from now on, under a name.
    pub fn record(&self, name: &str, recording: &Recording) {
        let recorder = Recorder {
            cluster: name.to_owned(),
            recording: recording.clone(),
        };
        self.with_server(|server| server.recorder = Some(recorder));
    }

    /// Records all objects of this cluster as if it had just made them.
    pub fn record_standing(&self, name: &str, recording: &Recording) {
        let recorder = Recorder {
            cluster: name.to_owned(),
            recording: recording.clone(),
        };
        self.with_server(|server| {
            for change in server.standing() {
                recorder.change(server.now(), change);
            }
        });
    }
}

/// What a server tells of itself.
#[derive(Debug)]
pub(crate) struct Recorder {
    cluster: String,
    recording: Recording,
}

impl Recorder {
    /// A request was answered.
    pub(crate) fn exchange(&self, at: Timestamp, request: &Request, reply: &Reply) {
        let answer = match reply {
            Reply::Response(response) => {
                Answered::Whole(response.status.as_u16(), response.body.clone())
            }
            Reply::Watch { subscription, .. } => Answered::Watch(subscription.0),
        };
        let exchange = Exchange {
            user: request.user.clone(),
            method: request.method.clone(),
            uri: request.uri.clone(),
            headers: request.headers.clone(),
            body: request.body.clone(),
            answer,
        };
        self.write(at, What::Request(exchange));
    }

    /// Something changed although nobody asked for it.
    pub(crate) fn change(&self, at: Timestamp, change: OwnChange) {
        self.write(at, What::Change(change));
    }

    /// The client of a watch took an event.
    pub(crate) fn told(&self, at: Timestamp, watch: SubscriptionId, event: &Bytes) {
        let told = Told {
            watch: watch.0,
            event: event.clone(),
        };
        self.write(at, What::Told(told));
    }

    /// A watch is over, with so many events that nobody took.
    pub(crate) fn ended(&self, at: Timestamp, watch: SubscriptionId, untaken: usize) {
        let ended = Ended {
            watch: watch.0,
            untaken: untaken as u64,
        };
        self.write(at, What::Ended(ended));
    }

    fn write(&self, at: Timestamp, what: What) {
        self.recording.lock().push(Step {
            cluster: self.cluster.clone(),
            at,
            what,
        });
    }
}

impl OwnChange {
    /// A committed change, as the version that is served first shows it.
    pub(crate) fn of(registry: &Registry, table: &StoreKey, change: &Change) -> Self {
        let deleted = change.kind == ChangeType::Deleted;
        let previous = change.previous.as_deref();
        let after = Some(change.object.as_ref()).filter(|_| !deleted);
        Self::between(registry, table, previous, after)
    }

    fn between(
        registry: &Registry,
        table: &StoreKey,
        before: Option<&Value>,
        after: Option<&Value>,
    ) -> Self {
        let object = after.or(before).unwrap_or(&Value::Null);
        let (namespace, name) = (object::namespace(object), object::name(object));
        let Some(resource) = registry.any_version(&table.group, &table.plural) else {
            // A path that nobody serves: whoever relives it is told so.
            let (group, plural) = (&table.group, &table.plural);
            return Self {
                path: format!("/apis/{group}/unserved/namespaces/{namespace}/{plural}/{name}"),
                status: false,
                before: before.cloned(),
                after: after.cloned(),
            };
        };
        let collection = crate::cluster::collection(&resource, namespace);
        let shown = |object| verbs::present(&resource, object).into_owned();
        Self {
            path: format!("{collection}/{name}"),
            status: resource.status,
            before: before.map(shown),
            after: after.map(shown),
        }
    }
}

impl Server {
    /// All objects, as if the server had just made them.
    fn standing(&self) -> Vec<OwnChange> {
        let tables = self.store.tables();
        let objects = tables.flat_map(|table| {
            let objects = self.store.list(table, "");
            objects.map(move |(_, object)| (table, object))
        });
        objects
            .map(|(table, object)| {
                OwnChange::between(&self.registry, table, None, Some(object.as_ref()))
            })
            .collect()
    }
}
