//! Downloads of artifacts: anonymous, bounded, and only from addresses that the policy allows.
//!
//! - [`policy`] which addresses those are;
//! - [`fetch`] the production implementation of [`ArtifactSource`];
//! - [`url`] what a URL may be, and where a redirect leads.

mod fetch;
mod policy;
mod url;

use bytes::Bytes;
use futures::future::BoxFuture;
use stageset_core::failure::Failure;

pub use fetch::{HttpArtifacts, NoTrust, Resolve};
pub use policy::{AddressPolicy, InvalidRange, RefusedAddress};

/// Where artifacts come from.
pub trait ArtifactSource: Send + Sync {
    /// Downloads at most `limit` bytes from `url`, anonymously. The caller checks the digest.
    ///
    /// A refused address, scheme or size is [`Terminal`](stageset_core::failure::FailureClass), a
    /// network failure or any other status than 200 is `Transient`.
    fn fetch<'a>(&'a self, url: &'a str, limit: u64) -> BoxFuture<'a, Result<Bytes, Failure>>;
}
