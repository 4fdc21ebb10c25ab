//! The life of one action: `start recorded → side effect → completion recorded`.

use std::time::Duration;

use stageset_api::reason::Reason;

use crate::failure::{Failure, FailureClass};
use crate::observation::{Attempt, Progress, Started, ledger_key};
use crate::plan::{ActionStep, Deed, Operation, TenantOperation};
use crate::spec::{Action, ActionScope};
use crate::time::Timestamp;

use super::super::Stop;
use super::super::report::Wait;
use super::failures::{give_up, refuse_dirty, rest_after_failure};
use super::verbs::{self, Go, Prepared};
use super::{Run, ledger, record};

/// An action in its place.
#[derive(Clone, Copy)]
pub(super) struct This<'a> {
    pub run: Run<'a>,
    pub action: &'a Action,
}

impl<'a> This<'a> {
    /// What its completion is recorded for.
    pub(super) fn key(self) -> String {
        match self.action.scope {
            ActionScope::Revision => ledger_key(Some(self.run.stage.revision)),
            ActionScope::Lifetime(_) => ledger_key(None),
        }
    }

    pub(super) fn attempt(self, number: u32) -> Attempt {
        Attempt {
            stage: self.run.stage.spec.name.clone(),
            phase: self.run.phase,
            action: self.action.name.clone(),
            key: self.key(),
            number,
        }
    }

    /// Its start as recorded, if it may have begun and isn't done.
    pub(super) fn started(self) -> Option<&'a Started> {
        let record = &self.run.stage.recorded?.actions;
        let key = self.key();
        record.started.iter().find(|started| {
            started.phase == self.run.phase
                && started.action == self.action.name
                && started.key == key
        })
    }

    /// Whether this process knows nothing of the attempt: one that is gone began it.
    fn is_anothers(self, started: &Started) -> bool {
        self.progress(started).is_none()
    }

    /// How far this process has come with a start on record, if that start is its own.
    pub(super) fn progress(self, started: &Started) -> Option<(&'a Progress, Timestamp)> {
        let actions = &self.run.release.observation.facts.actions;
        actions.carried(&self.attempt(started.attempt), started.since)
    }

    pub(super) fn now(self) -> Timestamp {
        self.run.release.observation.now
    }

    /// `pre action "migrate"`.
    pub(super) fn name(self) -> String {
        record::name(self.run.phase, &self.action.name)
    }

    /// Whether somebody asked for another try since the last status was written.
    pub(super) fn asked_again(self) -> bool {
        record::asked_again(self.run.release.observation)
    }

    /// Done at this revision, or for ever.
    fn is_done(self) -> Result<bool, Stop> {
        match self.action.scope {
            ActionScope::Revision => Ok(self.run.stage.recorded.is_some_and(|recorded| {
                recorded.actions.revision.as_deref() == Some(self.run.stage.revision)
                    && recorded.actions.executed.contains(&self.action.name)
            })),
            ActionScope::Lifetime(_) => ledger::is_done(self),
        }
    }

    /// When an attempt has taken too long.
    fn deadline(self, started: &Started) -> Option<Timestamp> {
        let of_all = self.action.timeout.map(|bound| started.first.plus(bound));
        let of_one = verbs::default_bound(&self.action.verb).filter(|_| of_all.is_none());
        of_all.or_else(|| of_one.map(|bound| started.since.plus(bound)))
    }
}

/// Whether nothing is left to do of a list.
pub(super) fn all_done(run: Run<'_>) -> bool {
    run.stage
        .spec
        .actions
        .of(run.phase)
        .iter()
        .all(|action| matches!(This { run, action }.is_done(), Ok(true)))
}

/// Brings an action as far as it can be brought now; lets the next one begin once it is done.
pub(super) fn one(run: Run<'_>, action: &Action) -> Result<(), Stop> {
    let this = This { run, action };
    if this.is_done()? {
        return tidy(this);
    }
    refuse_dirty(this)?;
    rest_after_failure(this)?;
    match this.started() {
        None => Err(begin(this, None)),
        Some(started) => carry_on(this, started),
    }
}

