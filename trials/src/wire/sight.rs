//! What requests and objects on the wire mean, read anew here: not with the controller's own code.

use http::Method;
use serde_json::Value;
use stageset_core::object::ObjectKey;

use super::world::KUBECTL;
use crate::log::Sight;
use crate::setup::{CLOSED, CONTENT, KINDS, KUBECONFIG, NAMESPACE, group};

/// What a request's path asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) group: String,
    pub(super) namespace: Option<String>,
    pub(super) plural: String,
    pub(super) name: Option<String>,
    pub(super) subresource: Option<String>,
    pub(super) dry_run: bool,
    pub(super) watch: bool,
    /// Whether it asks for those of a label.
    pub(super) selects: bool,
}

impl Asked {
    /// Reads path and query.
    pub(super) fn of(uri: &http::Uri) -> Self {
        let mut parts = uri.path().split('/').filter(|part| !part.is_empty());
        let mut asked = Self::default();
        match parts.next() {
            Some("api") => {
                parts.next();
            }
            Some("apis") => {
                asked.group = parts.next().unwrap_or_default().to_owned();
                parts.next();
            }
            _ => return asked,
        }
        let rest: Vec<&str> = parts.collect();
        let rest = match rest.as_slice() {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => {
                asked.namespace = Some((*namespace).to_owned());
                rest
            }
            rest => rest,
        };
        asked.plural = rest.first().copied().unwrap_or_default().to_owned();
        asked.name = rest.get(1).map(|name| (*name).to_owned());
        asked.subresource = rest.get(2).map(|name| (*name).to_owned());
        let query = uri.query().unwrap_or_default();
        asked.dry_run = query.contains("dryRun=All");
        asked.selects = query.contains("labelSelector=");
        asked.watch = query.contains("watch=true") || query.contains("watch=1");
        asked
    }

    /// The object of the tenant's world that it asks for, by name.
    pub(super) fn key(&self) -> Option<ObjectKey> {
        let (kind, ..) = self.tenant_kind()?;
        Some(ObjectKey {
            name: self.name.clone()?,
            kind: kind.to_owned(),
            namespace: self.namespace.clone(),
            group: self.group.clone(),
        })
    }

    /// The kind of the tenant's world that it asks for.
    pub(super) fn tenant_kind(&self) -> Option<(&'static str, &'static str, bool)> {
        KINDS
            .into_iter()
            .find(|(kind, plural, _)| *plural == self.plural && group(kind) == self.group)
    }

    /// Whether the controller may ask for this as itself: a closed list.
    pub(super) fn is_own_business(&self, method: &Method) -> bool {
        let reads = method == Method::GET;
        match (self.group.as_str(), self.plural.as_str()) {
            // Discovery.
            (_, "") => reads,
            ("stages.metio.wtf", _) | ("coordination.k8s.io", "leases") => true,
            // One that comes back is counted in the event that stands.
            ("events.k8s.io", "events") => matches!(*method, Method::POST | Method::PATCH),
            ("source.toolkit.fluxcd.io", _) | ("", "serviceaccounts") => reads,
            // The kubeconfig, and no other Secret (S26, S30).
            ("", "secrets") => reads && self.name.as_deref() == Some(KUBECONFIG),
            ("apiextensions.k8s.io", "customresourcedefinitions") => {
                reads
                    && self
                        .name
                        .as_deref()
                        .is_none_or(|name| !name.ends_with("example.org"))
            }
            ("", "namespaces") => reads && self.name.as_deref() == Some(NAMESPACE),
            _ => false,
        }
    }
}

/// An object as checkers see it.
pub(super) fn sight(object: &Value) -> Sight {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let label = |name: &str| {
        object["metadata"]["labels"][name]
            .as_str()
            .map(str::to_owned)
    };
    let owner = match (
        label("stages.metio.wtf/namespace"),
        label("stages.metio.wtf/name"),
    ) {
        (Some(namespace), Some(name)) => Some(format!("{namespace}/{name}")),
        _ => None,
    };
    let annotation = |name: &str| {
        object["metadata"]["annotations"][name]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    Sight {
        uid: text("/metadata/uid").unwrap_or_default().to_owned(),
        content: annotation(CONTENT),
        owner,
        deleting: text("/metadata/deletionTimestamp").is_some(),
        ready: ready(object),
        keep: annotation("stages.metio.wtf/prune") == "disabled",
        legacy: object["metadata"]["managedFields"]
            .as_array()
            .is_some_and(|entries| entries.iter().any(|entry| entry["manager"] == KUBECTL)),
    }
}

/// Whether a kind of the trials says that it is ready.
fn ready(object: &Value) -> bool {
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    match object["kind"].as_str() {
        Some("Deployment") => {
            let wanted = number("/spec/replicas");
            number("/status/observedGeneration") >= number("/metadata/generation")
                && number("/status/updatedReplicas") >= wanted
                && number("/status/availableReplicas") >= wanted
        }
        Some("CustomResourceDefinition") => {
            object["status"]["conditions"]
                .as_array()
                .is_some_and(|conditions| {
                    conditions.iter().any(|condition| {
                        condition["type"] == "Established" && condition["status"] == "True"
                    })
                })
        }
        // Who carries it is there for expressions alone.
        Some("ConfigMap") => object["metadata"]["annotations"][CLOSED].is_null(),
        _ => true,
    }
}

/// All texts of a status.
pub(super) fn texts(object: &Value) -> String {
    let mut all = String::new();
    collect(&object["status"], &mut all);
    all
}

fn collect(value: &Value, all: &mut String) {
    match value {
        Value::String(text) => {
            all.push_str(text);
            all.push(' ');
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, all)),
        Value::Object(map) => map.values().for_each(|item| collect(item, all)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The objects that an inventory holds, each with its uid, if that is recorded.
pub(super) fn entries(inventory: &Value) -> impl Iterator<Item = (ObjectKey, Option<&str>)> {
    let entries = inventory["spec"]["entries"].as_array();
    entries.into_iter().flatten().filter_map(|entry| {
        // `namespace_name_group_kind`, as api.md has it.
        let mut parts = entry["id"].as_str()?.split('_');
        let (namespace, name, group, kind) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let key = ObjectKey {
            name: name.to_owned(),
            kind: kind.to_owned(),
            namespace: Some(namespace.to_owned()).filter(|namespace| !namespace.is_empty()),
            group: group.to_owned(),
        };
        Some((key, entry["uid"].as_str()))
    })
}

/// The objects that an inventory holds.
pub(super) fn keys(inventory: &Value) -> Vec<ObjectKey> {
    entries(inventory).map(|(key, _)| key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_written_and_counted_and_nothing_else() {
        let uri = http::Uri::from_static("/apis/events.k8s.io/v1/namespaces/payments/events/a");
        let asked = Asked::of(&uri);
        for (method, own) in [
            (Method::POST, true),
            (Method::PATCH, true),
            (Method::GET, false),
            (Method::PUT, false),
            (Method::DELETE, false),
        ] {
            assert_eq!(asked.is_own_business(&method), own, "{method}");
        }
    }
}
