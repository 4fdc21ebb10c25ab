//! `create`, by POST or by an apply of something that isn't there.

use std::sync::Arc;

use serde_json::Value;

use super::{Call, own};
use crate::{
    admission::{
        self,
        typed::{self, Decoded},
        webhooks::{self, Asked, Operation},
    },
    crd,
    kinds::Resource,
    managed::skeleton,
    object::{self, rfc3339},
    rbac::escalation,
    request::Reply,
    server::Server,
    status::{ApiError, Cause},
};

pub(crate) fn create(server: &mut Server, call: &Call) -> Result<Reply, ApiError> {
    // The router of built-in kinds knows no POST to an object; that of custom ones lets it create
    // what the body names.
    let named = call.info.named && call.resource.custom().is_none();
    if named || (call.resource.namespaced && call.info.namespace.is_empty()) {
        return Err(ApiError::method_not_allowed());
    }
    let mut new = super::decode(call)?;
    let decoded = prepare(call, &mut new)?;
    place(call, &mut new)?;
    let live = empty(call);
    let stamped = own(
        server,
        &call.resource,
        call.manager(),
        "",
        &live,
        &mut new,
        true,
    );
    let created = finish(server, call, new, &decoded, stamped, By::Create)?;
    Ok(call.respond(201, &created))
}

/// What a new object of this kind is compared with.
pub(crate) fn empty(call: &Call) -> Value {
    let resource = &call.resource;
    skeleton::empty(
        &resource.api_version(),
        &resource.kind,
        resource.custom().is_some(),
    )
}

/// Whether an object waits for its name.
fn is_unnamed(object: &Value) -> bool {
    object::name(object).is_empty() && object::meta_str(object, "generateName").is_some()
}

/// The namespace of the path is the object's.
pub(crate) fn place(call: &Call, new: &mut Value) -> Result<(), ApiError> {
    if !call.resource.namespaced {
        object::remove_meta(new, "namespace");
        return Ok(());
    }
    let found = object::namespace(new);
    if found.is_empty() {
        object::set_meta(new, "namespace", call.info.namespace.clone());
    } else if found != call.info.namespace {
        return Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    Ok(())
}

/// What the decoder does before anybody looks at the object: unknown fields, types, defaults.
pub(crate) fn prepare(call: &Call, new: &mut Value) -> Result<Decoded, ApiError> {
    prepare_or(call, new, unhandled)
}

/// The same, with an error of one's own about what can't be decoded.
pub(crate) fn prepare_or(
    call: &Call,
    new: &mut Value,
    unhandled: impl Fn(&Call, &Value, &str) -> ApiError,
) -> Result<Decoded, ApiError> {
    let decoded = read(call, new).map_err(|why| unhandled(call, new, &why))?;
    let unknown = &decoded.unknown;
    if call.info.query.get("fieldValidation") == Some("Strict") && !unknown.is_empty() {
        let listed: Vec<String> = unknown
            .iter()
            .map(|field| format!("unknown field {field:?}"))
            .collect();
        let why = format!("strict decoding error: {}", listed.join(", "));
        return Err(unhandled(call, new, &why));
    }
    Ok(decoded)
}

/// What is left of an object once it is decoded, whatever the request says about unknown fields; the
/// error is the decoder's.
pub(crate) fn read(call: &Call, new: &mut Value) -> Result<Decoded, String> {
    let resource = &call.resource;
    if let Some(custom) = resource.custom() {
        let applied = call.content_type == super::APPLY;
        let kind = &resource.kind;
        return Ok(crd::shape::shape(custom, kind, new, applied));
    }
    let kind = stageset_schema::kind(&resource.group, &resource.version, &resource.kind);
    let mut decoded = match kind {
        Some(kind) => typed::decode(new, kind.schema(), &resource.kind)?,
        None => Decoded::default(),
    };
    let unlabelled = !admission::defaults::is_labelled(new);
    admission::defaults::apply(resource, new);
    // Until it has a name each try to store an object is with a copy, which shares nothing.
    let shares = !is_unnamed(new) && admission::defaults::gives_labels(resource, new, &decoded);
    decoded.takes_labels = unlabelled && shares;
    decoded.lacks_labels = !shares && !admission::defaults::is_labelled(new);
    Ok(decoded)
}

/// A body that can't be decoded; of a patch, the patched object that can't be.
fn unhandled(call: &Call, new: &Value, why: &str) -> ApiError {
    let resource = &call.resource;
    if call.info.verb == "patch" {
        return unpatchable(&new.to_string(), why);
    }
    ApiError::bad_request(format!(
        "{} in version \"{}\" cannot be handled as a {}: {why}",
        resource.kind, resource.version, resource.kind
    ))
}

/// A patch whose result can't be decoded.
pub(crate) fn unpatchable(shown: &str, why: &str) -> ApiError {
    let cause = Cause::invalid("patch", &Value::from(shown), why);
    ApiError::invalid("", "", "", &[cause])
}

/// What creates an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Create,
    /// An update or an apply, to which a version means nothing where there is no object yet.
    Update,
}

