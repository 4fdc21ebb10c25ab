//! As whom a request is made, and to which cluster.
//!
//! Everything a StageSet asks for is done as its tenant's ServiceAccount and never as the
//! controller (S1, I1). Only [`Identity::resolve`] makes an identity for a StageSet, and it can
//! answer with a refusal (S6, I2). The target is part of the identity: what is known, watched or
//! connected for one cluster can't answer for another.

mod target;

use std::fmt;

use serde::{Serialize, Serializer};

use crate::names::{Namespace, ServiceAccountName};

pub use target::{KubeconfigReference, Remote, Target};

/// Whether the controller may ever act as itself for a StageSet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum Tenancy {
    /// The default: a StageSet without an account is refused.
    #[default]
    Multi,
    /// `--single-tenant`: a StageSet without an account is applied by the controller itself (S14).
    Single,
}

/// The identity of every request to the tenant's world (K01).
///
/// The fields are private so that no other code can make one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    actor: Actor,
    target: Target,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Actor {
    /// The ServiceAccount, impersonated at the target.
    Tenant {
        namespace: Namespace,
        service_account: ServiceAccountName,
    },
    /// Whoever the kubeconfig is; remote only.
    Kubeconfig,
    /// The controller itself; local and in single-tenant mode only.
    Controller,
}

/// Why nobody may act for a StageSet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No account, no kubeconfig, and more than one tenant.
    #[error(
        "no ServiceAccount to act as: set spec.serviceAccountName (or stages[].serviceAccountName \
         on every stage) to an account of namespace {namespace}; only a controller started with \
         --single-tenant (chart value rbac.clusterAdmin) applies StageSets without one"
    )]
    NoAccount {
        /// The StageSet's namespace.
        namespace: Namespace,
    },
    /// A target of another namespace's Secret; a defect, refused all the same.
    #[error("a kubeconfig of namespace {found} isn't used for a StageSet of namespace {namespace}")]
    ForeignTarget {
        /// The StageSet's namespace.
        namespace: Namespace,
        /// The Secret's.
        found: Namespace,
    },
}

impl Identity {
    /// The one place where a StageSet's identity is made.
    ///
    /// # Errors
    /// [`Refusal`] when no account is named, the target is local, and the controller isn't in
    /// single-tenant mode.
    pub fn resolve(
        tenancy: Tenancy,
        namespace: &Namespace,
        account: Option<&ServiceAccountName>,
        target: &Target,
    ) -> Result<Self, Refusal> {
        if let Some(remote) = target.remote()
            && remote.namespace != *namespace
        {
            return Err(Refusal::ForeignTarget {
                namespace: namespace.clone(),
                found: remote.namespace.clone(),
            });
        }
        let actor = match (account, target, tenancy) {
            (Some(account), _, _) => Actor::Tenant {
                namespace: namespace.clone(),
                service_account: account.clone(),
            },
            (None, Target::Remote(_), _) => Actor::Kubeconfig,
            (None, Target::Local, Tenancy::Single) => Actor::Controller,
            (None, Target::Local, Tenancy::Multi) => {
                return Err(Refusal::NoAccount {
                    namespace: namespace.clone(),
                });
            }
        };
        Ok(Self {
            actor,
            target: target.clone(),
        })
    }

    /// The user to impersonate; `None` in single-tenant mode, and where the kubeconfig acts itself.
    pub fn impersonated_user(&self) -> Option<String> {
        match &self.actor {
            Actor::Tenant {
                namespace,
                service_account,
            } => Some(
                [
                    "system:serviceaccount:",
                    namespace.as_str(),
                    ":",
                    service_account.as_str(),
                ]
                .concat(),
            ),
            Actor::Kubeconfig | Actor::Controller => None,
        }
    }

    /// The ServiceAccount, unless the controller or a kubeconfig acts itself.
    pub fn service_account(&self) -> Option<&ServiceAccountName> {
        match &self.actor {
            Actor::Tenant {
                service_account, ..
            } => Some(service_account),
            Actor::Kubeconfig | Actor::Controller => None,
        }
    }

    /// The ServiceAccount that must exist here: remotely the API server decides (K02).
    pub fn local_account(&self) -> Option<&ServiceAccountName> {
        match self.target {
            Target::Local => self.service_account(),
            Target::Remote(_) => None,
        }
    }

    /// Whether the controller acts as itself: local, and in single-tenant mode only.
    pub fn is_controller(&self) -> bool {
        self.actor == Actor::Controller
    }

