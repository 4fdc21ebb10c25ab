//! `patch`: server-side apply, JSON merge patch, JSON patch, strategic merge patch.

use serde_json::{Value, json};

use super::{
    APPLY, Call, create, merge_type, own, reset_fields, stored,
    update::{self, Sent},
};
use crate::{
    body,
    managed::{
        apply::{self, Writer},
        entries::Manager,
        typecheck,
    },
    object,
    patch::{go, json as json_patch, merge as merge_patch, strategic},
    rbac::Attributes,
    request::Reply,
    server::Server,
    status::{ApiError, Cause},
};

/// What is said of patches that custom resources don't take.
const CUSTOM_PATCHES: &str = "the body of the request was in an unknown format - accepted media \
                              types include: application/json-patch+json, \
                              application/merge-patch+json, application/apply-patch+yaml";

pub(crate) fn patch(server: &mut Server, call: &Call) -> Result<Reply, ApiError> {
    if call.content_type == APPLY {
        return apply(server, call);
    }
    if call.info.query.get("force").is_some() {
        let cause = Cause::forbidden("force", "may not be specified for non-apply patch");
        return Err(ApiError::invalid(
            "PatchOptions",
            "meta.k8s.io",
            "",
            &[cause],
        ));
    }
    let known = [
        "application/merge-patch+json",
        "application/json-patch+json",
        "application/strategic-merge-patch+json",
    ];
    if !known.contains(&call.content_type.as_str()) {
        // Two handlers, two ways to say it.
        return Err(match call.resource.custom() {
            Some(_) => ApiError {
                details: Value::Null,
                ..ApiError::unsupported_media_type(CUSTOM_PATCHES)
            },
            None => ApiError::unsupported_media_type("415: Unsupported Media Type"),
        });
    }
    let mut patch: Value = serde_json::from_slice(&call.body)
        .map_err(|_| ApiError::bad_request("invalid JSON patch"))?;
    let old = stored(server, call)?;
    let shown = super::present(&call.resource, &old);
    let mut new = match call.content_type.as_str() {
        "application/merge-patch+json" => {
            if !patch.is_object() {
                return Err(ApiError::bad_request(
                    "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}",
                ));
            }
            merge_patch::apply(&shown, &patch)
        }
        "application/json-patch+json" => {
            if !patch.is_array() {
                return Err(ApiError::bad_request(
                    "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
                ));
            }
            json_patch::apply(&shown, &patch).map_err(|_| ApiError::unprocessable())?
        }
        "application/strategic-merge-patch+json" => {
            if call.resource.custom().is_some() {
                return Err(ApiError::unsupported_media_type(CUSTOM_PATCHES));
            }
            let resource = &call.resource;
            let kind = stageset_schema::kind(&resource.group, &resource.version, &resource.kind);
            strategic::apply(&shown, &mut patch, kind.map(stageset_schema::Kind::schema))?
        }
        _ => {
            return Err(ApiError::unsupported_media_type(
                "415: Unsupported Media Type",
            ));
        }
    };
    super::check_metadata(&new).map_err(|error| {
        let cause = Cause::new("FieldValueInvalid", "patch", error.message);
        ApiError::invalid("", "", "", &[cause])
    })?;
    if object::name(&new) != object::name(&old) {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({}) does not match the name on the URL ({})",
            object::name(&new),
            call.info.name
        )));
    }
    immutable_uid(call, &old, &new)?;
    let decoded = if call.content_type == "application/strategic-merge-patch+json" {
        create::prepare_or(call, &mut new, |_, _, why| {
            create::unpatchable(&go::printed(&patch), &converted(why))
        })?
    } else {
        create::prepare(call, &mut new)?
    };
    let sent = update::as_sent(server, call, &new);
    update::keep_system_fields(call, &shown, &mut new);
    let stamped = own(
        server,
        &call.resource,
        call.manager(),
        &call.info.subresource,
        &old,
        &mut new,
        true,
    );
    let sent = sent.map(|object| Sent { object, stamped });
    let updated = update::finish(server, call, &old, sent, new, &decoded)?;
    Ok(update::answer(call, &updated))
}

/// What a conversion without bytes in between says: of texts it decodes itself it says so.
fn converted(why: &str) -> String {
    if why.starts_with("illegal base64") {
        return format!("error decoding from json: {why}");
    }
    why.to_owned()
}

