//! What this process remembers of actions: what it asked, how far it has come, what failed.

use std::collections::BTreeMap;

use crate::failure::{Fact, Failure, FailureClass};
use crate::identity::Identity;
use crate::names::StageName;
use crate::object::ObjectKey;
use crate::plan::ActionStep;
use crate::spec::ActionPhase;
use crate::time::Timestamp;

use super::actions::{Answer, Attempt, Question};

/// How far this process has come with an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Its start is recorded, or may be; nothing was sent.
    Intended,
    /// It was sent, and no answer was seen.
    Sent,
    /// It has ended.
    Ended(Result<(), Failure>),
}

/// An action whose attempts are used up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The last failure, when, and how often in a row.
    pub fact: Fact<Failure>,
    /// The generation of the StageSet then: a changed spec is tried at once.
    pub generation: i64,
}

/// What this process remembers of an attempt.
#[derive(Debug, Clone, PartialEq)]
struct Attempted {
    progress: Progress,
    at: Timestamp,
    /// The beginnings that it has tried to record, or has taken over: a record with another one is
    /// another process's.
    starts: Vec<Timestamp>,
}

/// So many beginnings are remembered: each is another try at the same write.
const STARTS: usize = 8;

/// What this process remembers of actions. Losing it is a crash, which every verb has a rule for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ActionFacts {
    /// What was asked of objects, each as the identity that saw it (A07).
    looks: BTreeMap<(Identity, ObjectKey, String), Fact<Answer>>,
    /// Attempts of this process.
    attempts: BTreeMap<Attempt, Attempted>,
    /// Actions that failed, by stage, phase and name.
    failed: BTreeMap<(StageName, ActionPhase, String), Failed>,
}

impl ActionFacts {
    /// What was last seen.
    pub fn look(
        &self,
        identity: &Identity,
        key: &ObjectKey,
        question: &Question,
    ) -> Option<&Fact<Answer>> {
        self.looks
            .get(&(identity.clone(), key.clone(), question.text().to_owned()))
    }

    /// Any unreadable answer about an object, whoever asked.
    pub fn unreadable(&self, key: &ObjectKey) -> Option<&Failure> {
        self.looks
            .iter()
            .find_map(|((_, of, _), fact)| match &fact.value {
                Answer::Unreadable(failure) if of == key => Some(failure),
                _ => None,
            })
    }

    /// Records what was seen.
    pub fn looked(
        &mut self,
        identity: &Identity,
        key: &ObjectKey,
        question: &Question,
        value: Answer,
        at: Timestamp,
    ) {
        let of = (identity.clone(), key.clone(), question.text().to_owned());
        let failures = match &value {
            Answer::Unreadable(_) => self.looks.get(&of).map_or(0, |fact| fact.failures) + 1,
            _ => 0,
        };
        self.looks.insert(
            of,
            Fact {
                value,
                at,
                failures,
            },
        );
    }

    /// Forgets what was seen of objects.
    pub fn forget_looks(&mut self) {
        self.looks.clear();
    }

    /// Something was done: what was seen before says nothing of how things are now. That an identity
    /// may not see an object still holds, and is no reason to ask again at once (I4).
    fn outdated(&mut self) {
        self.looks.retain(|_, fact| {
            matches!(&fact.value, Answer::Unreadable(failure) if failure.class == FailureClass::Denied)
        });
    }

    /// How far this process has come with an action, whatever the number of the attempt: the latest.
    pub fn progress(&self, attempt: &Attempt) -> Option<(&Progress, Timestamp)> {
        self.attempts
            .iter()
            .rev()
            .find(|(known, _)| same_action(known, attempt))
            .map(|(_, known)| (&known.progress, known.at))
    }

    /// The same of a start on record, if it is this process's: what it only meant to begin, while
    /// another one did, is none of its own.
    pub fn carried(&self, attempt: &Attempt, since: Timestamp) -> Option<(&Progress, Timestamp)> {
        let mut known = self.attempts.iter().rev();
        let (_, known) = known.find(|(known, _)| same_action(known, attempt))?;
        let own = known.starts.contains(&since);
        own.then_some((&known.progress, known.at))
    }

