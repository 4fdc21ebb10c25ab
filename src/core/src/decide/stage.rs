//! Stages, strictly in order: write-ahead inventory, waves, readiness.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use stageset_api::reason::Reason;

use crate::failure::FailureClass;
use crate::names::StageName;
use crate::object::{Desired, ObjectKey};
use crate::observation::{Health, InventoryEntry, Live, Phase, StageInventory};
use crate::plan::{Event, EventKind, Operation, RecordOperation, TenantOperation};
use crate::time::Timestamp;
use crate::waves::{ApplyOrder, Wave, apply_order};

use super::Stop;
use super::actions;
use super::conflicts;
use super::object::{self, Cause, Delivery, ObjectFailure, Step};
use super::preflight;
use super::prune::kubeconfig_of;
use super::release::{Release, StageView};
use super::report::{self, Report, Wait};
use super::verify;

/// Brings every stage as far as it can be brought now.
///
/// A stage whose content is new waits for all stages ahead of it to be ready (L4). A stage that was
/// already written in this run is kept as it should be whatever the health of the others (K09), and
/// whatever keeps new content back (`gate`).
///
/// With everything ready, says when to look again at what has moved since.
pub(super) fn advance(
    release: &Release<'_>,
    gate: Option<Box<Report>>,
) -> Result<Option<Timestamp>, Stop> {
    let mut resting = gate;
    let mut look: Option<Timestamp> = None;
    for stage in &release.stages {
        let applied = stage.applied_in(&release.run);
        if resting.is_some() && !applied {
            break;
        }
        let behind = resting.is_some();
        match deliver(release, stage, applied, behind) {
            Ok(None) => {}
            Ok(Some(at)) => look = Some(look.map_or(at, |look| look.min(at))),
            Err(Stop::Report(report)) => match &mut resting {
                Some(first) => first.no_later_than(&report),
                None => resting = Some(report),
            },
            Err(stop) => return Err(stop),
        }
    }
    match resting {
        Some(report) => Err(Stop::Report(report)),
        None => Ok(look),
    }
}

/// `behind`: an earlier stage isn't ready, so that this one is only kept as it is.
fn deliver(
    release: &Release<'_>,
    stage: &StageView<'_>,
    applied: bool,
    behind: bool,
) -> Result<Option<Timestamp>, Stop> {
    if !behind {
        actions::pre(release, stage)?;
    }
    let delivered = written_and_ready(release, stage, applied).and_then(|look| {
        if !behind {
            actions::post(release, stage)?;
        }
        Ok(look)
    });
    let look = match delivered {
        Err(stop) if !behind => return Err(actions::after(release, stage, stop)),
        delivered => delivered?,
    };
    let last = stage.index + 1 == release.stages.len();
    let recorded_ready = applied
        && stage.recorded.is_some_and(|recorded| {
            matches!(recorded.phase, Phase::Ready | Phase::Pruning) && recorded.message.is_none()
        });
    if last || recorded_ready || (behind && !actions::finished(release, stage)) {
        return Ok(look);
    }
    // Recorded before the next stage begins, so that a crash in between doesn't lose it.
    Err(Stop::Act(report::stage_became_ready(release, stage)))
}

fn written_and_ready(
    release: &Release<'_>,
    stage: &StageView<'_>,
    applied: bool,
) -> Result<Option<Timestamp>, Stop> {
    known_kinds(release, stage)?;
    within_bounds(release, stage)?;
    if !applied {
        preflight::rights_suffice(release, stage)?;
    }
    let Written { live, contested } = waves(release, stage, applied)?;
    let look = verify::ready(release, stage, applied, &live)?;
    if !contested.is_empty() {
        return Err(refused(release, stage, &contested));
    }
    Ok(look)
}

