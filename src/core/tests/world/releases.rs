//! Releases that tests begin with, and what they are made of.

use std::time::Duration;

use serde_json::json;
use stageset_core::identity::{KubeconfigReference, Tenancy};
use stageset_core::names::{Namespace, SecretName, StageName};
use stageset_core::object::Rendered;
use stageset_core::spec::{Actions, ConflictPolicy, SourceReference, Stage};

use super::{NAMESPACE, World};

pub fn kubeconfig(secret: &str) -> KubeconfigReference {
    KubeconfigReference {
        name: SecretName::new(secret).unwrap(),
        key: "value".into(),
    }
}

/// `kind/name=content`, with `ns:` before the kind for a foreign namespace.
pub fn manifest(text: &str) -> Rendered {
    let (head, content) = text.split_once('=').unwrap_or((text, ""));
    let (namespace, head) = match head.split_once(':') {
        Some((namespace, head)) => (Some(namespace), head),
        None => (None, head),
    };
    let (kind, name) = head.split_once('/').expect("kind/name");
    let api_version = match kind {
        "Deployment" => "apps/v1",
        "Ingress" => "networking.k8s.io/v1",
        "CronJob" | "Job" => "batch/v1",
        "Role" => "rbac.authorization.k8s.io/v1",
        "CustomResourceDefinition" => "apiextensions.k8s.io/v1",
        "StatefulSet" => "apps/v1",
        "Widget" => "example.org/v1",
        _ => "v1",
    };
    let mut body = json!({
        "apiVersion": api_version, "kind": kind,
        "metadata": {"name": name}, "spec": {"content": content},
    });
    if kind == "CustomResourceDefinition" {
        body["spec"] = json!({
            "group": "example.org", "names": {"kind": "Widget", "plural": "widgets"},
            "scope": "Namespaced", "content": content,
        });
    }
    if let Some(namespace) = namespace {
        body["metadata"]["namespace"] = namespace.into();
    }
    if let Some(annotation) = content.strip_prefix('@').and_then(|c| c.split(' ').next()) {
        body["metadata"]["annotations"] = json!({format!("stages.metio.wtf/{annotation}"): "true"});
    }
    if content == "keep" {
        body["metadata"]["annotations"] = json!({"stages.metio.wtf/prune": "disabled"});
    }
    Rendered::new(body, format!("{kind}-{name}.yaml:1")).expect("a manifest")
}

pub fn stage(name: &str, source: &str) -> Stage {
    Stage {
        name: StageName::new(name).unwrap(),
        source: SourceReference {
            api_version: "source.toolkit.fluxcd.io/v1".into(),
            kind: "ExternalArtifact".into(),
            namespace: Namespace::new(NAMESPACE).unwrap(),
            name: source.into(),
        },
        path: String::new(),
        service_account: None,
        overlay: stageset_core::spec::Overlay::default(),
        prune: true,
        timeout: None,
        disable_wait: false,
        checks: Vec::new(),
        expressions: Vec::new(),
        conflicts: ConflictPolicy::default(),
        actions: Actions::default(),
    }
}

/// The release that most tests begin with: two stages, two objects each, Deployments take 5 s.
pub fn shop() -> World {
    let mut world = World::new(vec![stage("config", "config"), stage("app", "app")]);
    world
        .slow
        .insert("Deployment".into(), Duration::from_secs(5));
    world.publish(
        "config",
        "r1",
        &["ConfigMap/settings=1", "Deployment/cache=1"],
    );
    world.publish("app", "r1", &["Deployment/web=1", "Service/web=1"]);
    world
}

pub fn single_tenant(world: &mut World) {
    world.config.tenancy = Tenancy::Single;
}
