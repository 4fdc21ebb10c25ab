//! Trials: the operator against everything that can go wrong, from a seed.
//!
//! - [`schedule`] what a run begins with and what will happen to it, drawn from a seed (each run with
//!   its own mix) or read from a replay file; [`event`] the closed list of what can happen.
//! - [`property`] what must hold, one file a promise; [`log`] and [`scene`] are all they see.
//! - [`pure`] level core: the pure core against a world in memory; [`wire`] level wire: the production
//!   loop and adapter on the simulated API server.
//! - [`saboteurs`] deliberate bugs, each of which a promise must catch.
//!
//! See docs/trials.md for how to run, replay and extend them.

pub mod advice;
pub mod bench;
pub mod event;
pub mod log;
pub mod property;
pub mod pure;
pub mod random;
pub mod saboteurs;
pub mod scene;
pub mod schedule;
pub mod setup;
pub mod sweep;
pub mod table;
#[cfg(feature = "wire")]
pub mod wire;
#[cfg(not(feature = "wire"))]
#[path = "without_wire.rs"]
pub mod wire;

use log::Entry;
use property::Violation;

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    /// The first promise that was broken, if any.
    pub violation: Option<Violation>,
    /// How many requests were made.
    pub requests: u64,
    /// How many events happened.
    pub events: u64,
    /// Which, if it was asked for.
    pub happened: Vec<event::Event>,
    /// The log, if it was asked for.
    pub log: Vec<Entry>,
    /// Each step for a person: what happened, what was planned, what stands. If it was asked for.
    pub pictures: Vec<String>,
}