/// Records that the first or another attempt begins; nothing is sent before that is recorded.
fn begin(this: This<'_>, before: Option<&Started>) -> Stop {
    let uid = match verbs::prepare(this) {
        Ok(Prepared::Ready { uid }) => uid,
        Ok(Prepared::NothingToDo) => return complete(this, this.attempt(1)),
        Err(Go::Failed(failure, _)) => {
            let attempt = this.attempt(before.map_or(1, |before| before.attempt));
            return give_up(this, attempt, failure);
        }
        Err(go) => return stop(this, before, go),
    };
    let now = this.now();
    let started = Started {
        phase: this.run.phase,
        action: this.action.name.clone(),
        key: this.key(),
        attempt: before.map_or(1, |before| before.attempt.saturating_add(1)),
        first: before.map_or(now, |before| before.first),
        since: now,
        uid,
    };
    let attempt = this.attempt(started.attempt);
    let step = ActionStep::Starts {
        attempt,
        scope: this.action.scope.as_str(),
        since: now,
    };
    let operation = record::started(this, started, step);
    Stop::Act(vec![vec![operation]])
}

/// An attempt that has begun, or may have: by this process, or by one that is gone.
fn carry_on(this: This<'_>, started: &Started) -> Result<(), Stop> {
    match verbs::go(this, started) {
        Go::Done => Err(complete(this, this.attempt(started.attempt))),
        Go::Lost => Err(lost(this, started)),
        Go::Failed(failure, at) => Err(failed(this, started, failure, at)),
        go => Err(stop(this, Some(started), go)),
    }
}

/// What isn't decided yet, within its bound.
fn stop(this: This<'_>, started: Option<&Started>, go: Go) -> Stop {
    let (said, until) = match &go {
        Go::Wait { said, until } => (said.clone(), *until),
        Go::Act(_) => ("it wasn't begun in time".to_owned(), this.now()),
        Go::Stop(_) | Go::Done | Go::Lost | Go::Failed(..) => (String::new(), this.now()),
    };
    let deadline = started.and_then(|started| Some((started, this.deadline(started)?)));
    match (go, deadline) {
        (Go::Stop(stop), _) => stop,
        (_, Some((started, deadline))) if this.now() >= deadline => {
            let from = if this.action.timeout.is_some() {
                started.first
            } else {
                started.since
            };
            let bound = super::super::verify::in_words(deadline.since(from));
            let failure = Failure::new(
                FailureClass::Transient { retry_after: None },
                format!("not done within {bound}: {said}"),
            );
            failed(this, started, failure, deadline)
        }
        (Go::Act(_), _)
            if let Some(started) = started.filter(|started| this.is_anothers(started)) =>
        {
            resume(this, started)
        }
        (Go::Act(deed), _) => act(this, started.map_or(1, |started| started.attempt), *deed),
        (_, deadline) => {
            let until = deadline.map_or(until, |(_, deadline)| deadline.min(until));
            waiting(this, &said, until)
        }
    }
}

/// Takes an attempt over from a lost process. The view of its record may lag behind what that process
/// wrote last, perhaps that it is done (D2): only a write on the version that was seen tells.
fn resume(this: This<'_>, started: &Started) -> Stop {
    let attempt = this.attempt(started.attempt);
    let since = started.since;
    let step = ActionStep::Resumes { attempt, since };
    let operation = record::started(this, started.clone(), step);
    Stop::Act(vec![vec![operation]])
}

fn act(this: This<'_>, number: u32, deed: Deed) -> Stop {
    Stop::Act(vec![vec![act_step(this, number, deed)]])
}

fn act_step(this: This<'_>, number: u32, deed: Deed) -> Operation {
    let mut attempt = this.attempt(number);
    if deed.tidies() {
        attempt.key = tidying(&attempt.key);
    }
    Operation::Tenant(TenantOperation::Act {
        identity: this.run.stage.identity.clone(),
        attempt,
        deed,
    })
}

