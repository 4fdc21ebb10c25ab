//! `list`: selectors, pages, and lists at a revision.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{Call, Form};
use crate::{
    kinds::Resource,
    object,
    request::{Reply, Response},
    routing::Query,
    selector::{FieldSelector, LabelSelector},
    server::Server,
    status::{ApiError, Cause},
};

/// Both selectors of a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    pub(crate) labels: LabelSelector,
    pub(crate) fields: FieldSelector,
}

impl Selection {
    /// Reads both, with the other options of the request checked in between.
    pub(crate) fn read(
        resource: &Resource,
        query: &Query,
        check_options: impl FnOnce(&Query) -> Result<(), ApiError>,
    ) -> Result<Self, ApiError> {
        let labels = LabelSelector::parse(query.get("labelSelector").unwrap_or_default())?;
        let fields = FieldSelector::parse(query.get("fieldSelector").unwrap_or_default())?;
        check_options(query)?;
        fields.check(resource, selectable(resource))?;
        Ok(Self { labels, fields })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.labels.matches(object) && self.fields.matches(object)
    }
}

/// Fields beside name and namespace that a built-in kind can be selected by.
fn selectable(resource: &Resource) -> &'static [&'static str] {
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "pods") => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName",
        ],
        ("", "secrets") => &["type"],
        ("", "namespaces") => &["status.phase"],
        ("", "nodes") => &["spec.unschedulable"],
        ("", "services") => &["spec.clusterIP", "spec.type"],
        ("", "events") => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        ("", "replicationcontrollers") => &["status.replicas"],
        ("batch", "jobs") => &["status.successful"],
        _ => &[],
    }
}

/// Fails for revisions that aren't numbers or lie in the future.
pub(crate) fn check_revision(server: &Server, asked: &str) -> Result<u64, ApiError> {
    let revision: u64 = asked.parse().map_err(|_| {
        ApiError::bad_request(format!("invalid resource version: resourceVersion: Invalid value: {asked:?}: strconv.ParseUint: parsing {asked:?}: invalid syntax"))
    })?;
    if revision > server.store.revision() {
        let message = format!(
            "Timeout: Too large resource version: {revision}, current: {}",
            server.store.revision()
        );
        let mut error = ApiError::internal(message);
        error.code = 504;
        error.reason = "Timeout".into();
        error.details = json!({
            "causes": [{ "reason": "ResourceVersionTooLarge", "message": "Too large resource version" }],
            "retryAfterSeconds": 1
        });
        error.retry_after = Some(1);
        return Err(error);
    }
    Ok(revision)
}

const EXPIRED_LIST: &str = "The resourceVersion for the provided list is too old.";

const EXPIRED_TOKEN: &str = "The provided continue parameter is too old to display a consistent list result. You can \
     start a new list without the continue parameter, or use the continue token in this response \
     to retrieve the remainder of the results. Continuing with the provided token results in an \
     inconsistent list - objects that were created, modified, or deleted between the time the \
     first chunk was returned and now may show up in the list.";

struct Page {
    revision: u64,
    after: Option<String>,
}

fn read_token(token: &str) -> Result<Page, ApiError> {
    let invalid = || {
        ApiError::bad_request(
            "invalid continue token: continue key is not valid: encoded continue token is malformed",
        )
    };
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| invalid())?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|_| invalid())?;
    Ok(Page {
        revision: value["rv"].as_u64().ok_or_else(invalid)?,
        after: Some(value["start"].as_str().ok_or_else(invalid)?.to_owned()),
    })
}

