//! The reconcile core: a pure function from a picture of the cluster to a plan.
//!
//! [`reconcile`] looks at an [`Observation`](observation::Observation) and answers with a
//! [`Plan`](plan::Plan). It has no clock, no random source, no IO and no memory of its own: what its
//! Cargo.toml cannot name it cannot do.

pub mod decide;
pub mod failure;
pub mod few;
pub mod identity;
pub mod judge;
pub mod kubeconfig;
pub mod manifest;
pub mod names;
pub mod object;
pub mod observation;
pub mod plan;
pub mod rights;
pub mod spec;
pub mod time;
pub mod waves;

pub use decide::{Lacking, lacking, lacking_to_tear_down, reconcile};
