//! Fields that an API server refuses to change, by hand.
//!
//! Source: the update validation of kubernetes v1.37.2 (`pkg/apis/*/validation/validation.go`),
//! the rules that can be told from the old and the new object alone. Not in it, since they need
//! more than that: what a Pod, a `PersistentVolume` or an established custom resource definition
//! may change, a bound claim's growing request, a suspended Job's template, and the fields of
//! `resource.k8s.io` pools.

/// What about a field can't change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// The value, once the object exists.
    Fixed,
    /// The value, once it is set.
    FixedOnceSet,
    /// Everything below, except these fields.
    FixedExcept(&'static [&'static str]),
    /// The value, once the object's top-level `immutable` is true.
    FixedIfImmutable,
}

/// One rule about one field of one kind, in all of its versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Immutable {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Kind.
    pub kind: &'static str,
    /// Field names from the root, joined by dots.
    pub field: &'static str,
    /// What can't change.
    pub rule: Rule,
}

/// The rules for a kind.
///
/// ```
/// let fields: Vec<&str> = stageset_schema::immutable_fields("apps", "Deployment")
///     .map(|immutable| immutable.field)
///     .collect();
/// assert_eq!(fields, ["spec.selector"]);
/// ```
pub fn immutable_fields(group: &str, kind: &str) -> impl Iterator<Item = &'static Immutable> {
    TABLE
        .iter()
        .filter(move |entry| entry.group == group && entry.kind == kind)
}

/// Every rule, ordered by group, kind and field.
pub fn all_immutable_fields() -> &'static [Immutable] {
    TABLE
}

const fn rule(
    group: &'static str,
    kind: &'static str,
    field: &'static str,
    rule: Rule,
) -> Immutable {
    Immutable {
        group,
        kind,
        field,
        rule,
    }
}

use Rule::{Fixed, FixedExcept, FixedIfImmutable, FixedOnceSet};

/// What a claim that isn't bound to a growing volume may still change.
const CLAIM: &[&str] = &["resources", "volumeAttributesClassName", "volumeName"];

const TABLE: &[Immutable] = &[
    rule("", "ConfigMap", "binaryData", FixedIfImmutable),
    rule("", "ConfigMap", "data", FixedIfImmutable),
    rule("", "ConfigMap", "immutable", FixedIfImmutable),
    rule("", "PersistentVolumeClaim", "spec", FixedExcept(CLAIM)),
    rule("", "PersistentVolumeClaim", "spec.volumeName", FixedOnceSet),
    rule("", "Secret", "data", FixedIfImmutable),
    rule("", "Secret", "immutable", FixedIfImmutable),
    rule("", "Secret", "type", Fixed),
    // Unless `spec.type` becomes ExternalName.
    rule("", "Service", "spec.clusterIP", FixedOnceSet),
    rule("apps", "ControllerRevision", "data", Fixed),
    rule("apps", "DaemonSet", "spec.selector", Fixed),
    rule("apps", "Deployment", "spec.selector", Fixed),
    rule("apps", "ReplicaSet", "spec.selector", Fixed),
    rule("apps", "StatefulSet", "spec.podManagementPolicy", Fixed),
    rule("apps", "StatefulSet", "spec.selector", Fixed),
    rule("apps", "StatefulSet", "spec.serviceName", Fixed),
    rule("apps", "StatefulSet", "spec.volumeClaimTemplates", Fixed),
    rule("batch", "Job", "spec.backoffLimitPerIndex", Fixed),
    rule("batch", "Job", "spec.completionMode", Fixed),
    rule("batch", "Job", "spec.managedBy", Fixed),
    rule("batch", "Job", "spec.podFailurePolicy", Fixed),
    rule("batch", "Job", "spec.selector", Fixed),
    rule("batch", "Job", "spec.successPolicy", Fixed),
    // Unless the Job is suspended and hasn't started.
    rule("batch", "Job", "spec.template", Fixed),
    rule(
        "certificates.k8s.io",
        "CertificateSigningRequest",
        "spec",
        Fixed,
    ),
    rule("discovery.k8s.io", "EndpointSlice", "addressType", Fixed),
    rule("networking.k8s.io", "IPAddress", "spec.parentRef", Fixed),
    rule(
        "networking.k8s.io",
        "IngressClass",
        "spec.controller",
        Fixed,
    ),
    rule("node.k8s.io", "RuntimeClass", "handler", Fixed),
    rule(
        "rbac.authorization.k8s.io",
        "ClusterRoleBinding",
        "roleRef",
        Fixed,
    ),
    rule("rbac.authorization.k8s.io", "RoleBinding", "roleRef", Fixed),
    rule("resource.k8s.io", "ResourceClaim", "spec", Fixed),
    rule("resource.k8s.io", "ResourceClaimTemplate", "spec", Fixed),
    rule(
        "scheduling.k8s.io",
        "PriorityClass",
        "preemptionPolicy",
        Fixed,
    ),
    rule("scheduling.k8s.io", "PriorityClass", "value", Fixed),
    rule("storage.k8s.io", "CSIDriver", "spec.attachRequired", Fixed),
    rule(
        "storage.k8s.io",
        "CSIDriver",
        "spec.volumeLifecycleModes",
        Fixed,
    ),
    rule(
        "storage.k8s.io",
        "CSIStorageCapacity",
        "nodeTopology",
        Fixed,
    ),
    rule(
        "storage.k8s.io",
        "CSIStorageCapacity",
        "storageClassName",
        Fixed,
    ),
    rule("storage.k8s.io", "StorageClass", "parameters", Fixed),
    rule("storage.k8s.io", "StorageClass", "provisioner", Fixed),
    rule("storage.k8s.io", "StorageClass", "reclaimPolicy", Fixed),
    rule("storage.k8s.io", "StorageClass", "volumeBindingMode", Fixed),
    rule("storage.k8s.io", "VolumeAttachment", "spec", Fixed),
    rule(
        "storage.k8s.io",
        "VolumeAttributesClass",
        "driverName",
        Fixed,
    ),
    rule(
        "storage.k8s.io",
        "VolumeAttributesClass",
        "parameters",
        Fixed,
    ),
    rule(
        "storagemigration.k8s.io",
        "StorageVersionMigration",
        "spec",
        Fixed,
    ),
];
