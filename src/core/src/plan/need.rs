//! Facts that a decision asks for. The set is closed: a new one is a change of architecture.

use std::cmp::Ordering;
use std::sync::Arc;

use serde::Serialize;

use crate::identity::{Identity, KubeconfigReference, Target};
use crate::names::ServiceAccountName;
use crate::object::{Desired, GroupVersionKind, Reference};
use crate::observation::{Artifact, BuildKey, BuildOverlay, Labelled, Question};
use crate::rights::Right;
use crate::spec::{SourceReference, StageSetReference, VariableSource};

/// Why an object is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Purpose {
    /// Is it ready?
    Health,
    /// Is it as we left it?
    Drift,
    /// May it be deleted?
    Prune,
    /// May it be created anew, or is it there to be left alone?
    Replace,
    /// Is it gone?
    Gone,
    /// Is it in this cluster?
    Whereabouts,
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
    /// Another StageSet that this one depends on; read as the controller (K04).
    Dependency(StageSetReference),
    /// The Secret that names a remote cluster; read as the controller (S26).
    Kubeconfig(KubeconfigReference),
    /// What the target serves; discovery, shared by all tenants of one connection (K05).
    Kind {
        /// The cluster.
        target: Target,
        /// The kind.
        gvk: GroupVersionKind,
    },
    /// What the identity may do in a namespace; asked as the tenant (K31).
    Rules {
        /// As whom.
        identity: Identity,
        /// Where.
        namespace: String,
    },
    /// Whether the identity may do one thing; asked as the tenant.
    Access {
        /// As whom.
        identity: Identity,
        /// What.
        right: Right,
    },
    /// Download, check and render; anonymous.
    Build {
        /// Which build.
        key: BuildKey,
        /// The artifact.
        artifact: Artifact,
        /// What is laid over it. Its variables may be secret, so it is left out of what is printed.
        #[serde(skip)]
        overlay: Arc<BuildOverlay>,
    },
    /// A ConfigMap or Secret with variables, read as the tenant.
    Variables {
        /// As whom.
        identity: Identity,
        /// Which.
        source: VariableSource,
    },
    /// What applying would do, tried as the tenant, and the live object if there is one.
    DryRun {
        /// As whom.
        identity: Identity,
        /// The object.
        #[serde(serialize_with = "reference_only")]
        object: Arc<Desired>,
    },
    /// The objects with a stage's labels, listed as the tenant (a lost inventory).
    Labelled {
        /// As whom.
        identity: Identity,
        /// Which.
        search: Labelled,
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
    /// The StageLedger of this StageSet; read as the controller.
    Ledger,
    /// What an action wants to know of an object, read as the tenant.
    Look {
        /// As whom.
        identity: Identity,
        /// The object.
        object: Reference,
        /// What.
        question: Question,
    },
}

