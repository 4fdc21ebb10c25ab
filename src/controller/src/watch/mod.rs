//! What the controller watches, and what it remembers of it.
//!
//! - [`resource`] what a watch is on, and the table of kinds that are watched as the controller;
//! - [`reflector`] one list-and-watch loop, which knows at every moment whether it is up to date;
//! - [`store`] what the watches as the controller have seen: answers instead of requests;
//! - [`inventories`] the names of all inventories, so that nobody has to ask whether there are any;
//! - [`engaged`] which of those watches run, [`standing`] what is missing and who is told, `notices`
//!   those that keep no objects;
//! - [`tenant`] metadata-only watches as tenants, which make an unchanged pass free (K17, K18), `kept`
//!   what they keep of an object.
//!
//! The reflector is ours rather than kube's `watcher`, because everything that a watch vouches for
//! rests on knowing whether it has *started*: kube's says nothing when a watch resumes after an
//! error, so a store behind it either trusts a watch that starves on a full connection (K16) or
//! trusts none.

pub mod backoff;
pub mod engaged;
pub mod inventories;
mod kept;
mod notices;
pub mod reflector;
pub mod resource;
pub mod standing;
pub mod store;
pub mod tenant;
