//! A schedule: what a run begins with, and everything that will happen to it. Drawn from a seed, or
//! read from a replay file; a run looks at nothing else.

mod draw;
mod file;
mod shrink;

pub use file::{FileError, VERSION, read, write};
pub use shrink::shrink;

use crate::event::Event;
use crate::random::Random;
use crate::setup::Setup;

/// Where a schedule runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The pure core against a world in memory.
    Core,
    /// The production loop and adapter on the simulated API server.
    Wire,
}

impl Level {
    /// As written in files and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Wire => "wire",
        }
    }
}

/// Everything that a run rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// What decides the rest: order of two processes, uids.
    pub seed: u64,
    /// What it begins with.
    pub setup: Setup,
    /// Events by boundary, in order.
    pub events: Vec<(u64, Event)>,
}

impl Schedule {
    /// The schedule of a seed at a level.
    pub fn draw(seed: u64, level: Level) -> Self {
        let random = Random::new(seed);
        let mut setup = Setup::draw(&mut random.child(1), level);
        setup.draw_late(&mut random.child(4), level);
        Self::with(seed, setup, &random, level)
    }

    /// The same as seeds were drawn before some features came ([`Setup::draw_late`]): what they broke then
    /// is tried by tests.
    pub fn draw_early(seed: u64, level: Level) -> Self {
        let random = Random::new(seed);
        let setup = Setup::draw(&mut random.child(1), level);
        Self::with(seed, setup, &random, level)
    }

    fn with(seed: u64, mut setup: Setup, random: &Random, level: Level) -> Self {
        let events = draw::events(&setup, random, level);
        setup.alone &= !events
            .iter()
            .any(|(_, event)| *event == Event::SecondLeader);
        Self {
            seed,
            setup,
            events,
        }
    }
}
