//! Points in time as the API has them: RFC 3339 text.
//!
//! The text is kept as it was written; whoever needs to reckon with it parses it. That keeps a
//! time library out of this crate and lets a status that somebody else wrote be read at all.

use serde::{Deserialize, Serialize};

/// An RFC 3339 time, e.g. `2026-11-23T21:00:00Z`, unparsed.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub String);

impl Time {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Time {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Time {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
