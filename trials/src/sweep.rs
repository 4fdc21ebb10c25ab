//! Many seeds, on as many threads as asked for, up to a bound of seeds or of time.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::property::Violation;
use crate::schedule::{Level, Schedule};

/// What to sweep.
#[derive(Debug, Clone, Copy)]
pub struct Sweep {
    /// At which level.
    pub level: Level,
    /// The first seed.
    pub first: u64,
    /// How many seeds, at most.
    pub count: u64,
    /// For how long, at most.
    pub time: Option<Duration>,
    /// On how many threads.
    pub threads: usize,
    /// After how many failures to stop.
    pub failures: usize,
}

/// What came of it.
#[derive(Debug)]
pub struct Swept {
    /// How many seeds were run to their end.
    pub runs: u64,
    /// How many requests they made.
    pub requests: u64,
    /// How many events happened.
    pub events: u64,
    /// How long it took.
    pub took: Duration,
    /// Seeds that broke a promise, in their order.
    pub failures: Vec<(u64, Violation)>,
}

/// Runs a schedule at a level.
pub fn run(schedule: &Schedule, level: Level, keep: bool) -> crate::Outcome {
    match level {
        Level::Core => crate::pure::run(schedule, keep),
        Level::Wire => crate::wire::run(schedule, keep),
    }
}

impl Sweep {
    /// Runs seeds from the first one on. `each` is told of every failure as it is found.
    pub fn run(&self, each: &(impl Fn(u64, &Violation) + Sync)) -> Swept {
        let began = Instant::now();
        let next = AtomicU64::new(0);
        let (runs, requests, events) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        let stop = AtomicBool::new(false);
        let failures = Mutex::new(Vec::new());
        let work = || {
            while !stop.load(Ordering::Relaxed) {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let late = self.time.is_some_and(|time| began.elapsed() >= time);
                if number >= self.count || late {
                    break;
                }
                let seed = self.first.wrapping_add(number);
                let outcome = run(&Schedule::draw(seed, self.level), self.level, false);
                runs.fetch_add(1, Ordering::Relaxed);
                requests.fetch_add(outcome.requests, Ordering::Relaxed);
                events.fetch_add(outcome.events, Ordering::Relaxed);
                if let Some(violation) = outcome.violation {
                    each(seed, &violation);
                    let mut found = failures
                        .lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner);
                    found.push((seed, violation));
                    if found.len() >= self.failures {
                        stop.store(true, Ordering::Relaxed);
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.threads.max(1) {
                scope.spawn(work);
            }
            work();
        });
        let mut failures = failures
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        failures.sort_by_key(|(seed, _)| *seed);
        Swept {
            runs: runs.into_inner(),
            requests: requests.into_inner(),
            events: events.into_inner(),
            took: began.elapsed(),
            failures,
        }
    }
}
