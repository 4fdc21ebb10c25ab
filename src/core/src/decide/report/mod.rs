//! What a pass has to say when it rests: conditions, stage statuses, events, and when to look again.
//! Every outcome is reported here and nowhere else.

use std::collections::BTreeMap;
use std::time::Duration;

use stageset_api::reason::Reason;

use crate::names::StageName;
use crate::observation::{ConditionStatus, Observation, Phase, StageStatus, Status};
use crate::plan::{Event, EventKind, Next, Operation, Plan, RecordOperation};
use crate::spec::Spec;
use crate::time::Timestamp;

use super::freshness::jittered;
use super::prune::Pruned;
use super::release::{Release, StageView};
use super::sources::{Pins, pin_key};

mod record;

use record::{applied, blank, cut, ready};

/// How often a refusal that only a grant can cure is tried again (K10: at most 60 s apart).
pub(super) const DENIED_RETRY: Duration = Duration::from_secs(30);

/// How often at most a status is recorded in which only messages differ.
const WORDS: Duration = Duration::from_secs(5);

/// When to look again.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wait {
    /// After this long.
    For(Duration),
    /// Then.
    Until(Timestamp),
    /// With the next interval tick.
    Tick,
    /// When the StageSet itself changes.
    Change,
}

/// The state of things, in the words of the kstatus conventions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Nothing more to do.
    Done,
    /// On its way.
    Reconciling,
    /// Tried again after a failure.
    Retrying,
    /// Past its bound, and still waited for.
    Overdue,
    /// Only a change of the spec helps.
    Stalled,
}

impl Progress {
    /// Reason of the `Reconciling` condition, in the words that Flux's kinds use.
    fn reconciling(self) -> Option<&'static str> {
        match self {
            Self::Done | Self::Stalled => None,
            Self::Reconciling => Some("Progressing"),
            Self::Retrying => Some("ProgressingWithRetry"),
            Self::Overdue => Some("TimedOut"),
        }
    }
}

/// Why a pass rests.
pub(super) struct Report {
    ready: ConditionStatus,
    reason: Reason,
    message: String,
    progress: Progress,
    wait: Wait,
    announce: bool,
    record: bool,
    attempted: Option<BTreeMap<String, String>>,
    applied: Option<BTreeMap<String, String>>,
    stages: BTreeMap<StageName, StageStatus>,
    passes: bool,
}

impl Report {
    fn new(ready: ConditionStatus, reason: Reason, message: String, wait: Wait) -> Self {
        Self {
            ready,
            reason,
            message,
            progress: Progress::Reconciling,
            wait,
            announce: true,
            record: true,
            attempted: None,
            applied: None,
            stages: BTreeMap::new(),
            passes: false,
        }
    }

    /// Only a change of spec or flags helps.
    pub(super) fn stalled(_: &Observation, reason: Reason, message: String, wait: Wait) -> Self {
        Self {
            progress: Progress::Stalled,
            ..Self::new(ConditionStatus::False, reason, message, wait)
        }
    }

    /// Something failed and is tried again.
    pub(super) fn failed(_: &Observation, reason: Reason, message: String, wait: Wait) -> Self {
        Self {
            progress: Progress::Retrying,
            ..Self::new(ConditionStatus::False, reason, message, wait)
        }
    }

    /// Nothing failed; something isn't there yet.
    pub(super) fn waiting(_: &Observation, reason: Reason, message: String, wait: Wait) -> Self {
        Self::new(ConditionStatus::False, reason, message, wait)
    }

    pub(super) fn suspended(_: &Observation) -> Self {
        Self {
            progress: Progress::Done,
            announce: false,
            ..Self::new(
                ConditionStatus::False,
                Reason::Suspended,
                "spec.suspend is set: nothing is reconciled until it is removed".into(),
                Wait::Change,
            )
        }
    }

    /// A wait too short to be recorded.
    pub(super) fn unsaid(message: String, until: Timestamp) -> Self {
        Self::unrecordable(message, until)
    }

    /// Our own records can't be written, so nothing can be recorded of that either.
    pub(super) fn unrecordable(message: String, until: Timestamp) -> Self {
        Self {
            record: false,
            announce: false,
            ..Self::new(
                ConditionStatus::False,
                Reason::StageFailed,
                message,
                Wait::Until(until),
            )
        }
    }

    /// Records the pins that this run works with.
    pub(super) fn attempting(mut self, pins: &Pins) -> Self {
        self.attempted = Some(revisions(pins));
        self
    }

    /// Ordinary progress makes no event; a wait past its bound makes one.
    pub(super) fn overdue(mut self, overdue: bool) -> Self {
        self.announce = overdue;
        self.progress = if overdue {
            Progress::Overdue
        } else {
            Progress::Reconciling
        };
        self
    }

    /// Makes no event: a wait for others that says so in its condition only (`api.md` §11).
    pub(super) fn quietly(mut self) -> Self {
        self.announce = false;
        self
    }

