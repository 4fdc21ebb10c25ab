//! From a report to a plan: what is recorded, what people are told, and when to look again.

use std::time::Duration;

use crate::observation::{ConditionStatus, Observation, Status};
use crate::plan::{Event, EventKind, Next, Operation, Plan, RecordOperation};
use crate::spec::Spec;
use crate::time::Timestamp;

use super::super::freshness::jittered;
use super::record::{self, cut};
use super::{Progress, Report, Wait};

/// How often at most a status is recorded in which only messages differ.
const WORDS: Duration = Duration::from_secs(5);

impl Report {
    /// The plan: record what changed, tell people, and wait.
    pub(in crate::decide) fn into_plan(self, observation: &Observation) -> Plan {
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

    pub(in crate::decide) fn is_news(&self, recorded: &Status) -> bool {
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

    pub(in crate::decide) fn event(&self) -> Event {
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

fn steady_interval(observation: &Observation, spec: Option<&Spec>) -> Duration {
    let interval = spec
        .and_then(|spec| spec.interval)
        .unwrap_or(observation.config.default_interval);
    match spec.and_then(|spec| spec.drift_detection_interval) {
        Some(drift) if drift < interval => drift,
        _ => interval,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(until: i64, refresh: bool) -> Next {
        Next::Hold {
            waiting_for: "it".into(),
            until: Timestamp::from_millis(until),
            refresh,
        }
    }

    #[test]
    fn a_short_wait_takes_no_interval_tick_away_that_is_due_by_then() {
        let other = Timestamp::from_millis(10);
        assert_eq!(sooner(hold(11, true), other), hold(10, false));
        assert_eq!(sooner(hold(10, true), other), hold(10, true));
        assert_eq!(sooner(hold(9, true), other), hold(9, true));
    }
}
