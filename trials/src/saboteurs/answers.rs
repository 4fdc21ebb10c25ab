//! Bugs in what the core answers.

use std::sync::Arc;
use std::time::Duration;

use stageset_core::failure::FailureClass;
use stageset_core::identity::{Identity, Target, Tenancy};
use stageset_core::object::ObjectKey;
use stageset_core::observation::{DryRun, Observation};
use stageset_core::plan::{
    ApplyReason, Event, EventKind, Need, Next, Operation, Plan, Purpose, RecordOperation,
    TenantOperation,
};

use super::Saboteur;

impl Saboteur {
    /// What the core would answer wrongly.
    pub(super) fn bend_plan(self, observation: &Observation, plan: &mut Plan) {
        let controller = Identity::resolve(
            Tenancy::Single,
            &observation.stage_set.namespace,
            None,
            &Target::Local,
        );
        let Ok(controller) = controller else { return };
        for need in &mut plan.needs {
            self.bend_need(observation, &controller, need);
        }
        for operation in plan.steps.iter_mut().flatten() {
            self.bend_operation(&controller, operation);
        }
        match self {
            Self::RetryDeniedAsController => retry_denied(observation, &controller, plan),
            Self::InventoryAfterApply => plan.steps.sort_by_key(|step| {
                step.iter().any(|operation| {
                    matches!(
                        operation,
                        Operation::Record(RecordOperation::Inventory { .. })
                    )
                })
            }),
            Self::OthersCache => answer_from_others(observation, plan),
            Self::ShrinkEarly => shrink_early(observation, plan),
            Self::ReplaceInventory => replace_inventory(plan),
            Self::KeepOldUid => keep_old_uid(observation, plan),
            Self::DropRemovedStage => drop_removed(observation, plan),
            Self::ForgetFinalizer | Self::NoStatus => {
                for step in &mut plan.steps {
                    step.retain(|operation| match operation {
                        Operation::Record(RecordOperation::AddFinalizer) => {
                            self != Self::ForgetFinalizer
                        }
                        Operation::Record(RecordOperation::Status(_)) => self != Self::NoStatus,
                        _ => true,
                    });
                }
                plan.steps.retain(|step| !step.is_empty());
            }
            Self::SkipTeardown if observation.stage_set.deletion_timestamp.is_some() => {
                *plan = Plan::act(vec![vec![Operation::Record(
                    RecordOperation::RemoveFinalizer,
                )]]);
            }
            Self::StatusEveryTime if plan.is_idle() => {
                let mut status = observation.stage_set.status.clone();
                for condition in &mut status.conditions {
                    condition.last_transition = observation.now;
                }
                plan.steps
                    .push(vec![Operation::Record(RecordOperation::Status(Box::new(
                        status,
                    )))]);
            }
            Self::PollHot => {
                if let Next::Hold { until, refresh, .. } = &mut plan.next {
                    *until = (*until).min(observation.now.plus(Duration::from_secs(1)));
                    *refresh = true;
                }
            }
            Self::HoldInThePast => {
                if let Next::Hold { until, .. } = &mut plan.next {
                    *until = observation.now;
                }
            }
            Self::TellSecrets => tell_secrets(plan),
            Self::ActTwice => {
                let twice: Vec<Vec<Operation>> = plan
                    .steps
                    .iter()
                    .filter(|step| {
                        step.iter().any(|operation| {
                            matches!(operation, Operation::Tenant(TenantOperation::Delete { .. }))
                        })
                    })
                    .cloned()
                    .collect();
                plan.steps.extend(twice);
            }
            _ => {}
        }
    }

    fn bend_need(self, observation: &Observation, controller: &Identity, need: &mut Need) {
        match (self, need) {
            (
                Self::HealthAsController,
                Need::Read {
                    identity, purpose, ..
                },
            ) if *purpose == Purpose::Health => {
                *identity = controller.clone();
            }
            (
                Self::PruneReadAsController,
                Need::Read {
                    identity, purpose, ..
                },
            ) if *purpose == Purpose::Prune => {
                *identity = controller.clone();
            }
            (Self::DryRunAsController, Need::DryRun { identity, .. }) => {
                *identity = controller.clone();
            }
            (
                Self::OneAccountForAll,
                Need::DryRun { identity, .. } | Need::Read { identity, .. },
            ) => {
                let first = observation.stage_set.spec.as_ref().ok().and_then(|spec| {
                    let account = spec.stages.first()?.service_account.clone()?;
                    let namespace = &observation.stage_set.namespace;
                    Identity::resolve(Tenancy::Multi, namespace, Some(&account), &Target::Local)
                        .ok()
                });
                if let Some(first) = first {
                    *identity = first;
                }
            }
            _ => {}
        }
    }

    fn bend_operation(self, controller: &Identity, operation: &mut Operation) {
        match (self, operation) {
            (
                Self::PruneAsController,
                Operation::Tenant(TenantOperation::Delete { identity, .. }),
            )
            | (
                Self::ApplyAsController,
                Operation::Tenant(TenantOperation::Apply { identity, .. }),
            ) => *identity = controller.clone(),
            (Self::DeleteUnseen, Operation::Tenant(TenantOperation::Delete { version, .. })) => {
                version.clear();
            }
            _ => {}
        }
    }
}

