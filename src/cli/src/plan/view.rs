//! What the next pass does, as data.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use stageset_cluster::{Outcome, StageSetKey};
use stageset_core::failure::FailureClass;
use stageset_core::object::ObjectKey;
use stageset_core::observation::{Phase, Status};
use stageset_core::plan::{ApplyReason, Need, Operation, RecordOperation, TenantOperation};

use crate::simulation::{Happening, Run};
use crate::timeline::user_of;
use crate::timeline::words;

/// The plan of one StageSet.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StageSetPlan {
    /// `namespace/name`.
    pub stage_set: String,
    /// Sources (`namespace/name`) and the revisions that the run pins.
    pub revisions: BTreeMap<String, String>,
    /// Everything in order.
    pub operations: Vec<Planned>,
    /// Where it ends: reason and message of the Ready condition, or that the StageSet is gone.
    pub ends: String,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Planned {
    /// The stage, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// What is done.
    #[serde(rename = "do")]
    pub what: Do,
    /// The object, for operations on objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectKey>,
    /// What is recorded, for operations on the controller's own records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// The user that the API server will see; none for a wait.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Why, or for what.
    pub why: String,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Do {
    /// An object that doesn't exist is written.
    Create,
    /// An object that differs from the release is written.
    Change,
    /// An object that somebody changed or deleted is written.
    Correct,
    /// Another manager's fields of an object become ours.
    TakeOver,
    /// An object is deleted.
    Delete,
    /// An action of a stage does something.
    Act,
    /// The controller's own records are written.
    Record,
    /// Nothing is done until this is seen.
    Wait,
    /// The API server refuses.
    Refused,
}

/// The plans of a run, one for each StageSet that does anything, by name.
pub(super) fn plans(run: &Run) -> Vec<StageSetPlan> {
    let mut builders: BTreeMap<StageSetKey, Builder> = BTreeMap::new();
    for (index, event) in run.events.iter().enumerate() {
        let Some(key) = &event.stage_set else {
            continue;
        };
        let builder = builders.entry(key.clone()).or_default();
        builder.silent = index < run.reviewed_from;
        match &event.what {
            Happening::Performed(operation, outcome) => builder.performed(operation, outcome),
            Happening::Gathered(Need::DryRun { identity, object }, Outcome::Failed(failure))
                if failure.class == FailureClass::Denied =>
            {
                builder.refused(Planned {
                    stage: Some(object.stage.to_string()),
                    what: Do::Refused,
                    object: Some(object.reference.key.clone()),
                    record: None,
                    identity: Some(user_of(identity)),
                    why: failure.message.clone(),
                });
            }
            _ => {}
        }
    }
    for key in &run.stage_sets {
        builders.entry(key.clone()).or_default();
    }
    builders
        .into_iter()
        .map(|(key, builder)| StageSetPlan {
            stage_set: key.to_string(),
            ends: builder.ends(),
            revisions: builder.status.last_attempted_revisions.clone(),
            operations: builder.operations,
        })
        .collect()
}

#[derive(Default)]
struct Builder {
    /// What happens belongs to an earlier pass; it is taken notice of, but not shown.
    silent: bool,
    gone: bool,
    status: Status,
    waits: BTreeSet<(String, String)>,
    operations: Vec<Planned>,
}

impl Builder {
    fn ends(&self) -> String {
        if self.gone {
            return "the StageSet is gone".to_owned();
        }
        match self.status.condition("Ready") {
            Some(ready) => format!(
                "Ready={}, {}: {}",
                ready.status.as_str(),
                ready.reason,
                words::by_line(words::without_runbook(&ready.message))
            ),
            None => "nothing is known of it".to_owned(),
        }
    }

    fn add(&mut self, planned: Planned) {
        if !self.silent && self.operations.last() != Some(&planned) {
            self.operations.push(planned);
        }
    }

    /// A refusal that comes again is the same one.
    fn refused(&mut self, planned: Planned) {
        if !self.operations.contains(&planned) {
            self.add(planned);
        }
    }

    fn performed(&mut self, operation: &Operation, outcome: &Outcome) {
        if let Outcome::Failed(failure) = outcome {
            if let Operation::Tenant(operation) = operation {
                let mut planned = tenant(operation);
                planned.what = Do::Refused;
                planned.why.clone_from(&failure.message);
                self.refused(planned);
            }
            return;
        }
        match operation {
            Operation::Tenant(operation) => self.add(tenant(operation)),
            Operation::Record(RecordOperation::Status(status)) => self.recorded(status),
            Operation::Record(RecordOperation::Action { status, .. }) => self.recorded(status),
            Operation::Record(
                RecordOperation::Announce(_) | RecordOperation::AnnounceOnLedger(_),
            ) => {}
            Operation::Record(operation) => {
                self.gone |= *operation == RecordOperation::RemoveFinalizer;
                self.add(record(operation));
            }
        }
    }

    /// Of a status only the waits are shown; the first one of each stage, before any of it is ready.
    fn recorded(&mut self, status: &Status) {
        self.status = status.clone();
        for stage in &status.stages {
            let (Phase::Verifying, Some(message)) = (stage.phase, &stage.message) else {
                continue;
            };
            let run = stage.run.clone().unwrap_or_default();
            if self.silent || !self.waits.insert((stage.name.to_string(), run)) {
                continue;
            }
            self.add(Planned {
                stage: Some(stage.name.to_string()),
                what: Do::Wait,
                object: None,
                record: None,
                identity: None,
                why: message.clone(),
            });
        }
    }
}

fn tenant(operation: &TenantOperation) -> Planned {
    match operation {
        TenantOperation::Apply {
            identity,
            object,
            why,
            ..
        } => Planned {
            stage: Some(object.stage.to_string()),
            what: match why {
                ApplyReason::Create => Do::Create,
                ApplyReason::Change(_) => Do::Change,
                ApplyReason::Drift { .. } => Do::Correct,
            },
            object: Some(object.reference.key.clone()),
            record: None,
            identity: Some(user_of(identity)),
            why: why.to_string(),
        },
        TenantOperation::TakeOver {
            identity,
            object,
            from,
            ..
        } => Planned {
            stage: Some(object.stage.to_string()),
            what: Do::TakeOver,
            object: Some(object.reference.key.clone()),
            record: None,
            identity: Some(user_of(identity)),
            why: format!("its fields of {} become ours", from.join(", ")),
        },
        TenantOperation::Delete {
            identity,
            object,
            stage,
            why,
            ..
        } => Planned {
            stage: Some(stage.to_string()),
            what: Do::Delete,
            object: Some(object.key.clone()),
            record: None,
            identity: Some(user_of(identity)),
            why: why.to_string(),
        },
        TenantOperation::Act {
            identity,
            attempt,
            deed,
        } => Planned {
            stage: Some(attempt.stage.to_string()),
            what: Do::Act,
            object: None,
            record: Some(deed.to_string()),
            identity: Some(user_of(identity)),
            why: format!("{} action {:?}", attempt.phase, attempt.action),
        },
    }
}

fn record(operation: &RecordOperation) -> Planned {
    let (stage, record, why) = match operation {
        RecordOperation::Inventory {
            stage,
            inventory,
            why,
        } => {
            let count = inventory.entries.len();
            let objects = if count == 1 { "object" } else { "objects" };
            (
                Some(stage.to_string()),
                format!("{count} {objects} in the inventory"),
                *why,
            )
        }
        RecordOperation::ReleaseInventories => (
            None,
            "no finalizer on the inventories".to_owned(),
            "everything in them is gone",
        ),
        RecordOperation::DropInventory { stage } => (
            Some(stage.to_string()),
            "no inventory".to_owned(),
            "nothing is left in it",
        ),
        RecordOperation::AddFinalizer => (
            None,
            "the finalizer".to_owned(),
            "so that deletion can tear down",
        ),
        RecordOperation::RemoveFinalizer => (
            None,
            "no finalizer".to_owned(),
            "nothing is left to look after",
        ),
        RecordOperation::CreateLedger => (
            None,
            "an empty StageLedger".to_owned(),
            "to remember what is done once ever",
        ),
        RecordOperation::Ledger { why, .. } => (None, "the StageLedger".to_owned(), why.as_str()),
        RecordOperation::Status(_)
        | RecordOperation::Action { .. }
        | RecordOperation::Announce(_)
        | RecordOperation::AnnounceOnLedger(_) => (None, operation.to_string(), ""),
    };
    Planned {
        stage,
        what: Do::Record,
        object: None,
        record: Some(record),
        identity: Some(words::CONTROLLER.to_owned()),
        why: why.to_owned(),
    }
}
