//! Objects that somebody else made: the Go controller, kubectl, Helm (K14).

use std::time::Duration;

use http::{HeaderMap, Method};
use serde_json::{Value, json};
use stageset_cluster::Wake;
use stageset_sim::{Reply, Request, User};

use crate::world::{World, config_map, tenant_plane};

/// Writes an object as somebody else does.
fn write(world: &World, method: Method, path: &str, content_type: &str, body: &Value) -> Value {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", content_type.parse().unwrap());
    let Reply::Response(reply) = world.cluster.handle(&Request {
        method,
        uri: path.parse().unwrap(),
        headers,
        body: body.to_string().into_bytes().into(),
        user: User::admin(),
    }) else {
        panic!("{path} answers with a stream");
    };
    assert!(reply.status.is_success(), "{path}: {:?}", reply.value());
    reply.value().unwrap()
}

const CONFIG_MAPS: &str = "/api/v1/namespaces/shop/configmaps";

fn stale(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name, "namespace": "shop" },
        "data": { "key": "old", "removed": "since" },
    })
}

fn managers(object: &Value) -> Vec<(String, String)> {
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap().to_owned();
    let mut managers: Vec<_> = entries
        .iter()
        .map(|entry| (text(entry, "manager"), text(entry, "operation")))
        .collect();
    managers.sort();
    managers
}

#[tokio::test(start_paused = true)]
async fn k14_what_kubectl_and_helm_made_is_adopted_and_fields_removed_later_really_go() {
    let mut world = World::new().await;
    // kubectl apply, on the client's side.
    let path = format!("{CONFIG_MAPS}?fieldManager=kubectl-client-side-apply");
    write(
        &world,
        Method::POST,
        &path,
        "application/json",
        &stale("client-side"),
    );
    // kubectl apply --server-side, and Helm, which both apply.
    for (name, manager) in [("server-side", "kubectl"), ("helm-4", "helm")] {
        let path = format!("{CONFIG_MAPS}/{name}?fieldManager={manager}&force=true");
        let body = stale(name);
        write(
            &world,
            Method::PATCH,
            &path,
            "application/apply-patch+yaml",
            &body,
        );
    }
    // Helm 3, which creates and patches.
    let path = format!("{CONFIG_MAPS}?fieldManager=helm");
    write(
        &world,
        Method::POST,
        &path,
        "application/json",
        &stale("helm-3"),
    );
    let names = ["client-side", "server-side", "helm-4", "helm-3"];
    let uid =
        |world: &World, name: &str| world.config_map(name).unwrap()["metadata"]["uid"].clone();
    let before: Vec<Value> = names.iter().map(|name| uid(&world, name)).collect();

    let files: Vec<(String, String)> = names
        .iter()
        .map(|name| (format!("{name}.yaml"), config_map(name, "new")))
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    world.publish("app", "r1", &files);
    world.stage_set("web", &["app"]);
    world.until_ready("web").await;
    for (name, before) in names.iter().zip(before) {
        let object = world.config_map(name).unwrap();
        assert_eq!(object["data"], json!({ "key": "new" }), "{name}");
        assert_eq!(object["metadata"]["uid"], before, "{name} was recreated");
        assert_eq!(
            managers(&object),
            [("stageset-controller".to_owned(), "Apply".to_owned())],
            "{name}"
        );
    }
    let log = world.log.text();
    assert_eq!(log.matches("take over ConfigMap").count(), 4, "{log}");
}

#[tokio::test(start_paused = true)]
async fn k14_a_stageset_of_the_go_controller_goes_on_without_a_write_to_any_object() {
    let mut world = World::new().await;
    world.publish("app", "r1", &[("a.yaml", &config_map("settings", "one"))]);
    // As the reference implementation leaves it: its labels, its field manager, its inventory without
    // our additions, its status.
    let path = format!("{CONFIG_MAPS}/settings?fieldManager=stageset-controller&force=true");
    write(
        &world,
        Method::PATCH,
        &path,
        "application/apply-patch+yaml",
        &json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": "settings", "namespace": "shop", "labels": {
                "stages.metio.wtf/name": "web", "stages.metio.wtf/namespace": "shop",
                "stages.metio.wtf/stage": "app",
            }},
            "data": { "key": "one" },
        }),
    );
    let set = world.stage_set("web", &["app"]);
    let name = stageset_api::inventory::shard_name("web", "app", 0);
    world.apply(&json!({
        "apiVersion": "stages.metio.wtf/v1", "kind": "StageInventory",
        "metadata": { "name": name, "namespace": "shop",
            "labels": {
                "stages.metio.wtf/stage-set": "web", "stages.metio.wtf/stage": "app",
                "stages.metio.wtf/shard": "0",
            },
            "ownerReferences": [{
                "apiVersion": "stages.metio.wtf/v1", "kind": "StageSet", "name": "web",
                "uid": set["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "spec": { "stagePosition": 0, "entries": [{ "id": "shop_settings__ConfigMap", "v": "v1" }] },
    }));
    world
        .cluster
        .patch_status(
            "stages.metio.wtf/v1",
            "StageSet",
            "shop",
            "web",
            &json!({
                "observedGeneration": 1,
                "lastAttemptedRevisions": { "shop/app": "r1" },
                "lastAppliedRevisions": { "shop/app": "r1" },
                "stages": [{ "name": "app", "phase": "Ready", "appliedRevision": "r1", "entriesCount": 1 }],
                "conditions": [{
                    "type": "Ready", "status": "True", "reason": "Succeeded", "observedGeneration": 1,
                    "message": "Applied and verified 1 stage(s)",
                    "lastTransitionTime": "2026-11-01T00:00:00Z",
                }],
            }),
        )
        .unwrap();
    let before = world.config_map("settings").unwrap();
    let refresh = Wake {
        refresh: true,
        hints: Vec::new(),
    };
    world.pass("web", refresh).await;
    world
        .run_until("web", Duration::from_secs(60), |world| {
            world.object("web").unwrap()["status"]["stages"][0]["run"].is_string()
        })
        .await;
    assert_eq!(
        world.ready("web"),
        "True Succeeded",
        "{}",
        world.message("web")
    );
    assert_eq!(
        world.config_map("settings").unwrap(),
        before,
        "the object was written"
    );
    let requests = world.requests();
    let writes: Vec<_> = tenant_plane(&requests)
        .into_iter()
        .filter(|record| record.verb != "get" && !record.dry_run)
        // A question about one's own rights is sent as a create, and creates nothing.
        .filter(|record| record.group != "authorization.k8s.io")
        .collect();
    assert!(writes.is_empty(), "{writes:#?}");
    assert_eq!(
        world.inventories().len(),
        1,
        "its inventory was taken for somebody else's"
    );
}
