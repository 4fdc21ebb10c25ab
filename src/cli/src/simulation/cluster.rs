//! The simulated cluster, and its doors.

use jiff::Timestamp as Wall;
use stageset_cluster::Connection;
use stageset_core::time::Timestamp;
use stageset_sim::{SimulatedCluster, User, WebhookHandler};

use super::rights;

pub(super) use stageset_sim::AuditRecord;

/// Decides uids and generated names.
const SEED: u64 = 1;

/// A simulated cluster on the clock of the runtime in which it is made.
#[derive(Debug, Clone)]
pub(super) struct Cluster(SimulatedCluster);

impl Cluster {
    /// A fresh one whose wall clock now shows `now`.
    pub(super) fn new(now: Timestamp) -> Self {
        let wall = Wall::from_millisecond(now.as_millis()).unwrap_or(Wall::UNIX_EPOCH);
        Self(SimulatedCluster::new(wall, SEED))
    }

    /// A client of the cluster's administrator.
    pub(super) fn administrator(&self) -> kube::Client {
        kube::Client::new(self.0.door(User::admin()), "default")
    }

    /// The controller's connection: through the door of its ServiceAccount, and nothing else.
    pub(super) fn controller(&self) -> Connection {
        let user = User::service_account(rights::NAMESPACE, rights::ACCOUNT);
        Connection::from_service(self.0.door(user))
    }

    /// Lets a handler answer the admission webhooks of an endpoint.
    pub(super) fn serve_webhook(&self, endpoint: String, handler: impl WebhookHandler + 'static) {
        self.0
            .with_server(|server| server.serve_webhook(endpoint, handler));
    }

    /// Every request so far.
    pub(super) fn audit(&self) -> Vec<AuditRecord> {
        self.0.audit()
    }
}
