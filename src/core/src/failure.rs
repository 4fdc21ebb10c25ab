//! Failures of requests, classed by our next move.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::time::Timestamp;

/// A request that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// What to do next.
    pub class: FailureClass,
    /// For the person who must act; no Secret content, no token.
    pub message: String,
}

/// Failures by what we do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum FailureClass {
    /// 401 or 403 that a grant would cure. Never retried under another identity (I4).
    Denied,
    /// Something the request names doesn't exist: the namespace, usually. Holds kind and name.
    Missing {
        /// Plural resource as the server's details name it, e.g. `namespaces`.
        resource: String,
        /// Name of the missing object.
        name: String,
    },
    /// The server doesn't know the kind.
    UnknownKind,
    /// 409: what the operation was computed from has changed. Look again at once.
    Conflict,
    /// 422, 400 or an admission refusal: the content must change. Looked at again slowly.
    Rejected,
    /// 422 for nothing but fields that can't be changed once they are set.
    Immutable,
    /// Time-outs, 5xx, 429, connection errors. Backed off.
    Transient {
        /// What the server asked for (`Retry-After`).
        retry_after: Option<Duration>,
    },
    /// The artifact or its content is wrong; only a new revision or spec cures it.
    Terminal,
}

impl Failure {
    /// A failure of this class.
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
        }
    }

    /// How long to wait before asking again, for the nth failure in a row (from 1).
    ///
    /// Denials come back within 60 s, since nothing tells us that a grant was made (K10); all others
    /// within ten minutes, and a conflict at once, since a fresh look decides it.
    pub fn retry_after(&self, attempts: u32) -> Duration {
        let doubled = |first: u64, cap: u64| {
            let exponent = attempts.saturating_sub(1).min(16);
            Duration::from_secs((first << exponent).min(cap))
        };
        match &self.class {
            FailureClass::Conflict => {
                if attempts <= 1 {
                    Duration::from_millis(50)
                } else {
                    doubled(1, 60)
                }
            }
            FailureClass::Denied | FailureClass::Missing { .. } | FailureClass::UnknownKind => {
                doubled(5, 60)
            }
            FailureClass::Rejected | FailureClass::Immutable => doubled(5, 300),
            FailureClass::Transient { retry_after } => doubled(1, 60).max(
                retry_after
                    .unwrap_or_default()
                    .min(Duration::from_secs(600)),
            ),
            FailureClass::Terminal => Duration::from_secs(600),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Something that was seen, when, and how often in a row asking for it has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact<T> {
    /// What was seen.
    pub value: T,
    /// When.
    pub at: Timestamp,
    /// Failures in a row up to this one; 0 when `value` isn't a failure.
    pub failures: u32,
}

impl<T> Fact<T> {
    /// Something seen now, without failure.
    pub fn seen(value: T, at: Timestamp) -> Self {
        Self {
            value,
            at,
            failures: 0,
        }
    }
}
