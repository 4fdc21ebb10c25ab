//! The verbs on resources: one file for each, and here what they share.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod list;
pub(crate) mod patch;
pub(crate) mod update;

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::{
    admission::{services, typed::Decoded},
    body,
    kinds::{Origin, Resource},
    managed::{
        apply::{self, Writer},
        entries::Manager,
        set::{Element, FieldSet},
        types::Type,
    },
    object,
    request::{Reply, Request, Response, User},
    reviews,
    routing::RequestInfo,
    server::Server,
    status::{ApiError, Cause},
    watch,
};

pub(crate) const APPLY: &str = "application/apply-patch+yaml";

/// One request on a resource, after authentication, impersonation and authorization.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) info: RequestInfo,
    pub(crate) user: User,
    pub(crate) resource: Arc<Resource>,
    pub(crate) body: Bytes,
    pub(crate) content_type: String,
    pub(crate) form: Form,
    pub(crate) dry_run: bool,
    /// `fieldManager` as given.
    pub(crate) field_manager: String,
    /// Its stand-in: the first part of the user agent.
    pub(crate) agent: String,
}

/// How objects are to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Full,
    /// `PartialObjectMetadata`.
    Metadata,
}

impl Call {
    pub(crate) fn new(
        request: &Request,
        info: RequestInfo,
        user: User,
        resource: Arc<Resource>,
    ) -> Result<Self, ApiError> {
        let dry_run = match info.query.all("dryRun").as_slice() {
            [] => false,
            all if all.iter().all(|v| *v == "All") => true,
            all => {
                let value = json!(all);
                let cause = Cause::unsupported("dryRun", &value, &["All".to_owned()]);
                let (kind, group) = options_kind(&info.verb);
                return Err(ApiError::invalid(kind, group, "", &[cause]));
            }
        };
        let (kind, group) = options_kind(&info.verb);
        if info
            .query
            .get("fieldManager")
            .is_some_and(|m| m.len() > 128)
        {
            let cause = Cause::new(
                "FieldValueTooLong",
                "fieldManager",
                "Too long: may not be more than 128 bytes".into(),
            );
            return Err(ApiError::invalid(kind, group, "", &[cause]));
        }
        let validation = info.query.get("fieldValidation").unwrap_or_default();
        let known = ["", "Ignore", "Strict", "Warn"].map(str::to_owned);
        if !known.iter().any(|k| k == validation) {
            let cause = Cause::unsupported("fieldValidation", &json!(validation), &known);
            return Err(ApiError::invalid(kind, group, "", &[cause]));
        }
        let agent = request.header("user-agent").unwrap_or("unknown");
        let agent = agent.split('/').next().unwrap_or_default();
        let content_type = request.header("content-type").unwrap_or_default();
        let content_type = content_type.split(';').next().unwrap_or_default().trim();
        Ok(Self {
            form: form(request.header("accept"))?,
            user,
            resource,
            body: request.body.clone(),
            content_type: content_type.to_owned(),
            dry_run,
            field_manager: info
                .query
                .get("fieldManager")
                .unwrap_or_default()
                .to_owned(),
            agent: agent.to_owned(),
            info,
        })
    }

    /// The name of the field manager of a write that isn't an apply.
    pub(crate) fn manager(&self) -> &str {
        if self.field_manager.is_empty() {
            &self.agent
        } else {
            &self.field_manager
        }
    }

    /// The key of the object that the path names.
    pub(crate) fn key(&self) -> String {
        let namespace = if self.resource.namespaced {
            self.info.namespace.as_str()
        } else {
            ""
        };
        crate::store::object_key(namespace, &self.info.name)
    }

    /// Answers with an object in the form that was asked for.
    pub(crate) fn respond(&self, code: u16, object: &Value) -> Reply {
        Reply::Response(Response::json(code, &self.show(object)))
    }

