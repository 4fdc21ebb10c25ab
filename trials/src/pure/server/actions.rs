//! What actions look at and do.

use stageset_core::failure::FailureClass;
use stageset_core::identity::Identity;
use stageset_core::object::{ObjectKey, Owner, Reference};
use stageset_core::observation::{Answer as Seen, Attempt, Question};
use stageset_core::plan::Deed;

use super::super::call::{Answer, Refusal};
use super::super::tell::doing;
use super::{Readiness, Server, Stored, Trace, config_map, tenant_trace};
use crate::event::Workload;
use crate::log::{Act, What};
use crate::setup::{ANCHOR, NAME, NAMESPACE};

impl Server {
    /// What an action asks of an object.
    pub(super) fn look(
        &self,
        identity: &Identity,
        object: &Reference,
        question: &Question,
    ) -> (Result<Answer, Refusal>, Trace) {
        let key = &object.key;
        let result = match self.refused(identity, &["get"], key) {
            Some(refusal) => Err(refusal),
            None => Ok(Answer::Looked(self.seen(key, question))),
        };
        let trace = tenant_trace(identity, What::Look(key.clone()), &result, false);
        (result, trace)
    }

    fn seen(&self, key: &ObjectKey, question: &Question) -> Seen {
        let Some(stored) = self.objects.get(key) else {
            return Seen::Absent;
        };
        if stored.deleting.is_some() {
            return Seen::Going;
        }
        let uid = stored.uid.clone();
        let said = || "1 active".to_owned();
        match (question, stored.health) {
            (Question::Finished, _) if stored.owner.as_ref() != Some(&ours()) => Seen::Foreign,
            (Question::Exists, _) => Seen::Yes { uid },
            // Now it holds, now it doesn't: whoever waits meets both.
            (Question::Holds(_), _) if self.now.as_millis() / 1000 % 7 < 3 => {
                Seen::No { uid, said: said() }
            }
            (Question::Holds(_), _) => Seen::Yes { uid },
            (_, Readiness::At(at)) if self.now >= at => Seen::Yes { uid },
            (_, Readiness::Broken) => Seen::Never {
                uid,
                said: "BackoffLimitExceeded".to_owned(),
            },
            (_, Readiness::At(_) | Readiness::Never) => Seen::No { uid, said: said() },
        }
    }

    /// Carries out what an action does.
    pub(super) fn act(
        &mut self,
        identity: &Identity,
        attempt: &Attempt,
        deed: &Deed,
    ) -> (Result<Answer, Refusal>, Trace) {
        let (doing, kind) = doing(deed);
        let new = matches!(deed, Deed::Apply { objects } if objects.iter().any(|object| {
            !self.objects.contains_key(&object.reference.key)
        }));
        let refused = doing.verbs(new).iter().find(|verb| {
            let account = identity.local_account();
            account.is_some_and(|account| !self.may(account.as_str(), verb, kind))
        });
        let (result, effect) = match refused {
            Some(verb) => {
                let said = format!("cannot {verb} {kind}");
                (Err(Refusal::new(403, FailureClass::Denied, said)), false)
            }
            None => self.carry_out(deed),
        };
        let what = What::Act(Act {
            stage: attempt.stage.to_string(),
            action: attempt.action.clone(),
            key: attempt.key.clone(),
            doing,
            kind: kind.to_owned(),
        });
        let mut trace = tenant_trace(identity, what, &result, effect);
        if new && result.is_ok() {
            trace.code = 201;
        }
        (result, trace)
    }

    /// How it ended, and whether anything came of it.
    fn carry_out(&mut self, deed: &Deed) -> (Result<Answer, Refusal>, bool) {
        let mut effect = false;
        match deed {
            Deed::Http { .. } => {
                if self.deaf > 0 {
                    self.deaf -= 1;
                    let class = FailureClass::Transient { retry_after: None };
                    return (
                        Err(Refusal::new(500, class, "the receiver answered 500")),
                        false,
                    );
                }
                effect = true;
            }
            Deed::Patch { .. } => {
                let version = self.bump();
                let Some(stored) = self.objects.get_mut(&config_map(ANCHOR)) else {
                    let said = "configmaps \"anchor\" not found";
                    return (Err(Refusal::new(404, FailureClass::Terminal, said)), false);
                };
                stored.version = version;
                effect = true;
            }
            Deed::Delete { object, uid, .. } => {
                let found = self.objects.get(&object.key);
                if found.is_some_and(|stored| stored.uid == *uid) {
                    self.remove(&object.key);
                    effect = true;
                }
            }
            Deed::Apply { objects } => {
                for object in objects {
                    self.make(&object.reference.key);
                    effect = true;
                }
            }
            Deed::CreateJobs { jobs } => {
                for job in jobs {
                    if !self.objects.contains_key(&job.reference.key) {
                        self.make(&job.reference.key);
                        effect = true;
                    }
                }
            }
            Deed::DeleteJobs { jobs } => {
                for (job, uid) in jobs {
                    let found = self.objects.get(&job.key);
                    if found.is_some_and(|stored| stored.uid == *uid) {
                        self.remove(&job.key);
                        effect = true;
                    }
                }
            }
        }
        (Ok(Answer::Done), effect)
    }

    /// An object of an action, with our labels and in no inventory.
    fn make(&mut self, key: &ObjectKey) {
        let health = match self.workloads.get(&key.kind) {
            Some(Workload::Hang) => Readiness::Never,
            Some(Workload::Broken) => Readiness::Broken,
            Some(Workload::Slow(seconds)) => self.ready_in(*seconds),
            None if key.kind == "Job" => self.ready_in(self.setup.slow.min(30)),
            None => Readiness::At(self.now),
        };
        let (uid, version) = (self.uid(), self.bump());
        let stood = self.objects.remove(key);
        let stored = Stored {
            owner: Some(ours()),
            health,
            ..Stored::foreign(
                stood.map_or(uid, |stood| stood.uid),
                version,
                "action",
                self.now,
            )
        };
        self.objects.insert(key.clone(), stored);
    }
}

fn ours() -> Owner {
    Owner {
        namespace: NAMESPACE.into(),
        name: NAME.into(),
    }
}
