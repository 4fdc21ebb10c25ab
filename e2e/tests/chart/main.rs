//! The Helm chart, rendered by helm and compared with what is written down about it. No cluster.
//!
//! `just chart` runs these. They need helm (`e2e/tools/build helm`).

mod flags;
mod modes;
mod objects;
mod rights;
mod snapshots;
mod values;
