//! What a watch is on: a kind, a namespace or all, a selector, as whom.

use std::fmt;

use stageset_api::names;
use stageset_cluster::RequestIdentity;
use stageset_core::object::GroupVersionKind;
use stageset_core::spec::SourceReference;

/// A kind and its name in URLs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Resource {
    /// Group, version and kind.
    pub gvk: GroupVersionKind,
    /// Name in URLs, e.g. `stagesets`.
    pub plural: String,
}

impl Resource {
    /// A resource.
    pub fn new(group: &str, version: &str, kind: &str, plural: &str) -> Self {
        Self {
            gvk: GroupVersionKind {
                group: group.to_owned(),
                version: version.to_owned(),
                kind: kind.to_owned(),
            },
            plural: plural.to_owned(),
        }
    }

    /// `StageSets`.
    pub fn stage_sets() -> Self {
        Self::new(
            names::GROUP,
            names::VERSION,
            names::KIND_STAGE_SET,
            names::PLURAL_STAGE_SETS,
        )
    }

    /// `StageInventories`.
    pub fn inventories() -> Self {
        Self::new(
            names::GROUP,
            names::VERSION,
            names::KIND_STAGE_INVENTORY,
            names::PLURAL_STAGE_INVENTORIES,
        )
    }

    /// `StageLedgers`.
    pub fn ledgers() -> Self {
        Self::new(
            names::GROUP,
            names::VERSION,
            names::KIND_STAGE_LEDGER,
            names::PLURAL_STAGE_LEDGERS,
        )
    }

    /// `ServiceAccounts`.
    pub fn service_accounts() -> Self {
        Self::new("", "v1", "ServiceAccount", "serviceaccounts")
    }

    /// `CustomResourceDefinitions`.
    pub fn definitions() -> Self {
        Self::new(
            "apiextensions.k8s.io",
            "v1",
            "CustomResourceDefinition",
            "customresourcedefinitions",
        )
    }

    /// What to watch for a source: the referenced kind itself where the artifact stands in it,
    /// `ExternalArtifacts` for a producer.
    pub fn of_source(source: &SourceReference) -> Self {
        let gvk = GroupVersionKind::from_manifest(&source.api_version, &source.kind);
        match (source.is_direct(), source.kind.as_str()) {
            (true, "GitRepository") => Self {
                gvk,
                plural: "gitrepositories".to_owned(),
            },
            (true, "OCIRepository") => Self {
                gvk,
                plural: "ocirepositories".to_owned(),
            },
            (true, "Bucket") => Self {
                gvk,
                plural: "buckets".to_owned(),
            },
            (true, _) => Self {
                gvk,
                plural: "externalartifacts".to_owned(),
            },
            (false, _) => Self::external_artifacts(),
        }
    }

    /// `ExternalArtifacts`, where producers leave what they made.
    pub fn external_artifacts() -> Self {
        let default = names::DEFAULT_SOURCE_API_VERSION;
        let gvk = GroupVersionKind::from_manifest(default, names::DEFAULT_SOURCE_KIND);
        Self {
            gvk,
            plural: "externalartifacts".to_owned(),
        }
    }

    /// The name that a definition of this resource has.
    pub fn definition_name(&self) -> String {
        format!("{}.{}", self.plural, self.gvk.group)
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.plural)?;
        if !self.gvk.group.is_empty() {
            write!(f, ".{}", self.gvk.group)?;
        }
        write!(f, "/{}", self.gvk.version)
    }
}

/// One watch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WatchOn {
    /// The kind.
    pub resource: Resource,
    /// The only namespace; `None` = all of them, or a cluster-scoped kind.
    pub namespace: Option<String>,
    /// Label selector.
    pub selector: Option<String>,
    /// Metadata only.
    pub metadata_only: bool,
    /// As whom.
    pub identity: RequestIdentity,
}

impl WatchOn {
    /// Whole objects, as the controller.
    pub fn whole(resource: Resource, namespace: Option<String>) -> Self {
        Self {
            resource,
            namespace,
            selector: None,
            metadata_only: false,
            identity: RequestIdentity::Controller,
        }
    }

    /// Metadata, as the controller.
    pub fn metadata(resource: Resource, namespace: Option<String>) -> Self {
        Self {
            metadata_only: true,
            ..Self::whole(resource, namespace)
        }
    }

    /// The path of the collection.
    pub fn path(&self) -> String {
        let gvk = &self.resource.gvk;
        let root = if gvk.group.is_empty() {
            format!("/api/{}", gvk.version)
        } else {
            format!("/apis/{}/{}", gvk.group, gvk.version)
        };
        match &self.namespace {
            Some(namespace) => format!("{root}/namespaces/{namespace}/{}", self.resource.plural),
            None => format!("{root}/{}", self.resource.plural),
        }
    }
}

impl fmt::Display for WatchOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.resource.fmt(f)?;
        if let Some(namespace) = &self.namespace {
            write!(f, " in namespace {namespace}")?;
        }
        if let RequestIdentity::As(identity) = &self.identity {
            write!(f, " as {identity}")?;
        }
        Ok(())
    }
}
