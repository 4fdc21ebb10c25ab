//! One request is built, sent within its bounds, and its answer read.

use bytes::Bytes;
use futures::FutureExt as _;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use kube::client::Body;
use serde_json::Value;
use stageset_core::failure::{Failure, FailureClass};
use tracing::Instrument as _;

use super::classify::Answer;
use super::{Requests, Target, Verb};
use crate::spans;

impl Requests<'_> {
    /// One request, and its answer as JSON.
    pub(super) async fn send(
        &self,
        verb: Verb,
        target: &Target,
        query: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), Failure> {
        let (status, bytes) = self.send_for_bytes(verb, target, query, body).await?;
        Ok((status, read(&bytes)?))
    }

    /// Every request of this crate goes through here.
    pub(super) async fn send_for_bytes(
        &self,
        verb: Verb,
        target: &Target,
        query: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let mut request = build(verb, target, query, body)?;
        request.extensions_mut().insert(self.identity.clone());
        // Asked before the wait for a turn and after it: whoever waited while a remote cluster fell
        // silent doesn't wait for it as well.
        drop(self.way.admit()?);
        let budget = self.way.budget();
        let _permit = budget.acquire(self.share).await;
        let ticket = self.way.admit()?;
        let (limit, _) = self.way.bounds();
        let span = spans::request(request.method(), request.uri(), &self.identity);
        let answer = tokio::time::timeout(limit, self.exchange(request))
            .instrument(span.clone())
            .await
            .unwrap_or_else(|_| {
                let limit = limit.as_secs();
                Err(transient(format!(
                    "the API server didn't answer within {limit} s"
                )))
            });
        spans::answered(&span, answer.as_ref().ok().map(|answer| answer.status));
        match (ticket, &answer) {
            (None, _) => {}
            (Some(ticket), Ok(_)) => ticket.answered(),
            (Some(ticket), Err(_)) => ticket.unanswered(),
        }
        let answer = answer?;
        if answer.status.is_success() {
            budget.succeeded();
            return Ok((answer.status, answer.body));
        }
        let failure = self.way.said(&answer, target);
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            let pause = match &failure.class {
                FailureClass::Transient { retry_after } => *retry_after,
                _ => None,
            };
            budget.overloaded(pause);
        }
        Err(failure)
    }

    async fn exchange(&self, request: Request<Body>) -> Result<Answer, Failure> {
        let response = self
            .way
            .connection()
            .send(request)
            .await
            .map_err(|error| self.way.unsent(&*error))?;
        let (head, body) = response.into_parts();
        let (_, bytes) = self.way.bounds();
        // Boxed: the conversion between boxed errors inside would otherwise keep every future around
        // this one from being `Send`.
        let body: Bytes = Limited::new(body, bytes)
            .collect()
            .boxed()
            .await
            .map_err(|error| self.way.unsent(&*error))?
            .to_bytes();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
        })
    }
}

fn build(
    verb: Verb,
    target: &Target,
    query: &str,
    body: Option<&Value>,
) -> Result<Request<Body>, Failure> {
    let (method, content_type) = match verb {
        Verb::Get | Verb::List | Verb::Discover | Verb::DiscoverGroup => (Method::GET, None),
        Verb::Review | Verb::Create => (Method::POST, Some("application/json")),
        Verb::Update => (Method::PUT, Some("application/json")),
        Verb::MergePatch => (Method::PATCH, Some("application/merge-patch+json")),
        Verb::StrategicPatch => (
            Method::PATCH,
            Some("application/strategic-merge-patch+json"),
        ),
        Verb::JsonPatch => (Method::PATCH, Some("application/json-patch+json")),
        // JSON is YAML, and a content type that every server since 1.16 knows.
        Verb::DryRunApply | Verb::Apply => (Method::PATCH, Some("application/apply-patch+yaml")),
        Verb::Delete => (Method::DELETE, Some("application/json")),
    };
    let mut uri = target
        .path()
        .map_err(|bad| Failure::new(FailureClass::Rejected, bad.to_string()))?;
    if !query.is_empty() {
        uri.push('?');
        uri.push_str(query);
    }
    let mut request = Request::builder()
        .method(method)
        .uri(uri)
        .header(ACCEPT, "application/json");
    if let Some(content_type) = content_type {
        request = request.header(CONTENT_TYPE, content_type);
    }
    let body = body.map_or_else(Body::empty, |body| {
        Body::from(body.to_string().into_bytes())
    });
    request
        .body(body)
        .map_err(|error| Failure::new(FailureClass::Rejected, error.to_string()))
}

pub(super) fn read(answer: &Bytes) -> Result<Value, Failure> {
    serde_json::from_slice(answer).map_err(|_| transient("the API server's answer isn't JSON"))
}

pub(super) fn transient(message: impl Into<String>) -> Failure {
    Failure::new(FailureClass::Transient { retry_after: None }, message)
}
