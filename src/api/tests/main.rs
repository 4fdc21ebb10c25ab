//! Promises about the generated CRDs.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod crds;
mod promises;
mod runbooks;
