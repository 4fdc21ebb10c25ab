//! Actions in the world: what they do is counted, so that nothing is done twice unseen.

use std::collections::BTreeMap;
use std::time::Duration;

use stageset_core::failure::{Fact, Failure, FailureClass};
use stageset_core::identity::Identity;
use stageset_core::object::{ObjectKey, Owner, Reference};
use stageset_core::observation::{Answer, Attempt, Ledger, Progress, Question, Started};
use stageset_core::plan::{Deed, Need, RecordOperation};
use stageset_core::spec::Selected;

use super::{NAMESPACE, Stored, World, failures_after};

/// What becomes of a Job, by the beginning of its name.
#[derive(Debug, Clone, Default)]
pub struct JobScript {
    /// How long it takes.
    pub takes: Duration,
    /// So many of its Jobs fail first.
    pub fails: u32,
}

/// What actions did, and what they meet.
#[derive(Debug, Default)]
pub struct Effects {
    /// Requests that arrived, by host and Idempotency-Key.
    pub received: Vec<(String, String)>,
    /// So many requests fail first, with this class.
    pub refusals: Vec<FailureClass>,
    /// Jobs that were created, by name.
    pub created: Vec<String>,
    /// Objects that actions deleted.
    pub deleted: Vec<String>,
    /// Patches that arrived.
    pub patched: Vec<String>,
    /// Objects that actions applied.
    pub applied: Vec<String>,
    /// Scripts of Jobs.
    pub jobs: BTreeMap<String, JobScript>,
    /// When the expression of a wait begins to hold, by name of the object.
    pub holds: BTreeMap<String, Duration>,
}

impl World {
    /// Carries out what the status and the ledger record of actions; false for anything else.
    pub(super) fn record_actions(&mut self, operation: &RecordOperation) -> bool {
        let at = self.now;
        match operation {
            RecordOperation::Action { status, step } => {
                self.note(operation.to_string(), None);
                self.status = (**status).clone();
                // As it comes back from a status: only what its text holds.
                for stage in &mut self.status.stages {
                    let lines: Vec<String> = stage
                        .actions
                        .started
                        .iter()
                        .map(ToString::to_string)
                        .collect();
                    stage.actions.started = Started::parse_all(&lines.join("\n"));
                }
                self.facts.status_recorded = Some(at);
                self.facts.actions.recorded(step, self.generation, at);
            }
            RecordOperation::CreateLedger => {
                self.note(operation.to_string(), None);
                self.ledger.get_or_insert_with(Ledger::default);
                self.facts.ledger = Some(Fact::seen(Ok(self.ledger.clone()), at));
            }
            RecordOperation::Ledger {
                completed,
                baseline_valid,
                done,
                ..
            } => {
                self.note(operation.to_string(), None);
                let ledger = self.ledger.as_mut().expect("a ledger is created first");
                ledger.completed.clone_from(completed);
                ledger.baseline_valid.clone_from(baseline_valid);
                if let Some(attempt) = done {
                    self.facts.actions.has_succeeded(attempt);
                }
                self.facts.ledger = Some(Fact::seen(Ok(self.ledger.clone()), at));
            }
            _ => return false,
        }
        true
    }

    pub(super) fn gather_for_actions(&mut self, need: &Need, fault: Option<Failure>) {
        let at = self.now;
        match need {
            Need::Ledger => {
                let failures = failures_after(self.facts.ledger.as_ref(), fault.is_some());
                let value = fault.map_or_else(|| Ok(self.ledger.clone()), Err);
                self.facts.ledger = Some(Fact {
                    value,
                    at,
                    failures,
                });
            }
            Need::Look {
                identity,
                object,
                question,
            } => {
                self.can_be_addressed(object);
                let refusal = self.refuses(identity, "get", &object.key);
                let answer = match fault.or(refusal) {
                    Some(failure) => Answer::Unreadable(failure),
                    None => self.answer(&object.key, question),
                };
                self.facts
                    .actions
                    .looked(identity, &object.key, question, answer, at);
            }
            other => panic!("{other} isn't an action's"),
        }
    }

    /// What is asked for or written stands where discovery says that its kind does.
    fn can_be_addressed(&self, reference: &Reference) {
        let key = &reference.key;
        let served = self.kinds.get(&(key.group.clone(), key.kind.clone()));
        let (plural, namespaced) = served.unwrap_or_else(|| panic!("{key} isn't served"));
        assert_eq!(reference.plural, *plural, "{key}");
        assert_eq!(key.namespace.is_some(), *namespaced, "{key}");
    }

    fn answer(&self, key: &ObjectKey, question: &Question) -> Answer {
        let Some(stored) = self.objects.get(key) else {
            return Answer::Absent;
        };
        let uid = stored.uid.clone();
        let wait = |done: bool, said: &str| {
            if done {
                Answer::Yes { uid: uid.clone() }
            } else {
                Answer::No {
                    uid: uid.clone(),
                    said: said.to_owned(),
                }
            }
        };
        if stored.deleting {
            return Answer::Going;
        }
        match question {
            Question::Exists => Answer::Yes { uid },
            Question::Finished if stored.owner.as_ref() != Some(&ours()) => Answer::Foreign,
            Question::Finished if stored.content == "fails" && self.now >= stored.ready_at => {
                Answer::Never {
                    uid,
                    said: "BackoffLimitExceeded".into(),
                }
            }
            Question::Finished => wait(self.now >= stored.ready_at, "1 active"),
            Question::Ready => wait(self.now >= stored.ready_at, "0 of 1 replicas available"),
            Question::Holds(_) => {
                let after = self
                    .effects
                    .holds
                    .get(&key.name)
                    .copied()
                    .unwrap_or_default();
                let since = super::Timestamp::parse("2026-11-23T12:00:00Z").unwrap();
                wait(self.now >= since.plus(after), "the expression doesn't hold")
            }
        }
    }

