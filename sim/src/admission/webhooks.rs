//! Admission webhooks: whom a configuration asks about which request, what the answers do, and
//! what happens when nobody answers.
//!
//! What answers is a handler in this process, registered for a Service or an URL with
//! [`crate::Server::serve_webhook`]. Where none is, calling fails, and the failure policy decides.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::validation::at;
use crate::{
    kinds::{Resource, StoreKey},
    object,
    patch::json as json_patch,
    selector::LabelSelector,
    server::Server,
    status::ApiError,
    verbs::Call,
};

const GROUP: &str = "admissionregistration.k8s.io";

/// Answers an `AdmissionReview` with one; an error is a call that failed, in its words.
pub trait WebhookHandler: Send {
    /// The answer to a review.
    fn review(&mut self, review: &Value) -> Result<Value, String>;
}

impl<F: FnMut(&Value) -> Result<Value, String> + Send> WebhookHandler for F {
    fn review(&mut self, review: &Value) -> Result<Value, String> {
        self(review)
    }
}

/// What is about to happen to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Update,
    Delete,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

/// A request as webhooks see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) call: &'a Call,
    pub(crate) resource: &'a Resource,
    pub(crate) operation: Operation,
    pub(crate) old: Option<&'a Value>,
    pub(crate) dry_run: bool,
}

struct Hook {
    configuration: String,
    hook: Value,
}

/// Lets mutating webhooks change an object (of a deletion: refuse it).
pub(crate) fn mutate(
    server: &mut Server,
    asked: Asked<'_>,
    new: &mut Value,
) -> Result<(), ApiError> {
    for hook in hooks(server, asked.resource, "mutatingwebhookconfigurations") {
        let subject = (asked.operation != Operation::Delete).then_some(&*new);
        if !concerns(server, &hook.hook, asked, subject) {
            continue;
        }
        let Some(patch) = call(server, &hook, asked, subject)? else {
            continue;
        };
        if asked.operation == Operation::Delete {
            return Err(internal(&format!(
                "admission webhook {:?} attempted to modify the object, which is not supported for \
                 this operation",
                text(&hook.hook, "name")
            )));
        }
        let shown = crate::verbs::present(asked.resource, new);
        let patched = json_patch::apply(&shown, &patch).map_err(|why| {
            internal(&format!(
                "the patch of webhook {}: {why:?}",
                hook.configuration
            ))
        })?;
        *new = patched;
        crate::verbs::create::prepare(asked.call, new)?;
    }
    Ok(())
}

/// Lets validating webhooks refuse what was found valid.
pub(crate) fn validate(
    server: &mut Server,
    asked: Asked<'_>,
    new: Option<&Value>,
) -> Result<(), ApiError> {
    for hook in hooks(server, asked.resource, "validatingwebhookconfigurations") {
        if concerns(server, &hook.hook, asked, new) {
            call(server, &hook, asked, new)?;
        }
    }
    Ok(())
}

