//! Our own entries in `metadata.managedFields`, as text that can be compared and hashed.

use std::fmt::Write as _;

use serde_json::Value;

/// The entries of one field manager's applies to an object itself, not to a subresource of it.
pub(super) struct ApplyEntries<'a>(Vec<&'a Value>);

impl<'a> ApplyEntries<'a> {
    /// The entries in an object's `metadata`; `None` if there are none.
    pub(super) fn of(metadata: &'a Value, field_manager: &str) -> Option<Self> {
        let entries: Vec<_> = metadata
            .get("managedFields")?
            .as_array()?
            .iter()
            .filter(|entry| {
                let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
                text("manager") == field_manager
                    && text("operation") == "Apply"
                    && text("subresource").is_empty()
            })
            .collect();
        (!entries.is_empty()).then_some(Self(entries))
    }

    /// API version and fields of all entries, with or without the time of the last change. Equal
    /// entries give equal texts, whatever the order of entries and keys.
    pub(super) fn text(&self, with_time: bool) -> String {
        let mut lines: Vec<String> = self
            .0
            .iter()
            .map(|entry| {
                let mut line = String::new();
                let keys: &[&str] = if with_time {
                    &["apiVersion", "time", "fieldsV1"]
                } else {
                    &["apiVersion", "fieldsV1"]
                };
                for key in keys {
                    canonical(entry.get(key).unwrap_or(&Value::Null), &mut line);
                    line.push(' ');
                }
                line
            })
            .collect();
        lines.sort();
        lines.join("\n")
    }
}

/// Writes JSON with its keys in order. `serde_json` orders them itself unless some other crate of
/// the build turns on `preserve_order`, on which a fingerprint must not depend.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<_> = map.iter().collect();
            keys.sort_by_key(|(key, _)| key.as_str());
            out.push('{');
            for (key, value) in keys {
                // Writing to a String cannot fail.
                let _ = write!(out, "{}:", Value::from(key.as_str()));
                canonical(value, out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        scalar => {
            let _ = write!(out, "{scalar}");
        }
    }
}
