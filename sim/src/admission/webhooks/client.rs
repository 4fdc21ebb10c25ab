//! What Go's client says of an answer that is no review.

use serde_json::Value;

use super::text;

/// How much of a body is repeated.
const LIMIT: usize = 2048;

pub(super) fn misunderstood(code: u16, body: &str) -> String {
    if (200..=206).contains(&code) {
        return unreadable(code, body);
    }
    let json: Option<Value> = serde_json::from_str(body).ok();
    if let Some(status) = json.as_ref().filter(|json| text(json, "kind") == "Status") {
        return text(status, "message").to_owned();
    }
    let short: String = body.chars().take(LIMIT).collect();
    // Only of texts it says what they are.
    let said = if json.is_some() {
        "unknown"
    } else {
        short.trim()
    };
    let known = match code {
        400 => "the server rejected our request for an unknown reason",
        401 => "the server has asked for the client to provide credentials",
        403 | 415 => said,
        404 => "the server could not find the requested resource",
        405 => "the server does not allow this method on the requested resource",
        406 if matches!(said, "" | "unknown") => {
            "the server was unable to respond with a content type that the client supports"
        }
        406 => said,
        409 => "the server reported a conflict",
        422 => "the server rejected our request due to an error in our request",
        429 => "the server has received too many requests and has asked us to try again later",
        503 => "the server is currently unable to handle the request",
        504 => {
            "the server was unable to return a response in the time allotted, but may still be \
             processing the request"
        }
        code if code >= 500 => {
            return format!(
                "an error on the server ({said:?}) has prevented the request from succeeding"
            );
        }
        code => {
            return format!(
                "the server responded with the status code {code} but did not return more \
                 information"
            );
        }
    };
    known.to_owned()
}

/// Whatever is no JSON is read as YAML, and a page of text is a text there.
fn unreadable(code: u16, body: &str) -> String {
    if body.is_empty() {
        return format!(
            "0-length response with status code: {code} and content type: application/json"
        );
    }
    let wanted = r#"struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#;
    format!(
        "couldn't get version/kind; json parse error: json: cannot unmarshal string into Go value \
         of type {wanted}"
    )
}
