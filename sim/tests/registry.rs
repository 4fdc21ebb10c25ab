//! What the real server's stores do beside storing: addresses of services, writes that repeat,
//! empty maps that count, claims that grow.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use serde_json::{Value, json};

use crate::world::{Answer, World, message};

const SERVICES: &str = "/api/v1/namespaces/default/services";

fn service(spec: &Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "a" }, "spec": spec })
}

fn version(answer: &Answer) -> &str {
    answer.1["metadata"]["resourceVersion"].as_str().unwrap()
}

#[test]
fn a_service_keeps_its_address_until_its_type_has_none() {
    let mut w = World::new();
    let ports = json!([{ "port": 80 }]);
    let (_, made) = w.post(SERVICES, &service(&json!({ "ports": ports })));
    let address = made["spec"]["clusterIP"].as_str().unwrap().to_owned();
    assert_eq!(made["spec"]["clusterIPs"], json!([address]));
    let uri = format!("{SERVICES}/a");
    let (_, kept) = w.put(&uri, &service(&json!({ "ports": ports })));
    assert_eq!(kept["spec"]["clusterIP"], address.as_str());
    let fixed = w.merge(&uri, &json!({ "spec": { "clusterIP": "None" } }));
    assert_eq!(fixed.0, 422);
    assert!(
        message(&fixed)
            .contains("spec.clusterIPs[0]: Invalid value: [\"None\"]: may not change once set")
    );
    let mut external = json!({ "type": "ExternalName", "externalName": "example.com" });
    external["clusterIP"] = "None".into();
    let refused = w.merge(&uri, &json!({ "spec": external }));
    assert_eq!(
        message(&refused),
        "Service \"a\" is invalid: spec.clusterIPs: Forbidden: may not be set for ExternalName \
         services"
    );
    external["clusterIP"] = address.into();
    let (code, moved) = w.merge(&uri, &json!({ "spec": external }));
    assert_eq!(code, 200);
    for gone in [
        "clusterIP",
        "clusterIPs",
        "ipFamilies",
        "internalTrafficPolicy",
    ] {
        assert!(moved["spec"].get(gone).is_none(), "{gone}: {moved}");
    }
}

#[test]
fn a_headless_service_is_filled_and_one_made_through_its_status_only_when_read() {
    let mut w = World::new();
    let uri = format!("{SERVICES}/a?fieldManager=one");
    let (_, headless) = w.apply(&uri, &service(&json!({ "clusterIP": "None" })));
    assert_eq!(headless["spec"]["clusterIPs"], json!(["None"]));
    assert_eq!(headless["spec"]["ipFamilyPolicy"], "RequireDualStack");
    let mut other = service(&json!({ "ports": [{ "port": 80 }] }));
    other["metadata"]["name"] = "b".into();
    other["status"] = json!({ "loadBalancer": {} });
    let (code, made) = w.apply(&format!("{SERVICES}/b/status?fieldManager=one"), &other);
    assert_eq!(code, 201);
    assert!(made["spec"].get("clusterIP").is_none());
    assert_eq!(
        made["metadata"]["managedFields"][0]["subresource"],
        "status"
    );
    let external = json!({ "spec": { "type": "ExternalName", "externalName": "example.com" } });
    let (_, stored) = w.merge(&format!("{SERVICES}/b"), &external);
    assert!(stored["spec"].get("internalTrafficPolicy").is_none());
    let (_, raw) = w.get(&format!("{SERVICES}/b/status"));
    assert_eq!(raw["spec"]["internalTrafficPolicy"], "Cluster");
}

/// The answer to the write that lets an object go is what was written, not what is read.
#[test]
fn a_service_that_goes_is_shown_as_it_was_written() {
    let mut w = World::new();
    let mut kept = service(&json!({ "ports": [{ "port": 80 }] }));
    kept["metadata"]["finalizers"] = json!(["example.com/x"]);
    w.post(SERVICES, &kept);
    let uri = format!("{SERVICES}/a");
    w.delete(&uri, &Value::Null);
    let mut patch = json!({ "spec": { "type": "ExternalName", "externalName": "example.com" } });
    let (_, moved) = w.merge(&format!("{uri}?dryRun=All"), &patch);
    assert!(moved["spec"].get("internalTrafficPolicy").is_none());
    patch["metadata"] = json!({ "finalizers": null });
    let (code, gone) = w.merge(&uri, &patch);
    assert_eq!(
        (code, &gone["spec"]["internalTrafficPolicy"]),
        (200, &json!("Cluster"))
    );
    assert_eq!(w.get(&uri).0, 404);
}

