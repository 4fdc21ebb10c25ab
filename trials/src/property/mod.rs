//! What must hold, one file a promise, each written apart from the code that it checks: checkers see
//! the request log with its identities and the cluster itself, never the controller's own opinion.
//!
//! The numbers are those of ARCHITECTURE.md. [`all`] lists them; every one looks at every entry of
//! every run. Promises about the end of a run (L1, L2, L3) are judged by [`rest`].

mod d1_nothing_lost;
mod d2_actions;
mod d2_once;
mod d3_leader;
mod d3_versions;
mod forgotten;
mod held;
mod i1_own_tenant;
mod i2_no_account;
mod i3_own_rights;
mod i4_denied;
mod i5_fails_closed;
mod i6_own_business;
mod i7_own_cluster;
mod i7_own_sight;
mod i8_owned_deletes;
mod i9_secrets;
mod kept;
mod l4_order;
mod misnamed;
mod races;
pub mod rest;
#[cfg(test)]
mod tests;
mod unpruned;

use std::fmt;

use crate::log::Entry;
use crate::scene::Scene;
use crate::schedule::Level;

/// One promise.
pub trait Property: Send {
    /// Its number.
    fn name(&self) -> &'static str;
    /// Looks at what just happened; the error says how the promise was broken.
    fn look(&mut self, entry: &Entry, scene: &dyn Scene) -> Result<(), String>;
}

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Its number, e.g. `D1`.
    pub property: &'static str,
    /// How it was broken.
    pub said: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.property, self.said)
    }
}

/// All promises about single steps, fresh for a run at a level.
pub fn all(level: Level) -> Vec<Box<dyn Property>> {
    vec![
        Box::new(i1_own_tenant::OwnTenant::default()),
        Box::new(i2_no_account::NoAccount),
        Box::new(i3_own_rights::OwnRights),
        Box::new(i4_denied::Denied::default()),
        Box::new(i5_fails_closed::FailsClosed::new(level)),
        Box::new(i6_own_business::OwnBusiness),
        Box::new(i7_own_cluster::OwnCluster),
        Box::new(i7_own_sight::OwnSight::default()),
        Box::new(i8_owned_deletes::OwnedDeletes::default()),
        Box::new(kept::Kept::default()),
        Box::new(i9_secrets::Secrets),
        Box::new(l4_order::Order::new(level)),
        Box::new(d1_nothing_lost::NothingLost::default()),
        Box::new(d2_once::Once::default()),
        Box::new(d2_actions::Actions::default()),
        Box::new(d3_versions::Versions),
        Box::new(d3_leader::Leader::default()),
    ]
}

/// Whether an owner label names the StageSet of the trials.
pub(crate) fn is_ours(owner: Option<&str>) -> bool {
    owner == Some(concat!("payments", "/", "shop"))
}
