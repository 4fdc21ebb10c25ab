//! Answers that aren't objects: `Status`, with code, reason, message and details as
//! kube-apiserver writes them.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::kinds::Resource;

/// A refused request: everything that goes into the `Status` body.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{code} {reason}: {message}")]
pub struct ApiError {
    /// HTTP status code.
    pub code: u16,
    /// Machine-readable reason (`NotFound`, `Conflict`, …); empty where the real server has none.
    pub reason: Cow<'static, str>,
    /// The message a person reads.
    pub message: String,
    /// `details` of the `Status`, or null.
    pub details: Value,
    /// Seconds for the `Retry-After` header, if any.
    pub retry_after: Option<u32>,
    /// Answer with this plain text instead of a `Status` (the router's own 404 and 405).
    pub plain: bool,
}

/// One entry of `details.causes`, as field validation reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    pub(crate) reason: &'static str,
    pub(crate) field: String,
    pub(crate) message: String,
}

impl Cause {
    pub(crate) fn new(reason: &'static str, field: impl Into<String>, message: String) -> Self {
        Self {
            reason,
            field: field.into(),
            message,
        }
    }

    pub(crate) fn required(field: impl Into<String>, what: &str) -> Self {
        let message = if what.is_empty() {
            "Required value".into()
        } else {
            format!("Required value: {what}")
        };
        Self::new("FieldValueRequired", field, message)
    }

    pub(crate) fn invalid(field: impl Into<String>, value: &Value, what: &str) -> Self {
        Self::new(
            "FieldValueInvalid",
            field,
            format!("Invalid value: {}: {what}", shown(value)),
        )
    }

    pub(crate) fn forbidden(field: impl Into<String>, what: &str) -> Self {
        Self::new("FieldValueForbidden", field, format!("Forbidden: {what}"))
    }

    pub(crate) fn duplicate(field: impl Into<String>, value: &Value) -> Self {
        Self::new(
            "FieldValueDuplicate",
            field,
            format!("Duplicate value: {}", shown(value)),
        )
    }

    pub(crate) fn not_found(field: impl Into<String>, value: &Value) -> Self {
        let message = format!("Not found: {}", shown(value));
        Self::new("FieldValueNotFound", field, message)
    }

    pub(crate) fn too_long(field: impl Into<String>, bytes: usize) -> Self {
        let message = format!("Too long: may not be more than {bytes} bytes");
        Self::new("FieldValueTooLong", field, message)
    }

    pub(crate) fn unsupported(field: impl Into<String>, value: &Value, known: &[String]) -> Self {
        let known = known
            .iter()
            .map(|k| format!("\"{k}\""))
            .collect::<Vec<_>>()
            .join(", ");
        let message = format!(
            "Unsupported value: {}: supported values: {known}",
            shown(value)
        );
        Self::new("FieldValueNotSupported", field, message)
    }
}

/// A value as validation messages show it: JSON, in which Go escapes what HTML would read.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::Object(_) | Value::Array(_) => value
            .to_string()
            .replace('&', "\\u0026")
            .replace('<', "\\u003c")
            .replace('>', "\\u003e"),
        other => other.to_string(),
    }
}

impl ApiError {
    fn new(code: u16, reason: &'static str, message: impl Into<String>, details: Value) -> Self {
        Self {
            code,
            reason: Cow::Borrowed(reason),
            message: message.into(),
            details,
            retry_after: None,
            plain: false,
        }
    }

    /// Whether somebody who looks for an object takes this as its absence.
    pub(crate) fn is_not_found(&self) -> bool {
        self.reason == "NotFound"
    }

    /// 501: the simulator doesn't know this; says what is missing rather than guessing.
    pub fn not_modelled(what: impl AsRef<str>) -> Self {
        Self::new(
            501,
            "NotImplemented",
            format!("the simulated API server does not model {}", what.as_ref()),
            json!({ "causes": [{ "reason": "NotModelled", "message": what.as_ref() }] }),
        )
    }

    pub(crate) fn not_found(resource: &Resource, name: &str) -> Self {
        Self::new(
            404,
            "NotFound",
            format!("{} \"{name}\" not found", resource.qualified()),
            resource.details(name),
        )
    }

    pub(crate) fn plain_not_found() -> Self {
        Self {
            plain: true,
            ..Self::new(404, "NotFound", "404 page not found\n", Value::Null)
        }
    }

