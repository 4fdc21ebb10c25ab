//! Places for watches: several pools of connections, apart from requests.
//!
//! kube-apiserver allows 100 streams on one HTTP/2 connection, and hyper doesn't open another: what
//! exceeds it waits without a word, an ordinary read included. So each pool hands out at most 80
//! places (which leaves room for the lists that precede watches), a further pool is made when all
//! are taken, and a watch that doesn't start within a bound fails instead of waiting for ever (K16).

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::{Request, Response};
use kube::client::Body;
use tower::{BoxError, Service};

use super::{ApiService, As, ConnectError, RequestIdentity, ResponseBody};

/// Most watches on one pool.
const PLACES: usize = 80;
/// Bound of a watch's start, and of a list's.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A watch or list got no answer in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the API server didn't begin to answer within {} s", START_TIMEOUT.as_secs())]
pub struct WatchNotStarted;

type Make = Box<dyn Fn() -> Result<ApiService, ConnectError> + Send + Sync>;

pub(super) struct WatchPools {
    make: Make,
    pools: Mutex<Vec<Pool>>,
}

struct Pool {
    service: ApiService,
    taken: usize,
}

impl WatchPools {
    pub(super) fn new(
        make: impl Fn() -> Result<ApiService, ConnectError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            make: Box::new(make),
            pools: Mutex::new(Vec::new()),
        }
    }

    /// One more pool, which belongs to the caller.
    pub(super) fn pool(&self) -> Result<ApiService, ConnectError> {
        (self.make)()
    }

    pub(super) fn client(
        pools: &Arc<Self>,
        identity: RequestIdentity,
    ) -> Result<WatchClient, ConnectError> {
        let (service, pool) = pools.take()?;
        let place = Place {
            pools: Arc::clone(pools),
            pool,
        };
        let service = StartTimeout {
            inner: As {
                identity,
                inner: service,
            },
        };
        Ok(WatchClient {
            client: kube::Client::new(service, "default"),
            _place: place,
        })
    }

    fn take(&self) -> Result<(ApiService, usize), ConnectError> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = pools.iter().position(|pool| pool.taken < PLACES) {
            let pool = &mut pools[index];
            pool.taken += 1;
            return Ok((pool.service.clone(), index));
        }
        let service = (self.make)()?;
        pools.push(Pool {
            service: service.clone(),
            taken: 1,
        });
        Ok((service, pools.len() - 1))
    }

    fn give_back(&self, index: usize) {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        // Pools stay: an idle one closes its connection by itself, and indexes stay true.
        if let Some(pool) = pools.get_mut(index) {
            pool.taken = pool.taken.saturating_sub(1);
        }
    }

    pub(super) fn held(&self) -> usize {
        let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.iter().map(|pool| pool.taken).sum()
    }
}

/// A client for one watch, and the place it takes.
pub struct WatchClient {
    client: kube::Client,
    _place: Place,
}

impl WatchClient {
    /// The client, for `Api` and `watcher`. One watch at a time.
    pub fn client(&self) -> kube::Client {
        self.client.clone()
    }
}

struct Place {
    pools: Arc<WatchPools>,
    pool: usize,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.pools.give_back(self.pool);
    }
}

/// Bounds the time to an answer's head; its body may take as long as it likes.
#[derive(Clone)]
struct StartTimeout<S> {
    inner: S,
}

impl<S> Service<Request<Body>> for StartTimeout<S>
where
    S: Service<Request<Body>, Response = Response<ResponseBody>, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response<ResponseBody>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let answer = self.inner.call(request);
        Box::pin(async move {
            tokio::time::timeout(START_TIMEOUT, answer)
                .await
                .map_err(|_| WatchNotStarted)?
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tower::util::BoxCloneSyncService;
    use tower::{ServiceExt as _, service_fn};

    use super::*;

    fn silent() -> ApiService {
        BoxCloneSyncService::new(service_fn(|_: Request<Body>| async {
            std::future::pending::<Result<Response<ResponseBody>, BoxError>>().await
        }))
    }

    #[tokio::test]
    async fn the_81st_watch_gets_another_pool_and_freed_places_are_used_again() {
        let made = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&made);
        let pools = Arc::new(WatchPools::new(move || {
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(silent())
        }));
        let client = || {
            WatchPools::client(&pools, RequestIdentity::Controller)
                .ok()
                .unwrap()
        };
        let mut held: Vec<_> = (0..80).map(|_| client()).collect();
        assert_eq!(made.load(Ordering::SeqCst), 1);
        held.push(client());
        assert_eq!((made.load(Ordering::SeqCst), pools.held()), (2, 81));
        drop(held.drain(..40));
        held.extend((0..119).map(|_| client()));
        assert_eq!((made.load(Ordering::SeqCst), pools.held()), (2, 160));
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_does_not_start_fails() {
        let started = tokio::time::Instant::now();
        let answer = StartTimeout { inner: silent() }
            .oneshot(Request::new(Body::empty()))
            .await;
        assert!(answer.unwrap_err().is::<WatchNotStarted>());
        assert_eq!(started.elapsed(), START_TIMEOUT);
    }
}