impl Need {
    /// The identity under which a tenant-plane fact is gathered; `None` for the controller's own.
    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Self::DryRun { identity, .. }
            | Self::Read { identity, .. }
            | Self::Labelled { identity, .. }
            | Self::Look { identity, .. }
            | Self::Variables { identity, .. }
            | Self::Rules { identity, .. }
            | Self::Access { identity, .. } => Some(identity),
            Self::Account(_)
            | Self::Namespace
            | Self::Inventories
            | Self::Ledger
            | Self::Source(_)
            | Self::Dependency(_)
            | Self::Kubeconfig(_)
            | Self::Kind { .. }
            | Self::Build { .. } => None,
        }
    }

    /// The needs in their order, each once.
    pub(super) fn in_order(needs: Vec<Self>) -> Vec<Self> {
        if needs.len() < 2 {
            return needs;
        }
        // The texts are made once for each need, not once for each comparison.
        let mut keyed: Vec<(String, Self)> =
            needs.into_iter().map(|need| (need.text(), need)).collect();
        keyed.sort_by(|(a_text, a), (b_text, b)| {
            a.place().cmp(&b.place()).then_with(|| a_text.cmp(b_text))
        });
        keyed.dedup_by(|(a_text, a), (b_text, b)| a_text == b_text && a.place() == b.place());
        keyed.into_iter().map(|(_, need)| need).collect()
    }

    /// Kind of need, cluster, identity. Identities are compared as a whole: two of them may read
    /// alike.
    fn place(&self) -> (u8, Option<&Target>, Option<&Identity>) {
        match self {
            Self::Account(_) => (0, None, None),
            Self::Namespace => (1, None, None),
            Self::Inventories => (2, None, None),
            Self::Source(_) => (3, None, None),
            Self::Kubeconfig(_) => (4, None, None),
            Self::Kind { target, .. } => (5, Some(target), None),
            Self::Build { .. } => (6, None, None),
            Self::DryRun { identity, .. } => (7, None, Some(identity)),
            Self::Read { identity, .. } => (8, None, Some(identity)),
            Self::Dependency(_) => (9, None, None),
            Self::Labelled { identity, .. } => (10, None, Some(identity)),
            Self::Variables { identity, .. } => (11, None, Some(identity)),
            Self::Ledger => (12, None, None),
            Self::Look { identity, .. } => (13, None, Some(identity)),
            Self::Rules { identity, .. } => (20, None, Some(identity)),
            Self::Access { identity, .. } => (21, None, Some(identity)),
        }
    }

    /// What tells it from others of its place.
    fn text(&self) -> String {
        match self {
            Self::Account(name) => name.to_string(),
            Self::Namespace | Self::Inventories | Self::Ledger => String::new(),
            Self::Source(source) => source.to_string(),
            Self::Kubeconfig(reference) => reference.to_string(),
            Self::Kind { gvk, .. } => gvk.to_string(),
            Self::Dependency(stage_set) => stage_set.to_string(),
            Self::Labelled { search, .. } => {
                format!("{search} {} {}", search.stage, search.version)
            }
            Self::Build { key, .. } => format!("{} {} {}", key.digest, key.path, key.overlay),
            Self::Variables { source, .. } => source.to_string(),
            Self::DryRun { object, .. } => {
                format!("{} {}", object.reference.key, object.digest)
            }
            Self::Read { object, .. } => object.key.to_string(),
            Self::Look {
                object, question, ..
            } => format!("{} {}", object.key, question.text()),
            Self::Rules { namespace, .. } => namespace.clone(),
            Self::Access { right, .. } => right.to_string(),
        }
    }
}

fn reference_only<S: serde::Serializer>(
    object: &Arc<Desired>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    object.reference.serialize(serializer)
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
        let place = self.place().cmp(&other.place());
        place.then_with(|| self.text().cmp(&other.text()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{KubeconfigReference, Remote};
    use crate::names::{Namespace, SecretName};

    /// What reads alike isn't the same: a kind of two clusters, an object that is tried and read.
    #[test]
    fn needs_are_asked_for_once_each() {
        let remote = Target::Remote(Arc::new(Remote {
            namespace: Namespace::new("shop").unwrap(),
            kubeconfig: KubeconfigReference {
                name: SecretName::new("prod").unwrap(),
                key: "value".into(),
            },
            revision: "u/1".into(),
            cluster: "c".into(),
        }));
        let kind = |target: &Target| Need::Kind {
            target: target.clone(),
            gvk: GroupVersionKind::from_manifest("apps/v1", "Deployment"),
        };
        let needs = vec![
            kind(&remote),
            kind(&Target::Local),
            Need::Inventories,
            kind(&remote),
        ];
        let asked = Need::in_order(needs);
        let expected = [Need::Inventories, kind(&Target::Local), kind(&remote)];
        assert_eq!(asked.len(), 3, "{asked:?}");
        for need in &expected {
            assert_eq!(asked.iter().filter(|other| *other == need).count(), 1);
        }
        assert_eq!(
            asked[0],
            Need::Inventories,
            "what others rest on comes first"
        );
    }

    #[test]
    fn a_kubeconfig_is_a_secret_and_a_key() {
        let kubeconfig = |name: &str, key: &str| {
            Need::Kubeconfig(KubeconfigReference {
                name: SecretName::new(name).unwrap(),
                key: key.into(),
            })
        };
        let needs = vec![
            kubeconfig("prod", "value"),
            kubeconfig("prod", "other"),
            kubeconfig("test", "value"),
            kubeconfig("prod", "value"),
        ];
        let asked: Vec<_> = Need::in_order(needs).iter().map(Need::to_string).collect();
        assert_eq!(
            asked,
            [
                "which cluster does Secret prod (key \"other\") name?",
                "which cluster does Secret prod (key \"value\") name?",
                "which cluster does Secret test (key \"value\") name?",
            ]
        );
    }
}
