//! Writes a stage wave by wave (K12).

use std::sync::Arc;

use stageset_api::reason::Reason;

use crate::object::Desired;
use crate::observation::Health;
use crate::plan::{EventKind, Operation, TenantOperation};
use crate::time::Timestamp;
use crate::waves::{Wave, apply_order};

use super::super::Stop;
use super::super::object::{self, Delivery, ObjectFailure, Step};
use super::super::preflight::Foresight;
use super::super::release::{Release, StageView};
use super::super::report::{self, Report, Wait};
use super::super::verify::{self, Seen};
use super::failure::refused;
use super::record::{Ahead, announce};

/// What was written of a stage, or stands as it should.
pub(super) struct Written<'a> {
    pub live: Vec<Seen<'a>>,
    /// Objects that are left as they are for now, since somebody else keeps changing them.
    pub contested: Vec<ObjectFailure<'a>>,
}

/// Writes the stage wave by wave (K12): all dry runs of a wave before its first write, all its
/// failures together, and each wave seen before the next one's dry runs.
pub(super) fn waves<'a>(
    release: &Release<'a>,
    stage: &'a StageView<'a>,
    corrects: bool,
    foresight: Foresight,
) -> Result<Written<'a>, Stop> {
    let mut written = Written {
        live: Vec::with_capacity(stage.objects.len()),
        contested: Vec::new(),
    };
    for wave in Wave::ALL {
        if in_wave(stage, wave).next().is_none() {
            continue;
        }
        let first = written.live.len();
        one_wave(release, stage, wave, corrects, foresight, &mut written)?;
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
    foresight: Foresight,
    written: &mut Written<'a>,
) -> Result<(), Stop> {
    let delivery = Delivery {
        observation: release.observation,
        identity: stage.identity,
        policy: &stage.spec.conflicts,
        recorded: release.inventories.get(&stage.spec.name),
        corrects,
    };
    let ahead = Ahead {
        release,
        stage,
        wave,
        foresight,
    };
    let mut needs = Vec::new();
    let mut writes = Vec::new();
    let mut takeovers = Vec::new();
    let mut deletes = Vec::new();
    let mut recreates = Vec::new();
    let mut waits: Option<(Vec<String>, Timestamp)> = None;
    let mut failures = Vec::new();
    for object in in_wave(stage, wave) {
        let key = &object.reference.key;
        let facts = stage.facts(key);
        match object::step(&delivery, object, facts) {
            Step::Settled(live) => written.live.push(Seen { key, live, facts }),
            Step::Ask(need) => needs.push(need),
            Step::Write(operation) => writes.push((apply_order(&object.reference), operation)),
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
                written.live.push(Seen { key, live, facts });
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
        steps.extend(ahead.steps(&[], &recreates));
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
    // For the reader of a plan: the writes of a wave run side by side.
    writes.sort_by_key(|(order, _)| *order);
    let writes: Vec<Operation> = writes.into_iter().map(|(_, write)| write).collect();
    let mut steps = Vec::new();
    if !writes.is_empty() {
        steps = begins(release, stage, corrects);
    }
    steps.extend(ahead.steps(&writes, &[]));
    if !writes.is_empty() {
        let said = corrects.then(|| drift_message(stage, &writes));
        steps.push(writes);
        steps.extend(said.map(|said| vec![announce(EventKind::Warning, "DriftCorrected", said)]));
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

/// Definitions, namespaces and classes must be usable before anything is built on them.
fn wave_is_ready(
    release: &Release<'_>,
    stage: &StageView<'_>,
    wave: Wave,
    settled: &[Seen<'_>],
) -> Result<(), Stop> {
    let observation = release.observation;
    let Some(bound) = wave.must_be_ready() else {
        return Ok(());
    };
    let mut unready = Vec::new();
    let mut since: Option<Timestamp> = None;
    for seen in settled {
        let said = match &seen.live.health {
            Health::Current => continue,
            Health::InProgress(said) => said.clone(),
            Health::Failed(said) => format!("failed: {said}"),
            Health::Terminating => "it is being deleted".to_owned(),
        };
        let settled = seen.facts.and_then(|facts| facts.settled.as_ref());
        since = match (since, settled.map(|settled| settled.since)) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        unready.push((seen, said));
    }
    if unready.is_empty() {
        return Ok(());
    }
    let since = since.unwrap_or(observation.now);
    let waited = observation.now.since(since);
    let look = verify::look_again(
        release,
        stage,
        unready.iter().map(|(seen, _)| **seen),
        since,
    )?;
    let list: Vec<String> = unready
        .iter()
        .map(|(seen, said)| format!("{} ({said})", seen.key))
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

pub(super) fn in_wave<'a>(
    stage: &'a StageView<'_>,
    wave: Wave,
) -> impl Iterator<Item = &'a Arc<Desired>> {
    stage
        .objects
        .iter()
        .filter(move |object| object.wave == wave)
}
