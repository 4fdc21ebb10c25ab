//! The service account that a pod runs as must be there.

use serde_json::Value;

use crate::{
    kinds::{Resource, StoreKey},
    object,
    server::Server,
    status::ApiError,
};

/// Refuses a pod whose account isn't there (`default` unless it says otherwise).
pub(crate) fn check(server: &Server, resource: &Resource, new: &Value) -> Result<(), ApiError> {
    if !resource.is("", "pods") {
        return Ok(());
    }
    let named = new
        .pointer("/spec/serviceAccountName")
        .and_then(Value::as_str);
    let account = named.filter(|n| !n.is_empty()).unwrap_or("default");
    let namespace = object::namespace(new);
    if server
        .find(&StoreKey::new("", "serviceaccounts"), namespace, account)
        .is_some()
    {
        return Ok(());
    }
    let why = format!(
        "error looking up service account {namespace}/{account}: serviceaccount \"{account}\" not found"
    );
    Err(ApiError::forbidden("pods", "", object::name(new), &why))
}
