//! What the client hears of a webhook's refusal.

use serde_json::{Map, Value, json};

use super::text;
use crate::{admission::validation::at, status::ApiError};

pub(super) fn refusal(name: &str, status: &Value) -> ApiError {
    let denied = format!("admission webhook {name:?} denied the request");
    let reason = text(status, "reason");
    let message = match (text(status, "message"), reason) {
        ("", "") => format!("{denied} without explanation"),
        ("", reason) => format!("{denied}: {reason}"),
        (message, _) => format!("{denied}: {message}"),
    };
    let code = at(status, "code")
        .as_u64()
        .and_then(|code| u16::try_from(code).ok())
        .unwrap_or(0)
        .max(400);
    let details = at(status, "details");
    ApiError {
        code,
        reason: reason.to_owned().into(),
        message,
        details: if details.is_object() {
            known(details)
        } else {
            Value::Null
        },
        retry_after: None,
        plain: false,
    }
}

/// The details that a `Status` has room for.
fn known(details: &Value) -> Value {
    let mut out = Map::new();
    for field in ["name", "group", "kind", "uid"] {
        if let Some(value) = details.get(field).filter(|value| **value != "") {
            out.insert(field.into(), value.clone());
        }
    }
    if let Some(seconds) = details.get("retryAfterSeconds").filter(|s| **s != 0) {
        out.insert("retryAfterSeconds".into(), seconds.clone());
    }
    let causes = at(details, "causes").as_array().into_iter().flatten();
    let causes: Vec<Value> = causes
        .map(|cause| {
            let fields = ["reason", "message", "field"].into_iter();
            let said = fields.filter(|field| !text(cause, field).is_empty());
            said.map(|field| (field.to_owned(), json!(text(cause, field))))
                .collect()
        })
        .collect();
    if !causes.is_empty() {
        out.insert("causes".into(), causes.into());
    }
    Value::Object(out)
}
