//! The reconcile core: a pure function from a picture of the cluster to a plan.
//!
//! [`reconcile`](decide::reconcile) looks at an [`Observation`](observation::Observation) and answers
//! with a [`Plan`](plan::Plan). It has no clock, no random source, no IO and no memory of its own:
//! what its Cargo.toml cannot name it cannot do.

pub mod names;
pub mod spec;
