//! The HTTP door: a `tower::Service` that a real Kubernetes client is built on.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;

use crate::{
    cluster::SimulatedCluster,
    request::{Reply, Request, SubscriptionId, User},
};

/// A way into a simulated cluster for one authenticated user.
#[derive(Clone, Debug)]
pub struct Door {
    cluster: SimulatedCluster,
    user: User,
}

impl Door {
    pub(crate) fn new(cluster: SimulatedCluster, user: User) -> Self {
        Self { cluster, user }
    }
}

/// A reply's body: complete, or the events of a watch as they come.
#[derive(Debug)]
pub struct SimBody {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Full(Option<Bytes>),
    Watch {
        cluster: SimulatedCluster,
        id: SubscriptionId,
    },
}

impl SimBody {
    /// A body without a byte.
    pub fn empty() -> Self {
        Self {
            kind: Kind::Full(None),
        }
    }
}

impl Body for SimBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.kind {
            Kind::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Watch { cluster, id } => {
                let polled = cluster.shared().lock().poll_watch(*id, context);
                polled.map(|line| line.map(|line| Ok(Frame::data(line))))
            }
        }
    }
}

impl Drop for SimBody {
    fn drop(&mut self) {
        if let Kind::Watch { cluster, id } = &self.kind {
            cluster.shared().lock().end_watch(*id);
        }
    }
}

impl<B> tower::Service<http::Request<B>> for Door
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    type Response = http::Response<SimBody>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let door = self.clone();
        Box::pin(async move {
            door.cluster.ensure_driven();
            let (parts, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let request = Request {
                method: parts.method,
                uri: parts.uri,
                headers: parts.headers,
                body,
                user: door.user.clone(),
            };
            Ok(door.answer(&request))
        })
    }
}

impl Door {
    fn answer(&self, request: &Request) -> http::Response<SimBody> {
        let (status, headers, kind) = match self.cluster.handle(request) {
            Reply::Response(response) => (
                response.status,
                response.headers,
                Kind::Full(Some(response.body)),
            ),
            Reply::Watch {
                content_type,
                subscription,
            } => {
                let mut headers = http::HeaderMap::new();
                if let Ok(value) = http::HeaderValue::from_str(&content_type) {
                    headers.insert(http::header::CONTENT_TYPE, value);
                }
                let kind = Kind::Watch {
                    cluster: self.cluster.clone(),
                    id: subscription,
                };
                (http::StatusCode::OK, headers, kind)
            }
        };
        let mut response = http::Response::new(SimBody { kind });
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }
}
