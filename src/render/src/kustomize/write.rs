//! Writing values as text: JSON as Go writes it, YAML as kustomize does.

use std::fmt::Write as _;

use crate::yaml::{Data, Node, full_time, plain_scalar};

/// JSON with keys in order, on one line or indented.
pub(super) fn json(node: &Node, indent: Option<&str>) -> String {
    let mut json = Json {
        text: String::new(),
        indent,
        depth: 0,
    };
    json.value(node);
    json.text
}

struct Json<'a> {
    text: String,
    indent: Option<&'a str>,
    depth: usize,
}

impl Json<'_> {
    fn value(&mut self, node: &Node) {
        match &node.data {
            Data::Null | Data::Blank => self.text.push_str("null"),
            Data::Bool(value) => self.text.push_str(if *value { "true" } else { "false" }),
            Data::Number(number) => match number.as_f64() {
                Some(float) => self.text.push_str(&go_float(float)),
                None => self.text.push_str(&number.to_string()),
            },
            Data::String(text) => self.string(text),
            Data::Timestamp(text) => self.string(&full_time(text)),
            Data::Sequence(items) => self.collection('[', ']', items.len(), |json, at| {
                json.value(&items[at]);
            }),
            Data::Mapping(entries) => {
                let mut entries: Vec<&(String, Node)> = entries.iter().collect();
                entries.sort_by(|(a, _), (b, _)| a.cmp(b));
                self.collection('{', '}', entries.len(), |json, at| {
                    let (key, value) = entries[at];
                    json.string(key);
                    json.text.push(':');
                    if json.indent.is_some() {
                        json.text.push(' ');
                    }
                    json.value(value);
                });
            }
        }
    }

    fn collection(
        &mut self,
        open: char,
        close: char,
        count: usize,
        mut item: impl FnMut(&mut Self, usize),
    ) {
        self.text.push(open);
        self.depth += 1;
        for at in 0..count {
            if at > 0 {
                self.text.push(',');
            }
            self.new_line();
            item(self, at);
        }
        self.depth -= 1;
        if count > 0 {
            self.new_line();
        }
        self.text.push(close);
    }

    fn new_line(&mut self) {
        if let Some(indent) = self.indent {
            self.text.push('\n');
            for _ in 0..self.depth {
                self.text.push_str(indent);
            }
        }
    }

    /// Letters that mean something in HTML are escaped, as Go does.
    fn string(&mut self, text: &str) {
        self.text.push('"');
        for c in text.chars() {
            match c {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\n' => self.text.push_str("\\n"),
                '\r' => self.text.push_str("\\r"),
                '\t' => self.text.push_str("\\t"),
                '\u{8}' => self.text.push_str("\\b"),
                '\u{c}' => self.text.push_str("\\f"),
                '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                    // Writing into a text can't fail.
                    let _ = write!(self.text, "\\u{:04x}", u32::from(c));
                }
                c => self.text.push(c),
            }
        }
        self.text.push('"');
    }
}

/// A number as Go writes it.
fn go_float(float: f64) -> String {
    let magnitude = float.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let text = format!("{float:e}");
        return match text.split_once('e') {
            Some((mantissa, exponent)) if !exponent.starts_with('-') => {
                format!("{mantissa}e+{exponent}")
            }
            _ => text,
        };
    }
    float.to_string()
}

/// YAML in blocks, lists not indented below their key.
pub(super) fn yaml(node: &Node) -> String {
    let mut text = String::new();
    block(&mut text, node, 0);
    text
}

fn block(text: &mut String, node: &Node, indent: usize) {
    match &node.data {
        Data::Mapping(entries) if !entries.is_empty() => {
            for (at, (key, value)) in entries.iter().enumerate() {
                if at > 0 {
                    pad(text, indent);
                }
                text.push_str(&scalar_text(key));
                text.push(':');
                match &value.data {
                    Data::Mapping(entries) if !entries.is_empty() => {
                        text.push('\n');
                        pad(text, indent + 2);
                        block(text, value, indent + 2);
                    }
                    Data::Sequence(items) if !items.is_empty() => {
                        text.push('\n');
                        pad(text, indent);
                        block(text, value, indent);
                    }
                    Data::Blank => text.push('\n'),
                    _ => {
                        text.push(' ');
                        block(text, value, indent + 2);
                    }
                }
            }
        }
        Data::Sequence(items) if !items.is_empty() => {
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    pad(text, indent);
                }
                text.push_str("- ");
                block(text, item, indent + 2);
            }
        }
        Data::Mapping(_) => text.push_str("{}\n"),
        Data::Sequence(_) => text.push_str("[]\n"),
        Data::String(value) if value.contains('\n') => literal(text, value, indent),
        Data::String(value) => {
            text.push_str(&scalar_text(value));
            text.push('\n');
        }
        _ => {
            text.push_str(&node.scalar().unwrap_or_default());
            text.push('\n');
        }
    }
}

fn pad(text: &mut String, indent: usize) {
    for _ in 0..indent {
        text.push(' ');
    }
}

fn literal(text: &mut String, value: &str, indent: usize) {
    text.push('|');
    if value.starts_with([' ', '\n']) {
        text.push('2');
    }
    if !value.ends_with('\n') {
        text.push('-');
    } else if value.ends_with("\n\n") {
        text.push('+');
    }
    text.push('\n');
    for line in value.strip_suffix('\n').unwrap_or(value).split('\n') {
        if !line.is_empty() {
            pad(text, indent.max(2));
            text.push_str(line);
        }
        text.push('\n');
    }
}

/// A text, in quotes where it would mean something else without them.
fn scalar_text(value: &str) -> String {
    let other = !matches!(plain_scalar(value), Data::String(_))
        || matches!(
            value.to_ascii_lowercase().as_str(),
            "y" | "n" | "yes" | "no" | "on" | "off"
        );
    if other || value.chars().any(char::is_control) {
        return json(&Node::string(0, value), None);
    }
    let first = value.chars().next().unwrap_or(' ');
    let special = "-?:,[]{}#&*!|>'\"%@`".contains(first)
        && !(matches!(first, '-' | '?' | ':')
            && value[1..].starts_with(|c: char| !c.is_whitespace()));
    let quoted = special
        || value.starts_with(' ')
        || value.ends_with([' ', ':'])
        || value.contains(": ")
        || value.contains(" #");
    if quoted {
        format!("'{}'", value.replace('\'', "''"))
    } else {
        value.to_owned()
    }
}
