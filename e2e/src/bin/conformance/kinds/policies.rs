//! Policies, classes and leases.

use serde_json::{Value, json};

use super::{Kind, plain, texts};
use crate::random::Random;

pub(crate) const NETWORK_POLICY: Kind = plain(
    "NetworkPolicy",
    "networking.k8s.io/v1",
    "networkpolicies",
    network_policy,
);
pub(crate) const INGRESS: Kind = plain("Ingress", "networking.k8s.io/v1", "ingresses", ingress);
pub(crate) const DISRUPTION_BUDGET: Kind = plain(
    "PodDisruptionBudget",
    "policy/v1",
    "poddisruptionbudgets",
    disruption_budget,
);
pub(crate) const AUTOSCALER: Kind = plain(
    "HorizontalPodAutoscaler",
    "autoscaling/v2",
    "horizontalpodautoscalers",
    autoscaler,
);
pub(crate) const LEASE: Kind = plain("Lease", "coordination.k8s.io/v1", "leases", lease);
pub(crate) const PRIORITY_CLASS: Kind = Kind {
    namespaced: false,
    ..plain(
        "PriorityClass",
        "scheduling.k8s.io/v1",
        "priorityclasses",
        priority_class,
    )
};
pub(crate) const STORAGE_CLASS: Kind = Kind {
    namespaced: false,
    ..plain(
        "StorageClass",
        "storage.k8s.io/v1",
        "storageclasses",
        storage_class,
    )
};

fn network_policy(object: &mut Value, random: &mut Random) {
    let mut spec = json!({ "podSelector": { "matchLabels": texts(&["a", "b"], random) } });
    if random.percent(50) {
        spec["ingress"] = json!([{ "ports": [{ "port": random.pick(&[80, 81]) }] }]);
    }
    if random.percent(30) {
        spec["egress"] = json!([{ "to": [{ "podSelector": {} }] }]);
    }
    if random.percent(30) {
        spec["policyTypes"] = json!(random.few(&["Ingress", "Egress"]));
    }
    object["spec"] = spec;
}

fn ingress(object: &mut Value, random: &mut Random) {
    let backend = |random: &mut Random| json!({ "service": { "name": random.pick(&["a", "b"]), "port": { "number": 80 } } });
    let mut spec = json!({});
    if random.percent(50) {
        spec["defaultBackend"] = backend(random);
    }
    if random.percent(60) {
        spec["rules"] = json!([{
            "host": random.pick(&["a.example.com", "b.example.com"]),
            "http": { "paths": [{
                "path": random.pick(&["/", "/x"]), "pathType": "Prefix", "backend": backend(random),
            }] },
        }]);
    }
    object["spec"] = spec;
}

fn disruption_budget(object: &mut Value, random: &mut Random) {
    let mut spec = json!({ "selector": { "matchLabels": texts(&["a", "b"], random) } });
    let amount = [json!(1), json!("50%"), json!(0)];
    let amount = amount[random.below(amount.len())].clone();
    spec[random.pick(&["minAvailable", "maxUnavailable"])] = amount;
    object["spec"] = spec;
}

fn autoscaler(object: &mut Value, random: &mut Random) {
    let mut spec = json!({
        "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "a" },
        "maxReplicas": random.pick(&[1, 5]),
    });
    if random.percent(40) {
        spec["minReplicas"] = json!(random.pick(&[1, 2]));
    }
    if random.percent(30) {
        spec["metrics"] = json!([{ "type": "Resource", "resource": {
            "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 50 },
        } }]);
    }
    object["spec"] = spec;
}

fn lease(object: &mut Value, random: &mut Random) {
    let mut spec = json!({ "holderIdentity": random.pick(&["one", "two"]) });
    if random.percent(50) {
        spec["leaseDurationSeconds"] = json!(random.pick(&[15, 0, -1]));
    }
    if random.percent(50) {
        let times = ["2026-01-01T00:00:00.000000Z", "2026-01-01T02:00:00+02:00"];
        spec["renewTime"] = json!(random.pick(&times));
    }
    object["spec"] = spec;
}

fn priority_class(object: &mut Value, random: &mut Random) {
    object["value"] = json!(random.pick(&[1, 1, 1, 2]));
    if random.percent(20) {
        object["description"] = json!(random.pick(&["x", "y"]));
    }
}

fn storage_class(object: &mut Value, random: &mut Random) {
    object["provisioner"] =
        json!(random.pick(&["p.example.com", "p.example.com", "q.example.com"]));
    if random.percent(30) {
        object["parameters"] = texts(&["a"], random);
    }
    if random.percent(20) {
        object["allowVolumeExpansion"] = json!(random.percent(50));
    }
}
