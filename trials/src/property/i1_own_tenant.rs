//! I1: every request to the tenant's world, reads and dry runs included, carries the tenant identity
//! of its own StageSet: its namespace, and the account of the stage that the object belongs to.

use super::Property;
use crate::log::{Entry, Who};
use crate::scene::Scene;
use crate::setup::user;

pub(super) struct OwnTenant;

impl Property for OwnTenant {
    fn name(&self) -> &'static str {
        "I1"
    }

    fn look(&mut self, entry: &Entry, scene: &dyn Scene) -> Result<(), String> {
        let Some(key) = entry.tenant_key() else {
            return Ok(());
        };
        let setup = scene.setup();
        let holders = scene.table().holders(key);
        let mut accounts = (0..setup.stages)
            // Entries that somebody planted belong to whichever stage they were planted in.
            .filter(|stage| holders.is_empty() || holders.contains(stage))
            .filter_map(|stage| setup.account(stage));
        let own = match &entry.who {
            Who::User(name) => accounts.any(|account| user(account) == *name),
            Who::Controller | Who::Anonymous | Who::World => false,
        };
        if own {
            Ok(())
        } else {
            Err(format!(
                "{} was asked for as {}, which isn't its stage's account",
                entry.what, entry.who
            ))
        }
    }
}
