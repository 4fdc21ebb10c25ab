//! The pure server as checkers see it.

use stageset_core::object::ObjectKey;
use stageset_core::observation::ActionRecord;
use stageset_core::time::Timestamp;

use super::server::Server;
use crate::event::Offer;
use crate::log::Sight;
use crate::scene::{Scene, StageSetSight};
use crate::setup::{NAME, NAMESPACE, STAGES, Setup, Step, Variant};
use crate::table::Table;

impl Scene for Server {
    fn setup(&self) -> &Setup {
        &self.setup
    }

    fn table(&self) -> &Table {
        &self.table
    }

    fn variant(&self) -> &Variant {
        &self.variant
    }

    fn now(&self) -> Timestamp {
        self.now
    }

    fn stage_set(&self) -> Option<StageSetSight> {
        let stage_set = self.stage_set.as_ref()?;
        let ready = stage_set.status.condition("Ready");
        Some(StageSetSight {
            deletion: stage_set.deletion,
            finalizer: stage_set.finalizer,
            generation: stage_set.generation,
            observed_generation: stage_set.status.observed_generation,
            ready: ready.map_or_else(String::new, |ready| {
                [ready.status.as_str(), " ", &ready.reason].concat()
            }),
            message: ready.map_or_else(String::new, |ready| ready.message.clone()),
            unanswered: stage_set.unanswered(),
        })
    }

    fn object(&self, key: &ObjectKey) -> Option<Sight> {
        self.sight(key)
    }

    fn is_anothers(&self, key: &ObjectKey) -> bool {
        let stored = self.objects.get(key);
        let owner = stored.and_then(|stored| stored.owner.as_ref());
        owner.is_some_and(|owner| owner.namespace != NAMESPACE || owner.name != NAME)
    }

    fn objects(&self) -> Vec<(ObjectKey, Sight)> {
        self.objects
            .keys()
            .filter_map(|key| Some((key.clone(), self.sight(key)?)))
            .collect()
    }

    fn inventories(&self) -> Vec<(String, Vec<ObjectKey>)> {
        self.inventories
            .iter()
            .map(|(stage, (_, inventory))| {
                let keys = inventory.entries.keys().cloned().collect();
                (stage.to_string(), keys)
            })
            .collect()
    }

    fn recorded(&self, key: &ObjectKey) -> bool {
        self.inventories
            .values()
            .any(|(_, inventory)| inventory.entries.contains_key(key))
    }

    fn recorded_uid(&self, stage: &str, key: &ObjectKey) -> Option<String> {
        let mut inventories = self.inventories.iter();
        let (_, (_, inventory)) = inventories.find(|(name, _)| name.as_str() == stage)?;
        inventory.entries.get(key)?.uid.clone()
    }

    fn allows(&self, account: &str, verb: &str, key: &ObjectKey) -> bool {
        self.may(account, verb, &key.kind)
    }

    fn level(&self) -> Option<u8> {
        self.level
    }

    fn done(&self, stage: usize, step: Step, revision: u8) -> bool {
        if step.lifetime {
            let ledger = self.ledger.as_ref();
            return ledger
                .is_some_and(|(_, ledger)| ledger.completion(STAGES[stage], step.name).is_some());
        }
        self.actions_of(stage).is_some_and(|record| {
            let recorded = record.revision.as_deref();
            let recorded = recorded.and_then(|recorded| recorded.strip_prefix('r'));
            recorded.and_then(|number| number.parse().ok()) == Some(revision)
                && record.executed.iter().any(|name| name == step.name)
        })
    }

    fn begun(&self, stage: usize, step: Step, key: &str) -> bool {
        self.actions_of(stage).is_some_and(|record| {
            let mut started = record.started.iter();
            started.any(|started| started.action == step.name && started.key == key)
        })
    }

    fn offered(&self, source: &str) -> Option<u8> {
        match self.sources.get(source)? {
            Offer::Revision(revision) => Some(*revision),
            Offer::NotReady | Offer::Absent | Offer::NoArtifact | Offer::Broken => None,
        }
    }
}

impl Server {
    /// The record of a stage's actions.
    fn actions_of(&self, stage: usize) -> Option<&ActionRecord> {
        let stage_set = self.stage_set.as_ref()?;
        let mut stages = stage_set.status.stages.iter();
        let found = stages.find(|known| known.name.as_str() == STAGES[stage])?;
        Some(&found.actions)
    }
}
