//! The real `kube` client on the door, on a paused clock.

use futures::StreamExt as _;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::ConfigMap};
use kube::{
    Api, Client, ResourceExt as _,
    api::{ListParams, Patch, PatchParams, PostParams},
    core::PartialObjectMeta,
    runtime::watcher,
};
use serde_json::json;
use stageset_sim::User;

use crate::world::cluster;

#[tokio::test(start_paused = true)]
async fn applies_lists_and_watches() {
    let cluster = cluster();
    let client = Client::new(cluster.door(User::admin()), "default");
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let config = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a" }, "data": { "x": "1" } });
    let applied = maps
        .patch("a", &PatchParams::apply("me"), &Patch::Apply(&config))
        .await
        .unwrap();
    assert!(applied.uid().is_some());
    let mut events = Box::pin(watcher(
        maps.clone(),
        watcher::Config::default().fields("metadata.name!=kube-root-ca.crt"),
    ));
    let mut seen = Vec::new();
    while seen.len() < 3 {
        match events.next().await.unwrap().unwrap() {
            watcher::Event::Init => seen.push("init".to_owned()),
            watcher::Event::InitApply(o) => seen.push(format!("had {}", o.name_any())),
            watcher::Event::InitDone => seen.push("done".to_owned()),
            _ => {}
        }
    }
    assert_eq!(seen, ["init", "had a", "done"]);
    maps.create(
        &PostParams::default(),
        &serde_json::from_value(json!({ "metadata": { "name": "b" } })).unwrap(),
    )
    .await
    .unwrap();
    let watcher::Event::Apply(new) = events.next().await.unwrap().unwrap() else {
        panic!("not an apply")
    };
    assert_eq!(new.name_any(), "b");
    maps.delete("b", &kube::api::DeleteParams::default())
        .await
        .unwrap();
    let watcher::Event::Delete(gone) = events.next().await.unwrap().unwrap() else {
        panic!("not a delete")
    };
    assert_eq!(gone.name_any(), "b");
    assert_eq!(
        maps.list(&ListParams::default()).await.unwrap().items.len(),
        2
    );
}

#[tokio::test(start_paused = true)]
async fn virtual_time_makes_workloads_ready() {
    let cluster = cluster();
    let client = Client::new(cluster.door(User::admin()), "default");
    let api: Api<Deployment> = Api::default_namespaced(client);
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "d", "annotations": { stageset_sim::WORKLOAD_ANNOTATION: "ready-after=1h" } },
        "spec": {
            "selector": { "matchLabels": { "a": "b" } },
            "template": { "metadata": { "labels": { "a": "b" } }, "spec": { "containers": [{ "name": "c", "image": "i" }] } }
        }
    });
    api.patch("d", &PatchParams::apply("me"), &Patch::Apply(&deployment))
        .await
        .unwrap();
    let before = tokio::time::Instant::now();
    let ready = kube::runtime::wait::await_condition(api.clone(), "d", |d: Option<&Deployment>| {
        d.and_then(|d| d.status.as_ref())
            .and_then(|s| s.available_replicas)
            == Some(1)
    });
    ready.await.unwrap();
    let took = before.elapsed().as_secs();
    assert!((3600..3605).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn metadata_watches_live_through_hours_and_closed_streams() {
    let cluster = cluster();
    let client = Client::new(cluster.door(User::admin()), "default");
    let api: Api<PartialObjectMeta<ConfigMap>> = Api::all(client);
    let config = watcher::Config::default().streaming_lists();
    let mut events = Box::pin(watcher(api, config));
    loop {
        if matches!(
            events.next().await.unwrap().unwrap(),
            watcher::Event::InitDone
        ) {
            break;
        }
    }
    let late = cluster.clone();
    tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_secs(7200)).await;
        late.apply_yaml_value(&json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "late", "namespace": "default" } })).unwrap();
    });
    let watcher::Event::Apply(late) = events.next().await.unwrap().unwrap() else {
        panic!("not an apply")
    };
    assert_eq!(late.name_any(), "late");
}

#[tokio::test(start_paused = true)]
async fn refusals_arrive_as_status() {
    let cluster = cluster();
    let client = Client::new(
        cluster.door(User::service_account("default", "nobody")),
        "default",
    );
    let maps: Api<ConfigMap> = Api::default_namespaced(client);
    let kube::Error::Api(status) = maps.get("a").await.unwrap_err() else {
        panic!("not a status")
    };
    assert_eq!((status.code, status.reason.as_str()), (403, "Forbidden"));
}

#[tokio::test(start_paused = true)]
async fn discovery_works_for_the_real_client() {
    let cluster = cluster();
    cluster.apply_yaml_value(&crate::custom::crd()).unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let client = Client::new(cluster.door(User::admin()), "default");
    assert_eq!(client.apiserver_version().await.unwrap().minor, "37");
    let discovery = kube::discovery::Discovery::new(client)
        .run_aggregated()
        .await
        .unwrap();
    let found = discovery
        .get("example.com")
        .unwrap()
        .recommended_kind("Widget")
        .unwrap();
    assert_eq!(found.0.plural, "widgets");
}
