//! Commands on a cluster, tried on a simulated one.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use stageset_sim::{SimulatedCluster, User};
use stagesetctl::arguments::{Command, Request, parse};
use stagesetctl::connection::Cluster;
use stagesetctl::error::CommandError;
use stagesetctl::live::{Get, Reconcile, get, reconcile, resume, suspend};

pub(crate) fn world() -> (SimulatedCluster, Cluster) {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let cluster = SimulatedCluster::new(start, 1);
    for definition in stageset_api::crd::definitions() {
        cluster.apply_yaml_value(&definition.definition).unwrap();
    }
    cluster.with_server(|server| server.advance(start + Duration::from_secs(5)));
    let namespace =
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop" } });
    cluster.apply_yaml_value(&namespace).unwrap();
    let client = kube::Client::new(cluster.door(User::admin()), "default");
    let connected = Cluster::new(client, "shop");
    (cluster, connected)
}

fn stage_set(cluster: &SimulatedCluster, name: &str, suspend: bool) {
    cluster
        .apply_yaml_value(&json!({
            "apiVersion": "stages.metio.wtf/v1", "kind": "StageSet",
            "metadata": { "namespace": "shop", "name": name },
            "spec": {
                "suspend": suspend, "serviceAccountName": "deployer",
                "stages": [
                    { "name": "db", "sourceRef": { "name": "db" } },
                    { "name": "app", "sourceRef": { "name": "app" } },
                ],
            },
        }))
        .unwrap();
}

fn say(cluster: &SimulatedCluster, name: &str, status: &Value) {
    cluster
        .patch_status("stages.metio.wtf/v1", "StageSet", "shop", name, status)
        .unwrap();
}

fn found(cluster: &SimulatedCluster, name: &str) -> Value {
    cluster
        .get("stages.metio.wtf/v1", "StageSet", "shop", name)
        .unwrap()
}

fn get_options(words: &[&str]) -> Get {
    let words = ["stagesetctl", "get"].iter().chain(words).map(Into::into);
    match parse(words).unwrap() {
        Request::Run(Command::Get(options)) => options,
        other => panic!("{other:?}"),
    }
}

