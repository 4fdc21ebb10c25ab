//! An object of the world.

use serde_json::{Value, json};
use stageset_core::object::Owner;
use stageset_core::time::Timestamp;

/// An object as the cluster holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    pub uid: String,
    pub version: u64,
    pub owner: Option<Owner>,
    pub stage: String,
    pub content: String,
    pub entry: String,
    pub prune_disabled: bool,
    pub deleting: bool,
    pub deleted_at: Option<Timestamp>,
    pub takes_claims_along: bool,
    /// The content that its managers' fields hold besides ours.
    pub former: Vec<String>,
    /// Its `status`, for expressions.
    pub status: Value,
    pub ready_at: Timestamp,
    pub finalizer: bool,
}

impl Stored {
    /// An object that nobody of ours has touched.
    pub fn foreign(uid: &str, ready_at: Timestamp) -> Self {
        Self {
            uid: uid.into(),
            version: 0,
            owner: None,
            stage: String::new(),
            content: String::new(),
            entry: String::new(),
            prune_disabled: false,
            deleting: false,
            deleted_at: None,
            takes_claims_along: false,
            former: Vec::new(),
            status: json!({}),
            ready_at,
            finalizer: false,
        }
    }
}
