//! What the scenario itself does to the simulated cluster, as its administrator.

use http::{Method, Request};
use serde_json::{Value, json};
use stageset_core::object::Reference;

use super::SimulationError;
use crate::scenario::{Manifest, ObjectName};

/// The field manager of the administrator's applies: somebody with kubectl.
const MANAGER: &str = "kubectl";

/// The administrator's client.
#[derive(Clone)]
pub(super) struct Administrator {
    client: kube::Client,
}

/// Why the administrator was refused, in the API server's words.
pub(super) type Refusal = String;

impl Administrator {
    pub(super) fn new(client: kube::Client) -> Self {
        Self { client }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: Option<&Value>,
    ) -> Result<Value, Refusal> {
        let body = body
            .map(ToString::to_string)
            .unwrap_or_default()
            .into_bytes();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::CONTENT_TYPE, content_type)
            .body(body)
            .map_err(|error| error.to_string())?;
        self.client
            .request(request)
            .await
            .map_err(|error| match error {
                kube::Error::Api(status) => status.message.clone(),
                other => other.to_string(),
            })
    }

    /// The path of an object, or of its collection; kinds are looked up each time, since a step may
    /// have brought them.
    async fn path(&self, object: &ObjectName, name: Option<&str>) -> Result<String, Refusal> {
        let api = if object.api_version.contains('/') {
            "apis"
        } else {
            "api"
        };
        let root = format!("/{api}/{}", object.api_version);
        let list = self
            .send(Method::GET, &root, "application/json", None)
            .await;
        let list = list.map_err(|_| {
            format!(
                "the cluster doesn't serve {} {}",
                object.api_version, object.kind
            )
        })?;
        let resources = list["resources"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let resource = resources
            .iter()
            .find(|resource| {
                resource["kind"] == object.kind.as_str()
                    && resource["name"]
                        .as_str()
                        .is_some_and(|name| !name.contains('/'))
            })
            .ok_or_else(|| {
                format!(
                    "the cluster doesn't serve {} {}",
                    object.api_version, object.kind
                )
            })?;
        let plural = resource["name"].as_str().unwrap_or_default();
        let mut path = root;
        if resource["namespaced"] == true {
            let namespace = object.namespace.as_deref().unwrap_or("default");
            path.push_str("/namespaces/");
            path.push_str(namespace);
        }
        path.push('/');
        path.push_str(plural);
        if let Some(name) = name {
            path.push('/');
            path.push_str(name);
        }
        Ok(path)
    }

    /// Applies an object, whoever owned its fields.
    pub(super) async fn apply(&self, body: &Value) -> Result<(), Refusal> {
        let object = Manifest {
            origin: String::new(),
            body: body.clone(),
        }
        .object();
        let path = self.path(&object, Some(&object.name)).await?;
        let path = format!("{path}?fieldManager={MANAGER}&force=true");
        self.send(
            Method::PATCH,
            &path,
            "application/apply-patch+yaml",
            Some(body),
        )
        .await?;
        Ok(())
    }

    /// Sets the status of an object, whole.
    pub(super) async fn set_status(
        &self,
        object: &ObjectName,
        status: &Value,
    ) -> Result<(), Refusal> {
        let path = self.path(object, Some(&object.name)).await? + "/status";
        let body = json!({"status": status});
        self.send(
            Method::PATCH,
            &path,
            "application/merge-patch+json",
            Some(&body),
        )
        .await?;
        Ok(())
    }

    /// Changes an object by a merge patch.
    pub(super) async fn patch(&self, object: &ObjectName, merge: &Value) -> Result<(), Refusal> {
        let path = self.path(object, Some(&object.name)).await?;
        let path = format!("{path}?fieldManager={MANAGER}");
        self.send(
            Method::PATCH,
            &path,
            "application/merge-patch+json",
            Some(merge),
        )
        .await?;
        Ok(())
    }

    /// Deletes an object in the background.
    pub(super) async fn delete(&self, object: &ObjectName) -> Result<(), Refusal> {
        let path = self.path(object, Some(&object.name)).await?;
        let body = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
        });
        self.send(Method::DELETE, &path, "application/json", Some(&body))
            .await?;
        Ok(())
    }

    /// Whether RBAC lets a user do this.
    pub(super) async fn may(
        &self,
        user: &str,
        verb: &str,
        object: &Reference,
    ) -> Result<bool, Refusal> {
        let namespace = user
            .strip_prefix("system:serviceaccount:")
            .and_then(|u| u.split(':').next());
        let mut groups = vec!["system:authenticated".to_owned()];
        if let Some(namespace) = namespace {
            groups.push("system:serviceaccounts".to_owned());
            groups.push(format!("system:serviceaccounts:{namespace}"));
        }
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": user,
                "groups": groups,
                "resourceAttributes": {
                    "verb": verb,
                    "group": object.key.group,
                    "version": object.version,
                    "resource": object.plural,
                    "namespace": object.key.namespace.clone().unwrap_or_default(),
                    "name": object.key.name,
                },
            },
        });
        let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        let answer = self
            .send(Method::POST, path, "application/json", Some(&review))
            .await?;
        Ok(answer["status"]["allowed"] == true)
    }

    /// All StageSets.
    pub(super) async fn stage_sets(&self) -> Result<Vec<Value>, Refusal> {
        let path = "/apis/stages.metio.wtf/v1/stagesets";
        let list = self
            .send(Method::GET, path, "application/json", None)
            .await?;
        Ok(list["items"].as_array().cloned().unwrap_or_default())
    }

    /// Applies a manifest; the error names its place.
    pub(super) async fn manifest(&self, manifest: &Manifest) -> Result<(), SimulationError> {
        self.apply(&manifest.body)
            .await
            .map_err(|message| SimulationError::Refused {
                origin: manifest.origin.clone(),
                attempt: format!("apply {}", manifest.object()),
                message,
            })
    }
}
