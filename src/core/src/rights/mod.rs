//! What a request needs, what an account may do, and the Role that closes the gap.
//!
//! - [`Right`] one thing that a request needs, as the API server's authorizers see it;
//! - [`Rules`] what a rules review says that an account may do;
//! - [`grant`] the smallest Roles that allow exactly what is missing.

mod grant;
mod review;

use std::fmt;

use serde::Serialize;

pub use grant::{Grant, Subject, granting};
pub use review::{Rule, Rules};

/// What is done to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Verb {
    /// Create it.
    Create,
    /// Delete it.
    Delete,
    /// Read it.
    Get,
    /// Apply it.
    Patch,
}

impl Verb {
    /// As RBAC has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Delete => "delete",
            Self::Get => "get",
            Self::Patch => "patch",
        }
    }
}

/// One thing that a request needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Right {
    /// Namespace; `None` for cluster-scoped objects.
    pub namespace: Option<String>,
    /// API group; empty for the core group.
    pub group: String,
    /// Plural resource name.
    pub resource: String,
    /// What is done.
    pub verb: Verb,
    /// The object's name; empty = any.
    pub name: String,
}

impl Right {
    /// The same for every object of the kind.
    #[must_use]
    pub fn of_any_name(&self) -> Self {
        Self {
            name: String::new(),
            ..self.clone()
        }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb.as_str(), self.resource)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        if !self.name.is_empty() {
            write!(f, " {:?}", self.name)?;
        }
        match &self.namespace {
            Some(namespace) => write!(f, " in namespace {namespace}"),
            None => f.write_str(" in the whole cluster"),
        }
    }
}

#[cfg(test)]
mod tests;
