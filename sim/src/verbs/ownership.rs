//! Who comes to own fields by a write, and which fields an endpoint lets nobody own.

use serde_json::Value;

use super::{Call, present};
use crate::{
    kinds::{Origin, Resource},
    managed::{
        apply::{self, Writer},
        entries::Manager,
        set::{Element, FieldSet},
        types::Type,
    },
    server::Server,
};

/// The type that a resource's objects merge by.
pub(crate) fn merge_type(resource: &Resource) -> Type {
    match &resource.origin {
        Origin::Custom(custom) => custom.merge_type.clone(),
        Origin::BuiltIn => Type::of_kind(&resource.group, &resource.version, &resource.kind),
    }
}

/// Metadata that a status endpoint leaves as it was.
pub(crate) fn reset_metadata(resource: &Resource) -> &'static [&'static str] {
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("apps", "deployments") => &["labels"],
        ("", "pods") => &["deletionTimestamp", "ownerReferences"],
        _ => &[],
    }
}

/// The fields that an endpoint resets: nobody comes to own them through it.
pub(crate) fn reset_fields(resource: &Resource, subresource: &str, object: &Value) -> FieldSet {
    let mut set = FieldSet::default();
    let field = |name: &str| Element::Field(name.to_owned());
    if subresource == "status" {
        for key in object.as_object().into_iter().flatten().map(|(key, _)| key) {
            let kept = key == "status" || (key == "metadata" && resource.custom().is_none());
            if !kept {
                set.insert(&[field(key)]);
            }
        }
        for name in reset_metadata(resource) {
            set.insert(&[field("metadata"), field(name)]);
        }
    } else if resource.status {
        set.insert(&[field("status")]);
    }
    set
}

/// Gives what was there before anybody applied an owner of its own, but for the fields that nobody
/// owns through this endpoint.
pub(crate) fn own_what_was_there(server: &Server, call: &Call, empty: &Value, live: &mut Value) {
    let resource = call.resource.as_ref();
    let ty = merge_type(resource);
    let ignored = reset_fields(resource, &call.info.subresource, live);
    let writer = Writer {
        manager: Manager {
            name: "before-first-apply".into(),
            apply: false,
            api_version: resource.api_version(),
            subresource: call.info.subresource.clone(),
        },
        ty: &ty,
        ignored: &ignored,
        at: server.now,
    };
    apply::update(&writer, empty, live, false);
}

/// Records in `managedFields` what a write by `Update` changed; says whether it did.
pub(crate) fn own(
    server: &Server,
    resource: &Resource,
    manager: &str,
    subresource: &str,
    live: &Value,
    new: &mut Value,
    from_request: bool,
) -> bool {
    let live = &*present(resource, live);
    let ty = merge_type(resource);
    let ignored = if from_request {
        reset_fields(resource, subresource, new)
    } else {
        FieldSet::default()
    };
    let writer = Writer {
        manager: Manager {
            name: manager.to_owned(),
            apply: false,
            api_version: resource.api_version(),
            subresource: subresource.to_owned(),
        },
        ty: &ty,
        ignored: &ignored,
        at: server.now,
    };
    apply::update(&writer, live, new, from_request)
}
