//! `stagesetctl why` of a cluster: a simulated one, behind the proxy of whose API server a Service
//! offers the artifact.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use jiff::Timestamp;
use kube::client::Body;
use serde_json::json;
use stageset_cluster::{Connection, StageSetKey};
use stageset_render::{Tree, pack};
use stageset_sim::{SimulatedCluster, User};
use stagesetctl::why::{answer, text};
use tower::{ServiceExt as _, service_fn};

const PROXIED: &str =
    "/api/v1/namespaces/flux-system/services/http:source-controller:80/proxy/a.tar.gz";
const URL: &str = "http://source-controller.flux-system.svc.cluster.local./a.tar.gz";

/// A StageSet whose account may do nothing.
fn world(url: &str) -> (SimulatedCluster, Bytes) {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let cluster = SimulatedCluster::new(start, 1);
    let sources = include_str!("../src/simulation/sources.yaml");
    cluster.load_yaml(sources).unwrap();
    for definition in stageset_api::crd::definitions() {
        cluster.apply_yaml_value(&definition.definition).unwrap();
    }
    cluster.with_server(|server| server.advance(start + Duration::from_secs(5)));
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n";
    let tree = Tree::from_files([("settings.yaml", map.as_bytes())]).unwrap();
    let (packed, digest) = pack(&tree);
    for object in [
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop" } }),
        json!({ "apiVersion": "v1", "kind": "ServiceAccount",
                "metadata": { "namespace": "shop", "name": "deployer" } }),
        json!({ "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
                "metadata": { "namespace": "shop", "name": "app" }, "spec": {} }),
        json!({ "apiVersion": "stages.metio.wtf/v1", "kind": "StageSet",
                "metadata": { "namespace": "shop", "name": "web",
                              "finalizers": ["stages.metio.wtf/finalizer"] },
                "spec": { "serviceAccountName": "deployer",
                          "stages": [{ "name": "only", "sourceRef": { "kind": "GitRepository", "name": "app" } }] } }),
    ] {
        cluster.apply_yaml_value(&object).unwrap();
    }
    let status = json!({
        "observedGeneration": 1,
        "conditions": [{ "type": "Ready", "status": "True", "reason": "Succeeded", "message": "",
                         "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1 }],
        "artifact": { "url": url, "digest": digest.to_string(), "revision": "v1", "path": "a.tar.gz",
                      "size": packed.len(), "lastUpdateTime": "2026-01-01T00:00:00Z" },
    });
    cluster
        .patch_status(
            "source.toolkit.fluxcd.io/v1",
            "GitRepository",
            "shop",
            "app",
            &status,
        )
        .unwrap();
    (cluster, Bytes::from(packed))
}

/// What is printed, where the proxy answers so. The API server's proxy is the one
/// thing here that the simulator doesn't have.
async fn why(url: &str, proxy: StatusCode) -> String {
    let (cluster, packed) = world(url);
    let door = cluster.door(User::admin());
    let service = service_fn(move |request: Request<Body>| {
        let (door, packed) = (door.clone(), packed.clone());
        async move {
            if request.uri().path() == PROXIED {
                let mut response = Response::new(Full::new(packed).boxed());
                *response.status_mut() = proxy;
                return Ok::<_, Infallible>(response);
            }
            let response = door.oneshot(request).await.unwrap();
            let (parts, body) = response.into_parts();
            let bytes = body.collect().await.unwrap().to_bytes();
            Ok(Response::from_parts(parts, Full::new(bytes).boxed()))
        }
    });
    asked(Connection::from_service(service)).await
}

async fn asked(connection: Connection) -> String {
    let key = StageSetKey::new("shop", "web");
    text(&[answer(connection, "", key).await.unwrap()])
}

#[tokio::test]
async fn an_artifact_inside_the_cluster_is_had_through_the_api_server() {
    let printed = why(URL, StatusCode::OK).await;
    assert!(printed.contains("nothing binds"), "{printed}");
    assert!(printed.contains("kind: RoleBinding"), "{printed}");
    assert!(
        printed.contains(r#"resourceNames: ["settings"]"#),
        "{printed}"
    );
}

#[tokio::test]
async fn what_stops_the_look_itself_is_said() {
    let printed = why(URL, StatusCode::FORBIDDEN).await;
    assert!(
        printed.contains("asked once more from here, as you: StageFailed")
            && printed.contains("services/proxy"),
        "{printed}"
    );
    assert!(!printed.contains("kind: Role"), "{printed}");
    let printed = why("http://127.0.0.1:1/a.tar.gz", StatusCode::OK).await;
    assert!(printed.contains("127.0.0.1"), "{printed}");
}

#[tokio::test]
async fn what_a_teardown_lacks_is_printed_too() {
    let (cluster, _) = world(URL);
    let set = cluster.get("stages.metio.wtf/v1", "StageSet", "shop", "web");
    let uid = set.unwrap()["metadata"]["uid"].clone();
    for object in [
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": {
            "namespace": "shop", "name": "settings",
            "labels": { "stages.metio.wtf/name": "web", "stages.metio.wtf/namespace": "shop" } } }),
        json!({ "apiVersion": "stages.metio.wtf/v1", "kind": "StageInventory", "metadata": {
            "namespace": "shop", "name": "web-only-00",
            "labels": { "stages.metio.wtf/stage-set": "web", "stages.metio.wtf/stage": "only" },
            "ownerReferences": [{ "apiVersion": "stages.metio.wtf/v1", "kind": "StageSet",
                                  "name": "web", "uid": uid }] },
            "spec": { "stageSetName": "web", "stageName": "only", "shardIndex": 0,
                      "entries": [{ "id": "shop_settings__ConfigMap", "v": "v1" }] } }),
    ] {
        cluster.apply_yaml_value(&object).unwrap();
    }
    cluster
        .delete("stages.metio.wtf/v1", "StageSet", "shop", "web")
        .unwrap();
    let printed = asked(Connection::from_service(cluster.door(User::admin()))).await;
    assert!(
        printed.contains(r#"resourceNames: ["settings"]"#)
            && printed.contains(r#"verbs: ["delete", "get"]"#),
        "{printed}"
    );
}
