//! The objects of a release: which, and what their manifests say.

use std::fmt;

use serde_json::{Value, json};
use stageset_core::object::ObjectKey;

use super::{CANARY, CONTENT, EXTRA, Feature, Setup, VARIABLE};

/// One manifest of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Kind.
    pub kind: &'static str,
    /// Namespace, unless cluster-scoped.
    pub namespace: Option<&'static str>,
    /// Name.
    pub name: String,
    /// What the annotation [`CONTENT`] says.
    pub content: String,
    /// `stages.metio.wtf/prune: disabled`.
    pub keep: bool,
    /// Whether its content can't be changed once it is there.
    pub immutable: bool,
}

impl Item {
    /// Which object it is.
    pub fn key(&self) -> ObjectKey {
        ObjectKey {
            name: self.name.clone(),
            kind: self.kind.to_owned(),
            namespace: self.namespace.map(str::to_owned),
            group: group(self.kind).to_owned(),
        }
    }

    /// The manifest, valid on a real API server too. What may be substituted stands in it as a
    /// variable.
    pub fn manifest(&self, setup: &Setup) -> Value {
        if setup.has(Feature::Variables) {
            let with = format!("{}.${{{VARIABLE}}}", self.content);
            self.manifest_with(&with)
        } else {
            self.manifest_with(&self.content)
        }
    }

    /// The manifest with this content. How long a workload takes is the world's business.
    pub fn manifest_with(&self, content: &str) -> Value {
        let mut annotations = json!({ CONTENT: content });
        if self.keep {
            annotations["stages.metio.wtf/prune"] = "disabled".into();
        }
        let mut metadata = json!({ "name": self.name, "annotations": annotations });
        if self.namespace == Some(EXTRA) {
            metadata["namespace"] = EXTRA.into();
        }
        let mut body = json!({
            "apiVersion": api_version(self.kind), "kind": self.kind, "metadata": metadata,
        });
        match self.kind {
            "ConfigMap" => body["data"] = json!({ "content": content }),
            "Secret" => {
                body["stringData"] = json!({ "password": CANARY });
                if self.immutable {
                    body["stringData"]["content"] = content.into();
                    body["immutable"] = true.into();
                }
            }
            "Service" => {
                body["spec"] = json!({
                    "selector": { "app": self.name }, "ports": [{ "port": 80 }],
                });
            }
            "Deployment" => {
                body["spec"] = json!({
                    "replicas": 1,
                    "selector": { "matchLabels": { "app": self.name } },
                    "template": {
                        "metadata": {
                            "labels": { "app": self.name },
                            "annotations": { CONTENT: content },
                        },
                        "spec": { "containers": [{ "name": "main", "image": "example.org/app:1" }] },
                    },
                });
            }
            "CustomResourceDefinition" => body["spec"] = definition(),
            "Widget" => body["spec"] = json!({ "content": content }),
            _ => {}
        }
        body
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

fn definition() -> Value {
    json!({
        "group": "example.org", "scope": "Namespaced",
        "names": {
            "kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList",
        },
        "versions": [{
            "name": "v1", "served": true, "storage": true,
            "schema": { "openAPIV3Schema": {
                "type": "object",
                "properties": { "spec": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                }},
            }},
        }],
    })
}

/// API group of a kind of the trials.
pub fn group(kind: &str) -> &'static str {
    api_version(kind)
        .split_once('/')
        .map_or("", |(group, _)| group)
}

/// API version of a kind of the trials.
pub fn api_version(kind: &str) -> &'static str {
    match kind {
        "Deployment" => "apps/v1",
        "CustomResourceDefinition" => "apiextensions.k8s.io/v1",
        "Widget" => "example.org/v1",
        "Job" => "batch/v1",
        _ => "v1",
    }
}

/// All kinds of the trials with their plural names and whether they are namespaced.
pub const KINDS: [(&str, &str, bool); 8] = [
    ("ConfigMap", "configmaps", true),
    ("Secret", "secrets", true),
    ("Service", "services", true),
    ("Deployment", "deployments", true),
    ("Job", "jobs", true),
    ("Namespace", "namespaces", false),
    (
        "CustomResourceDefinition",
        "customresourcedefinitions",
        false,
    ),
    ("Widget", "widgets", true),
];
