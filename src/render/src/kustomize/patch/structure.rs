//! How lists are merged: the strategies and keys of the built-in kinds.
//!
//! They come from the API server's own document (`stageset-schema`). Kustomize carries that of
//! Kubernetes 1.21 and 1.22; where it differs, it wins, since a build must give what it gave. All
//! differences were found by comparing both documents field by field; they stand here.

use stageset_schema::{ListType, SchemaRef, kind};

use crate::yaml::Node;

/// A place in a kind's structure.
#[derive(Debug, Clone, Copy)]
pub(super) struct Structure(SchemaRef);

/// How a list is merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strategy {
    /// The patch's list takes its place.
    Replace,
    /// Scalars, each once.
    Set,
    /// Mappings, told apart by these keys.
    Keys(&'static [&'static str]),
}

/// Kinds that kustomize knows in an older version only, and which kind of today has the lists
/// that theirs had.
const FORMER: &[(&str, &str, &str)] = &[
    // group, version, group of today (in version v1)
    (
        "admissionregistration.k8s.io",
        "v1beta1",
        "admissionregistration.k8s.io",
    ),
    ("apiextensions.k8s.io", "v1beta1", "apiextensions.k8s.io"),
    (
        "apiregistration.k8s.io",
        "v1beta1",
        "apiregistration.k8s.io",
    ),
    ("autoscaling", "v2beta1", "autoscaling"),
    ("autoscaling", "v2beta2", "autoscaling"),
    ("batch", "v1beta1", "batch"),
    ("certificates.k8s.io", "v1beta1", "certificates.k8s.io"),
    ("coordination.k8s.io", "v1beta1", "coordination.k8s.io"),
    ("discovery.k8s.io", "v1beta1", "discovery.k8s.io"),
    ("events.k8s.io", "v1beta1", "events.k8s.io"),
    ("extensions", "v1beta1", "networking.k8s.io"),
    (
        "flowcontrol.apiserver.k8s.io",
        "v1beta1",
        "flowcontrol.apiserver.k8s.io",
    ),
    ("networking.k8s.io", "v1beta1", "networking.k8s.io"),
    ("node.k8s.io", "v1beta1", "node.k8s.io"),
    ("policy", "v1beta1", "policy"),
    (
        "rbac.authorization.k8s.io",
        "v1beta1",
        "rbac.authorization.k8s.io",
    ),
    ("scheduling.k8s.io", "v1beta1", "scheduling.k8s.io"),
    ("storage.k8s.io", "v1beta1", "storage.k8s.io"),
];

/// Kinds that kustomize doesn't know: their lists are replaced.
const UNKNOWN: &[(&str, &str, &[&str])] = &[
    (
        "admissionregistration.k8s.io",
        "v1",
        &[
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
        ],
    ),
    ("autoscaling", "v2", &["HorizontalPodAutoscaler"]),
    (
        "certificates.k8s.io",
        "v1",
        &["ClusterTrustBundle", "PodCertificateRequest"],
    ),
    (
        "flowcontrol.apiserver.k8s.io",
        "v1",
        &["FlowSchema", "PriorityLevelConfiguration"],
    ),
    ("networking.k8s.io", "v1", &["IPAddress", "ServiceCIDR"]),
    (
        "resource.k8s.io",
        "v1",
        &[
            "DeviceClass",
            "DeviceTaintRule",
            "ResourceClaim",
            "ResourceClaimTemplate",
            "ResourceSlice",
        ],
    ),
    (
        "storage.k8s.io",
        "v1",
        &["CSIStorageCapacity", "VolumeAttributesClass"],
    ),
    (
        "storagemigration.k8s.io",
        "v1",
        &["StorageVersionMigration"],
    ),
];