#[test]
fn ports_on_nodes_are_kept_by_name_and_go_with_the_type() {
    let mut w = World::new();
    let uri = format!("{SERVICES}/a");
    let port = |name: &str, port: i64| json!({ "name": name, "port": port });
    let spec = json!({ "type": "NodePort", "ports": [port("x", 80), port("y", 81)] });
    let (_, made) = w.post(SERVICES, &service(&spec));
    let given = made["spec"]["ports"][1]["nodePort"].clone();
    assert!(given.is_number());
    let spec = json!({ "type": "NodePort", "ports": [port("y", 82)] });
    let (_, kept) = w.put(&uri, &service(&spec));
    assert_eq!(kept["spec"]["ports"][0]["nodePort"], given);
    let (_, plain) = w.merge(&uri, &json!({ "spec": { "type": "ClusterIP" } }));
    assert!(plain["spec"]["ports"][0].get("nodePort").is_none());
    assert!(plain["spec"].get("externalTrafficPolicy").is_none());
}

#[test]
fn applying_again_changes_something_only_after_somebody_else_applied() {
    let mut w = World::new();
    let map =
        |manager: &str| format!("/api/v1/namespaces/default/configmaps/a?fieldManager={manager}");
    let config = |data: Value| {
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a" },
                "data": data })
    };
    w.apply(&map("one"), &config(json!({ "x": "1" })));
    w.pass(2_000);
    let second = w.apply(&map("two"), &config(json!({ "y": "1" })));
    w.pass(2_000);
    // The merged object has what one applied, but in another order than `two` left it.
    let third = w.apply(&map("one"), &config(json!({ "x": "1" })));
    assert_eq!(
        version(&second),
        version(&third),
        "an apply that changes nothing keeps its time"
    );
    let fourth = w.apply(&map("one"), &config(json!({ "x": "2" })));
    w.pass(2_000);
    let back = w.merge(
        "/api/v1/namespaces/default/configmaps/a?fieldManager=hand",
        &json!({ "metadata": {} }),
    );
    assert_eq!(version(&fourth), version(&back));
}

#[test]
fn an_empty_map_counts_where_go_tells_it_from_none() {
    let mut w = World::new();
    let policies = "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies";
    w.post(policies, &json!({ "metadata": { "name": "a" } }));
    let uri = format!("{policies}/a");
    let same = w.merge(&uri, &json!({ "spec": { "podSelector": {} } }));
    assert_eq!(same.1["metadata"]["generation"], 1);
    let counted = w.merge(
        &uri,
        &json!({ "spec": { "podSelector": { "matchLabels": {} } } }),
    );
    assert_eq!(counted.1["metadata"]["generation"], 2);

    let maps = "/api/v1/namespaces/default/configmaps";
    w.post(
        maps,
        &json!({ "metadata": { "name": "a" }, "data": { "x": "1" }, "immutable": true }),
    );
    let refused = w.merge(&format!("{maps}/a"), &json!({ "binaryData": {} }));
    assert_eq!(
        message(&refused),
        "ConfigMap \"a\" is invalid: binaryData: Forbidden: field is immutable when `immutable` is \
         set"
    );
}

