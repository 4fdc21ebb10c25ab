//! Scenarios on the simulated API server, most of them through the real `kube` client on a paused
//! clock.

mod apply;
mod client;
mod crud;
mod custom;
mod definitions;
mod fork;
mod garbage;
mod history;
#[cfg(feature = "serve")]
mod kubectl;
mod lifecycle;
mod lists;
mod namespaces;
mod registry;
#[cfg(feature = "serve")]
mod replay;
mod rights;
mod settled;
mod webhooks;
mod world;
