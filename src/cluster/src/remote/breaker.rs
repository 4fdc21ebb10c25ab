//! Leaves a server alone that doesn't answer, so that nobody waits for it for nothing.
//!
//! After three requests in a row without an answer no more are sent for a while; then a single one
//! is, and its end decides. The while doubles, up to a minute.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// So many in a row.
const FAILURES: u32 = 3;
/// The first pause.
const FIRST: Duration = Duration::from_secs(5);
/// The longest.
const LONGEST: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Requests without an answer since the last one with.
    failures: u32,
    /// Pauses since the last answer.
    pauses: u32,
    /// Nothing is sent before.
    until: Option<Instant>,
    /// The one request after a pause is under way.
    probing: bool,
}

/// The right to send one request; how it ended is to be told.
#[derive(Debug)]
pub(crate) struct Ticket<'a> {
    breaker: &'a Breaker,
    probe: bool,
    told: bool,
}

impl Breaker {
    /// The right to send, or how long to leave the server alone.
    pub(super) fn admit(&self) -> Result<Ticket<'_>, Duration> {
        let mut state = self.lock();
        let probe = match state.until {
            None => false,
            Some(until) => {
                let now = Instant::now();
                if now < until {
                    return Err(until - now);
                }
                if state.probing {
                    return Err(Duration::from_secs(1));
                }
                state.probing = true;
                true
            }
        };
        Ok(Ticket {
            breaker: self,
            probe,
            told: false,
        })
    }

    /// Whether nothing is sent for now.
    pub(super) fn is_open(&self) -> bool {
        self.lock().until.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket<'_> {
    /// The server answered, whatever it said.
    pub(crate) fn answered(mut self) {
        self.told = true;
        *self.breaker.lock() = State::default();
    }

    /// It didn't.
    pub(crate) fn unanswered(mut self) {
        self.told = true;
        let mut state = self.breaker.lock();
        if state.until.is_some() && !self.probe {
            // Sent before the pause began: it tells nothing new.
            return;
        }
        state.failures = state.failures.saturating_add(1);
        if self.probe || state.failures >= FAILURES {
            let doubled = FIRST * 2_u32.saturating_pow(state.pauses.min(8));
            state.until = Some(Instant::now() + doubled.min(LONGEST));
            state.pauses = state.pauses.saturating_add(1);
            state.probing = false;
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        // Nobody waited for the end: the next request finds out.
        if self.probe && !self.told {
            self.breaker.lock().probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(breaker: &Breaker) {
        breaker.admit().unwrap().unanswered();
    }

    #[tokio::test(start_paused = true)]
    async fn three_failures_open_it_and_one_answer_closes_it() {
        let breaker = Breaker::default();
        fail(&breaker);
        fail(&breaker);
        assert!(!breaker.is_open());
        fail(&breaker);
        assert_eq!(breaker.admit().unwrap_err(), Duration::from_secs(5));
        tokio::time::advance(Duration::from_secs(5)).await;
        let probe = breaker.admit().unwrap();
        assert!(breaker.admit().is_err(), "one at a time");
        probe.unanswered();
        assert_eq!(breaker.admit().unwrap_err(), Duration::from_secs(10));
        tokio::time::advance(Duration::from_secs(10)).await;
        breaker.admit().unwrap().answered();
        assert!(breaker.admit().is_ok() && !breaker.is_open());
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_are_bounded_and_those_under_way_do_not_lengthen_them() {
        let breaker = Breaker::default();
        let under_way: Vec<_> = (0..8).map(|_| breaker.admit().unwrap()).collect();
        under_way.into_iter().for_each(Ticket::unanswered);
        assert_eq!(breaker.admit().unwrap_err(), Duration::from_secs(5));
        for _ in 0..20 {
            tokio::time::advance(Duration::from_secs(60)).await;
            fail(&breaker);
        }
        assert_eq!(breaker.admit().unwrap_err(), LONGEST);
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_nobody_waited_for_is_made_again() {
        let breaker = Breaker::default();
        (0..3).for_each(|_| fail(&breaker));
        tokio::time::advance(FIRST).await;
        drop(breaker.admit().unwrap());
        assert!(breaker.admit().is_ok());
    }
}
