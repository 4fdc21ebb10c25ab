//! Watch stores that are always up to date: they look straight into the simulated cluster.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use stageset_api::names::{API_VERSION, KIND_STAGE_INVENTORY, LABEL_STAGE_SET};
use stageset_cluster::StageSetKey;
use stageset_cluster::ports::{Watched, WatchedList, WatchedObjects};
use stageset_core::identity::Identity;
use stageset_core::object::{GroupVersionKind, ObjectKey};
use stageset_sim::SimulatedCluster;

pub(crate) struct Stores {
    pub(crate) cluster: SimulatedCluster,
    /// Whether metadata watches cover the tenant's objects.
    pub(crate) covers: bool,
    /// The watch on inventories lags behind: it shows none.
    pub(crate) shows_no_inventories: Arc<AtomicBool>,
}

impl WatchedObjects for Stores {
    fn get(&self, kind: &GroupVersionKind, namespace: &str, name: &str) -> Watched {
        let object = self
            .cluster
            .get(&kind.api_version(), &kind.kind, namespace, name);
        Watched::Synced(object.map(Into::into))
    }

    fn list(&self, kind: &GroupVersionKind, namespace: &str) -> WatchedList {
        if kind.kind == KIND_STAGE_INVENTORY {
            // Metadata is all that is watched of them.
            return WatchedList::NotWatched;
        }
        let objects = self
            .cluster
            .list(&kind.api_version(), &kind.kind, namespace);
        WatchedList::Synced(objects.into_iter().map(Into::into).collect())
    }

    fn covers(&self, _identity: &Identity, _object: &ObjectKey, _version: &str) -> bool {
        self.covers
    }

    fn inventories(&self, stage_set: &StageSetKey) -> Option<BTreeSet<String>> {
        if self.shows_no_inventories.load(Ordering::SeqCst) {
            return Some(BTreeSet::new());
        }
        let all = self
            .cluster
            .list(API_VERSION, KIND_STAGE_INVENTORY, &stage_set.namespace);
        let ours = all
            .iter()
            .filter(|each| each["metadata"]["labels"][LABEL_STAGE_SET] == stage_set.name);
        let names = ours.filter_map(|each| each["metadata"]["name"].as_str());
        Some(names.map(str::to_owned).collect())
    }
}
