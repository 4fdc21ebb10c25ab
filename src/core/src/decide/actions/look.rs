//! What actions see of objects: asked once, and again as long as the answer may change.

use std::time::Duration;

use crate::object::Reference;
use crate::observation::{Answer, Question};
use crate::plan::Need;
use crate::time::Timestamp;

use super::super::Stop;
use super::super::freshness::{poll_at, retry_at};
use super::attempt::This;
use super::verbs::Go;

/// Several looks, asked for together.
pub(super) struct Looks<'a> {
    this: This<'a>,
    needs: Vec<Need>,
    /// When the next one is due again.
    next: Option<Timestamp>,
    /// When an answer that doesn't change any more was seen last.
    pub(super) settled_at: Timestamp,
}

impl<'a> Looks<'a> {
    pub(super) fn new(this: This<'a>) -> Self {
        Self {
            this,
            needs: Vec::new(),
            next: None,
            settled_at: Timestamp::default(),
        }
    }

    /// The answer as it was seen after `after`; `None` until it is there. One that may change is
    /// looked for again, less often the longer it has been waited for, since `since`.
    ///
    /// A point that is still to come was recorded by another process whose clock is ahead of ours:
    /// what this one has seen, it has seen since, and asking again would never make it newer.
    pub(super) fn see(
        &mut self,
        object: &Reference,
        question: &Question,
        after: Timestamp,
        since: Timestamp,
    ) -> Option<&'a Answer> {
        let observation = self.this.run.release.observation;
        let identity = self.this.run.stage.identity;
        let known = observation
            .facts
            .actions
            .look(identity, &object.key, question)
            .filter(|fact| fact.at >= after || after > observation.now);
        let due = match known.map(|fact| (fact, &fact.value)) {
            None => Some(observation.now),
            Some((fact, Answer::Yes { .. } | Answer::Never { .. } | Answer::Foreign)) => {
                self.settled_at = self.settled_at.max(fact.at);
                None
            }
            Some((fact, Answer::Unreadable(failure))) => {
                Some(retry_at(fact.at, failure, fact.failures))
            }
            Some((fact, Answer::Absent | Answer::No { .. } | Answer::Going)) => {
                Some(poll_at(fact.at, since))
            }
        };
        match due {
            Some(due) if due <= observation.now => {
                self.needs.push(Need::Look {
                    identity: identity.clone(),
                    object: object.clone(),
                    question: question.clone(),
                });
                None
            }
            Some(due) => {
                self.next = Some(self.next.map_or(due, |next| next.min(due)));
                known.map(|fact| &fact.value)
            }
            None => known.map(|fact| &fact.value),
        }
    }

    /// Stops for what was asked for; else says when to look again.
    pub(super) fn ask(self) -> Result<Timestamp, Go> {
        if self.needs.is_empty() {
            let now = self.this.now();
            Ok(self
                .next
                .unwrap_or_else(|| now.plus(Duration::from_secs(2))))
        } else {
            Err(Go::Stop(Stop::Ask(self.needs)))
        }
    }
}

/// One look at one object: the answer, and when to look again.
pub(super) fn one<'a>(
    this: This<'a>,
    object: &Reference,
    question: &Question,
    after: Timestamp,
    since: Timestamp,
) -> Result<(&'a Answer, Timestamp), Go> {
    let mut looks = Looks::new(this);
    let answer = looks.see(object, question, after, since);
    let next = looks.ask()?;
    match answer {
        Some(answer) => Ok((answer, next)),
        None => Err(Go::Stop(Stop::Ask(Vec::new()))),
    }
}
