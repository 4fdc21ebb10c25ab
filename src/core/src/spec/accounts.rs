//! When a stage is given another account.

use super::{Spec, Stage};
use crate::names::{ServiceAccountName, StageName};

/// The stages of a spec, each with the account that delivers it.
#[derive(Debug, Clone, Default)]
pub struct Accounts(Box<[(StageName, Option<ServiceAccountName>)]>);

impl Accounts {
    /// Goes by this spec from now on. Whether a stage of both has another account in it: what that one saw of
    /// the stage's objects, if it had them once, is of before others did.
    pub fn follow(&mut self, spec: &Spec) -> bool {
        let known = self.0.iter().map(|(stage, account)| (stage, account));
        let stands = spec.stages.iter();
        let stands = stands.map(|stage| (&stage.name, stage.account(spec)));
        if known
            .map(|(stage, account)| (stage, account.as_ref()))
            .eq(stands)
        {
            return false;
        }
        let account = |stage: &Stage| (stage.name.clone(), stage.account(spec).cloned());
        let before = std::mem::replace(&mut self.0, spec.stages.iter().map(account).collect());
        self.0.iter().any(|(stage, account)| {
            let mut before = before.iter();
            before.any(|(name, former)| name == stage && former != account)
        })
    }
}
