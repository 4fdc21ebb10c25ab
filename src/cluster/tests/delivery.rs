//! A release from its source to the cluster, and out of it again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use stageset_cluster::{End, Observer, Outcome, StageSetKey, Wake};
use stageset_core::plan::Need;
use stageset_core::time::Timestamp;
use stageset_sim::SimulatedCluster;

use crate::world::{TENANT, World, config_map, deployment, tenant_plane};

fn two_stages(world: &World, revision: &str, value: &str) {
    world.publish(
        "config",
        revision,
        &[("config.yaml", &config_map("settings", value))],
    );
    world.publish(
        "app",
        revision,
        &[
            (
                "web.yaml",
                &deployment("web", &format!("web:{value}"), "ready-after=5s"),
            ),
            ("extra.yaml", &config_map("extra", value)),
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn a_release_is_delivered_updated_pruned_and_torn_down() {
    let mut world = World::new().await;
    two_stages(&world, "r1", "one");
    world.stage_set("web", &["config", "app"]);
    world.until_ready("web").await;
    assert_eq!(world.config_map("settings").unwrap()["data"]["key"], "one");
    let web = world
        .cluster
        .get("apps/v1", "Deployment", "shop", "web")
        .unwrap();
    assert_eq!(web["metadata"]["labels"]["stages.metio.wtf/name"], "web");
    assert_eq!(world.inventories().len(), 2);

    // An update that drops an object.
    world.publish(
        "config",
        "r2",
        &[("config.yaml", &config_map("settings", "two"))],
    );
    world.publish(
        "app",
        "r2",
        &[("web.yaml", &deployment("web", "web:two", "ready-after=5s"))],
    );
    let refresh = Wake {
        refresh: true,
        hints: Vec::new(),
    };
    world.pass("web", refresh).await;
    world
        .run_until("web", Duration::from_secs(120), |world| {
            world.config_map("extra").is_none()
                && world.ready("web") == "True Succeeded"
                && world.object("web").unwrap()["status"]["lastAppliedRevisions"]["shop/app"]
                    == "r2"
        })
        .await;
    assert_eq!(world.config_map("settings").unwrap()["data"]["key"], "two");

    world
        .cluster
        .delete("stages.metio.wtf/v1", "StageSet", "shop", "web")
        .unwrap();
    world
        .run_until("web", Duration::from_secs(120), |world| {
            world.object("web").is_none()
        })
        .await;
    assert!(world.config_map("settings").is_none());
    assert!(
        world
            .cluster
            .get("apps/v1", "Deployment", "shop", "web")
            .is_none()
    );

    let requests = world.requests();
    let refused: Vec<_> = requests
        .iter()
        .filter(|record| record.code == 403)
        .collect();
    assert_eq!(refused, Vec::<&stageset_sim::AuditRecord>::new());
    for record in tenant_plane(&requests) {
        assert_eq!(record.impersonated.as_deref(), Some(TENANT), "{record:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_release_is_not_written_again() {
    let mut world = World::new().await;
    two_stages(&world, "r1", "one");
    world.stage_set("web", &["config", "app"]);
    world.until_ready("web").await;
    let before = world.requests().len();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(600)).await;
        let pass = world
            .pass(
                "web",
                Wake {
                    refresh: true,
                    hints: Vec::new(),
                },
            )
            .await;
        assert!(
            matches!(pass.next, End::Hold { refresh: true, .. }),
            "{:?}",
            pass.next
        );
    }
    let requests = world.requests().split_off(before);
    let writes: Vec<_> = requests
        .iter()
        .filter(|record| !["get", "list"].contains(&record.verb.as_str()) && !record.dry_run)
        .collect();
    assert_eq!(writes, Vec::<&stageset_sim::AuditRecord>::new());
}

#[tokio::test(start_paused = true)]
async fn drift_is_found_and_corrected() {
    let mut world = World::new().await;
    two_stages(&world, "r1", "one");
    world.stage_set("web", &["config", "app"]);
    world.until_ready("web").await;
    let patch = json!({ "data": { "key": "edited" } });
    world
        .cluster
        .patch("v1", "ConfigMap", "shop", "settings", &patch)
        .unwrap();
    world
        .cluster
        .delete("v1", "ConfigMap", "shop", "extra")
        .unwrap();
    tokio::time::sleep(Duration::from_secs(600)).await;
    world
        .pass(
            "web",
            Wake {
                refresh: true,
                hints: Vec::new(),
            },
        )
        .await;
    assert_eq!(world.config_map("settings").unwrap()["data"]["key"], "one");
    assert_eq!(world.config_map("extra").unwrap()["data"]["key"], "one");
}

#[tokio::test(start_paused = true)]
async fn a_crash_after_any_request_loses_nothing() {
    let mut world = World::new().await;
    two_stages(&world, "r1", "one");
    let mut survived = 0;
    loop {
        // Each of a release's few dozen requests is the last one before a crash once.
        survived += 1;
        world.stage_set("web", &["config", "app"]);
        let died = crate::faults::crash_after(&mut world, "web", survived).await;
        world.crash();
        world
            .cluster
            .delete("stages.metio.wtf/v1", "StageSet", "shop", "web")
            .unwrap();
        world
            .run_until("web", Duration::from_secs(300), |world| {
                world.object("web").is_none()
            })
            .await;
        for name in ["settings", "extra"] {
            let orphan = world.config_map(name);
            assert!(
                orphan.is_none(),
                "{name} was orphaned after {survived} requests"
            );
        }
        let web = world.cluster.get("apps/v1", "Deployment", "shop", "web");
        assert!(
            web.is_none(),
            "the Deployment was orphaned after {survived} requests"
        );
        world.crash();
        tokio::time::sleep(Duration::from_secs(10)).await;
        if !died {
            break;
        }
    }
    assert!(survived > 15, "only {survived} requests were tried");
}

#[tokio::test(start_paused = true)]
async fn a_definition_and_its_objects_go_out_in_one_release() {
    let mut world = World::new().await;
    world.apply(&json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": { "name": "deployer" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin" },
        "subjects": [{ "kind": "ServiceAccount", "namespace": "shop", "name": "deployer" }],
    }));
    let definition = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  \
         name: widgets.example.org\nspec:\n  group: example.org\n  scope: Namespaced\n  names: {kind: \
         Widget, plural: widgets, singular: widget, listKind: WidgetList}\n  versions:\n  - name: v1\n    \
         served: true\n    storage: true\n    schema:\n      openAPIV3Schema: {type: object, \
         x-kubernetes-preserve-unknown-fields: true}\n";
    let widget =
        "apiVersion: example.org/v1\nkind: Widget\nmetadata:\n  name: one\nspec: {size: 1}\n";
    world.publish("app", "r1", &[("a.yaml", definition), ("b.yaml", widget)]);
    world.stage_set("web", &["app"]);
    world.until_ready("web").await;
    let widget = world
        .cluster
        .get("example.org/v1", "Widget", "shop", "one")
        .unwrap();
    assert_eq!(widget["spec"]["size"], 1);
}

