//! The hash that names end in: the first ten hexadecimal digits of the SHA-256 of the object's
//! content as Go writes it in JSON, with digits exchanged that could make a word.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::kustomize::write;
use crate::yaml::{Data, Node};

/// The hash of a ConfigMap or Secret; none for other kinds.
pub(super) fn of(node: &Node) -> Option<String> {
    let kind = node.get("kind").and_then(Node::text)?;
    // Names aren't part of it: kustomize looks for them in the wrong place, and finds nothing.
    let (before, optional, after): (_, _, &[&str]) = match kind {
        "ConfigMap" => (Some("binaryData"), None, &[]),
        "Secret" => (None, Some("stringData"), &["type"]),
        _ => return None,
    };
    let mut json = String::from("{");
    let field = |json: &mut String, name: &str, required: bool| {
        let value = node.get(name);
        let is_mapping = value.is_some_and(|value| matches!(value.data, Data::Mapping(_)));
        if !required && !is_mapping {
            return;
        }
        if json.len() > 1 {
            json.push(',');
        }
        json.push_str(&text(name));
        json.push(':');
        match value {
            None => json.push_str("\"\""),
            Some(value) => match value.scalar() {
                Some(value) => json.push_str(&text(&value)),
                None => json.push_str(&write::json(value, None)),
            },
        }
    };
    if let Some(name) = before {
        field(&mut json, name, false);
    }
    field(&mut json, "data", true);
    json.push_str(",\"kind\":");
    json.push_str(&text(kind));
    json.push_str(",\"name\":\"\"");
    if let Some(name) = optional {
        field(&mut json, name, false);
    }
    for name in after {
        field(&mut json, name, true);
    }
    json.push('}');
    Some(digits(&json))
}

fn digits(json: &str) -> String {
    let digest = Sha256::digest(json.as_bytes());
    let mut hex = String::with_capacity(10);
    for byte in &digest[..5] {
        // Writing into a text can't fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex.chars()
        .map(|digit| match digit {
            '0' => 'g',
            '1' => 'h',
            '3' => 'k',
            'a' => 'm',
            'e' => 't',
            digit => digit,
        })
        .collect()
}

fn text(text: &str) -> String {
    write::json(&Node::string(0, text), None)
}
