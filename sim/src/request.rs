//! What goes into the server and what comes out of it: plain data, at the level of HTTP.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::Value;

/// An authenticated user. Who knocks at a door is decided by the door, as a TLS certificate or a
/// token decides it for a real server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct User {
    /// User name, `system:serviceaccount:NAMESPACE:NAME` for service accounts.
    pub name: String,
    /// Groups, `system:authenticated` included where it applies.
    pub groups: Vec<String>,
    /// Uid, or empty.
    pub uid: String,
    /// Extra attributes (also settable by impersonation).
    pub extra: BTreeMap<String, Vec<String>>,
}

impl User {
    /// A user with groups; `system:authenticated` is added.
    pub fn new(name: impl Into<String>, groups: &[&str]) -> Self {
        let mut groups: Vec<String> = groups.iter().map(|g| (*g).to_owned()).collect();
        groups.push("system:authenticated".to_owned());
        Self {
            name: name.into(),
            groups,
            uid: String::new(),
            extra: BTreeMap::new(),
        }
    }

    /// The administrator: a member of `system:masters`, whom RBAC never refuses.
    pub fn admin() -> Self {
        Self::new("kubernetes-admin", &["system:masters"])
    }

    /// A service account with the groups that its token carries.
    pub fn service_account(namespace: &str, name: &str) -> Self {
        Self::new(
            format!("system:serviceaccount:{namespace}:{name}"),
            &[
                "system:serviceaccounts",
                &format!("system:serviceaccounts:{namespace}"),
            ],
        )
    }

    /// Whoever comes without credentials.
    pub fn anonymous() -> Self {
        Self {
            name: "system:anonymous".into(),
            groups: vec!["system:unauthenticated".into()],
            uid: String::new(),
            extra: BTreeMap::new(),
        }
    }
}

/// One HTTP request with the user that the door authenticated.
#[derive(Clone, Debug)]
pub struct Request {
    /// HTTP method.
    pub method: Method,
    /// Path and query; scheme and authority are ignored.
    pub uri: Uri,
    /// Headers (`Accept`, `Content-Type`, `User-Agent`, `Impersonate-*` are read).
    pub headers: HeaderMap,
    /// Body, complete.
    pub body: Bytes,
    /// Who sends it.
    pub user: User,
}

impl Request {
    /// The first value of a header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// A complete answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

impl Response {
    /// A JSON answer.
    pub(crate) fn json(code: u16, value: &Value) -> Self {
        Self::bytes(code, "application/json", crate::body::encode(value))
    }

    /// An answer of any content type.
    pub(crate) fn bytes(code: u16, content_type: &str, body: Bytes) -> Self {
        let mut headers = HeaderMap::new();
        if let Ok(value) = http::HeaderValue::from_str(content_type) {
            headers.insert(http::header::CONTENT_TYPE, value);
        }
        let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self {
            status,
            headers,
            body,
        }
    }

    /// The body as JSON, if it is JSON.
    pub fn value(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// The number under which the server keeps a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SubscriptionId(pub(crate) u64);

impl SubscriptionId {
    /// Watches of a server are numbered as they begin.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// What a request gets: an answer, or a stream of events that goes on.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A complete answer.
    Response(Response),
    /// A watch: its events are fetched with [`crate::Server::poll_watch`].
    Watch {
        /// Content type of the stream.
        content_type: String,
        /// Key of the watch.
        subscription: SubscriptionId,
    },
}