#[test]
fn a_claim_takes_a_class_once_and_grows_only_when_bound_and_allowed() {
    let mut w = World::new();
    let claims = "/api/v1/namespaces/default/persistentvolumeclaims";
    let size = |size: &str| json!({ "resources": { "requests": { "storage": size } } });
    let mut spec = size("1Gi");
    spec["accessModes"] = json!(["ReadWriteOnce"]);
    let (code, _) = w.post(
        claims,
        &json!({ "metadata": { "name": "a" }, "spec": spec }),
    );
    assert_eq!(code, 201);
    let uri = format!("{claims}/a");
    let (code, _) = w.merge(&uri, &json!({ "spec": { "storageClassName": "fast" } }));
    assert_eq!(code, 200);
    let fixed = w.merge(&uri, &json!({ "spec": { "storageClassName": "slow" } }));
    assert_eq!(fixed.0, 422);
    let bound = json!({ "status": { "phase": "Bound", "capacity": { "storage": "1Gi" } } });
    w.merge(&format!("{uri}/status"), &bound);
    let refused = w.merge(&uri, &json!({ "spec": size("2Gi") }));
    assert_eq!(refused.0, 403);
    assert!(message(&refused).contains("only dynamically provisioned pvc can be resized"));
    w.post(
        "/apis/storage.k8s.io/v1/storageclasses",
        &json!({ "metadata": { "name": "fast" }, "provisioner": "x", "allowVolumeExpansion": true }),
    );
    assert_eq!(w.merge(&uri, &json!({ "spec": size("2Gi") })).0, 200);
}

#[test]
fn a_body_is_read_before_its_name_is_compared() {
    let mut w = World::new();
    let wrong = w.put(
        "/api/v1/namespaces/default/configmaps/a",
        &json!({ "metadata": { "name": "b" }, "data": { "x": 1 } }),
    );
    assert!(message(&wrong).starts_with("ConfigMap in version \"v1\" cannot be handled"));
}

#[test]
fn a_quota_names_what_is_missing_and_counts_in_the_form_it_was_given() {
    let mut w = World::new();
    let quotas = "/api/v1/namespaces/default/resourcequotas";
    let hard = json!({ "requests.storage": "3Gi", "requests.cpu": "1", "limits.cpu": "1" });
    w.post(
        quotas,
        &json!({ "metadata": { "name": "q" }, "spec": { "hard": hard } }),
    );
    w.pass(10_000);
    let container = |name: &str| json!({ "name": name, "image": "i" });
    let pod = json!({ "metadata": { "name": "a" },
                      "spec": { "containers": [container("y"), container("x")] } });
    let refused = w.post("/api/v1/namespaces/default/pods", &pod);
    assert_eq!(
        message(&refused),
        "pods \"a\" is forbidden: failed quota: q: must specify limits.cpu for: x,y; requests.cpu \
         for: x,y"
    );
    let claim = json!({ "metadata": { "name": "a" },
                        "spec": { "accessModes": ["ReadWriteOnce"],
                                  "resources": { "requests": { "storage": "1Gi" } } } });
    w.post("/api/v1/namespaces/default/persistentvolumeclaims", &claim);
    let (_, quota) = w.get(&format!("{quotas}/q"));
    assert_eq!(quota["status"]["used"]["requests.storage"], "1Gi");
    let entries = quota["metadata"]["managedFields"].as_array().unwrap();
    assert!(
        entries
            .iter()
            .any(|e| e["manager"] == "kube-apiserver" && e["subresource"] == "status")
    );
}

/// An apply of the status of what isn't there creates it, and the quota admission looks at no subresource.
#[test]
fn what_an_apply_of_its_status_creates_is_not_held_against_a_quota() {
    let mut w = World::new();
    w.post(
        "/api/v1/namespaces/default/resourcequotas",
        &json!({ "metadata": { "name": "q" }, "spec": { "hard": { "services": "0" } } }),
    );
    w.pass(10_000);
    let service = json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "a" },
                          "spec": { "ports": [{ "port": 80 }] } });
    let place = "/api/v1/namespaces/default/services/a";
    let whole = w.apply(&format!("{place}?fieldManager=m"), &service);
    assert_eq!(whole.0, 403, "{}", whole.1);
    let status = w.apply(&format!("{place}/status?fieldManager=m"), &service);
    assert_eq!(status.0, 201, "{}", status.1);
}

#[test]
fn what_waits_for_its_name_is_refused_by_the_beginning_of_it() {
    let mut w = World::new();
    let pod = json!({ "metadata": { "generateName": "x-" },
                      "spec": { "serviceAccountName": "nobody",
                                "containers": [{ "name": "c", "image": "i" }] } });
    let refused = w.post("/api/v1/namespaces/default/pods", &pod);
    assert!(
        message(&refused).starts_with("pods \"x-\" is forbidden: error looking up service account")
    );
}
