//! `stagesetctl why` of folders, and of a cluster: a simulated one, behind the proxy of whose API server
//! a Service offers the artifact.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use jiff::Timestamp;
use kube::client::Body;
use serde_json::json;
use stageset_cluster::{Connection, StageSetKey};
use stageset_core::Lacking;
use stageset_core::identity::{Identity, Target, Tenancy};
use stageset_core::names::{Namespace, ServiceAccountName, StageName};
use stageset_render::{Tree, pack};
use stageset_sim::{SimulatedCluster, User};
use stagesetctl::why::{Answer, Condition, answer, text};
use tower::{ServiceExt as _, service_fn};

use crate::harness::{Ended, stagesetctl};

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
    asked(proxied(&cluster, packed, proxy)).await
}

fn proxied(cluster: &SimulatedCluster, packed: Bytes, proxy: StatusCode) -> Connection {
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
    Connection::from_service(service)
}

async fn asked(connection: Connection) -> String {
    let key = StageSetKey::new("shop", "web");
    text(&[answer(connection, "", key).await.unwrap()])
}

#[tokio::test]
async fn an_artifact_inside_the_cluster_is_had_through_the_api_server() {
    let printed = why(URL, StatusCode::OK).await;
    assert!(printed.contains("nothing is said of it yet"), "{printed}");
    assert!(printed.contains("nothing binds"), "{printed}");
    // What is lacking says it all.
    assert!(!printed.contains("asked once more"), "{printed}");
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

/// Grants an account of the simulated cluster everything.
fn grant(cluster: &SimulatedCluster) {
    let rules = json!([{ "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] }]);
    for object in [
        json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
                "metadata": { "namespace": "shop", "name": "deployer" }, "rules": rules }),
        json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
                "metadata": { "namespace": "shop", "name": "deployer" },
                "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "deployer" },
                "subjects": [{ "kind": "ServiceAccount", "name": "deployer", "namespace": "shop" }] }),
    ] {
        cluster.apply_yaml_value(&object).unwrap();
    }
}

/// Records what a controller said last.
fn said(cluster: &SimulatedCluster, status: &str, reason: &str, message: &str) {
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({ "type": kind, "status": status, "reason": reason, "message": message,
                "lastTransitionTime": "2026-01-01T00:00:00Z" })
    };
    let status = json!({ "conditions": [
        condition("Reconciling", "True", "Progressing", "not this one"),
        condition("Ready", status, reason, message),
    ] });
    cluster
        .patch_status("stages.metio.wtf/v1", "StageSet", "shop", "web", &status)
        .unwrap();
}

#[tokio::test]
async fn what_the_controller_said_is_told_and_said_once() {
    let (cluster, packed) = world(URL);
    let connection = || proxied(&cluster, packed.clone(), StatusCode::NOT_FOUND);
    said(&cluster, "True", "Succeeded", "all\nis well");
    let printed = asked(connection()).await;
    let (first, rest) = printed.split_once("# asked once more").unwrap();
    assert_eq!(
        first,
        "# StageSet shop/web: Ready=True Succeeded\n#   all is well\n"
    );
    assert!(rest.contains("it answered 404"), "{rest}");
    // Another look comes to the same.
    let key = StageSetKey::new("shop", "web");
    let found = answer(connection(), "", key).await.unwrap();
    let now = found.now.unwrap();
    said(&cluster, &now.status, &now.reason, &now.message);
    let printed = asked(connection()).await;
    assert!(printed.contains("it answered 404"), "{printed}");
    assert!(!printed.contains("asked once more"), "{printed}");
}

#[tokio::test]
async fn where_nothing_is_in_the_way_nothing_is_said_to_be() {
    let (cluster, packed) = world(URL);
    grant(&cluster);
    said(&cluster, "True", "Succeeded", "all is well");
    let ask = async || {
        let connection = proxied(&cluster, packed.clone(), StatusCode::OK);
        let key = StageSetKey::new("shop", "web");
        answer(connection, "", key).await.unwrap()
    };
    let found = ask().await;
    assert_eq!(found.now, None, "it would write, which stops nothing");
    assert!(found.lacking.is_empty() && found.is_ready());
    let mut set = cluster
        .get("stages.metio.wtf/v1", "StageSet", "shop", "web")
        .unwrap();
    set["spec"]["suspend"] = json!(true);
    cluster.apply_yaml_value(&set).unwrap();
    assert_eq!(ask().await.now.unwrap().reason, "Suspended");
}

#[tokio::test]
async fn a_stage_set_that_is_not_there_is_not_explained() {
    let (cluster, _) = world(URL);
    let connection = Connection::from_service(cluster.door(User::admin()));
    let refused = answer(connection, "", StageSetKey::new("shop", "none")).await;
    let said = refused.unwrap_err().to_string();
    assert!(said.contains("there is no StageSet shop/none"), "{said}");
}

