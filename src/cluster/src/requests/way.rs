//! To which API server requests go, and how long each may take.

use std::sync::Arc;
use std::time::Duration;

use stageset_core::failure::Failure;

use super::Target;
use super::classify::{self, Answer, classify};
use crate::connection::Connection;
use crate::fairness::Budget;
use crate::remote::{RemoteCluster, Ticket};

/// Bound of a whole request, its body included. kube-apiserver's own is 60 s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(65);
/// Most bytes of one answer that are read: a page of the largest objects that etcd takes.
const ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// The same for a remote cluster: less than what an honest one needs at worst (a webhook's longest
/// time is 30 s), since a place is held meanwhile.
const REMOTE_TIMEOUT: Duration = Duration::from_secs(30);
/// Most bytes of one answer of a remote cluster: several of the largest objects that etcd takes.
const REMOTE_ANSWER_BYTES: usize = 8 * 1024 * 1024;
/// To which API server.
#[derive(Debug, Clone)]
pub(super) enum Way<'a> {
    Local {
        connection: &'a Connection,
        budget: &'a Budget,
    },
    Remote(Arc<RemoteCluster>),
}

impl Way<'_> {
    pub(super) fn connection(&self) -> &Connection {
        match self {
            Self::Local { connection, .. } => connection,
            Self::Remote(remote) => remote.connection(),
        }
    }

    pub(super) fn budget(&self) -> &Budget {
        match self {
            Self::Local { budget, .. } => budget,
            Self::Remote(remote) => remote.budget(),
        }
    }

    /// The right to send: a remote cluster that doesn't answer is left alone.
    pub(super) fn admit(&self) -> Result<Option<Ticket<'_>>, Failure> {
        match self {
            Self::Local { .. } => Ok(None),
            Self::Remote(remote) => remote.admit().map(Some),
        }
    }

    /// Bounds of a request in time, and of an answer in bytes.
    pub(super) fn bounds(&self) -> (Duration, usize) {
        match self {
            Self::Local { .. } => (REQUEST_TIMEOUT, ANSWER_BYTES),
            Self::Remote(_) => (REMOTE_TIMEOUT, REMOTE_ANSWER_BYTES),
        }
    }

    pub(super) fn unsent(&self, error: &(dyn std::error::Error + 'static)) -> Failure {
        match self {
            Self::Local { .. } => classify::unsent(error),
            Self::Remote(remote) => remote.unsent(error),
        }
    }

    pub(super) fn said(&self, answer: &Answer, target: &Target) -> Failure {
        let failure = classify(answer, target);
        match self {
            Self::Local { .. } => failure,
            Self::Remote(remote) => remote.said(answer.status, failure),
        }
    }
}
