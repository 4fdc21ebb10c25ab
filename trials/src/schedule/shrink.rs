//! From a failing schedule to a short one: events are left out as long as the same property breaks.

use super::Schedule;
use crate::event::Event;

/// Most runs that shrinking may cost.
const MOST: usize = 3000;

/// The shortest schedule found for which `breaks` still says yes. First whole halves are left out,
/// then quarters, down to single events; then the rest of the break is cut off.
pub fn shrink(schedule: &Schedule, mut breaks: impl FnMut(&Schedule) -> bool) -> Schedule {
    let mut best = schedule.clone();
    let mut runs = 0;
    let mut chunk = best.events.len().div_ceil(2).max(1);
    loop {
        let mut start = 0;
        let mut shorter = false;
        while start < best.events.len() && runs < MOST {
            let end = (start + chunk).min(best.events.len());
            let mut events: Vec<(u64, Event)> = best.events.clone();
            events.drain(start..end);
            let tried = Schedule {
                events,
                ..best.clone()
            };
            runs += 1;
            if breaks(&tried) {
                best = tried;
                shorter = true;
            } else {
                start = end;
            }
        }
        if runs >= MOST || (chunk == 1 && !shorter) {
            break;
        }
        if !shorter {
            chunk = chunk.div_ceil(2);
        }
    }
    for boundaries in [0, 5, 10, 20, 30, 40, 60, 80, 100, 120] {
        if boundaries >= best.setup.boundaries {
            break;
        }
        let mut tried = best.clone();
        tried.setup.boundaries = boundaries;
        if breaks(&tried) {
            best = tried;
            break;
        }
    }
    best
}
