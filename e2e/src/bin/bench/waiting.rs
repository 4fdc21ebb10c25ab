//! StageSets that all wait for a health that never comes, in fifty tenants: what so many of them take of
//! the controller's memory, and how soon it acts on the deletion of one.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::json;
use stageset_e2e::audit;
use stageset_e2e::chart;
use stageset_e2e::client::{Api, Call};
use stageset_e2e::fixtures::ArtifactServer;
use stageset_e2e::{ControlPlane, Options};

use crate::fleet;
use crate::measure::{cpu, memory, ratio};
use crate::{pid, stand, verifying};

const TENANTS: usize = 50;
/// All of them are there within this time, or the measurement gives up.
const PATIENCE: Duration = Duration::from_mins(60);
/// How long nothing happens before memory is measured.
const REST: Duration = Duration::from_secs(30);
const DELETIONS: usize = 21;

/// Measures and prints, with intervals of so many minutes, one of which passes before the last look.
pub(crate) async fn measure(count: usize, minutes: u64) -> Result<()> {
    // Nobody looks after a Deployment here, so none becomes ready.
    let (plane, mut controller) = stand(Options::API_ONLY)?;
    let (api, served) = (Api::new(&plane)?, ArtifactServer::start()?);
    let texts: Vec<(String, String)> = ["ServiceAccount", "Deployment", "Service", "ConfigMap"]
        .into_iter()
        .map(|kind| (format!("{kind}.yaml"), manifest(kind)))
        .collect();
    let files: Vec<(&str, &str)> = texts
        .iter()
        .map(|(path, text)| (&**path, &**text))
        .collect();
    fleet::prepare(&api, "wait", TENANTS, &served.put_files(&files)?).await?;
    api.all_good((0..TENANTS).map(all_rights).collect()).await?;
    controller.start_ready()?;
    let alone = memory(pid(&controller)?, "VmRSS")?;

    let begun = Instant::now();
    let cpu_before = cpu(pid(&controller)?)?;
    api.all_good((0..count).map(|index| stage_set(index, minutes)).collect())
        .await?;
    let created = begun.elapsed();
    loop {
        let there = verifying_of(&api).await?;
        if there == count {
            break;
        }
        if begun.elapsed() > PATIENCE {
            bail!("only {there} of {count} StageSets wait for health");
        }
        // A look lists them all, which takes of what is measured: not too often.
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    println!("{count} StageSets of {TENANTS} tenants, 4 objects each, waiting for health");
    println!(
        "  came there in     {:.1} s (creating them: {:.1} s)",
        begun.elapsed().as_secs_f32(),
        created.as_secs_f32()
    );
    let used = cpu(pid(&controller)?)?.saturating_sub(cpu_before);
    println!(
        "  controller CPU    {:.1} ms a StageSet",
        used.as_secs_f64() * 1000.0 / ratio(count, 1)
    );
    let pid = pid(&controller)?;
    for (rest, when) in [
        (REST, "then"),
        (Duration::from_secs(minutes * 60), "an interval later"),
    ] {
        tokio::time::sleep(rest).await;
        println!(
            "  memory {when:17} {} MiB, peak {} MiB; {alone} MiB without them (to reach: 150)",
            memory(pid, "VmRSS")?,
            memory(pid, "VmHWM")?
        );
    }
    deletions(&api, &plane).await?;
    controller.terminate()?;
    Ok(())
}

/// The time from the request to delete a StageSet to the API server's record of the first object that is
/// deleted as its tenant.
async fn deletions(api: &Api, plane: &ControlPlane) -> Result<()> {
    let mut took = Vec::new();
    for index in 0..DELETIONS {
        let begun = Instant::now();
        api.json(&Call::delete(path(index))).await?;
        let deployment = format!(
            "/apis/apps/v1/namespaces/{}/deployments/{}",
            namespace(index),
            name(index)
        );
        while api.send(&Call::get(&*deployment)).await?.0 == 200 {
            if begun.elapsed() > Duration::from_mins(1) {
                bail!("nobody acts on the deletion of {}", path(index));
            }
        }
        took.push(begun.elapsed());
    }
    took.sort();
    println!(
        "  a deletion        its Deployment gone after {:.1?}, median of {DELETIONS} (longest {:.1?})",
        took[DELETIONS / 2],
        took[DELETIONS - 1]
    );
    let denied = audit::read(&plane.audit_log())?;
    let denied = denied
        .iter()
        .filter(|event| event.user == chart::USER && event.code == 403);
    println!("  refused requests  {} (to reach: 0)", denied.count());
    Ok(())
}

async fn verifying_of(api: &Api) -> Result<usize> {
    let list = Call::get("/apis/stages.metio.wtf/v1/stagesets?resourceVersion=0");
    let list = api.json(&list).await?;
    let items = list["items"].as_array().into_iter().flatten();
    Ok(items.filter(|set| verifying(set)).count())
}

fn namespace(index: usize) -> String {
    fleet::namespace("wait", index % TENANTS)
}

fn name(index: usize) -> String {
    format!("shop-{index:05}")
}

fn path(index: usize) -> String {
    format!(
        "/apis/stages.metio.wtf/v1/namespaces/{}/stagesets/{}",
        namespace(index),
        name(index)
    )
}

fn stage_set(index: usize, minutes: u64) -> Call {
    let object = json!({
        "apiVersion": "stages.metio.wtf/v1", "kind": "StageSet",
        "metadata": { "name": name(index) },
        "spec": {
            "serviceAccountName": "deployer",
            "interval": format!("{minutes}m"),
            "stages": [{
                "name": "app",
                "sourceRef": { "name": "web" },
                "timeout": "2h",
                "postBuild": { "substitute": { "NAME": name(index) } },
            }],
        },
    });
    Call::apply(&path(index), &object)
}

/// `edit` is an aggregated role, and nobody aggregates here.
fn all_rights(index: usize) -> Call {
    let namespace = namespace(index);
    let object = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": { "name": "all" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                     "name": "cluster-admin" },
        "subjects": [{ "kind": "ServiceAccount", "name": "deployer", "namespace": namespace }],
    });
    let bindings = "/apis/rbac.authorization.k8s.io/v1/namespaces";
    Call::apply(&format!("{bindings}/{namespace}/rolebindings/all"), &object)
}

fn manifest(kind: &str) -> String {
    let (version, body) = match kind {
        "Deployment" => (
            "apps/v1",
            json!({ "spec": {
                "replicas": 1,
                "selector": { "matchLabels": { "app": "${NAME}" } },
                "template": {
                    "metadata": { "labels": { "app": "${NAME}" } },
                    "spec": { "containers": [{ "name": "web", "image": "example.invalid/web:1" }] },
                },
            } }),
        ),
        "Service" => (
            "v1",
            json!({ "spec": { "selector": { "app": "${NAME}" }, "ports": [{ "port": 80 }] } }),
        ),
        "ConfigMap" => ("v1", json!({ "data": { "key": "value" } })),
        _ => ("v1", json!({})),
    };
    let mut object = body;
    object["apiVersion"] = version.into();
    object["kind"] = kind.into();
    object["metadata"] = json!({ "name": "${NAME}" });
    object.to_string()
}