/// What anybody was shown answers everybody: no dry run of one's own.
fn answer_from_others(observation: &Observation, plan: &mut Plan) {
    let shown = |needed: &Need| match needed {
        Need::DryRun { identity, object } => {
            let key = &object.reference.key;
            let other = observation
                .facts
                .objects
                .iter()
                .any(|(who, of, facts)| who != identity && of == key && facts.live.is_some());
            let own = observation.facts.objects.get(identity, key).is_some();
            (other && !own).then(|| {
                Operation::Tenant(TenantOperation::Apply {
                    identity: identity.clone(),
                    object: Arc::clone(object),
                    uid: None,
                    why: ApplyReason::Create,
                })
            })
        }
        _ => None,
    };
    let writes: Vec<Operation> = plan.needs.iter().filter_map(shown).collect();
    if !writes.is_empty() {
        *plan = Plan::act(vec![writes]);
    }
}

fn retry_denied(observation: &Observation, controller: &Identity, plan: &mut Plan) {
    let denied = observation.facts.objects.iter().find(|(_, _, facts)| {
        facts.dry_run.as_deref().is_some_and(|(_, fact)| {
            matches!(&fact.value, DryRun::Refused(failure) if failure.class == FailureClass::Denied)
        })
    });
    let Some((_, key, _)) = denied else { return };
    let again = plan.needs.iter().find_map(|need| match need {
        Need::DryRun { object, .. } if object.reference.key == *key => Some(Need::DryRun {
            identity: controller.clone(),
            object: Arc::clone(object),
        }),
        _ => None,
    });
    plan.needs.extend(again);
}

fn shrink_early(observation: &Observation, plan: &mut Plan) {
    let deleted: Vec<ObjectKey> = plan
        .steps
        .iter()
        .flatten()
        .filter_map(|operation| match operation {
            Operation::Tenant(TenantOperation::Delete { object, .. }) => Some(object.key.clone()),
            _ => None,
        })
        .collect();
    let inventories = observation.facts.inventories.as_ref();
    let Some(Ok(inventories)) = inventories.map(|fact| &fact.value) else {
        return;
    };
    for (stage, inventory) in inventories {
        let mut inventory = inventory.clone();
        let before = inventory.entries.len();
        inventory.entries.retain(|key, _| !deleted.contains(key));
        if inventory.entries.len() < before {
            plan.steps
                .push(vec![Operation::Record(RecordOperation::Inventory {
                    stage: stage.clone(),
                    inventory,
                    why: "sabotage",
                })]);
        }
    }
}

fn replace_inventory(plan: &mut Plan) {
    let applied: Vec<ObjectKey> = plan
        .steps
        .iter()
        .flatten()
        .filter_map(|operation| match operation {
            Operation::Tenant(TenantOperation::Apply { object, .. }) => {
                Some(object.reference.key.clone())
            }
            _ => None,
        })
        .collect();
    for operation in plan.steps.iter_mut().flatten() {
        if let Operation::Record(RecordOperation::Inventory { inventory, .. }) = operation
            && !applied.is_empty()
        {
            inventory.entries.retain(|key, _| applied.contains(key));
        }
    }
}

/// Leaves out inventory writes that only take a uid away.
fn keep_old_uid(observation: &Observation, plan: &mut Plan) {
    let inventories = observation.facts.inventories.as_ref();
    let Some(Ok(known)) = inventories.map(|fact| &fact.value) else {
        return;
    };
    for operation in plan.steps.iter_mut().flatten() {
        if let Operation::Record(RecordOperation::Inventory {
            stage, inventory, ..
        }) = operation
            && let Some(known) = known.get(stage)
        {
            for (key, entry) in &mut inventory.entries {
                if let Some(before) = known.entries.get(key)
                    && entry.uid.is_none()
                {
                    entry.uid.clone_from(&before.uid);
                }
            }
        }
    }
}

fn drop_removed(observation: &Observation, plan: &mut Plan) {
    let inventories = observation.facts.inventories.as_ref();
    let (Some(Ok(known)), Ok(spec)) = (
        inventories.map(|fact| &fact.value),
        &observation.stage_set.spec,
    ) else {
        return;
    };
    let removed = known
        .keys()
        .find(|name| spec.stages.iter().all(|stage| stage.name != **name));
    if let Some(stage) = removed
        && observation.stage_set.deletion_timestamp.is_none()
    {
        *plan = Plan::act(vec![vec![Operation::Record(
            RecordOperation::DropInventory {
                stage: stage.clone(),
            },
        )]]);
    }
}

fn tell_secrets(plan: &mut Plan) {
    let secret = plan
        .steps
        .iter()
        .flatten()
        .find_map(|operation| match operation {
            Operation::Tenant(TenantOperation::Apply { object, .. })
                if object.reference.key.kind == "Secret" =>
            {
                Some(object.body.value().to_string())
            }
            _ => None,
        });
    if let Some(message) = secret {
        plan.steps
            .push(vec![Operation::Record(RecordOperation::Announce(Event {
                kind: EventKind::Normal,
                reason: "Applied".into(),
                message,
            }))]);
    }
}
