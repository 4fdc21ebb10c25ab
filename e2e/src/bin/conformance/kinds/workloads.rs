//! Kinds that make pods.

use serde_json::{Value, json};

use super::{Kind, map, plain, texts};
use crate::random::Random;

pub(crate) const DEPLOYMENT: Kind = Kind {
    status: Some(replicas),
    ..plain("Deployment", "apps/v1", "deployments", deployment)
};
pub(crate) const STATEFUL_SET: Kind = Kind {
    status: Some(replicas),
    ..plain("StatefulSet", "apps/v1", "statefulsets", stateful_set)
};
pub(crate) const DAEMON_SET: Kind = plain("DaemonSet", "apps/v1", "daemonsets", daemon_set);
pub(crate) const REPLICA_SET: Kind = Kind {
    status: Some(replicas),
    ..plain("ReplicaSet", "apps/v1", "replicasets", replica_set)
};
pub(crate) const JOB: Kind = Kind {
    selectable: &["status.successful"],
    ..plain("Job", "batch/v1", "jobs", job)
};
pub(crate) const CRON_JOB: Kind = plain("CronJob", "batch/v1", "cronjobs", cron_job);

fn replicas(random: &mut Random) -> Value {
    let mut status = json!({ "replicas": random.pick(&[0, 1, 2]) });
    if random.percent(60) {
        status["readyReplicas"] = json!(random.pick(&[0, 1, 2]));
    }
    if random.percent(40) {
        status["observedGeneration"] = json!(1);
    }
    if random.percent(40) {
        let mut conditions = super::conditions(random);
        for condition in conditions.as_array_mut().into_iter().flatten() {
            condition["status"] = json!("True");
        }
        status["conditions"] = conditions;
    }
    status
}

fn template(spec: &mut Value, random: &mut Random) {
    spec["template"] = json!({ "spec": pod_spec(random) });
    if random.percent(90) {
        spec["selector"] = json!({"matchLabels": {"a": "b"}});
        spec["template"]["metadata"] = json!({"labels": {"a": "b"}});
    }
    if random.percent(3) {
        spec["selector"] = json!({"matchLabels": {"a": "c"}});
    }
    if random.percent(2) {
        spec["selector"] = json!({});
    }
}

fn deployment(object: &mut Value, random: &mut Random) {
    let mut spec = json!({});
    template(&mut spec, random);
    if random.percent(30) {
        spec["replicas"] = json!(random.pick(&[1, 2, 3]));
    }
    if random.percent(10) {
        spec["strategy"] = json!({ "type": random.pick(&["Recreate", "RollingUpdate"]) });
    }
    if random.percent(6) {
        let surge = [json!(0), json!(1), json!("50%"), json!("200%"), json!("x")];
        let surge = surge[random.below(surge.len())].clone();
        spec["strategy"] = json!({ "rollingUpdate": { "maxSurge": surge, "maxUnavailable": 0 } });
    }
    if random.percent(5) {
        spec["progressDeadlineSeconds"] = json!(random.pick(&[-1, 0, 600]));
    }
    if random.percent(5) {
        spec["minReadySeconds"] = json!(random.pick(&[-1, 0, 600]));
    }
    object["spec"] = spec;
}

fn stateful_set(object: &mut Value, random: &mut Random) {
    let mut spec = json!({});
    template(&mut spec, random);
    if random.percent(60) {
        spec["serviceName"] = json!(random.pick(&["s", "s", "t", "T"]));
    }
    if random.percent(30) {
        spec["replicas"] = json!(random.pick(&[1, 2, 3]));
    }
    if random.percent(10) {
        spec["podManagementPolicy"] = json!(random.pick(&["Parallel", "OrderedReady", "Odd"]));
    }
    if random.percent(15) {
        spec["volumeClaimTemplates"] = json!([{
            "metadata": { "name": random.pick(&["v", "data"]) },
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": { "requests": { "storage": random.pick(&["1Gi", "2Gi"]) } },
            },
        }]);
    }
    object["spec"] = spec;
}

fn daemon_set(object: &mut Value, random: &mut Random) {
    let mut spec = json!({});
    template(&mut spec, random);
    if random.percent(15) {
        let surge = [json!(0), json!(1), json!("50%")];
        let surge = surge[random.below(surge.len())].clone();
        spec["updateStrategy"] = json!({ "rollingUpdate": { "maxSurge": surge } });
    }
    object["spec"] = spec;
}

fn replica_set(object: &mut Value, random: &mut Random) {
    let mut spec = json!({});
    template(&mut spec, random);
    if random.percent(30) {
        spec["replicas"] = json!(random.pick(&[0, 1, -1]));
    }
    object["spec"] = spec;
}

fn job(object: &mut Value, random: &mut Random) {
    let mut spec = json!({ "template": { "spec": pod_spec(random) } });
    if random.percent(85) {
        spec["template"]["spec"]["restartPolicy"] = json!(random.pick(&["Never", "OnFailure"]));
    }
    for (field, values) in [
        ("backoffLimit", [0, 3, -1]),
        ("parallelism", [1, 2, 3]),
        ("completions", [1, 2, 3]),
        ("ttlSecondsAfterFinished", [0, 60, 600]),
    ] {
        if random.percent(15) {
            spec[field] = json!(random.pick(&values));
        }
    }
    if random.percent(15) {
        spec["suspend"] = json!(random.percent(50));
    }
    if random.percent(30) {
        spec["template"]["metadata"] = json!({ "labels": texts(&["a", "b"], random) });
    }
    object["spec"] = spec;
}

