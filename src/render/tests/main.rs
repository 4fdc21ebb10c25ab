//! The renderer from outside: archives, YAML, builds, and what the crate may depend on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests may panic"
)]

mod archive;
mod attack_a15;
mod attack_a16;
mod bounds;
mod budget;
mod build;
mod corpus;
mod coverage;
mod kustomize;
mod memory;
mod purity;
mod substitute;
mod unpack;
mod yaml;
