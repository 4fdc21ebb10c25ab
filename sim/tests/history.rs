//! A cluster's history, as it is recorded.

use serde_json::{Value, json};
use stageset_sim::{Answered, Ended, Exchange, OwnChange, Recording, Reply, What};

use crate::world::cluster;

fn requests(recording: &Recording) -> Vec<Exchange> {
    let steps = recording.steps().into_iter();
    let requests = steps.filter_map(|step| match step.what {
        What::Request(exchange) => Some(exchange),
        What::Change(_) | What::Told(_) | What::Ended(_) => None,
    });
    requests.collect()
}

fn changes(recording: &Recording) -> Vec<OwnChange> {
    let steps = recording.steps().into_iter();
    let changes = steps.filter_map(|step| match step.what {
        What::Change(change) => Some(change),
        What::Request(_) | What::Told(_) | What::Ended(_) => None,
    });
    changes.collect()
}

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "web", "namespace": "default" },
        "spec": {
            "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [{ "name": "a", "image": "b" }] },
            },
        },
    })
}

#[tokio::test(start_paused = true)]
async fn a_request_is_recorded_with_its_answer_and_what_follows_from_it_by_itself_as_a_change() {
    let cluster = cluster();
    let recording = Recording::new();
    cluster.record("here", &recording);
    cluster.apply_yaml_value(&deployment()).unwrap();
    let asked = requests(&recording);
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(
        (asked[0].method.as_str(), asked[0].uri.path()),
        ("POST", "/apis/apps/v1/namespaces/default/deployments")
    );
    let Answered::Whole(code, body) = asked[0].answer.clone() else {
        panic!("{asked:?}");
    };
    let created: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((code, &created["metadata"]["name"]), (201, &json!("web")));
    // What a request does isn't told twice.
    assert_eq!(changes(&recording), []);

    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    cluster.settle();
    let changes = changes(&recording);
    assert_eq!(requests(&recording).len(), 1);
    let last = changes.last().unwrap();
    let path = "/apis/apps/v1/namespaces/default/deployments/web";
    assert_eq!((last.path.as_str(), last.status), (path, true));
    let (before, after) = (last.before.as_ref().unwrap(), last.after.as_ref().unwrap());
    assert_eq!(before["spec"], after["spec"]);
    assert_eq!(after["status"]["availableReplicas"], 1);
    assert_eq!(changes[0].before.as_ref(), Some(&created));
    assert!(recording.steps().iter().all(|step| step.cluster == "here"));
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_by_itself_is_recorded_as_gone() {
    let cluster = cluster();
    let owner = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "owner", "namespace": "default" },
    });
    let owner_uid = cluster.apply_yaml_value(&owner).unwrap()["metadata"]["uid"].clone();
    let owned = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": "owned", "namespace": "default", "ownerReferences": [{
            "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner_uid,
        }]},
    });
    let owned = cluster.apply_yaml_value(&owned).unwrap();
    let recording = Recording::new();
    cluster.record("here", &recording);
    cluster
        .delete("v1", "ConfigMap", "default", "owner")
        .unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    cluster.settle();
    assert_eq!(
        changes(&recording),
        [OwnChange {
            path: "/api/v1/namespaces/default/secrets/owned".to_owned(),
            status: false,
            before: Some(owned),
            after: None,
        }]
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_is_recorded_with_what_it_tells_and_a_fork_isnt_recorded() {
    let cluster = cluster();
    let recording = Recording::new();
    cluster.record("here", &recording);
    let request = stageset_sim::Request {
        method: http::Method::GET,
        uri: "/api/v1/configmaps?watch=1".parse().unwrap(),
        headers: http::HeaderMap::new(),
        body: bytes::Bytes::new(),
        user: stageset_sim::User::admin(),
    };
    let Reply::Watch { subscription, .. } = cluster.handle(&request) else {
        panic!("it isn't watched");
    };
    cluster.fork(1).handle(&request);
    let asked = requests(&recording);
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].answer, Answered::Watch(subscription.number()));
    let object = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a", "namespace": "default" },
    });
    cluster.apply_yaml_value(&object).unwrap();
    let told = || {
        let steps = recording.steps().into_iter();
        let told = steps.filter_map(|step| match step.what {
            What::Told(told) => Some((told.watch, told.event)),
            What::Request(_) | What::Change(_) | What::Ended(_) => None,
        });
        told.collect::<Vec<_>>()
    };
    assert_eq!(told(), [], "nobody has taken it yet");
    let taken = cluster.with_server(|server| server.drain_watch(subscription));
    let taken: Vec<_> = taken
        .into_iter()
        .map(|line| (subscription.number(), line))
        .collect();
    assert!(!taken.is_empty());
    assert_eq!(told(), taken);
    cluster.delete("v1", "ConfigMap", "default", "a").unwrap();
    cluster.with_server(|server| server.end_watch(subscription));
    let last = recording.steps().pop().map(|step| step.what);
    let watch = subscription.number();
    assert_eq!(last, Some(What::Ended(Ended { watch, untaken: 1 })));
}

#[tokio::test(start_paused = true)]
async fn what_stands_is_recorded_once_each() {
    let cluster = cluster();
    cluster.apply_yaml_value(&deployment()).unwrap();
    let recording = Recording::new();
    cluster.record_standing("here", &recording);
    let standing = changes(&recording);
    let named = |path: &str| standing.iter().filter(|change| change.path == path).count();
    assert_eq!(named("/apis/apps/v1/namespaces/default/deployments/web"), 1);
    assert_eq!(named("/api/v1/namespaces/kube-system"), 1);
    let role = "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:basic-user";
    assert_eq!(named(role), 1);
    assert!(standing.iter().all(|change| change.before.is_none()));
}
