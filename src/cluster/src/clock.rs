//! What time it is: the wall clock, or a simulated one that moves with tokio's (paused) clock.

use std::time::{SystemTime, UNIX_EPOCH};

use stageset_core::time::Timestamp;
use tokio::time::Instant;

/// A source of timestamps. Waits are tokio's own; this only names the points between them.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Simulated { base: Timestamp, start: Instant },
}

impl Clock {
    /// The wall clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// `base` now, moving with tokio's clock from here; on a paused runtime, only when that moves.
    pub fn simulated(base: Timestamp) -> Self {
        Self(Source::Simulated {
            base,
            start: Instant::now(),
        })
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
            Source::Simulated { base, start } => base.plus(start.elapsed()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
