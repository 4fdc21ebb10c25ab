//! Objects made, read, changed and deleted as the administrator, without a client.

use std::sync::Arc;

use http::{HeaderMap, Method};
use serde_json::{Value, json};

use super::SimulatedCluster;
use crate::{
    clock::Job,
    kinds::Resource,
    object,
    request::{Reply, Request, Response, User},
};

/// What went wrong in a typed helper: the server's `Status`.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{verb} {what}: {message} (HTTP {code})")]
pub struct HelperError {
    /// What was tried.
    pub verb: &'static str,
    /// On what.
    pub what: String,
    /// HTTP status code.
    pub code: u16,
    /// The server's message.
    pub message: String,
}

impl SimulatedCluster {
    /// Creates an object as the administrator, or replaces what is there; a `status` in it is
    /// written as well. Waits for nothing: a CRD is established a moment later.
    pub fn apply_yaml_value(&self, value: &Value) -> Result<Value, HelperError> {
        let (path, namespaced_path) = self.paths(value)?;
        let what = what(value);
        let mut sent = value.clone();
        object::remove_meta(&mut sent, "resourceVersion");
        object::remove_meta(&mut sent, "uid");
        let body = sent.to_string();
        let created = self.ask(Method::POST, &path, &body);
        let written = if created.status == 409 {
            let current = self.ask(Method::GET, &namespaced_path, "");
            let version = current.value().unwrap_or_default();
            object::set_meta(
                &mut sent,
                "resourceVersion",
                object::resource_version(&version),
            );
            self.ask(Method::PUT, &namespaced_path, &sent.to_string())
        } else {
            created
        };
        let written = expect("apply", &what, &written)?;
        match value.get("status").filter(|s| s.is_object()) {
            Some(status) => {
                let body = json!({ "status": status });
                let path = format!("{namespaced_path}/status");
                let answer = self.send(
                    Method::PATCH,
                    &path,
                    &body.to_string(),
                    "application/merge-patch+json",
                );
                // Kinds without the subresource took the status with the object.
                if answer.status == 404 {
                    Ok(written)
                } else {
                    expect("patch status of", &what, &answer)
                }
            }
            None => Ok(written),
        }
    }

    /// Applies every document of a YAML text, as [`SimulatedCluster::apply_yaml_value`] does, and
    /// lets a definition be established before what comes after it. Fails with the first error.
    pub fn load_yaml(&self, text: &str) -> Result<(), HelperError> {
        let documents = crate::yaml::documents(text).map_err(|message| HelperError {
            verb: "read",
            what: "YAML".into(),
            code: 400,
            message,
        })?;
        for document in documents.iter().filter(|d| !d.is_null()) {
            self.apply_yaml_value(document)?;
            if document.get("kind").and_then(Value::as_str) == Some("CustomResourceDefinition") {
                let name = object::name(document).to_owned();
                self.with_server(|server| {
                    crate::crd::lifecycle::establish(server, &name);
                    server.agenda.done(&Job::EstablishCrd(name));
                });
            }
        }
        Ok(())
    }

    /// An object as the administrator sees it, if it is there. No request is made for it.
    pub fn get(&self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        self.find(api_version, kind, namespace, name, |resource, object| {
            crate::verbs::present(resource, object).into_owned()
        })
    }

    /// Looks at an object as it is stored, without a copy of it. The look must not call back into the
    /// cluster.
    pub fn look<T>(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
        look: impl FnOnce(&Value) -> T,
    ) -> Option<T> {
        self.find(api_version, kind, namespace, name, |_, object| look(object))
    }

    fn find<T>(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
        look: impl FnOnce(&Resource, &Value) -> T,
    ) -> Option<T> {
        let (group, version) = object::split_api_version(api_version);
        let now = self.now();
        let mut server = self.shared.lock();
        server.advance(now);
        let resource = server.registry.by_kind(group, version, kind)?;
        let namespace = if resource.namespaced { namespace } else { "" };
        let object = server.find(&resource.store, namespace, name)?;
        Some(look(&resource, object))
    }

    /// Looks at all objects of a kind in a namespace (everywhere if it is empty) as they are stored,
    /// without copies of them. The look must not call back into the cluster.
    pub fn look_at_all<T>(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        mut look: impl FnMut(&Value) -> T,
    ) -> Vec<T> {
        self.each(api_version, kind, namespace, |_, object| look(object))
    }

    /// All objects of a kind in a namespace, or everywhere if it is empty.
    pub fn list(&self, api_version: &str, kind: &str, namespace: &str) -> Vec<Value> {
        self.each(api_version, kind, namespace, |resource, object| {
            crate::verbs::present(resource, object).into_owned()
        })
    }

