//! `stagesetctl`: looks at releases, tries them on a simulated cluster, prints what would be done.
//!
//! - [`arguments`] the command line; [`error`] the exit codes.
//! - [`scenario`] a folder that describes a cluster, artifacts, StageSets and what happens when.
//! - [`simulation`] the production controller on a simulated cluster, in virtual time.
//! - [`timeline`] what happened, for people and as data (`stagesetctl simulate`).
//! - [`build`] what a folder builds (`stagesetctl build`).
//! - [`connection`] a cluster, as the caller; [`live`] commands on StageSets of it.
//! - [`why`] why a release stands still, and what would let it go on (`stagesetctl why`).
//! - [`plan`] what the next pass does, for review (`stagesetctl plan`).

pub mod arguments;
pub mod build;
pub mod connection;
pub mod error;
pub mod live;
pub mod plan;
pub mod scenario;
pub mod simulation;
pub mod timeline;
pub mod why;
