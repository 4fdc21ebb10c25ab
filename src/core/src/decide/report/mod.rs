//! What a pass has to say when it rests: conditions, stage statuses, events, and when to look again.
//! Every outcome is reported here and nowhere else.

use std::collections::BTreeMap;
use std::time::Duration;

use stageset_api::reason::Reason;

use crate::names::StageName;
use crate::observation::{ConditionStatus, Observation, Phase, StageStatus};
use crate::spec::Spec;
use crate::time::Timestamp;

use super::release::{Release, StageView};
use super::sources::{Pins, pin_key};

mod notes;
mod outcome;
mod record;
mod stages;

use record::{applied, blank, ready};

pub(super) use notes::told;
pub(super) use stages::{stage_became_ready, stage_begins, stages_prune, succeeded};

/// How often a refusal that only a grant can cure is tried again (K10: at most 60 s apart).
pub(super) const DENIED_RETRY: Duration = Duration::from_secs(30);

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
    pub(super) fn attempting(mut self, pins: &Pins<'_>) -> Self {
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
}

/// The cadence of waits for things that nobody tells us of.
pub(super) fn retry_interval(observation: &Observation, spec: &Spec) -> Duration {
    spec.retry_interval
        .unwrap_or_else(|| spec.interval.unwrap_or(observation.config.default_interval))
}

fn revisions(pins: &Pins<'_>) -> BTreeMap<String, String> {
    pins.iter()
        .map(|(source, pin)| (pin_key(source), pin.revision.clone()))
        .collect()
}