    pub(super) fn act(
        &mut self,
        identity: &Identity,
        attempt: &Attempt,
        deed: &Deed,
        fault: Option<Failure>,
    ) -> bool {
        let at = self.now;
        self.facts.actions.advanced(attempt, Progress::Sent, at);
        let result = match fault {
            Some(failure) => Err(failure),
            None => self.carry_out(identity, deed),
        };
        let done = result.is_ok();
        if done {
            self.note(format!("{deed} as {identity}: {attempt}"), Some(identity));
        }
        self.facts.actions.ended(attempt, result, at);
        done
    }

    fn carry_out(&mut self, identity: &Identity, deed: &Deed) -> Result<(), Failure> {
        match deed {
            Deed::Http { request, key, .. } => {
                self.effects
                    .received
                    .push((request.url.clone(), key.clone()));
                match self.effects.refusals.pop() {
                    Some(class) => Err(Failure::new(class, "the server answered 500")),
                    None => Ok(()),
                }
            }
            Deed::Patch { of, objects, .. } => {
                self.can_be_addressed(of);
                if let Some(refusal) = self.refuses(identity, "patch", &of.key) {
                    return Err(refusal);
                }
                let what = match objects {
                    Selected::Named(name) => name.clone(),
                    Selected::Labelled(labels) => labels.clone(),
                };
                self.effects.patched.push(what);
                Ok(())
            }
            Deed::Delete { object, uid, .. } => {
                self.can_be_addressed(object);
                if let Some(refusal) = self.refuses(identity, "delete", &object.key) {
                    return Err(refusal);
                }
                match self.objects.get(&object.key) {
                    Some(stored) if stored.uid == *uid => {
                        self.objects.remove(&object.key);
                        self.effects.deleted.push(object.key.name.clone());
                        Ok(())
                    }
                    Some(_) => Err(Failure::new(FailureClass::Conflict, "uid mismatch")),
                    None => Ok(()),
                }
            }
            Deed::Apply { objects } => {
                for object in objects {
                    self.can_be_addressed(&object.reference);
                    self.effects.applied.push(object.reference.key.name.clone());
                    let slow = self.slow.get(&object.reference.key.kind).copied();
                    self.store(
                        &object.reference.key,
                        object.owner.clone(),
                        slow.unwrap_or_default(),
                        "",
                    );
                }
                Ok(())
            }
            Deed::CreateJobs { jobs } => {
                for job in jobs {
                    self.can_be_addressed(&job.reference);
                    let key = &job.reference.key;
                    if let Some(refusal) = self.refuses(identity, "create", key) {
                        return Err(refusal);
                    }
                    if self.objects.contains_key(key) {
                        continue;
                    }
                    self.effects.created.push(key.name.clone());
                    let script = self
                        .effects
                        .jobs
                        .iter_mut()
                        .find(|(start, _)| key.name.starts_with(start.as_str()));
                    let (takes, fails) = match script {
                        Some((_, script)) => {
                            let fails = script.fails > 0;
                            script.fails = script.fails.saturating_sub(1);
                            (script.takes, fails)
                        }
                        None => (Duration::ZERO, false),
                    };
                    let outcome = if fails { "fails" } else { "" };
                    self.store(key, job.owner.clone(), takes, outcome);
                }
                Ok(())
            }
            Deed::DeleteJobs { jobs } => {
                assert!(!jobs.is_empty(), "it deletes nothing");
                for (job, uid) in jobs {
                    if let Some(refusal) = self.refuses(identity, "delete", &job.key) {
                        return Err(refusal);
                    }
                    if self
                        .objects
                        .get(&job.key)
                        .is_some_and(|stored| stored.uid == *uid)
                    {
                        self.objects.remove(&job.key);
                        self.effects.deleted.push(job.key.name.clone());
                    }
                }
                Ok(())
            }
        }
    }

    fn store(&mut self, key: &ObjectKey, owner: Owner, takes: Duration, content: &str) {
        self.uids += 1;
        let (uid, ready_at) = (format!("uid-{}", self.uids), self.now.plus(takes));
        let stored = self
            .objects
            .entry(key.clone())
            .or_insert_with(|| Stored::foreign(&uid, ready_at));
        stored.version += 1;
        stored.owner = Some(owner);
        stored.ready_at = ready_at;
        content.clone_into(&mut stored.content);
    }

    /// Puts an object there that nobody's release knows.
    pub fn plant(&mut self, kind: &str, name: &str) -> ObjectKey {
        let key = ObjectKey {
            name: name.into(),
            kind: kind.into(),
            namespace: Some(NAMESPACE.into()),
            group: match kind {
                "Job" => "batch".into(),
                "Deployment" => "apps".into(),
                _ => String::new(),
            },
        };
        let nobody = Owner {
            namespace: String::new(),
            name: String::new(),
        };
        self.store(&key, nobody, Duration::ZERO, "");
        key
    }
}

fn ours() -> Owner {
    Owner {
        namespace: NAMESPACE.into(),
        name: "shop".into(),
    }
}
