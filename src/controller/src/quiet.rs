//! When a StageSet has been left alone for so long that its memory is put away.
//!
//! Every pass that ends sets a term. A StageSet that hasn't run since is quiet when it ends; one that has
//! is found out by its later term. In a rollout passes follow one another closely, and putting everything
//! away in between would cost each of them a moment.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::queue::Key;

/// For this long nothing happened.
const QUIET: Duration = Duration::from_secs(10);

/// The terms, in the order in which they end.
#[derive(Debug, Default)]
pub(crate) struct Quiet(VecDeque<(Instant, Key)>);

impl Quiet {
    /// A pass has ended; returns when it will have been quiet since.
    pub(crate) fn rested(&mut self, key: &Key, now: Instant) -> Instant {
        let at = now + QUIET;
        self.0.push_back((at, key.clone()));
        at
    }

    /// Whose term has ended, and when it did.
    pub(crate) fn ended(&mut self, now: Instant) -> Option<(Instant, Key)> {
        self.0.pop_front_if(|(at, _)| *at <= now)
    }

    /// When the next one ends.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.0.front().map(|(at, _)| *at)
    }
}
