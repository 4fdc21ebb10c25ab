//! Readiness of a stage: everything it applied, by the kstatus rules, within its bound.

use std::time::Duration;

use stageset_api::reason::Reason;

use crate::object::ObjectKey;
use crate::observation::{Health, Live, Tracking};
use crate::plan::{Need, Purpose};
use crate::time::Timestamp;

use super::Stop;
use super::freshness::{jittered, poll_pause};
use super::release::{Release, StageView};
use super::report::{Report, Wait, retry_interval};
use super::stage::{DEFAULT_TIMEOUT, seen};

/// How many objects a message names.
const NAMED: usize = 5;

/// A wait shorter than this isn't recorded: most objects become ready at once, and each record is a
/// request.
const UNSAID: Duration = Duration::from_secs(1);

/// Lets the stage pass once everything that it applied is ready.
///
/// An object that says it has failed fails the stage at once; one that is merely slow holds it: past
/// the bound the condition says so, nothing is undone, and the stage goes on whenever it gets there
/// (`onTimeout: Hold`).
pub(super) fn ready(
    release: &Release<'_>,
    stage: &StageView<'_>,
    applied: bool,
    settled: &[(&ObjectKey, &Live)],
) -> Result<(), Stop> {
    if stage.spec.disable_wait {
        return Ok(());
    }
    let observation = release.observation;
    let mut failed = Vec::new();
    let mut slow = Vec::new();
    for (key, live) in settled {
        match &live.health {
            Health::Current => {}
            Health::InProgress(said) => slow.push((*key, said.as_str())),
            Health::Terminating => slow.push((*key, "it is being deleted")),
            Health::Failed(said) => failed.push((*key, said.as_str())),
        }
    }
    if failed.is_empty() && slow.is_empty() {
        return Ok(());
    }
    let recorded = stage
        .recorded
        .filter(|_| applied)
        .and_then(|recorded| recorded.verifying_since);
    let since = recorded.unwrap_or_else(|| last_written(release, stage));
    let waited = observation.now.since(since);
    let unready = failed.iter().chain(&slow).map(|(key, _)| *key);
    let look = look_again(release, stage, unready, waited)?;
    if !applied && failed.is_empty() && waited < UNSAID {
        let message = format!("stage {}: {}", stage.spec.name, listed(&slow));
        return Err(Report::unsaid(message, look.min(since.plus(UNSAID))).into());
    }
    if !failed.is_empty() {
        return Err(Report::failed(
            observation,
            Reason::StageFailed,
            format!("stage {}: {}", stage.spec.name, listed(&failed)),
            Wait::Until(look),
        )
        .attempting(release.pins)
        .stage_applied(release, stage, since)
        .stage_failed(&stage.spec.name, listed(&failed))
        .into());
    }
    let bound = stage
        .spec
        .timeout
        .or(release.spec.timeout)
        .unwrap_or(DEFAULT_TIMEOUT);
    let total = settled.len();
    let message = format!(
        "{} of {total} objects ready; waiting for {}",
        total - slow.len(),
        listed(&slow)
    );
    if waited < bound {
        let deadline = since.plus(bound);
        return Err(Report::waiting(
            observation,
            Reason::StageProgressing,
            format!("stage {}: {message}", stage.spec.name),
            Wait::Until(look.min(deadline)),
        )
        .attempting(release.pins)
        .stage_applied(release, stage, since)
        .stage_verifying(&stage.spec.name, message)
        .overdue(false)
        .into());
    }
    let retry = jittered(
        retry_interval(observation, release.spec),
        &observation.stage_set.uid,
    );
    let message = format!("not ready within {}: {message}", in_words(bound));
    Err(Report::waiting(
        observation,
        Reason::StageProgressing,
        format!("stage {}: {message}", stage.spec.name),
        Wait::Until(look.min(observation.now.plus(retry))),
    )
    .attempting(release.pins)
    .stage_applied(release, stage, since)
    .stage_verifying(&stage.spec.name, message)
    .overdue(true)
    .into())
}

/// When the last object of the stage was written, as far as this process remembers.
fn last_written(release: &Release<'_>, stage: &StageView<'_>) -> Timestamp {
    let objects = &release.observation.facts.objects;
    stage
        .objects
        .iter()
        .filter_map(|object| objects.get(stage.identity, &object.reference.key))
        .filter_map(|facts| facts.settled.as_ref())
        .map(|settled| settled.since)
        .max()
        .unwrap_or(release.observation.now)
}

/// Asks for the objects that are due for another look, or says when the next one is.
///
/// A watched object is looked at when its watch tells of a change, and with every refresh; others are
/// polled, less often the longer the wait.
pub(super) fn look_again<'a>(
    release: &Release<'_>,
    stage: &StageView<'_>,
    unready: impl Iterator<Item = &'a ObjectKey>,
    waited: Duration,
) -> Result<Timestamp, Stop> {
    let observation = release.observation;
    let mut needs = Vec::new();
    let mut next = observation.now.plus(observation.config.default_interval);
    for key in unready {
        let Some(object) = stage
            .objects
            .iter()
            .find(|object| object.reference.key == *key)
        else {
            continue;
        };
        let tracking = observation
            .facts
            .objects
            .get(stage.identity, key)
            .map_or(Tracking::Polled, |facts| facts.tracking);
        let due = match (tracking, seen(release, stage, key)) {
            (Tracking::Watched, _) => continue,
            (Tracking::Moved, _) | (Tracking::Polled, None) => observation.now,
            (Tracking::Polled, Some((_, at))) => at.plus(poll_pause(waited)),
        };
        if due <= observation.now {
            needs.push(Need::Read {
                identity: stage.identity.clone(),
                object: object.reference.clone(),
                purpose: Purpose::Health,
            });
        } else {
            next = next.min(due);
        }
    }
    if needs.is_empty() {
        Ok(next)
    } else {
        Err(Stop::Ask(needs))
    }
}

fn listed(objects: &[(&ObjectKey, &str)]) -> String {
    let mut list: Vec<String> = objects
        .iter()
        .take(NAMED)
        .map(|(key, said)| format!("{key} ({said})"))
        .collect();
    if objects.len() > NAMED {
        list.push(format!("and {} more", objects.len() - NAMED));
    }
    list.join(", ")
}

/// `90 s`, `15 min`: as people say it.
pub(super) fn in_words(span: Duration) -> String {
    let seconds = span.as_secs();
    if seconds >= 120 && seconds.is_multiple_of(60) {
        format!("{} min", seconds / 60)
    } else {
        format!("{seconds} s")
    }
}
