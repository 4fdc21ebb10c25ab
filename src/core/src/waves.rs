//! In which order objects are applied and deleted (K12, reconcile.md §11.2 and §12).
//!
//! Objects go out in waves: what others are made of comes first and is observed before the next
//! wave's dry run. Within a wave a fixed order of kinds holds; ties go by group, kind, namespace
//! and name, so that two runs over the same objects never differ. Deletes go the other way round.
//!
//! A kind counts only in its own API group: somebody's `Namespace.example.com` is an ordinary
//! custom resource.

use std::cmp::Reverse;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::object::{GroupVersionKind, ObjectKey, Reference};

/// How long a wave may take to become ready before the next one is given up (reconcile.md §11.2).
const READY_WITHIN: Duration = Duration::from_mins(1);

const RBAC: &str = "rbac.authorization.k8s.io";

/// Which of the four waves an object is applied in; waves are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Wave {
    /// `CustomResourceDefinition`, Namespace, `ClusterRole`: without them others can't be tried.
    Definitions,
    /// Kinds ending in `Class`, of any group.
    Classes,
    /// `ServiceAccount` and Role, which bindings and pods name.
    Identities,
    /// Everything else.
    Rest,
}

impl Wave {
    /// All waves, in the order in which they are applied.
    pub const ALL: [Self; 4] = [
        Self::Definitions,
        Self::Classes,
        Self::Identities,
        Self::Rest,
    ];

    /// The wave of an object; its version plays no part.
    pub fn of(key: &ObjectKey) -> Self {
        wave(&key.group, &key.kind)
    }

    /// How long to wait for this wave's objects to become ready before the next wave is tried;
    /// `None` if the next wave only needs them to exist.
    pub const fn must_be_ready(self) -> Option<Duration> {
        match self {
            Self::Definitions | Self::Classes => Some(READY_WITHIN),
            Self::Identities | Self::Rest => None,
        }
    }
}

impl fmt::Display for Wave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Definitions => "definitions, namespaces and cluster roles",
            Self::Classes => "classes",
            Self::Identities => "service accounts and roles",
            Self::Rest => "everything else",
        })
    }
}

/// The wave of a kind. Group and kind decide; the version plays no part.
pub fn wave_of(gvk: &GroupVersionKind) -> Wave {
    wave(&gvk.group, &gvk.kind)
}

fn wave(group: &str, kind: &str) -> Wave {
    match (group, kind) {
        ("apiextensions.k8s.io", "CustomResourceDefinition")
        | ("", "Namespace")
        | (RBAC, "ClusterRole") => Wave::Definitions,
        ("", "ServiceAccount") | (RBAC, "Role") => Wave::Identities,
        _ if kind.ends_with("Class") => Wave::Classes,
        _ => Wave::Rest,
    }
}

/// Kinds in the order in which they are applied (reconcile.md §11.2), each with its API group.
const FIRST: &[(&str, &str)] = &[
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("", "Namespace"),
    (RBAC, "ClusterRole"),
    ("cluster.x-k8s.io", "ClusterClass"),
    ("node.k8s.io", "RuntimeClass"),
    ("scheduling.k8s.io", "PriorityClass"),
    ("storage.k8s.io", "StorageClass"),
    ("snapshot.storage.k8s.io", "VolumeSnapshotClass"),
    ("networking.k8s.io", "IngressClass"),
    ("gateway.networking.k8s.io", "GatewayClass"),
    (RBAC, "ClusterRoleBinding"),
    ("", "ResourceQuota"),
    ("", "ServiceAccount"),
    (RBAC, "Role"),
    (RBAC, "RoleBinding"),
    ("", "ConfigMap"),
    ("", "Secret"),
    ("", "Service"),
    ("", "LimitRange"),
    ("apps", "Deployment"),
    ("apps", "StatefulSet"),
    ("batch", "CronJob"),
    ("policy", "PodDisruptionBudget"),
];

/// Kinds that come after everything else: a webhook that stands before its backend does refuses
/// every write that it selects.
const LAST: &[(&str, &str)] = &[
    (
        "admissionregistration.k8s.io",
        "MutatingWebhookConfiguration",
    ),
    (
        "admissionregistration.k8s.io",
        "ValidatingWebhookConfiguration",
    ),
];

fn rank(group: &str, kind: &str) -> usize {
    let place = |list: &[(&str, &str)]| list.iter().position(|&listed| listed == (group, kind));
    place(FIRST)
        .or_else(|| place(LAST).map(|place| FIRST.len() + 1 + place))
        .unwrap_or(FIRST.len())
}

/// Where an object stands in the order of application; sorts by wave, kind order, group, kind,
/// namespace, name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApplyOrder<'a> {
    wave: Wave,
    rank: usize,
    group: &'a str,
    kind: &'a str,
    namespace: Option<&'a str>,
    name: &'a str,
}

impl<'a> From<&'a ObjectKey> for ApplyOrder<'a> {
    fn from(key: &'a ObjectKey) -> Self {
        Self {
            wave: Wave::of(key),
            rank: rank(&key.group, &key.kind),
            group: &key.group,
            kind: &key.kind,
            namespace: key.namespace.as_deref(),
            name: &key.name,
        }
    }
}

/// The key to sort by before applying.
pub fn apply_order(object: &Reference) -> ApplyOrder<'_> {
    ApplyOrder::from(&object.key)
}

