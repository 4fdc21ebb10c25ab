//! The contract of group `stages.metio.wtf/v1`: its kinds as types, its names, its reasons.
//!
//! Everything here is data. There is no client, no clock and no IO, and without features no
//! Kubernetes crate either, so the pure parts of the controller can depend on it. Feature `crd`
//! adds the JSON schemas and assembles the CustomResourceDefinitions (binary `generate-crds`).
//!
//! - [`stageset`] the spec, one file a topic; [`status`] its status.
//! - [`inventory`], [`ledger`] the two record kinds.
//! - [`read`] turns JSON into these types without giving up at the first fault.
//! - [`names`], [`reason`], [`condition`], [`duration`], [`object_meta`] what all kinds share.

#![allow(
    clippy::doc_markdown,
    reason = "field docs are the CRD's descriptions, which kubectl explain shows as plain text"
)]

pub mod choice;
pub mod condition;
#[cfg(feature = "crd")]
pub mod crd;
pub mod duration;
pub mod field;
pub mod inventory;
pub mod ledger;
pub mod names;
pub mod object_meta;
pub mod read;
pub mod reason;
pub mod stageset;
pub mod status;
pub mod time;
