//! How the world goes on: decisions, carried out, and the waits between them.

use std::time::Duration;

use stageset_core::failure::FailureClass;
use stageset_core::identity::Identity;
use stageset_core::plan::{Need, Next, Plan};
use stageset_core::reconcile;

use super::{World, check};

impl World {
    /// What the next turn is to do.
    pub fn foresee(&mut self) -> Plan {
        // Lent, not copied: a driver owns its memory too.
        let facts = std::mem::take(&mut self.facts);
        let mut observation = self.observation();
        observation.facts = facts;
        let plan = reconcile(&observation);
        self.facts = observation.facts;
        plan
    }

    /// One decision, carried out.
    pub fn turn(&mut self) -> Plan {
        self.turns = if self.turned_at == self.now {
            self.turns + 1
        } else {
            1
        };
        self.turned_at = self.now;
        let plan = self.foresee();
        assert!(
            self.turns < 300,
            "300 turns, and no time passes; now:\n{plan}"
        );
        check(&plan);
        if let Next::Hold { until, .. } = &plan.next {
            assert!(*until >= self.now, "it waits for what is over: {plan}");
        }
        for need in &plan.needs {
            let target = need.identity().map(Identity::target).cloned();
            self.at(&target.unwrap_or_default(), |world| world.gather(need));
            if self.dies() {
                return plan;
            }
        }
        'steps: for step in &plan.steps {
            let mut failed = false;
            for operation in step {
                failed |= !self.perform(operation);
                if self.dies() {
                    self.last_plan = Some(plan.clone());
                    return Plan {
                        next: Next::Again,
                        ..plan
                    };
                }
            }
            if failed {
                break 'steps;
            }
        }
        if plan.next == Next::Gone {
            self.gone = true;
        }
        self.last_plan = Some(plan.clone());
        plan
    }

    /// One decision, carried out, and then the wait that it asks for.
    pub fn turn_or_wait(&mut self) {
        if let Next::Hold { until, .. } = self.turn().next {
            self.now = until;
        }
    }

    /// Goes on until this is asked, and has it fail once; it is asked again, but only after a wait that says why.
    pub fn is_asked_again(&mut self, asked: impl Fn(&Need) -> bool, said: &str) {
        let place = loop {
            if let Some(place) = self.foresee().needs.iter().position(&asked) {
                break u64::try_from(place).unwrap();
            }
            self.turn_or_wait();
        };
        let class = FailureClass::Transient { retry_after: None };
        self.fault = Some((self.requests + place + 1, class));
        let _ = self.turn();
        let failed = self.now;
        loop {
            let plan = self.turn();
            if plan.needs.iter().any(&asked) {
                break;
            }
            if let Next::Hold { until, .. } = plan.next {
                assert!(plan.to_string().contains(said), "{plan}");
                self.now = until;
            }
        }
        assert!(self.now > failed, "asked again at once");
    }

    /// Turns until the plan rests; the rest is returned.
    pub fn pass(&mut self) -> Next {
        for _ in 0..500 {
            let plan = self.turn();
            if plan.next != Next::Again {
                return plan.next;
            }
        }
        panic!(
            "500 turns without a rest; last plan:\n{}",
            self.last_plan.as_ref().unwrap()
        );
    }

    /// Passes and waits until nothing is left to do before the next interval tick, or `bound` is over.
    pub fn settle(&mut self, bound: Duration) -> Next {
        let end = self.now.plus(bound);
        loop {
            let next = self.pass();
            match &next {
                Next::Hold { until, refresh, .. } if *until <= end => {
                    if *refresh && self.ready() == "True Succeeded" {
                        return next;
                    }
                    self.now = *until;
                    if *refresh {
                        self.refresh_before = self.now;
                    }
                }
                _ => return next,
            }
        }
    }

    /// Waits for the next interval tick, and for what comes of it.
    pub fn tick(&mut self) {
        self.now = self.now.plus(Duration::from_secs(1200));
        self.refresh_before = self.now;
        self.settle(Duration::from_secs(60));
    }
}
