//! What a failed request means: one function, and no other opinion anywhere.
//!
//! | Answer | Class |
//! |---|---|
//! | 401; 403 by RBAC, or of unknown origin | Denied |
//! | 403 by quota, limit range, pod security or an admission webhook or policy | Rejected |
//! | 403 with cause `NamespaceTerminating` | Transient: it ends with the namespace, and a new one of the name may follow |
//! | 404 that names an object | Missing, with resource and name |
//! | 404 otherwise | `UnknownKind`: the path isn't served |
//! | 409; 422 that is about `metadata.uid` | Conflict |
//! | 422 that is about nothing but fields that can't be changed | Immutable |
//! | 400, 405, 406, 413, 415, 422 | Rejected |
//! | 408, 410, 429, 5xx, 3xx, everything else | Transient, with Retry-After |
//! | an admission webhook's denial, whatever its code | Rejected; Immutable if it says so |
//! | no answer | Transient; a request that we refused to send: Denied |
//!
//! What refused a request is said first where its own text says it last, if at all: `escalation
//! prevention`, `admission`, `quota`. A missing right needs no such word.
//!
//! A message about a Secret holds field paths only, since what a server quotes may be a value (A21).

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use stageset_core::failure::{Failure, FailureClass};

use super::{Target, clean, immutable};
use crate::connection::NotSent;

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// A `metav1.Status` when an API server wrote it, anything when a proxy did.
    pub body: Bytes,
}

/// What an answer other than 2xx means for a request to `target`.
pub fn classify(answer: &Answer, target: &Target) -> Failure {
    let status: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |pointer: &str| {
        status
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let said = text("/message");
    let refused = refused_by(said);
    let class = class(answer, &status, said, refused);
    let message = if target.is_secret() {
        about_secret(answer.status, &status, said)
    } else if said.is_empty() {
        // Not a Status: a proxy's page says nothing that helps and may be long.
        format!("the API server answered {}", answer.status)
    } else {
        clean(said)
    };
    match refused.and_then(RefusedBy::as_str) {
        Some(by) => Failure::new(class, format!("{by}: {message}")),
        None => Failure::new(class, message),
    }
}

fn class(answer: &Answer, status: &Value, said: &str, refused: Option<RefusedBy>) -> FailureClass {
    match refused {
        Some(RefusedBy::Webhook) if immutable::is_said(said) => return FailureClass::Immutable,
        Some(RefusedBy::Webhook | RefusedBy::Policy) => return FailureClass::Rejected,
        _ => {}
    }
    match answer.status.as_u16() {
        403 if causes(status).any(|cause| cause["reason"] == "NamespaceTerminating") => {
            FailureClass::Transient { retry_after: None }
        }
        403 if refused == Some(RefusedBy::Quota) => FailureClass::Rejected,
        401 | 403 => FailureClass::Denied,
        404 => match (
            status.pointer("/details/kind"),
            status.pointer("/details/name"),
        ) {
            (Some(Value::String(resource)), Some(Value::String(name))) if !name.is_empty() => {
                FailureClass::Missing {
                    resource: clean(resource),
                    name: clean(name),
                }
            }
            _ => FailureClass::UnknownKind,
        },
        409 => FailureClass::Conflict,
        // An apply whose uid is another object's: it was recreated since it was looked at (G8).
        422 if causes(status).any(|cause| cause["field"] == "metadata.uid") => {
            FailureClass::Conflict
        }
        422 if immutable::only(status) => FailureClass::Immutable,
        400 | 405 | 406 | 413 | 415 | 422 => FailureClass::Rejected,
        _ => FailureClass::Transient {
            retry_after: retry_after(answer, status),
        },
    }
}

/// What refused a request, as far as its text tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RefusedBy {
    /// RBAC: a right is missing.
    Rights,
    /// RBAC: nobody grants what they don't hold.
    Escalation,
    /// A quota or limit range of the namespace.
    Quota,
    /// An admission webhook.
    Webhook,
    /// An admission policy, or Pod Security.
    Policy,
}

impl RefusedBy {
    /// What is said before the server's own words.
    fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Rights => None,
            Self::Escalation => Some("escalation prevention"),
            Self::Quota => Some("quota"),
            Self::Webhook | Self::Policy => Some("admission"),
        }
    }
}

/// A webhook says whatever it likes after its name, so that comes first.
fn refused_by(said: &str) -> Option<RefusedBy> {
    let has = |mark: &str| said.contains(mark);
    if said.starts_with("admission webhook \"") && has("denied the request") {
        Some(RefusedBy::Webhook)
    } else if has("is attempting to grant RBAC permissions") {
        Some(RefusedBy::Escalation)
    } else if has("User \"") && has(" cannot ") {
        Some(RefusedBy::Rights)
    } else if has("violates PodSecurity") || has("denied request") {
        Some(RefusedBy::Policy)
    } else if [
        "exceeded quota",
        "failed quota",
        "status unknown for quota",
        "insufficient quota",
        // Limit ranges, of containers, pods and claims.
        " usage per ",
        "limit to request ratio per ",
    ]
    .into_iter()
    .any(has)
    {
        Some(RefusedBy::Quota)
    } else {
        None
    }
}

pub(super) fn causes(status: &Value) -> impl Iterator<Item = &Value> {
    status
        .pointer("/details/causes")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn retry_after(answer: &Answer, status: &Value) -> Option<Duration> {
    let header = answer
        .headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    header
        .and_then(|seconds| seconds.trim().parse().ok())
        .or_else(|| {
            status
                .pointer("/details/retryAfterSeconds")
                .and_then(Value::as_u64)
        })
        .filter(|seconds| *seconds > 0)
        .map(Duration::from_secs)
}

/// A message about a Secret, made of what can't be a value: RBAC's text, the status' reason, names
/// and field paths.
fn about_secret(code: StatusCode, status: &Value, said: &str) -> String {
    if matches!(
        refused_by(said),
        Some(RefusedBy::Rights | RefusedBy::Escalation)
    ) {
        return clean(said);
    }
    let reason = status["reason"]
        .as_str()
        .filter(|reason| reason.chars().all(char::is_alphanumeric));
    let mut message = format!("the API server answered {code}");
    if let Some(reason) = reason {
        message = format!("{message} ({reason})");
    }
    if let Some(rest) = said.split("admission webhook \"").nth(1)
        && let Some((name, _)) = rest.split_once('"')
    {
        message = format!("{message}: admission webhook {name:?} denied the request");
    }
    let fields: Vec<&str> = causes(status)
        .filter_map(|cause| cause["field"].as_str())
        .collect();
    if !fields.is_empty() {
        message = format!("{message}: fields {}", fields.join(", "));
    }
    clean(&format!(
        "{message}; what it says about a Secret isn't passed on"
    ))
}

/// What it means that no answer came.
pub(crate) fn unsent(error: &(dyn Error + 'static)) -> Failure {
    let mut texts: Vec<String> = Vec::new();
    let mut link = Some(error);
    while let Some(error) = link {
        if let Some(refusal) = error.downcast_ref::<NotSent>() {
            return Failure::new(FailureClass::Denied, clean(&refusal.to_string()));
        }
        let text = error.to_string();
        // Wrappers often repeat what they wrap.
        if !texts.iter().any(|seen| seen.contains(&text)) {
            texts.push(text);
        }
        link = error.source();
    }
    Failure::new(
        FailureClass::Transient { retry_after: None },
        clean(&format!(
            "no answer from the API server: {}",
            texts.join(": ")
        )),
    )
}

#[cfg(test)]
mod tests;
