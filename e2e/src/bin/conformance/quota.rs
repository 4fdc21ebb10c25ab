//! Quotas: random objects in namespaces that may hold few of them, and what the quotas count.
//!
//! No controller runs, so that their status is written by hand once, and from then on by admission
//! alone: what is deleted isn't given back.

use anyhow::Result;
use serde_json::{Value, json};

use crate::generator::{Generator, Mix};
use crate::kinds::{Kind, core, workloads};
use crate::operation::{JSON, Operation, VERSION};
use crate::pair::Pair;
use crate::random::Random;
use crate::report::Report;
use crate::set_up;

const KINDS: &[Kind] = &[
    core::CONFIG_MAP,
    core::SECRET,
    core::SERVICE,
    core::SERVICE,
    core::POD,
    core::POD,
    core::CLAIM,
    core::CLAIM,
    workloads::DEPLOYMENT,
];

type Limit = (&'static str, [&'static str; 3]);

/// What the two quotas may limit, and how far. No object falls under both: which of two refuses it
/// is a matter of a Go map.
const SERVICES_AND_MORE: [Limit; 6] = [
    ("configmaps", ["1", "2", "4"]),
    ("count/configmaps", ["1", "3", "6"]),
    ("secrets", ["0", "1", "3"]),
    ("services", ["1", "2", "5"]),
    ("services.nodeports", ["0", "1", "3"]),
    ("services.loadbalancers", ["0", "1", "1"]),
];
const WORKLOADS: [Limit; 8] = [
    ("pods", ["1", "2", "5"]),
    ("persistentvolumeclaims", ["1", "2", "4"]),
    ("requests.storage", ["1Gi", "2560Mi", "5G"]),
    ("count/deployments.apps", ["1", "2", "3"]),
    ("requests.cpu", ["1", "2500m", "9"]),
    ("limits.cpu", ["2", "3", "9"]),
    ("requests.memory", ["128Mi", "1Gi", "3G"]),
    ("limits.memory", ["64Mi", "2Gi", "9G"]),
];

/// Limits what nothing else makes here: its count tells when admission knows the quota, after how
/// many attempts is nobody's business.
const PROBE: &str = "count/leases.coordination.k8s.io";

/// After so many operations the quotas themselves are compared.
const COUNTED: usize = 10;

/// Sets a round up and makes so many operations.
pub(crate) async fn run(
    pair: &mut Pair,
    seed: u64,
    number: usize,
    operations: usize,
    report: &mut Report,
) -> Result<()> {
    let namespace = format!("conformance-quota-{number}");
    set_up::namespace(pair, &namespace).await?;
    let mut random = Random::new(seed);
    let path = format!("/api/v1/namespaces/{namespace}/resourcequotas");
    let quotas: [(&str, &[Limit]); 2] = [("q1", &SERVICES_AND_MORE), ("q2", &WORKLOADS)];
    for (name, of) in quotas {
        let limits = limits(of, &mut random);
        let quota = json!({"metadata": {"name": name}, "spec": {"hard": limits}});
        let create = Operation::new("create", "ResourceQuota", "POST", path.clone());
        pair.step(&create.body(JSON, quota), report, |_| ()).await?;
        settle(pair, &path, name, &limits).await?;
    }
    let mut generator = Generator::new(seed, &namespace, Mix::creations(KINDS));
    for at in 1..=operations {
        pair.step(&generator.next(), report, |_| ()).await?;
        if at % COUNTED == 0 {
            for (name, _) in quotas {
                let get = Operation::new("get", "ResourceQuota", "GET", format!("{path}/{name}"));
                pair.step(&get, report, |body| {
                    if let Some(used) = body["status"]["used"].as_object_mut() {
                        used.remove(PROBE);
                    }
                    // The two servers weren't set up in the same seconds.
                    let entries = body["metadata"]["managedFields"].as_array_mut();
                    if let Some(entries) = entries {
                        entries.sort_by_key(Value::to_string);
                    }
                })
                .await?;
            }
        }
    }
    Ok(())
}

fn limits(of: &[Limit], random: &mut Random) -> Value {
    let mut hard = json!({});
    for (name, amounts) in random.few(of).into_iter().chain(random.few(of)) {
        hard[name] = json!(random.pick(&amounts));
    }
    hard
}

/// Writes a quota's status as its controller would, and waits until admission has read it.
async fn settle(pair: &mut Pair, path: &str, name: &str, limits: &Value) -> Result<()> {
    // One more limit tells: nothing passes while its count is unknown.
    let mut hard = limits.clone();
    hard[PROBE] = json!("100");
    let used: serde_json::Map<String, Value> = hard
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, _)| (key.clone(), json!("0")))
        .collect();
    let object = json!({
        "apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": {"name": name, "resourceVersion": VERSION},
        "spec": {"hard": hard}, "status": {"hard": hard, "used": used},
    });
    for (verb, at) in [("update", ""), ("update-status", "/status")] {
        let put = Operation::new(verb, "ResourceQuota", "PUT", format!("{path}/{name}{at}"))
            .body(JSON, object.clone());
        let (real, simulated) = pair.both(&put).await?;
        anyhow::ensure!(
            real.code == 200 && simulated.code == 200,
            "quota {name}: {real:?} {simulated:?}"
        );
    }
    let leases = path
        .replace("/api/v1/", "/apis/coordination.k8s.io/v1/")
        .replace("resourcequotas", "leases");
    let lease = json!({"metadata": {"name": format!("probe-{name}")}});
    let create = Operation::new("create", "Lease", "POST", leases).body(JSON, lease);
    // Once it is counted, admission knows the quota.
    let counted = Operation::new("get", "ResourceQuota", "GET", format!("{path}/{name}"));
    pair.repeat(&create, &counted, |answer| {
        answer.body["status"]["used"][PROBE] != json!("0")
    })
    .await
}
