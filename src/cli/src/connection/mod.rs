//! A cluster, as the caller: the connection flags that kubectl has, and the few requests that the
//! commands make. Everything is done with the caller's own credentials.

mod flags;

use http::{Method, Request};
use serde_json::Value;
use stageset_api::names::{
    API_VERSION, CLI_FIELD_MANAGER, PLURAL_STAGE_LEDGERS, PLURAL_STAGE_SETS,
};

pub use flags::ConnectionFlags;

/// Why a cluster can't be asked, or what it answered.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No usable kubeconfig.
    #[error("no access to a cluster: {0}")]
    Config(String),
    /// The object isn't there.
    #[error("{0} doesn't exist")]
    Absent(String),
    /// Somebody else was faster.
    #[error("{what}: somebody else changed it meanwhile ({said})")]
    Conflict {
        /// What was tried.
        what: String,
        /// What was said.
        said: String,
    },
    /// The API server refused, or couldn't be reached.
    #[error("{what}: {said}")]
    Refused {
        /// What was tried.
        what: String,
        /// What was said.
        said: String,
    },
}

/// A cluster and the namespace that commands work in.
#[derive(Clone)]
pub struct Cluster {
    client: kube::Client,
    /// From the flag, the context, or `default`.
    pub namespace: String,
}

impl Cluster {
    /// A cluster behind a client that exists already.
    pub fn new(client: kube::Client, namespace: impl Into<String>) -> Self {
        Self {
            client,
            namespace: namespace.into(),
        }
    }

    /// One StageSet of this namespace.
    ///
    /// # Errors
    /// [`ClusterError::Absent`] if there is none.
    pub async fn stage_set(&self, name: &str) -> Result<Value, ClusterError> {
        let path = stage_set_path(&self.namespace, name);
        self.send(Method::GET, &path, None)
            .await?
            .ok_or_else(|| ClusterError::Absent(format!("StageSet {}/{name}", self.namespace)))
    }

    /// All StageSets, of this namespace or of all.
    ///
    /// # Errors
    /// [`ClusterError`].
    pub async fn stage_sets(&self, all_namespaces: bool) -> Result<Vec<Value>, ClusterError> {
        let root = format!("/apis/{API_VERSION}");
        let path = if all_namespaces {
            format!("{root}/{PLURAL_STAGE_SETS}")
        } else {
            format!("{root}/namespaces/{}/{PLURAL_STAGE_SETS}", self.namespace)
        };
        let list = self.send(Method::GET, &path, None).await?;
        let list = list.ok_or_else(|| {
            ClusterError::Absent(format!("the kind StageSet ({API_VERSION}) in this cluster"))
        })?;
        let items = list.get("items").and_then(Value::as_array);
        Ok(items.cloned().unwrap_or_default())
    }

    /// Merges into a StageSet of this namespace.
    ///
    /// # Errors
    /// [`ClusterError`].
    pub async fn patch_stage_set(&self, name: &str, patch: &Value) -> Result<Value, ClusterError> {
        let path = stage_set_path(&self.namespace, name);
        self.patch(&path, patch).await
    }

    /// Merges into any object.
    ///
    /// # Errors
    /// [`ClusterError`].
    pub async fn patch(&self, path: &str, patch: &Value) -> Result<Value, ClusterError> {
        let path = format!("{path}?fieldManager={CLI_FIELD_MANAGER}");
        self.send(Method::PATCH, &path, Some(patch))
            .await?
            .ok_or_else(|| ClusterError::Absent(path.clone()))
    }

    /// Creates an object in the collection at a path.
    ///
    /// # Errors
    /// [`ClusterError::Conflict`] if there is one already.
    pub async fn create(&self, path: &str, object: &Value) -> Result<Value, ClusterError> {
        let path = format!("{path}?fieldManager={CLI_FIELD_MANAGER}");
        self.send(Method::POST, &path, Some(object))
            .await?
            .ok_or_else(|| ClusterError::Absent(path.clone()))
    }

    /// The path of this namespace's `StageLedgers`.
    pub fn ledgers_path(&self) -> String {
        let namespace = &self.namespace;
        format!("/apis/{API_VERSION}/namespaces/{namespace}/{PLURAL_STAGE_LEDGERS}")
    }

    /// Any object by its path; `None` if there is none.
    ///
    /// # Errors
    /// [`ClusterError`].
    pub async fn get(&self, path: &str) -> Result<Option<Value>, ClusterError> {
        self.send(Method::GET, path, None).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Option<Value>, ClusterError> {
        let what = format!("{method} {path}");
        let refused = |said: String| ClusterError::Refused {
            what: what.clone(),
            said,
        };
        let mut request = Request::builder().method(method.clone()).uri(path);
        if body.is_some() {
            let form = if method == Method::PATCH {
                "application/merge-patch+json"
            } else {
                "application/json"
            };
            request = request.header("content-type", form);
        }
        let bytes = body
            .map(|body| body.to_string().into_bytes())
            .unwrap_or_default();
        let request = request
            .body(bytes)
            .map_err(|error| refused(error.to_string()))?;
        match self.client.request::<Value>(request).await {
            Ok(object) => Ok(Some(object)),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(kube::Error::Api(status)) if status.code == 409 => Err(ClusterError::Conflict {
                what: what.clone(),
                said: status.message.clone(),
            }),
            Err(kube::Error::Api(status)) => Err(refused(status.message.clone())),
            Err(error) => Err(refused(chain(&error))),
        }
    }
}

fn stage_set_path(namespace: &str, name: &str) -> String {
    format!("/apis/{API_VERSION}/namespaces/{namespace}/{PLURAL_STAGE_SETS}/{name}")
}

/// An error and what caused it, each said once.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        cause = inner.source();
    }
    said
}