    pub(crate) fn no_such_resource() -> Self {
        let message = "the server could not find the requested resource";
        Self::new(404, "NotFound", message, json!({}))
    }

    /// 422 without saying why, as the real server has it for JSON patches that don't apply.
    pub(crate) fn unprocessable() -> Self {
        let message = "the server rejected our request due to an error in our request";
        Self::new(422, "Invalid", message, json!({}))
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
            json!({}),
        )
    }

    pub(crate) fn already_exists(resource: &Resource, name: &str) -> Self {
        Self::new(
            409,
            "AlreadyExists",
            format!("{} \"{name}\" already exists", resource.qualified()),
            resource.details(name),
        )
    }

    pub(crate) fn conflict(resource: &Resource, name: &str, why: &str) -> Self {
        Self::new(
            409,
            "Conflict",
            format!(
                "Operation cannot be fulfilled on {} \"{name}\": {why}",
                resource.qualified()
            ),
            resource.details(name),
        )
    }

    pub(crate) fn modified(resource: &Resource, name: &str) -> Self {
        Self::conflict(
            resource,
            name,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    pub(crate) fn apply_conflict(message: String, causes: &[Value]) -> Self {
        Self::new(409, "Conflict", message, json!({ "causes": causes }))
    }

    pub(crate) fn forbidden(resource: &str, group: &str, name: &str, why: &str) -> Self {
        let qualified = if group.is_empty() {
            resource.to_owned()
        } else {
            format!("{resource}.{group}")
        };
        let message = match (qualified.as_str(), name) {
            ("", _) => format!("forbidden: {why}"),
            (_, "") => format!("{qualified} is forbidden: {why}"),
            _ => format!("{qualified} \"{name}\" is forbidden: {why}"),
        };
        Self::new(403, "Forbidden", message, details(name, group, resource))
    }

    pub(crate) fn invalid(kind: &str, group: &str, name: &str, causes: &[Cause]) -> Self {
        let qualified = if group.is_empty() {
            kind.to_owned()
        } else {
            format!("{kind}.{group}")
        };
        // What is found twice is said once; the causes have it twice.
        let mut list: Vec<String> = Vec::new();
        for cause in causes {
            let line = format!("{}: {}", cause.field, cause.message);
            if !list.contains(&line) {
                list.push(line);
            }
        }
        let listed = match list.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let mut details = details(name, group, kind);
        if let Some(map) = details.as_object_mut() {
            let causes = causes
                .iter()
                .map(|c| json!({ "reason": c.reason, "message": c.message, "field": c.field }))
                .collect();
            map.insert("causes".into(), Value::Array(causes));
        }
        Self::new(
            422,
            "Invalid",
            format!("{qualified} \"{name}\" is invalid: {listed}"),
            details,
        )
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message, Value::Null)
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized", Value::Null)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "", message, Value::Null)
    }

    pub(crate) fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message, Value::Null)
    }

    pub(crate) fn unsupported_media_type(message: impl Into<String>) -> Self {
        Self::new(415, "UnsupportedMediaType", message, json!({}))
    }

    pub(crate) fn not_acceptable(message: impl Into<String>) -> Self {
        Self::new(406, "NotAcceptable", message, json!({}))
    }

    pub(crate) fn with_causes(mut self, causes: Value) -> Self {
        if !self.details.is_object() {
            self.details = json!({});
        }
        if let Some(map) = self.details.as_object_mut() {
            map.insert("causes".into(), causes);
        }
        self
    }

    /// The `Status` object of this error.
    pub fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "code": self.code,
        });
        if let Some(map) = status.as_object_mut() {
            if !self.reason.is_empty() {
                map.insert("reason".into(), self.reason.as_ref().into());
            }
            if !self.details.is_null() {
                map.insert("details".into(), self.details.clone());
            }
        }
        status
    }
}

/// `details` with the fields that aren't empty, as Go's `omitempty` leaves them.
pub(crate) fn details(name: &str, group: &str, kind: &str) -> Value {
    let mut map = serde_json::Map::new();
    for (key, value) in [("name", name), ("group", group), ("kind", kind)] {
        if !value.is_empty() {
            map.insert(key.into(), value.into());
        }
    }
    Value::Object(map)
}
