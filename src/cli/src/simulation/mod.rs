//! The production controller on a simulated cluster, in virtual time.
//!
//! The loop, the driver and the adapter are those of production: the controller's own `run` is called
//! with ports that lead to the simulated API server through a door that authenticates as the
//! controller's ServiceAccount. Nothing here decides anything.
//!
//! The same folder gives the same output, byte for byte: one thread, tokio's paused clock, a fixed
//! seed, and builds in place.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use stageset_cluster::StageSetKey;

use crate::scenario::Scenario;
use crate::timeline::record::{Outcome, Record, Requests};

mod administrator;
mod artifacts;
mod cluster;
mod controller;
mod denial;
mod engine;
mod receiver;
mod report;
mod rights;
mod trace;

pub use trace::{Event, Happening, Trace};

/// How to run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Run exactly until this virtual time.
    pub until: Option<Duration>,
    /// Let the controller act as itself for StageSets without an account.
    pub single_tenant: bool,
}

/// Why a simulation can't go on.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// The simulated API server refuses something that the scenario itself does.
    #[error("{origin}: {attempt}: {message}")]
    Refused {
        /// Where the scenario says so.
        origin: String,
        /// What was tried.
        attempt: String,
        /// The API server's words.
        message: String,
    },
    /// Something that this program brings along is refused.
    #[error("preparing the simulated cluster: {0}")]
    BuiltIn(String),
    /// The simulated API server doesn't answer the administrator.
    #[error("reading the StageSets: {0}")]
    Lost(String),
    /// The controller ended by itself.
    #[error("the controller ended: {0}")]
    Controller(String),
    /// The runtime could not be made.
    #[error("starting the runtime: {0}")]
    Runtime(#[source] std::io::Error),
}

/// A finished simulation, told.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// What happened, in order.
    pub records: Vec<Record>,
    /// How it ended, by StageSet.
    pub outcomes: Vec<Outcome>,
    /// Requests by user.
    pub requests: BTreeMap<String, Requests>,
    /// The virtual time at the end, in seconds.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub ended: Duration,
}

fn seconds<S: serde::Serializer>(at: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(at.as_secs_f64())
}

/// A simulation as raw material for plans.
#[derive(Debug, Clone)]
pub struct Run {
    /// Everything that happened.
    pub events: Vec<Event>,
    /// Where in `events` the last change of the world stands; the plan begins there.
    pub reviewed_from: usize,
    /// The StageSets of the folder.
    pub stage_sets: Vec<StageSetKey>,
}

/// Runs a scenario and tells what happened.
///
/// # Errors
/// [`SimulationError`] when the scenario itself is refused, or the controller ends.
pub fn run(scenario: &Scenario, options: &Options) -> Result<Report, SimulationError> {
    engine::run(scenario, options).map(|finished| report::of(scenario, &finished))
}

/// Runs a scenario as raw material for the plan of its last change.
///
/// # Errors
/// As [`run`].
pub fn trace(scenario: &Scenario, options: &Options) -> Result<Run, SimulationError> {
    let finished = engine::run(scenario, options)?;
    Ok(Run {
        events: finished.events,
        reviewed_from: finished.last_step,
        stage_sets: report::keys(scenario),
    })
}
