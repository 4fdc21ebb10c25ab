//! The built-in resources: what `stageset-schema` has from the real server's discovery, and what
//! discovery doesn't say.

use super::{Origin, Resource, StoreKey};

/// Group versions that a real server of this version serves and this one doesn't: asking for them
/// is answered 501, not 404.
const UNSERVED_GROUPS: &[(&str, &str)] = &[
    ("autoscaling", "v1"),
    ("flowcontrol.apiserver.k8s.io", "v1"),
    ("apiregistration.k8s.io", "v1"),
    ("resource.k8s.io", "v1"),
    ("storagemigration.k8s.io", "v1"),
];

/// Single resources of which the same holds.
const UNSERVED: &[(&str, &str)] = &[("", "componentstatuses"), ("", "bindings")];

/// Kinds whose `metadata.generation` counts changes of everything outside metadata and status.
/// OpenAPI doesn't say; found by asking a real server.
const COUNTED: &[&str] = &[
    "Pod",
    "PodTemplate",
    "ReplicationController",
    "DaemonSet",
    "Deployment",
    "ReplicaSet",
    "StatefulSet",
    "CronJob",
    "Job",
    "Ingress",
    "IngressClass",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "HorizontalPodAutoscaler",
    "PriorityClass",
    "EndpointSlice",
    "CustomResourceDefinition",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
];

/// Whether the real server serves a resource that this one doesn't.
pub(crate) fn is_unserved(group: &str, version: &str, plural: &str) -> bool {
    let known = stageset_schema::resource(group, version, plural).is_some();
    known && (UNSERVED_GROUPS.contains(&(group, version)) || UNSERVED.contains(&(group, plural)))
}

pub(crate) fn built_in() -> Vec<Resource> {
    let owned = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
    stageset_schema::kinds()
        .filter(|kind| !is_unserved(kind.group, kind.version, kind.plural))
        .map(|kind| Resource {
            group: kind.group.into(),
            version: kind.version.into(),
            plural: kind.plural.into(),
            singular: kind.singular.into(),
            kind: kind.kind.into(),
            namespaced: kind.namespaced,
            short_names: owned(&kind.short_names),
            categories: owned(&kind.categories),
            verbs: owned(&kind.verbs),
            stored: kind.verbs.contains(&"get"),
            status: kind.subresource("status").is_some(),
            subresources: kind
                .subresources
                .iter()
                .filter(|s| s.name != "status")
                .map(|s| s.name.to_owned())
                .collect(),
            generation: COUNTED.contains(&kind.kind),
            // Events are one table under two names.
            store: StoreKey::new(
                if kind.plural == "events" {
                    ""
                } else {
                    kind.group
                },
                kind.plural,
            ),
            origin: Origin::BuiltIn,
        })
        .collect()
}
