//! The controller's own records on the pure server: StageSet, inventories, events.

use std::collections::BTreeMap;
use std::sync::Arc;

use stageset_core::failure::FailureClass;
use stageset_core::names::StageName;
use stageset_core::observation::{BaselineValid, Completed, Ledger, StageInventory, Status};

use super::call::{Answer, Call, Refusal};
use super::server::{Server, Trace};
use crate::log::{What, Who};
use crate::setup::MAX_TEARDOWN_SECONDS;

impl Server {
    pub(super) fn record(&mut self, call: &Call) -> (Result<Answer, Refusal>, Trace) {
        match call {
            Call::Finalizer(add, based) => {
                let what = What::Finalizer(*add);
                self.stage_set_write(what, *based, |stage_set| stage_set.finalizer = *add)
            }
            Call::Status(status, based) => {
                let what = What::Status(texts(status));
                self.stage_set_write(what, *based, |stage_set| {
                    stage_set.status = (**status).clone();
                })
            }
            Call::Inventory(stage, inventory, based) => {
                self.inventory_write(stage, Some(inventory), *based)
            }
            Call::DropInventory(stage, based) => self.inventory_write(stage, None, *based),
            Call::ReleaseInventories(based) => self.release_inventories(based),
            Call::CreateLedger => self.create_ledger(),
            Call::WriteLedger(completed, valid, based) => {
                self.write_ledger(completed, valid.as_ref(), *based)
            }
            Call::Announce(reason, message) => {
                self.told.push(reason.clone());
                let what = What::Announce(reason.clone(), message.clone());
                (Ok(Answer::Written(0)), trace(what, 201, false, None))
            }
            _ => (
                Ok(Answer::Gone),
                trace(What::Other("no record".into()), 500, false, None),
            ),
        }
    }

    /// Another's write in between shows: what it recorded may be there.
    fn release_inventories(
        &mut self,
        based: &BTreeMap<StageName, u64>,
    ) -> (Result<Answer, Refusal>, Trace) {
        let what = What::Inventory("every stage".into(), Vec::new(), Vec::new());
        let moved = |(stage, version): (&StageName, &u64)| {
            let stands = self.inventories.get(stage);
            stands.is_some_and(|(stands, _)| stands != version)
        };
        if based.iter().any(moved) {
            let refusal = Refusal::new(409, FailureClass::Conflict, "an inventory has changed");
            return (Err(refusal), trace(what, 409, false, None));
        }
        (Ok(Answer::Written(0)), trace(what, 200, false, None))
    }

    /// One that is there already serves as well.
    fn create_ledger(&mut self) -> (Result<Answer, Refusal>, Trace) {
        let what = What::LedgerWrite("an empty one".to_owned());
        if let Some((version, _)) = &self.ledger {
            return (Ok(Answer::Written(*version)), trace(what, 200, false, None));
        }
        let version = self.bump();
        self.ledger = Some((version, Ledger::default()));
        (Ok(Answer::Written(version)), trace(what, 201, true, None))
    }

    fn write_ledger(
        &mut self,
        completed: &[Completed],
        valid: Option<&BaselineValid>,
        based: Option<u64>,
    ) -> (Result<Answer, Refusal>, Trace) {
        let done: Vec<String> = completed
            .iter()
            .map(|done| format!("{}/{}", done.stage, done.action))
            .collect();
        let what = What::LedgerWrite(done.join(", "));
        let next = self.version + 1;
        let Some((version, ledger)) = &mut self.ledger else {
            let refusal = Refusal::new(409, FailureClass::Conflict, "the StageLedger isn't known");
            return (Err(refusal), trace(what, 404, false, None));
        };
        let versions = Some((based, *version));
        if based != Some(*version) {
            let refusal = Refusal::new(409, FailureClass::Conflict, "the ledger has changed");
            return (Err(refusal), trace(what, 409, false, versions));
        }
        *version = next;
        ledger.completed = completed.to_vec();
        ledger.baseline_valid = valid.cloned();
        self.version = next;
        (Ok(Answer::Written(next)), trace(what, 200, true, versions))
    }

