//! A value that remembers where it stood.

use std::borrow::Cow;
use std::ops::Deref;

use serde_json::{Map, Number, Value};

/// One YAML or JSON node with the line on which it begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Counted from 1.
    pub line: usize,
    /// What it is.
    pub data: Data,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// A written `null`.
    Null,
    /// Nothing at all: a null as well, but one that kustomize's patches take away.
    Blank,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(Numeral),
    /// A text.
    String(String),
    /// A list.
    Sequence(Vec<Node>),
    /// In the order of the text, without duplicates.
    Mapping(Vec<(String, Node)>),
}

/// A number that remembers how it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Numeral {
    number: Number,
    /// The text where it isn't the number's own form.
    text: Option<Box<str>>,
}

impl Numeral {
    /// A number as it was written.
    pub fn new(number: Number, text: &str) -> Self {
        let text = (number.to_string() != text).then(|| text.into());
        Self { number, text }
    }

    /// The text as it was written.
    pub fn text(&self) -> Cow<'_, str> {
        match &self.text {
            Some(text) => Cow::Borrowed(text),
            None => Cow::Owned(self.number.to_string()),
        }
    }
}

impl From<Number> for Numeral {
    fn from(number: Number) -> Self {
        Self { number, text: None }
    }
}

impl Deref for Numeral {
    type Target = Number;

    fn deref(&self) -> &Number {
        &self.number
    }
}

impl Node {
    /// A text that stands on this line.
    pub fn string(line: usize, text: impl Into<String>) -> Self {
        Self {
            line,
            data: Data::String(text.into()),
        }
    }

    /// Whether this is a null, written or not.
    pub fn is_null(&self) -> bool {
        matches!(self.data, Data::Null | Data::Blank)
    }

    /// The text of a scalar, whatever its type; none for lists and mappings.
    pub fn scalar(&self) -> Option<Cow<'_, str>> {
        match &self.data {
            Data::Null => Some(Cow::Borrowed("null")),
            Data::Blank => Some(Cow::Borrowed("")),
            Data::Bool(true) => Some(Cow::Borrowed("true")),
            Data::Bool(false) => Some(Cow::Borrowed("false")),
            Data::Number(number) => Some(number.text()),
            Data::String(text) => Some(Cow::Borrowed(text)),
            Data::Sequence(_) | Data::Mapping(_) => None,
        }
    }

    /// The value under a key, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        match &mut self.data {
            Data::Mapping(entries) => entries
                .iter_mut()
                .find(|(name, _)| name == key)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// An empty mapping that stands on this line.
    pub fn mapping(line: usize) -> Self {
        Self {
            line,
            data: Data::Mapping(Vec::new()),
        }
    }

    /// Sets a key of a mapping, where it stands or at the end. Anything else is left alone.
    pub fn insert(&mut self, key: &str, value: Node) {
        if let Data::Mapping(entries) = &mut self.data {
            match entries.iter_mut().find(|(name, _)| name == key) {
                Some((_, old)) => *old = value,
                None => entries.push((key.to_owned(), value)),
            }
        }
    }

    /// Takes a key out of a mapping.
    pub fn remove(&mut self, key: &str) {
        if let Data::Mapping(entries) = &mut self.data {
            entries.retain(|(name, _)| name != key);
        }
    }

    /// The mapping under a key, made where there is none or null.
    pub(crate) fn get_or_insert_mapping(&mut self, key: &str) -> &mut Node {
        let line = self.line;
        if self.is_null() {
            self.data = Data::Mapping(Vec::new());
        }
        if !matches!(self.data, Data::Mapping(_)) {
            return self;
        }
        if self.get(key).is_none_or(Node::is_null) {
            self.insert(key, Node::mapping(line));
        }
        let Data::Mapping(entries) = &mut self.data else {
            unreachable!("checked above")
        };
        let at = entries.iter().position(|(name, _)| name == key);
        &mut entries[at.unwrap_or_default()].1
    }

    /// The value under a key, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.data {
            Data::Mapping(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The text, if this is a string.
    pub fn text(&self) -> Option<&str> {
        match &self.data {
            Data::String(text) => Some(text),
            _ => None,
        }
    }

    /// What it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self.data {
            Data::Null | Data::Blank => "null",
            Data::Bool(_) => "a boolean",
            Data::Number(_) => "a number",
            Data::String(_) => "a string",
            Data::Sequence(_) => "a list",
            Data::Mapping(_) => "a mapping",
        }
    }

    /// How many nodes this is, itself included.
    pub(crate) fn count(&self) -> usize {
        1 + match &self.data {
            Data::Sequence(items) => items.iter().map(Node::count).sum(),
            Data::Mapping(entries) => entries.iter().map(|(_, value)| value.count()).sum(),
            _ => 0,
        }
    }

    /// How deep it nests: 0 for a scalar.
    pub(crate) fn depth(&self) -> usize {
        match &self.data {
            Data::Sequence(items) => 1 + items.iter().map(Node::depth).max().unwrap_or(0),
            Data::Mapping(entries) => {
                1 + entries
                    .iter()
                    .map(|(_, value)| value.depth())
                    .max()
                    .unwrap_or(0)
            }
            _ => 0,
        }
    }

    /// The value without its positions.
    pub fn into_value(self) -> Value {
        match self.data {
            Data::Null | Data::Blank => Value::Null,
            Data::Bool(value) => Value::Bool(value),
            Data::Number(number) => Value::Number(number.number),
            Data::String(text) => Value::String(text),
            Data::Sequence(items) => items.into_iter().map(Node::into_value).collect(),
            Data::Mapping(entries) => Value::Object(
                entries
                    .into_iter()
                    .map(|(key, value)| (key, value.into_value()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }
}
