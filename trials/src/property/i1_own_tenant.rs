//! I1: every request to the tenant's world, reads and dry runs included, carries the tenant identity
//! of its own StageSet: its namespace, and the account of the stage that the object belongs to.

use super::Property;
use crate::log::{Entry, What, Who};
use crate::scene::Scene;
use crate::setup::{STAGES, is_user};

pub(super) struct OwnTenant;

impl Property for OwnTenant {
    fn name(&self) -> &'static str {
        "I1"
    }

    fn look(&mut self, entry: &Entry, scene: &dyn Scene) -> Result<(), String> {
        if let What::Neighbour(path, fine) = &entry.what
            && (!fine || entry.abroad)
        {
            return Err(format!(
                "{path} was asked for as {}: it is another tenant's, or the account is",
                entry.who
            ));
        }
        if !entry.is_tenants() {
            return Ok(());
        }
        let setup = scene.setup();
        let holders = entry
            .tenant_key()
            .map_or(&[][..], |key| scene.table().holders(key));
        let acting = match &entry.what {
            What::Act(act) => Some(act.stage.as_str()),
            _ => None,
        };
        let mut accounts = (0..setup.stages)
            // Entries that somebody planted belong to whichever stage they were planted in.
            .filter(|stage| holders.is_empty() || holders.contains(stage))
            .filter(|stage| acting.is_none_or(|acting| acting == STAGES[*stage]))
            .filter_map(|stage| setup.account(stage));
        let own = match &entry.who {
            Who::User(name) => accounts.any(|account| is_user(name, account)),
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
