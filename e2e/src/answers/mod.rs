//! Answers of two servers that got the same requests, made comparable ([`normal`]) and compared
//! ([`compare`]).

pub mod compare;
pub mod normal;

use serde_json::Value;

/// What a server answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// HTTP status; 0 when the server broke off.
    pub code: u16,
    /// The body: JSON, or a text.
    pub body: Value,
}