/// The list of namespaces bounds effects, not only caches (A14).
fn within_bounds(release: &Release<'_>, stage: &StageView<'_>) -> Result<(), Stop> {
    let config = &release.observation.config;
    let outside: Vec<String> = stage
        .objects
        .iter()
        .map(|object| &object.reference.key)
        .filter(|key| !config.works_in(release.target, key.namespace.as_deref()))
        .map(ToString::to_string)
        .collect();
    if outside.is_empty() {
        return Ok(());
    }
    let message = format!(
        "{} would be applied outside of the namespaces that this controller works in \
         (--watch-namespaces): take them out of the release, or add their namespaces to the list",
        outside.join(", ")
    );
    let until = release.observation.now.plus(Duration::from_secs(60));
    Err(stage_failure(
        release,
        stage,
        Reason::RBACDenied,
        &message,
        until,
    ))
}

fn known_kinds(release: &Release<'_>, stage: &StageView<'_>) -> Result<(), Stop> {
    let Some(first) = stage.unknown.first() else {
        return Ok(());
    };
    let until = stage
        .unknown
        .iter()
        .map(|unknown| unknown.until)
        .min()
        .unwrap_or(first.until);
    let list: Vec<String> = stage
        .unknown
        .iter()
        .map(|unknown| {
            let object = format!(
                "{} {:?} ({})",
                unknown.rendered.gvk, unknown.rendered.name, unknown.rendered.origin
            );
            match unknown.failure {
                Some(failure) => format!("{object}: {failure}"),
                None => object,
            }
        })
        .collect();
    let discovery_failed = stage
        .unknown
        .iter()
        .any(|unknown| unknown.failure.is_some());
    let (reason, message) = if discovery_failed {
        (
            Reason::StageFailed,
            format!("discovery failed for {}", list.join(", ")),
        )
    } else {
        (
            Reason::RBACDenied,
            format!(
                "the API server doesn't know the kind of {}: install its \
                 CustomResourceDefinition, or put it into an earlier stage",
                list.join(", ")
            ),
        )
    };
    Err(stage_failure(release, stage, reason, &message, until))
}

/// Nothing is written before the inventory holds it: old ∪ new, first (D1).
///
/// Recorded wave by wave, after the dry runs: what was refused there was never written, and must
/// not be answered for later by an account that may not even read it. An object that is about to be
/// created has no uid yet, whatever the one before it had: otherwise a deletion of the StageSet in
/// between would take it for somebody else's (K23). One that is deleted to be created anew is
/// recorded with its uid and the content that follows, so that it happens once for that content.
fn write_ahead(
    release: &Release<'_>,
    stage: &StageView<'_>,
    wave: Wave,
    writes: &[Operation],
    recreates: &[(&Desired, &str)],
) -> Vec<Vec<Operation>> {
    let recorded = release.inventories.get(&stage.spec.name);
    let entry = |key: &ObjectKey| recorded.and_then(|inventory| inventory.entries.get(key));
    let mut planned: BTreeMap<&ObjectKey, InventoryEntry> = BTreeMap::new();
    for object in in_wave(stage, wave) {
        let key = &object.reference.key;
        if entry(key).is_none() {
            planned.insert(key, plain_entry(object));
        }
    }
    for object in writes.iter().filter_map(created) {
        let key = &object.reference.key;
        if let Some(known) = entry(key).filter(|known| known.uid.is_some()) {
            let known = known.clone();
            planned.insert(key, InventoryEntry { uid: None, ..known });
        }
    }
    for (object, uid) in recreates {
        let wanted = InventoryEntry {
            uid: Some((*uid).to_owned()),
            digest: Some(conflicts::recreated(object)),
            ..plain_entry(object)
        };
        if entry(&object.reference.key) != Some(&wanted) {
            planned.insert(&object.reference.key, wanted);
        }
    }
    if planned.is_empty() {
        return Vec::new();
    }
    let mut inventory = recorded.cloned().unwrap_or_else(|| StageInventory {
        position: stage.index,
        service_account: stage.identity.service_account().cloned(),
        ..StageInventory::default()
    });
    // What was recorded elsewhere is settled by now (`whereabouts`): nothing of it is left.
    release.target.cluster().clone_into(&mut inventory.target);
    inventory.kubeconfig = kubeconfig_of(release.target);
    for (key, entry) in planned {
        inventory.entries.insert(key.clone(), entry);
    }
    vec![vec![record_inventory(
        &stage.spec.name,
        inventory,
        "before the first write, so that nothing written is ever forgotten",
    )]]
}

