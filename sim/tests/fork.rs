//! A cluster that begins as another one stands.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use serde_json::{Value, json};
use stageset_sim::SimulatedCluster;

use crate::world::cluster;

fn definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": "things.example.org" },
        "spec": {
            "group": "example.org", "scope": "Namespaced",
            "names": { "kind": "Thing", "plural": "things", "singular": "thing", "listKind": "ThingList" },
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": { "openAPIV3Schema": { "type": "object" } },
            }],
        },
    })
}

fn put(cluster: &SimulatedCluster, version: &str, kind: &str, name: &str) -> String {
    let metadata = json!({ "name": name, "namespace": "default" });
    let object = json!({ "apiVersion": version, "kind": kind, "metadata": metadata });
    let written = cluster.apply_yaml_value(&object).unwrap();
    written["metadata"]["uid"].as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_fork_stands_as_the_first_one_did_and_goes_its_own_way() {
    let first = cluster();
    first.load_yaml(&definition().to_string()).unwrap();
    let old = put(&first, "v1", "ConfigMap", "old");
    tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
    first.settle();
    let (one, two) = (first.fork(1), first.fork(2));
    for fork in [&one, &two] {
        assert_eq!(fork.now(), first.now());
        let found = fork.get("v1", "ConfigMap", "default", "old").unwrap();
        assert_eq!(found["metadata"]["uid"], old.as_str());
        assert!(fork.audit().is_empty());
    }
    // The definition is served there; uids differ by the seed, and from those of the first one.
    let uids = [
        put(&one, "example.org/v1", "Thing", "a"),
        put(&two, "example.org/v1", "Thing", "a"),
        put(&first, "example.org/v1", "Thing", "a"),
        old,
    ];
    let distinct: std::collections::BTreeSet<&String> = uids.iter().collect();
    assert_eq!(distinct.len(), uids.len(), "{uids:?}");
    // What happens in one stays there.
    one.delete("v1", "ConfigMap", "default", "old").unwrap();
    assert!(one.get("v1", "ConfigMap", "default", "old").is_none());
    assert!(two.get("v1", "ConfigMap", "default", "old").is_some());
    assert!(first.get("v1", "ConfigMap", "default", "old").is_some());
}

#[tokio::test(start_paused = true)]
async fn the_same_fork_twice_gives_the_same_names() {
    let first = cluster();
    let uid = |fork: &SimulatedCluster| put(fork, "v1", "ConfigMap", "a");
    assert_eq!(uid(&first.fork(7)), uid(&first.fork(7)));
}
