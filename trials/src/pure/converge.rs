//! The second act: faults end, the release has to converge within a bound, and then to rest.

use std::time::Duration;

use stageset_core::time::Timestamp;

use super::Run;
use super::process::Process;
use crate::advice::advice;
use crate::event::{Event, Offer, Standing};
use crate::log::What;
use crate::property::Violation;
use crate::property::rest;
use crate::schedule::Schedule;
use crate::setup::{Feature, Flavour, INTERVAL_SECONDS, MAX_TEARDOWN_SECONDS, Variant};

/// It has so much time to converge.
const BOUND: Duration = Duration::from_secs(2 * 3600);
/// And so many requests.
const MOST_REQUESTS: u64 = 4000;
/// So often somebody does what the condition says.
const MOST_ASKED: u32 = 10;

impl Run<'_> {
    /// Faults end, and whoever broke something mends it. What stands in the way of a deletion may
    /// stay: it must end all the same.
    pub(super) fn heal(&mut self, schedule: &Schedule) -> Result<(), Violation> {
        self.faults = false;
        let deleting = self
            .server
            .stage_set
            .as_ref()
            .is_none_or(|stage_set| stage_set.deletion.is_some());
        let now = self.server.now;
        self.processes.truncate(1);
        if let Some(process) = self.processes.first_mut().and_then(Option::as_mut) {
            process.skew = 0;
            process.lag_until = now;
            process.paused_until = now;
            // A lagging watch may have shown it an old state for good: it goes on by itself.
        }
        self.log_world(What::Healed)?;
        if !(deleting && schedule.setup.obstinate) {
            self.heal_target(schedule)?;
        }
        Ok(())
    }

    fn heal_target(&mut self, schedule: &Schedule) -> Result<(), Violation> {
        let setup = &schedule.setup;
        for event in [
            Event::Grant,
            Event::AllowDeletes,
            Event::Accept,
            Event::MendWorkloads,
            Event::Release,
            Event::Deaf(0),
            Event::Dependency(Standing::Ready),
        ] {
            self.happen(&event, None)?;
        }
        for stage in (0..setup.stages).filter(|_| setup.has(Feature::Gates)) {
            self.happen(&Event::Gate(stage, true), None)?;
        }
        for stored in self.server.objects.values_mut() {
            stored.closed = false;
        }
        if self.server.level.is_none() {
            self.happen(&Event::Variable(Some(0)), None)?;
        }
        self.server.fights.clear();
        for account in setup.account_names() {
            if !self.server.accounts.contains_key(account) {
                self.happen(&Event::RecreateAccount(account.to_owned()), None)?;
            }
        }
        let last = self.server.revisions.values().max().copied().unwrap_or(1);
        for source in setup.sources() {
            let own = self.server.revisions.get(source).copied().unwrap_or(1);
            // Stages that build on each other are healed to one revision: a definition that left one
            // stage while another still needs it would be the user's contradiction, not a fault.
            let revision = if setup.flavour == Flavour::Platform {
                last
            } else {
                own
            };
            if self.server.sources.get(source) != Some(&Offer::Revision(revision)) {
                self.happen(
                    &Event::Source(source.to_owned(), Offer::Revision(revision)),
                    None,
                )?;
            }
        }
        let variant = &self.server.variant;
        let mended = Variant {
            suspended: false,
            invalid: false,
            ..if setup.flavour == Flavour::Platform {
                Variant {
                    unpruned: variant.unpruned,
                    ..Variant::default()
                }
            } else {
                variant.clone()
            }
        };
        if mended != self.server.variant {
            self.server.variant = mended;
            for hint in self.server.respec() {
                for process in self.processes.iter_mut().flatten() {
                    process.tell(&hint);
                }
            }
        }
        Ok(())
    }

    /// Until nothing is missing; the violation says what still is.
    pub(super) fn converge(&mut self, schedule: &Schedule) -> Result<(), Violation> {
        let deletion = self
            .server
            .stage_set
            .as_ref()
            .and_then(|stage_set| stage_set.deletion);
        let bound = self.server.now.plus(match deletion {
            Some(_) => Duration::from_secs(MAX_TEARDOWN_SECONDS + 900),
            None => BOUND,
        });
        let patience = self.server.now.plus(BOUND / 2);
        let most = self.requests + MOST_REQUESTS;
        loop {
            let busy = self.processes.iter().flatten().any(Process::is_busy);
            // What may stand still for a reason has no mark of its own: it is given time to get there.
            let waits = || {
                deletion.is_none()
                    && self.server.now < patience
                    && rest::excuse(&self.server).is_some()
            };
            if !busy && self.converged(schedule).is_ok() && !waits() {
                return Ok(());
            }
            if !busy && self.person_obeys()? {
                continue;
            }
            if self.requests > most || !self.step(bound)? {
                let Err(missing) = self.converged(schedule) else {
                    return Ok(());
                };
                let spent = if self.requests > most {
                    format!("after {MOST_REQUESTS} requests without a fault")
                } else {
                    "long after the last fault".to_owned()
                };
                return Err(Violation {
                    property: if deletion.is_some() { "L3" } else { "L1" },
                    said: format!("{spent}: {missing}"),
                });
            }
        }
    }

    /// What the condition tells a person to do, somebody does.
    fn person_obeys(&mut self) -> Result<bool, Violation> {
        let (Some(advice), Some(stage_set)) = (advice(&self.server), &self.server.stage_set) else {
            return Ok(false);
        };
        let handled = stage_set.requested == stage_set.status.last_handled_reconcile_at;
        if (advice == Event::Request && !handled) || self.asked >= MOST_ASKED {
            return Ok(false);
        }
        self.asked += 1;
        self.happen(&advice, None)?;
        Ok(true)
    }

    fn converged(&self, schedule: &Schedule) -> Result<(), String> {
        let deletion = self
            .server
            .stage_set
            .as_ref()
            .and_then(|stage_set| stage_set.deletion);
        if deletion.is_some() || self.server.stage_set.is_none() {
            // The event that tells of it may not have arrived.
            let forced = schedule.setup.obstinate
                || self.server.overdue
                || self
                    .server
                    .told
                    .iter()
                    .any(|reason| reason == "TeardownForced");
            return rest::gone(&self.server, &self.excused, forced);
        }
        rest::missing(&self.server, &self.excused)
    }

    /// At rest: no write, few requests, an empty plan; and the same after a restart.
    pub(super) fn rest(&mut self) -> Result<(), Violation> {
        // What a second leader left half recorded is put right with the next tick.
        let tick = Duration::from_secs(INTERVAL_SECONDS + 40);
        self.until(self.server.now.plus(tick))?;
        for restarted in [false, true] {
            if restarted {
                let now = self.server.now;
                if let Some(process) = self.processes.first_mut().and_then(Option::as_mut) {
                    process.crash(now);
                }
                self.until(now.plus(Duration::from_secs(60)))?;
            }
            let (effects, requests) = (self.effects, self.requests);
            let end = self.server.now.plus(tick);
            let intervals = tick.as_secs() / self.server.setup.tick_seconds();
            self.until(end)?;
            if self.effects != effects {
                return Err(Violation {
                    property: "L1",
                    said: format!(
                        "{} write(s) although everything was as desired{}",
                        self.effects - effects,
                        if restarted { ", after a restart" } else { "" }
                    ),
                });
            }
            let objects = self.server.objects.len();
            let most = (intervals + 1)
                * rest::most_requests_at_rest(&self.server.setup, objects)
                // A refusal that only others can cure is tried again within a minute (K10).
                * if rest::excuse(&self.server).is_some() { 12 } else { 1 };
            let made = self.requests - requests;
            if made > most {
                return Err(Violation {
                    property: "L2",
                    said: format!(
                        "{made} requests in {intervals} intervals at rest, at most {most}"
                    ),
                });
            }
            self.plan_is_empty()?;
        }
        Ok(())
    }

    fn plan_is_empty(&self) -> Result<(), Violation> {
        let process = self.processes.first().and_then(Option::as_ref);
        if process.is_none_or(|process| process.idle) {
            return Ok(());
        }
        let plan = process.and_then(|process| process.last_plan.as_ref());
        Err(Violation {
            property: "L1",
            said: match plan {
                Some(plan) => format!("the plan isn't empty at rest:\n{plan}"),
                None => "the plan isn't empty at rest".to_owned(),
            },
        })
    }

    fn until(&mut self, end: Timestamp) -> Result<(), Violation> {
        while self.server.now < end && self.step(end)? {}
        // A pass that has begun comes to its end.
        while self.processes.iter().flatten().any(Process::is_busy) && self.step(end.plus(BOUND))? {
        }
        self.server.now = self.server.now.max(end);
        Ok(())
    }
}
