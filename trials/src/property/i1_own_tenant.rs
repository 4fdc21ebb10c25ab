//! I1: every request to the tenant's world, reads and dry runs included, carries the tenant identity
//! of its own StageSet: its namespace, and the account of the stage that the object belongs to.

use super::Property;
use crate::event::{Edit, Event};
use crate::log::{Entry, What, Who};
use crate::scene::Scene;
use crate::setup::{Feature, STAGES, is_user};

#[derive(Default)]
pub(super) struct OwnTenant {
    /// A second process has joined: it may have seen an earlier spec.
    two_leaders: bool,
    /// The user has had the release delivered as another account.
    succeeded: bool,
}

impl OwnTenant {
    fn news(&mut self, what: &What) {
        match what {
            What::World(Event::SecondLeader) => self.two_leaders = true,
            What::World(Event::Spec(Edit::Successor)) => self.succeeded = true,
            _ => {}
        }
    }

    /// Whether an account may act for a stage: the one that the spec names, and until the controller has seen
    /// the spec as it is, and for what goes as whoever brought it, the ones that it named before.
    fn acts(&self, name: &str, stage: usize, entry: &Entry, scene: &dyn Scene) -> bool {
        let (setup, variant) = (scene.setup(), scene.variant());
        if !self.succeeded {
            return setup.account(stage).is_some_and(|own| is_user(name, own));
        }
        // What a removed stage, or one that has another name now, leaves goes as whoever brought it.
        let removed = setup.has(Feature::Renamed) || !variant.stages(setup).contains(&stage);
        if removed || self.may_know_the_spec_before(entry, scene) {
            return setup.accounts_of(stage).any(|own| is_user(name, own));
        }
        let own = setup.account_in(variant, stage);
        own.is_some_and(|own| is_user(name, own))
    }

    fn may_know_the_spec_before(&self, entry: &Entry, scene: &dyn Scene) -> bool {
        let Some(stage_set) = scene.stage_set() else {
            return true;
        };
        let watches = matches!(entry.what, What::Kind(_));
        let behind = stage_set.observed_generation != stage_set.generation;
        watches || self.two_leaders || behind || stage_set.deletion.is_some()
    }
}

impl Property for OwnTenant {
    fn name(&self) -> &'static str {
        "I1"
    }

    fn look(&mut self, entry: &Entry, scene: &dyn Scene) -> Result<(), String> {
        self.news(&entry.what);
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
        let mut stages = (0..setup.stages)
            // Entries that somebody planted belong to whichever stage they were planted in, and what leaves a
            // stage to whichever has its name now.
            .filter(|stage| {
                holders.is_empty() || holders.contains(stage) || setup.has(Feature::Renamed)
            })
            .filter(|stage| acting.is_none_or(|acting| acting == STAGES[*stage]));
        let own = match &entry.who {
            Who::User(name) => stages.any(|stage| self.acts(name, stage, entry, scene)),
            Who::Controller => stages.any(|stage| setup.is_controllers(stage)),
            Who::Anonymous | Who::World => false,
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
