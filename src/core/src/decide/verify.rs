//! Readiness of a stage: everything it applied, its checks and its expressions, within one bound.
//!
//! A verdict is about the object that was applied: the uid, the content and our own entry of it as
//! they were then (see [`object`](super::object)), at a generation that its status has observed. What
//! was seen of an older revision opens nothing.

use std::time::Duration;

use stageset_api::reason::Reason;

use crate::judge::health::can_regress;
use crate::object::ObjectKey;
use crate::observation::{Health, Live, ObjectFacts, Phase, Tracking};
use crate::plan::{Need, Purpose};
use crate::time::Timestamp;

use super::Stop;
use super::checks;
use super::expressions::{self, Said};
use super::freshness::{jittered, poll_at};
use super::release::{Release, StageView};
use super::report::{Report, Wait, retry_interval};
use super::stage::DEFAULT_TIMEOUT;

/// How many objects a message names.
const NAMED: usize = 5;

/// A wait shorter than this isn't recorded: most objects become ready at once, and each record is a
/// request.
const UNSAID: Duration = Duration::from_secs(1);

/// An object that was ready and has moved is looked at again at once, but not more often than this:
/// some write their status all the time.
const SECOND_LOOK: Duration = Duration::from_secs(10);

/// An object as it was seen, with all that is known of it.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub key: &'a ObjectKey,
    pub live: &'a Live,
    pub facts: Option<&'a ObjectFacts>,
}

/// What is in the way of a stage, added up.
pub(super) struct Tally {
    /// What has to be seen first.
    pub needs: Vec<Need>,
    /// How many objects were looked at.
    pub total: usize,
    failed: Vec<(String, String)>,
    slow: Vec<(String, String)>,
    denied: Vec<String>,
    /// The next look, if one is due without news.
    look: Option<Timestamp>,
}

impl Tally {
    fn new() -> Self {
        Self {
            needs: Vec::new(),
            total: 0,
            failed: Vec::new(),
            slow: Vec::new(),
            denied: Vec::new(),
            look: None,
        }
    }

    /// It says itself that it won't get there.
    pub(super) fn fail(&mut self, key: String, said: String, look: Option<Timestamp>) {
        self.failed.push((key, said));
        self.look_at(look);
    }

    /// On its way; looked at again then at the latest.
    pub(super) fn slow(&mut self, key: String, said: String, look: Timestamp) {
        self.unready(key, said, Some(look));
    }

    /// On its way; `None` if a watch tells of it.
    pub(super) fn unready(&mut self, key: String, said: String, look: Option<Timestamp>) {
        self.slow.push((key, said));
        self.look_at(look);
    }

    /// Something that only a grant or another spec can cure.
    pub(super) fn deny(&mut self, said: String, until: Timestamp) {
        self.denied.push(said);
        self.look_at(Some(until));
    }

