//! Facts that a decision asks for. The set is closed: a new one is a change of architecture.

use std::cmp::Ordering;
use std::sync::Arc;

use serde::Serialize;

use crate::identity::Identity;
use crate::names::ServiceAccountName;
use crate::object::{Desired, GroupVersionKind, Reference};
use crate::observation::{Artifact, BuildKey};
use crate::spec::SourceReference;

/// Why an object is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Purpose {
    /// Is it ready?
    Health,
    /// Is it as we left it?
    Drift,
    /// May it be deleted?
    Prune,
    /// Is it gone?
    Gone,
}

/// A fact to gather.
#[derive(Debug, Clone, Serialize)]
pub enum Need {
    /// The ServiceAccount in the StageSet's namespace; read as the controller (K02).
    Account(ServiceAccountName),
    /// The StageSet's namespace; read as the controller (K21).
    Namespace,
    /// The inventories of this StageSet; read as the controller.
    Inventories,
    /// A source; read as the controller (K04).
    Source(SourceReference),
    /// What the target serves; discovery, shared (K05).
    Kind(GroupVersionKind),
    /// Download, check and render; anonymous.
    Build {
        /// Which build.
        key: BuildKey,
        /// The artifact.
        artifact: Artifact,
    },
    /// What applying would do, tried as the tenant, and the live object if there is one.
    DryRun {
        /// As whom.
        identity: Identity,
        /// The object.
        #[serde(serialize_with = "reference_only")]
        object: Arc<Desired>,
    },
    /// The live object, read as the tenant.
    Read {
        /// As whom.
        identity: Identity,
        /// The object.
        object: Reference,
        /// Why.
        purpose: Purpose,
    },
}

fn reference_only<S: serde::Serializer>(
    object: &Arc<Desired>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    object.reference.serialize(serializer)
}

impl Need {
    /// The identity under which a tenant-plane fact is gathered; `None` for the controller's own.
    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Self::DryRun { identity, .. } | Self::Read { identity, .. } => Some(identity),
            Self::Account(_)
            | Self::Namespace
            | Self::Inventories
            | Self::Source(_)
            | Self::Kind(_)
            | Self::Build { .. } => None,
        }
    }

    fn order(&self) -> (u8, String) {
        match self {
            Self::Account(name) => (0, name.to_string()),
            Self::Namespace => (1, String::new()),
            Self::Inventories => (2, String::new()),
            Self::Source(source) => (3, source.to_string()),
            Self::Kind(gvk) => (4, gvk.to_string()),
            Self::Build { key, .. } => (5, format!("{} {}", key.digest, key.path)),
            Self::DryRun { identity, object } => (
                6,
                format!("{identity} {} {}", object.reference.key, object.digest),
            ),
            Self::Read {
                identity, object, ..
            } => (7, format!("{identity} {}", object.key)),
        }
    }
}

impl PartialEq for Need {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Need {}
impl PartialOrd for Need {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Need {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}
