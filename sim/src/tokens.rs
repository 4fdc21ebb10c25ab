//! Tokens of service accounts: `TokenRequest` gives them, and a request that bears one is made as
//! that account. Their signature is a word; nobody outside a simulation takes them.
//!
//! Who knocks at a door is decided by the door: a bearer token that wasn't made here changes
//! nothing.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::{
    admission::validation::at,
    kinds::{Origin, Resource, StoreKey},
    object::{self, rfc3339},
    request::{Reply, Request, Response, User},
    server::Server,
    status::{self, ApiError, Cause},
    verbs::{self, Call},
};

const ISSUER: &str = "https://kubernetes.default.svc";
const SIGNATURE: &str = "c2ltdWxhdGVk";
const GROUP: &str = "authentication.k8s.io";

fn accounts() -> StoreKey {
    StoreKey::new("", "serviceaccounts")
}

/// What managed fields are recorded by.
fn resource() -> Resource {
    Resource {
        group: GROUP.into(),
        version: "v1".into(),
        plural: "tokenrequests".into(),
        singular: "tokenrequest".into(),
        kind: "TokenRequest".into(),
        namespaced: true,
        short_names: Vec::new(),
        categories: Vec::new(),
        verbs: Vec::new(),
        stored: false,
        status: false,
        subresources: Vec::new(),
        generation: false,
        store: StoreKey::new(GROUP, "tokenrequests"),
        origin: Origin::BuiltIn,
    }
}

fn invalid(name: &str, cause: Cause) -> ApiError {
    ApiError::invalid("TokenRequest", GROUP, name, &[cause])
}

/// `create` on `serviceaccounts/NAME/token`.
pub(crate) fn create(server: &mut Server, call: &Call) -> Result<Reply, ApiError> {
    let resource = resource();
    let mut asked = verbs::decode_as(call, &resource)?;
    let (namespace, name) = (&call.info.namespace, &call.info.name);
    for (field, want, what) in [
        (
            "name",
            name,
            "must match the service account name if specified",
        ),
        (
            "namespace",
            namespace,
            "must match the service account namespace if specified",
        ),
    ] {
        let found = object::meta_str(&asked, field).unwrap_or_default();
        if !found.is_empty() && found != want {
            let cause = Cause::invalid(format!("metadata.{field}"), &json!(found), what);
            return Err(invalid(name, cause));
        }
    }
    object::child(&mut asked, "spec")
        .entry("expirationSeconds")
        .or_insert(json!(3600));
    object::members(&mut asked).remove("status");
    let empty = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "metadata": {},
        "spec": { "audiences": null, "expirationSeconds": null, "boundObjectRef": null },
        "status": { "token": "", "expirationTimestamp": null },
    });
    verbs::own(
        server,
        &resource,
        call.manager(),
        "token",
        &empty,
        &mut asked,
        true,
    );
    let account = server
        .find(&accounts(), namespace, name)
        .cloned()
        .ok_or_else(|| ApiError::not_found(&call.resource, name))?;
    let uid = object::uid(&account).to_owned();
    let sent = object::uid(&asked).to_owned();
    if !sent.is_empty() && sent != uid {
        let why = format!(
            "the UID in the token request ({sent}) does not match the UID of the service account \
             ({uid})"
        );
        return Err(conflict("TokenRequest", GROUP, name, &why));
    }
    object::set_meta(&mut asked, "name", name.clone());
    object::set_meta(&mut asked, "namespace", namespace.clone());
    object::set_meta(&mut asked, "uid", uid.clone());
    object::set_meta(&mut asked, "creationTimestamp", rfc3339(server.now));
    let spec = object::child(&mut asked, "spec");
    let unset = spec
        .get("audiences")
        .and_then(Value::as_array)
        .is_none_or(Vec::is_empty);
    if unset {
        spec.insert("audiences".into(), json!([ISSUER]));
    }
    spec.entry("boundObjectRef").or_insert(Value::Null);
    let seconds = at(&asked, "spec.expirationSeconds").as_i64().unwrap_or(0);
    let limit = if seconds < 600 {
        Some("may not specify a duration less than 10 minutes")
    } else if seconds > 1 << 32 {
        Some("may not specify a duration larger than 2^32 seconds")
    } else {
        None
    };
    if let Some(what) = limit {
        let cause = Cause::invalid("spec.expirationSeconds", &json!(seconds), what);
        return Err(invalid("", cause));
    }
    bound(server, call, at(&asked, "spec.boundObjectRef"))?;
    let until = server
        .now
        .checked_add(SignedDuration::from_secs(seconds))
        .unwrap_or(server.now);
    let claims = json!({
        "aud": at(&asked, "spec.audiences"), "iss": ISSUER, "jti": server.ids.uid(),
        "iat": server.now.as_second(), "nbf": server.now.as_second(), "exp": until.as_second(),
        "sub": format!("system:serviceaccount:{namespace}:{name}"),
        "kubernetes.io": {
            "namespace": namespace, "serviceaccount": { "name": name, "uid": uid },
        },
    });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = part(&json!({ "alg": "RS256", "kid": "simulated" }));
    let status = json!({
        "token": format!("{header}.{}.{SIGNATURE}", part(&claims)),
        "expirationTimestamp": rfc3339(until),
    });
    object::members(&mut asked).insert("status".into(), status);
    Ok(Reply::Response(Response::json(201, &asked)))
}