    fn stage_set_write(
        &mut self,
        what: What,
        based: Option<u64>,
        change: impl FnOnce(&mut super::server::StageSetRecord),
    ) -> (Result<Answer, Refusal>, Trace) {
        let removes = what == What::Finalizer(false);
        let Some(stage_set) = &mut self.stage_set else {
            return (Ok(Answer::Gone), trace(what, 404, false, None));
        };
        let versions = Some((based, stage_set.version));
        if based.is_some_and(|based| based != stage_set.version) {
            let refusal = Refusal::new(409, FailureClass::Conflict, "the object has been modified");
            return (Err(refusal), trace(what, 409, false, versions));
        }
        self.stage_set_before = Some(Arc::clone(stage_set));
        let stage_set = Arc::make_mut(stage_set);
        change(stage_set);
        self.version += 1;
        stage_set.version = self.version;
        let gone = removes && stage_set.deletion.is_some();
        let version = stage_set.version;
        let answer = if gone {
            Answer::Gone
        } else {
            Answer::Written(version)
        };
        (Ok(answer), trace(what, 200, true, versions))
    }

    /// After the entry of a removed finalizer was looked at, the object goes.
    pub(super) fn let_go(&mut self) {
        let going = self.stage_set.as_ref();
        let going = going.filter(|stage_set| !stage_set.finalizer);
        if let Some(deletion) = going.and_then(|stage_set| stage_set.deletion) {
            self.overdue = self.now.since(deletion).as_secs() + 180 >= MAX_TEARDOWN_SECONDS;
            self.stage_set = None;
            // The garbage collector takes what is owned.
            self.inventories.clear();
        }
    }

    fn inventory_write(
        &mut self,
        stage: &StageName,
        inventory: Option<&StageInventory>,
        based: Option<u64>,
    ) -> (Result<Answer, Refusal>, Trace) {
        let stood = self.inventories.get(stage);
        let keys = |inventory: &StageInventory| inventory.entries.keys().cloned().collect();
        let before = stood
            .map(|(_, inventory)| keys(inventory))
            .unwrap_or_default();
        let after = inventory.map(keys).unwrap_or_default();
        let what = What::Inventory(stage.to_string(), before, after);
        let version = stood.map(|(version, _)| *version);
        let versions = version.map(|version| (based, version));
        // A create bounces on one that exists, a replace on another version.
        if version != based && !(based.is_none() && inventory.is_none()) {
            let refusal = Refusal::new(409, FailureClass::Conflict, "the inventory has changed");
            return (Err(refusal), trace(what, 409, false, versions));
        }
        self.inventories_before = self.inventories.clone();
        let version = self.bump();
        match inventory {
            Some(inventory) => {
                let mut inventory = inventory.clone();
                inventory.deleting = false;
                self.inventories.insert(stage.clone(), (version, inventory));
            }
            None => {
                self.inventories.remove(stage);
            }
        }
        (
            Ok(Answer::Written(version)),
            trace(what, 200, true, versions),
        )
    }
}

fn trace(what: What, code: u16, effect: bool, versions: Option<(Option<u64>, u64)>) -> Trace {
    Trace {
        who: Who::Controller,
        what,
        code,
        effect,
        versions,
    }
}

/// Everything in a status that people read.
fn texts(status: &Status) -> String {
    let mut text = String::new();
    for condition in &status.conditions {
        text.push_str(condition.kind);
        text.push('=');
        text.push_str(condition.status.as_str());
        text.push(' ');
        text.push_str(&condition.reason);
        text.push_str(": ");
        text.push_str(&condition.message);
        text.push_str("; ");
    }
    for stage in &status.stages {
        if let Some(message) = &stage.message {
            text.push_str(message);
            text.push_str("; ");
        }
    }
    text
}
