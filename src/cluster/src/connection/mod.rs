//! One API server: its HTTP stack, with the identity layer on top.

mod identity;

pub use identity::RequestIdentity;

/// A connection to one API server with one credential. Cheap to clone.
#[derive(Clone)]
pub struct Connection {}
