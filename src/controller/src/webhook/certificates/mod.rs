//! Where the webhook's certificate comes from, and how the API server comes to trust it.
//!
//! - [`issue`] makes an authority and a serving certificate;
//! - [`bundle`] adds an authority to the ones that a `caBundle` holds; pure;
//! - [`configuration`] reads and writes the bundle in the `ValidatingWebhookConfiguration`;
//! - [`self_signed`] puts the three together: publish, serve, renew;
//! - [`files`] is the other way: certificates that somebody else renews.

pub mod bundle;
pub mod configuration;
pub mod files;
pub mod issue;
pub mod self_signed;