/// Tidying up is an attempt of its own: how it ends is nothing that the action's outcome rests on.
fn tidying(key: &str) -> String {
    format!("{key}/tidy")
}

fn waiting(this: This<'_>, said: &str, until: Timestamp) -> Stop {
    let message = format!("{}: {said}", this.name());
    record::report(this, Reason::StageProgressing, &message, Wait::Until(until)).into()
}

/// It may have been done, and doing it twice isn't doing it once: a failed attempt, as far as the
/// spec allows another one, and else a person's decision.
fn lost(this: This<'_>, started: &Started) -> Stop {
    let what = verbs::in_words(&this.action.verb);
    let failure = Failure::new(
        FailureClass::Transient { retry_after: None },
        format!(
            "{}, and nobody knows whether {what} happened",
            record::STOPPED
        ),
    );
    if started.attempt <= this.action.retries {
        return failed(this, started, failure, started.since);
    }
    let stage = &this.run.stage.spec.name;
    if this.asked_again() && record::people_know(this.run.release.observation, stage, started) {
        return begin(this, None);
    }
    let done = if this.action.scope.is_lifetime() {
        ", or record that it is done with `stagesetctl baseline`"
    } else {
        ""
    };
    let message = format!(
        "{}: {failure}; it isn't repeated unasked: look for its effect, then set the annotation \
         reconcile.fluxcd.io/requestedAt to a new value to have it run again{done}",
        this.name()
    );
    record::failed_report(this, Reason::StageFailed, &message, Wait::Tick).into()
}

/// An attempt failed: another one after a pause, or the end of the list.
fn failed(this: This<'_>, started: &Started, failure: Failure, at: Timestamp) -> Stop {
    // Jobs of a failed attempt go before its failure is recorded, or it would be the next one's too.
    let tidied = match leftovers(this) {
        Ok(left) => left.map(|deed| act_step(this, started.attempt, deed)),
        Err(stop) => return stop,
    };
    let after = after_failure(this, started, failure, at);
    match (tidied, after) {
        (Some(tidied), Stop::Act(mut steps)) => {
            steps.insert(0, vec![tidied]);
            Stop::Act(steps)
        }
        (_, after) => after,
    }
}

fn after_failure(this: This<'_>, started: &Started, failure: Failure, at: Timestamp) -> Stop {
    let pause = Duration::from_millis(500)
        .saturating_mul(started.attempt)
        .min(Duration::from_secs(5));
    let again = at.plus(pause);
    let in_time = this
        .action
        .timeout
        .is_none_or(|bound| again < started.first.plus(bound));
    let retried = failure.class != FailureClass::Terminal
        && started.attempt <= this.action.retries
        && in_time;
    if !retried {
        return give_up(this, this.attempt(started.attempt), failure);
    }
    if this.now() < again {
        let said = format!(
            "attempt {} of {} failed: {failure}",
            started.attempt,
            this.action.retries + 1
        );
        return waiting(this, &said, again);
    }
    begin(this, Some(started))
}

/// What an attempt left behind, unless it was tried already to get rid of that.
fn leftovers(this: This<'_>) -> Result<Option<Deed>, Stop> {
    let mut attempt = this.attempt(1);
    attempt.key = tidying(&attempt.key);
    if this
        .run
        .release
        .observation
        .facts
        .actions
        .progress(&attempt)
        .is_some()
    {
        return Ok(None);
    }
    verbs::leftovers(this)
}

/// What an action that is done left behind goes too; that this fails holds nothing up.
fn tidy(this: This<'_>) -> Result<(), Stop> {
    if this.started().is_none() {
        return Ok(());
    }
    match leftovers(this)? {
        Some(deed) => Err(act(this, 1, deed)),
        None => Ok(()),
    }
}

/// The completion, recorded before anything else happens.
fn complete(this: This<'_>, attempt: Attempt) -> Stop {
    match this.action.scope {
        ActionScope::Revision => Stop::Act(vec![vec![record::done(this, attempt)]]),
        ActionScope::Lifetime(_) => ledger::complete(this, attempt),
    }
}
