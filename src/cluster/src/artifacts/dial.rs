//! Dialling by name: what is called is what was checked, so that a name can't be one thing when checked
//! and another when called (A18).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use hyper_util::client::legacy::connect::dns::Name;
use tower::Service;

use super::AddressPolicy;

/// Turns a host name into addresses.
pub type Resolve =
    Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// Resolves a name and hands out its addresses only if all of them may be called. What is dialled
/// is what was checked.
#[derive(Clone)]
pub(crate) struct Checked {
    pub(crate) policy: Arc<AddressPolicy>,
    pub(crate) resolve: Resolve,
}

impl Service<Name> for Checked {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let policy = Arc::clone(&self.policy);
        let addresses = (self.resolve)(name.as_str().to_owned());
        Box::pin(async move {
            let addresses = addresses.await?;
            for address in &addresses {
                policy.check(address.ip()).map_err(io::Error::other)?;
            }
            Ok(addresses.into_iter())
        })
    }
}