/// The object that an operation creates.
fn created(operation: &Operation) -> Option<&Desired> {
    match operation {
        Operation::Tenant(TenantOperation::Apply {
            object, uid: None, ..
        }) => Some(object),
        _ => None,
    }
}

fn in_wave<'a>(stage: &'a StageView<'_>, wave: Wave) -> impl Iterator<Item = &'a Arc<Desired>> {
    stage
        .objects
        .iter()
        .filter(move |object| object.wave == wave)
}

pub(super) fn plain_entry(object: &Desired) -> InventoryEntry {
    InventoryEntry {
        version: object.reference.version.clone(),
        uid: None,
        digest: None,
    }
}

/// The inventory operation.
pub(super) fn record_inventory(
    stage: &StageName,
    inventory: StageInventory,
    why: &'static str,
) -> Operation {
    Operation::Record(RecordOperation::Inventory {
        stage: stage.clone(),
        inventory,
        why,
    })
}

/// The event operation.
pub(super) fn announce(kind: EventKind, reason: &str, message: String) -> Operation {
    Operation::Record(RecordOperation::Announce(Event {
        kind,
        reason: reason.into(),
        message,
    }))
}

/// What was written of a stage, or stands as it should.
struct Written<'a> {
    live: Vec<(&'a ObjectKey, &'a Live)>,
    /// Objects that are left as they are for now, since somebody else keeps changing them.
    contested: Vec<ObjectFailure<'a>>,
}

/// Writes the stage wave by wave (K12): all dry runs of a wave before its first write, all its
/// failures together, and each wave seen before the next one's dry runs.
fn waves<'a>(
    release: &Release<'a>,
    stage: &'a StageView<'a>,
    corrects: bool,
) -> Result<Written<'a>, Stop> {
    let mut written = Written {
        live: Vec::with_capacity(stage.objects.len()),
        contested: Vec::new(),
    };
    for wave in Wave::ALL {
        let first = written.live.len();
        one_wave(release, stage, wave, corrects, &mut written)?;
        if wave.must_be_ready().is_some() {
            wave_is_ready(release, stage, wave, &written.live[first..])?;
        }
    }
    Ok(written)
}

