//! Deletion: what was applied is deleted, in reverse, as its tenant, within a bound.

use std::collections::BTreeMap;
use std::time::Duration;

use stageset_api::reason::Reason;

use crate::identity::{Identity, Target};
use crate::names::StageName;
use crate::object::ObjectKey;
use crate::observation::{InventoryEntry, NamespaceState, Observation, StageInventory};
use crate::plan::{DeleteReason, EventKind, Need, Operation, RecordOperation};

use super::Stop;
use super::base;
use super::freshness::{Use, judge};
use super::inventories;
use super::preflight::{Lacking, lacking_to_delete};
use super::prune::in_reverse;
use super::removal::{Fate, Removal};
use super::report::{Report, Wait};
use super::stage::{announce, record_inventory};
use super::sweep::{Of, Sweep};
use super::whereabouts;

mod replaced;

/// A teardown that takes longer records how far it has come.
const LONG: Duration = Duration::from_secs(60);

/// Tears down and, at the end, takes the finalizer off.
///
/// Stages go in reverse recorded order, each seen to be gone before the one ahead of it is touched.
/// Whatever is in the way is reported and waited out; only the bound forces the finalizer off, and
/// says what remains (K20).
pub(super) fn tear_down(observation: &Observation) -> Stop {
    if !observation.stage_set.has_finalizer {
        return Stop::Gone;
    }
    let mut needs = Vec::new();
    let inventories = match inventories::read(observation, &mut needs) {
        Ok(inventories) => inventories,
        Err(_) if !needs.is_empty() => return Stop::Ask(needs),
        Err(stop) => return bounded(observation, stop, &[]),
    };
    let stages = in_reverse(inventories);
    let remaining: Vec<&ObjectKey> = stages
        .iter()
        .filter(|(name, _)| prunes(observation, name))
        .flat_map(|(_, inventory)| inventory.entries.keys())
        .collect();
    for (name, inventory) in &stages {
        if prunes(observation, name)
            && let Err(stop) = stage(observation, name, inventory, &stages)
        {
            return bounded(
                observation,
                progress(observation, stop, &stages),
                &remaining,
            );
        }
    }
    if let Some(stop) = lost_inventories(observation, inventories) {
        return bounded(observation, stop, &remaining);
    }
    Stop::Act(farewell(observation))
}

/// What accounts lack for the teardown of what is recorded, for people who ask.
///
/// # Errors
/// The facts without which it can't be told.
pub(super) fn lacking(observation: &Observation) -> Result<Vec<Lacking>, Vec<Need>> {
    let mut needs = Vec::new();
    let inventories = match inventories::read(observation, &mut needs) {
        Ok(inventories) => in_reverse(inventories),
        Err(_) if !needs.is_empty() => return Err(needs),
        Err(_) => return Ok(Vec::new()),
    };
    let mut all = Vec::new();
    for (name, inventory) in inventories {
        if !prunes(observation, name) {
            continue;
        }
        let lacking = whereabouts::of_teardown(observation, name, inventory).and_then(|target| {
            let identity = identity(observation, name, inventory, &target)?;
            let entries = to_go(observation, inventory, &target);
            lacking_to_delete(observation, name, &identity, &entries)
        });
        match lacking {
            Ok(lacking) => all.extend(lacking),
            Err(Stop::Ask(more)) => needs.extend(more),
            // The teardown itself says what is in the way.
            Err(_) => {}
        }
    }
    if needs.is_empty() {
        Ok(all)
    } else {
        Err(needs)
    }
}

/// The last steps. That nothing is left is recorded before the inventories may go: if they go before
/// our finalizer does (under foreground deletion, in a terminating namespace) and we crash in
/// between, their absence must not look like a loss.
fn farewell(observation: &Observation) -> Vec<Vec<Operation>> {
    let mut steps = Vec::new();
    let status = &observation.stage_set.status;
    if status.stages.iter().any(|stage| stage.entries_count > 0) {
        let mut emptied = status.clone();
        for stage in &mut emptied.stages {
            stage.entries_count = 0;
        }
        let status = RecordOperation::Status(Box::new(emptied));
        steps.push(vec![Operation::Record(status)]);
    }
    for last in [
        RecordOperation::ReleaseInventories,
        RecordOperation::RemoveFinalizer,
    ] {
        steps.push(vec![Operation::Record(last)]);
    }
    steps
}

