//! Places for watches: several pools of connections, apart from requests.
//!
//! kube-apiserver allows 100 streams on one HTTP/2 connection, and hyper doesn't open another: what
//! exceeds it waits without a word, an ordinary read included. So each pool hands out at most 80
//! places (which leaves room for the lists that precede watches), a further pool is made when all
//! are taken, and a watch that doesn't start within a bound fails instead of waiting for ever (K16).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt as _, TryFutureExt as _};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Limited};
use kube::client::Body;
use serde_json::Value;
use tower::{BoxError, ServiceExt as _};

use super::events::{Events, WatchFailure};
use super::{ApiService, ConnectError, RequestIdentity, ResponseBody};
use crate::requests::clean;

/// Most watches on one pool.
const PLACES: usize = 80;
/// Bound of a watch's start, and of a list's.
pub(super) const START_TIMEOUT: Duration = Duration::from_secs(30);
/// Most bytes of a page of a list: 500 of the largest objects don't come in one answer anyway.
const PAGE_BYTES: usize = 64 * 1024 * 1024;
/// Most bytes of a refusal that are read.
const REFUSAL_BYTES: usize = 64 * 1024;

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
        Ok(WatchClient {
            service,
            identity,
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
///
/// Not a `kube::Client`: each of those is a task and a queue of its own, and there are thousands of
/// watches.
pub struct WatchClient {
    service: ApiService,
    identity: RequestIdentity,
    _place: Place,
}

impl WatchClient {
    /// One answer, as JSON: a page of a list.
    ///
    /// # Errors
    /// [`WatchFailure`]
    pub async fn list(&self, request: Request<Vec<u8>>) -> Result<Value, WatchFailure> {
        let body = self.begin(request).await?.into_body();
        let read = read(body, PAGE_BYTES);
        let bytes = tokio::time::timeout(START_TIMEOUT, read)
            .await
            .map_err(|_| WatchFailure::NotStarted)?
            .map_err(|error| WatchFailure::lost(&*error))?;
        serde_json::from_slice(&bytes).map_err(WatchFailure::NotJson)
    }

    /// The events of a watch. One watch at a time.
    ///
    /// # Errors
    /// [`WatchFailure`]
    pub async fn watch(&self, request: Request<Vec<u8>>) -> Result<Events, WatchFailure> {
        Ok(Events::of(self.begin(request).await?.into_body()))
    }

    /// Sends, and waits for the head of an answer that says yes.
    async fn begin(
        &self,
        request: Request<Vec<u8>>,
    ) -> Result<Response<ResponseBody>, WatchFailure> {
        let mut request = request.map(Body::from);
        request.extensions_mut().insert(self.identity.clone());
        let answer = self.service.clone().oneshot(request);
        let answer = tokio::time::timeout(START_TIMEOUT, answer)
            .await
            .map_err(|_| WatchFailure::NotStarted)?
            .map_err(|error| WatchFailure::lost(&*error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let code = answer.status().as_u16();
        let read = read(answer.into_body(), REFUSAL_BYTES);
        let said = match tokio::time::timeout(START_TIMEOUT, read).await {
            Ok(Ok(body)) => serde_json::from_slice::<Value>(&body).ok(),
            // The status says enough.
            Ok(Err(_)) | Err(_) => None,
        };
        let message = said.as_ref().and_then(|said| said["message"].as_str());
        Err(WatchFailure::Refused {
            code,
            message: clean(message.unwrap_or("without a word")),
        })
    }
}

/// A whole body within a bound. Boxed: the conversion between boxed errors inside would otherwise keep
/// every future around this one from being `Send`.
fn read(body: ResponseBody, most: usize) -> BoxFuture<'static, Result<Bytes, BoxError>> {
    let collected = Limited::new(body, most).collect();
    collected
        .map_ok(http_body_util::Collected::to_bytes)
        .boxed()
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tower::service_fn;
    use tower::util::BoxCloneSyncService;

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
        let pools = Arc::new(WatchPools::new(|| Ok(silent())));
        let client =
            WatchPools::client(&pools, RequestIdentity::Controller).unwrap_or_else(|_| panic!());
        let started = tokio::time::Instant::now();
        let failure = client.watch(Request::new(Vec::new())).await.err();
        assert!(
            matches!(failure, Some(WatchFailure::NotStarted)),
            "{failure:?}"
        );
        assert_eq!(started.elapsed(), START_TIMEOUT);
    }

    #[tokio::test]
    async fn a_refusal_says_what_the_server_said() {
        let answer = |status: u16, text: &'static str| {
            let service = service_fn(move |_: Request<Body>| async move {
                let body = http_body_util::Full::new(bytes::Bytes::from_static(text.as_bytes()));
                let answer = Response::builder().status(status);
                Ok::<_, BoxError>(answer.body(super::super::stack::boxed(body)).unwrap())
            });
            let service = BoxCloneSyncService::new(service);
            let pools = Arc::new(WatchPools::new(move || Ok(service.clone())));
            WatchPools::client(&pools, RequestIdentity::Controller).unwrap_or_else(|_| panic!())
        };
        for (status, text, told) in [
            (
                403,
                r#"{"message": "pods is forbidden"}"#,
                "403: pods is forbidden",
            ),
            (500, "<html>", "500: without a word"),
        ] {
            let client = answer(status, text);
            let refused = client.list(Request::new(Vec::new())).await.unwrap_err();
            assert!(refused.to_string().ends_with(told), "{refused}");
            assert_eq!(refused.status(), Some(status));
        }
        let listed = answer(200, r#"{"items": []}"#)
            .list(Request::new(Vec::new()))
            .await;
        assert_eq!(listed.unwrap(), serde_json::json!({ "items": [] }));
        let cut = answer(200, r#"{"items": ["#)
            .list(Request::new(Vec::new()))
            .await;
        assert!(matches!(cut, Err(WatchFailure::NotJson(_))), "{cut:?}");
    }
}
