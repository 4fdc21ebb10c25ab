//! Bodies: JSON, or YAML where Kubernetes takes it in a request.

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::{status::ApiError, yaml};

/// Writes a value as JSON; much faster than [`Value`]'s way to print itself.
pub(crate) fn write(value: &Value, out: &mut Vec<u8>) {
    // Memory takes all that is written to it, and a value's keys are texts.
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok(), "{written:?}");
}

/// A value as a JSON body.
pub(crate) fn encode(value: &Value) -> Bytes {
    let mut out = Vec::with_capacity(1024);
    write(value, &mut out);
    Bytes::from(out)
}

/// A body as an object of a kind, by its content type (none means JSON).
pub(crate) fn decode(content_type: &str, body: &Bytes, kind: &str) -> Result<Value, ApiError> {
    let value = match content_type {
        "" | "application/json" => serde_json::from_slice::<Value>(body)
            .map_err(|error| unrecognized(kind, body, &syntax(&error)))?,
        "application/yaml" => yaml(body)?,
        "application/vnd.kubernetes.protobuf" => crate::protobuf::decode(body)
            .ok_or_else(|| ApiError::not_modelled("protobuf request bodies of this kind"))?,
        other => {
            return Err(ApiError::unsupported_media_type(format!(
                "the body of the request was in an unknown format - accepted media types include: \
                 application/json, application/yaml (got {other})"
            )));
        }
    };
    if value.is_object() {
        Ok(without_null_metadata(value))
    } else {
        let found = match value {
            Value::Array(_) => "array",
            Value::String(_) => "string",
            Value::Bool(_) => "bool",
            _ => "number",
        };
        let why = format!(
            "json: cannot unmarshal {found} into Go value of type struct {{ APIVersion string \
             \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}"
        );
        Err(unrecognized(kind, body, &why))
    }
}

/// What the real server says of a body that is no object.
fn unrecognized(kind: &str, body: &Bytes, why: &str) -> ApiError {
    ApiError::bad_request(format!(
        "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; \
         json parse error: {why} ({})",
        summary(body)
    ))
}

/// The start of a body; what doesn't look like JSON in hexadecimal digits.
fn summary(body: &[u8]) -> String {
    const LENGTH: usize = 30;
    if body.is_empty() {
        return "<empty>".into();
    }
    let long = body.len() > LENGTH;
    let more = if long { " ..." } else { "" };
    if body[0] == b'{' {
        let end = if long { LENGTH - 1 } else { body.len() };
        return format!("{}{more}", String::from_utf8_lossy(&body[..end]));
    }
    let digits: String = body
        .iter()
        .take(LENGTH)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{digits}{more}")
}

/// A syntax error in Go's words, as far as they are the same for all errors of a kind.
fn syntax(error: &serde_json::Error) -> String {
    if error.is_eof() {
        "unexpected end of JSON input".into()
    } else {
        error.to_string()
    }
}

/// The body of a server-side apply: YAML, of which JSON is a part.
pub(crate) fn yaml(body: &Bytes) -> Result<Value, ApiError> {
    if let Ok(value) = serde_json::from_slice::<Value>(body) {
        return Ok(value);
    }
    let text = std::str::from_utf8(body)
        .map_err(|e| ApiError::bad_request(format!("error decoding YAML: {e}")))?;
    yaml::parse(text).map_err(|e| ApiError::bad_request(format!("error encoding patch: yaml: {e}")))
}

/// Typed metadata has no nulls.
fn without_null_metadata(mut value: Value) -> Value {
    if let Some(meta) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        let kept: Map<String, Value> = std::mem::take(meta)
            .into_iter()
            .filter(|(_, v)| !v.is_null())
            .collect();
        *meta = kept;
    }
    value
}
