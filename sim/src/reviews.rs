//! Reviews: questions that are created and answered, never stored.

use serde_json::{Value, json};

use crate::{
    rbac::Attributes,
    request::{Reply, User},
    server::Server,
    status::ApiError,
    verbs::{self, Call},
};

/// Answers a review.
pub(crate) fn serve(server: &mut Server, call: &Call) -> Result<Reply, ApiError> {
    let mut review = verbs::decode(call)?;
    if call.resource.namespaced {
        verbs::create::place(call, &mut review)?;
    }
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
    let status = match call.resource.kind.as_str() {
        "SelfSubjectAccessReview" => access(server, &call.user, &spec),
        "SubjectAccessReview" | "LocalSubjectAccessReview" => {
            let user = subject(&spec);
            access(server, &user, &spec)
        }
        "SelfSubjectRulesReview" => rules(server, &call.user, &spec),
        "SelfSubjectReview" => {
            let mut info = json!({ "username": call.user.name, "groups": call.user.groups });
            if !call.user.extra.is_empty() {
                crate::object::members(&mut info).insert("extra".into(), json!(call.user.extra));
            }
            json!({ "userInfo": info })
        }
        kind => return Err(ApiError::not_modelled(kind)),
    };
    crate::object::members(&mut review).insert("status".into(), status);
    let resource = &call.resource;
    if resource.kind == "SelfSubjectReview" {
        let now = crate::object::rfc3339(server.now);
        crate::object::set_meta(&mut review, "creationTimestamp", now);
    } else {
        let live = verbs::create::empty(call);
        let mut owned = review.clone();
        crate::object::members(&mut owned).remove("status");
        verbs::own(
            server,
            resource,
            call.manager(),
            "",
            &live,
            &mut owned,
            true,
        );
        if let Some(entries) = owned.pointer("/metadata/managedFields") {
            crate::object::set_meta(&mut review, "managedFields", entries.clone());
        }
    }
    Ok(call.respond(201, &review))
}

fn subject(spec: &Value) -> User {
    let list = |field: &str| -> Vec<String> {
        spec.get(field)
            .and_then(Value::as_array)
            .map(|l| {
                l.iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect()
            })
            .unwrap_or_default()
    };
    User {
        name: spec
            .get("user")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        groups: list("groups"),
        uid: String::new(),
        extra: std::collections::BTreeMap::new(),
    }
}

fn access(server: &mut Server, user: &User, spec: &Value) -> Value {
    let attributes = if let Some(asked) = spec.get("resourceAttributes") {
        let text = |field: &str| {
            asked
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        Attributes {
            verb: text("verb"),
            is_resource: true,
            path: String::new(),
            group: text("group"),
            resource: text("resource"),
            subresource: text("subresource"),
            namespace: text("namespace"),
            name: text("name"),
        }
    } else {
        let asked = spec
            .get("nonResourceAttributes")
            .cloned()
            .unwrap_or_default();
        let text = |field: &str| {
            asked
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        Attributes {
            verb: text("verb"),
            path: text("path"),
            ..Attributes::default()
        }
    };
    match server.policy().why(user, &attributes) {
        Some(reason) if reason.is_empty() => json!({ "allowed": true }),
        Some(reason) => json!({ "allowed": true, "reason": reason }),
        None => json!({ "allowed": false }),
    }
}

fn rules(server: &mut Server, user: &User, spec: &Value) -> Value {
    let namespace = spec
        .get("namespace")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let policy = server.policy();
    let (mut resource, mut non_resource) = (Vec::new(), Vec::new());
    for rule in policy.rules_for(user, namespace) {
        if !rule.resources.is_empty() {
            let mut out = json!({
                "verbs": rule.verbs, "apiGroups": rule.groups, "resources": rule.resources,
            });
            if !rule.names.is_empty() {
                crate::object::members(&mut out).insert("resourceNames".into(), json!(rule.names));
            }
            resource.push(out);
        }
        if !rule.urls.is_empty() {
            non_resource.push(json!({ "verbs": rule.verbs, "nonResourceURLs": rule.urls }));
        }
    }
    json!({ "resourceRules": resource, "nonResourceRules": non_resource, "incomplete": false })
}
