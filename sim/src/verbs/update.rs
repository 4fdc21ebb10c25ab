//! `update`: PUT, and the second half of every patch.

use std::{borrow::Cow, sync::Arc};

use serde_json::Value;

use super::{Call, own, spec_changed, stored};
use crate::{
    admission::{
        self, services,
        typed::Decoded,
        webhooks::{self, Asked, Operation},
    },
    crd,
    kinds::Resource,
    object,
    rbac::escalation,
    request::{Reply, Response},
    server::Server,
    status::ApiError,
};

pub(crate) fn put(server: &mut Server, call: &Call) -> Result<Reply, ApiError> {
    let mut new = super::decode(call)?;
    let resource = &call.resource;
    let decoded = super::create::prepare(call, &mut new)?;
    super::create::place(call, &mut new)?;
    let name = object::name(&new).to_owned();
    let name = name.as_str();
    if name.is_empty() && resource.custom().is_none() {
        return Err(ApiError::bad_request(
            "the name of the object (metadata.name) must be set",
        ));
    }
    if name != call.info.name {
        return Err(ApiError::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            call.info.name
        )));
    }
    let old = match stored(server, call) {
        Ok(old) => old,
        Err(error) => {
            if !created_by_update(call) {
                return Err(error);
            }
            // The real server lets an update create these; it wants the right to create then.
            let mut attributes = crate::rbac::Attributes::of_request(&call.info);
            attributes.verb = "create".into();
            server.authorize(&call.user, &attributes)?;
            check_uid(call, &new, "")?;
            let live = super::create::empty(call);
            let through = call.info.subresource.as_str();
            let stamped = own(
                server,
                resource,
                call.manager(),
                through,
                &live,
                &mut new,
                true,
            );
            let by = super::create::By::Update;
            let created = super::create::finish(server, call, new, &decoded, stamped, by)?;
            return Ok(call.respond(201, &created));
        }
    };
    check_uid(call, &new, object::uid(&old))?;
    let sent = as_sent(server, call, &new);
    let going: Vec<Option<Value>> = GOING
        .iter()
        .map(|field| object::remove_meta(&mut new, field))
        .collect();
    keep_system_fields(call, &super::present(resource, &old), &mut new);
    // Ownership is settled before the server puts back what a client can't change.
    let kept: Vec<Option<Value>> = GOING
        .iter()
        .map(|field| object::remove_meta(&mut new, field))
        .collect();
    for (field, sent) in GOING.iter().zip(going) {
        if let Some(sent) = sent {
            object::set_meta(&mut new, field, sent);
        }
    }
    let stamped = own(
        server,
        resource,
        call.manager(),
        &call.info.subresource,
        &old,
        &mut new,
        true,
    );
    for (field, kept) in GOING.iter().zip(kept) {
        match kept {
            Some(kept) => object::set_meta(&mut new, field, kept),
            None => {
                object::remove_meta(&mut new, field);
            }
        }
    }
    let sent = sent.map(|object| Sent { object, stamped });
    let updated = finish(server, call, &old, sent, new, &decoded)?;
    Ok(answer(call, &updated))
}

/// The answer to an update. What goes with it is shown as it was written: it isn't read any more.
pub(crate) fn answer(call: &Call, updated: &Value) -> Reply {
    if is_finalized(&call.resource, updated) {
        return Reply::Response(Response::json(200, &call.show_stored(updated)));
    }
    call.respond(200, updated)
}

/// Metadata of an object that is being deleted.
const GOING: [&str; 2] = ["deletionTimestamp", "deletionGracePeriodSeconds"];

/// A PUT that names a uid means that object and no other.
fn check_uid(call: &Call, new: &Value, live: &str) -> Result<(), ApiError> {
    let uid = object::uid(new);
    if uid.is_empty() || uid == live {
        return Ok(());
    }
    let resource = &call.resource;
    let why = format!(
        "StorageError: invalid object, Code: 4, Key: {}, ResourceVersion: 0, \
         AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in object meta: \
         {live}",
        resource.storage_key(&call.key(), call.dry_run)
    );
    Err(ApiError::conflict(resource, &call.info.name, &why))
}

/// Whether a PUT must say which version it replaces.
fn wants_version(resource: &Resource) -> bool {
    resource.custom().is_some()
        || matches!(
            (resource.group.as_str(), resource.plural.as_str()),
            (
                "admissionregistration.k8s.io" | "apiextensions.k8s.io" | "coordination.k8s.io",
                _
            ) | ("policy", "poddisruptionbudgets")
                | ("node.k8s.io", "runtimeclasses")
                | (
                    "storage.k8s.io",
                    "csidrivers" | "csinodes" | "csistoragecapacities" | "volumeattachments"
                )
        )
}

