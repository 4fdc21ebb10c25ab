//! A request on a resource as the verbs get it, and how objects are shown to whoever sent it.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::{
    admission::services,
    kinds::{Origin, Resource},
    object,
    request::{Reply, Request, Response, User},
    routing::RequestInfo,
    status::{ApiError, Cause},
};

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
