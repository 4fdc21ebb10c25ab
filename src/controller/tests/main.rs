//! The production loop on the simulated cluster, on a paused clock.

mod behaviours;
mod canary;
mod certificates;
mod determinism;
mod endings;
mod fairness;
mod harness;
mod large;
mod leadership;
mod leaving;
mod news;
mod releases;
mod resilience;
mod side_by_side;
mod steady;
mod traces;
mod webhook;