    /// Looks again no later than another report would.
    pub(super) fn no_later_than(&mut self, other: &Self) {
        if let (Wait::Until(mine), Wait::Until(theirs)) = (self.wait, other.wait) {
            self.wait = Wait::Until(mine.min(theirs));
        }
    }

    /// What it says.
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// Looks again by then at the latest.
    pub(super) fn look_by(&mut self, deadline: Timestamp) {
        match self.wait {
            Wait::Until(until) => self.wait = Wait::Until(until.min(deadline)),
            Wait::Tick => self.wait = Wait::Until(deadline),
            Wait::For(_) | Wait::Change => {}
        }
    }

    /// Marks the stage as failed; what was applied before stays recorded.
    pub(super) fn stage_failed(mut self, stage: &StageName, message: String) -> Self {
        let status = self
            .stages
            .entry(stage.clone())
            .or_insert_with(|| blank(stage));
        status.phase = Phase::Failed;
        status.message = Some(message);
        self
    }

    /// Marks the stage as written in this run, waiting since `since`.
    pub(super) fn stage_applied(
        mut self,
        release: &Release<'_>,
        stage: &StageView<'_>,
        since: Timestamp,
    ) -> Self {
        self.stages.insert(
            stage.spec.name.clone(),
            applied(release, stage, Some(since)),
        );
        self
    }

    /// Marks the stage as waiting for readiness.
    pub(super) fn stage_verifying(mut self, stage: &StageName, message: String) -> Self {
        let status = self
            .stages
            .entry(stage.clone())
            .or_insert_with(|| blank(stage));
        status.phase = Phase::Verifying;
        status.message = Some(message);
        self
    }

    /// Stages that were pruning still are.
    pub(super) fn still_pruning(mut self, observation: &Observation) -> Self {
        for stage in self.stages.values_mut() {
            let recorded = observation.stage_set.status.stage(&stage.name);
            if recorded.is_some_and(|recorded| recorded.phase == Phase::Pruning) {
                stage.phase = Phase::Pruning;
            }
        }
        self
    }

    /// Says where a stage stands; what was applied before stays recorded.
    fn in_phase(mut self, stage: &StageName, phase: Phase) -> Self {
        let status = self
            .stages
            .entry(stage.clone())
            .or_insert_with(|| blank(stage));
        status.phase = phase;
        self
    }

    /// Says something of a stage that hasn't begun, or is between two things.
    pub(super) fn stage_says(mut self, stage: &StageName, message: String) -> Self {
        let status = self
            .stages
            .entry(stage.clone())
            .or_insert_with(|| blank(stage));
        status.message = Some(message);
        self
    }

    /// Marks the stage as written in this run, with nothing to wait for.
    pub(super) fn stage_written(mut self, release: &Release<'_>, stage: &StageView<'_>) -> Self {
        self.stages
            .insert(stage.spec.name.clone(), applied(release, stage, None));
        self
    }

    /// A failure that goes away by itself: nothing follows from it.
    pub(super) fn passing(mut self) -> Self {
        self.passes = true;
        self
    }

    /// Whether it is the failure of this stage, and one that doesn't go away by itself.
    pub(super) fn has_failed(&self, stage: &StageName) -> bool {
        let failed = self.stages.get(stage);
        !self.passes && failed.is_some_and(|status| status.phase == Phase::Failed)
    }

    /// When to look again, for a report that becomes a part of another.
    pub(super) fn until(&self, observation: &Observation) -> Timestamp {
        match self.wait {
            Wait::Until(until) => until,
            Wait::For(span) => observation.now.plus(span),
            Wait::Tick | Wait::Change => observation.now.plus(Duration::from_secs(60)),
        }
    }

    /// Marks every stage as ready in this run.
    pub(super) fn all_stages_ready(mut self, release: &Release<'_>) -> Self {
        for stage in &release.stages {
            self.stages
                .insert(stage.spec.name.clone(), ready(release, stage));
        }
        self
    }

    /// The plan: record what changed, tell people, and wait.
    pub(super) fn into_plan(self, observation: &Observation) -> Plan {
        let next = self.next(observation);
        if !self.record {
            return Plan {
                needs: Vec::new(),
                steps: Vec::new(),
                next,
            };
        }
        let recorded = &observation.stage_set.status;
        let status = self.status(observation);
        let mut steps = Vec::new();
        if let Some(later) = self.words_can_wait(observation, &status) {
            return Plan {
                needs: Vec::new(),
                steps,
                next: sooner(next, later),
            };
        }
        if status != *recorded {
            steps.push(vec![Operation::Record(RecordOperation::Status(Box::new(
                status,
            )))]);
            if self.announce && self.is_news(recorded) {
                steps.push(vec![Operation::Record(RecordOperation::Announce(
                    self.event(),
                ))]);
            }
            steps.extend(record::notes_to_tell(observation).map(|told| vec![told]));
        }
        Plan {
            needs: Vec::new(),
            steps,
            next,
        }
    }

