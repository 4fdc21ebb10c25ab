//! What time it is: the wall clock, or a simulated one that moves with tokio's (paused) clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use stageset_core::time::Timestamp;
use tokio::time::Instant;

/// A source of timestamps. Waits are tokio's own; this only names the points between them.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Simulated {
        /// In milliseconds, so that it can be set back under those who look at it.
        base: Arc<AtomicI64>,
        start: Instant,
    },
}

impl Clock {
    /// The wall clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// `base` now, moving with tokio's clock from here; on a paused runtime, only when that moves.
    pub fn simulated(base: Timestamp) -> Self {
        Self(Source::Simulated {
            base: Arc::new(AtomicI64::new(base.as_millis())),
            start: Instant::now(),
        })
    }

    /// Sets a simulated clock back, for everybody who holds it, as people and time servers do with the
    /// wall clock; that one isn't ours to set.
    pub fn set_back(&self, by: Duration) {
        if let Source::Simulated { base, .. } = &self.0 {
            let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
            base.fetch_sub(by, Ordering::Relaxed);
        }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => {
                let since = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default();
                Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
            Source::Simulated { base, start } => {
                Timestamp::from_millis(base.load(Ordering::Relaxed)).plus(start.elapsed())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn simulated_time_moves_with_the_paused_clock_only() {
        let base = Timestamp::from_millis(1_000);
        let clock = Clock::simulated(base);
        assert_eq!(clock.now(), base);
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert_eq!(clock.now(), base.plus(Duration::from_secs(3600)));
    }
}
