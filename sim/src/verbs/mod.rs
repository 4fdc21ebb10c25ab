//! The verbs on resources: one file for each, and here what they share.

mod call;
pub(crate) mod create;
mod decode;
pub(crate) mod delete;
pub(crate) mod list;
mod ownership;
pub(crate) mod patch;
pub(crate) mod update;

use std::sync::Arc;

use serde_json::Value;

pub(crate) use self::{
    call::{Call, Form, present},
    decode::{check_metadata, decode, decode_as},
    ownership::{merge_type, own, own_what_was_there, reset_fields, reset_metadata},
};
use crate::{
    admission::typed::Decoded,
    kinds::Resource,
    request::{Reply, Request},
    reviews,
    server::Server,
    status::ApiError,
    watch,
};

pub(crate) const APPLY: &str = "application/apply-patch+yaml";

/// Whether a request is a server-side apply.
pub(crate) fn is_apply(request: &Request) -> bool {
    request.method == http::Method::PATCH
        && request
            .header("content-type")
            .is_some_and(|t| t.starts_with(APPLY))
}

/// Answers one call.
pub(crate) fn serve(server: &mut Server, call: &Call) -> Result<Reply, ApiError> {
    let resource = &call.resource;
    if !call.info.rest.is_empty() {
        return Err(unknown_subresource(call));
    }
    if !resource.stored {
        return match call.info.verb.as_str() {
            "create" if call.info.subresource.is_empty() => reviews::serve(server, call),
            _ => Err(ApiError::method_not_allowed()),
        };
    }
    if matches!(call.info.verb.as_str(), "update" | "patch") && !call.info.named {
        if call.resource.custom().is_some() {
            return Err(ApiError::bad_request("name must be provided"));
        }
        return Err(ApiError::method_not_allowed());
    }
    match (call.info.verb.as_str(), call.info.subresource.as_str()) {
        ("get", "") => get(server, call),
        ("list", "") => list::list(server, call),
        ("watch", "") => watch::serve(server, call),
        ("create", "") => create::create(server, call),
        ("update", "") => update::put(server, call),
        ("patch", "") => patch::patch(server, call),
        ("delete", "") => delete::delete(server, call),
        ("deletecollection", "") => delete::collection(server, call),
        ("get", "status") if resource.status => get(server, call),
        ("update", "status") if resource.status => update::put(server, call),
        ("patch", "status") if resource.status => patch::patch(server, call),
        ("update", "finalize") if resource.is("", "namespaces") => update::finalize(server, call),
        ("create", "token") if resource.is("", "serviceaccounts") => {
            crate::tokens::create(server, call)
        }
        ("" | "list" | "watch" | "create" | "deletecollection", "status") if resource.status => {
            Err(ApiError::method_not_allowed())
        }
        _ => Err(unknown_subresource(call)),
    }
}

fn unknown_subresource(call: &Call) -> ApiError {
    if call.resource.subresources.contains(&call.info.subresource) {
        let what = format!("{}/{}", call.resource.qualified(), call.info.subresource);
        ApiError::not_modelled(what)
    } else if call.resource.custom().is_some() {
        ApiError::not_found(&call.resource, &call.info.name)
    } else {
        ApiError::no_such_resource()
    }
}

fn get(server: &mut Server, call: &Call) -> Result<Reply, ApiError> {
    if let Some(asked) = call.info.query.get("resourceVersion") {
        list::check_revision(server, asked)?;
    }
    let object = stored(server, call)?;
    Ok(call.respond(200, &object))
}

/// The object that the path names.
pub(crate) fn stored(server: &Server, call: &Call) -> Result<Arc<Value>, ApiError> {
    server
        .store
        .get(&call.resource.store, &call.key())
        .cloned()
        .ok_or_else(|| ApiError::not_found(&call.resource, &call.info.name))
}

/// Whether something outside metadata and status changed, which a generation counts.
pub(crate) fn spec_changed(
    resource: &Resource,
    old: &Value,
    new: &Value,
    decoded: &Decoded,
) -> bool {
    let skip = |key: &str| {
        matches!(key, "metadata" | "apiVersion" | "kind") || (key == "status" && resource.status)
    };
    // A priority class is counted when it is made and never again.
    if resource.is("scheduling.k8s.io", "priorityclasses") {
        return false;
    }
    // Where Go compares network policies it tells an empty map from none.
    if resource.is("networking.k8s.io", "networkpolicies") && decoded.was_empty_below("spec") {
        return true;
    }
    // Deployments count their annotations as well.
    if resource.is("apps", "deployments")
        && old.pointer("/metadata/annotations") != new.pointer("/metadata/annotations")
    {
        return true;
    }
    let empty = serde_json::Map::new();
    let (old, new) = (
        old.as_object().unwrap_or(&empty),
        new.as_object().unwrap_or(&empty),
    );
    old.keys()
        .chain(new.keys())
        .any(|key| !skip(key) && old.get(key) != new.get(key))
}