/// A patch may name the object's uid, and no other.
fn immutable_uid(call: &Call, old: &Value, new: &Value) -> Result<(), ApiError> {
    let uid = object::uid(new);
    if uid.is_empty() || uid == object::uid(old) {
        return Ok(());
    }
    let cause = Cause::invalid("metadata.uid", &json!(uid), "field is immutable");
    let resource = &call.resource;
    Err(ApiError::invalid(
        &resource.kind,
        &resource.group,
        &call.info.name,
        &[cause],
    ))
}

fn apply(server: &mut Server, call: &Call) -> Result<Reply, ApiError> {
    let resource = &call.resource;
    if call.field_manager.is_empty() {
        let cause = Cause::required("fieldManager", "is required for apply patch");
        return Err(ApiError::invalid(
            "PatchOptions",
            "meta.k8s.io",
            "",
            &[cause],
        ));
    }
    let mut config = body::yaml(&call.body)?;
    check_config(call, &config)?;
    let ty = merge_type(resource);
    typecheck::check(&config, &ty)?;
    let named = format!("{}/{}", object::namespace(&config), object::name(&config));
    if resource.namespaced {
        create::place(call, &mut config)?;
    }
    let found = stored(server, call).ok();
    if found.is_none() && call.info.subresource == "status" && !update::created_by_update(call) {
        return Err(ApiError::not_found(resource, &call.info.name));
    }
    let live = match &found {
        None => create::empty(call),
        Some(found) => {
            let mut live = super::present(resource, found).into_owned();
            if live.pointer("/metadata/managedFields").is_none() {
                // What was there before anybody applied has an owner of its own.
                let empty = create::empty(call);
                super::own_what_was_there(server, call, &empty, &mut live);
            }
            live
        }
    };
    if found.is_none() {
        // Creating by apply takes the right to create as well.
        let mut attributes = Attributes::of_request(&call.info);
        attributes.verb = "create".into();
        server.authorize(&call.user, &attributes)?;
        let uid = object::uid(&config);
        if !uid.is_empty() {
            let why = format!(
                "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            );
            return Err(ApiError::conflict(resource, &call.info.name, &why));
        }
    }
    let ignored = reset_fields(resource, &call.info.subresource, &config);
    let writer = Writer {
        manager: Manager {
            name: call.field_manager.clone(),
            apply: true,
            api_version: resource.api_version(),
            subresource: call.info.subresource.clone(),
        },
        ty: &ty,
        ignored: &ignored,
        at: server.now,
    };
    let mut new = apply::apply(&writer, &live, &config, call.info.query.flag("force"))?;
    let decoded = create::prepare_or(call, &mut new, |call, _, why| {
        let resource = &call.resource;
        let kind = format!(
            "{}/{}, Kind={}",
            resource.group, resource.version, resource.kind
        );
        let why = converted(why);
        ApiError::internal(format!(
            "failed to convert new object ({named}; {kind}) to proper version: unable to convert \
             unstructured object to {kind}: {why}"
        ))
    })?;
    if let Some(old) = found {
        immutable_uid(call, &old, &new)?;
        let sent = update::as_sent(server, call, &new).map(|object| Sent {
            stamped: differs(&object, &old),
            object,
        });
        update::keep_system_fields(call, &super::present(resource, &old), &mut new);
        let updated = update::finish(server, call, &old, sent, new, &decoded)?;
        return Ok(update::answer(call, &updated));
    }
    let created = create::finish(server, call, new, &decoded, true, create::By::Update)?;
    Ok(call.respond(201, &created))
}

/// Whether two states differ in more than who owns them.
fn differs(new: &Value, old: &Value) -> bool {
    let bare = |object: &Value| {
        let mut object = object.clone();
        object::remove_meta(&mut object, "managedFields");
        object
    };
    bare(new) != bare(old)
}

fn check_config(call: &Call, config: &Value) -> Result<(), ApiError> {
    let text = |field: &str| {
        config
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    if !config.is_object() {
        return Err(ApiError::bad_request(
            "error decoding YAML: the body must be an object",
        ));
    }
    let (group, version) = object::split_api_version(text("apiVersion"));
    if text("kind") != call.resource.kind || text("apiVersion") != call.resource.api_version() {
        return Err(ApiError::bad_request(format!(
            "invalid object type: {group}/{version}, Kind={}",
            text("kind")
        )));
    }
    super::check_metadata(config)?;
    if config
        .pointer("/metadata/managedFields")
        .is_some_and(|v| !v.is_null())
    {
        return Err(ApiError::bad_request("metadata.managedFields must be nil"));
    }
    let name = object::name(config);
    if !name.is_empty() && name != call.info.name {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            call.info.name
        )));
    }
    Ok(())
}
