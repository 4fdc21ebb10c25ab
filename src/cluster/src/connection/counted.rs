//! Counting what is sent, by verb and by whose rights it uses.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Method, Request};
use kube::client::Body;
use tower::Service;

use super::RequestIdentity;

/// Is told of each request before it is sent: its Kubernetes verb (`discovery` outside resources),
/// and `controller` or `tenant`.
pub type Count = Arc<dyn Fn(&'static str, &'static str) + Send + Sync>;

/// Tells of every request that passes.
#[derive(Clone)]
pub(super) struct Counted<S> {
    pub(super) inner: S,
    pub(super) count: Count,
}

impl<S: Service<Request<Body>>> Service<Request<Body>> for Counted<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let plane = match request.extensions().get::<RequestIdentity>() {
            Some(RequestIdentity::Controller) => "controller",
            Some(RequestIdentity::As(_) | RequestIdentity::Discovery(_)) => "tenant",
            // Refused further down.
            None => "nobody",
        };
        (self.count)(verb(request.method(), request.uri()), plane);
        self.inner.call(request)
    }
}

fn verb(method: &Method, uri: &http::Uri) -> &'static str {
    match *method {
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ if uri
            .query()
            .is_some_and(|q| q.split('&').any(|p| p == "watch=true")) =>
        {
            "watch"
        }
        _ => match resource_depth(uri.path()) {
            0 => "discovery",
            1 => "list",
            _ => "get",
        },
    }
}

/// Segments of a path from the resource's name on: 0 = none, 1 = a collection, more = an object.
fn resource_depth(path: &str) -> usize {
    let segments: Vec<&str> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .collect();
    let (["api", _, rest @ ..] | ["apis", _, _, rest @ ..]) = segments.as_slice() else {
        return 0;
    };
    match rest {
        ["namespaces", _, namespaced @ ..] if !namespaced.is_empty() => namespaced.len(),
        rest => rest.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_are_kubernetes_own() {
        for (method, uri, expected) in [
            (Method::GET, "/api", "discovery"),
            (Method::GET, "/apis/apps/v1", "discovery"),
            (Method::GET, "/api/v1/namespaces", "list"),
            (Method::GET, "/api/v1/namespaces/a", "get"),
            (Method::GET, "/api/v1/namespaces/a/pods", "list"),
            (Method::GET, "/api/v1/namespaces/a/pods?limit=500", "list"),
            (
                Method::GET,
                "/api/v1/pods?&watch=true&resourceVersion=1",
                "watch",
            ),
            (
                Method::GET,
                "/apis/apps/v1/namespaces/a/deployments/b",
                "get",
            ),
            (
                Method::GET,
                "/apis/apps/v1/namespaces/a/deployments/b/scale",
                "get",
            ),
            (Method::POST, "/api/v1/namespaces/a/pods", "create"),
            (Method::PUT, "/api/v1/namespaces/a/pods/b", "update"),
            (Method::PATCH, "/api/v1/namespaces/a/pods/b", "patch"),
            (Method::DELETE, "/api/v1/namespaces/a/pods/b", "delete"),
        ] {
            assert_eq!(
                verb(&method, &uri.parse().unwrap()),
                expected,
                "{method} {uri}"
            );
        }
    }
}
