//! The pure server as checkers see it.

use stageset_core::object::ObjectKey;
use stageset_core::time::Timestamp;

use super::server::Server;
use crate::event::Offer;
use crate::log::Sight;
use crate::scene::{Scene, StageSetSight};
use crate::setup::{Setup, Variant};
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
                format!("{} {}", ready.status.as_str(), ready.reason)
            }),
            message: ready.map_or_else(String::new, |ready| ready.message.clone()),
        })
    }

    fn object(&self, key: &ObjectKey) -> Option<Sight> {
        self.sight(key)
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

    fn allows(&self, account: &str, verb: &str, key: &ObjectKey) -> bool {
        self.may(account, verb, &key.kind)
    }

    fn offered(&self, source: &str) -> Option<u8> {
        match self.sources.get(source)? {
            Offer::Revision(revision) => Some(*revision),
            Offer::NotReady | Offer::Absent | Offer::NoArtifact | Offer::Broken => None,
        }
    }
}
