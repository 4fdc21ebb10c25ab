//! Actions of a release to a remote cluster: everything that they touch is there, only the sources of
//! their manifests are here, like the stages' own.

use serde_json::json;

use crate::remote::{as_server, by_secret, of_deliverer, remote_cluster, secret};
use crate::world::{Clusters, TENANT, World, config_map, kubeconfig};

const CANARY: &str = crate::remote::CANARY;

#[tokio::test(start_paused = true)]
async fn gap_10_actions_work_in_the_remote_cluster_and_take_their_sources_from_here() {
    let clusters = Clusters::default();
    let mut world = World::with_remotes(clusters.clone()).await;
    let eu = remote_cluster().await;
    clusters.put("eu.example", as_server(&eu));
    secret(
        &world,
        "prod-eu",
        "value",
        &kubeconfig("eu.example", CANARY),
    );
    // What the actions look at and change is there; what has the same name here is nobody's business.
    let map = |name: &str, value: &str| {
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": { "value": value },
                "metadata": { "namespace": "shop", "name": name } })
    };
    for name in ["switch", "old", "witness"] {
        eu.apply_yaml_value(&map(name, "there")).unwrap();
        world.apply(&map(name, "here"));
    }
    eu.apply_yaml_value(&json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "namespace": "shop", "name": "hook" },
        "data": { "Authorization": "dGhlcmU=" },
    }))
    .unwrap();
    world.publish("app", "r1", &[("a.yaml", &config_map("settings", "one"))]);
    world.publish(
        "steps",
        "s1",
        &[("x/banner.yaml", &config_map("banner", "moving"))],
    );
    world.apply(&json!({
        "apiVersion": "stages.metio.wtf/v1", "kind": "StageSet",
        "metadata": { "namespace": "shop", "name": "web" },
        "spec": {
            "serviceAccountName": "deployer", "kubeConfig": by_secret("prod-eu"),
            "stages": [{ "name": "app", "sourceRef": { "name": "app" }, "actions": {
                "pre": [
                    { "name": "close", "patch": { "target": { "kind": "ConfigMap", "name": "switch" },
                                                   "patch": "data: {value: closed}" } },
                    { "name": "clean", "delete": { "target": { "kind": "ConfigMap", "name": "old" } } },
                    { "name": "banner", "apply": { "sourceRef": { "name": "steps" }, "path": "x" } },
                ],
                "post": [
                    { "name": "open", "wait": { "target": { "kind": "ConfigMap", "name": "switch" },
                                                 "expr": "has(metadata.uid)" } },
                    { "name": "tell", "scope": "Lifetime",
                      "completionAnchor": { "apiVersion": "v1", "kind": "ConfigMap", "name": "witness" },
                      "http": { "url": "https://hooks.example.org/x",
                                "headersFrom": [{ "name": "hook", "key": "Authorization" }] } },
                ],
            } }],
        },
    }));
    world.until_ready("web").await;

    let there = |name: &str| eu.get("v1", "ConfigMap", "shop", name);
    assert_eq!(there("switch").unwrap()["data"]["value"], "closed");
    assert!(there("old").is_none() && there("banner").is_some() && there("settings").is_some());
    for name in ["switch", "old", "witness"] {
        let here = world.config_map(name).unwrap();
        assert_eq!(here["data"]["value"], "here", "{name} of the local cluster");
    }
    assert!(world.config_map("banner").is_none());
    {
        let received = world.receiver.received.lock().unwrap();
        assert_eq!(received.len(), 1);
        assert_eq!(
            received[0].headers,
            [("Authorization".to_owned(), b"there".to_vec())]
        );
    }
    // The witness is the remote one, its record is here.
    let ledger = world
        .cluster
        .get("stages.metio.wtf/v1", "StageLedger", "shop", "web")
        .unwrap();
    let anchor = &ledger["status"]["completedActions"][0]["anchor"];
    assert_eq!(anchor["uid"], there("witness").unwrap()["metadata"]["uid"]);
    for record in of_deliverer(&eu) {
        let named = !record.resource.is_empty();
        assert!(
            !named || record.impersonated.as_deref() == Some(TENANT),
            "{record:?}"
        );
        assert_ne!(
            record.resource, "externalartifacts",
            "a source was looked for there"
        );
    }
    let of_tenant = world.requests().into_iter();
    let of_tenant: Vec<_> = of_tenant
        .filter(|record| record.impersonated.is_some())
        .collect();
    assert!(
        of_tenant.is_empty(),
        "the tenant's world here was touched: {of_tenant:?}"
    );
}
