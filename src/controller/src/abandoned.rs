//! Inventories that our finalizer keeps although nobody looks after them any more.
//!
//! A watch notices that an inventory is being deleted. While its StageSet lives, its session decides
//! what becomes of it; once the StageSet is gone, the finalizer is taken off here. See
//! [`stageset_cluster::abandoned`].

use std::collections::BTreeSet;

use stageset_cluster::{Ports, abandoned};
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::queue::Key;

/// An inventory that is being deleted: for which StageSet it was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Held {
    /// The StageSet's name, as its labels say.
    pub key: Key,
    /// The StageSet's uid, as its owner reference says; empty if there is none.
    pub owner: String,
}

/// What was noticed, and the tasks that take finalizers off.
#[derive(Debug, Default)]
pub(crate) struct Abandoned {
    noticed: BTreeSet<Held>,
    tasks: JoinSet<()>,
}

impl Abandoned {
    /// An inventory is being deleted.
    pub(crate) fn notice(&mut self, held: Held) {
        self.noticed.insert(held);
    }

    /// Lets go of what was noticed, as far as its StageSet doesn't live.
    pub(crate) fn start(&mut self, ports: &Ports, lives: impl Fn(&Held) -> bool) {
        while self.tasks.try_join_next().is_some() {}
        let (kept, due): (BTreeSet<Held>, BTreeSet<Held>) = std::mem::take(&mut self.noticed)
            .into_iter()
            .partition(lives);
        self.noticed = kept;
        let keys: BTreeSet<Key> = due.into_iter().map(|held| held.key).collect();
        for key in keys {
            self.tasks.spawn(let_go(ports.clone(), key));
        }
    }

    /// Stops every task where it stands.
    pub(crate) async fn abort(&mut self) {
        self.tasks.shutdown().await;
    }
}

/// Until it is done: the namespace waits for it, and no other event would tell of it again.
async fn let_go(ports: Ports, key: Key) {
    let mut failures = 0;
    loop {
        match abandoned::let_go(&ports, &key).await {
            Ok(0) => return,
            Ok(count) => {
                info!(
                    namespace = key.namespace,
                    name = key.name,
                    count,
                    "let inventories go whose StageSet doesn't exist any more"
                );
                return;
            }
            Err(failure) => {
                failures += 1;
                let pause = failure.retry_after(failures);
                warn!(
                    namespace = key.namespace,
                    name = key.name,
                    %failure,
                    seconds = pause.as_secs(),
                    "inventories whose StageSet doesn't exist can't be let go; trying again"
                );
                tokio::time::sleep(pause).await;
            }
        }
    }
}
