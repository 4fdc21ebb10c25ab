//! Receives the requests of http actions, and answers as it is told.

use std::collections::VecDeque;
use std::sync::Mutex;

use futures::future::BoxFuture;
use stageset_cluster::hooks::{HookCall, Hooks};
use stageset_core::failure::Failure;

#[derive(Default)]
pub(crate) struct Receiver {
    pub(crate) received: Mutex<Vec<HookCall>>,
    pub(crate) failures: Mutex<VecDeque<Failure>>,
}

impl Hooks for Receiver {
    fn send(&self, call: HookCall) -> BoxFuture<'_, Result<(), Failure>> {
        self.received.lock().unwrap().push(call);
        let failure = self.failures.lock().unwrap().pop_front();
        Box::pin(async move { failure.map_or(Ok(()), Err) })
    }
}
