//! What the server says about itself: discovery (aggregated and plain), version, health.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::{
    kinds::{Registry, Resource},
    object::join_api_version,
    request::{Request, Response},
    routing::RequestInfo,
    server::Server,
    status::ApiError,
};

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// Answers everything outside resources.
pub(crate) fn serve(
    server: &mut Server,
    request: &Request,
    info: &RequestInfo,
) -> Result<Response, ApiError> {
    let path = info.path.trim_end_matches('/');
    let known = matches!(
        path,
        "/version" | "/healthz" | "/livez" | "/readyz" | "/api" | "/apis"
    ) || path.starts_with("/api/")
        || path.starts_with("/apis/");
    if known && request.method != Method::GET && request.method != Method::HEAD {
        return Err(ApiError::method_not_allowed());
    }
    let registry = &server.registry;
    let aggregated = request
        .header("accept")
        .is_some_and(|a| a.contains("as=APIGroupDiscoveryList") && a.contains("v=v2"));
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let body = match parts.as_slice() {
        ["version"] => version(),
        ["healthz" | "livez" | "readyz", ..] => {
            return Ok(Response::bytes(
                200,
                "text/plain; charset=utf-8",
                Bytes::from_static(b"ok"),
            ));
        }
        ["api"] if aggregated => return Ok(aggregated_list(registry, true)),
        ["apis"] if aggregated => return Ok(aggregated_list(registry, false)),
        ["api"] => json!({
            "kind": "APIVersions", "versions": ["v1"],
            "serverAddressByClientCIDRs": [{ "clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1:6443" }],
        }),
        ["apis"] => json!({
            "kind": "APIGroupList", "apiVersion": "v1",
            "groups": registered(server).iter().filter(|(g, _)| !g.is_empty())
                .map(|(g, versions)| group(g, versions)).collect::<Vec<_>>(),
        }),
        ["apis", name] if registered(server).contains_key(*name) => {
            let versions = registered(server).remove(*name).unwrap_or_default();
            let mut body = group(name, &versions);
            crate::object::members(&mut body).insert("kind".into(), "APIGroup".into());
            crate::object::members(&mut body).insert("apiVersion".into(), "v1".into());
            body
        }
        ["api", version] if registry.serves("", version) => resource_list(registry, "", version),
        ["apis", name, version] if registry.serves(name, version) => {
            resource_list(registry, name, version)
        }
        ["openapi", rest @ ..] => crate::openapi::serve(registry, rest)?,
        ["api", _, ..] => return Err(Registry::unknown("")),
        ["apis", name, ..] => return Err(Registry::unknown(name)),
        ["metrics"] => return Err(ApiError::not_modelled("metrics")),
        _ => return Err(ApiError::plain_not_found()),
    };
    Ok(Response::json(200, &body))
}

fn version() -> Value {
    json!({
        "major": "1", "minor": "37", "gitVersion": "v1.37.2", "gitCommit": "simulated",
        "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z", "goVersion": "none",
        "compiler": "none", "platform": "simulated", "emulationMajor": "1", "emulationMinor": "37",
        "minCompatibilityMajor": "1", "minCompatibilityMinor": "36",
    })
}

/// Groups with their versions, preferred version first.
fn groups(registry: &Registry) -> BTreeMap<String, Vec<String>> {
    let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for resource in registry.iter() {
        let versions = out.entry(resource.group.clone()).or_default();
        if !versions.contains(&resource.version) {
            versions.push(resource.version.clone());
        }
    }
    for versions in out.values_mut() {
        versions.sort_by_key(|v| std::cmp::Reverse(priority(v)));
    }
    out
}

/// Kubernetes' order of versions: stable before beta before alpha, higher numbers first, all other
/// names last.
pub(crate) fn priority(version: &str) -> (u8, u32, u32, std::cmp::Reverse<String>) {
    let other = || (0, 0, 0, std::cmp::Reverse(version.to_owned()));
    let Some(rest) = version.strip_prefix('v') else {
        return other();
    };
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let Ok(major) = rest[..end].parse::<u32>() else {
        return other();
    };
    let (stability, minor) = match &rest[end..] {
        "" => (3, Some(0)),
        tail if tail.starts_with("beta") => (2, tail[4..].parse().ok()),
        tail if tail.starts_with("alpha") => (1, tail[5..].parse().ok()),
        _ => return other(),
    };
    match minor {
        Some(minor) => (stability, major, minor, std::cmp::Reverse(String::new())),
        None => other(),
    }
}

/// The same with what definitions would serve if they had their names: a group is listed by its
/// registration, which doesn't wait for that.
fn registered(server: &Server) -> BTreeMap<String, Vec<String>> {
    let mut out = groups(&server.registry);
    for (group, version) in crate::crd::lifecycle::registered(server) {
        let versions = out.entry(group).or_default();
        if !versions.contains(&version) {
            versions.push(version);
        }
        versions.sort_by_key(|v| std::cmp::Reverse(priority(v)));
    }
    out
}

