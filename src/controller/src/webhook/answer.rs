//! One HTTP request: bounded reading, the right status for what is wrong, the review's answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::{debug, error};

use super::limits::{AT_ONCE, BODY, BODY_BYTES, HELD_BYTES, TURN};
use super::review::{self, BadReview};
use super::{NAME, PATH};
use crate::metrics::Metrics;

/// What all requests share.
#[derive(Debug)]
pub(super) struct Desk {
    /// Bytes of all bodies in memory.
    held: Arc<AtomicUsize>,
    turns: Arc<Semaphore>,
    metrics: Metrics,
}

/// A refusal without a verdict.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("the webhook is at {PATH}")]
    Path,
    #[error("POST is expected")]
    Method,
    #[error("content type application/json is expected")]
    ContentType,
    #[error("the body is larger than {BODY_BYTES} bytes")]
    TooLarge,
    #[error("the body did not arrive within {} s", BODY.as_secs())]
    TooSlow,
    #[error("the body could not be read")]
    Broken,
    #[error("too many reviews at one time; try again")]
    Busy,
    #[error("{0}")]
    Review(#[from] BadReview),
    #[error("the review failed; the controller's log has more")]
    Failed,
}

impl Refused {
    fn status(&self) -> StatusCode {
        match self {
            Self::Path => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge | Self::Review(BadReview::TooLarge(_)) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken | Self::Review(_) => StatusCode::BAD_REQUEST,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl Desk {
    pub(super) fn new(metrics: Metrics) -> Self {
        Self {
            held: Arc::default(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            metrics,
        }
    }

    /// Answers one request, whatever it is.
    pub(super) async fn answer<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: http_body::Body<Data = Bytes> + Unpin,
    {
        match self.review(request).await {
            Ok(answer) => {
                let outcome = if answer.allowed { "allowed" } else { "denied" };
                self.metrics.webhook_answered(outcome);
                debug!(webhook = NAME, outcome, "reviewed");
                let mut response = Response::new(Full::new(answer.body.into()));
                let json = HeaderValue::from_static("application/json");
                response.headers_mut().insert(CONTENT_TYPE, json);
                response
            }
            Err(refused) => {
                self.metrics.webhook_answered("failed");
                debug!(webhook = NAME, error = %refused, "not reviewed");
                let mut response = Response::new(Full::new(format!("{refused}\n").into()));
                *response.status_mut() = refused.status();
                let headers = response.headers_mut();
                let text = HeaderValue::from_static("text/plain; charset=utf-8");
                headers.insert(CONTENT_TYPE, text);
                if matches!(refused, Refused::Method) {
                    headers.insert(ALLOW, HeaderValue::from_static("POST"));
                }
                response
            }
        }
    }

    async fn review<B>(&self, request: Request<B>) -> Result<review::Answer, Refused>
    where
        B: http_body::Body<Data = Bytes> + Unpin,
    {
        let (head, body) = request.into_parts();
        if head.uri.path() != PATH {
            return Err(Refused::Path);
        }
        if head.method != Method::POST {
            return Err(Refused::Method);
        }
        if !is_json(&head.headers) {
            return Err(Refused::ContentType);
        }
        let mut held = Held::new(&self.held);
        timeout(BODY, held.read(body))
            .await
            .map_err(|_| Refused::TooSlow)??;
        let turn = timeout(TURN, Arc::clone(&self.turns).acquire_owned())
            .await
            .map_err(|_| Refused::Busy)?
            .map_err(|_| Refused::Busy)?;
        // Turn and memory are given back when the work ends, even if the caller is gone by then.
        let work = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            review::answer(&held.bytes)
        });
        match work.await {
            Ok(answer) => Ok(answer?),
            Err(panicked) => {
                error!(webhook = NAME, error = %panicked, "a review panicked; please report this");
                Err(Refused::Failed)
            }
        }
    }
}

/// A body that counts against what all requests may hold.
struct Held {
    all: Arc<AtomicUsize>,
    bytes: Vec<u8>,
}

impl Held {
    fn new(all: &Arc<AtomicUsize>) -> Self {
        Self {
            all: Arc::clone(all),
            bytes: Vec::new(),
        }
    }

    async fn read<B>(&mut self, mut body: B) -> Result<(), Refused>
    where
        B: http_body::Body<Data = Bytes> + Unpin,
    {
        let over = |length: usize| length > BODY_BYTES;
        if usize::try_from(body.size_hint().lower()).map_or(true, over) {
            return Err(Refused::TooLarge);
        }
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Refused::Broken)?;
            let Some(data) = frame.data_ref() else {
                continue;
            };
            if over(self.bytes.len() + data.len()) {
                return Err(Refused::TooLarge);
            }
            self.add(data)?;
        }
        Ok(())
    }

    fn add(&mut self, data: &[u8]) -> Result<(), Refused> {
        let sum = |held: usize| {
            held.checked_add(data.len())
                .filter(|sum| *sum <= HELD_BYTES)
        };
        self.all
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, sum)
            .map_err(|_| Refused::Busy)?;
        self.bytes.extend_from_slice(data);
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes.len(), Ordering::AcqRel);
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let found = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    found
        .and_then(|text| text.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use http_body::Frame;

    use super::*;

    /// Sends a piece, and then nothing more, without ending.
    struct Stuck(Option<Bytes>);

    impl http_body::Body for Stuck {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            match self.0.take() {
                Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
                None => Poll::Pending,
            }
        }
    }

    fn post<B>(body: B) -> Request<B> {
        Request::post(PATH)
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .body(body)
            .unwrap()
    }

    async fn status<B>(desk: &Desk, request: Request<B>) -> u16
    where
        B: http_body::Body<Data = Bytes> + Unpin,
    {
        desk.answer(request).await.status().as_u16()
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_sender_is_let_go_and_its_memory_given_back() {
        let desk = Desk::new(Metrics::new());
        let piece = Bytes::from(vec![b' '; 1000]);
        assert_eq!(status(&desk, post(Stuck(Some(piece)))).await, 408);
        assert_eq!(desk.held.load(Ordering::Acquire), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn many_large_bodies_at_one_time_are_told_to_come_back() {
        let desk = Arc::new(Desk::new(Metrics::new()));
        let piece = Bytes::from(vec![b' '; BODY_BYTES]);
        let fit = HELD_BYTES / BODY_BYTES;
        let held: Vec<_> = (0..fit)
            .map(|_| {
                let (desk, piece) = (Arc::clone(&desk), piece.clone());
                tokio::spawn(async move { status(&desk, post(Stuck(Some(piece)))).await })
            })
            .collect();
        while desk.held.load(Ordering::Acquire) < fit * BODY_BYTES {
            tokio::task::yield_now().await;
        }
        assert_eq!(status(&desk, post(Stuck(Some(piece)))).await, 503);
        for slow in held {
            assert_eq!(slow.await.unwrap(), 408);
        }
        assert_eq!(desk.held.load(Ordering::Acquire), 0);
    }

    #[tokio::test]
    async fn a_body_that_says_it_is_too_large_is_not_read() {
        struct Boasting;
        impl http_body::Body for Boasting {
            type Data = Bytes;
            type Error = Infallible;
            fn poll_frame(
                self: Pin<&mut Self>,
                _: &mut Context<'_>,
            ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
                panic!("it was read");
            }
            fn size_hint(&self) -> http_body::SizeHint {
                http_body::SizeHint::with_exact(u64::MAX)
            }
        }
        let desk = Desk::new(Metrics::new());
        assert_eq!(status(&desk, post(Boasting)).await, 413);
    }
}