fn one_wave<'a>(
    release: &Release<'a>,
    stage: &'a StageView<'a>,
    wave: Wave,
    corrects: bool,
    written: &mut Written<'a>,
) -> Result<(), Stop> {
    let delivery = Delivery {
        observation: release.observation,
        identity: stage.identity,
        policy: &stage.spec.conflicts,
        recorded: release.inventories.get(&stage.spec.name),
        corrects,
    };
    let mut needs = Vec::new();
    let mut writes = Vec::new();
    let mut takeovers = Vec::new();
    let mut deletes = Vec::new();
    let mut recreates = Vec::new();
    let mut waits: Option<(Vec<String>, Timestamp)> = None;
    let mut failures = Vec::new();
    for object in in_wave(stage, wave) {
        let facts = stage.facts(&object.reference.key);
        match object::step(&delivery, object, facts) {
            Step::Settled(live) => written.live.push((&object.reference.key, live)),
            Step::Ask(need) => needs.push(need),
            Step::Write(operation) => writes.push(operation),
            Step::TakeOver(operation) => takeovers.push(operation),
            Step::Recreate {
                delete,
                object,
                uid,
            } => {
                deletes.push(delete);
                recreates.push((object, uid));
            }
            Step::Wait { said, until } => {
                let (list, look) = waits.get_or_insert_with(|| (Vec::new(), until));
                list.push(said);
                *look = until.min(*look);
            }
            Step::Fail(failure) => failures.push(failure),
            Step::Contested(live, failure) => {
                written.live.push((&object.reference.key, live));
                written.contested.push(failure);
            }
        }
    }
    if !needs.is_empty() {
        return Err(Stop::Ask(needs));
    }
    if !failures.is_empty() {
        return Err(refused(release, stage, &failures));
    }
    if !takeovers.is_empty() || !deletes.is_empty() {
        // The dry runs that follow these are other ones: nothing else is written before.
        let mut steps = begins(release, stage, corrects);
        steps.extend(write_ahead(release, stage, wave, &[], &recreates));
        steps.push(takeovers);
        if !deletes.is_empty() {
            let said = recreation_message(stage, &recreates);
            steps.push(deletes);
            steps.push(vec![announce(EventKind::Warning, "ObjectRecreated", said)]);
        }
        return Err(Stop::Act(steps));
    }
    if let Some((list, until)) = waits {
        let said = format!("stage {}: waiting for {}", stage.spec.name, list.join(", "));
        let report = Report::waiting(
            release.observation,
            Reason::StageProgressing,
            said,
            Wait::Until(until),
        );
        return Err(report.attempting(release.pins).overdue(false).into());
    }
    let mut steps = Vec::new();
    if !writes.is_empty() {
        steps = begins(release, stage, corrects);
    }
    steps.extend(write_ahead(release, stage, wave, &writes, &[]));
    if !writes.is_empty() {
        writes.sort_by_cached_key(write_order);
        let said = drift_message(stage, &writes);
        steps.push(writes);
        if corrects {
            steps.push(vec![announce(EventKind::Warning, "DriftCorrected", said)]);
        }
    }
    if steps.is_empty() {
        Ok(())
    } else {
        Err(Stop::Act(steps))
    }
}

/// Says that new content of the stage is being written, unless that is on record.
fn begins(release: &Release<'_>, stage: &StageView<'_>, corrects: bool) -> Vec<Vec<Operation>> {
    if corrects {
        return Vec::new();
    }
    report::stage_begins(release, stage)
}

fn recreation_message(stage: &StageView<'_>, recreates: &[(&Desired, &str)]) -> String {
    let list: Vec<String> = recreates
        .iter()
        .map(|(object, _)| object.reference.key.to_string())
        .collect();
    format!(
        "stage {}: deleted {} to create it anew, since a field of it can't be changed",
        stage.spec.name,
        list.join(", ")
    )
}

/// For the reader of a plan: the writes of a wave run side by side.
fn write_order(operation: &Operation) -> Option<ApplyOrder> {
    match operation {
        Operation::Tenant(TenantOperation::Apply { object, .. }) => {
            Some(apply_order(&object.reference))
        }
        Operation::Tenant(
            TenantOperation::Delete { .. }
            | TenantOperation::TakeOver { .. }
            | TenantOperation::Act { .. },
        )
        | Operation::Record(_) => None,
    }
}

fn drift_message(stage: &StageView<'_>, writes: &[Operation]) -> String {
    let list: Vec<String> = writes
        .iter()
        .filter_map(|operation| match operation {
            Operation::Tenant(TenantOperation::Apply { object, why, .. }) => {
                Some(format!("{} ({why})", object.reference.key))
            }
            _ => None,
        })
        .collect();
    format!("stage {}: put right {}", stage.spec.name, list.join(", "))
}

