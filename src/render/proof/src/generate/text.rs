//! Values as YAML, in the ways in which people write them.

use std::fmt::Write as _;

use serde_json::Value;

use crate::random::Random;

/// A value as a YAML document.
pub(super) fn yaml(value: &Value, random: &mut Random) -> String {
    let mut text = String::new();
    if random.percent(5) {
        text.push_str("# a comment\n");
    }
    if is_leaf(value) {
        let _ = writeln!(text, "{}", leaf(value, random));
    } else {
        block(value, 0, random, &mut text);
    }
    text
}

fn is_leaf(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => true,
    }
}

fn block(value: &Value, indent: usize, random: &mut Random, text: &mut String) {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let _ = write!(text, "{pad}{}:", scalar(key, random, true));
                entry(value, indent, random, text);
            }
        }
        Value::Array(items) => {
            for item in items {
                match item {
                    Value::Object(map) if !map.is_empty() => {
                        let mut inner = String::new();
                        block(item, indent + 2, random, &mut inner);
                        let _ = write!(text, "{pad}- {}", inner.trim_start());
                    }
                    _ => {
                        let _ = writeln!(text, "{pad}- {}", flow(item, random));
                    }
                }
            }
        }
        _ => {}
    }
}

fn entry(value: &Value, indent: usize, random: &mut Random, text: &mut String) {
    match value {
        Value::String(lines) if lines.contains('\n') && is_literal(lines) => {
            let keep = if lines.ends_with('\n') { "" } else { "-" };
            let _ = writeln!(text, " |{keep}");
            for line in lines.lines() {
                if line.is_empty() {
                    text.push('\n');
                } else {
                    let _ = writeln!(text, "{}{line}", " ".repeat(indent + 2));
                }
            }
        }
        value if is_leaf(value) => {
            let _ = writeln!(text, " {}", leaf(value, random));
        }
        value if random.percent(4) => {
            let _ = writeln!(text, " {}", flow(value, random));
        }
        Value::Array(_) => {
            text.push('\n');
            // Both habits: items under the key, or two columns in.
            let deeper = if random.percent(50) { 2 } else { 0 };
            block(value, indent + deeper, random, text);
        }
        value => {
            text.push('\n');
            block(value, indent + 2, random, text);
        }
    }
}

fn is_literal(lines: &str) -> bool {
    !lines.starts_with([' ', '\n', '\t'])
        && !lines.ends_with("\n\n")
        && lines.chars().all(|c| c == '\n' || !c.is_control())
}

/// JSON, which is YAML.
fn flow(value: &Value, random: &mut Random) -> String {
    match value {
        Value::String(text) => scalar(text, random, false),
        value => value.to_string(),
    }
}

fn leaf(value: &Value, random: &mut Random) -> String {
    flow(value, random)
}

/// A text, plain where that keeps it a text.
fn scalar(text: &str, random: &mut Random, key: bool) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
        );
    if plain && (key || random.percent(90)) {
        text.to_owned()
    } else if !text.contains(['\'', '\n', '\r']) && random.percent(50) {
        format!("'{text}'")
    } else {
        Value::from(text).to_string()
    }
}