    /// The cluster.
    pub fn target(&self) -> &Target {
        &self.target
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.impersonated_user(), self.target.remote()) {
            (Some(user), None) => f.write_str(&user),
            (Some(user), Some(remote)) => {
                write!(f, "{user} by kubeconfig {}", remote.kubeconfig.name)
            }
            (None, Some(remote)) => write!(f, "kubeconfig {}", remote.kubeconfig.name),
            (None, None) => f.write_str("the controller (single-tenant mode)"),
        }
    }
}

impl Serialize for Identity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::names::SecretName;

    fn namespace() -> Namespace {
        Namespace::new("payments").unwrap()
    }

    fn remote(namespace: &str) -> Target {
        Target::Remote(Arc::new(Remote {
            namespace: Namespace::new(namespace).unwrap(),
            kubeconfig: KubeconfigReference {
                name: SecretName::new("prod-eu").unwrap(),
                key: "value".into(),
            },
            revision: "u/7".into(),
            cluster: "sha256:c".into(),
        }))
    }

    /// As plans, events and logs name them.
    #[test]
    fn an_identity_says_who_it_is_and_by_what() {
        let account = ServiceAccountName::new("deployer").unwrap();
        for (account, target, said) in [
            (
                Some(&account),
                Target::Local,
                "system:serviceaccount:payments:deployer",
            ),
            (
                Some(&account),
                remote("payments"),
                "system:serviceaccount:payments:deployer by kubeconfig prod-eu",
            ),
            (None, remote("payments"), "kubeconfig prod-eu"),
            (None, Target::Local, "the controller (single-tenant mode)"),
        ] {
            let identity = Identity::resolve(Tenancy::Single, &namespace(), account, &target);
            assert_eq!(identity.unwrap().to_string(), said);
        }
    }

    /// Every combination: whom the API server sees, and where (K01).
    #[test]
    fn who_acts_where() {
        let account = ServiceAccountName::new("deployer").unwrap();
        let tenant = Some("system:serviceaccount:payments:deployer");
        for (tenancy, account, target, expected) in [
            (Tenancy::Multi, Some(&account), Target::Local, Ok(tenant)),
            (Tenancy::Single, Some(&account), Target::Local, Ok(tenant)),
            (
                Tenancy::Multi,
                Some(&account),
                remote("payments"),
                Ok(tenant),
            ),
            (
                Tenancy::Single,
                Some(&account),
                remote("payments"),
                Ok(tenant),
            ),
            (Tenancy::Multi, None, Target::Local, Err(())),
            (Tenancy::Single, None, Target::Local, Ok(None)),
            (Tenancy::Multi, None, remote("payments"), Ok(None)),
            (Tenancy::Single, None, remote("payments"), Ok(None)),
            // Another namespace's Secret: never, whoever asks.
            (Tenancy::Multi, Some(&account), remote("other"), Err(())),
            (Tenancy::Single, None, remote("other"), Err(())),
        ] {
            let resolved = Identity::resolve(tenancy, &namespace(), account, &target);
            assert_eq!(
                resolved
                    .as_ref()
                    .map(Identity::impersonated_user)
                    .map_err(drop),
                expected.map(|user| user.map(str::to_owned)),
                "{tenancy:?} {account:?} {target}"
            );
            if let Ok(identity) = resolved {
                assert_eq!(*identity.target(), target);
            }
        }
    }

    #[test]
    fn a_refusal_says_what_to_set() {
        let refusal =
            Identity::resolve(Tenancy::Multi, &namespace(), None, &Target::Local).unwrap_err();
        assert!(
            refusal.to_string().contains("spec.serviceAccountName"),
            "{refusal}"
        );
    }

    #[test]
    fn only_local_accounts_have_to_exist_here() {
        let account = ServiceAccountName::new("deployer").unwrap();
        let at = |target| {
            Identity::resolve(Tenancy::Multi, &namespace(), Some(&account), &target).unwrap()
        };
        assert_eq!(at(Target::Local).local_account(), Some(&account));
        assert_eq!(at(remote("payments")).local_account(), None);
    }

    #[test]
    fn a_cluster_is_told_by_the_secret_that_leads_to_it() {
        assert_eq!(Target::Local.to_string(), "the local cluster");
        let there = remote("payments").to_string();
        assert_eq!(there, "the cluster of Secret payments/prod-eu");
    }
}
