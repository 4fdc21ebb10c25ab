//! Claims of storage that are to grow: only bound ones may, and only where the class that
//! provisioned them says so.

use serde_json::Value;

use super::{immutable::BETA_CLASS, quantity::Quantity, validation::at};
use crate::{kinds::StoreKey, object, server::Server, status::ApiError, verbs::Call};

fn size(claim: &Value) -> Quantity {
    at(claim, "spec.resources.requests.storage")
        .as_str()
        .and_then(|text| Quantity::parse(text).ok())
        .unwrap_or(Quantity::whole(0))
}

fn class(claim: &Value) -> &str {
    object::annotation(claim, BETA_CLASS)
        .or_else(|| at(claim, "spec.storageClassName").as_str())
        .unwrap_or_default()
}

/// Fails for a claim that may not take the size it asks for.
pub(crate) fn resize(
    server: &Server,
    call: &Call,
    old: &Value,
    new: &Value,
) -> Result<(), ApiError> {
    if !call.resource.is("", "persistentvolumeclaims")
        || !call.info.subresource.is_empty()
        || size(new) <= size(old)
    {
        return Ok(());
    }
    let refuse = |why: &str| {
        Err(ApiError::forbidden(
            &call.resource.plural,
            "",
            object::name(new),
            why,
        ))
    };
    if at(old, "status.phase") != "Bound" {
        return refuse("Only bound persistent volume claims can be expanded");
    }
    let classes = StoreKey::new("storage.k8s.io", "storageclasses");
    let grows = !class(new).is_empty()
        && class(new) == class(old)
        && server
            .find(&classes, "", class(new))
            .is_some_and(|class| class.get("allowVolumeExpansion") == Some(&Value::Bool(true)));
    if grows {
        return Ok(());
    }
    refuse(
        "only dynamically provisioned pvc can be resized and the storageclass that provisions the \
         pvc must support resize",
    )
}