    fn look_at(&mut self, at: Option<Timestamp>) {
        self.look = match (self.look, at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
}

/// Lets the stage pass once everything is ready; then says when to look again at what has moved
/// since.
///
/// An object that says it has failed fails the stage at once; one that is merely slow holds it: past
/// the bound the condition says so, nothing is undone, and the stage goes on whenever it gets there
/// (`onTimeout: Hold`).
pub(super) fn ready(
    release: &Release<'_>,
    stage: &StageView<'_>,
    applied: bool,
    settled: &[Seen<'_>],
) -> Result<Option<Timestamp>, Stop> {
    let observation = release.observation;
    let since = since(release, stage, applied);
    let waited = observation.now.since(since);
    let mut tally = Tally::new();
    tally_applied(&mut tally, release, stage, settled, since);
    checks::tally(&mut tally, release, stage, since);
    let Tally {
        needs,
        total,
        failed,
        slow,
        denied,
        look,
    } = tally;
    if !needs.is_empty() {
        return Err(Stop::Ask(needs));
    }
    if failed.is_empty() && slow.is_empty() && denied.is_empty() {
        return Ok(look);
    }
    let look = look.unwrap_or_else(|| observation.now.plus(observation.config.default_interval));
    let fails = |reason: Reason, said: String| {
        Report::failed(
            observation,
            reason,
            format!("stage {}: {said}", stage.spec.name),
            Wait::Until(look),
        )
        .attempting(release.pins)
        .stage_applied(release, stage, since)
        .stage_failed(&stage.spec.name, said)
        .into()
    };
    if !denied.is_empty() {
        return Err(fails(Reason::RBACDenied, denied.join("; ")));
    }
    if !failed.is_empty() {
        return Err(fails(Reason::StageFailed, listed(&failed)));
    }
    if !applied && waited < UNSAID {
        let message = format!("stage {}: {}", stage.spec.name, listed(&slow));
        return Err(Report::unsaid(message, look.min(since.plus(UNSAID))).into());
    }
    let message = format!(
        "{} of {total} objects ready; waiting for {}",
        total - slow.len(),
        listed(&slow)
    );
    Err(slow_report(release, stage, since, look, message).into())
}

/// Not there yet: within the bound progress, past it overdue.
fn slow_report(
    release: &Release<'_>,
    stage: &StageView<'_>,
    since: Timestamp,
    look: Timestamp,
    message: String,
) -> Report {
    let observation = release.observation;
    let bound = stage
        .spec
        .timeout
        .or(release.spec.timeout)
        .unwrap_or(DEFAULT_TIMEOUT);
    let overdue = observation.now.since(since) >= bound;
    let (message, look) = if overdue {
        let retry = jittered(
            retry_interval(observation, release.spec),
            &observation.stage_set.uid,
        );
        (
            format!("not ready within {}: {message}", in_words(bound)),
            look.min(observation.now.plus(retry)),
        )
    } else {
        (message, look.min(since.plus(bound)))
    };
    Report::waiting(
        observation,
        Reason::StageProgressing,
        format!("stage {}: {message}", stage.spec.name),
        Wait::Until(look),
    )
    .attempting(release.pins)
    .stage_applied(release, stage, since)
    .stage_verifying(&stage.spec.name, message)
    .overdue(overdue)
}

/// Since when readiness is awaited.
fn since(release: &Release<'_>, stage: &StageView<'_>, applied: bool) -> Timestamp {
    let recorded = stage.recorded.filter(|_| applied);
    match recorded.map(|recorded| (recorded.verifying_since, recorded.phase)) {
        Some((Some(since), _)) => since,
        // It was ready: what isn't any more has its whole bound from now on.
        Some((None, Phase::Ready)) => release.observation.now,
        Some((None, _)) | None => last_written(release, stage),
    }
}

/// When the last object of the stage was written, as far as this process remembers.
pub(super) fn last_written(release: &Release<'_>, stage: &StageView<'_>) -> Timestamp {
    stage
        .objects
        .iter()
        .filter_map(|object| stage.facts(&object.reference.key))
        .filter_map(|facts| facts.settled.as_ref())
        .map(|settled| settled.since)
        .max()
        .unwrap_or(release.observation.now)
}

/// How one object stands, by its kstatus and by what expressions say of it.
enum Verdict {
    Ready,
    Slow(String),
    Failed(String),
    Unread,
}

fn verdict(stage: &StageView<'_>, key: &ObjectKey, live: &Live) -> Verdict {
    if !stage.spec.disable_wait {
        match &live.health {
            Health::Current => {}
            Health::InProgress(said) => return Verdict::Slow(said.clone()),
            Health::Terminating => return Verdict::Slow("it is being deleted".into()),
            Health::Failed(said) => return Verdict::Failed(said.clone()),
        }
    }
    match expressions::ask(stage.spec, key, live) {
        Said::Ready => Verdict::Ready,
        Said::Slow(said) => Verdict::Slow(said),
        Said::Failed(said) => Verdict::Failed(said),
        Said::Unread => Verdict::Unread,
    }
}

/// Looks at every applied object.
fn tally_applied(
    tally: &mut Tally,
    release: &Release<'_>,
    stage: &StageView<'_>,
    settled: &[Seen<'_>],
    since: Timestamp,
) {
    let now = release.observation.now;
    for seen in settled {
        let Seen { key, live, .. } = *seen;
        if stage.spec.disable_wait && expressions::about(stage.spec, key).next().is_none() {
            continue;
        }
        tally.total += 1;
        let verdict = verdict(stage, key, live);
        let due = match verdict {
            Verdict::Unread => Some(now),
            Verdict::Ready => due(release, stage, seen, true, since),
            Verdict::Slow(_) | Verdict::Failed(_) => due(release, stage, seen, false, since),
        };
        if due.is_some_and(|due| due <= now) {
            tally.needs.extend(read(stage, key));
            continue;
        }
        match verdict {
            Verdict::Ready | Verdict::Unread => tally.look_at(due),
            Verdict::Slow(said) => tally.unready(key.to_string(), said, due),
            Verdict::Failed(said) => tally.fail(key.to_string(), said, due),
        }
    }
}

/// When an object is to be looked at again without further news; `None` = a watch tells, or nothing
/// is expected of it.
fn due(
    release: &Release<'_>,
    stage: &StageView<'_>,
    seen: &Seen<'_>,
    ready: bool,
    since: Timestamp,
) -> Option<Timestamp> {
    let observation = release.observation;
    let tracking = seen.facts.map_or(Tracking::Polled, |facts| facts.tracking);
    let at = seen.facts.and_then(|facts| Some(facts.live.as_ref()?.at));
    let judged = || expressions::about(stage.spec, seen.key).next().is_some();
    match (ready, tracking) {
        (true, Tracking::Moved) if can_regress(seen.key) || judged() => {
            Some(at.map_or(observation.now, |at| at.plus(SECOND_LOOK)))
        }
        (true, _) | (_, Tracking::Watched) => None,
        (false, Tracking::Moved) => Some(observation.now),
        (false, Tracking::Polled) => Some(at.map_or(observation.now, |at| poll_at(at, since))),
    }
}

fn read(stage: &StageView<'_>, key: &ObjectKey) -> Option<Need> {
    Some(Need::Read {
        identity: stage.identity.clone(),
        object: stage.object(key)?.reference.clone(),
        purpose: Purpose::Health,
    })
}

/// Asks for the objects that are due for another look, or says when the next one is.
///
/// A watched object is looked at when its watch tells of a change, and with every refresh; others are
/// polled, less often the longer the wait.
pub(super) fn look_again<'a>(
    release: &Release<'_>,
    stage: &StageView<'_>,
    unready: impl Iterator<Item = Seen<'a>>,
    since: Timestamp,
) -> Result<Timestamp, Stop> {
    let observation = release.observation;
    let mut needs = Vec::new();
    let mut next = observation.now.plus(observation.config.default_interval);
    for seen in unready {
        match due(release, stage, &seen, false, since) {
            None => {}
            Some(due) if due <= observation.now => needs.extend(read(stage, seen.key)),
            Some(due) => next = next.min(due),
        }
    }
    if needs.is_empty() {
        Ok(next)
    } else {
        Err(Stop::Ask(needs))
    }
}

fn listed(objects: &[(String, String)]) -> String {
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
