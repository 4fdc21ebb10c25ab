//! Request bodies: JSON, or YAML where Kubernetes takes it.

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::{status::ApiError, yaml};

/// A body as an object of a kind, by its content type (none means JSON).
pub(crate) fn decode(content_type: &str, body: &Bytes, kind: &str) -> Result<Value, ApiError> {
    let value = match content_type {
        "" | "application/json" => serde_json::from_slice::<Value>(body).map_err(|e| {
            ApiError::bad_request(format!(
                "the object provided is unrecognized (must be of type {kind}): couldn't get \
                 version/kind; json parse error: {e} ({})",
                String::from_utf8_lossy(body)
            ))
        })?,
        "application/yaml" => yaml(body)?,
        "application/vnd.kubernetes.protobuf" => {
            return Err(ApiError::not_modelled("protobuf request bodies"));
        }
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
        Err(ApiError::bad_request(
            "couldn't get version/kind; json parse error: json: cannot unmarshal into an object",
        ))
    }
}

/// The body of a server-side apply: YAML, of which JSON is a part.
pub(crate) fn yaml(body: &Bytes) -> Result<Value, ApiError> {
    if let Ok(value) = serde_json::from_slice::<Value>(body) {
        return Ok(value);
    }
    let text = std::str::from_utf8(body)
        .map_err(|e| ApiError::bad_request(format!("error decoding YAML: {e}")))?;
    yaml::parse(text).map_err(|e| ApiError::bad_request(format!("error decoding YAML: {e}")))
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
