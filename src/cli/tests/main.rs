//! The built binary, run as people run it.

mod command_line;
mod examples;
mod folder;
mod harness;
mod simulate;
