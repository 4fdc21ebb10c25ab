//! The loop: look, gather, decide, perform, until there is nothing to do but wait.

use std::sync::Arc;
use std::time::Duration;

use stageset_api::reason::Reason;
use stageset_core::Lacking;
use stageset_core::observation::{Observation, StageSet};
use stageset_core::plan::{Next, Operation, Plan, RecordOperation};
use tracing::Instrument as _;

use super::caught::caught;
use super::look::Look;
use super::steps::Step;
use super::{End, Pass, Session, StageSetKey, Wake};
use crate::gather::Bodies;
use crate::ports::Ports;
use crate::records::stage_set::{self, Parsed};
use crate::requests::clean;
use crate::spans;
use crate::stored::Stored;

/// After a defect of ours the object is looked at again then (G17).
const AFTER_DEFECT: Duration = Duration::from_secs(60);

impl Session {
    /// Gathers, decides and performs until there is nothing to do but wait.
    ///
    /// `object` is the StageSet as last seen. Between turns, and before each step of a plan, the
    /// session looks into [`WatchedObjects`](crate::ports::WatchedObjects) for a newer one and for
    /// news of its sources, so that a deletion, a new spec or a new revision ends the run where it
    /// stands (K07). Never panics because of a StageSet's content: a decision that does is caught,
    /// nothing of it is performed, and this one object is looked at again a minute later.
    pub async fn pass(&mut self, ports: &Ports, object: impl Into<Stored>, wake: Wake) -> Pass {
        let span = spans::pass(&self.key);
        let pass = self
            .run(ports, object.into(), wake)
            .instrument(span.clone())
            .await;
        spans::passed(&span, pass.turns, &pass.next);
        pass
    }

    async fn run(&mut self, ports: &Ports, object: Stored, wake: Wake) -> Pass {
        self.rouse();
        if let Some(known) = &self.known
            && known.object.uid() != object.uid()
        {
            // Another StageSet of the same name: nothing that was seen for the first holds.
            *self = Self::new(self.key.clone());
        }
        self.adopt(object);
        for hint in wake.hints {
            self.take(hint);
        }
        if wake.refresh {
            self.refresh_before = ports.clock.now();
        }
        let mut turns = 0;
        let next = loop {
            if turns >= ports.settings.max_turns {
                let said = format!("{turns} decisions in a row didn't come to a rest");
                break self.defect(ports, &said);
            }
            turns += 1;
            if let Some(next) = self.turn(ports).await {
                break next;
            }
        };
        // A pass that ends with a write of ours has not read the object anew. One that can't be read was
        // told of by the decision.
        self.observed().ok();
        self.forget(ports.clock.now());
        Pass { next, turns }
    }

    /// One decision, carried out; `None` if another is due.
    async fn turn(&mut self, ports: &Ports) -> Option<End> {
        if self.look(ports) == Look::Gone {
            return Some(End::Gone);
        }
        let plan = match self.decide(ports) {
            Ok(plan) => plan,
            Err(next) => return Some(next),
        };
        self.gather(ports, &plan.needs).await;
        for step in &plan.steps {
            // Before the next write: does the decision still rest on how things are?
            match self.look(ports) {
                Look::Gone => return Some(End::Gone),
                Look::News => return None,
                Look::Same => {}
            }
            match self.perform(ports, step).await {
                Step::Done => {}
                Step::Failed => return None,
                Step::Gone => return Some(End::Gone),
            }
        }
        match plan.next {
            Next::Again => None,
            Next::Hold {
                waiting_for,
                until,
                refresh,
            } => Some(End::Hold {
                waiting_for,
                until,
                refresh,
            }),
            Next::Rest { waiting_for } => Some(End::Rest { waiting_for }),
            Next::Gone => Some(End::Gone),
        }
    }

    /// Gathers and decides as a first pass does, and performs nothing: what the next write would be, or
    /// why there is none, and what accounts lack for it.
    pub async fn inspect(
        ports: &Ports,
        key: StageSetKey,
        object: impl Into<Stored>,
    ) -> (Plan, Vec<Lacking>) {
        let mut session = Self::new(key);
        session.adopt(object.into());
        let mut plan = Plan::ask(Vec::new());
        for _ in 0..ports.settings.max_turns {
            let Ok(decided) = session.decide(ports) else {
                break;
            };
            plan = decided;
            if plan.needs.is_empty() {
                break;
            }
            session.gather(ports, &plan.needs).await;
        }
        let lacking = session.inspect_rights(ports).await;
        (plan, lacking)
    }

