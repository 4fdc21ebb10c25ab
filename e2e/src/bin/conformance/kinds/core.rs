//! Kinds of the core group.

use serde_json::{Value, json};

use super::{Kind, map, plain, texts, workloads::pod_spec};
use crate::random::Random;

pub(crate) const CONFIG_MAP: Kind = plain("ConfigMap", "v1", "configmaps", config_map);
pub(crate) const SECRET: Kind = Kind {
    selectable: &["type"],
    ..plain("Secret", "v1", "secrets", secret)
};
pub(crate) const SERVICE: Kind = Kind {
    status: Some(service_status),
    ..plain("Service", "v1", "services", service)
};
pub(crate) const SERVICE_ACCOUNT: Kind =
    plain("ServiceAccount", "v1", "serviceaccounts", service_account);
pub(crate) const POD: Kind = Kind {
    status: Some(pod_status),
    selectable: &["spec.nodeName", "status.phase", "spec.restartPolicy"],
    ..plain("Pod", "v1", "pods", pod)
};
pub(crate) const CLAIM: Kind = Kind {
    status: Some(claim_status),
    ..plain(
        "PersistentVolumeClaim",
        "v1",
        "persistentvolumeclaims",
        claim,
    )
};
pub(crate) const NAMESPACE: Kind = Kind {
    namespaced: false,
    selectable: &["status.phase"],
    ..plain("Namespace", "v1", "namespaces", namespace)
};

fn config_map(object: &mut Value, random: &mut Random) {
    object["data"] = texts(&["x", "y", "z", "w"], random);
    if random.percent(15) {
        let keys = random.some(&["x", "bin"]);
        object["binaryData"] = map(keys, |_| json!(random.pick(&["MQ==", "Mg==", "?"])));
    }
    if random.percent(4) {
        object["data"][random.pick(&["a b", "..", "é"])] = json!("1");
    }
    if random.percent(5) {
        object["immutable"] = json!(random.percent(70));
    }
}

fn secret(object: &mut Value, random: &mut Random) {
    let values = random.some(&["x", "y", "z"]);
    object["data"] = map(values, |_| json!(random.pick(&["MQ==", "Mg=="])));
    if random.percent(20) {
        object["stringData"] = texts(&["x", "s"], random);
    }
    if random.percent(10) {
        object["type"] = json!(random.pick(&[
            "Opaque",
            "kubernetes.io/tls",
            "kubernetes.io/basic-auth",
            "kubernetes.io/dockerconfigjson",
            "example.com/own",
        ]));
    }
    if random.percent(4) {
        object["immutable"] = json!(true);
    }
}

fn service(object: &mut Value, random: &mut Random) {
    let mut spec = json!({});
    if random.percent(60) {
        spec["selector"] = texts(&["a", "b"], random);
    }
    if random.percent(80) {
        let ports = [
            (80, Some("TCP")),
            (80, Some("UDP")),
            (81, Some("TCP")),
            (82, None),
        ];
        let mut out = Vec::new();
        for (port, protocol) in random.some(&ports) {
            let name = format!("p{port}{}", protocol.unwrap_or("TCP").to_lowercase());
            let mut entry = json!({"port": port, "name": name});
            if let Some(protocol) = protocol {
                entry["protocol"] = json!(protocol);
            }
            if random.percent(40) {
                let target = [json!(8080), json!(8081), json!("http"), json!("Bad_Name")];
                entry["targetPort"] = target[random.below(target.len())].clone();
            }
            out.push(entry);
        }
        spec["ports"] = out.into();
    }
    if random.percent(20) {
        spec["sessionAffinity"] = json!(random.pick(&["None", "ClientIP", "Sometimes"]));
    }
    if random.percent(10) {
        spec["type"] = json!(random.pick(&["ClusterIP", "NodePort", "LoadBalancer"]));
    }
    if random.percent(4) {
        spec["type"] = json!("ExternalName");
        spec["externalName"] = json!(random.pick(&["example.com", "", "Bad_Name"]));
    }
    if random.percent(5) {
        spec["clusterIP"] = json!("None");
    }
    if random.percent(5) {
        let policy = random.pick(&["Cluster", "Local", "Nowhere"]);
        spec["internalTrafficPolicy"] = json!(policy);
    }
    object["spec"] = spec;
}

fn service_status(random: &mut Random) -> Value {
    let mut status = json!({ "loadBalancer": {} });
    if random.percent(50) {
        status["conditions"] = super::conditions(random);
    }
    status
}

fn service_account(object: &mut Value, random: &mut Random) {
    if random.percent(40) {
        object["automountServiceAccountToken"] = json!(random.percent(50));
    }
    if random.percent(40) {
        let names = random.some(&["p", "q"]);
        object["imagePullSecrets"] = names.iter().map(|name| json!({ "name": name })).collect();
    }
    if random.percent(20) {
        let names = random.some(&["p", "q"]);
        object["secrets"] = names.iter().map(|name| json!({ "name": name })).collect();
    }
}

fn pod(object: &mut Value, random: &mut Random) {
    let mut spec = pod_spec(random);
    if random.percent(40) {
        spec["automountServiceAccountToken"] = json!(false);
    }
    if random.percent(10) {
        spec["serviceAccountName"] = json!(random.pick(&["default", "nobody"]));
    }
    object["spec"] = spec;
}

fn pod_status(random: &mut Random) -> Value {
    json!({
        "phase": random.pick(&["Pending", "Running", "Failed"]),
        "conditions": super::conditions(random),
    })
}

fn claim(object: &mut Value, random: &mut Random) {
    let mut spec = json!({});
    if random.percent(90) {
        spec["accessModes"] = json!(random.few(&["ReadWriteOnce", "ReadOnlyMany"]));
    }
    if random.percent(90) {
        let size = random.pick(&["1Gi", "1024Mi", "1.5Gi", "2G"]);
        spec["resources"] = json!({ "requests": { "storage": size } });
    }
    if random.percent(20) {
        spec["storageClassName"] = json!(random.pick(&["", "fast"]));
    }
    if random.percent(5) {
        spec["accessModes"] = json!(["Sometimes"]);
    }
    object["spec"] = spec;
}

fn claim_status(random: &mut Random) -> Value {
    json!({ "phase": random.pick(&["Pending", "Bound"]) })
}

fn namespace(object: &mut Value, random: &mut Random) {
    if random.percent(10) {
        object["spec"] = json!({ "finalizers": ["kubernetes", "example.com/x"] });
    }
}