/// A stage that was applied and has no inventory: somebody took it away although our finalizer was
/// on it, or it was written by a controller that set none. What it held isn't forgotten silently:
/// that is reported and waits out the bound (K20). In a namespace that goes, that is the end of
/// inventories without our finalizer.
fn lost_inventories(
    observation: &Observation,
    inventories: &BTreeMap<StageName, StageInventory>,
) -> Option<Stop> {
    let lost: Vec<String> = observation
        .stage_set
        .status
        .stages
        .iter()
        .filter(|stage| stage.entries_count > 0 && stage.applied_revision.is_some())
        .filter(|stage| prunes(observation, &stage.name) && !inventories.contains_key(&stage.name))
        .map(|stage| format!("{} ({} objects)", stage.name, stage.entries_count))
        .collect();
    if lost.is_empty() {
        return None;
    }
    let terminating = observation.facts.namespace.as_ref().map(|fact| &fact.value)
        == Some(&NamespaceState::Terminating);
    let report = Report::failed(
        observation,
        Reason::StageFailed,
        format!(
            "deleting: the inventory of stage {} is gone, so it isn't known what to delete: delete \
             the objects labelled stages.metio.wtf/name={} and stages.metio.wtf/namespace={} by \
             hand, then remove the finalizer",
            lost.join(", "),
            observation.stage_set.name,
            observation.stage_set.namespace
        ),
        Wait::For(Duration::from_secs(60)),
    );
    (!terminating).then(|| namespace_first(observation, report.into()))
}

/// `prune: false` keeps a stage's objects, on deletion too.
fn prunes(observation: &Observation, name: &StageName) -> bool {
    match &observation.stage_set.spec {
        Ok(spec) => spec
            .stages
            .iter()
            .find(|stage| stage.name == *name)
            .is_none_or(|stage| stage.prune),
        Err(_) => true,
    }
}

fn stage(
    observation: &Observation,
    name: &StageName,
    inventory: &StageInventory,
    stages: &[(&StageName, &StageInventory)],
) -> Result<(), Stop> {
    let mut sweep = swept(observation, name, inventory)?;
    replaced::let_go(observation, (name, inventory), &sweep, stages)?;
    sweep.delete()?;
    if let Some((reason, said, until)) = sweep.obstacle() {
        let message = format!("deleting stage {name}: {said}");
        let report = Report::failed(observation, reason, message, Wait::Until(until));
        return Err(namespace_first(observation, report.into()));
    }
    if let Some(look) = sweep.look {
        return Err(Report::waiting(
            observation,
            Reason::StageProgressing,
            format!(
                "deleting stage {name}: waiting for {} to go",
                sweep.going.join(", ")
            ),
            Wait::Until(look),
        )
        .overdue(false)
        .into());
    }
    Ok(())
}

/// The fates of what doesn't go by itself of a stage.
fn swept(
    observation: &Observation,
    name: &StageName,
    inventory: &StageInventory,
) -> Result<Sweep, Stop> {
    let mut sweep = Sweep::default();
    if inventory.entries.is_empty() {
        return Ok(sweep);
    }
    let target = whereabouts::of_teardown(observation, name, inventory)?;
    let entries = to_go(observation, inventory, &target);
    if entries.is_empty() {
        return Ok(sweep);
    }
    let identity = identity(observation, name, inventory, &target)?;
    let mut account_needs = Vec::new();
    base::accounts(
        observation,
        std::slice::from_ref(&identity),
        &mut account_needs,
    )
    .map_err(|stop| namespace_first(observation, stop))?;
    if !account_needs.is_empty() {
        return Err(Stop::Ask(account_needs));
    }
    let of = Of {
        observation,
        identity: &identity,
        stage: name,
        position: inventory.position,
        why: DeleteReason::Teardown,
    };
    for (key, entry) in entries {
        sweep.add(of, key, entry);
    }
    sweep.ask()?;
    Ok(sweep)
}

/// What waits for long records first what is gone: that isn't asked for again with every look.
fn progress(
    observation: &Observation,
    stop: Stop,
    stages: &[(&StageName, &StageInventory)],
) -> Stop {
    let since = observation.stage_set.deletion_timestamp;
    let is_long = since.is_some_and(|since| observation.now.since(since) >= LONG);
    let Stop::Report(_) = stop else {
        return stop;
    };
    if !is_long {
        return stop;
    }
    let records: Vec<Operation> = stages
        .iter()
        .filter(|(name, _)| prunes(observation, name))
        .filter_map(|(name, inventory)| without_gone(observation, name, inventory))
        .collect();
    if records.is_empty() {
        stop
    } else {
        Stop::Act(vec![records])
    }
}

