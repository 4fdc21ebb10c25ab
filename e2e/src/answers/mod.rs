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

/// Most characters of a value that are printed.
const WIDTH: usize = 400;

/// A value in a line, its end left out if it is long.
pub fn in_short(value: Option<&Value>) -> String {
    let Some(value) = value else {
        return "(absent)".to_owned();
    };
    let text = value.to_string();
    match text.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
