//! The controller: watches, a timer queue, leader election, probes, metrics and logs around the
//! driver of `stageset-cluster`.
//!
//! A library with a thin binary, so that simulation runs the very loop that production runs.

pub mod abandoned;
mod change;
pub mod flags;
pub mod gate;
pub mod http;
pub mod interests;
pub mod leader;
mod leave;
pub mod logs;
pub mod metrics;
pub mod queue;
mod quiet;
pub mod report;
pub mod run;
pub mod start;
pub mod traces;
pub mod watch;
pub mod webhook;
mod work;

pub use flags::Options;
pub use run::{Candidate, Process, RunError, run};
