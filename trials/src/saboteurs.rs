//! Saboteurs: small deliberate bugs, each of which some promise must catch, or the promises are worth
//! nothing.
//!
//! A saboteur sits at the core's boundary: it bends what the core is told, or what it answers, as a
//! bug behind that boundary would. So production code holds no hook at all, and no build of the
//! controller can have one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use stageset_core::failure::FailureClass;
use stageset_core::identity::{Identity, Target, Tenancy};
use stageset_core::object::{ObjectKey, Owner};
use stageset_core::observation::{
    AccountState, DryRun, Health, Live, LiveState, ObjectFacts, Observation,
};
use stageset_core::plan::{
    ApplyReason, Event, EventKind, Need, Next, Operation, Plan, Purpose, RecordOperation,
    TenantOperation,
};
use stageset_core::time::Timestamp;

use crate::schedule::{Level, Schedule};
use crate::setup::{NAME, NAMESPACE};

macro_rules! saboteurs {
    ($($name:ident: $what:literal,)*) => {
        /// A deliberate bug.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Saboteur {
            $(
                #[doc = $what]
                $name,
            )*
        }

        impl Saboteur {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// What it does.
            pub const fn what(self) -> &'static str {
                match self {
                    $(Self::$name => $what,)*
                }
            }
        }
    };
}

saboteurs! {
    PruneAsController: "drops the header on deletions",
    ApplyAsController: "drops the header on applies",
    HealthAsController: "reads health as the controller",
    DryRunAsController: "makes dry runs as the controller",
    PruneReadAsController: "reads what is to be pruned as the controller",
    RetryDeniedAsController: "retries a 403 as the controller",
    OneAccountForAll: "delivers every stage as the first one's account",
    NoAccountMeansController: "takes a StageSet without an account for its own",
    UnreadableAccountIsFine: "goes on when the account can't be read",
    AbsentAccountIsFine: "goes on when the account doesn't exist",
    UnreadableInventoriesAreEmpty: "takes inventories that can't be read for empty ones",
    UnreadableIsAbsent: "takes an object that can't be read for gone",
    OthersCache: "reuses what another account was shown",
    HotRetry: "retries failures without a pause",
    DeleteUnlabelled: "deletes what carries others' labels",
    DeleteKept: "deletes what is to be kept",
    DeleteUnseen: "deletes without the version that was looked at",
    InventoryAfterApply: "writes the inventory after the apply",
    ReplaceInventory: "replaces the inventory by the new set before pruning",
    ShrinkEarly: "shrinks the inventory before the deletion is seen",
    KeepOldUid: "leaves an old uid recorded while creating anew",
    DropRemovedStage: "drops a removed stage's inventory at once",
    ForgetFinalizer: "never puts the finalizer on",
    SkipTeardown: "takes the finalizer off without tearing down",
    HurryTeardown: "forces a teardown through at once",
    EndlessTeardown: "never forces a teardown through",
    IgnoreDeletion: "doesn't notice that the StageSet is being deleted",
    StaleReadiness: "starts the next stage on stale readiness",
    NoWait: "starts the next stage without waiting",
    IgnoreDrift: "takes an edited object for settled",
    NeverRefresh: "never looks again at what it has seen",
    RefreshAlways: "takes nothing that it has seen for fresh",
    StatusEveryTime: "writes the status in every pass",
    NoStatus: "forgets to write the status",
    WriteEveryTime: "writes settled objects again",
    PollHot: "polls every second at rest",
    OverwriteRecords: "writes records without the version they rest on",
    TellSecrets: "tells a Secret's content in an event",
    ActTwice: "deletes an object twice in one plan",
    HoldInThePast: "waits until a moment that is over",
}

impl fmt::Display for Saboteur {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Saboteur {
    /// Decides as the core would if it had this bug.
    pub fn decide(self, observation: &mut Observation) -> Plan {
        self.bend_facts(observation);
        let mut plan = stageset_core::reconcile(observation);
        self.bend_plan(observation, &mut plan);
        plan
    }