#[tokio::test]
async fn addresses_are_opened_by_those_who_ask() {
    let (cluster, _) = world("http://127.0.0.1:1/a.tar.gz");
    let why = async |opened: &str| {
        let connection = Connection::from_service(cluster.door(User::admin()));
        answer(connection, opened, StageSetKey::new("shop", "web")).await
    };
    let message = async |opened: &str| why(opened).await.unwrap().now.unwrap().message;
    assert_ne!(message("").await, message("127.0.0.1/32").await);
    let wrong = why("127.0.0.1/64").await.unwrap_err().to_string();
    assert!(wrong.contains("--allow-artifact-addresses"), "{wrong}");
}

#[test]
fn only_what_is_ready_and_lacks_nothing_is_ready() {
    let (_, lacking) = of_example("missing-right");
    assert!(lacking.contains("kind: Role\n"), "{lacking}");
    let answer = |ready: Option<&str>| Answer {
        stage_set: StageSetKey::new("shop", "web"),
        ready: ready.map(|status| Condition {
            status: status.into(),
            reason: "Any".into(),
            message: "any".into(),
        }),
        now: None,
        lacking: Vec::new(),
    };
    assert!(answer(Some("True")).is_ready());
    for other in [Some("False"), Some("Unknown"), None] {
        assert!(!answer(other).is_ready(), "{other:?}");
    }
    let namespace = Namespace::new("shop").unwrap();
    let account = ServiceAccountName::new("deployer").unwrap();
    let identity = Identity::resolve(Tenancy::Multi, &namespace, Some(&account), &Target::Local);
    let mut delivered_before = answer(Some("True"));
    delivered_before.lacking.push(Lacking {
        stage: StageName::new("only").unwrap(),
        identity: identity.unwrap(),
        rights: Vec::new(),
        unbound: false,
    });
    assert!(!delivered_before.is_ready(), "it would be denied now");
}

fn of_example(name: &str) -> (Option<i32>, String) {
    let Ended {
        code,
        stdout,
        stderr,
    } = stagesetctl(&["why", "--dir", &format!("examples/{name}")]);
    assert_eq!(stderr, "", "{name}");
    (code, stdout)
}

#[test]
fn a_folder_is_run_to_its_end_and_what_is_lacking_then_is_printed() {
    let (code, printed) = of_example("missing-right");
    assert_eq!(code, Some(1), "{printed}");
    for said in [
        "# StageSet reports/reports: Ready=False RBACDenied\n",
        "# stage app acts as system:serviceaccount:reports:deployer; this allows exactly what it lacks:\n---\n",
        r#"resourceNames: ["reports"]"#,
        "kind: RoleBinding\n",
    ] {
        assert!(printed.contains(said), "no {said:?} in {printed}");
    }
    assert!(!printed.contains("nothing binds"), "{printed}");
    let (code, healed) = of_example("grant-heals");
    assert_eq!(code, Some(0), "{healed}");
    assert!(healed.contains("Ready=True Succeeded"), "{healed}");
    assert!(!healed.contains("kind: Role"), "granted since: {healed}");
    let (code, invalid) = of_example("invalid-spec");
    assert_eq!(code, Some(1), "{invalid}");
    assert!(invalid.contains("Ready=False InvalidSpec"), "{invalid}");
}

#[test]
fn of_several_each_is_told_by_itself_and_one_that_is_not_ready_counts() {
    let (code, printed) = of_example("two-tenants");
    assert_eq!(code, Some(1), "{printed}");
    let (a, b) = printed.split_once("# StageSet team-b/team-b").unwrap();
    assert!(a.starts_with("# StageSet team-a/team-a: Ready=True"), "{a}");
    assert!(!a.contains("kind:"), "{a}");
    assert!(b.starts_with(": Ready=False RBACDenied"), "{b}");
    assert!(b.contains("kind: Role\n"), "{b}");
}

#[test]
fn why_asks_for_a_name_or_a_folder() {
    let ended = stagesetctl(&["why"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("<NAME>"), "{ended:?}");
}

/// What servers and tenants say stands in comments, and the output is meant to be applied.
#[test]
fn no_message_gets_out_of_its_comment() {
    let odd = |status: &str| Condition {
        status: status.into(),
        reason: "a\nb".into(),
        message: "c\nd\re\u{85}f\u{2028}g\u{2029}h".into(),
    };
    let answer = Answer {
        stage_set: StageSetKey::new("shop", "web"),
        ready: Some(odd("True")),
        now: Some(odd("False")),
        lacking: Vec::new(),
    };
    assert_eq!(
        text(&[answer]),
        "# StageSet shop/web: Ready=True a b\n#   c d e f g h\n\
         # asked once more from here, as you: a b\n#   c d e f g h\n"
    );
}
