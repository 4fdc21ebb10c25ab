//! A value that remembers where it stood.

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
    /// `null`, or nothing at all.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    String(String),
    /// A list.
    Sequence(Vec<Node>),
    /// In the order of the text, without duplicates.
    Mapping(Vec<(String, Node)>),
}

impl Node {
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
            Data::Null => "null",
            Data::Bool(_) => "a boolean",
            Data::Number(_) => "a number",
            Data::String(_) => "a string",
            Data::Sequence(_) => "a list",
            Data::Mapping(_) => "a mapping",
        }
    }

    /// How many nodes this is, itself included.
    pub(super) fn count(&self) -> usize {
        1 + match &self.data {
            Data::Sequence(items) => items.iter().map(Node::count).sum(),
            Data::Mapping(entries) => entries.iter().map(|(_, value)| value.count()).sum(),
            _ => 0,
        }
    }

    /// How deep it nests: 0 for a scalar.
    pub(super) fn depth(&self) -> usize {
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
            Data::Null => Value::Null,
            Data::Bool(value) => Value::Bool(value),
            Data::Number(number) => Value::Number(number),
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
