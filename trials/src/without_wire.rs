//! Level wire where it was left out of the build: refused, never taken for passed.

use crate::Outcome;
use crate::property::Violation;
use crate::saboteurs::Saboteur;
use crate::schedule::Schedule;

/// Says that level wire wasn't built.
pub fn run(_schedule: &Schedule, _keep: bool) -> Outcome {
    Outcome {
        violation: Some(Violation {
            property: "trial",
            said: "this build has level core only: build it with the feature `wire`".to_owned(),
        }),
        requests: 0,
        events: 0,
        happened: Vec::new(),
        log: Vec::new(),
        pictures: Vec::new(),
    }
}

/// Says that level wire wasn't built.
pub fn sabotaged(schedule: &Schedule, _saboteur: Saboteur) -> Outcome {
    run(schedule, false)
}

/// Says that level wire wasn't built.
pub fn rollout(schedule: &Schedule) -> Outcome {
    run(schedule, false)
}

/// Says that level wire wasn't built.
pub fn record(seed: u64) -> (Outcome, String) {
    let schedule = Schedule::draw(seed, crate::schedule::Level::Wire);
    (run(&schedule, false), String::new())
}
