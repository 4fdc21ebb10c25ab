//! What stands between a decoded object and the store: defaults, namespace lifecycle, validation.

pub(crate) mod accounts;
pub(crate) mod claims;
pub(crate) mod defaults;
pub(crate) mod gotime;
pub(crate) mod immutable;
pub(crate) mod names;
pub(crate) mod quantity;
pub(crate) mod quota;
pub(crate) mod services;
pub(crate) mod typed;
pub(crate) mod validation;
pub(crate) mod webhooks;

use serde_json::json;

use crate::{kinds::StoreKey, object, server::Server, status::ApiError, verbs::Call};

/// Nothing is created in a namespace that isn't there, or that is going.
pub(crate) fn namespace_lifecycle(
    server: &Server,
    call: &Call,
    name: &str,
) -> Result<(), ApiError> {
    let resource = &call.resource;
    if !resource.namespaced {
        return Ok(());
    }
    let namespace = &call.info.namespace;
    let Some(found) = server.find(&StoreKey::new("", "namespaces"), "", namespace) else {
        let mut error = ApiError::forbidden("", "", "", "");
        error.code = 404;
        error.reason = "NotFound".into();
        error.message = format!("namespaces \"{namespace}\" not found");
        error.details = crate::status::details(namespace, "", "namespaces");
        return Err(error);
    };
    if object::is_deleting(found) {
        let why = format!(
            "unable to create new content in namespace {namespace} because it is being terminated"
        );
        let error = ApiError::forbidden(&resource.plural, &resource.group, name, &why);
        return Err(error.with_causes(json!([{
            "reason": "NamespaceTerminating",
            "message": format!("namespace {namespace} is being terminated"),
            "field": "metadata.namespace",
        }])));
    }
    Ok(())
}