fn cron_job(object: &mut Value, random: &mut Random) {
    let mut job = json!({ "metadata": { "name": "x" } });
    self::job(&mut job, random);
    let mut spec = json!({ "schedule": random.pick(&["* * * * *", "@hourly"]) });
    spec["jobTemplate"] = json!({ "spec": job["spec"] });
    if random.percent(20) {
        spec["concurrencyPolicy"] = json!(random.pick(&["Allow", "Forbid", "Perhaps"]));
    }
    if random.percent(20) {
        spec["suspend"] = json!(random.percent(50));
    }
    object["spec"] = spec;
}

/// The spec of a pod or of a template.
pub(crate) fn pod_spec(random: &mut Random) -> Value {
    let mut containers = Vec::new();
    for name in random.some(&["a", "b", "c"]) {
        containers.push(container(name, random));
    }
    let mut pod = json!({ "containers": containers });
    if random.percent(10) {
        let name = random.pick(&["i", "a"]);
        pod["initContainers"] = json!([container(name, random)]);
    }
    if random.percent(20) {
        pod["nodeSelector"] = json!({"k": random.pick(&["1", "2"])});
    }
    if random.percent(20) {
        pod["tolerations"] = json!([{"key": random.pick(&["1", "2"]), "operator": "Exists"}]);
    }
    if random.percent(30) {
        let volumes = random.some(&["v", "w", "x", "y"]);
        pod["volumes"] = volumes
            .iter()
            .map(|name| match *name {
                "v" => json!({"name": name, "emptyDir": {}}),
                "w" => json!({"name": name, "configMap": {"name": "a"}}),
                "x" => json!({"name": name, "secret": {"secretName": "a"}}),
                _ => json!({ "name": name }),
            })
            .collect();
    }
    if random.percent(5) {
        pod["serviceAccountName"] = json!(random.pick(&["default", ""]));
    }
    if random.percent(5) {
        pod["hostNetwork"] = json!(false);
    }
    if random.percent(5) {
        pod["securityContext"] = json!({ "runAsNonRoot": true, "fsGroup": 1 });
    }
    if random.percent(5) {
        pod["restartPolicy"] = json!(random.pick(&["Always", "Never", "Perhaps"]));
    }
    if random.percent(5) {
        pod["dnsPolicy"] = json!(random.pick(&["Default", "None", "Odd"]));
    }
    if random.percent(5) {
        pod["terminationGracePeriodSeconds"] = json!(random.pick(&[0, 5]));
    }
    pod
}

fn container(name: &str, random: &mut Random) -> Value {
    let mut entry = json!({ "name": name });
    if random.percent(90) {
        let images = ["i:1", "i:2", "i", "r.example.com:5000/i", "i@sha256:0"];
        entry["image"] = json!(random.pick(&images));
    }
    if random.percent(40) {
        let names = random.some(&["E", "F"]);
        let value = random.pick(&["1", "2", ""]);
        entry["env"] = names
            .iter()
            .map(|name| json!({"name": name, "value": value}))
            .collect();
    }
    if random.percent(5) {
        entry["env"] = json!([{
            "name": random.pick(&["E", "a=b", ""]),
            "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } },
        }]);
    }
    if random.percent(5) {
        entry["tty"] = json!(false);
    }
    if random.percent(30) {
        entry["args"] = json!(random.some(&["x", "y"]));
    }
    if random.percent(30) {
        let ports = random.some(&[80, 81]);
        entry["ports"] = ports.iter().map(|p| json!({"containerPort": p})).collect();
    }
    if random.percent(4) {
        let number = random.pick(&[0, 80, 70000]);
        entry["ports"] = json!([{ "containerPort": number, "name": random.pick(&["http", "H-"]) }]);
    }
    if random.percent(30) {
        let amounts = ["1", "2", "1000m", "0.5", "64Mi", "1024Mi", "1G"];
        let amounts_of = |random: &mut Random| {
            let names = random.some(&["cpu", "memory"]);
            map(names, |_| json!(random.pick(&amounts)))
        };
        entry["resources"] = json!({ "limits": amounts_of(random) });
        if random.percent(40) {
            entry["resources"]["requests"] = amounts_of(random);
        }
    }
    if random.percent(2) {
        entry["resources"] =
            json!({ "limits": { random.pick(&["cpu", "stuff"]): random.pick(&["x", "-1", "1"]) } });
    }
    if random.percent(10) {
        let port = [json!(80), json!("http"), json!(0)];
        let port = port[random.below(port.len())].clone();
        let mut probe = json!({ "httpGet": { "port": port } });
        if random.percent(20) {
            probe = json!({ "exec": { "command": random.some(&["x"]) } });
        }
        if random.percent(20) {
            probe["successThreshold"] = json!(random.pick(&[1, 2, -1]));
        }
        entry[random.pick(&["livenessProbe", "readinessProbe", "startupProbe"])] = probe;
    }
    if random.percent(15) {
        let names = random.some(&["v", "w", "nowhere"]);
        entry["volumeMounts"] = names
            .iter()
            .map(|name| json!({ "name": name, "mountPath": format!("/{name}") }))
            .collect();
    }
    if random.percent(5) {
        entry["imagePullPolicy"] = json!(random.pick(&["Always", "Never", "Odd"]));
    }
    if random.percent(5) {
        entry["securityContext"] = json!({ "privileged": random.percent(50) });
    }
    entry
}
