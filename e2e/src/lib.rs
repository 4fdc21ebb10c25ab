//! The real thing for tests: a Kubernetes control plane without containers, real sources, and the
//! built controller beside it.
//!
//! [`ControlPlane`] starts etcd, kube-apiserver and, as asked, controller-manager, scheduler, kwok
//! and Flux's source-controller as plain processes in one temporary folder. Dropping it stops them
//! all. The scenarios in `tests/` run the built `stageset-controller` against it as a
//! `ServiceAccount` with the chart's own rights, and read the API server's audit log afterwards.
//!
//! The programs are built from their Go modules by `e2e/tools/build`; [`tools`] finds them.

#[cfg(feature = "conformance")]
pub mod answers;
pub mod audit;
pub mod chart;
#[cfg(feature = "client")]
pub mod client;
pub mod control_plane;
pub mod controller;
pub mod deadline;
pub mod fixtures;
pub mod http;
pub mod kubeconfig;
pub mod kubectl;
pub mod pki;
pub mod process;
pub mod rules;
pub mod tools;

pub use control_plane::{ControlPlane, Options};
pub use kubectl::Kubectl;