/// Everything from the owned object to the stored one; `stamped` if it is owned as of now.
pub(crate) fn finish(
    server: &mut Server,
    call: &Call,
    mut new: Value,
    decoded: &Decoded,
    stamped: bool,
    by: By,
) -> Result<Arc<Value>, ApiError> {
    let resource = &call.resource;
    if resource.plural == "events" {
        new = crate::events::store(new);
        crate::events::complete(&mut new);
    }
    crd::lifecycle::check_open(server, resource, object::name(&new))?;
    admission::namespace_lifecycle(server, call, object::shown_name(&new))?;
    admission::accounts::admit(server, resource, &mut new)?;
    let asked = Asked {
        call,
        resource,
        operation: Operation::Create,
        old: None,
        dry_run: call.dry_run,
        options: None,
    };
    let mutated = webhooks::mutate(server, asked, stamped, &mut new)?;
    if mutated {
        place(call, &mut new)?;
    }
    if is_unnamed(&new)
        && let Some(prefix) = object::meta_str(&new, "generateName").map(str::to_owned)
    {
        let short: String = prefix.chars().take(58).collect();
        let name = format!("{short}{}", server.ids.suffix());
        object::set_meta(&mut new, "name", name);
    }
    escalation::check(server, call, None, &new)?;
    let sent = object::resource_version(&new).to_owned();
    for field in [
        "uid",
        "selfLink",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
    ] {
        object::remove_meta(&mut new, field);
    }
    object::set_meta(&mut new, "uid", server.ids.uid());
    object::set_meta(&mut new, "creationTimestamp", rfc3339(server.now));
    if resource.generation {
        object::set_meta(&mut new, "generation", 1);
    }
    if resource.status {
        object::members(&mut new).remove("status");
    }
    let subresource = call.info.subresource.as_str();
    admission::defaults::on_create(server, resource, subresource, decoded, &mut new)?;
    admission::defaults::forget_empty_rules(&mut new);
    admission::validation::check(resource, subresource, None, &new, decoded)?;
    if let Some(custom) = resource.custom() {
        crd::shape::tidy(custom, &mut new);
    }
    crd::definition::check(resource, None, &new)?;
    crate::workloads::script::check(resource, &new)?;
    webhooks::validate(server, asked, Some(&new))?;
    object::remove_meta(&mut new, "resourceVersion");
    if mutated && let Some(custom) = resource.custom() {
        crd::shape::forget_unknown(custom, &resource.kind, &mut new);
    }
    let key = crate::store::object_key(object::namespace(&new), object::name(&new));
    if subresource.is_empty() {
        // Counted even if it turns out to exist, until the quota is counted anew.
        admission::quota::admit(server, resource, None, &new, call.dry_run)?;
    }
    let versioned = !matches!(sent.as_str(), "" | "0");
    if versioned && !call.dry_run && by == By::Create {
        return Err(ApiError::internal(
            "resourceVersion should not be set on objects to be created",
        ));
    }
    if let Some(existing) = server.store.get(&resource.store, &key) {
        let mut error = ApiError::already_exists(resource, object::name(&new));
        if object::is_deleting(existing) {
            error.message = format!("object is being deleted: {}", error.message);
        }
        return Err(error);
    }
    admission::defaults::lend(resource, &mut new);
    if call.dry_run {
        // Nothing is stored, so nothing replaces the version that was sent.
        if versioned || by == By::Update && !sent.is_empty() {
            object::set_meta(&mut new, "resourceVersion", sent);
        }
        return Ok(Arc::new(new));
    }
    let empty = admission::defaults::unsettled(resource, decoded);
    crd::conversion::store(resource, &mut new);
    Ok(store(server, resource, new, empty))
}

/// Stores an object, and remembers with which empty fields if it isn't read as it is stored.
pub(crate) fn store(
    server: &mut Server,
    resource: &Resource,
    object: Value,
    empty: Option<Vec<String>>,
) -> Arc<Value> {
    let stored = server.commit(&resource.store, object);
    if let Some(empty) = empty {
        let uid = object::uid(&stored).to_owned();
        server.unsettled.insert(uid, empty);
    }
    stored
}
