//! As whom a request is made.
//!
//! Everything a StageSet asks for is done as its tenant's ServiceAccount and never as the
//! controller (S1, I1). Only [`Identity::resolve`] makes an identity for a StageSet, and it can
//! answer with a refusal (S6, I2).

use std::fmt;

use serde::{Serialize, Serializer};

use crate::names::{Namespace, ServiceAccountName};

/// Whether the controller may ever act as itself for a StageSet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum Tenancy {
    /// The default: a StageSet without an account is refused.
    #[default]
    Multi,
    /// `--single-tenant`: a StageSet without an account is applied by the controller itself (S14).
    Single,
}

/// The identity of every request to the tenant's world.
///
/// The fields are private so that no other code can make one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity(Kind);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    Tenant {
        namespace: Namespace,
        service_account: ServiceAccountName,
    },
    Controller,
}

/// Why nobody may act for a StageSet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no ServiceAccount to act as: set spec.serviceAccountName (or stages[].serviceAccountName on \
     every stage) to an account of namespace {namespace}; only a controller started with \
     --single-tenant (chart value rbac.clusterAdmin) applies StageSets without one"
)]
pub struct Refusal {
    namespace: Namespace,
}

impl Identity {
    /// The one place where a StageSet's identity is made.
    ///
    /// # Errors
    /// [`Refusal`] when no account is named and the controller isn't in single-tenant mode.
    pub fn resolve(
        tenancy: Tenancy,
        namespace: &Namespace,
        account: Option<&ServiceAccountName>,
    ) -> Result<Self, Refusal> {
        match (account, tenancy) {
            (Some(account), _) => Ok(Self(Kind::Tenant {
                namespace: namespace.clone(),
                service_account: account.clone(),
            })),
            (None, Tenancy::Single) => Ok(Self(Kind::Controller)),
            (None, Tenancy::Multi) => Err(Refusal {
                namespace: namespace.clone(),
            }),
        }
    }

    /// The user to impersonate; `None` only in single-tenant mode.
    pub fn impersonated_user(&self) -> Option<String> {
        match &self.0 {
            Kind::Tenant {
                namespace,
                service_account,
            } => Some(format!(
                "system:serviceaccount:{namespace}:{service_account}"
            )),
            Kind::Controller => None,
        }
    }

    /// The ServiceAccount, unless the controller acts as itself.
    pub fn service_account(&self) -> Option<&ServiceAccountName> {
        match &self.0 {
            Kind::Tenant {
                service_account, ..
            } => Some(service_account),
            Kind::Controller => None,
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.impersonated_user() {
            Some(user) => f.write_str(&user),
            None => f.write_str("the controller (single-tenant mode)"),
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
    use super::*;

    #[test]
    fn an_account_wins_over_single_tenant_mode() {
        let namespace = Namespace::new("payments").unwrap();
        let account = ServiceAccountName::new("deployer").unwrap();
        for tenancy in [Tenancy::Multi, Tenancy::Single] {
            let identity = Identity::resolve(tenancy, &namespace, Some(&account)).unwrap();
            assert_eq!(
                identity.impersonated_user().as_deref(),
                Some("system:serviceaccount:payments:deployer")
            );
        }
    }

    #[test]
    fn without_an_account_only_single_tenant_mode_acts() {
        let namespace = Namespace::new("payments").unwrap();
        let refusal = Identity::resolve(Tenancy::Multi, &namespace, None).unwrap_err();
        assert!(
            refusal.to_string().contains("spec.serviceAccountName"),
            "{refusal}"
        );
        let identity = Identity::resolve(Tenancy::Single, &namespace, None).unwrap();
        assert_eq!(identity.impersonated_user(), None);
    }
}
