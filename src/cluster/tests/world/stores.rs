//! Watch stores that are always up to date: they look straight into the simulated cluster.

use std::sync::Arc;

use stageset_cluster::ports::{Watched, WatchedList, WatchedObjects};
use stageset_core::identity::Identity;
use stageset_core::object::{GroupVersionKind, Reference};
use stageset_sim::SimulatedCluster;

pub(crate) struct Stores {
    pub(crate) cluster: SimulatedCluster,
    /// Whether metadata watches cover the tenant's objects.
    pub(crate) covers: bool,
}

impl WatchedObjects for Stores {
    fn get(&self, kind: &GroupVersionKind, namespace: &str, name: &str) -> Watched {
        let object = self
            .cluster
            .get(&kind.api_version(), &kind.kind, namespace, name);
        Watched::Synced(object.map(Arc::new))
    }

    fn list(&self, kind: &GroupVersionKind, namespace: &str) -> WatchedList {
        let objects = self
            .cluster
            .list(&kind.api_version(), &kind.kind, namespace);
        WatchedList::Synced(objects.into_iter().map(Arc::new).collect())
    }

    fn covers(&self, _identity: &Identity, _object: &Reference) -> bool {
        self.covers
    }
}
