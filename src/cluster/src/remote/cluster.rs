//! One remote cluster, by one state of one Secret.

use std::error::Error;
use std::sync::Arc;

use http::StatusCode;
use stageset_core::failure::{Failure, FailureClass};
use stageset_core::identity::Remote;

use super::breaker::Breaker;
pub(crate) use super::breaker::Ticket;
use super::said;
use crate::connection::Connection;
use crate::discovery::Discovery;
use crate::fairness::Budget;

/// Requests in flight to one remote cluster. Together with the bound of an answer this bounds what a
/// hostile server can make us hold in memory (A27).
const IN_FLIGHT: usize = 8;

/// A remote cluster.
#[derive(Debug)]
pub struct RemoteCluster {
    remote: Arc<Remote>,
    connection: Connection,
    budget: Budget,
    discovery: Discovery,
    breaker: Breaker,
    /// Texts of the kubeconfig; taken out of everything that the server says.
    secrets: Vec<String>,
}

impl RemoteCluster {
    pub(super) fn new(remote: Arc<Remote>, connection: Connection, secrets: Vec<String>) -> Self {
        Self {
            remote,
            connection,
            budget: Budget::new(IN_FLIGHT),
            discovery: Discovery::new(),
            breaker: Breaker::default(),
            secrets: said::worth_hiding(secrets),
        }
    }

    /// Which cluster, by which Secret.
    pub fn remote(&self) -> &Arc<Remote> {
        &self.remote
    }

    /// The connection.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Its own budget: a slow cluster costs others nothing.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// What it serves (K05).
    pub fn discovery(&self) -> &Discovery {
        &self.discovery
    }

    /// Whether it is left alone for now because it doesn't answer.
    pub fn is_left_alone(&self) -> bool {
        self.breaker.is_open()
    }

    /// The right to send one request.
    pub(crate) fn admit(&self) -> Result<Ticket<'_>, Failure> {
        self.breaker.admit().map_err(|pause| {
            let class = FailureClass::Transient {
                retry_after: Some(pause),
            };
            let message = format!(
                "{} has not answered lately and is left alone for {} s",
                said::cluster(&self.remote),
                pause.as_secs().max(1)
            );
            Failure::new(class, message)
        })
    }

    /// What it means that no answer came.
    pub(crate) fn unsent(&self, error: &(dyn Error + 'static)) -> Failure {
        said::unsent(&self.remote, error)
    }

    /// A failure that the server answered with, without a text of the kubeconfig.
    pub(crate) fn said(&self, status: StatusCode, failure: Failure) -> Failure {
        if status == StatusCode::UNAUTHORIZED {
            return said::unauthorized(&self.remote);
        }
        Failure {
            message: said::hidden(&failure.message, &self.secrets),
            ..failure
        }
    }
}
