//! Many small StageSets: each a namespace, an account with `edit`, an artifact with a
//! ServiceAccount, a Deployment, a Service and an Ingress.

use anyhow::Result;
use serde_json::{Value, json};
use stageset_e2e::client::{Api, Call};
use stageset_e2e::fixtures::artifacts::Artifact;

/// The four objects that every StageSet delivers: API path below the namespace, and manifest.
pub(crate) fn objects(replicas: u32) -> Vec<(&'static str, Value)> {
    let labels = json!({"app": "web"});
    vec![
        (
            "/api/v1/namespaces/{}/serviceaccounts/web",
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web"}}),
        ),
        (
            "/apis/apps/v1/namespaces/{}/deployments/web",
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
                "spec": {
                    "replicas": replicas,
                    "selector": {"matchLabels": labels},
                    "template": {
                        "metadata": {"labels": labels},
                        "spec": {
                            "serviceAccountName": "web",
                            "containers": [{"name": "web", "image": "example.invalid/web:1"}],
                        },
                    },
                },
            }),
        ),
        (
            "/api/v1/namespaces/{}/services/web",
            json!({
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
                "spec": {"selector": labels, "ports": [{"port": 80}]},
            }),
        ),
        (
            "/apis/networking.k8s.io/v1/namespaces/{}/ingresses/web",
            json!({
                "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
                "metadata": {"name": "web"},
                "spec": {"rules": [{"host": "web.example.invalid", "http": {"paths": [{
                    "path": "/", "pathType": "Prefix",
                    "backend": {"service": {"name": "web", "port": {"number": 80}}},
                }]}}]},
            }),
        ),
    ]
}

/// The name of the `index`th namespace of a fleet.
pub(crate) fn namespace(fleet: &str, index: usize) -> String {
    format!("{fleet}-{index:03}")
}

/// Makes namespaces, accounts, rights and artifacts; no StageSet yet.
pub(crate) async fn prepare(
    api: &Api,
    fleet: &str,
    count: usize,
    artifact: &Artifact,
) -> Result<()> {
    let mut rounds: [Vec<Call>; 3] = Default::default();
    for index in 0..count {
        let ns = namespace(fleet, index);
        rounds[0].push(Call::apply(
            &format!("/api/v1/namespaces/{ns}"),
            &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns}}),
        ));
        rounds[1].push(Call::apply(
            &format!("/api/v1/namespaces/{ns}/serviceaccounts/deployer"),
            &json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "deployer"}}),
        ));
        rounds[1].push(Call::apply(
            &format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/rolebindings/edit"),
            &json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
                "metadata": {"name": "edit"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                            "name": "edit"},
                "subjects": [{"kind": "ServiceAccount", "name": "deployer", "namespace": ns}],
            }),
        ));
        let path = format!("{}/web", sources(&ns));
        let meta = json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "ExternalArtifact",
            "metadata": {"name": "web"},
        });
        let mut with_spec = meta.clone();
        with_spec["spec"] = json!({"sourceRef": {
            "apiVersion": "example.invalid/v1", "kind": "Producer", "name": "web",
        }});
        rounds[1].push(Call::apply(&path, &with_spec));
        let mut with_status = meta;
        with_status["status"] = json!({
            "artifact": {
                "url": artifact.url, "digest": artifact.digest, "revision": "v1",
                "path": "web.tar.gz", "lastUpdateTime": "2026-01-01T00:00:00Z",
                "size": artifact.size,
            },
            "conditions": [{
                "type": "Ready", "status": "True", "reason": "Succeeded", "message": "stored",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }],
        });
        rounds[2].push(Call::apply(&format!("{path}/status"), &with_status));
    }
    for round in rounds {
        api.all_good(round).await?;
    }
    Ok(())
}

/// Creates the StageSets of a fleet.
pub(crate) async fn release(api: &Api, fleet: &str, count: usize, suspend: bool) -> Result<()> {
    let calls = (0..count).map(|index| {
        let object = json!({
            "apiVersion": "stages.metio.wtf/v1", "kind": "StageSet",
            "metadata": {"name": "web"},
            "spec": {
                "suspend": suspend,
                // Short, so that the idle measurement sees interval ticks.
                "interval": "10s",
                "serviceAccountName": "deployer",
                "stages": [{"name": "app", "sourceRef": {"name": "web"}}],
            },
        });
        Call::apply(&stage_set(&namespace(fleet, index)), &object)
    });
    api.all_good(calls.collect()).await
}

/// Deletes the StageSets of a fleet.
pub(crate) async fn withdraw(api: &Api, fleet: &str, count: usize) -> Result<()> {
    let calls = (0..count).map(|index| Call::delete(stage_set(&namespace(fleet, index))));
    api.all_good(calls.collect()).await
}

/// The API path of a namespace's StageSet.
pub(crate) fn stage_set(ns: &str) -> String {
    format!("/apis/stages.metio.wtf/v1/namespaces/{ns}/stagesets/web")
}

fn sources(ns: &str) -> String {
    format!("/apis/source.toolkit.fluxcd.io/v1/namespaces/{ns}/externalartifacts")
}
