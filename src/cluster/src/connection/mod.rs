//! One API server: its HTTP stack, with the identity layer on top.
//!
//! - [`identity`] the one layer that says as whom;
//! - [`stack`] TLS, HTTP/2, credentials, from a kube `Config`;
//! - [`watches`] watches, apart from requests (K16), `events` what they tell.
//!
//! A connection belongs to one API server and one credential (I7); tenants share it, since their
//! identity is a header on each request. The simulator plugs in under the very same layer with
//! [`Connection::from_service`].

mod counted;
mod events;
mod identity;
mod stack;
mod watches;

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use kube::client::Body;
use stageset_core::identity::{Remote, Target};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer as _, Service, ServiceExt as _};

pub use counted::Count;
pub use events::{Events, WatchFailure};
pub use identity::{IMPERSONATE_USER, IdentityLayer, NotSent, RequestIdentity};
pub use stack::ConnectError;
pub(crate) use stack::Reach;
pub use watches::WatchClient;

use watches::WatchPools;

/// A service that sends identified requests.
pub(crate) type ApiService = BoxCloneSyncService<Request<Body>, Response<ResponseBody>, BoxError>;
/// The body of an answer.
pub(crate) type ResponseBody = UnsyncBoxBody<Bytes, BoxError>;

/// A connection to one API server with one credential. Cheap to clone.
#[derive(Clone)]
pub struct Connection {
    requests: ApiService,
    watches: Arc<WatchPools>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects to what a kubeconfig or the pod's own account names. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ConnectError`] if the configuration asks for something that isn't supported (a proxy,
    /// impersonation of its own), or its TLS material can't be used.
    pub fn from_config(config: &kube::Config) -> Result<Self, ConnectError> {
        let requests = stack::transport(config)?;
        let config = config.clone();
        // A configuration that has worked once works again: the pools differ in nothing else.
        let watches = move || Ok(identified(stack::transport(&config)?, &Target::Local));
        Ok(Self {
            requests: identified(requests, &Target::Local),
            watches: Arc::new(WatchPools::new(watches)),
        })
    }

    /// Connects to a remote cluster, for requests that are meant for it and for no others.
    pub(crate) fn to_remote(
        config: &kube::Config,
        reach: Reach,
        remote: &Arc<Remote>,
    ) -> Result<Self, ConnectError> {
        let side = Target::Remote(Arc::clone(remote));
        let requests = identified(stack::remote_transport(config, &reach)?, &side);
        let config = config.clone();
        let watches = move || Ok(identified(stack::remote_transport(&config, &reach)?, &side));
        Ok(Self {
            requests,
            watches: Arc::new(WatchPools::new(watches)),
        })
    }

    /// Sends to a service instead of a socket: the simulator's door, or a test's.
    pub fn from_service<S, B>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self::from_service_at(service, &Target::Local)
    }

    /// The same for a cluster: requests meant for another aren't sent.
    pub fn from_service_at<S, B>(service: S, side: &Target) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let transport = BoxCloneSyncService::new(
            service
                .map_response(|response: Response<B>| response.map(stack::boxed))
                .map_err(Into::into),
        );
        let (watched, watched_side) = (transport.clone(), side.clone());
        let watches = move || Ok(identified(watched.clone(), &watched_side));
        Self {
            requests: identified(transport, side),
            watches: Arc::new(WatchPools::new(watches)),
        }
    }

    /// The same connection, telling `count` of every request.
    #[must_use]
    pub fn counted(self, count: &Count) -> Self {
        let around = |inner: ApiService, count: &Count| -> ApiService {
            let count = Arc::clone(count);
            BoxCloneSyncService::new(counted::Counted { inner, count })
        };
        let (watches, told) = (self.watches, Arc::clone(count));
        let watches = WatchPools::new(move || watches.pool().map(|pool| around(pool, &told)));
        Self {
            requests: around(self.requests, count),
            watches: Arc::new(watches),
        }
    }

    /// Sends one request as the identity it carries; the answer's head, whatever its status.
    pub(crate) async fn send(
        &self,
        request: Request<Body>,
    ) -> Result<Response<ResponseBody>, BoxError> {
        self.requests.clone().oneshot(request).await
    }

    /// A kube client that makes every request as `identity`, over the connection for requests. For
    /// what needs one (leader election); never for watches.
    pub fn client(&self, identity: RequestIdentity) -> kube::Client {
        kube::Client::new(
            As {
                identity,
                inner: self.requests.clone(),
            },
            "default",
        )
    }

    /// A client for one watch (or reflector) as `identity`, over connections that carry watches
    /// only, at most 80 on each (K16). Keep it as long as the watch lives; dropping it frees its
    /// place.
    ///
    /// # Errors
    /// [`ConnectError`] if another pool was needed and couldn't be made.
    pub fn watch_client(&self, identity: RequestIdentity) -> Result<WatchClient, ConnectError> {
        WatchPools::client(&self.watches, identity)
    }

    /// How many watch places are taken, for metrics.
    pub fn watches_held(&self) -> usize {
        self.watches.held()
    }
}

fn identified(transport: ApiService, side: &Target) -> ApiService {
    BoxCloneSyncService::new(IdentityLayer::new(side.clone()).layer(transport))
}

/// Puts one identity on every request.
#[derive(Clone)]
struct As<S> {
    identity: RequestIdentity,
    inner: S,
}

impl<S: Service<Request<Body>>> Service<Request<Body>> for As<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        request.extensions_mut().insert(self.identity.clone());
        self.inner.call(request)
    }
}
