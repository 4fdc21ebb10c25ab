//! `AdmissionReview` v1: the bytes that come in and the bytes that go out. Pure.

use serde_json::{Value, json};
use stageset_core::spec::Problem;

use super::judge::{Verdict, judge};
use super::limits::LISTED;
use super::shape::{TooManyValues, measure};

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// Why a body has no verdict. The API server then does what its `failurePolicy` says.
#[derive(Debug, thiserror::Error)]
pub enum BadReview {
    /// More than is read.
    #[error("{0}")]
    TooLarge(#[from] TooManyValues),
    /// No JSON. The position is told, the content isn't.
    #[error("the body is no JSON: line {line}, column {column}: {what}")]
    Unreadable {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What kind of fault.
        what: &'static str,
    },
    /// A field of another type.
    #[error("{0} of the AdmissionReview must be {1}")]
    Type(&'static str, &'static str),
    /// Another version or kind.
    #[error("an AdmissionReview of {API_VERSION} is expected")]
    OtherVersion,
    /// No `request`, or one without uid.
    #[error("the AdmissionReview has no request with a uid")]
    NoRequest,
}

impl From<serde_json::Error> for BadReview {
    fn from(error: serde_json::Error) -> Self {
        use serde_json::error::Category;
        Self::Unreadable {
            line: error.line(),
            column: error.column(),
            what: match error.classify() {
                Category::Eof => "it ends too early",
                Category::Syntax | Category::Data | Category::Io => {
                    "something else is expected here, or it is nested too deeply"
                }
            },
        }
    }
}

/// What the API server asks, as far as it matters here.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AdmissionRequest {
    /// Goes back with the answer.
    pub uid: String,
    /// What `object` is.
    pub kind: GroupVersionKind,
    /// Empty for the object itself.
    pub sub_resource: String,
    /// `CREATE`, `UPDATE`, `DELETE`, `CONNECT`.
    pub operation: String,
    /// Namespace of the request.
    pub namespace: String,
    /// Name of the request; may be empty on creation.
    pub name: String,
    /// The object as it would be.
    pub object: Value,
    /// The object as it is.
    pub old_object: Value,
}

/// Group, version and kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupVersionKind {
    /// Group; empty = core.
    pub group: String,
    /// Version.
    pub version: String,
    /// Kind.
    pub kind: String,
}

/// An answer, and what it says, for the count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The `AdmissionReview`.
    pub body: Vec<u8>,
    /// Whether the object is let in.
    pub allowed: bool,
}

/// The `AdmissionReview` that answers this one.
///
/// # Errors
/// [`BadReview`] when there is nothing to judge: nothing is let in or refused by it.
pub fn answer(body: &[u8]) -> Result<Answer, BadReview> {
    measure(body)?;
    let request = read(serde_json::from_slice(body)?)?;
    let verdict = judge(&request);
    let allowed = verdict == Verdict::Allowed;
    let mut response = json!({ "uid": request.uid, "allowed": allowed });
    if let Some(status) = status(&request, &verdict) {
        response["status"] = status;
    }
    let review = json!({ "apiVersion": API_VERSION, "kind": KIND, "response": response });
    Ok(Answer {
        body: review.to_string().into_bytes(),
        allowed,
    })
}

fn read(mut review: Value) -> Result<AdmissionRequest, BadReview> {
    if review["apiVersion"] != API_VERSION || review["kind"] != KIND {
        return Err(BadReview::OtherVersion);
    }
    let mut request = match review["request"].take() {
        Value::Null => return Err(BadReview::NoRequest),
        Value::Object(request) => request,
        _ => return Err(BadReview::Type("request", "an object")),
    };
    let mut take = |field: &str| request.remove(field).unwrap_or_default();
    let kind = take("kind");
    if !kind.is_object() {
        return Err(BadReview::Type("request.kind", "an object"));
    }
    let read = AdmissionRequest {
        uid: text("request.uid", &take("uid"))?,
        kind: GroupVersionKind {
            group: text("request.kind.group", &kind["group"])?,
            version: text("request.kind.version", &kind["version"])?,
            kind: text("request.kind.kind", &kind["kind"])?,
        },
        sub_resource: text("request.subResource", &take("subResource"))?,
        operation: text("request.operation", &take("operation"))?,
        namespace: text("request.namespace", &take("namespace"))?,
        name: text("request.name", &take("name"))?,
        object: take("object"),
        old_object: take("oldObject"),
    };
    if read.uid.is_empty() {
        return Err(BadReview::NoRequest);
    }
    Ok(read)
}

fn text(field: &'static str, value: &Value) -> Result<String, BadReview> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        _ => Err(BadReview::Type(field, "a text")),
    }
}

/// The refusal as a Kubernetes Status.
fn status(request: &AdmissionRequest, verdict: &Verdict) -> Option<Value> {
    match verdict {
        Verdict::Allowed => None,
        Verdict::NotOurs(message) => Some(json!({
            "status": "Failure", "code": 400, "reason": "BadRequest", "message": message,
        })),
        Verdict::Invalid(problems) => {
            // kubectl shows the causes of a 422, each with its field in front; others the message.
            let causes: Vec<Value> = problems
                .iter()
                .take(LISTED)
                .map(|problem| {
                    json!({
                        "reason": "FieldValueInvalid",
                        "field": problem.field,
                        "message": problem.message,
                    })
                })
                .collect();
            Some(json!({
                "status": "Failure",
                "code": 422,
                "reason": "Invalid",
                "message": message(problems),
                "details": {
                    "group": request.kind.group,
                    "kind": request.kind.kind,
                    "name": request.name,
                    "causes": causes,
                },
            }))
        }
    }
}

/// All violations in one text, as the condition of the reconciler has them.
fn message(problems: &[Problem]) -> String {
    let mut listed: Vec<String> = problems
        .iter()
        .take(LISTED)
        .map(ToString::to_string)
        .collect();
    let more = problems.len().saturating_sub(LISTED);
    if more > 0 {
        listed.push(format!("and {more} more"));
    }
    listed.join("; ")
}

#[cfg(test)]
#[path = "review_tests.rs"]
mod tests;
