//! One request as data, before either server has seen it.

use serde_json::Value;

/// In a body: the resourceVersion that the server under test last gave to the object at this path.
pub(crate) const VERSION: &str = "${resourceVersion}";
/// In a body: the uid that the server under test last gave to the object at this path.
pub(crate) const UID: &str = "${uid}";

/// A request that both servers get.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    /// What the report calls it: `create`, `apply`, `json-patch`, …
    pub(crate) verb: &'static str,
    /// The kind it is about.
    pub(crate) kind: &'static str,
    pub(crate) method: &'static str,
    /// Where the object is (or its collection, for what has no name).
    pub(crate) path: String,
    /// What follows the `?`; empty when there is none.
    pub(crate) query: String,
    pub(crate) content_type: &'static str,
    /// Null is no body.
    pub(crate) body: Value,
    pub(crate) impersonate: Option<String>,
}

impl Operation {
    pub(crate) fn new(
        verb: &'static str,
        kind: &'static str,
        method: &'static str,
        path: impl Into<String>,
    ) -> Self {
        Self {
            verb,
            kind,
            method,
            path: path.into(),
            query: String::new(),
            content_type: "application/json",
            body: Value::Null,
            impersonate: None,
        }
    }

    pub(crate) fn body(mut self, content_type: &'static str, body: Value) -> Self {
        self.content_type = content_type;
        self.body = body;
        self
    }

    pub(crate) fn query(mut self, parameters: &[String]) -> Self {
        self.query = parameters.join("&");
        self
    }

    pub(crate) fn impersonate(mut self, user: impl Into<String>) -> Self {
        self.impersonate = Some(user.into());
        self
    }

    /// Path and query.
    pub(crate) fn uri(&self) -> String {
        if self.query.is_empty() {
            self.path.clone()
        } else {
            format!("{}?{}", self.path, self.query)
        }
    }
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) body: Value,
}
