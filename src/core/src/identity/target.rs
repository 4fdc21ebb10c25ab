//! Where a release goes: the controller's own cluster, or one that a kubeconfig names.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::names::{Namespace, SecretName};

/// `spec.kubeConfig.secretRef`, with its default filled in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct KubeconfigReference {
    /// The Secret, always in the StageSet's namespace (S23).
    pub name: SecretName,
    /// Its data key; `value` unless the spec names another (S24).
    pub key: String,
}

/// The cluster that a release goes to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Target {
    /// The controller's own.
    #[default]
    Local,
    /// One that a kubeconfig names.
    Remote(Arc<Remote>),
}

/// A remote cluster as one state of one Secret names it. A Secret that changes makes another
/// `Remote`: nothing that was seen or connected with the former one answers the new one (I7, A07).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Remote {
    /// Namespace of the StageSet and of the Secret.
    pub namespace: Namespace,
    /// The Secret and its key.
    pub kubeconfig: KubeconfigReference,
    /// The Secret's `metadata.uid` and `metadata.resourceVersion`.
    pub revision: String,
    /// Digest of the server's address and CA: which cluster it is (K22).
    pub cluster: String,
}

impl Target {
    /// The remote cluster, if it is one.
    pub fn remote(&self) -> Option<&Arc<Remote>> {
        match self {
            Self::Local => None,
            Self::Remote(remote) => Some(remote),
        }
    }

    /// Which cluster it is, as inventories record it: empty for the local one (K22).
    pub fn cluster(&self) -> &str {
        self.remote().map_or("", |remote| &remote.cluster)
    }
}

impl fmt::Display for KubeconfigReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret {} (key {:?})", self.name, self.key)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("the local cluster"),
            Self::Remote(remote) => {
                let Remote {
                    namespace,
                    kubeconfig,
                    ..
                } = remote.as_ref();
                write!(f, "the cluster of Secret {namespace}/{}", kubeconfig.name)
            }
        }
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
