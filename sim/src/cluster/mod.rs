//! A cluster to hold on to: one server behind a lock, driven by tokio's clock; and what tests and
//! simulations do to it [by hand](by_hand).

mod by_hand;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use jiff::{SignedDuration, Timestamp};
use tokio::{sync::Notify, time::Instant};

use crate::{
    audit::AuditRecord,
    door::Door,
    request::{Reply, Request, User},
    server::Server,
};

pub use by_hand::HelperError;
pub(crate) use by_hand::collection;

pub(crate) struct Shared {
    server: Mutex<Server>,
    start: Timestamp,
    started: Instant,
    /// Told whenever the agenda may have a new first entry.
    changed: Notify,
    driven: Mutex<bool>,
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Server> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Timestamp {
        let elapsed =
            SignedDuration::try_from(self.started.elapsed()).unwrap_or(SignedDuration::MAX);
        self.start.checked_add(elapsed).unwrap_or(Timestamp::MAX)
    }

    pub(crate) fn changed(&self) {
        self.changed.notify_one();
    }
}

/// A simulated cluster. Clones share it.
///
/// It lives on the clock of the tokio runtime in which it is made: under a paused clock a day of
/// cluster time costs nothing but its events. Once a [`Door`] is used within a runtime, a task of
/// that runtime lets due things happen; without one, [`SimulatedCluster::settle`] does.
#[derive(Clone)]
pub struct SimulatedCluster {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for SimulatedCluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimulatedCluster")
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}

impl SimulatedCluster {
    /// A fresh cluster whose wall clock now shows `start`; the seed decides uids and generated
    /// names.
    pub fn new(start: Timestamp, seed: u64) -> Self {
        Self::of(Server::new(start, seed))
    }

    /// Another cluster that stands as this one does ([`Server::fork`]), on the clock of the runtime in
    /// which it is made.
    #[must_use]
    pub fn fork(&self, seed: u64) -> Self {
        Self::of(self.shared.lock().fork(seed))
    }

    fn of(server: Server) -> Self {
        let start = server.now();
        Self {
            shared: Arc::new(Shared {
                server: Mutex::new(server),
                start,
                started: Instant::now(),
                changed: Notify::new(),
                driven: Mutex::new(false),
            }),
        }
    }

    /// A way in for one authenticated user; `kube::Client::new(door, "default")` works on it.
    pub fn door(&self, user: User) -> Door {
        Door::new(self.clone(), user)
    }

    /// The cluster's wall clock.
    pub fn now(&self) -> Timestamp {
        self.shared.now()
    }

    /// The server itself, with everything due done.
    pub fn with_server<T>(&self, act: impl FnOnce(&mut Server) -> T) -> T {
        let now = self.now();
        let mut server = self.shared.lock();
        server.advance(now);
        let out = act(&mut server);
        drop(server);
        self.shared.changed();
        out
    }

    /// Handles one request now.
    pub fn handle(&self, request: &Request) -> Reply {
        let now = self.now();
        let reply = self.shared.lock().handle(request, now);
        self.shared.changed();
        reply
    }

    /// Lets everything due by now happen.
    pub fn settle(&self) {
        self.with_server(|_| ());
    }

    /// Lets things happen when they are due, by tokio's clock, for as long as the future is
    /// polled. A door used in a runtime starts this by itself.
    pub async fn run(self) {
        drive(Arc::downgrade(&self.shared)).await;
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Starts the driver if this is a runtime and none runs yet.
    pub(crate) fn ensure_driven(&self) {
        let mut driven = self
            .shared
            .driven
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !*driven && let Ok(runtime) = tokio::runtime::Handle::try_current() {
            *driven = true;
            runtime.spawn(drive(Arc::downgrade(&self.shared)));
        }
    }

    /// The audit trail so far.
    pub fn audit(&self) -> Vec<AuditRecord> {
        self.shared.lock().audit().to_vec()
    }

    /// Calls this with every audit record. It must not call back into the cluster.
    pub fn observe(&self, observer: impl FnMut(&AuditRecord) + Send + 'static) {
        self.shared.lock().observe(observer);
    }
}

/// Sleeps until something is due, lets it happen, and again; ends with the cluster.
async fn drive(shared: Weak<Shared>) {
    loop {
        let Some(strong) = shared.upgrade() else {
            return;
        };
        let now = strong.now();
        let due = {
            let mut server = strong.lock();
            server.advance(now);
            server.next_due()
        };
        let wait = due.map(|due| {
            let left = due.duration_since(now);
            std::time::Duration::try_from(left).unwrap_or_default()
        });
        // The longest sleep bounds how long a forgotten cluster keeps its task.
        let wait = wait.unwrap_or(std::time::Duration::from_secs(3600));
        let changed = strong.changed.notified();
        tokio::select! {
            biased;
            () = changed => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}