fn conflict(kind: &str, group: &str, name: &str, why: &str) -> ApiError {
    let qualified = if group.is_empty() {
        kind.to_owned()
    } else {
        format!("{kind}.{group}")
    };
    ApiError {
        code: 409,
        reason: "Conflict".into(),
        message: format!("Operation cannot be fulfilled on {qualified} {name:?}: {why}"),
        details: status::details(name, group, kind),
        retry_after: None,
        plain: false,
    }
}

/// What a token is bound to must be there.
fn bound(server: &Server, call: &Call, reference: &Value) -> Result<(), ApiError> {
    if reference.is_null() {
        return Ok(());
    }
    let text = |field: &str| at(reference, field).as_str().unwrap_or_default();
    let (group, version) = object::split_api_version(text("apiVersion"));
    let plural = match (group, text("kind")) {
        ("", "Pod") => "pods",
        ("", "Secret") => "secrets",
        ("", "Node") => "nodes",
        (group, kind) => {
            return Err(ApiError::bad_request(format!(
                "cannot bind token to object of type {group}/{version}, Kind={kind}"
            )));
        }
    };
    let namespace = if plural == "nodes" {
        ""
    } else {
        &call.info.namespace
    };
    let found = server.find(&StoreKey::new("", plural), namespace, text("name"));
    let resource = server.registry.any_version("", plural);
    let (Some(found), Some(_)) = (found, &resource) else {
        return Err(match resource {
            Some(resource) => ApiError::not_found(&resource, text("name")),
            None => ApiError::no_such_resource(),
        });
    };
    let account = at(found, "spec.serviceAccountName").as_str();
    if plural == "pods" && account != Some(&call.info.name) {
        return Err(ApiError::bad_request(format!(
            "cannot bind token for serviceaccount {:?} to pod running with different \
             serviceaccount name.",
            call.info.name
        )));
    }
    let uid = text("uid");
    if !uid.is_empty() && uid != object::uid(found) {
        let why = format!(
            "the UID in the bound object reference ({uid}) does not match the UID in record. The \
             object might have been deleted and then recreated"
        );
        return Err(conflict(text("kind"), group, text("name"), &why));
    }
    Ok(())
}

/// The account whose token a request bears, if it bears one of ours; 401 when that is over.
pub(crate) fn bearer(server: &Server, request: &Request) -> Result<Option<User>, ApiError> {
    let Some(claims) = request
        .header("authorization")
        .and_then(|value| value.strip_prefix("Bearer "))
        .and_then(claims)
    else {
        return Ok(None);
    };
    let text = |path: &str| {
        claims
            .pointer(path)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let namespace = text("/kubernetes.io/namespace");
    let name = text("/kubernetes.io/serviceaccount/name");
    let uid = text("/kubernetes.io/serviceaccount/uid");
    let live = server.find(&accounts(), namespace, name);
    let valid = claims["exp"].as_i64().unwrap_or(0) > server.now.as_second()
        && live.is_some_and(|account| object::uid(account) == uid)
        && claims["aud"]
            .as_array()
            .is_some_and(|all| all.iter().any(|a| a == ISSUER));
    if !valid {
        return Err(ApiError::unauthorized());
    }
    let mut user = User::service_account(namespace, name);
    uid.clone_into(&mut user.uid);
    user.extra = BTreeMap::from([(
        "authentication.kubernetes.io/credential-id".to_owned(),
        vec![format!("JTI={}", text("/jti"))],
    )]);
    Ok(Some(user))
}

fn claims(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (_, body, signature) = (parts.next()?, parts.next()?, parts.next()?);
    if signature != SIGNATURE || parts.next().is_some() {
        return None;
    }
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).ok()?).ok()
}
