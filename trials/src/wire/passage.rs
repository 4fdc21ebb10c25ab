//! How anything of a process gets out: it may stand still, die, or be dead already; every way out is a
//! boundary, at which events happen.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stageset_core::time::Timestamp;

use super::stage::{Faults, Stage};
use crate::event::Event;

/// One life of a process.
#[derive(Clone)]
pub(super) struct Passage {
    pub(super) stage: Arc<Mutex<Stage>>,
    pub(super) process: usize,
    pub(super) life: u32,
}

impl Passage {
    pub(super) fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the process moves, and lets happen what is to happen at this boundary. Says since
    /// when the request was on its way. A dead process gets no further.
    pub(super) async fn begin(&self) -> (Timestamp, Faults) {
        let began = self.stage().now();
        loop {
            let pause = self.stage().pause(self.process);
            if pause.is_zero() {
                break;
            }
            tokio::time::sleep(pause).await;
        }
        let faults = self.stage().boundary_events();
        if self.is_dead() {
            return std::future::pending().await;
        }
        (began, faults)
    }

    /// An answer that comes late; what happens meanwhile.
    pub(super) async fn finish(&self, late: u64, meanwhile: &[Event]) {
        if late > 0 {
            tokio::time::sleep(Duration::from_secs(late)).await;
            let mut stage = self.stage();
            // What hadn't happened when faults ended doesn't happen any more.
            if stage.faults {
                for event in meanwhile {
                    stage.happen(event);
                }
            }
        }
    }

    fn is_dead(&self) -> bool {
        self.stage().lives.get(self.process) != Some(&self.life)
    }

    /// The process dies with this request under way: nothing of it is ever heard.
    pub(super) async fn die<T>(&self) -> T {
        self.stage().kill(self.process);
        std::future::pending().await
    }
}