fn write_token(revision: u64, last: &str) -> String {
    let value = json!({ "v": "meta.k8s.io/v1", "rv": revision, "start": last });
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// Options of a list that contradict each other.
fn check_options(query: &Query) -> Result<(), ApiError> {
    let mut causes = Vec::new();
    let (revision, token) = (query.get("resourceVersion"), query.get("continue"));
    let field = "resourceVersionMatch";
    if let Some(how) = query.get(field) {
        if revision.is_none() {
            let what = "resourceVersionMatch is forbidden unless resourceVersion is provided";
            causes.push(Cause::forbidden(field, what));
        }
        if token.is_some() {
            let what = "resourceVersionMatch is forbidden when continue is provided";
            causes.push(Cause::forbidden(field, what));
        }
        if !matches!(how, "Exact" | "NotOlderThan") {
            let known = ["Exact", "NotOlderThan", ""].map(str::to_owned);
            causes.push(Cause::unsupported(field, &json!(how), &known));
        }
        if how == "Exact" && revision == Some("0") {
            let what = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
            causes.push(Cause::forbidden(field, what));
        }
    }
    if query.get("sendInitialEvents").is_some() {
        let what = "sendInitialEvents is forbidden for list";
        causes.push(Cause::forbidden("sendInitialEvents", what));
    }
    invalid_options(&causes)
}

pub(crate) fn invalid_options(causes: &[Cause]) -> Result<(), ApiError> {
    if causes.is_empty() {
        return Ok(());
    }
    let error = ApiError::invalid("ListOptions", "meta.k8s.io", "", causes);
    Err(error)
}

/// The namespace that a list is confined to; empty for all.
pub(crate) fn scope(call: &Call) -> &str {
    if call.resource.namespaced {
        &call.info.namespace
    } else {
        ""
    }
}

pub(crate) fn list(server: &mut Server, call: &Call) -> Result<Reply, ApiError> {
    let query = &call.info.query;
    let limit: usize = match query.get("limit") {
        Some(limit) => limit.parse().map_err(|_| {
            ApiError::bad_request(format!(
                "strconv.ParseInt: parsing {limit:?}: invalid syntax"
            ))
        })?,
        None => 0,
    };
    // Whatever the cache has comes as it is.
    let cached = query.get("resourceVersion") == Some("0")
        && query.get("continue").is_none_or(str::is_empty);
    let limit = if cached { 0 } else { limit };
    let selection = Selection::read(&call.resource, query, check_options)?;
    let current = server.store.revision();
    let page = if let Some(token) = query.get("continue") {
        let page = read_token(token)?;
        if query
            .get("resourceVersion")
            .is_some_and(|revision| revision != "0")
        {
            let what = "specifying resource version is not allowed when using continue";
            return Err(ApiError::bad_request(what));
        }
        page
    } else {
        let asked = query
            .get("resourceVersion")
            .map(|r| check_revision(server, r))
            .transpose()?;
        let exact = match query.get("resourceVersionMatch") {
            // Who asks for a page of a revision means that one, as clients did before they could
            // say so. A list of one name isn't read in pages.
            None => limit > 0 && !selection.fields.names_one(),
            Some(how) => how == "Exact",
        };
        Page {
            revision: asked.filter(|_| exact).unwrap_or(current),
            after: None,
        }
    };
    let table = &call.resource.store;
    let objects = if page.revision == current {
        server
            .store
            .list(table, scope(call))
            .map(|(k, v)| (k.clone(), Arc::clone(v)))
            .collect()
    } else {
        server
            .store
            .snapshot(table, scope(call), page.revision)
            .ok_or_else(|| {
                ApiError::expired(match page.after {
                    Some(_) => EXPIRED_TOKEN,
                    None => EXPIRED_LIST,
                })
            })?
    };
    let mut items = Vec::new();
    let mut left = objects
        .iter()
        .filter(|(key, _)| page.after.as_ref().is_none_or(|after| key > after));
    let mut last = String::new();
    for (key, object) in left.by_ref() {
        if !selection.matches(object) {
            continue;
        }
        items.push(item(call, object));
        last.clone_from(key);
        if limit > 0 && items.len() == limit {
            break;
        }
    }
    // Whatever is left counts, whether it would be chosen or not; one object has no pages.
    let remaining = if selection.fields.names_one() {
        0
    } else {
        left.count()
    };
    let mut meta = json!({ "resourceVersion": page.revision.to_string() });
    if call.resource.custom().is_some() && call.form == Form::Full {
        // Lists of custom resources write the field even when it is empty.
        object::members(&mut meta).insert("continue".into(), "".into());
    }
    if remaining > 0 {
        let map = object::members(&mut meta);
        map.insert("continue".into(), write_token(page.revision, &last).into());
        if selection.is_empty() {
            map.insert("remainingItemCount".into(), remaining.into());
        }
    }
    let (kind, api_version) = match call.form {
        Form::Full => (call.resource.list_kind(), call.resource.api_version()),
        Form::Metadata => ("PartialObjectMetadataList".into(), "meta.k8s.io/v1".into()),
    };
    // An empty list of metadata is none.
    let items = if items.is_empty() && call.form == Form::Metadata {
        Value::Null
    } else {
        Value::Array(items)
    };
    let body = json!({ "kind": kind, "apiVersion": api_version, "metadata": meta, "items": items });
    Ok(Reply::Response(Response::json(200, &body)))
}

/// An item of a list: built-in kinds leave `kind` and `apiVersion` to the list.
pub(crate) fn item(call: &Call, object: &Value) -> Value {
    let mut shown = call.show(object).into_owned();
    if call.resource.custom().is_none() && call.form == Form::Full {
        let map = object::members(&mut shown);
        map.remove("kind");
        map.remove("apiVersion");
    }
    shown
}
