//! Level wire.
use crate::Outcome;
use crate::schedule::Schedule;

/// Runs a schedule.
pub fn run(schedule: &Schedule, keep: bool) -> Outcome {
    crate::pure::run(schedule, keep)
}
