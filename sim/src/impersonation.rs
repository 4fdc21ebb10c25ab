//! Acting as another: the `Impersonate-*` headers, and the rights they need.
//!
//! Each impersonated thing is authorized apart: the user (or the service account, by namespace and
//! name), every group, the uid and every extra value. KEP-5284's constrained verbs are not
//! modelled: whoever has only those is refused as if they had none.

use std::collections::BTreeMap;

use crate::{
    rbac::Attributes,
    request::{Request, User},
    server::Server,
    status::ApiError,
};

const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// The user that a request runs as.
pub(crate) fn effective_user(server: &mut Server, request: &Request) -> Result<User, ApiError> {
    let name = request
        .header("impersonate-user")
        .unwrap_or_default()
        .to_owned();
    let groups: Vec<String> = request
        .headers
        .get_all("impersonate-group")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .map(str::to_owned)
        .collect();
    let uid = request
        .header("impersonate-uid")
        .unwrap_or_default()
        .to_owned();
    let extra = extra_headers(request);
    if name.is_empty() {
        if groups.is_empty() && extra.is_empty() && uid.is_empty() {
            return Ok(request.user.clone());
        }
        let shown: Vec<String> = groups.iter().map(|g| format!("{g:?}")).collect();
        return Err(ApiError::bad_request(format!(
            "requested &user.DefaultInfo{{Name:\"\", UID:{uid:?}, Groups:[]string{{{}}}, \
             Extra:map[string][]string(nil)}} without impersonating a user name",
            shown.join(", ")
        )));
    }
    let caller = request.user.clone();
    let mut user = User {
        name: name.clone(),
        groups: groups.clone(),
        uid: uid.clone(),
        extra,
    };
    if let Some((namespace, account)) = account(&name) {
        let mut attributes = Attributes::resource("impersonate", "", "serviceaccounts");
        namespace.clone_into(&mut attributes.namespace);
        account.clone_into(&mut attributes.name);
        server.authorize(&caller, &attributes)?;
        if groups.is_empty() {
            user.groups = vec![
                "system:serviceaccounts".into(),
                format!("system:serviceaccounts:{namespace}"),
            ];
        }
    } else {
        let mut attributes = Attributes::resource("impersonate", "", "users");
        attributes.name.clone_from(&name);
        server.authorize(&caller, &attributes)?;
    }
    for group in &groups {
        let mut attributes = Attributes::resource("impersonate", "", "groups");
        attributes.name.clone_from(group);
        server.authorize(&caller, &attributes)?;
    }
    if !uid.is_empty() {
        let mut attributes = Attributes::resource("impersonate", "authentication.k8s.io", "uids");
        attributes.name.clone_from(&uid);
        server.authorize(&caller, &attributes)?;
    }
    for (key, values) in &user.extra {
        for value in values {
            let mut attributes =
                Attributes::resource("impersonate", "authentication.k8s.io", "userextras");
            attributes.subresource.clone_from(key);
            attributes.name.clone_from(value);
            server.authorize(&caller, &attributes)?;
        }
    }
    let everybody = if name == "system:anonymous" {
        "system:unauthenticated"
    } else {
        "system:authenticated"
    };
    if !user
        .groups
        .iter()
        .any(|g| g == "system:authenticated" || g == "system:unauthenticated")
    {
        user.groups.push(everybody.to_owned());
    }
    Ok(user)
}

/// Namespace and name of a service account's user name.
pub(crate) fn account(user: &str) -> Option<(&str, &str)> {
    let (namespace, name) = user.strip_prefix(SERVICE_ACCOUNT)?.split_once(':')?;
    (!namespace.is_empty() && !name.is_empty() && !name.contains(':')).then_some((namespace, name))
}

fn extra_headers(request: &Request) -> BTreeMap<String, Vec<String>> {
    let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in &request.headers {
        if let (Some(key), Ok(value)) = (
            name.as_str().strip_prefix("impersonate-extra-"),
            value.to_str(),
        ) {
            extra
                .entry(key.to_owned())
                .or_default()
                .push(value.to_owned());
        }
    }
    extra
}