/// The inventory without what is gone, if anything is.
fn without_gone(
    observation: &Observation,
    name: &StageName,
    inventory: &StageInventory,
) -> Option<Operation> {
    let target = whereabouts::of_teardown(observation, name, inventory).ok()?;
    let identity = identity(observation, name, inventory, &target).ok()?;
    let is_gone = |key: &ObjectKey, entry: &InventoryEntry| {
        let removal = Removal {
            observation,
            identity: &identity,
            stage: name,
            key,
            entry,
            why: DeleteReason::Teardown,
        };
        matches!(removal.fate(), Fate::Gone)
    };
    let entries = inventory.entries.iter();
    let left: BTreeMap<ObjectKey, InventoryEntry> = entries
        .filter(|(key, entry)| !is_gone(key, entry))
        .map(|(key, entry)| (key.clone(), entry.clone()))
        .collect();
    (left.len() < inventory.entries.len()).then(|| {
        let left = StageInventory {
            entries: left,
            ..inventory.clone()
        };
        record_inventory(name, left, "to what is left, since the rest takes long")
    })
}

/// What doesn't go by itself.
fn to_go<'a>(
    observation: &Observation,
    inventory: &'a StageInventory,
    target: &Target,
) -> Vec<(&'a ObjectKey, &'a InventoryEntry)> {
    let entries = inventory.entries.iter();
    entries
        .filter(|(key, _)| !goes_with_namespace(observation, target, key))
        .collect()
}

/// The account of the spec while the stage stands there, else the one recorded with the inventory
/// (K06).
fn identity(
    observation: &Observation,
    name: &StageName,
    inventory: &StageInventory,
    target: &Target,
) -> Result<Identity, Stop> {
    let stage_set = &observation.stage_set;
    let spec = stage_set.spec.as_ref().ok();
    let in_spec = spec.and_then(|spec| {
        let stage = spec.stages.iter().find(|stage| stage.name == *name)?;
        stage.account(spec)
    });
    let account = in_spec
        .or(inventory.service_account.as_ref())
        .or_else(|| spec.and_then(|spec| spec.service_account.as_ref()));
    Identity::resolve(
        observation.config.tenancy,
        &stage_set.namespace,
        account,
        target,
    )
    .map_err(|refusal| {
        Report::failed(
            observation,
            Reason::RBACDenied,
            format!("deleting stage {name}: {refusal}"),
            Wait::For(Duration::from_secs(60)),
        )
        .into()
    })
}

/// Objects of a namespace that is itself going are as good as gone (K21).
fn goes_with_namespace(observation: &Observation, target: &Target, key: &ObjectKey) -> bool {
    let terminating = matches!(
        observation.facts.namespace.as_ref().map(|fact| &fact.value),
        Some(NamespaceState::Terminating)
    );
    terminating
        && *target == Target::Local
        && key.namespace.as_deref() == Some(observation.stage_set.namespace.as_str())
}

/// Before an obstacle is reported, is it only that the whole namespace is going?
fn namespace_first(observation: &Observation, stop: Stop) -> Stop {
    let fact = observation.facts.namespace.as_ref();
    let state = judge(observation, fact, |state| match state {
        NamespaceState::Unreadable(failure) => Some(failure),
        NamespaceState::Active | NamespaceState::Terminating => None,
    });
    match state {
        Use::Ask => Stop::Ask(vec![Need::Namespace]),
        Use::Rely(_) | Use::Wait(..) => stop,
    }
}

/// Past the bound the finalizer goes, loudly; until then whatever stopped us stands.
fn bounded(observation: &Observation, stop: Stop, remaining: &[&ObjectKey]) -> Stop {
    let Some(since) = observation.stage_set.deletion_timestamp else {
        return stop;
    };
    let deadline = since.plus(observation.config.max_teardown_wait);
    match stop {
        Stop::Report(report) if observation.now >= deadline => {
            let list: Vec<String> = remaining.iter().map(ToString::to_string).collect();
            let left = if list.is_empty() {
                "unknown objects".to_owned()
            } else {
                list.join(", ")
            };
            let said = format!(
                "gave up tearing down after {}; left behind, to be deleted by hand: {left}; last \
                 obstacle: {}",
                super::verify::in_words(observation.config.max_teardown_wait),
                report.message()
            );
            let mut steps = vec![vec![announce(EventKind::Warning, "TeardownForced", said)]];
            steps.extend(farewell(observation));
            Stop::Act(steps)
        }
        Stop::Report(mut report) => {
            report.look_by(deadline);
            Stop::Report(report)
        }
        other => other,
    }
}
