//! The transport to a real API server: TLS by rustls, HTTP/2 where the server offers it (ALPN) and
//! HTTP/1.1 otherwise, credentials from the kube `Config`.
//!
//! Built here rather than with kube's own stack, which speaks HTTP/1.1 only, retries with jitter and
//! would make a pool for each client.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt as _;
use hyper_rustls::{FixedServerNameResolver, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use kube::client::{Body, ConfigExt as _};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt as _};

use super::{ApiService, ResponseBody};
use crate::artifacts::{AddressPolicy, Checked, Resolve};

/// Bound of a TCP connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The same for a remote cluster: shorter, since whoever waits for it holds a place.
const REMOTE_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection that has been silent this long is pinged, so that a dead one is noticed.
const PING_AFTER: Duration = Duration::from_secs(30);
/// A ping without an answer for this long ends the connection.
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// Why an API server can't be connected to.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig impersonates somebody itself.
    #[error(
        "the kubeconfig's user has as, as-uid, as-groups or as-user-extra: the controller sets impersonation \
         itself, for each request; remove them"
    )]
    ImpersonatesItself,
    /// A proxy.
    #[error(
        "the kubeconfig or environment names a proxy for the API server, which isn't supported"
    )]
    Proxy,
    /// TLS material or credentials that can't be used.
    #[error("the kubeconfig's TLS material or credentials can't be used: {0}")]
    Credentials(#[source] Box<kube::Error>),
    /// The TLS server name isn't one.
    #[error("tls-server-name {0:?} isn't a DNS name or IP address")]
    ServerName(String),
}

impl From<kube::Error> for ConnectError {
    fn from(error: kube::Error) -> Self {
        Self::Credentials(Box::new(error))
    }
}

/// How a remote server is dialled: over addresses that may be called, and no others (A18).
#[derive(Clone)]
pub(crate) struct Reach {
    pub(crate) policy: Arc<AddressPolicy>,
    pub(crate) resolve: Resolve,
}

/// One pool of connections to the server of a configuration.
pub(super) fn transport(config: &kube::Config) -> Result<ApiService, ConnectError> {
    over(config, HttpConnector::new(), CONNECT_TIMEOUT)
}

/// The same for a remote server.
pub(super) fn remote_transport(
    config: &kube::Config,
    reach: &Reach,
) -> Result<ApiService, ConnectError> {
    let checked = Checked {
        policy: Arc::clone(&reach.policy),
        resolve: Arc::clone(&reach.resolve),
    };
    over(
        config,
        HttpConnector::new_with_resolver(checked),
        REMOTE_CONNECT_TIMEOUT,
    )
}

fn over<R>(
    config: &kube::Config,
    mut tcp: HttpConnector<R>,
    connect_timeout: Duration,
) -> Result<ApiService, ConnectError>
where
    R: Service<Name, Error = std::io::Error> + Clone + Send + Sync + 'static,
    R::Response: Iterator<Item = std::net::SocketAddr>,
    R::Future: Send,
    HttpConnector<R>: Service<http::Uri, Response = TokioIo<tokio::net::TcpStream>>,
    <HttpConnector<R> as Service<http::Uri>>::Future: Send,
    <HttpConnector<R> as Service<http::Uri>>::Error: Into<BoxError>,
{
    let user = &config.auth_info;
    let impersonates = user.impersonate.is_some()
        || user.impersonate_uid.is_some()
        || user
            .impersonate_groups
            .as_ref()
            .is_some_and(|groups| !groups.is_empty())
        || user
            .impersonate_user_extra
            .as_ref()
            .is_some_and(|extra| !extra.is_empty());
    if impersonates {
        return Err(ConnectError::ImpersonatesItself);
    }
    if config.proxy_url.is_some() {
        return Err(ConnectError::Proxy);
    }
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(connect_timeout));
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(PING_AFTER));
    let mut tls = HttpsConnectorBuilder::new()
        .with_tls_config(config.rustls_client_config()?)
        .https_or_http();
    if let Some(name) = &config.tls_server_name {
        let name = rustls::pki_types::ServerName::try_from(name.clone())
            .map_err(|_| ConnectError::ServerName(name.clone()))?;
        tls = tls.with_server_name_resolver(FixedServerNameResolver::new(name));
    }
    let connector = tls.enable_all_versions().wrap_connector(tcp);
    let client: Client<_, Body> = Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .http2_keep_alive_interval(PING_AFTER)
        .http2_keep_alive_timeout(PING_TIMEOUT)
        .http2_keep_alive_while_idle(true)
        .http2_adaptive_window(true)
        .build(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .map_err(BoxError::from)
        .service(client);
    Ok(BoxCloneSyncService::new(
        service
            .map_response(|response: Response<hyper::body::Incoming>| response.map(boxed))
            .map_err(Into::into),
    ))
}

/// Any response body as one type.
pub(super) fn boxed<B>(body: B) -> ResponseBody
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    body.map_err(Into::into).boxed_unsync()
}