fn group(name: &str, versions: &[String]) -> Value {
    let versions: Vec<Value> = versions
        .iter()
        .map(|v| json!({ "groupVersion": join_api_version(name, v), "version": v }))
        .collect();
    json!({ "name": name, "versions": versions, "preferredVersion": versions.first() })
}

fn in_version<'a>(
    registry: &'a Registry,
    group: &'a str,
    version: &'a str,
) -> impl Iterator<Item = &'a Resource> {
    registry
        .iter()
        .map(AsRef::as_ref)
        .filter(move |r| r.group == group && r.version == version)
}

/// Subresources of a resource as discovery names them, those that answer 501 here included: kind,
/// and verbs.
fn subresources(resource: &Resource) -> Vec<Subresource> {
    if resource.custom().is_some() {
        let status = resource.status.then(|| Subresource {
            name: "status".into(),
            group: resource.group.clone(),
            version: resource.version.clone(),
            kind: resource.kind.clone(),
            verbs: vec!["get", "patch", "update"],
        });
        return status.into_iter().collect();
    }
    let kind = stageset_schema::resource(&resource.group, &resource.version, &resource.plural);
    kind.map_or_else(Vec::new, |kind| {
        let all = kind.subresources.iter();
        all.map(|sub| Subresource {
            name: sub.name.to_owned(),
            group: sub.group.to_owned(),
            version: sub.version.to_owned(),
            kind: sub.kind.to_owned(),
            verbs: sub.verbs.clone(),
        })
        .collect()
    })
}

struct Subresource {
    name: String,
    group: String,
    version: String,
    kind: String,
    verbs: Vec<&'static str>,
}

fn resource_list(registry: &Registry, group: &str, version: &str) -> Value {
    let mut resources = Vec::new();
    for resource in in_version(registry, group, version) {
        let mut entry = json!({
            "name": resource.plural, "singularName": resource.singular,
            "namespaced": resource.namespaced, "kind": resource.kind, "verbs": resource.verbs,
        });
        let map = crate::object::members(&mut entry);
        if !resource.short_names.is_empty() {
            map.insert("shortNames".into(), json!(resource.short_names));
        }
        if !resource.categories.is_empty() {
            map.insert("categories".into(), json!(resource.categories));
        }
        resources.push(entry);
        for sub in subresources(resource) {
            let mut entry = json!({
                "name": format!("{}/{}", resource.plural, sub.name), "singularName": "",
                "namespaced": resource.namespaced, "kind": sub.kind, "verbs": sub.verbs,
            });
            if (sub.group.as_str(), sub.version.as_str()) != (group, version) {
                // Of another group: then it is said which.
                let map = crate::object::members(&mut entry);
                map.insert("group".into(), sub.group.into());
                map.insert("version".into(), sub.version.into());
            }
            resources.push(entry);
        }
    }
    let mut list = json!({
        "kind": "APIResourceList", "groupVersion": join_api_version(group, version),
        "resources": resources,
    });
    if !group.is_empty() {
        // The core group's list is older than the field.
        crate::object::members(&mut list).insert("apiVersion".into(), "v1".into());
    }
    list
}

fn aggregated_list(registry: &Registry, core: bool) -> Response {
    let mut items = Vec::new();
    for (name, versions) in groups(registry) {
        if name.is_empty() != core {
            continue;
        }
        let versions: Vec<Value> = versions
            .iter()
            .map(|version| {
                let resources: Vec<Value> = in_version(registry, &name, version)
                    .map(aggregated_resource)
                    .collect();
                json!({ "version": version, "freshness": "Current", "resources": resources })
            })
            .collect();
        let metadata = if name.is_empty() {
            json!({})
        } else {
            json!({ "name": name })
        };
        items.push(json!({ "metadata": metadata, "versions": versions }));
    }
    let body = json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {}, "items": items,
    });
    Response::bytes(200, AGGREGATED, Bytes::from(body.to_string()))
}

fn aggregated_resource(resource: &Resource) -> Value {
    let kind = json!({
        "group": resource.group, "version": resource.version, "kind": resource.kind,
    });
    let mut out = json!({
        "resource": resource.plural, "responseKind": kind,
        "scope": if resource.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": resource.singular, "verbs": resource.verbs,
    });
    let map = crate::object::members(&mut out);
    if !resource.short_names.is_empty() {
        map.insert("shortNames".into(), json!(resource.short_names));
    }
    if !resource.categories.is_empty() {
        map.insert("categories".into(), json!(resource.categories));
    }
    let below: Vec<Value> = subresources(resource)
        .into_iter()
        .map(|sub| {
            json!({
                "subresource": sub.name, "verbs": sub.verbs, "responseKind": {
                    "group": sub.group, "version": sub.version, "kind": sub.kind,
                },
            })
        })
        .collect();
    if !below.is_empty() {
        map.insert("subresources".into(), below.into());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_sort_as_kubernetes_sorts_them() {
        let mut versions = vec!["v1beta1", "v10", "foo", "v2", "v1alpha2", "v1", "v2beta1"];
        versions.sort_by_key(|v| std::cmp::Reverse(priority(v)));
        assert_eq!(
            versions,
            ["v10", "v2", "v1", "v2beta1", "v1beta1", "v1alpha2", "foo"]
        );
    }
}
