//! The Lease in the cluster: reading and writing it as the controller.

use std::time::Duration;

use http::{Method, Request};
use kube::Client;
use serde_json::{Value, json};

use super::election::Seen;

/// What a Lease says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Who holds it; empty = nobody.
    pub holder: String,
    /// For how long after a renewal.
    pub lasts: Option<Duration>,
    /// When the holder got it, as text: shown, never reckoned with.
    pub acquired: String,
    /// When the holder renewed it, as text: shown, never reckoned with.
    pub renewed: String,
    /// How often it changed hands.
    pub transitions: i32,
}

/// Why a Lease could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Somebody else was faster.
    #[error("the Lease was changed by somebody else")]
    Conflict,
    /// The API server said no, or nothing.
    #[error("{0}")]
    Request(#[source] Box<kube::Error>),
    /// No answer within the bound.
    #[error("no answer from the API server within {} s", .0.as_secs())]
    Timeout(Duration),
}

/// One Lease.
#[derive(Clone)]
pub struct Leases {
    client: Client,
    namespace: String,
    name: String,
}

impl std::fmt::Debug for Leases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leases")
            .field("namespace", &self.namespace)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Leases {
    /// The Lease of this name in this namespace, through a client that acts as the controller.
    pub fn new(client: Client, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            client,
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// What it says; `None` if it doesn't exist.
    ///
    /// # Errors
    /// [`LeaseError::Request`].
    pub async fn get(&self) -> Result<Option<Seen>, LeaseError> {
        match self.send(Method::GET, &self.path(), None).await {
            Ok(lease) => Ok(Some(read(&lease))),
            Err(LeaseError::Request(error)) if status(&error) == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes it.
    ///
    /// # Errors
    /// [`LeaseError::Conflict`] if it exists by now.
    pub async fn create(&self, record: &Record) -> Result<Seen, LeaseError> {
        let metadata = json!({ "name": self.name, "namespace": self.namespace });
        let body = body(record, &metadata);
        self.send(Method::POST, &self.collection(), Some(body))
            .await
            .map(|lease| read(&lease))
    }

    /// Replaces what it says if it is still as it was seen. Its metadata stays: by labels and
    /// annotations Helm knows that it belongs to a release.
    ///
    /// # Errors
    /// [`LeaseError::Conflict`] if it was changed meanwhile.
    pub async fn replace(&self, record: &Record, metadata: &Value) -> Result<Seen, LeaseError> {
        let body = body(record, metadata);
        self.send(Method::PUT, &self.path(), Some(body))
            .await
            .map(|lease| read(&lease))
    }

    fn collection(&self) -> String {
        format!(
            "/apis/coordination.k8s.io/v1/namespaces/{}/leases",
            self.namespace
        )
    }

    fn path(&self) -> String {
        format!("{}/{}", self.collection(), self.name)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, LeaseError> {
        let bytes = body
            .map(|body| body.to_string().into_bytes())
            .unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::CONTENT_TYPE, "application/json")
            .header(http::header::ACCEPT, "application/json")
            .body(bytes)
            .map_err(|error| LeaseError::Request(Box::new(kube::Error::HttpError(error))))?;
        self.client
            .request::<Value>(request)
            .await
            .map_err(|error| match status(&error) {
                Some(409) => LeaseError::Conflict,
                _ => LeaseError::Request(Box::new(error)),
            })
    }
}

fn body(record: &Record, metadata: &Value) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": metadata,
        "spec": {
            "holderIdentity": record.holder,
            "leaseDurationSeconds": record.lasts.map(|lasts| lasts.as_secs()),
            "acquireTime": record.acquired,
            "renewTime": record.renewed,
            "leaseTransitions": record.transitions,
        },
    })
}

fn status(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(status) => Some(status.code),
        _ => None,
    }
}

/// Whatever somebody wrote into it is read as far as it can be.
fn read(lease: &Value) -> Seen {
    let text = |pointer: &str| {
        lease
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    Seen {
        record: Record {
            holder: text("/spec/holderIdentity"),
            lasts: lease
                .pointer("/spec/leaseDurationSeconds")
                .and_then(Value::as_u64)
                .filter(|seconds| *seconds > 0)
                .map(Duration::from_secs),
            acquired: text("/spec/acquireTime"),
            renewed: text("/spec/renewTime"),
            transitions: lease
                .pointer("/spec/leaseTransitions")
                .and_then(Value::as_i64)
                .and_then(|count| i32::try_from(count).ok())
                .unwrap_or(0),
        },
        metadata: lease["metadata"].clone(),
    }
}
