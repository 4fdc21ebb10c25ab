//! The built binary, run as people run it.
#![expect(clippy::unwrap_used, reason = "a test may stop where it can't go on")]

mod build;
mod command_line;
mod examples;
mod folder;
mod harness;
mod ledger;
mod live;
mod simulate;
mod why;