fn reconcile_options(words: &[&str]) -> Reconcile {
    let words = ["stagesetctl", "reconcile"]
        .iter()
        .chain(words)
        .map(Into::into);
    match parse(words).unwrap() {
        Request::Run(Command::Reconcile(options)) => options,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn get_prints_a_line_for_each_and_a_block_for_one() {
    let (cluster, connected) = world();
    let listed = get(&connected, &get_options(&[])).await.unwrap();
    assert_eq!(listed, "No StageSets found.\n");
    stage_set(&cluster, "web", false);
    stage_set(&cluster, "old", true);
    say(
        &cluster,
        "web",
        &json!({
            "conditions": [{
                "type": "Ready", "status": "False", "reason": "StageProgressing",
                "message": "stage app: waiting", "lastTransitionTime": "2026-01-01T00:00:00Z",
            }],
            "stages": [
                { "name": "db", "phase": "Ready", "appliedRevision": "v1", "entriesCount": 2 },
                { "name": "app", "phase": "Verifying", "appliedRevision": "v1", "entriesCount": 1 },
            ],
        }),
    );
    let listed = get(&connected, &get_options(&["-A"])).await.unwrap();
    insta::assert_snapshot!(listed, @r"
    NAMESPACE   NAME   READY     REASON             STAGES   VERSION   PENDING
    shop        old    Unknown   -                  0/2      -         -
    shop        web    False     StageProgressing   1/2      -         -
    ");
    let one = get(&connected, &get_options(&["web"])).await.unwrap();
    insta::assert_snapshot!(one, @r"
    Name:        web
    Namespace:   shop
    Ready:       False
    Reason:      StageProgressing
    Message:     stage app: waiting
    Stages:      1/2
    Version:     -
    Pending:     -

    NAME   PHASE       REVISION   ENTRIES
    db     Ready       v1         2
    app    Verifying   v1         1
    ");
    let data = get(&connected, &get_options(&["web", "-o", "json"]))
        .await
        .unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&data).unwrap(),
        found(&cluster, "web")
    );
    let text = get(&connected, &get_options(&["web", "-o", "yaml"]))
        .await
        .unwrap();
    assert!(text.contains("serviceAccountName: deployer"), "{text}");
    let absent = get(&connected, &get_options(&["none"])).await.unwrap_err();
    assert_eq!(absent.to_string(), "StageSet shop/none doesn't exist");
}

#[tokio::test]
async fn suspend_and_resume_set_the_field_and_nothing_else() {
    let (cluster, connected) = world();
    stage_set(&cluster, "web", false);
    let said = suspend(&connected, "web").await.unwrap();
    assert_eq!(said, "StageSet shop/web suspended\n");
    assert_eq!(found(&cluster, "web")["spec"]["suspend"], true);
    let said = suspend(&connected, "web").await.unwrap();
    assert_eq!(said, "StageSet shop/web is suspended already\n");
    let said = resume(&connected, "web").await.unwrap();
    assert_eq!(said, "StageSet shop/web resumed\n");
    assert_eq!(found(&cluster, "web")["spec"]["suspend"], false);
    assert!(resume(&connected, "none").await.is_err());
}

#[tokio::test]
async fn reconcile_asks_once_and_refuses_what_would_be_ignored() {
    let (cluster, connected) = world();
    stage_set(&cluster, "web", false);
    stage_set(&cluster, "old", true);
    let mut warned = Vec::new();
    let options = reconcile_options(&["web", "--stage", "app", "--with-source"]);
    let said = reconcile(&connected, &options, "T1", |w| warned.push(w))
        .await
        .unwrap();
    assert_eq!(said, "Reconcile requested for shop/web (token T1)\n");
    let annotations = &found(&cluster, "web")["metadata"]["annotations"];
    assert_eq!(annotations["reconcile.fluxcd.io/requestedAt"], "T1");
    assert_eq!(annotations["stages.metio.wtf/reconcile-stage"], "app@T1");
    assert_eq!(warned.len(), 2, "the sources don't exist: {warned:?}");

    let refused = async |words: &[&str]| {
        let options = reconcile_options(words);
        let ended = reconcile(&connected, &options, "T2", |_| {}).await;
        let error = ended.unwrap_err();
        assert!(!matches!(error, CommandError::Usage(_)), "{error}");
        error.to_string()
    };
    assert!(refused(&["old"]).await.contains("is suspended"));
    assert!(
        refused(&["web", "--stage", "none"])
            .await
            .contains("it has db, app")
    );
    assert!(
        refused(&["web", "--with-source", "--strict"])
            .await
            .contains("in this cluster")
    );
    let untouched = &found(&cluster, "web")["metadata"]["annotations"];
    assert_eq!(untouched["reconcile.fluxcd.io/requestedAt"], "T1");
    let forced = reconcile_options(&["old", "--force"]);
    reconcile(&connected, &forced, "T3", |_| {}).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_when_it_was_handled_or_its_time_is_up() {
    let (cluster, connected) = world();
    stage_set(&cluster, "web", false);
    let options = reconcile_options(&["web", "--wait", "--timeout", "30s"]);
    let error = reconcile(&connected, &options, "T1", |_| {})
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("was not looked at within 30 s"),
        "{error}"
    );
    let handles = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        say(&cluster, "web", &json!({ "lastHandledReconcileAt": "T2" }));
    };
    let (ended, ()) = futures::join!(reconcile(&connected, &options, "T2", |_| {}), handles);
    assert!(ended.unwrap().ends_with("Reconciled\n"));
    // With a stage, it is the stage's own record that counts.
    let words = ["web", "--stage", "app", "--wait", "--timeout", "30s"];
    let options = reconcile_options(&words);
    let early = reconcile(&connected, &options, "T2", |_| {}).await;
    assert!(early.is_err(), "the whole was handled, the stage wasn't");
    let handled = json!({ "stages": [{ "name": "app", "lastHandledReconcileAt": "T2" }] });
    say(&cluster, "web", &handled);
    reconcile(&connected, &options, "T2", |_| {}).await.unwrap();
}
