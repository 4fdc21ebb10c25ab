//! A watch of StageSets that is behind what was read or written.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use stageset_api::names::KIND_STAGE_SET;
use stageset_cluster::ports::{Watched, WatchedList, WatchedObjects};
use stageset_cluster::{StageSetKey, Wake};
use stageset_core::identity::Identity;
use stageset_core::object::{GroupVersionKind, ObjectKey};

use crate::watching::{about_inventories, until_ready_by_events, watched_world};
use crate::world::{Stores, World, config_map};

/// Stores whose watch of StageSets is behind: it shows one as it was.
struct Behind(Stores, Value);

impl WatchedObjects for Behind {
    fn get(&self, kind: &GroupVersionKind, namespace: &str, name: &str) -> Watched {
        if kind.kind == KIND_STAGE_SET {
            return Watched::Synced(Some(self.1.clone().into()));
        }
        self.0.get(kind, namespace, name)
    }

    fn list(&self, kind: &GroupVersionKind, namespace: &str) -> WatchedList {
        self.0.list(kind, namespace)
    }

    fn covers(&self, identity: &Identity, object: &ObjectKey, version: &str) -> bool {
        self.0.covers(identity, object, version)
    }

    fn inventories(&self, stage_set: &StageSetKey) -> Option<BTreeSet<String>> {
        self.0.inventories(stage_set)
    }
}

/// The seed 292 of the trials at level wire: each look took the older StageSet for news, and the teardown
/// listed the inventories for ever.
#[tokio::test(start_paused = true)]
async fn a_watch_that_is_behind_what_was_read_tells_nothing() {
    let mut world = watched_world().await;
    world.publish("one", "r1", &[("a.yaml", &config_map("one", "first"))]);
    world.stage_set("web", &["one"]);
    until_ready_by_events(&mut world, "web").await;
    let before = world.object("web").unwrap();
    world
        .cluster
        .delete("stages.metio.wtf/v1", "StageSet", "shop", "web")
        .unwrap();
    let stores = Stores {
        cluster: world.cluster.clone(),
        covers: true,
        shows_no_inventories: Arc::default(),
    };
    world.ports.watched = Arc::new(Behind(stores, before));
    let since = world.requests().len();
    world
        .run_until("web", Duration::from_secs(60), |world| {
            world.object("web").is_none()
        })
        .await;
    assert!(world.config_map("one").is_none());
    let (lists, _) = about_inventories(&world, since);
    assert!(lists <= 3, "{lists}");
}

/// Level wire, seed 110473: what was remembered of the inventories was older than the last write to them, and the
/// StageSet's deletion came with the object that a pass begins with.
#[tokio::test(start_paused = true)]
async fn what_is_torn_down_is_what_the_inventories_hold_when_the_deletion_is_seen() {
    let mut world = World::new().await;
    world.stage_set("web", &["app"]);
    // It knows that there is no inventory, and waits for the source.
    world.pass("web", Wake::default()).await;
    world.publish("app", "r1", &[("a.yaml", &config_map("late", "one"))]);
    for _ in 0..5 {
        // Another process delivers.
        let object = world.object("web").unwrap();
        world.pass_of(object).await;
    }
    assert!(world.config_map("late").is_some());
    world
        .cluster
        .delete("stages.metio.wtf/v1", "StageSet", "shop", "web")
        .unwrap();
    world
        .run_until("web", Duration::from_secs(60), |world| {
            world.object("web").is_none()
        })
        .await;
    assert!(world.config_map("late").is_none(), "it was left behind");
}
