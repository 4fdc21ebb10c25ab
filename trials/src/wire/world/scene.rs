//! The simulated cluster as checkers see it.

use serde_json::Value;
use stageset_core::object::ObjectKey;
use stageset_core::time::Timestamp;

use super::super::sight::{entries, keys, sight};
use super::{OURS, World};
use crate::event::Offer;
use crate::log::Sight;
use crate::scene::{Scene, StageSetSight};
use crate::setup::{NAME, NAMESPACE, STAGES, Setup, Step, Variant, api_version};
use crate::table::Table;

impl Scene for World {
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
        Timestamp::from_millis(self.cluster.now().as_millisecond())
    }

    fn stage_set(&self) -> Option<StageSetSight> {
        self.cluster
            .look(OURS, "StageSet", NAMESPACE, NAME, stage_set)
    }

    fn object(&self, key: &ObjectKey) -> Option<Sight> {
        let namespace = key.namespace.as_deref().unwrap_or_default();
        self.target().look(
            api_version(&key.kind),
            &key.kind,
            namespace,
            &key.name,
            sight,
        )
    }

    fn objects(&self) -> Vec<(ObjectKey, Sight)> {
        let items = self.setup.all_items().into_iter();
        items
            .map(|(_, item)| item.key())
            .filter_map(|key| Some((key.clone(), self.object(&key)?)))
            .collect()
    }

    fn inventories(&self) -> Vec<(String, Vec<ObjectKey>)> {
        self.of_inventories(|inventory| (stage_of(inventory).to_owned(), keys(inventory)))
    }

    fn recorded(&self, key: &ObjectKey) -> bool {
        let holds =
            self.of_inventories(|inventory| entries(inventory).any(|(held, _)| held == *key));
        holds.contains(&true)
    }

    fn recorded_uid(&self, stage: &str, key: &ObjectKey) -> Option<String> {
        let uids = self.of_inventories(|inventory| {
            let mut held = entries(inventory).filter(|_| stage_of(inventory) == stage);
            let (_, uid) = held.find(|(held, _)| held == key)?;
            uid.map(str::to_owned)
        });
        uids.into_iter().flatten().next()
    }

    fn allows(&self, account: &str, verb: &str, key: &ObjectKey) -> bool {
        !self
            .revoked
            .contains(&(account.to_owned(), verb.to_owned(), key.kind.clone()))
    }

    fn level(&self) -> Option<u8> {
        self.level
    }

    fn done(&self, stage: usize, step: Step, revision: u8) -> bool {
        if step.lifetime {
            let completed = |ledger: &Value| {
                let completed = ledger["status"]["completedActions"].as_array();
                completed
                    .into_iter()
                    .flatten()
                    .any(|done| done["stage"] == STAGES[stage] && done["action"] == step.name)
            };
            let found = self
                .cluster
                .look(OURS, "StageLedger", NAMESPACE, NAME, completed);
            return found.unwrap_or(false);
        }
        self.record(stage, |record| {
            let executed = record["executedActions"].as_array();
            record["ledgerRevision"] == format!("r{revision}")
                && executed.is_some_and(|names| names.iter().any(|name| name == step.name))
        })
        .unwrap_or(false)
    }

    fn begun(&self, stage: usize, step: Step, key: &str) -> bool {
        self.record(stage, |record| {
            let started = record["startedAction"].as_str().unwrap_or_default();
            let (key, ending) = (format!(" key={key} "), format!("/{}", step.name));
            let mut lines = started.lines();
            lines.any(|line| line.contains(&key) && line.ends_with(&ending))
        })
        .unwrap_or(false)
    }

    fn offered(&self, source: &str) -> Option<u8> {
        match self.offers.get(source)? {
            Offer::Revision(revision) => Some(*revision),
            Offer::NotReady | Offer::Absent | Offer::NoArtifact | Offer::Broken => None,
        }
    }
}

/// The stage whose objects an inventory holds.
fn stage_of(inventory: &Value) -> &str {
    inventory["metadata"]["labels"]["stages.metio.wtf/stage"]
        .as_str()
        .unwrap_or_default()
}

impl World {
    fn of_inventories<T>(&self, look: impl FnMut(&Value) -> T) -> Vec<T> {
        self.cluster
            .look_at_all(OURS, "StageInventory", NAMESPACE, look)
    }

    /// What the status of a stage says.
    fn record<T>(&self, stage: usize, look: impl FnOnce(&Value) -> T) -> Option<T> {
        let found = |object: &Value| {
            let mut stages = object["status"]["stages"].as_array()?.iter();
            stages
                .find(|known| known["name"] == STAGES[stage])
                .map(look)
        };
        self.cluster
            .look(OURS, "StageSet", NAMESPACE, NAME, found)
            .flatten()
    }
}

fn stage_set(object: &Value) -> StageSetSight {
    let conditions = object["status"]["conditions"].as_array();
    let ready = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == "Ready");
    let text = |field: &str| {
        ready
            .and_then(|ready| ready[field].as_str())
            .unwrap_or_default()
            .to_owned()
    };
    StageSetSight {
        deletion: object["metadata"]["deletionTimestamp"]
            .as_str()
            .and_then(Timestamp::parse),
        finalizer: object["metadata"]["finalizers"]
            .as_array()
            .is_some_and(|list| !list.is_empty()),
        generation: object["metadata"]["generation"].as_i64().unwrap_or(0),
        observed_generation: object["status"]["observedGeneration"].as_i64().unwrap_or(0),
        ready: format!("{} {}", text("status"), text("reason")),
        message: text("message"),
        unanswered: unanswered(object),
    }
}

fn unanswered(object: &Value) -> Option<String> {
    let asked = object["metadata"]["annotations"]["stages.metio.wtf/reconcile-stage"].as_str()?;
    let (stage, token) = asked.split_once('@')?;
    let stages = object["status"]["stages"].as_array();
    let answered = stages
        .into_iter()
        .flatten()
        .any(|known| known["name"] == stage && known["lastHandledReconcileAt"] == token);
    (!answered).then(|| stage.to_owned())
}
