//! One request as data, before either server has seen it.

use serde_json::Value;

/// In a body or query: the resourceVersion that the server under test last gave to the object at
/// this path.
pub(crate) const VERSION: &str = "${resourceVersion}";
/// In a body: the uid that the server under test last gave to the object at this path.
pub(crate) const UID: &str = "${uid}";
/// In a body: the uid that the server under test last gave to the object at that path.
pub(crate) fn uid_of(path: &str) -> String {
    format!("{UID_OF}{path}}}")
}

/// Where such a placeholder begins; it ends with `}`.
pub(crate) const UID_OF: &str = "${uid:";

/// In a query: the continue token that the server under test gave last.
pub(crate) const CONTINUE: &str = "${continue}";

/// In a header: the token that the server under test last gave at this path.
pub(crate) fn token_of(path: &str) -> String {
    format!("{TOKEN}{path}}}")
}

/// Where such a placeholder begins; it ends with `}`.
pub(crate) const TOKEN: &str = "${token:";

pub(crate) const APPLY: &str = "application/apply-patch+yaml";
pub(crate) const JSON: &str = "application/json";
pub(crate) const MERGE: &str = "application/merge-patch+json";
pub(crate) const STRATEGIC: &str = "application/strategic-merge-patch+json";
pub(crate) const JSON_PATCH: &str = "application/json-patch+json";

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
    /// Null is no body; a text is sent as it is.
    pub(crate) body: Value,
    /// Beside content type and user agent.
    pub(crate) headers: Vec<(&'static str, String)>,
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
            content_type: JSON,
            body: Value::Null,
            headers: Vec::new(),
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

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Whether it is made by whom a token names.
    pub(crate) fn bears_token(&self) -> bool {
        self.headers
            .iter()
            .any(|(name, _)| *name == "authorization")
    }

    pub(crate) fn impersonate(self, user: impl Into<String>) -> Self {
        self.header("impersonate-user", user)
    }

    /// Path and query.
    pub(crate) fn uri(&self) -> String {
        if self.query.is_empty() {
            self.path.clone()
        } else {
            format!("{}?{}", self.path, self.query)
        }
    }

    /// The body as it is sent, before placeholders are filled.
    pub(crate) fn text(&self) -> String {
        match &self.body {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            body => body.to_string(),
        }
    }
}
