//! As whom a release is delivered.

use stageset_core::identity::Tenancy;

use super::{Feature, NAMESPACE, SUCCESSOR, Setup, Variant};

/// As whom stages are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accounts {
    /// One account for all stages.
    Shared,
    /// Each stage names its own.
    Each,
    /// None is named: refused.
    None,
}

impl Setup {
    /// How the controller was started.
    pub fn tenancy(&self) -> Tenancy {
        if self.has(Feature::SingleTenant) {
            Tenancy::Single
        } else {
            Tenancy::Multi
        }
    }

    /// Whether the controller may act as itself for a stage: there, and where no account is named (S14).
    pub fn is_controllers(&self, stage: usize) -> bool {
        self.has(Feature::SingleTenant) && self.account(stage).is_none()
    }

    /// Whether nobody may act for the release, whatever happens.
    pub fn is_nobodys(&self) -> bool {
        self.accounts == Accounts::None && !self.has(Feature::SingleTenant)
    }

    /// The account that delivers a stage.
    pub fn account(&self, stage: usize) -> Option<&'static str> {
        match self.accounts {
            Accounts::Shared => Some("deployer"),
            // The operator of such a cluster does without one of its own.
            Accounts::Each if stage == 1 && self.has(Feature::SingleTenant) => None,
            Accounts::Each => Some(["deployer", "operator", "edger"][stage.min(2)]),
            Accounts::None => None,
        }
    }

    /// The account that delivers a stage once the user has changed accounts ([`Edit::Successor`]).
    ///
    /// [`Edit::Successor`]: crate::event::Edit::Successor
    pub fn successor(&self, stage: usize) -> Option<&'static str> {
        let changes = stage == 0 || self.accounts != Accounts::Each;
        (changes && self.has(Feature::Successor)).then_some(SUCCESSOR)
    }

    /// The account that the spec names for a stage now.
    pub fn account_in(&self, variant: &Variant, stage: usize) -> Option<&'static str> {
        let successor = self.successor(stage).filter(|_| variant.succeeded);
        successor.or_else(|| self.account(stage))
    }

    /// All accounts that deliver a stage in the course of a run.
    pub fn accounts_of(&self, stage: usize) -> impl Iterator<Item = &'static str> {
        let first = self.account(stage).into_iter();
        first.chain(self.successor(stage))
    }

    /// All accounts that the spec names in the course of a run.
    pub fn account_names(&self) -> Vec<&'static str> {
        let mut names: Vec<&str> = (0..self.stages).filter_map(|s| self.account(s)).collect();
        names.dedup();
        names.extend((0..self.stages).find_map(|stage| self.successor(stage)));
        names
    }
}

/// Whether a user is this account of the StageSet's namespace.
pub fn is_user(user: &str, account: &str) -> bool {
    let own = user.strip_prefix("system:serviceaccount:payments:");
    own == Some(account)
}

/// The user name of an account of the StageSet's namespace.
pub fn user(account: &str) -> String {
    format!("system:serviceaccount:{NAMESPACE}:{account}")
}
