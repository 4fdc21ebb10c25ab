//! The pure judges: the only code of the core that reads the bodies of objects.
//!
//! - [`cel`] evaluates users' expressions about an object, within bounds;
//! - [`live`] reduces a live object to what decisions rest on;
//! - [`health`] says how ready it is, by the kstatus rules;
//! - [`drift`] says which fields differ between a live object and what a dry run would make of it, and
//!   `writers` who made them differ;
//! - [`takeover`] says whose fields become ours with the first apply.

pub mod cel;
pub mod drift;
pub mod health;
pub mod live;
mod managed;
pub mod takeover;
mod writers;
