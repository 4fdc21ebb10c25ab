//! Who receives the requests of http actions in a simulation: somebody who is content with all.

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use stageset_cluster::hooks::{HookCall, Hooks};
use stageset_core::failure::Failure;

/// Nothing leaves the process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Receiver;

impl Hooks for Receiver {
    fn send(&self, _call: HookCall) -> BoxFuture<'_, Result<(), Failure>> {
        ready(Ok(())).boxed()
    }
}
