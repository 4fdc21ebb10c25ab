//! OpenAPI v3 as far as `kubectl` needs it: which groups and versions there are, and that patches
//! of their kinds may ask for strict validation. The documents hold no schemas.

use serde_json::{Map, Value, json};

use crate::{
    kinds::{Registry, Resource},
    object::join_api_version,
    status::ApiError,
};

/// Answers a path below `/openapi`.
pub(crate) fn serve(registry: &Registry, path: &[&str]) -> Result<Value, ApiError> {
    match path {
        ["v3"] => Ok(index(registry)),
        ["v3", "api", version] if registry.serves("", version) => {
            Ok(document(registry, "", version))
        }
        ["v3", "apis", group, version]
            if registry.serves(group, version)
                || registry
                    .documents()
                    .any(|(g, v)| g == group && v == version) =>
        {
            Ok(document(registry, group, version))
        }
        ["v2", ..] => Err(ApiError::not_modelled("OpenAPI v2")),
        _ => Err(ApiError::plain_not_found()),
    }
}

/// The path that a group's version is served under.
fn root(group: &str, version: &str) -> String {
    let prefix = if group.is_empty() { "api" } else { "apis" };
    format!("{prefix}/{}", join_api_version(group, version))
}

fn index(registry: &Registry) -> Value {
    let mut paths = Map::new();
    let served = registry.iter().map(|r| (&r.group, &r.version));
    let told = registry
        .documents()
        .map(|(group, version)| (group, version));
    for (group, version) in served.chain(told) {
        let root = root(group, version);
        let url = format!("/openapi/v3/{root}?hash=simulated");
        paths.insert(root, json!({ "serverRelativeURL": url }));
    }
    json!({ "paths": paths })
}

fn document(registry: &Registry, group: &str, version: &str) -> Value {
    let mut paths = Map::new();
    for resource in registry.iter() {
        if resource.group == group && resource.version == version {
            let (path, item) = path_item(resource);
            paths.insert(path, item);
        }
    }
    json!({
        "openapi": "3.0.0",
        "info": { "title": "Kubernetes", "version": "v1.37.2" },
        "paths": paths,
        "components": { "schemas": {} },
    })
}

fn path_item(resource: &Resource) -> (String, Value) {
    let namespace = if resource.namespaced {
        "/namespaces/{namespace}"
    } else {
        ""
    };
    let root = root(&resource.group, &resource.version);
    let path = format!("/{root}{namespace}/{}/{{name}}", resource.plural);
    let parameter = |name: &str, kind: &str| {
        json!({
            "name": name, "in": "query", "schema": { "type": kind, "uniqueItems": true },
        })
    };
    let kind = json!({
        "group": resource.group, "version": resource.version, "kind": resource.kind,
    });
    let item = json!({
        "patch": {
            "x-kubernetes-action": "patch",
            "x-kubernetes-group-version-kind": kind,
            "parameters": [
                parameter("dryRun", "string"),
                parameter("fieldManager", "string"),
                parameter("fieldValidation", "string"),
                parameter("force", "boolean"),
            ],
            "responses": { "200": { "description": "OK" } },
        },
    });
    (path, item)
}