    /// What accounts lack for the delivery, or for the teardown of a StageSet that is being deleted.
    async fn inspect_rights(&mut self, ports: &Ports) -> Vec<Lacking> {
        for _ in 0..ports.settings.max_turns {
            let Some(observation) = self.observation(ports) else {
                break;
            };
            let lacking = if observation.stage_set.deletion_timestamp.is_some() {
                stageset_core::lacking_to_tear_down(&observation)
            } else {
                Ok(stageset_core::lacking(&observation))
            };
            self.facts = observation.facts;
            match lacking {
                Ok(lacking) => return lacking,
                Err(needs) => self.gather(ports, &needs).await,
            }
        }
        Vec::new()
    }

    /// Everything that is known now; the facts are moved into it.
    fn observation(&mut self, ports: &Ports) -> Option<Observation> {
        let stage_set = self.observed().ok()?.clone();
        Some(Observation {
            now: ports.clock.now(),
            refresh_before: self.refresh_before,
            config: Arc::clone(&ports.config),
            stage_set,
            facts: std::mem::take(&mut self.facts),
        })
    }

    fn observed(&mut self) -> Result<&StageSet, String> {
        if self.read.is_none() {
            let known = self.known.as_ref().ok_or("no StageSet was seen yet")?;
            let read = stage_set::read_again(&known.object.value(), self.parsed.as_ref());
            let read = read.map_err(|error| error.to_string())?;
            self.parsed = Some(Parsed::of(&read));
            self.read = Some(Box::new(read));
        }
        self.read
            .as_deref()
            .ok_or_else(|| "the StageSet can't be read".to_owned())
    }

    fn decide(&mut self, ports: &Ports) -> Result<Plan, End> {
        let now = ports.clock.now();
        let stage_set = match self.observed() {
            Ok(stage_set) => stage_set.clone(),
            Err(said) => {
                // Nothing can be recorded of an object that no API server lets through.
                return Err(End::Rest {
                    waiting_for: format!("a StageSet that can be read: {said}"),
                });
            }
        };
        self.follow_clock(now);
        self.follow_stage_set(&stage_set, now);
        self.renew_tracking(ports);
        let observation = Observation {
            now,
            refresh_before: self.refresh_before,
            config: Arc::clone(&ports.config),
            stage_set,
            facts: std::mem::take(&mut self.facts),
        };
        let decided = caught(|| {
            let plan = stageset_core::reconcile(&observation);
            let lacking = if says_denied(&plan) {
                stageset_core::lacking(&observation)
            } else {
                Vec::new()
            };
            (plan, lacking)
        });
        self.facts = observation.facts;
        match decided {
            Ok((plan, lacking)) => {
                ports.observer.plan(now, &self.key, &plan);
                if !lacking.is_empty() {
                    ports.observer.lacking(now, &self.key, &lacking);
                }
                Ok(plan)
            }
            Err(said) => Err(self.defect(ports, &said)),
        }
    }

    /// Parks the object after a defect of ours: nothing is performed (G17).
    fn defect(&self, ports: &Ports, said: &str) -> End {
        let now = ports.clock.now();
        let said = clean(said);
        ports.observer.defect(now, &self.key, &said);
        End::Hold {
            waiting_for: format!("another try after an internal error: {said}"),
            until: now.plus(AFTER_DEFECT),
            refresh: false,
        }
    }

    pub(super) fn bodies(&self) -> Bodies {
        let read = self.read.as_ref();
        let spec = read.and_then(|stage_set| stage_set.spec.as_ref().ok());
        spec.map(|spec| Bodies::of(spec)).unwrap_or_default()
    }

    /// Whether nothing is recorded of the StageSet yet, as far as anybody could.
    pub(super) fn is_unrecorded(&self) -> bool {
        let status = self.read.as_ref().map(|stage_set| &stage_set.status);
        self.facts.record_failure.is_none()
            && status.is_some_and(|status| {
                status.stages.is_empty() && status.last_attempted_revisions.is_empty()
            })
    }

    pub(super) fn is_deleting(&self) -> bool {
        let read = self.read.as_ref();
        read.is_some_and(|stage_set| stage_set.deletion_timestamp.is_some())
    }

    pub(super) fn uid(&self) -> String {
        let known = self.known.as_ref();
        let uid = known.and_then(|known| known.object.uid());
        uid.unwrap_or_default().to_owned()
    }
}

/// Whether a plan records that rights are missing.
fn says_denied(plan: &Plan) -> bool {
    plan.steps
        .iter()
        .flatten()
        .any(|operation| match operation {
            Operation::Record(RecordOperation::Status(status)) => status
                .condition("Ready")
                .is_some_and(|ready| ready.reason == Reason::RBACDenied.as_str()),
            _ => false,
        })
}
