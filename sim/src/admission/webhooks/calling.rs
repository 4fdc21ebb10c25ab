//! Who answers a webhook's call, which answers are none, and what the failure policy makes of it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{Asked, client, internal, matching::Hook, refusal::refusal, review::review, text};
use crate::{admission::validation::at, kinds::StoreKey, server::Server, status::ApiError};

/// Answers an `AdmissionReview` with one.
///
/// A function that does so may fail with a text: nobody answered, in its words.
pub trait WebhookHandler: Send {
    /// The answer to a review.
    ///
    /// # Errors
    /// When there is none.
    fn review(&mut self, review: &Value) -> Result<Value, WebhookFailure>;
}

impl<F: FnMut(&Value) -> Result<Value, String> + Send> WebhookHandler for F {
    fn review(&mut self, review: &Value) -> Result<Value, WebhookFailure> {
        self(review).map_err(WebhookFailure::Unreachable)
    }
}

/// A call that brought no review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookFailure {
    /// Nobody answered; why, in the words of who called.
    Unreachable(String),
    /// Somebody answered something else.
    Answer {
        /// The HTTP status.
        code: u16,
        /// The body.
        body: String,
    },
}

/// Calls one webhook: the patch that it wants, or its refusal.
pub(super) fn call(
    server: &mut Server,
    hook: &Hook,
    asked: Asked<'_>,
    new: Option<&Value>,
    mutating: bool,
) -> Result<Option<Value>, ApiError> {
    let name = text(&hook.hook, "name");
    if asked.dry_run && !matches!(text(&hook.hook, "sideEffects"), "None" | "NoneOnDryRun") {
        let why = format!("admission webhook {name:?} does not support dry run");
        return Err(ApiError::bad_request(why));
    }
    let uid = server.ids.uid();
    let review = review(&uid, asked, new);
    let answered = ask(server, &hook.hook, &review)
        .and_then(|answer| verified(&answer, &uid, mutating))
        .and_then(|response| {
            let allowed = response.get("allowed") == Some(&Value::Bool(true));
            let patch = if allowed { patch(&response)? } else { None };
            Ok((allowed, patch, response))
        });
    match answered {
        Ok((true, patch, _)) => Ok(patch),
        Ok((false, _, response)) => Err(refusal(name, at(&response, "status"))),
        Err(_) if text(&hook.hook, "failurePolicy") == "Ignore" => Ok(None),
        Err(why) => Err(internal(&format!("failed calling webhook {name:?}: {why}"))),
    }
}

/// The key under which a handler is registered: an URL, or `NAMESPACE/NAME/PATH` of a Service.
fn endpoint(target: &Value) -> String {
    if let Some(url) = target.get("url").and_then(Value::as_str) {
        return url.to_owned();
    }
    let service = at(target, "service");
    let path = text(service, "path").trim_start_matches('/');
    format!(
        "{}/{}/{path}",
        text(service, "namespace"),
        text(service, "name")
    )
}

fn ask(server: &mut Server, hook: &Value, review: &Value) -> Result<Value, String> {
    let target = at(hook, "clientConfig");
    let key = endpoint(target);
    let seconds = at(hook, "timeoutSeconds").as_i64().unwrap_or(10);
    let service = at(target, "service");
    let url = if service.is_object() {
        let (namespace, name) = (text(service, "namespace"), text(service, "name"));
        let port = at(service, "port").as_i64().unwrap_or(443);
        let path = text(service, "path").trim_start_matches('/');
        format!("https://{name}.{namespace}.svc:{port}/{path}?timeout={seconds}s")
    } else {
        format!("{key}?timeout={seconds}s")
    };
    let failed = |why: String| format!("failed to call webhook: Post {url:?}: {why}");
    if service.is_object() && !server.webhooks.contains_key(&key) {
        let (namespace, name) = (text(service, "namespace"), text(service, "name"));
        let known = server.find(&StoreKey::new("", "services"), namespace, name);
        return Err(failed(match known {
            None => format!("service {name:?} not found"),
            Some(_) => format!("no endpoints available for service {name:?}"),
        }));
    }
    let Some(mut handler) = server.webhooks.remove(&key) else {
        let refused = "connect: connection refused";
        return Err(failed(format!("dial tcp {}: {refused}", address(&url))));
    };
    let answer = handler.review(review);
    server.webhooks.insert(key, handler);
    answer.map_err(|failure| match failure {
        WebhookFailure::Unreachable(why) => failed(why),
        WebhookFailure::Answer { code, body } => {
            format!(
                "failed to call webhook: {}",
                client::misunderstood(code, &body)
            )
        }
    })
}

/// Host and port of an URL.
fn address(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    if host.contains(':') {
        host.to_owned()
    } else {
        format!("{host}:443")
    }
}

/// The response in an answer, if it is one to this question.
fn verified(answer: &Value, uid: &str, mutating: bool) -> Result<Value, String> {
    let invalid = |why: &str| Err(format!("received invalid webhook response: {why}"));
    let found = text(answer, "apiVersion").rsplit('/').next();
    if let Some(found) = found.filter(|found| *found != "v1") {
        return Err(format!(
            "failed to call webhook: converting ({found}.AdmissionReview) to (v1.AdmissionReview): \
             unknown conversion"
        ));
    }
    let Some(response) = answer.get("response").filter(|r| r.is_object()) else {
        return invalid("webhook response was absent");
    };
    let found = text(response, "uid");
    if found != uid {
        return invalid(&format!("expected response.uid={uid:?}, got {found:?}"));
    }
    let has_patch = !text(response, "patch").is_empty();
    let has_type = response.get("patchType").is_some_and(Value::is_string);
    match (mutating, has_patch, has_type) {
        (true, true, false) => {
            invalid("webhook returned response.patch but not response.patchType")
        }
        (true, false, true) => {
            invalid("webhook returned response.patchType but not response.patch")
        }
        (false, true, _) => invalid("validating webhook may not return response.patch"),
        (false, _, true) => invalid("validating webhook may not return response.patchType"),
        _ => Ok(response.clone()),
    }
}

/// The patch in a response, unless it does nothing.
fn patch(response: &Value) -> Result<Option<Value>, String> {
    let patch = text(response, "patch");
    if patch.is_empty() {
        return Ok(None);
    }
    let patch = STANDARD
        .decode(patch)
        .map_err(|why| format!("failed to call webhook: {why}"))?;
    let patch: Value = serde_json::from_slice(&patch)
        .map_err(|why| format!("received undecodable patch in webhook response: {why}"))?;
    let found = text(response, "patchType");
    if patch == Value::Array(Vec::new()) {
        Ok(None)
    } else if found == "JSONPatch" {
        Ok(Some(patch))
    } else {
        Err(format!("unsupported patch type {found:?}"))
    }
}
