//! Dialling out: no proxy, no credentials; each address is checked where it is dialled, so that a
//! name can't be one thing when checked and another when called (A18).

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioExecutor;
use tower::Service;

use super::{AddressPolicy, RefusedAddress};

/// Bound of a TCP connect.
const CONNECT: Duration = Duration::from_secs(10);

/// Turns a host name into addresses.
pub type Resolve =
    Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// No certificate authority could be found on this machine.
#[derive(Debug, thiserror::Error)]
#[error("no certificate authorities for artifact downloads over https: {0}")]
pub struct NoTrust(#[source] rustls::Error);

/// A host name that the resolver finds no address for. A type of its own, since what a resolver says is
/// the C library's text.
#[derive(Debug, thiserror::Error)]
#[error("the host name can't be resolved")]
pub(crate) struct Unresolved(#[source] io::Error);

/// The machine's own resolver.
pub(crate) fn system_resolver() -> Resolve {
    Arc::new(|host| {
        Box::pin(async move {
            let addresses = tokio::net::lookup_host((host, 0)).await?;
            Ok(addresses.collect())
        })
    })
}

/// A client that calls only what the policy allows.
pub(crate) type Dialler<B> = Client<HttpsConnector<HttpConnector<Checked>>, B>;

/// Makes one, with the machine's certificate authorities.
pub(crate) fn dialler<B>(
    policy: Arc<AddressPolicy>,
    resolve: Resolve,
) -> Result<Dialler<B>, NoTrust>
where
    B: hyper::body::Body + Send,
    B::Data: Send,
{
    let mut tcp = HttpConnector::new_with_resolver(Checked { policy, resolve });
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(CONNECT));
    let connector = HttpsConnectorBuilder::new()
        .try_with_platform_verifier()
        .map_err(NoTrust)?
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    // No connection outlives its request: the next one is checked anew.
    Ok(Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(0)
        .build(connector))
}

/// A refusal of ours somewhere in the chain, or else the chain in words.
pub(crate) fn refusal(error: &(dyn Error + 'static)) -> Result<RefusedAddress, String> {
    let mut texts = Vec::new();
    let mut link = Some(error);
    while let Some(error) = link {
        if let Some(refused) = error.downcast_ref::<RefusedAddress>() {
            return Ok(refused.clone());
        }
        // An io::Error shows its own inner error only here.
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        if let Some(refused) = inner.and_then(|inner| inner.downcast_ref::<RefusedAddress>()) {
            return Ok(refused.clone());
        }
        texts.push(error.to_string());
        link = error.source();
    }
    Err(texts.join(": "))
}

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
            let addresses = addresses
                .await
                .map_err(|error| io::Error::other(Unresolved(error)))?;
            for address in &addresses {
                policy.check(address.ip()).map_err(io::Error::other)?;
            }
            Ok(addresses.into_iter())
        })
    }
}