    /// What the core would not see, or see wrongly.
    fn bend_facts(self, observation: &mut Observation) {
        let config = |change: fn(&mut stageset_core::observation::Config),
                      observation: &mut Observation| {
            let mut config = (*observation.config).clone();
            change(&mut config);
            observation.config = Arc::new(config);
        };
        match self {
            Self::NoAccountMeansController => {
                config(|config| config.tenancy = Tenancy::Single, observation);
            }
            Self::HurryTeardown => {
                config(
                    |config| config.max_teardown_wait = Duration::ZERO,
                    observation,
                );
            }
            Self::EndlessTeardown => config(
                |config| config.max_teardown_wait = Duration::from_secs(1 << 30),
                observation,
            ),
            Self::IgnoreDeletion => observation.stage_set.deletion_timestamp = None,
            Self::ForgetFinalizer => observation.stage_set.has_finalizer = true,
            Self::NeverRefresh => {
                observation.refresh_before = Timestamp::from_millis(i64::MIN / 2);
            }
            Self::RefreshAlways => observation.refresh_before = observation.now,
            Self::UnreadableAccountIsFine | Self::AbsentAccountIsFine => {
                for fact in observation.facts.accounts.values_mut() {
                    let bent = match &fact.value {
                        AccountState::Unreadable(_) => self == Self::UnreadableAccountIsFine,
                        AccountState::Absent => self == Self::AbsentAccountIsFine,
                        AccountState::Exists { .. } => false,
                    };
                    if bent {
                        fact.value = AccountState::Exists { uid: "any".into() };
                    }
                }
            }
            Self::UnreadableInventoriesAreEmpty => {
                if let Some(fact) = &mut observation.facts.inventories
                    && fact.value.is_err()
                {
                    fact.value = Ok(std::collections::BTreeMap::new());
                }
            }
            Self::NoWait => {
                if let Ok(spec) = &observation.stage_set.spec {
                    let mut spec = (**spec).clone();
                    for stage in &mut spec.stages {
                        stage.disable_wait = true;
                    }
                    observation.stage_set.spec = Ok(Arc::new(spec));
                }
            }
            _ => {
                let mut objects = std::mem::take(&mut observation.facts.objects);
                for (_, _, facts) in objects.iter_mut() {
                    self.bend_object(facts);
                }
                observation.facts.objects = objects;
            }
        }
    }

    fn bend_object(self, facts: &mut ObjectFacts) {
        match self {
            Self::HotRetry => {
                let long_ago = Timestamp::from_millis(0);
                if let Some((_, fact)) = &mut facts.dry_run
                    && matches!(fact.value, DryRun::Refused(_))
                {
                    fact.at = long_ago;
                }
                if let Some((_, fact)) = &mut facts.write_failure {
                    fact.at = long_ago;
                }
            }
            Self::UnreadableIsAbsent => {
                if let Some(fact) = &mut facts.live
                    && matches!(fact.value, LiveState::Unreadable(_))
                {
                    fact.value = LiveState::Absent;
                    fact.failures = 0;
                }
            }
            Self::IgnoreDrift => {
                let (Some(settled), Some(live)) = (&mut facts.settled, live(&mut facts.live))
                else {
                    return;
                };
                settled.entry.clone_from(&live.entry);
            }
            Self::WriteEveryTime => facts.settled = None,
            _ => {
                if let Some(live) = live(&mut facts.live) {
                    self.bend_live(live);
                }
                if let Some((_, fact)) = &mut facts.dry_run
                    && let DryRun::Unchanged { live } | DryRun::Change { live, .. } =
                        &mut fact.value
                {
                    self.bend_live(live);
                }
            }
        }
    }

    fn bend_live(self, live: &mut Live) {
        match self {
            Self::StaleReadiness if matches!(live.health, Health::InProgress(_)) => {
                live.health = Health::Current;
            }
            Self::DeleteUnlabelled => {
                live.owner = Some(Owner {
                    namespace: NAMESPACE.into(),
                    name: NAME.into(),
                });
            }
            Self::DeleteKept => live.prune_disabled = false,
            _ => {}
        }
    }

    /// What the core would answer wrongly.
    fn bend_plan(self, observation: &Observation, plan: &mut Plan) {
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

fn live(fact: &mut Option<stageset_core::failure::Fact<LiveState>>) -> Option<&mut Live> {
    match &mut fact.as_mut()?.value {
        LiveState::Present(live) => Some(live),
        LiveState::Absent | LiveState::Unreadable(_) => None,
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
        facts.dry_run.as_ref().is_some_and(|(_, fact)| {
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
                Some(object.body.to_string())
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

/// What caught a saboteur.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caught {
    /// The promise.
    pub property: &'static str,
    /// How many seeds that took.
    pub seeds: u64,
}

/// Runs seeds with a saboteur until a promise catches it.
pub fn catch(saboteur: Saboteur, first: u64, most: u64) -> Option<Caught> {
    (0..most).find_map(|number| {
        let schedule = Schedule::draw(first.wrapping_add(number), Level::Core);
        let outcome = crate::pure::sabotaged(&schedule, saboteur);
        outcome.violation.map(|violation| Caught {
            property: violation.property,
            seeds: number + 1,
        })
    })
}
