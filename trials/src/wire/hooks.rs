//! Who gets the requests of http actions.

use std::time::Duration;

use futures::future::BoxFuture;
use stageset_cluster::hooks::{HookCall, Hooks};
use stageset_core::failure::{Failure, FailureClass};

use super::passage::Passage;
use super::stage::Faults;
use crate::event::Event;
use crate::log::{Act, Doing, Entry, What, Who};
use crate::setup::{STAGES, user};

/// The receiver, as one process reaches it.
pub(super) struct Receiver(pub(super) Passage);

impl Hooks for Receiver {
    fn send(&self, call: HookCall) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(async move {
            let answer = tokio::time::timeout(call.timeout, self.receive(&call)).await;
            answer.unwrap_or_else(|_| Err(failed(&call.url, "no answer in time")))
        })
    }
}

impl Receiver {
    async fn receive(&self, call: &HookCall) -> Result<(), Failure> {
        let passage = &self.0;
        let (began, faults) = passage.begin().await;
        let mut entry = self.entry(call, faults.number);
        entry.began = began;
        match &faults.fault {
            Some(Event::CrashBefore) => return passage.die().await,
            Some(Event::Fail(failing)) => {
                let said = format!("injected: {failing}");
                passage.stage().hold_against(entry);
                self.finish(faults, false).await;
                return Err(failed(&call.url, &said));
            }
            _ => {}
        }
        let refused = passage.stage().world.refuses_hooks();
        let lost = faults.fault == Some(Event::Lose);
        let crashes = faults.fault == Some(Event::CrashAfter);
        entry.code = if refused { 500 } else { 200 };
        entry.effect = !refused;
        let in_time = Duration::from_secs(faults.late) < call.timeout;
        entry.delivered = in_time && !lost && !crashes;
        passage.stage().hold_against(entry);
        self.finish(faults, crashes).await;
        if lost {
            Err(failed(&call.url, "the answer was lost"))
        } else if refused {
            Err(failed(&call.url, "500"))
        } else {
            Ok(())
        }
    }

    /// Waits for an answer that comes late. What has arrived goes its way, though nobody may wait any longer.
    async fn finish(&self, faults: Faults, crashes: bool) {
        let passage = self.0.clone();
        let answered = tokio::spawn(async move {
            passage.finish(faults.late, &faults.meanwhile).await;
            if crashes {
                passage.die::<()>().await;
            }
        });
        // The task is ended by nobody but the run's own end.
        let _ = answered.await;
    }

    /// Stage and action stand in the path.
    fn entry(&self, call: &HookCall, number: u64) -> Entry {
        let mut parts = call.url.rsplit('/');
        let action = parts.next().unwrap_or_default().to_owned();
        let name = parts.next().unwrap_or_default().to_owned();
        let stage = self.0.stage();
        let index = STAGES.iter().position(|stage| *stage == name);
        let world = &stage.world;
        let account = index.and_then(|index| world.setup.account_in(&world.variant, index));
        let key = index.map(|index| stage.world.completion_key(index, &action));
        Entry {
            number,
            at: stage.now(),
            began: stage.now(),
            process: self.0.process,
            life: self.0.life,
            // Requests to others carry nobody's name; they are the stage's account's business.
            who: match account {
                Some(account) => Who::User(user(account)),
                None if index.is_some_and(|index| stage.world.setup.is_controllers(index)) => {
                    Who::Controller
                }
                None => Who::Anonymous,
            },
            what: What::Act(Act {
                stage: name,
                action,
                key: key.unwrap_or_default(),
                doing: Doing::Send,
                kind: String::new(),
            }),
            code: 0,
            delivered: false,
            effect: false,
            versions: None,
            heard: None,
            abroad: false,
        }
    }
}

fn failed(url: &str, said: &str) -> Failure {
    let class = FailureClass::Transient { retry_after: None };
    Failure::new(class, format!("{url}: {said}"))
}
