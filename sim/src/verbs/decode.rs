//! The objects that requests carry, and what the server's decoders say of those that they can't read.

use serde_json::Value;

use super::Call;
use crate::{body, kinds::Resource, object, status::ApiError};

/// The request's body as an object of the resource's kind.
pub(crate) fn decode(call: &Call) -> Result<Value, ApiError> {
    decode_as(call, &call.resource)
}

/// The request's body as an object of another kind, as some subresources take.
pub(crate) fn decode_as(call: &Call, resource: &Resource) -> Result<Value, ApiError> {
    let mut value = body::decode(&call.content_type, &call.body, &resource.kind)?;
    let want = resource.api_version();
    let text = |value: &Value, field: &str| {
        value
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let (api_version, kind) = (text(&value, "apiVersion"), text(&value, "kind"));
    if resource.custom().is_none() {
        // A built-in kind's decoder knows what to expect and fills it in.
        if kind.is_empty() {
            object::members(&mut value).insert("kind".into(), resource.kind.clone().into());
        }
        if api_version.is_empty() {
            object::members(&mut value).insert("apiVersion".into(), want.clone().into());
        }
    }
    let (api_version, kind) = (text(&value, "apiVersion"), text(&value, "kind"));
    if kind.is_empty() {
        let sent = String::from_utf8_lossy(&call.body);
        let short: String = sent.chars().take(30).collect();
        let short = if short.len() < sent.len() {
            format!("{short} ...")
        } else {
            short
        };
        return Err(ApiError::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): Object 'Kind' is missing in \
             '{sent}' ({short})",
            resource.kind
        )));
    }
    let (group, version) = object::split_api_version(&api_version);
    let is_registered =
        || resource.custom().is_some() || stageset_schema::kind(group, version, &kind).is_some();
    if (api_version != want || kind != resource.kind) && !is_registered() {
        return Err(ApiError::bad_request(format!(
            "{kind} in version {version:?} cannot be handled as a {}: no kind {kind:?} is \
             registered for version {api_version:?} in scheme \"pkg/runtime/scheme.go:111\"",
            resource.kind
        )));
    }
    if api_version != want {
        return Err(ApiError::bad_request(format!(
            "the API version in the data ({api_version}) does not match the expected API version ({want})"
        )));
    }
    if kind != resource.kind {
        if resource.custom().is_some() {
            // Validation refuses it.
            return Ok(value);
        }
        let internal = resource
            .group
            .split('.')
            .next()
            .filter(|g| !g.is_empty())
            .unwrap_or("core");
        let (version, want) = (&resource.version, &resource.kind);
        let message = format!(
            "{kind} in version {version:?} cannot be handled as a {want}: converting \
             ({version}.{kind}) to ({internal}.{want}): unknown conversion"
        );
        return Err(ApiError::bad_request(message));
    }
    // The decoder of a built-in kind knows the types of metadata as well.
    if resource.custom().is_some() {
        if let Some(wrong) = wrong_in_texts(&value) {
            return Err(ApiError::bad_request(format!(
                "{kind} in version {:?} cannot be handled as a {kind}: json: cannot unmarshal {wrong} \
                 of type string",
                resource.version
            )));
        }
        check_metadata(&value)?;
    }
    Ok(value)
}

/// A label or an annotation that is no text, in the words of Go's decoder.
fn wrong_in_texts(object: &Value) -> Option<String> {
    ["labels", "annotations"].into_iter().find_map(|field| {
        let map = object.get("metadata")?.get(field)?.as_object()?;
        let wrong = map
            .values()
            .find(|value| !value.is_string() && !value.is_null())?;
        let found = crate::admission::typed::found(wrong);
        Some(format!("{found} into Go struct field ObjectMeta.{field}"))
    })
}

/// Metadata that doesn't have the types it must have can't be decoded.
pub(crate) fn check_metadata(value: &Value) -> Result<(), ApiError> {
    let fail = |field: &str, what: &str| {
        Err(ApiError::bad_request(format!(
            "unable to decode metadata.{field}: expected {what}"
        )))
    };
    let Some(meta) = value.get("metadata").filter(|m| !m.is_null()) else {
        return Ok(());
    };
    let Some(meta) = meta.as_object() else {
        return fail("", "an object");
    };
    for (field, value) in meta {
        let fine = match field.as_str() {
            "name" | "namespace" | "uid" | "resourceVersion" | "generateName"
            | "creationTimestamp" | "deletionTimestamp" | "selfLink" => value.is_string(),
            "labels" | "annotations" => value
                .as_object()
                .is_some_and(|map| map.values().all(Value::is_string)),
            "finalizers" => value
                .as_array()
                .is_some_and(|list| list.iter().all(Value::is_string)),
            "ownerReferences" | "managedFields" => value
                .as_array()
                .is_some_and(|list| list.iter().all(Value::is_object)),
            _ => true,
        };
        if !fine && !value.is_null() {
            return fail(field, "another type");
        }
    }
    Ok(())
}