    /// An object in this version and form.
    pub(crate) fn show<'a>(&self, object: &'a Value) -> Cow<'a, Value> {
        match self.form {
            // The store of the status shows what is stored.
            Form::Full if services::are(&self.resource) && self.info.subresource.is_empty() => {
                let mut shown = self.show_stored(object);
                services::as_read(shown.to_mut());
                shown
            }
            Form::Full | Form::Metadata => self.show_stored(object),
        }
    }

    /// The same, without what reading makes up.
    pub(crate) fn show_stored<'a>(&self, object: &'a Value) -> Cow<'a, Value> {
        match self.form {
            Form::Full => present(&self.resource, object),
            Form::Metadata => Cow::Owned(json!({
                "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
                "metadata": self.metadata(object),
            })),
        }
    }

    /// What a metadata-only answer shows: the conversion leaves out the
    /// annotation a `DaemonSet`'s deprecated field is kept in.
    fn metadata(&self, object: &Value) -> Value {
        let mut metadata = object["metadata"].clone();
        if self.resource.group == "apps"
            && self.resource.plural == "daemonsets"
            && let Some(annotations) = metadata
                .get_mut("annotations")
                .and_then(Value::as_object_mut)
        {
            annotations.remove(crate::admission::defaults::TEMPLATE_GENERATION);
            if annotations.is_empty() {
                object::members(&mut metadata).remove("annotations");
            }
        }
        metadata
    }
}

fn options_kind(verb: &str) -> (&'static str, &'static str) {
    match verb {
        "create" => ("CreateOptions", "meta.k8s.io"),
        "update" => ("UpdateOptions", "meta.k8s.io"),
        "patch" => ("PatchOptions", "meta.k8s.io"),
        _ => ("DeleteOptions", "meta.k8s.io"),
    }
}

/// The stored object in the version of the resource it is asked through.
pub(crate) fn present<'a>(resource: &Resource, object: &'a Value) -> Cow<'a, Value> {
    if resource.plural == "events" && resource.store.plural == "events" {
        return Cow::Owned(crate::events::convert(object.clone(), &resource.group));
    }
    let mut out = crate::crd::conversion::read(resource, object);
    if let Origin::Custom(_) = resource.origin {
        let version = resource.api_version();
        if out.get("apiVersion").and_then(Value::as_str) != Some(&version) {
            object::members(out.to_mut()).insert("apiVersion".into(), version.into());
        }
    }
    out
}

fn form(accept: Option<&str>) -> Result<Form, ApiError> {
    let Some(accept) = accept.filter(|a| !a.trim().is_empty()) else {
        return Ok(Form::Full);
    };
    for part in accept.split(',') {
        let mut pieces = part.split(';').map(str::trim);
        let media = pieces.next().unwrap_or_default();
        if !matches!(media, "application/json" | "application/*" | "*/*") {
            continue;
        }
        let transform = pieces.find_map(|p| p.strip_prefix("as="));
        match transform {
            None => return Ok(Form::Full),
            Some("PartialObjectMetadata" | "PartialObjectMetadataList") => {
                return Ok(Form::Metadata);
            }
            // Tables are for people's terminals: kubectl accepts plain JSON as well.
            Some(_) => {}
        }
    }
    // What a real server would write and this one doesn't.
    for form in [
        "application/yaml",
        "application/vnd.kubernetes.protobuf",
        "application/cbor",
        "as=",
    ] {
        if accept.contains(form) {
            return Err(ApiError::not_modelled(format!(
                "answers in the form {accept:?}"
            )));
        }
    }
    Err(ApiError::not_acceptable(
        "only the following media types are accepted: application/json, application/yaml, \
         application/vnd.kubernetes.protobuf",
    ))
}

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
    if api_version != want {
        let (group, version) = object::split_api_version(&api_version);
        if resource.custom().is_none() && stageset_schema::kind(group, version, &kind).is_none() {
            return Err(ApiError::bad_request(format!(
                "{kind} in version {version:?} cannot be handled as a {}: no kind {kind:?} is \
                 registered for version {api_version:?} in scheme \"pkg/runtime/scheme.go:111\"",
                resource.kind
            )));
        }
        return Err(ApiError::bad_request(format!(
            "the API version in the data ({api_version}) does not match the expected API version ({want})"
        )));
    }
    if kind != resource.kind {
        let (group, version) = object::split_api_version(&api_version);
        if resource.custom().is_none() && stageset_schema::kind(group, version, &kind).is_none() {
            return Err(ApiError::bad_request(format!(
                "{kind} in version {version:?} cannot be handled as a {}: no kind {kind:?} is \
                 registered for version {api_version:?} in scheme \"pkg/runtime/scheme.go:111\"",
                resource.kind
            )));
        }
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