/// Takes an entry out of an inventory once the inventories have been listed for the first time.
struct Meddles {
    cluster: SimulatedCluster,
    inventory: String,
    done: AtomicBool,
}

impl Observer for Meddles {
    fn need(&self, _: Timestamp, _: &StageSetKey, need: &Need, _: &Outcome) {
        if matches!(need, Need::Inventories) && !self.done.swap(true, Ordering::Relaxed) {
            let nothing = json!({ "spec": { "entries": [] } });
            self.cluster
                .patch(
                    "stages.metio.wtf/v1",
                    "StageInventory",
                    "shop",
                    &self.inventory,
                    &nothing,
                )
                .unwrap();
        }
    }
}

/// Two inventories hold an object, one of a stage that is no more. That one goes only while the other still holds it,
/// which its version tells, though nothing has to be written to it (D1).
#[tokio::test(start_paused = true)]
async fn an_inventory_that_others_rest_on_is_asked_for_by_its_version_before_they_go() {
    let mut world = World::new().await;
    world.publish("app", "r1", &[("a.yaml", &config_map("a", "one"))]);
    world.stage_set("web", &["app"]);
    world.until_ready("web").await;
    let kept = world.inventories().remove(0);
    let mut former = kept.clone();
    former["metadata"] = json!({
        "name": "web-former-00", "namespace": "shop",
        "labels": kept["metadata"]["labels"], "ownerReferences": kept["metadata"]["ownerReferences"],
    });
    former["metadata"]["labels"]["stages.metio.wtf/stage"] = "former".into();
    world.apply(&former);
    world.crash();
    world.ports.observer = Arc::new(Meddles {
        cluster: world.cluster.clone(),
        inventory: kept["metadata"]["name"].as_str().unwrap().to_owned(),
        done: AtomicBool::new(false),
    });
    let since = world.requests().len();
    world
        .run_until("web", Duration::from_secs(60), |world| {
            world.inventories().len() == 1
        })
        .await;
    let requests = world.requests().split_off(since);
    let about = requests
        .iter()
        .filter(|request| request.resource == "stageinventories");
    let writes: Vec<(&str, u16)> = about
        .filter(|request| !matches!(request.verb.as_str(), "list" | "get" | "watch"))
        .map(|request| (request.verb.as_str(), request.code))
        .collect();
    let refused = writes.iter().position(|write| *write == ("patch", 409));
    let deleted = writes.iter().position(|(verb, _)| *verb == "delete");
    assert!(refused.is_some() && refused < deleted, "{writes:?}");
    let entries = world.inventories().remove(0)["spec"]["entries"].clone();
    assert_eq!(entries.as_array().map(Vec::len), Some(1), "{entries}");
}