    /// While a stage is on its way its message counts objects, and each count would be a write. When
    /// nothing but words has changed, they are recorded at most every few seconds: this is when next.
    fn words_can_wait(&self, observation: &Observation, status: &Status) -> Option<Timestamp> {
        let recorded = &observation.stage_set.status;
        let next = observation.facts.status_recorded?.plus(WORDS);
        let only_words = self.progress == Progress::Reconciling
            && status != recorded
            && observation.now < next
            && record::same_but_for_words(recorded, status);
        only_words.then_some(next)
    }

    pub(super) fn is_news(&self, recorded: &Status) -> bool {
        let same = recorded.condition("Ready").is_some_and(|ready| {
            ready.status == self.ready && ready.reason == self.reason.as_str()
        });
        let known_to_be_late = || {
            recorded
                .condition("Reconciling")
                .is_some_and(|known| Some(known.reason.as_str()) == self.progress.reconciling())
        };
        !same || (self.progress == Progress::Overdue && !known_to_be_late())
    }

    pub(super) fn event(&self) -> Event {
        Event {
            kind: if self.ready == ConditionStatus::True {
                EventKind::Normal
            } else {
                EventKind::Warning
            },
            reason: self.reason.as_str().into(),
            message: self.message.clone(),
        }
    }

    /// Every wait ends with the interval tick at the latest, at which everything is looked at again.
    fn next(&self, observation: &Observation) -> Next {
        let spec = observation.stage_set.spec.as_ref().ok();
        let interval = steady_interval(observation, spec.map(AsRef::as_ref));
        let spread = jittered(interval, &observation.stage_set.uid);
        // A tick that is overdue is due now: put off, shorter waits would put it off for ever.
        let tick = observation.refresh_before.plus(spread);
        let until = match self.wait {
            Wait::Change => {
                return Next::Rest {
                    waiting_for: self.message.clone(),
                };
            }
            Wait::Tick => tick,
            Wait::For(span) => observation.now.plus(span),
            Wait::Until(until) => until,
        };
        let refresh = until >= tick;
        // Never in the past: that would be a hot loop.
        let until = until
            .min(tick)
            .max(observation.now.plus(Duration::from_millis(1)));
        Next::Hold {
            waiting_for: cut(&self.message),
            until,
            refresh,
        }
    }
}

fn sooner(next: Next, other: Timestamp) -> Next {
    match next {
        Next::Hold {
            waiting_for, until, ..
        } if other < until => Next::Hold {
            waiting_for,
            until: other,
            refresh: false,
        },
        next => next,
    }
}

/// The steps that record that a stage's new content is being written, and that the stages behind it
/// wait; none if that is on record. A stage that has failed at these pins stays so until it is
/// written: each new try isn't news.
pub(super) fn stage_begins(release: &Release<'_>, stage: &StageView<'_>) -> Vec<Vec<Operation>> {
    let observation = release.observation;
    let status = &observation.stage_set.status;
    let same_pins = status.last_attempted_revisions == revisions(release.pins);
    let said = stage
        .recorded
        .is_some_and(|recorded| matches!(recorded.phase, Phase::Applying | Phase::Failed));
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

/// The steps that record where things stand while they go on, with what is to be said beside it.
fn under_way(observation: &Observation, report: &Report) -> Vec<Vec<Operation>> {
    let status = report.status(observation);
    if status == observation.stage_set.status {
        return Vec::new();
    }
    let mut steps = vec![vec![Operation::Record(RecordOperation::Status(Box::new(
        status,
    )))]];
    steps.extend(record::notes_to_tell(observation).map(|told| vec![told]));
    steps
}

/// The steps that record that objects which left these stages are being deleted; none if that is on
/// record.
pub(super) fn stages_prune(release: &Release<'_>, stages: &[&StageName]) -> Vec<Vec<Operation>> {
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
pub(super) fn stage_became_ready(
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
    let mut steps = vec![vec![Operation::Record(RecordOperation::Status(Box::new(
        status,
    )))]];
    steps.extend(record::notes_to_tell(release.observation).map(|told| vec![told]));
    steps
}

/// Everything applied, ready and pruned.
pub(super) fn succeeded(release: &Release<'_>, pruned: &Pruned, look: Option<Timestamp>) -> Report {
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

/// The cadence of waits for things that nobody tells us of.
pub(super) fn retry_interval(observation: &Observation, spec: &Spec) -> Duration {
    spec.retry_interval
        .unwrap_or_else(|| spec.interval.unwrap_or(observation.config.default_interval))
}

fn steady_interval(observation: &Observation, spec: Option<&Spec>) -> Duration {
    let interval = spec
        .and_then(|spec| spec.interval)
        .unwrap_or(observation.config.default_interval);
    match spec.and_then(|spec| spec.drift_detection_interval) {
        Some(drift) if drift < interval => drift,
        _ => interval,
    }
}

fn revisions(pins: &Pins) -> BTreeMap<String, String> {
    pins.iter()
        .map(|(source, pin)| (pin_key(source), pin.revision.clone()))
        .collect()
}
