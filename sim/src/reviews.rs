//! Reviews: questions that are created and answered, never stored.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    object,
    rbac::{Attributes, Decision},
    request::{Reply, User},
    selector::{FieldSelector, LabelSelector},
    server::Server,
    status::{ApiError, Cause},
    verbs::{self, Call},
};

/// Answers a review.
pub(crate) fn serve(server: &mut Server, call: &Call) -> Result<Reply, ApiError> {
    let mut review = verbs::decode(call)?;
    if call.resource.namespaced {
        verbs::create::place(call, &mut review)?;
    }
    verbs::create::prepare(call, &mut review)?;
    for attributes in ["resourceAttributes", "nonResourceAttributes"] {
        // Go leaves empty texts out of what it sends back, and so nobody owns them.
        if let Some(fields) = review
            .pointer_mut(&format!("/spec/{attributes}"))
            .and_then(Value::as_object_mut)
        {
            fields.retain(|_, value| value.as_str() != Some(""));
        }
    }
    let spec = review.get("spec").cloned().unwrap_or_else(|| json!({}));
    match call.resource.kind.as_str() {
        "SelfSubjectRulesReview" => {
            let namespace = text(&spec, "namespace");
            if namespace.is_empty() {
                return Err(ApiError::bad_request("no namespace on request"));
            }
            // The answer is an object of its own: nothing of the question is in it.
            let status = rules(server, &call.user, namespace);
            let answer = json!({
                "kind": call.resource.kind, "apiVersion": call.resource.api_version(),
                "metadata": {}, "spec": {}, "status": status,
            });
            return Ok(call.respond(201, &answer));
        }
        "SelfSubjectReview" => {
            let answer = json!({
                "kind": call.resource.kind, "apiVersion": call.resource.api_version(),
                "metadata": { "creationTimestamp": object::rfc3339(server.now) },
                "status": { "userInfo": user_info(&call.user) },
            });
            return Ok(call.respond(201, &answer));
        }
        _ => {}
    }
    let live = verbs::create::empty(call);
    object::members(&mut review).remove("status");
    verbs::own(
        server,
        &call.resource,
        call.manager(),
        "",
        &live,
        &mut review,
        true,
    );
    check(call, &review, &spec)?;
    let user = match call.resource.kind.as_str() {
        "SelfSubjectAccessReview" => call.user.clone(),
        "SubjectAccessReview" | "LocalSubjectAccessReview" => subject(&spec),
        kind => return Err(ApiError::not_modelled(kind)),
    };
    let status = access(server, &user, &spec);
    object::members(&mut review).insert("status".into(), status);
    Ok(call.respond(201, &review))
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Refuses questions that make no sense.
fn check(call: &Call, review: &Value, spec: &Value) -> Result<(), ApiError> {
    let mut causes = Vec::new();
    let resource = spec.get("resourceAttributes");
    let other = spec.get("nonResourceAttributes");
    let shown = other.map_or(
        Value::Null,
        |other| json!({ "Path": text(other, "path"), "Verb": text(other, "verb") }),
    );
    if resource.is_some() == other.is_some() {
        let what = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
        causes.push(Cause::invalid("spec", &shown, what));
    }
    let kind = call.resource.kind.as_str();
    if kind != "SelfSubjectAccessReview"
        && text(spec, "user").is_empty()
        && strings(spec.get("groups")).is_empty()
    {
        let what = "at least one of user or group must be specified";
        causes.push(Cause::invalid("spec.user", &json!(""), what));
    }
    for field in ["fieldSelector", "labelSelector"] {
        selector(field, resource.and_then(|r| r.get(field)), &mut causes);
    }
    if kind == "LocalSubjectAccessReview" {
        let asked = resource.map(|resource| text(resource, "namespace"));
        if let Some(asked) = asked.filter(|asked| *asked != object::namespace(review)) {
            let field = "spec.resourceAttributes.namespace";
            let what = "must match metadata.namespace";
            causes.push(Cause::invalid(field, &json!(asked), what));
        }
        if other.is_some() {
            let what = "disallowed on this kind of request";
            causes.push(Cause::invalid("spec.nonResourceAttributes", &shown, what));
        }
    }
    if causes.is_empty() {
        return Ok(());
    }
    // The real server has forgotten the kind by then.
    Err(ApiError::invalid("", &call.resource.group, "", &causes))
}

/// A selector of a question is given in one of two forms.
fn selector(field: &str, selector: Option<&Value>, causes: &mut Vec<Cause>) {
    let Some(selector) = selector else { return };
    let path = format!("spec.resourceAttributes.{field}");
    let raw = text(selector, "rawSelector");
    let none = selector
        .get("requirements")
        .and_then(Value::as_array)
        .is_none_or(Vec::is_empty);
    if !raw.is_empty() && !none {
        let what = "may not specified at the same time as requirements";
        causes.push(Cause::invalid(
            format!("{path}.rawSelector"),
            &json!(raw),
            what,
        ));
    }
    if raw.is_empty() && none {
        let what = format!("when {path} is specified, requirements or rawSelector is required");
        causes.push(Cause::required(format!("{path}.requirements"), &what));
    }
}

fn user_info(user: &User) -> Value {
    let mut info = json!({ "username": user.name, "groups": user.groups });
    let map = object::members(&mut info);
    if !user.uid.is_empty() {
        map.insert("uid".into(), json!(user.uid));
    }
    if !user.extra.is_empty() {
        map.insert("extra".into(), json!(user.extra));
    }
    info
}

fn strings(value: Option<&Value>) -> Vec<String> {
    value
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn subject(spec: &Value) -> User {
    let extra = spec.get("extra").and_then(Value::as_object);
    User {
        name: text(spec, "user").to_owned(),
        groups: strings(spec.get("groups")),
        uid: text(spec, "uid").to_owned(),
        extra: extra
            .into_iter()
            .flatten()
            .map(|(key, values)| (key.clone(), strings(Some(values))))
            .collect::<BTreeMap<_, _>>(),
    }
}

fn access(server: &mut Server, user: &User, spec: &Value) -> Value {
    let attributes = match (
        spec.get("resourceAttributes"),
        spec.get("nonResourceAttributes"),
    ) {
        (Some(asked), _) => Attributes {
            verb: text(asked, "verb").to_owned(),
            is_resource: true,
            path: String::new(),
            group: text(asked, "group").to_owned(),
            resource: text(asked, "resource").to_owned(),
            subresource: text(asked, "subresource").to_owned(),
            namespace: text(asked, "namespace").to_owned(),
            name: text(asked, "name").to_owned(),
        },
        (None, asked) => Attributes {
            verb: asked.map_or("", |asked| text(asked, "verb")).to_owned(),
            path: asked.map_or("", |asked| text(asked, "path")).to_owned(),
            ..Attributes::default()
        },
    };
    let (allowed, reason) = match server.policy().decide(user, &attributes) {
        Decision::Allowed(reason) => (true, reason),
        Decision::Refused(reason) => (false, reason),
    };
    let mut status = json!({ "allowed": allowed });
    let map = object::members(&mut status);
    if !reason.is_empty() {
        map.insert("reason".into(), reason.into());
    }
    let problems = selector_problems(spec);
    if !problems.is_empty() {
        map.insert("evaluationError".into(), problems.join("; ").into());
    }
    status
}

/// Selectors that can't be read are left out of the question, and that is said.
fn selector_problems(spec: &Value) -> Vec<String> {
    let raw = |field: &str| {
        spec.pointer(&format!("/resourceAttributes/{field}/rawSelector"))
            .and_then(Value::as_str)
    };
    let mut out = Vec::new();
    let mut say = |field: &str| {
        out.push(format!(
            "spec.resourceAttributes.{field} ignored due to parse error"
        ));
    };
    if raw("fieldSelector").is_some_and(|text| FieldSelector::parse(text).is_err()) {
        say("fieldSelector");
    }
    if raw("labelSelector").is_some_and(|text| LabelSelector::parse(text).is_err()) {
        say("labelSelector");
    }
    out
}

fn rules(server: &mut Server, user: &User, namespace: &str) -> Value {
    let policy = server.policy();
    let (mut resource, mut non_resource) = (Vec::new(), Vec::new());
    for rule in policy.rules_for(user, namespace) {
        if !rule.resources.is_empty() {
            let mut out = json!({ "verbs": rule.verbs, "resources": rule.resources });
            let map = object::members(&mut out);
            if !rule.groups.is_empty() {
                map.insert("apiGroups".into(), json!(rule.groups));
            }
            if !rule.names.is_empty() {
                map.insert("resourceNames".into(), json!(rule.names));
            }
            resource.push(out);
        }
        if !rule.urls.is_empty() {
            non_resource.push(json!({ "verbs": rule.verbs, "nonResourceURLs": rule.urls }));
        }
    }
    let mut status = json!({
        "resourceRules": resource, "nonResourceRules": non_resource, "incomplete": false,
    });
    let missing = policy.unresolved(user, namespace);
    if !missing.is_empty() {
        object::members(&mut status).insert("evaluationError".into(), missing.into());
    }
    status
}