fn internal(why: &str) -> ApiError {
    let mut error = ApiError::internal(format!("Internal error occurred: {why}"));
    error.reason = "InternalError";
    error.details = json!({ "causes": [{ "message": why }] });
    error
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// All webhooks of a kind of configuration. Their own configurations they can't touch.
fn hooks(server: &Server, resource: &Resource, plural: &str) -> Vec<Hook> {
    if resource.group == GROUP {
        return Vec::new();
    }
    server
        .store
        .list(&StoreKey::new(GROUP, plural), "")
        .flat_map(|(_, configuration)| {
            let hooks = configuration.get("webhooks").and_then(Value::as_array);
            hooks.into_iter().flatten().map(|hook| Hook {
                configuration: object::name(configuration).to_owned(),
                hook: hook.clone(),
            })
        })
        .collect()
}

/// Whether a webhook is to be asked.
fn concerns(server: &Server, hook: &Value, asked: Asked<'_>, new: Option<&Value>) -> bool {
    let rules = hook.get("rules").and_then(Value::as_array);
    let matched = rules.into_iter().flatten().any(|rule| covers(rule, asked));
    matched && namespace_fits(server, hook, asked) && object_fits(hook, asked.old, new)
}

fn covers(rule: &Value, asked: Asked<'_>) -> bool {
    let has = |field: &str, wanted: &str| {
        let list = rule.get(field).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .any(|item| item == "*" || item == wanted)
    };
    let resource = asked.resource;
    let scope = match text(rule, "scope") {
        "Cluster" => !resource.namespaced || resource.is("", "namespaces"),
        "Namespaced" => resource.namespaced,
        _ => true,
    };
    let subresource = asked.call.info.subresource.as_str();
    let listed = rule.get("resources").and_then(Value::as_array);
    let resources = listed.into_iter().flatten().filter_map(Value::as_str);
    let resource_fits = resources.into_iter().any(|wanted| {
        let (name, sub) = wanted.split_once('/').unwrap_or((wanted, ""));
        (name == "*" || name == resource.plural)
            && (sub == subresource || sub == "*" || wanted == "*/*")
    });
    scope
        && has("operations", asked.operation.name())
        && has("apiGroups", &resource.group)
        && has("apiVersions", &resource.version)
        && resource_fits
}

fn namespace_fits(server: &Server, hook: &Value, asked: Asked<'_>) -> bool {
    let Some(selector) = hook.get("namespaceSelector") else {
        return true;
    };
    let namespaces = StoreKey::new("", "namespaces");
    let namespace = if asked.resource.is("", "namespaces") {
        asked.old.cloned()
    } else if asked.resource.namespaced {
        let name = &asked.call.info.namespace;
        server
            .find(&namespaces, "", name)
            .map(|n| n.as_ref().clone())
    } else {
        return true;
    };
    LabelSelector::from_object(selector).is_some_and(|s| s.matches(&namespace.unwrap_or_default()))
}

fn object_fits(hook: &Value, old: Option<&Value>, new: Option<&Value>) -> bool {
    let Some(selector) = hook
        .get("objectSelector")
        .and_then(LabelSelector::from_object)
    else {
        return true;
    };
    [old, new]
        .into_iter()
        .flatten()
        .any(|object| selector.matches(object))
}

/// Calls one webhook: the patch that it wants, or its refusal.
fn call(
    server: &mut Server,
    hook: &Hook,
    asked: Asked<'_>,
    new: Option<&Value>,
) -> Result<Option<Value>, ApiError> {
    let name = text(&hook.hook, "name");
    if asked.dry_run && !matches!(text(&hook.hook, "sideEffects"), "None" | "NoneOnDryRun") {
        let why = format!("admission webhook {name:?} does not support dry run");
        return Err(ApiError::bad_request(why));
    }
    let uid = server.ids.uid();
    let review = review(&uid, asked, new);
    let target = at(&hook.hook, "clientConfig");
    let answered =
        ask(server, target, &hook.hook, &review).and_then(|answer| verified(&answer, &uid));
    let answer = match answered {
        Ok(answer) => answer,
        Err(_) if text(&hook.hook, "failurePolicy") == "Ignore" => return Ok(None),
        Err(why) => return Err(internal(&format!("failed calling webhook {name:?}: {why}"))),
    };
    if answer.get("allowed") != Some(&Value::Bool(true)) {
        return Err(refusal(name, at(&answer, "status")));
    }
    let patch = answer.get("patch").and_then(Value::as_str);
    Ok(patch
        .and_then(|patch| STANDARD.decode(patch).ok())
        .and_then(|patch| serde_json::from_slice(&patch).ok()))
}

fn review(uid: &str, asked: Asked<'_>, new: Option<&Value>) -> Value {
    let (call, resource) = (asked.call, asked.resource);
    let show = |object: Option<&Value>| {
        object.map_or(Value::Null, |o| {
            crate::verbs::present(resource, o).into_owned()
        })
    };
    let kind = json!({
        "group": resource.group, "version": resource.version, "kind": resource.kind,
    });
    let plural = json!({
        "group": resource.group, "version": resource.version, "resource": resource.plural,
    });
    let name = new.or(asked.old).map_or("", object::name);
    let mut request = json!({
        "uid": uid, "kind": kind, "resource": plural,
        "requestKind": kind, "requestResource": plural,
        "name": name, "operation": asked.operation.name(),
        "userInfo": { "username": call.user.name, "groups": call.user.groups },
        "object": show(new), "oldObject": show(asked.old), "dryRun": asked.dry_run,
    });
    let map = object::members(&mut request);
    if !call.info.namespace.is_empty() {
        map.insert("namespace".into(), json!(call.info.namespace));
    }
    if !call.info.subresource.is_empty() {
        map.insert("subResource".into(), json!(call.info.subresource));
        map.insert("requestSubResource".into(), json!(call.info.subresource));
    }
    json!({ "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request })
}

/// The key under which a handler is registered: an URL, or `NAMESPACE/NAME/PATH` of a Service.
fn endpoint(target: &Value) -> String {
    if let Some(url) = target.get("url").and_then(Value::as_str) {
        url.to_owned()
    } else {
        let service = at(target, "service");
        let path = text(service, "path").trim_start_matches('/');
        format!(
            "{}/{}/{path}",
            text(service, "namespace"),
            text(service, "name")
        )
    }
}

fn ask(server: &mut Server, target: &Value, hook: &Value, review: &Value) -> Result<Value, String> {
    let key = endpoint(target);
    let seconds = at(hook, "timeoutSeconds").as_i64().unwrap_or(10);
    let service = at(target, "service");
    let url = if service.is_object() {
        let (namespace, name) = (text(service, "namespace"), text(service, "name"));
        let port = at(service, "port").as_i64().unwrap_or(443);
        let path = text(service, "path").trim_start_matches('/');
        format!("https://{name}.{namespace}.svc:{port}/{path}?timeout={seconds}s")
    } else {
        format!("{key}?timeout={seconds}s")
    };
    let failed = |why: String| format!("failed to call webhook: Post {url:?}: {why}");
    if service.is_object() {
        let (namespace, name) = (text(service, "namespace"), text(service, "name"));
        let known = server.find(&StoreKey::new("", "services"), namespace, name);
        if known.is_none() && !server.webhooks.contains_key(&key) {
            return Err(failed(format!("service {name:?} not found")));
        }
        if !server.webhooks.contains_key(&key) {
            let why = format!("no endpoints available for service {name:?}");
            return Err(failed(why));
        }
    }
    let Some(mut handler) = server.webhooks.remove(&key) else {
        return Err(failed("dial tcp: connect: connection refused".into()));
    };
    let answer = handler.review(review);
    server.webhooks.insert(key, handler);
    answer.map_err(failed)
}

/// The response in an answer, if it is one to this question.
fn verified(answer: &Value, uid: &str) -> Result<Value, String> {
    let invalid = |why: &str| format!("received invalid webhook response: {why}");
    let response = answer
        .get("response")
        .filter(|r| r.is_object())
        .ok_or_else(|| invalid("webhook response was absent"))?;
    let found = text(response, "uid");
    if found != uid {
        return Err(invalid(&format!(
            "expected response.uid={uid:?}, got {found:?}"
        )));
    }
    Ok(response.clone())
}

/// What the client hears of a webhook's refusal.
fn refusal(name: &str, status: &Value) -> ApiError {
    let denied = format!("admission webhook {name:?} denied the request");
    let reason = text(status, "reason");
    let message = match (text(status, "message"), reason) {
        ("", "") => format!("{denied} without explanation"),
        ("", reason) => format!("{denied}: {reason}"),
        (message, _) => format!("{denied}: {message}"),
    };
    let code = at(status, "code")
        .as_u64()
        .and_then(|code| u16::try_from(code).ok())
        .unwrap_or(0)
        .max(400);
    ApiError {
        code,
        reason: known_reason(reason),
        message,
        details: at(status, "details").clone(),
        retry_after: None,
        plain: false,
    }
}

/// Reasons are texts of the program; a webhook's own one is left out.
fn known_reason(reason: &str) -> &'static str {
    const KNOWN: [&str; 8] = [
        "Forbidden",
        "Invalid",
        "Conflict",
        "NotFound",
        "BadRequest",
        "Unauthorized",
        "TooManyRequests",
        "InternalError",
    ];
    KNOWN.into_iter().find(|k| *k == reason).unwrap_or("")
}
