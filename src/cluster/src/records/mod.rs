//! The controller's own records between JSON and the core's types: pure, no requests.
//!
//! - [`stage_set`] a StageSet object as the core observes it;
//! - [`status`] its status, and the patch that writes one without touching what others wrote;
//! - [`ledger`] a StageLedger, read and written in the same way;
//! - [`inventory`] shards of inventories, and the writes that bring them to a new content without a
//!   moment in which an entry stands nowhere.

pub mod inventory;
pub mod ledger;
pub mod stage_set;
pub mod status;