    fn each<T>(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        mut look: impl FnMut(&Resource, &Value) -> T,
    ) -> Vec<T> {
        let (group, version) = object::split_api_version(api_version);
        self.with_server(|server| {
            let Some(resource) = server.registry.by_kind(group, version, kind) else {
                return Vec::new();
            };
            let all = server.store.list(&resource.store, namespace);
            all.map(|(_, object)| look(&resource, object)).collect()
        })
    }

    /// Deletes an object as the administrator, in the background.
    pub fn delete(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<(), HelperError> {
        let path = self.path_of(api_version, kind, namespace, name)?;
        let answer = self.ask(Method::DELETE, &path, "");
        expect("delete", &format!("{kind} {namespace}/{name}"), &answer).map(drop)
    }

    /// Merges a value into an object's status as the administrator.
    pub fn patch_status(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
        status: &Value,
    ) -> Result<Value, HelperError> {
        let path = self.path_of(api_version, kind, namespace, name)?;
        let body = json!({ "status": status }).to_string();
        let answer = self.send(
            Method::PATCH,
            &format!("{path}/status"),
            &body,
            "application/merge-patch+json",
        );
        expect(
            "patch status of",
            &format!("{kind} {namespace}/{name}"),
            &answer,
        )
    }

    /// Merges a value into an object as the administrator.
    pub fn patch(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
        patch: &Value,
    ) -> Result<Value, HelperError> {
        let path = self.path_of(api_version, kind, namespace, name)?;
        let answer = self.send(
            Method::PATCH,
            &path,
            &patch.to_string(),
            "application/merge-patch+json",
        );
        expect("patch", &format!("{kind} {namespace}/{name}"), &answer)
    }

    fn ask(&self, method: Method, path: &str, body: &str) -> Response {
        self.send(method, path, body, "application/json")
    }

    fn send(&self, method: Method, path: &str, body: &str, content_type: &'static str) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(
            http::header::CONTENT_TYPE,
            http::HeaderValue::from_static(content_type),
        );
        headers.insert(
            http::header::USER_AGENT,
            http::HeaderValue::from_static("admin/1"),
        );
        let uri = path.parse().unwrap_or_else(|_| http::Uri::from_static("/"));
        let body = bytes::Bytes::from(body.to_owned());
        let request = Request {
            method,
            uri,
            headers,
            body,
            user: User::admin(),
        };
        match self.handle(&request) {
            Reply::Response(response) => response,
            Reply::Watch { subscription, .. } => {
                self.shared.lock().end_watch(subscription);
                Response::json(500, &json!({ "message": "a watch has no single answer" }))
            }
        }
    }

    fn resource(&self, api_version: &str, kind: &str) -> Result<Arc<Resource>, HelperError> {
        let (group, version) = object::split_api_version(api_version);
        self.with_server(|server| server.registry.by_kind(group, version, kind))
            .ok_or_else(|| HelperError {
                verb: "find",
                what: format!("{kind} ({api_version})"),
                code: 404,
                message: "the cluster serves no such kind; is its CRD applied and established?"
                    .into(),
            })
    }

    fn path_of(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<String, HelperError> {
        let resource = self.resource(api_version, kind)?;
        Ok(format!("{}/{name}", collection(&resource, namespace)))
    }

    fn paths(&self, value: &Value) -> Result<(String, String), HelperError> {
        let text = |field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default();
        let resource = self.resource(text("apiVersion"), text("kind"))?;
        let namespace = object::namespace(value);
        let namespace = if namespace.is_empty() {
            "default"
        } else {
            namespace
        };
        let collection = collection(&resource, namespace);
        let named = format!("{collection}/{}", object::name(value));
        Ok((collection, named))
    }
}

/// The path of a collection.
pub(crate) fn collection(resource: &Resource, namespace: &str) -> String {
    let root = if resource.group.is_empty() {
        format!("/api/{}", resource.version)
    } else {
        format!("/apis/{}/{}", resource.group, resource.version)
    };
    if resource.namespaced {
        format!("{root}/namespaces/{namespace}/{}", resource.plural)
    } else {
        format!("{root}/{}", resource.plural)
    }
}

fn what(value: &Value) -> String {
    let kind = value
        .get("kind")
        .and_then(Value::as_str)
        .unwrap_or("object");
    format!(
        "{kind} {}/{}",
        object::namespace(value),
        object::name(value)
    )
}

fn expect(verb: &'static str, what: &str, answer: &Response) -> Result<Value, HelperError> {
    let value = answer.value().unwrap_or_default();
    if answer.status.is_success() {
        return Ok(value);
    }
    let message = value["message"].as_str().map_or_else(
        || String::from_utf8_lossy(&answer.body).into_owned(),
        str::to_owned,
    );
    Err(HelperError {
        verb,
        what: what.to_owned(),
        code: answer.status.as_u16(),
        message,
    })
}
