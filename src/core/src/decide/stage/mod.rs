//! Stages, strictly in order: write-ahead inventory, waves, readiness.

mod failure;
mod record;
mod waves;

use std::time::Duration;

use stageset_api::reason::Reason;

use crate::observation::Phase;
use crate::time::Timestamp;

use super::Stop;
use super::actions;
use super::preflight::{self, Foresight};
use super::release::{Release, StageView};
use super::report::{self, Report};
use super::verify;

use failure::refused;
use waves::{Written, waves};

pub(super) use failure::stage_failure;
pub(super) use record::{announce, plain_entry, record_inventory};

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
        && stage
            .recorded
            .is_some_and(|recorded| matches!(recorded.phase, Phase::Ready | Phase::Pruning));
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
    let foresight = if applied {
        Foresight::Unsure
    } else {
        preflight::rights_suffice(release, stage)?
    };
    let Written { live, contested } = waves(release, stage, applied, foresight)?;
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

/// The bound of a stage's wait for readiness, when neither it nor the StageSet sets one.
pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(15 * 60);
