//! The table against itself, against facts that are known of Kubernetes, and against a dump.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

#[path = "../generate/dump.rs"]
#[allow(dead_code, reason = "the generator uses all of it")]
mod dump;
#[path = "../generate/write.rs"]
mod write;

mod consistency;
mod drift;
mod facts;