/// Kinds whose strategy allows an update to create.
pub(super) fn created_by_update(call: &Call) -> bool {
    // A service's status is no exception.
    let subresource = call.info.subresource.as_str();
    (subresource.is_empty() || subresource == "status" && call.resource.is("", "services"))
        && matches!(
            (call.resource.group.as_str(), call.resource.plural.as_str()),
            ("coordination.k8s.io", "leases")
                | ("rbac.authorization.k8s.io", _)
                | (
                    "" | "events.k8s.io",
                    "events" | "endpoints" | "services" | "limitranges"
                )
        )
}

/// `PUT …/namespaces/x/finalize`: sets `spec.finalizers`.
pub(crate) fn finalize(server: &mut Server, call: &Call) -> Result<Reply, ApiError> {
    let sent = super::decode(call)?;
    let old = stored(server, call)?;
    let mut new = old.as_ref().clone();
    let finalizers = sent.pointer("/spec/finalizers").cloned();
    let spec = object::child(&mut new, "spec");
    match finalizers {
        Some(finalizers) => spec.insert("finalizers".into(), finalizers),
        None => spec.remove("finalizers"),
    };
    if call.dry_run {
        return Ok(call.respond(200, &new));
    }
    let stored = server.commit(&call.resource.store, new);
    crate::namespaces::step(server, &call.info.name);
    Ok(call.respond(200, &stored))
}

/// What no write changes: identity, times, and the part that belongs to the other endpoint.
pub(crate) fn keep_system_fields(call: &Call, old: &Value, new: &mut Value) {
    let resource = &call.resource;
    if call.info.subresource == "status" {
        let mut kept = old.clone();
        object::copy_field(new, &mut kept, "status");
        if resource.custom().is_none() {
            for field in [
                "labels",
                "annotations",
                "finalizers",
                "ownerReferences",
                "managedFields",
                "resourceVersion",
            ] {
                match new.pointer(&format!("/metadata/{field}")) {
                    Some(value) => object::set_meta(&mut kept, field, value.clone()),
                    None if field != "resourceVersion" => {
                        object::remove_meta(&mut kept, field);
                    }
                    None => {}
                }
            }
            for field in super::reset_metadata(resource) {
                match old.pointer(&format!("/metadata/{field}")) {
                    Some(value) => object::set_meta(&mut kept, field, value.clone()),
                    None => {
                        object::remove_meta(&mut kept, field);
                    }
                }
            }
        } else {
            for field in ["managedFields", "resourceVersion"] {
                if let Some(value) = new.pointer(&format!("/metadata/{field}")) {
                    object::set_meta(&mut kept, field, value.clone());
                }
            }
        }
        *new = kept;
    } else if resource.status {
        object::copy_field(old, new, "status");
    }
    for field in [
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "namespace",
    ] {
        match old.pointer(&format!("/metadata/{field}")) {
            Some(value) => object::set_meta(new, field, value.clone()),
            None => {
                object::remove_meta(new, field);
            }
        }
    }
    let generate = old.pointer("/metadata/generateName").cloned();
    match generate {
        Some(value) => object::set_meta(new, "generateName", value),
        None => {
            object::remove_meta(new, "generateName");
        }
    }
}

/// What mutating webhooks are shown of an update.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) object: Value,
    /// Its fields are owned as of now.
    pub(crate) stamped: bool,
}

/// What mutating webhooks are shown of an update, if there are any: the object before the server
/// keeps what is its own.
pub(crate) fn as_sent(server: &Server, call: &Call, new: &Value) -> Option<Value> {
    webhooks::may_mutate(server, &call.resource).then(|| new.clone())
}