    /// Records how far it has come.
    pub fn advanced(&mut self, attempt: &Attempt, progress: Progress, at: Timestamp) {
        let mut starts = Vec::new();
        self.attempts.retain(|known, attempted| {
            let same = same_action(known, attempt);
            if same {
                starts.append(&mut attempted.starts);
            }
            !same
        });
        let attempted = Attempted {
            progress,
            at,
            starts,
        };
        self.attempts.insert(attempt.clone(), attempted);
    }

    /// A start on record that begins then is this process's, or may be.
    fn begins(&mut self, attempt: &Attempt, since: Timestamp) {
        let Some(attempted) = self.attempts.get_mut(attempt) else {
            return;
        };
        if attempted.starts.len() >= STARTS {
            attempted.starts.remove(0);
        }
        attempted.starts.push(since);
    }

    /// Its outcome is recorded: nothing of its attempts counts any more.
    pub fn settled(&mut self, attempt: &Attempt) {
        self.attempts
            .retain(|known, _| !same_action(known, attempt));
        self.outdated();
    }

    /// A step is about to be recorded: whether or not the write is answered, it is this process that
    /// began, unless the record turns out to be another's.
    pub fn recording(&mut self, step: &ActionStep, at: Timestamp) {
        if let ActionStep::Starts { attempt, since, .. } = step {
            self.outdated();
            let tidying = format!("{}/tidy", attempt.key);
            self.attempts.retain(|known, _| {
                let tidies = known.key == tidying
                    && known.stage == attempt.stage
                    && known.action == attempt.action;
                !tidies
            });
            self.advanced(attempt, Progress::Intended, at);
            self.begins(attempt, *since);
        }
    }

    /// A step is on record.
    pub fn recorded(&mut self, step: &ActionStep, generation: i64, at: Timestamp) {
        match step {
            ActionStep::Starts { .. } => {}
            ActionStep::Resumes { attempt, since } => {
                self.advanced(attempt, Progress::Intended, at);
                self.begins(attempt, *since);
            }
            ActionStep::Done { attempt, .. } => self.has_succeeded(attempt),
            ActionStep::Failed {
                attempt, failure, ..
            } => {
                self.has_failed(attempt, failure.clone(), generation, at);
            }
            ActionStep::Cleared { stage } => {
                self.outdated();
                self.attempts.retain(|known, _| known.stage != *stage);
                self.failed.retain(|(of, _, _), _| of != stage);
            }
        }
    }

    /// A deed has ended: what was seen before says nothing of how things are now.
    pub fn ended(&mut self, attempt: &Attempt, result: Result<(), Failure>, at: Timestamp) {
        self.outdated();
        self.advanced(attempt, Progress::Ended(result), at);
    }

    /// The failure of an action whose attempts are used up.
    pub fn failure(&self, stage: &StageName, phase: ActionPhase, action: &str) -> Option<&Failed> {
        self.failed.get(&(stage.clone(), phase, action.to_owned()))
    }

    /// Records such a failure.
    pub fn has_failed(
        &mut self,
        attempt: &Attempt,
        failure: Failure,
        generation: i64,
        at: Timestamp,
    ) {
        self.settled(attempt);
        let of = (attempt.stage.clone(), attempt.phase, attempt.action.clone());
        let failures = self
            .failed
            .get(&of)
            .map_or(0, |failed| failed.fact.failures)
            + 1;
        let fact = Fact {
            value: failure,
            at,
            failures,
        };
        self.failed.insert(of, Failed { fact, generation });
    }

    /// It succeeded: earlier failures don't count.
    pub fn has_succeeded(&mut self, attempt: &Attempt) {
        self.settled(attempt);
        self.failed
            .remove(&(attempt.stage.clone(), attempt.phase, attempt.action.clone()));
    }
}

fn same_action(a: &Attempt, b: &Attempt) -> bool {
    (&a.stage, a.phase, &a.action, &a.key) == (&b.stage, b.phase, &b.action, &b.key)
}
