//! What is recorded of stages while they move, and of a release that has arrived.

use stageset_api::reason::Reason;

use crate::names::StageName;
use crate::observation::{ConditionStatus, Observation, Phase};
use crate::plan::{Operation, RecordOperation};
use crate::time::Timestamp;

use super::super::prune::Pruned;
use super::super::release::{Release, StageView};
use super::record::ready;
use super::{Progress, Report, Wait, revisions};

/// The steps that record that a stage's new content is being written, and that the stages behind it
/// wait; none if that is on record. A stage that has failed at these pins stays so until it is
/// written: each new try isn't news.
pub(in crate::decide) fn stage_begins(
    release: &Release<'_>,
    stage: &StageView<'_>,
) -> Vec<Vec<Operation>> {
    let observation = release.observation;
    let status = &observation.stage_set.status;
    let same_pins = status.last_attempted_revisions == revisions(release.pins);
    // A stage that was refused before its first write is still as the run before left it, on record too:
    // with this write it no longer is (L4).
    let said = stage.recorded.is_some_and(|recorded| {
        matches!(recorded.phase, Phase::Applying | Phase::Failed) && recorded.run.is_none()
    });
    if same_pins && said {
        return Vec::new();
    }
    let mut report = Report::waiting(
        observation,
        Reason::StageProgressing,
        format!("stage {}: writing its objects", stage.spec.name),
        Wait::Tick,
    )
    .attempting(release.pins)
    .in_phase(&stage.spec.name, Phase::Applying);
    for later in release.stages.iter().skip(stage.index + 1) {
        if !later.applied_in(&release.run) {
            report = report.in_phase(&later.spec.name, Phase::Pending);
        }
    }
    under_way(observation, &report)
}

/// The steps that record where things stand while they go on.
fn under_way(observation: &Observation, report: &Report) -> Vec<Vec<Operation>> {
    let status = report.status(observation);
    if status == observation.stage_set.status {
        return Vec::new();
    }
    vec![vec![Operation::Record(RecordOperation::Status(Box::new(
        status,
    )))]]
}

/// The steps that record that objects which left these stages are being deleted; none if that is on
/// record.
pub(in crate::decide) fn stages_prune(
    release: &Release<'_>,
    stages: &[&StageName],
) -> Vec<Vec<Operation>> {
    let observation = release.observation;
    let recorded = &observation.stage_set.status;
    let news = stages.iter().any(|name| {
        let stage = recorded.stage(name);
        stage.is_some_and(|stage| stage.phase != Phase::Pruning)
    });
    if !news {
        return Vec::new();
    }
    let list: Vec<&str> = stages.iter().map(|name| name.as_str()).collect();
    let mut report = Report::waiting(
        observation,
        Reason::StageProgressing,
        format!("deleting what left stage {}", list.join(", ")),
        Wait::Tick,
    )
    .attempting(release.pins)
    .all_stages_ready(release);
    for name in stages {
        if let Some(stage) = report.stages.get_mut(*name) {
            stage.phase = Phase::Pruning;
        }
    }
    under_way(observation, &report)
}

/// The steps that record that a stage became ready, before the next one begins.
pub(in crate::decide) fn stage_became_ready(
    release: &Release<'_>,
    stage: &StageView<'_>,
) -> Vec<Vec<Operation>> {
    let next = release
        .stages
        .get(stage.index + 1)
        .map_or("", |next| next.spec.name.as_str());
    let mut report = Report::waiting(
        release.observation,
        Reason::StageProgressing,
        format!("stage {} is ready; stage {next} is next", stage.spec.name),
        Wait::Tick,
    )
    .attempting(release.pins);
    report
        .stages
        .insert(stage.spec.name.clone(), ready(release, stage));
    let status = report.status(release.observation);
    vec![vec![Operation::Record(RecordOperation::Status(Box::new(
        status,
    )))]]
}

/// Everything applied, ready and pruned.
pub(in crate::decide) fn succeeded(
    release: &Release<'_>,
    pruned: &Pruned,
    look: Option<Timestamp>,
) -> Report {
    let stages = release.stages.len();
    let mut message = format!("Applied and verified {stages} stage(s)");
    let mut wait = Wait::Tick;
    if pruned.going > 0 {
        use std::fmt::Write as _;
        // Writing to a String cannot fail.
        let _ = write!(
            message,
            "; waiting for {} deleted object(s) to go",
            pruned.going
        );
        wait = pruned.look.map_or(Wait::Tick, Wait::Until);
    }
    if pruned.deferred > 0 {
        use std::fmt::Write as _;
        let _ = write!(
            message,
            "; {} object(s) of an inventory that was reconstructed wait for the next interval",
            pruned.deferred
        );
    }
    wait = match (wait, look) {
        (Wait::Until(until), Some(look)) => Wait::Until(until.min(look)),
        (Wait::Tick, Some(look)) => Wait::Until(look),
        (wait, _) => wait,
    };
    let mut report = Report::new(ConditionStatus::True, Reason::Succeeded, message, wait)
        .attempting(release.pins)
        .all_stages_ready(release);
    report.progress = if pruned.going > 0 {
        Progress::Reconciling
    } else {
        Progress::Done
    };
    report.applied = Some(revisions(release.pins));
    report
}
