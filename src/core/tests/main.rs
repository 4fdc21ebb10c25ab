//! Promises of the decision, tried on a cluster in a map.

mod world;

mod actions;
mod bad_input;
mod builds;
mod checks;
mod conflicts;
mod deletion;
mod dependencies;
mod faults;
mod foreign;
mod gaps;
mod inventories;
mod order;
mod phases;
mod preflight;
mod pruning;
mod races;
mod readiness;
mod recreation;
mod releases;
mod remote;
mod tenancy;
mod variables;
mod waiting;
