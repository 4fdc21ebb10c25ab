//! Downloads of artifacts: anonymous, bounded, and only from addresses that the policy allows.
//!
//! - [`policy`] which addresses those are;
//! - [`dial`] how anything outside is called;
//! - [`hop`] one request, and where its answer leads on;
//! - [`fetch`] the production implementation of [`ArtifactSource`];
//! - [`url`] what a URL may be, and where a redirect leads.

pub(crate) mod dial;
mod fetch;
pub(crate) mod hop;
mod policy;
pub(crate) mod url;

use bytes::Bytes;
use futures::future::BoxFuture;
use stageset_core::failure::Failure;

pub(crate) use dial::{Checked, Unresolved, system_resolver};
pub use dial::{NoTrust, Resolve};
pub use fetch::HttpArtifacts;
pub use policy::{AddressPolicy, InvalidRange, Purpose, RefusedAddress};
pub(crate) use url::odd_or_address;

/// Where artifacts come from.
pub trait ArtifactSource: Send + Sync {
    /// Downloads at most `limit` bytes from `url`, anonymously. The caller checks the digest.
    ///
    /// A refused address, scheme or size is [`Terminal`](stageset_core::failure::FailureClass), a
    /// network failure or any other status than 200 is `Transient`.
    fn fetch<'a>(&'a self, url: &'a str, limit: u64) -> BoxFuture<'a, Result<Bytes, Failure>>;
}
