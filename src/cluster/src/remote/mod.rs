//! Remote clusters: one connection for each state of a kubeconfig Secret, apart from everything else.
//!
//! - [`cluster`] one remote cluster: its connection, budget, discovery and breaker;
//! - [`breaker`] leaves a cluster alone that doesn't answer;
//! - [`connect`] from a kubeconfig to a connection, over addresses that may be called;
//! - [`said`] what its failures mean, without a word of the Secret.
//!
//! A connection belongs to one Secret, key and revision (I7). Nothing here falls back to anything: a
//! remote cluster that isn't known is a failure, and the layer under each connection refuses
//! requests that are meant for another cluster (A06).

mod breaker;
mod cluster;
mod connect;
mod said;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use stageset_core::failure::{Failure, FailureClass};
use stageset_core::identity::{KubeconfigReference, Remote, Target};
use stageset_core::kubeconfig::{self, Allowed, Kubeconfig, KubeconfigProblem};
use stageset_core::names::Namespace;
use stageset_core::observation::KubeconfigState;
use stageset_render::{Limits, yaml};
use tokio::time::Instant;

pub use cluster::RemoteCluster;
pub(crate) use cluster::Ticket;
pub use connect::DialRemote;

use crate::connection::{Connection, Count};

/// A connection that nobody has used for so long is closed.
const KEPT: Duration = Duration::from_secs(3600);
/// Largest kubeconfig that is read; a Secret holds no more than this.
const KUBECONFIG_BYTES: usize = 1024 * 1024;

/// Makes connections to remote clusters. Nothing is sent yet.
pub trait Connect: Send + Sync {
    /// A connection for requests meant for `remote`, and for no others.
    ///
    /// # Errors
    /// A sentence for the person who wrote the kubeconfig, without anything of its content.
    fn connect(&self, kubeconfig: &Kubeconfig, remote: &Arc<Remote>) -> Result<Connection, String>;
}

/// Connects to nothing: where remote clusters can't be had.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRemotes;

impl Connect for NoRemotes {
    fn connect(&self, _: &Kubeconfig, _: &Arc<Remote>) -> Result<Connection, String> {
        Err("remote clusters can't be reached from here".to_owned())
    }
}

/// All remote clusters that are in use.
pub struct Remotes {
    connect: Box<dyn Connect>,
    allowed: Allowed,
    count: OnceLock<Count>,
    known: Mutex<BTreeMap<Arc<Remote>, Known>>,
}

struct Known {
    cluster: Arc<RemoteCluster>,
    used: Instant,
}

impl std::fmt::Debug for Remotes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remotes").finish_non_exhaustive()
    }
}

impl Default for Remotes {
    fn default() -> Self {
        Self::new(NoRemotes, Allowed::default())
    }
}

impl Remotes {
    /// None yet.
    pub fn new(connect: impl Connect + 'static, allowed: Allowed) -> Self {
        Self {
            connect: Box::new(connect),
            allowed,
            count: OnceLock::new(),
            known: Mutex::default(),
        }
    }

    /// Tells `count` of every request to a cluster that is connected to from now on.
    pub fn counted(&self, count: &Count) {
        // A second counter is none: one process counts once.
        let _ = self.count.set(Arc::clone(count));
    }

    /// What a Secret's value says, and a connection if it says enough. The same revision of the same
    /// Secret gets the same connection.
    pub(crate) fn open(
        &self,
        namespace: &Namespace,
        reference: &KubeconfigReference,
        revision: String,
        value: &[u8],
    ) -> KubeconfigState {
        if value.is_empty() {
            return KubeconfigState::NoKey;
        }
        let kubeconfig = match read(value, self.allowed) {
            Ok(kubeconfig) => kubeconfig,
            Err(problem) => return KubeconfigState::Refused(problem.to_string()),
        };
        let remote = Arc::new(Remote {
            namespace: namespace.clone(),
            kubeconfig: reference.clone(),
            revision,
            cluster: kubeconfig.cluster(),
        });
        let now = Instant::now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, known| now.duration_since(known.used) < KEPT);
        if let Some(known) = known.get_mut(&remote) {
            known.used = now;
            return KubeconfigState::Usable(Target::Remote(remote));
        }
        match self.connect.connect(&kubeconfig, &remote) {
            Ok(connection) => {
                let connection = match self.count.get() {
                    Some(count) => connection.counted(count),
                    None => connection,
                };
                let cluster = Arc::new(RemoteCluster::new(
                    Arc::clone(&remote),
                    connection,
                    kubeconfig.secrets(),
                ));
                known.insert(Arc::clone(&remote), Known { cluster, used: now });
                KubeconfigState::Usable(Target::Remote(remote))
            }
            Err(said) => KubeconfigState::Refused(said),
        }
    }

    /// The way to a remote cluster that a Secret was seen to name.
    ///
    /// # Errors
    /// A failure if it is no longer connected to: the Secret has to be read again.
    pub fn reach(&self, remote: &Remote) -> Result<Arc<RemoteCluster>, Failure> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get_mut(remote) {
            Some(known) => {
                known.used = Instant::now();
                Ok(Arc::clone(&known.cluster))
            }
            None => Err(Failure::new(
                FailureClass::Transient { retry_after: None },
                "the connection to the remote cluster was closed; its kubeconfig is read again",
            )),
        }
    }

    /// How many remote clusters are connected to, and how many of them are left alone for now because
    /// they don't answer.
    pub fn numbers(&self) -> (usize, usize) {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let silent = known
            .values()
            .filter(|known| known.cluster.is_left_alone())
            .count();
        (known.len(), silent)
    }
}

/// A Secret's value as a kubeconfig.
fn read(value: &[u8], allowed: Allowed) -> Result<Kubeconfig, KubeconfigProblem> {
    if value.len() > KUBECONFIG_BYTES {
        return Err(KubeconfigProblem::NotAKubeconfig);
    }
    // What the parser says of bad YAML may quote it: none of it is passed on.
    let documents =
        yaml::documents(value, &Limits::default()).map_err(|_| KubeconfigProblem::NotYaml)?;
    match documents.as_slice() {
        [document] => kubeconfig::parse(&document.value, allowed),
        _ => Err(KubeconfigProblem::NotAKubeconfig),
    }
}

#[cfg(test)]
mod tests;