/// The key to sort by before deleting: the order of application, backwards.
pub fn delete_order(object: &Reference) -> Reverse<ApplyOrder<'_>> {
    Reverse(apply_order(object))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(kind: &str, namespace: Option<&str>, name: &str) -> Reference {
        let (group, kind) = kind.split_once('/').unwrap_or(("", kind));
        Reference {
            key: ObjectKey {
                group: group.into(),
                kind: kind.into(),
                namespace: namespace.map(Into::into),
                name: name.into(),
            },
            version: "v1".into(),
            plural: format!("{}s", kind.to_lowercase()),
        }
    }

    #[test]
    fn waves_go_by_group_and_kind() {
        for (group, kind, wave) in [
            (
                "apiextensions.k8s.io",
                "CustomResourceDefinition",
                Wave::Definitions,
            ),
            ("", "Namespace", Wave::Definitions),
            (
                "rbac.authorization.k8s.io",
                "ClusterRole",
                Wave::Definitions,
            ),
            ("networking.k8s.io", "IngressClass", Wave::Classes),
            ("resource.k8s.io", "DeviceClass", Wave::Classes),
            ("example.com", "PaymentClass", Wave::Classes),
            ("", "ServiceAccount", Wave::Identities),
            ("rbac.authorization.k8s.io", "Role", Wave::Identities),
            (
                "rbac.authorization.k8s.io",
                "ClusterRoleBinding",
                Wave::Rest,
            ),
            ("rbac.authorization.k8s.io", "RoleBinding", Wave::Rest),
            ("apps", "Deployment", Wave::Rest),
            // The same words in another group mean nothing.
            ("example.com", "Namespace", Wave::Rest),
            ("example.com", "CustomResourceDefinition", Wave::Rest),
            ("example.com", "ClusterRole", Wave::Rest),
            ("", "Role", Wave::Rest),
            ("example.com", "ServiceAccount", Wave::Rest),
            ("example.com", "Classroom", Wave::Rest),
        ] {
            for version in ["v1", "v1beta1"] {
                let gvk = GroupVersionKind {
                    group: group.into(),
                    version: version.into(),
                    kind: kind.into(),
                };
                assert_eq!(wave_of(&gvk), wave, "{gvk}");
            }
        }
    }

    #[test]
    fn the_first_two_waves_are_awaited_for_a_minute() {
        let waits: Vec<_> = Wave::ALL
            .map(|w| w.must_be_ready().map(|d| d.as_secs()))
            .into_iter()
            .collect();
        assert_eq!(waits, [Some(60), Some(60), None, None]);
        assert!(Wave::ALL.is_sorted());
    }

    /// The whole order of §11.2 as K12 divides it, with a stranger in each place for one.
    const IN_ORDER: &[&str] = &[
        "apiextensions.k8s.io/CustomResourceDefinition",
        "Namespace",
        "rbac.authorization.k8s.io/ClusterRole",
        "cluster.x-k8s.io/ClusterClass",
        "node.k8s.io/RuntimeClass",
        "scheduling.k8s.io/PriorityClass",
        "storage.k8s.io/StorageClass",
        "snapshot.storage.k8s.io/VolumeSnapshotClass",
        "networking.k8s.io/IngressClass",
        "gateway.networking.k8s.io/GatewayClass",
        "example.com/PaymentClass",
        "ServiceAccount",
        "rbac.authorization.k8s.io/Role",
        "rbac.authorization.k8s.io/ClusterRoleBinding",
        "ResourceQuota",
        "rbac.authorization.k8s.io/RoleBinding",
        "ConfigMap",
        "Secret",
        "Service",
        "LimitRange",
        "apps/Deployment",
        "apps/StatefulSet",
        "batch/CronJob",
        "policy/PodDisruptionBudget",
        "PersistentVolumeClaim",
        "Pod",
        "apps/DaemonSet",
        "batch/Job",
        "example.com/Namespace",
        "admissionregistration.k8s.io/MutatingWebhookConfiguration",
        "admissionregistration.k8s.io/ValidatingWebhookConfiguration",
    ];

    #[test]
    fn applied_in_kind_order_and_deleted_backwards() {
        let expected: Vec<_> = IN_ORDER
            .iter()
            .map(|kind| object(kind, None, "a"))
            .collect();
        // Names that would sort the other way round must not matter.
        let mut shuffled: Vec<_> = expected.iter().rev().cloned().collect();
        shuffled.sort_by(|a, b| apply_order(a).cmp(&apply_order(b)));
        assert_eq!(shuffled, expected);
        shuffled.sort_by(|a, b| delete_order(a).cmp(&delete_order(b)));
        assert_eq!(shuffled, expected.iter().rev().cloned().collect::<Vec<_>>());
    }

    #[test]
    fn ties_go_by_group_kind_namespace_and_name() {
        let expected = [
            object("ConfigMap", Some("a"), "z"),
            object("ConfigMap", Some("b"), "a"),
            object("ConfigMap", Some("b"), "b"),
            object("a.example.com/Thing", Some("z"), "z"),
            object("a.example.com/Zebra", None, "a"),
            object("b.example.com/Anything", None, "a"),
        ];
        let mut shuffled: Vec<_> = expected.iter().rev().cloned().collect();
        shuffled.sort_by(|a, b| apply_order(a).cmp(&apply_order(b)));
        assert_eq!(shuffled, expected);
    }
}
