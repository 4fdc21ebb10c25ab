//! Leader election on a Lease: of several replicas one reconciles.
//!
//! Times are client-go's: a lease lasts 15 s, its holder gives up 10 s after the last renewal that
//! it knows to have succeeded, and everybody tries every 2 s. No clock of another machine is
//! trusted: a lease counts as held until 15 s after *this* process saw it change. Writes carry the
//! resourceVersion that was read, so of two that try at once the API server lets one through.
//!
//! [`election`] decides, without IO; [`campaign`] carries it out.

use std::time::Duration;

mod campaign;
mod election;
mod lease;

pub use campaign::{Campaign, Leadership};
pub use election::{Election, Move, Seen};
pub use lease::{LeaseError, Leases, Record};

/// The times of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// How long a lease lasts without a renewal.
    pub lasts: Duration,
    /// How long after its last known renewal a holder stops acting; shorter than it lasts.
    pub renewed_within: Duration,
    /// Pause between two tries.
    pub tried_every: Duration,
}

impl Term {
    /// client-go's.
    pub const STANDARD: Self = Self {
        lasts: Duration::from_secs(15),
        renewed_within: Duration::from_secs(10),
        tried_every: Duration::from_secs(2),
    };
}