/// Fields that kustomize doesn't know, in types that it does: their lists are replaced.
const UNKNOWN_FIELDS: &[(&str, &[&str])] = &[
    (
        "io.k8s.api.core.v1.PodSpec",
        &["evictionResponders", "resourceClaims", "schedulingGates"],
    ),
    ("io.k8s.api.core.v1.EphemeralContainer", &["ports"]),
    (
        "io.k8s.api.core.v1.ContainerStatus",
        &["allocatedResourcesStatus", "volumeMounts"],
    ),
    (
        "io.k8s.api.core.v1.PodStatus",
        &[
            "hostIPs",
            "nodeAllocatableResourceClaimStatuses",
            "resourceClaimStatuses",
        ],
    ),
    (
        "io.k8s.api.admissionregistration.v1.MutatingWebhook",
        &["matchConditions"],
    ),
    (
        "io.k8s.api.admissionregistration.v1.ValidatingWebhook",
        &["matchConditions"],
    ),
    (
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps",
        &["x-kubernetes-validations"],
    ),
];

impl Structure {
    /// The structure of an object; none of kinds that aren't built in.
    pub(super) fn of(object: &Node) -> Option<Self> {
        let text = |field: &str| object.get(field).and_then(Node::text);
        let (api_version, name) = (text("apiVersion")?, text("kind")?);
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let unknown = UNKNOWN
            .iter()
            .any(|(g, v, kinds)| *g == group && *v == version && kinds.contains(&name));
        if unknown {
            return None;
        }
        let former = FORMER.iter().find(|(g, v, _)| *g == group && *v == version);
        let found = match former {
            None => kind(group, version, name),
            // Gone for good; of their lists only those in the metadata are merged.
            Some(_) if matches!(name, "PodSecurityPolicy" | "CSIStorageCapacity") => {
                kind("", "v1", "ConfigMap")
            }
            Some((_, _, today)) => kind(today, "v1", name),
        };
        found.map(|kind| Self(kind.schema()))
    }

    pub(super) fn field(self, name: &str) -> Option<Self> {
        let unknown = self.0.name().is_some_and(|own| {
            UNKNOWN_FIELDS
                .iter()
                .any(|(of, fields)| *of == own && fields.contains(&name))
        });
        if unknown {
            return None;
        }
        self.0.child(name).map(Self)
    }

    pub(super) fn items(self) -> Option<Self> {
        self.0.items().map(Self)
    }

    pub(super) fn strategy(self) -> Strategy {
        if !self.0.patch_strategy().merge {
            return Strategy::Replace;
        }
        match (self.0.list_type(), self.0.merge_key()) {
            (Some(ListType::Map(keys)), _) => Strategy::Keys(keys),
            (_, Some(key)) => Strategy::Keys(one(key)),
            _ => Strategy::Set,
        }
    }
}

/// The merge keys that stand alone.
const SINGLE: [&[&str]; 12] = [
    &["name"],
    &["containerPort"],
    &["devicePath"],
    &["ip"],
    &["mountPath"],
    &["port"],
    &["resourceClaimName"],
    &["rule"],
    &["status"],
    &["topologyKey"],
    &["type"],
    &["uid"],
];

fn one(key: &str) -> &'static [&'static str] {
    SINGLE
        .into_iter()
        .find(|keys| keys[0] == key)
        .unwrap_or(SINGLE[0])
}

#[cfg(test)]
mod tests {
    use stageset_schema::{Type, definition, definitions};

    use super::*;

    #[test]
    fn every_merge_key_of_the_table_is_known() {
        let mut keys = 0;
        for definition in definitions() {
            for (name, field) in definition.fields() {
                if field.kind() == Type::List
                    && let Some(key) = field.merge_key()
                {
                    keys += 1;
                    assert_eq!(one(key), [key], "{:?}.{name}", definition.name());
                }
            }
        }
        assert!(keys > 50, "{keys}");
    }

    #[test]
    fn what_differs_is_in_the_table() {
        for (name, fields) in UNKNOWN_FIELDS {
            let definition = definition(name).unwrap();
            for field in *fields {
                assert!(definition.field(field).is_some(), "{name}.{field}");
            }
        }
        for (group, version, kinds) in UNKNOWN {
            for name in *kinds {
                assert!(kind(group, version, name).is_some(), "{name}");
            }
        }
        for (group, version, today) in FORMER {
            assert!(
                stageset_schema::kinds().any(|kind| kind.group == *today && kind.version == "v1"),
                "{group} {version}"
            );
        }
    }
}
