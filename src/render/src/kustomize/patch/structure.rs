//! How lists are merged: the strategies and keys of the built-in kinds.
//!
//! They come from the API server's own document (`stageset-schema`). Kustomize carries that of
//! Kubernetes 1.21 and 1.22; where it differs, it wins, since a build must give what it gave. All
//! differences were found by comparing both documents field by field; they stand here.

use stageset_schema::{Kind, ListType, SchemaRef, kind};

use crate::kustomize::id::Gvk;
use crate::kustomize::open_api::{Document, Schemas, Source};
use crate::yaml::Node;

/// A place in a kind's structure, as far as it is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Structure<'s> {
    schemas: &'s Schemas,
    place: Option<Place<'s>>,
}

#[derive(Debug, Clone, Copy)]
enum Place<'s> {
    BuiltIn(SchemaRef),
    Custom(&'s Document, usize),
}

/// How a list is merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Strategy<'s> {
    /// The patch's list takes its place.
    Replace,
    /// Scalars, each once.
    Set,
    /// Mappings, told apart by these keys.
    Keys(Vec<&'s str>),
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

impl<'s> Structure<'s> {
    /// The structure of an object; nothing is known of kinds that aren't in the schemas.
    pub(super) fn of(object: &Node, schemas: &'s Schemas) -> Self {
        let unknown = Self {
            schemas,
            place: None,
        };
        unknown.or_of(object)
    }

    /// What is known here; or else what is known of the kind, if an object stands here.
    pub(super) fn or_of(self, object: &Node) -> Self {
        if self.place.is_some() {
            return self;
        }
        let text = |field: &str| object.get(field).and_then(Node::text);
        let (Some(api_version), Some(kind)) = (text("apiVersion"), text("kind")) else {
            return self;
        };
        let mut sources = self.schemas.order().iter();
        let place = sources.find_map(|source| match source {
            Source::BuiltIn => built_in(Gvk::new(api_version, kind)).map(Place::BuiltIn),
            Source::Custom => {
                let document = self.schemas.custom()?;
                let at = document.kind(api_version, kind)?;
                Some(Place::Custom(document, at))
            }
        });
        Self { place, ..self }
    }

    pub(super) fn field(self, name: &str) -> Self {
        let place = match self.place {
            Some(Place::BuiltIn(schema)) => {
                let unknown = schema.name().is_some_and(|own| {
                    UNKNOWN_FIELDS
                        .iter()
                        .any(|(of, fields)| *of == own && fields.contains(&name))
                });
                let known = (!unknown).then(|| schema.child(name)).flatten();
                known.map(Place::BuiltIn)
            }
            Some(Place::Custom(document, at)) => {
                let field = document.field(at, name);
                field.map(|at| Place::Custom(document, at))
            }
            None => None,
        };
        Self { place, ..self }
    }

    pub(super) fn items(self) -> Self {
        let place = match self.place {
            Some(Place::BuiltIn(schema)) => schema.items().map(Place::BuiltIn),
            Some(Place::Custom(document, at)) => {
                let items = document.items(at);
                items.map(|at| Place::Custom(document, at))
            }
            None => None,
        };
        Self { place, ..self }
    }

    pub(super) fn strategy(self) -> Strategy<'s> {
        let keys: Vec<&str> = match self.place {
            Some(Place::BuiltIn(schema)) if schema.patch_strategy().merge => {
                match (schema.list_type(), schema.merge_key()) {
                    (Some(ListType::Map(keys)), _) => keys.to_vec(),
                    (_, key) => key.into_iter().collect(),
                }
            }
            Some(Place::Custom(document, at)) => match document.keys(at) {
                Some(keys) => keys.iter().map(String::as_str).collect(),
                None => return Strategy::Replace,
            },
            _ => return Strategy::Replace,
        };
        if keys.is_empty() {
            Strategy::Set
        } else {
            Strategy::Keys(keys)
        }
    }
}

/// Whether a kind has a built-in description.
pub(super) fn is_built_in(gvk: Gvk<'_>) -> bool {
    built_in(gvk).is_some()
}

/// The built-in description of a kind.
fn built_in(gvk: Gvk<'_>) -> Option<SchemaRef> {
    let (group, version, name) = (gvk.group, gvk.version, gvk.kind);
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
    found.map(Kind::schema)
}

#[cfg(test)]
mod tests {
    use stageset_schema::definition;

    use super::*;

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
