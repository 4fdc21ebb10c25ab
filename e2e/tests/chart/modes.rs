//! The ways in which the chart is installed, and how it is rendered.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't be set up fails"
)]

use serde_json::Value;
use stageset_e2e::chart::Release;
use stageset_render::{Limits, yaml};

/// What may be done as a tenant, in the mode constrained.
const CONSTRAINED: &[&str] = &[
    "rbac.impersonation.mode=constrained",
    "rbac.impersonation.rules[0].apiGroups={apps}",
    "rbac.impersonation.rules[0].resources={deployments}",
    "rbac.impersonation.rules[0].verbs={get,list,watch,patch,delete}",
];

/// One way of installing.
pub(crate) struct Mode {
    pub(crate) name: &'static str,
    pub(crate) release: Release,
}

fn mode(name: &'static str, release: &str, namespace: &str, values: &[&str]) -> Mode {
    Mode {
        name,
        release: Release::new(release, namespace, values),
    }
}

/// All of them, as `docs/rights.md` lists them.
pub(crate) fn modes() -> Vec<Mode> {
    let (name, system) = ("stageset-controller", "stageset-system");
    let listed = "controller.watchNamespaces={team-a,team-b}";
    vec![
        mode("default", name, system, &[]),
        mode("clusterAdmin", name, system, &["rbac.clusterAdmin=true"]),
        mode("watchNamespaces", name, system, &[listed]),
        mode(
            "watchNamespaces after team-c has left",
            name,
            system,
            &[listed, "controller.leaveNamespaces={team-c}"],
        ),
        mode(
            "a list after none",
            name,
            system,
            &[listed, "controller.leaveNamespaces={*}"],
        ),
        mode("constrained", name, system, CONSTRAINED),
        mode(
            "constrained and watchNamespaces",
            name,
            system,
            &[CONSTRAINED, &[listed]].concat(),
        ),
        mode(
            "a second release",
            "north",
            "team-north",
            &[
                "crds.create=false",
                "controller.watchNamespaces={team-c}",
                "webhook.certMode=cert-manager",
                "webhook.certManager.issuerRef.name=issuer",
            ],
        ),
        mode(
            "the least",
            name,
            system,
            &[
                "controller.leaderElect=false",
                "webhook.enabled=false",
                "gate.enabled=false",
                "cleanupOnDelete.enabled=false",
            ],
        ),
        mode(
            "everything",
            name,
            system,
            &[
                "replicas.min=2",
                "replicas.max=3",
                "rbac.ledgerView=true",
                "webhook.namespaceSelector.matchLabels.team=yes",
                "metrics.serviceMonitor.enabled=true",
                "metrics.prometheusRule.enabled=true",
                "networkPolicy.enabled=true",
                "networkPolicy.egress.enabled=true",
                "networkPolicy.egress.to[0].ports[0].port=6443",
                "namespace.create=true",
                "imagePullSecrets[0].name=registry",
                "nodeSelector.disk=fast",
                "controller.tracing.endpoint=collector.tracing:4317",
                "controller.tracing.sampleRatio=0.25",
            ],
        ),
    ]
}

/// All objects of a release but the CRDs, which have a test of their own.
pub(crate) fn objects(release: &Release) -> Vec<Value> {
    let text = release.render(&[]).unwrap();
    let documents = yaml::documents(text.as_bytes(), &Limits::default()).unwrap();
    documents
        .into_iter()
        .map(|document| document.value)
        .filter(|object| object["kind"] != "CustomResourceDefinition")
        .collect()
}

/// Kind and name of an object, with its namespace where it has one.
pub(crate) fn label(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (kind, metadata) = (text(&object["kind"]), &object["metadata"]);
    match metadata["namespace"].as_str() {
        Some(namespace) => format!("{kind} {namespace}/{}", text(&metadata["name"])),
        None => format!("{kind} {}", text(&metadata["name"])),
    }
}
