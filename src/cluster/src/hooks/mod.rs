//! Requests of http actions: to hosts that the operator allows, from addresses that the policy
//! allows, on every hop, with bounded time, size and redirects; what holds Secret material goes to
//! no other host (A18, A19).
//!
//! - [`hosts`] which hosts those are;
//! - [`send`] the production implementation of [`Hooks`].

mod hosts;
mod send;

use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use stageset_core::failure::Failure;
use stageset_core::spec::Method;

pub use hosts::{AllowedHosts, InvalidHost};
pub use send::HttpHooks;

/// A request as it is sent. Has no `Debug`: it may hold Secret values (A21).
#[derive(Clone, PartialEq, Eq)]
pub struct HookCall {
    /// http or https.
    pub url: String,
    /// Method.
    pub method: Method,
    /// Headers from Secrets: name and value.
    pub headers: Vec<(String, Vec<u8>)>,
    /// `Idempotency-Key`: the same for all attempts at one completion.
    pub idempotency_key: String,
    /// Body.
    pub body: Option<Bytes>,
    /// Whether any of it is from a Secret.
    pub holds_secrets: bool,
    /// What counts as success; empty = any 2xx.
    pub expected: Vec<u16>,
    /// Bound of the whole exchange, redirects included.
    pub timeout: Duration,
}

/// Where requests of http actions go.
pub trait Hooks: Send + Sync {
    /// Sends one, and judges the answer. Ends within the call's timeout, whatever the other side does.
    ///
    /// A refused host or address, and 4xx other than 408 and 429, are
    /// [`Terminal`](stageset_core::failure::FailureClass); everything else that isn't expected is
    /// `Transient`. No message holds anything of a Secret, nor of an answer to one.
    fn send(&self, call: HookCall) -> BoxFuture<'_, Result<(), Failure>>;
}
