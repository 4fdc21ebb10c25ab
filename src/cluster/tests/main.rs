//! The driver on the simulated API server: the production adapter, unchanged, on a paused clock.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests stop where they fail"
)]

mod actions;
mod attacks;
mod bad_references;
mod behind;
mod broken_connections;
mod delivery;
mod denials;
mod faults;
mod memory;
mod odd_objects;
mod promises;
mod remote;
mod remote_actions;
mod taking_over;
mod tenancy;
mod variables;
mod watching;
mod wire;
mod world;
