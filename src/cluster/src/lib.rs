//! The driver and its ports: gathers what a plan asks for, carries out what it says, and is the only
//! room that speaks HTTP to an API server.
//!
//! - [`connection`] the HTTP stack, and the one layer that says as whom a request is made;
//! - [`requests`] the few requests that are ever made, and what their failures mean;
//! - [`artifacts`] downloads, and the addresses they may not go to;
//! - [`remote`] other clusters, each with a connection of its own;
//! - [`hooks`] the requests of http actions, and the hosts they may go to;
//! - [`gather`] a need becomes a fact, [`perform`] an operation becomes a write;
//! - [`abandoned`] inventories whose StageSet vanished;
//! - [`session`] one StageSet's memory and the loop over gather, decide, perform;
//! - [`ports`] everything that a session is given from outside, [`observe`] what it tells of itself,
//!   [`spans`] what a trace shows of it;
//! - [`pool`] equal values, kept once; [`stored`] objects between two looks at them; [`packed`] texts that
//!   nobody looks at;
//! - [`clock`] the time, real or simulated; [`fairness`] who may send next.

pub mod abandoned;
pub mod artifacts;
pub mod clock;
pub mod connection;
pub mod discovery;
pub mod fairness;
pub mod gather;
pub mod hooks;
pub mod observe;
mod packed;
pub mod perform;
pub mod pool;
pub mod ports;
pub mod records;
pub mod remote;
pub mod requests;
pub mod session;
pub mod spans;
pub mod stored;

pub use clock::Clock;
pub use connection::{Connection, RequestIdentity};
pub use discovery::Discovery;
pub use observe::{Observer, Outcome, Silent};
pub use ports::{Ports, Renderer, Settings, Watched, WatchedObjects};
pub use remote::Remotes;
pub use session::{End, Hint, Interests, Pass, Session, StageSetKey, Wake};
pub use stored::{Stored, is_newer};