/// All refusals of a wave, in one report.
fn refused(release: &Release<'_>, stage: &StageView<'_>, failures: &[ObjectFailure<'_>]) -> Stop {
    let mut reason = Reason::StageFailed;
    let mut until: Option<Timestamp> = None;
    let mut messages = Vec::with_capacity(failures.len());
    for failure in failures {
        until = Some(until.map_or(failure.until, |until| until.min(failure.until)));
        match &failure.cause {
            Cause::Refused(refusal) => {
                if matches!(
                    refusal.class,
                    FailureClass::Denied | FailureClass::UnknownKind
                ) {
                    reason = Reason::RBACDenied;
                }
                messages.push(format!("{}: {refusal}", failure.object.reference.key));
            }
            Cause::Said(message) => messages.push(message.clone()),
        }
    }
    let until = until.unwrap_or(release.observation.now);
    let stop = stage_failure(release, stage, reason, &messages.join("; "), until);
    let passes = failures.iter().all(|failure| goes_away(stage, failure));
    match stop {
        Stop::Report(report) if passes => (*report).passing().into(),
        stop => stop,
    }
}

/// How often something that goes away by itself may fail in a row before it is a failure.
const PASSING: u32 = 3;

/// A conflict, a time-out, an overloaded server: the next try may well succeed.
fn goes_away(stage: &StageView<'_>, failure: &ObjectFailure<'_>) -> bool {
    let Cause::Refused(refusal) = &failure.cause else {
        return false;
    };
    let facts = stage.facts(&failure.object.reference.key);
    let tried = facts.and_then(|facts| facts.dry_run.as_ref().map(|(_, fact)| fact.failures));
    let written =
        facts.and_then(|facts| facts.write_failure.as_ref().map(|(_, fact)| fact.failures));
    matches!(
        refusal.class,
        FailureClass::Conflict | FailureClass::Transient { .. }
    ) && tried.max(written).unwrap_or(0) < PASSING
}

/// A report of a stage that can't go on, with the stage marked as failed.
pub(super) fn stage_failure(
    release: &Release<'_>,
    stage: &StageView<'_>,
    reason: Reason,
    message: &str,
    until: Timestamp,
) -> Stop {
    Report::failed(
        release.observation,
        reason,
        format!("stage {}: {message}", stage.spec.name),
        Wait::Until(until),
    )
    .attempting(release.pins)
    .stage_failed(&stage.spec.name, message.to_owned())
    .into()
}

/// Definitions, namespaces and classes must be usable before anything is built on them.
fn wave_is_ready(
    release: &Release<'_>,
    stage: &StageView<'_>,
    wave: Wave,
    settled: &[(&ObjectKey, &Live)],
) -> Result<(), Stop> {
    let observation = release.observation;
    let Some(bound) = wave.must_be_ready() else {
        return Ok(());
    };
    let mut unready = Vec::new();
    let mut since: Option<Timestamp> = None;
    for (key, live) in settled {
        let said = match &live.health {
            Health::Current => continue,
            Health::InProgress(said) => said.clone(),
            Health::Failed(said) => format!("failed: {said}"),
            Health::Terminating => "it is being deleted".to_owned(),
        };
        let seen = stage
            .facts(key)
            .and_then(|facts| facts.settled.as_ref())
            .map(|settled| settled.since);
        since = match (since, seen) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        unready.push((*key, said));
    }
    if unready.is_empty() {
        return Ok(());
    }
    let waited = observation.now.since(since.unwrap_or(observation.now));
    let look = verify::look_again(release, stage, unready.iter().map(|(key, _)| *key), waited)?;
    let list: Vec<String> = unready
        .iter()
        .map(|(key, said)| format!("{key} ({said})"))
        .collect();
    let late = if waited >= bound {
        format!(", for more than {} s now", bound.as_secs())
    } else {
        String::new()
    };
    Err(Report::waiting(
        observation,
        Reason::StageProgressing,
        format!(
            "stage {}: waiting for {} before the rest is applied{late}",
            stage.spec.name,
            list.join(", ")
        ),
        Wait::Until(look),
    )
    .attempting(release.pins)
    .overdue(waited >= bound)
    .into())
}

/// The bound of a stage's wait for readiness, when neither it nor the StageSet sets one.
pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(15 * 60);
