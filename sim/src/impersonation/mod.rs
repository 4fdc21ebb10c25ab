//! Acting as another: the `Impersonate-*` headers, and the rights they need.
//!
//! Two ways lead there. The old one asks for the verb `impersonate` on each impersonated thing
//! (user or service account, uid, every group, every extra value). KEP-5284's constrained one
//! ([`modes`]) asks for `impersonate-on:MODE:VERB` on what the request is about and for
//! `impersonate:MODE` on whoever is impersonated. The constrained modes are tried first; when all
//! fail, the first refusal is what the client hears.

mod modes;

use std::collections::BTreeMap;

use crate::{
    rbac::Attributes,
    request::{Request, User},
    server::Server,
    status::ApiError,
};

pub(crate) use modes::Memory;

const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// The user that a request runs as.
pub(crate) fn effective_user(
    server: &mut Server,
    request: &Request,
    caller: &User,
    attributes: &Attributes,
) -> Result<User, ApiError> {
    match wanted(request)? {
        None => Ok(caller.clone()),
        Some(wanted) => modes::check(server, caller, &wanted, attributes),
    }
}

/// Whom the headers name, if they name anybody.
fn wanted(request: &Request) -> Result<Option<User>, ApiError> {
    let text = |name: &str| request.header(name).unwrap_or_default().to_owned();
    let user = User {
        name: text("impersonate-user"),
        groups: request
            .headers
            .get_all("impersonate-group")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .map(str::to_owned)
            .collect(),
        uid: text("impersonate-uid"),
        extra: extra_headers(request),
    };
    if !user.name.is_empty() {
        return Ok(Some(user));
    }
    if user.groups.is_empty() && user.extra.is_empty() && user.uid.is_empty() {
        return Ok(None);
    }
    Err(ApiError::bad_request(format!(
        "requested &user.DefaultInfo{{Name:\"\", UID:{:?}, Groups:{}, Extra:{}}} without \
         impersonating a user name",
        user.uid,
        go_strings(&user.groups),
        go_extra(&user.extra)
    )))
}

fn go_strings(list: &[String]) -> String {
    if list.is_empty() {
        return "[]string(nil)".into();
    }
    let shown: Vec<String> = list.iter().map(|text| format!("{text:?}")).collect();
    format!("[]string{{{}}}", shown.join(", "))
}

fn go_extra(extra: &BTreeMap<String, Vec<String>>) -> String {
    if extra.is_empty() {
        return "map[string][]string(nil)".into();
    }
    let shown: Vec<String> = extra
        .iter()
        .map(|(key, values)| format!("{key:?}:{}", go_strings(values)))
        .collect();
    format!("map[string][]string{{{}}}", shown.join(", "))
}

/// Namespace and name of a service account's user name.
pub(crate) fn account(user: &str) -> Option<(&str, &str)> {
    use crate::admission::names;
    let (namespace, name) = user.strip_prefix(SERVICE_ACCOUNT)?.split_once(':')?;
    let fits = names::problem("", "namespaces", namespace).is_none()
        && names::problem("", "serviceaccounts", name).is_none();
    (fits && !namespace.is_empty() && !name.is_empty()).then_some((namespace, name))
}

fn extra_headers(request: &Request) -> BTreeMap<String, Vec<String>> {
    let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in &request.headers {
        if let (Some(key), Ok(value)) = (
            name.as_str().strip_prefix("impersonate-extra-"),
            value.to_str(),
        ) {
            extra
                .entry(crate::routing::unescape(key))
                .or_default()
                .push(value.to_owned());
        }
    }
    extra
}