/// From the owned object to the stored one: preconditions, validation, generation, no-op.
pub(crate) fn finish(
    server: &mut Server,
    call: &Call,
    old: &Arc<Value>,
    sent: Option<Sent>,
    mut new: Value,
    decoded: &Decoded,
) -> Result<Arc<Value>, ApiError> {
    let resource = &call.resource;
    let kept = old;
    let old = &match crd::conversion::read(resource, kept) {
        Cow::Borrowed(_) => Arc::clone(kept),
        Cow::Owned(read) => Arc::new(read),
    };
    if resource.plural == "events" {
        new = crate::events::store(new);
        crate::events::complete(&mut new);
    }
    let asked = Asked {
        call,
        resource,
        operation: Operation::Update,
        old: Some(old),
        dry_run: call.dry_run,
        options: None,
    };
    let (mut mutated, mut placed) = (false, Ok(()));
    if let Some(Sent {
        object: mut sent,
        stamped,
    }) = sent
    {
        // What the server itself keeps comes after them.
        match new.pointer("/metadata/managedFields") {
            Some(owned) => object::set_meta(&mut sent, "managedFields", owned.clone()),
            None => drop(object::remove_meta(&mut sent, "managedFields")),
        }
        mutated = webhooks::mutate(server, asked, stamped, &mut sent)?;
        if mutated {
            placed = super::create::place(call, &mut sent);
            new = sent;
            keep_system_fields(call, old, &mut new);
        }
    }
    if call.info.subresource.is_empty() {
        escalation::check(server, call, Some(old), &new)?;
    }
    let sent = object::resource_version(&new);
    if sent.is_empty() && wants_version(resource) {
        let cause = crate::status::Cause::invalid(
            "metadata.resourceVersion",
            &Value::from(0),
            "must be specified for an update",
        );
        // The real server names the resource here, not the kind.
        return Err(ApiError::invalid(
            &resource.plural,
            &resource.group,
            &call.info.name,
            &[cause],
        ));
    }
    if !matches!(sent, "" | "0") && sent != object::resource_version(old) {
        return Err(ApiError::modified(resource, &call.info.name));
    }
    placed?;
    object::set_meta(&mut new, "resourceVersion", object::resource_version(old));
    let subresource = call.info.subresource.as_str();
    let mut read = Arc::clone(old);
    if services::are(resource) && subresource.is_empty() {
        services::as_read(Arc::make_mut(&mut read));
    }
    admission::defaults::on_update(server, resource, subresource, &read, &mut new)?;
    admission::validation::check(resource, subresource, Some(&read), &new, decoded)?;
    if let Some(custom) = resource.custom() {
        crd::shape::tidy(custom, &mut new);
    }
    crd::definition::check(resource, Some(old), &new)?;
    if call.info.subresource.is_empty() {
        crate::workloads::script::check(resource, &new)?;
    }
    admission::claims::resize(server, call, old, &new)?;
    if resource.generation
        && call.info.subresource.is_empty()
        && spec_changed(resource, old, &new, decoded)
    {
        object::set_meta(&mut new, "generation", object::generation(old) + 1);
    }
    webhooks::validate(server, asked, Some(&new))?;
    if mutated && let Some(custom) = resource.custom() {
        crd::shape::forget_unknown(custom, &resource.kind, &mut new);
    }
    if call.info.subresource.is_empty() {
        admission::quota::admit(server, resource, Some(old), &new, call.dry_run)?;
    }
    if is_finalized(resource, &new) {
        // The answer is what was sent; nothing of it was stored.
        if !call.dry_run {
            server.erase(&resource.store, &call.key());
        }
        return Ok(Arc::new(new));
    }
    admission::defaults::forget_empty_rules(&mut new);
    if !call.dry_run {
        crd::conversion::store(resource, &mut new);
    }
    // What is stored otherwise than it would be now is written even if it is read the same.
    let old = kept;
    let empty = server.unsettled.get(object::uid(old));
    // The status is stored with the metadata that was there.
    let emptied = decoded.emptied.clone().filter(|_| subresource.is_empty());
    if emptied.is_some() {
        // What is left empty differs from what is read of it, so that its time is a new one.
        if **old == new && empty == emptied.as_ref() {
            return Ok(Arc::clone(old));
        }
    } else if same_but_times(old, &new) {
        if empty.is_none() {
            return Ok(Arc::clone(old));
        }
        new = old.as_ref().clone();
    }
    if call.dry_run {
        return Ok(Arc::new(new));
    }
    Ok(super::create::store(server, resource, new, emptied))
}

/// Whether nothing keeps an object any longer that is being deleted. A namespace is kept by its
/// content, for which its specification has a finalizer.
pub(crate) fn is_finalized(resource: &Resource, object: &Value) -> bool {
    let grace = object.pointer("/metadata/deletionGracePeriodSeconds");
    object::is_deleting(object)
        && object::finalizers(object).is_empty()
        && grace.is_none_or(|grace| grace == 0)
        && (!resource.is("", "namespaces") || crate::namespaces::spec_finalizers(object).is_empty())
}

/// Whether two states differ in nothing but the times of managed-fields entries. Entries stand in
/// the order of their times, so that whoever writes again what he wrote before another still changes
/// something.
fn same_but_times(old: &Value, new: &Value) -> bool {
    old == new
        || same_but("metadata", old, new, |old, new| {
            same_but("managedFields", old, new, |old, new| match (old, new) {
                (Value::Array(old), Value::Array(new)) => {
                    let timeless = |(old, new)| same_but("time", old, new, |_, _| true);
                    old.len() == new.len() && old.iter().zip(new).all(timeless)
                }
                _ => old == new,
            })
        })
}

/// Whether two values are the same, one member judged apart; it is null where there is none.
fn same_but(
    member: &str,
    old: &Value,
    new: &Value,
    judge: impl Fn(&Value, &Value) -> bool,
) -> bool {
    let (Value::Object(old_map), Value::Object(new_map)) = (old, new) else {
        return old == new;
    };
    let old_others = old_map.iter().filter(|(key, _)| *key != member);
    let new_others = new_map.iter().filter(|(key, _)| *key != member);
    old_others.eq(new_others) && judge(&old[member], &new[member])
}
