//! A value that remembers where it stood.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Deref;

use serde_json::{Map, Number, Value};

use super::timestamp;

/// One YAML or JSON node with the line on which it begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Counted from 1.
    pub line: usize,
    /// What it is.
    pub data: Data,
    tie: Tie,
}

/// Which other scalars of its object change with a scalar, and how it came there.
///
/// Where kustomize puts one label into several fields, it puts one node there, so that whoever
/// changes it in one field later changes it in all. A copy is a node of its own.
#[derive(Debug, Default)]
struct Tie {
    /// The same number in all of them; 0 for none.
    group: u32,
    /// Whether it was changed, and the others weren't yet.
    ahead: bool,
    /// Whether a replacement made it. Nothing says of what type such a scalar is: variables take it for
    /// a text, everything else for what its text looks like. A copy is one, too.
    made: bool,
}

impl Clone for Tie {
    fn clone(&self) -> Self {
        Self {
            made: self.made,
            ..Self::default()
        }
    }
}

impl PartialEq for Tie {
    fn eq(&self, _: &Self) -> bool {
        true
    }
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
    /// A time without quotes, as it was written. Its value is the time in full.
    Timestamp(String),
    /// A list.
    Sequence(Vec<Node>),
    /// In the order of the text, without duplicates.
    Mapping(Vec<(String, Node)>),
}

/// A number that remembers how it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Numeral(Form);

/// Small, since every node has room for one.
#[derive(Debug, Clone, PartialEq)]
enum Form {
    /// Written in the number's own form.
    Own(Number),
    /// Written otherwise.
    Other(Box<(Number, Box<str>)>),
}

impl Numeral {
    /// A number as it was written.
    pub fn new(number: Number, text: &str) -> Self {
        if number.to_string() == text {
            Self(Form::Own(number))
        } else {
            Self(Form::Other(Box::new((number, text.into()))))
        }
    }

    /// The text as it was written.
    pub fn text(&self) -> Cow<'_, str> {
        match &self.0 {
            Form::Other(written) => Cow::Borrowed(&written.1),
            Form::Own(number) => Cow::Owned(number.to_string()),
        }
    }
}

impl From<Number> for Numeral {
    fn from(number: Number) -> Self {
        Self(Form::Own(number))
    }
}

impl Deref for Numeral {
    type Target = Number;

    fn deref(&self) -> &Number {
        match &self.0 {
            Form::Own(number) => number,
            Form::Other(written) => &written.0,
        }
    }
}

impl Node {
    /// What stands on this line.
    pub fn new(line: usize, data: Data) -> Self {
        let tie = Tie::default();
        Self { line, data, tie }
    }

    /// A text that stands on this line.
    pub fn string(line: usize, text: impl Into<String>) -> Self {
        Self::new(line, Data::String(text.into()))
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
            Data::String(text) | Data::Timestamp(text) => Some(Cow::Borrowed(text)),
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
        Self::new(line, Data::Mapping(Vec::new()))
    }

    /// A text that is tied to all others with the same number in its object.
    pub(crate) fn tied(line: usize, text: &str, group: u32) -> Self {
        let mut node = Self::string(line, text);
        node.tie.group = group;
        node
    }

    /// Changes a scalar where it stands; those that are tied to it follow at [`Node::follow_ties`].
    pub(crate) fn write(&mut self, data: Data) {
        self.data = data;
        self.tie.ahead = self.tie.group > 0;
    }

    /// Gives a scalar that was made just now its value.
    pub(crate) fn make(&mut self, data: Data) {
        self.write(data);
        self.tie.made = true;
    }

    /// The text of a string, or of a scalar of no known type.
    pub(crate) fn loose_text(&self) -> Option<Cow<'_, str>> {
        match &self.data {
            Data::Number(_) | Data::Bool(_) | Data::Timestamp(_) if self.tie.made => self.scalar(),
            _ => self.text().map(Cow::Borrowed),
        }
    }

    /// Sets a key of a mapping to a text: an entry that is there is changed where it stands.
    pub(crate) fn write_entry(&mut self, key: &str, text: &str, group: u32) {
        let line = self.line;
        if let Data::Mapping(entries) = &mut self.data {
            match entries.iter_mut().find(|(name, _)| name == key) {
                Some((_, old)) => old.write(Data::String(text.to_owned())),
                None => entries.push((key.to_owned(), Self::tied(line, text, group))),
            }
        }
    }

    /// Changes every scalar that is tied to one that was changed.
    pub(crate) fn follow_ties(&mut self) {
        if self.is_ahead() {
            let mut ahead = BTreeMap::new();
            self.take_ahead(&mut ahead);
            self.follow(&ahead);
        }
    }

    /// Whether anything tied was changed: mostly nothing was.
    fn is_ahead(&self) -> bool {
        match &self.data {
            Data::Sequence(items) => items.iter().any(Self::is_ahead),
            Data::Mapping(entries) => entries.iter().any(|(_, value)| value.is_ahead()),
            _ => self.tie.ahead,
        }
    }

    /// The changed ones by group. The last one counts, in the order in which patches go.
    fn take_ahead(&mut self, ahead: &mut BTreeMap<u32, Data>) {
        match &mut self.data {
            Data::Sequence(items) => items.iter_mut().for_each(|item| item.take_ahead(ahead)),
            Data::Mapping(entries) => {
                let mut sorted: Vec<&mut (String, Self)> = entries.iter_mut().collect();
                sorted.sort_by(|one, other| one.0.cmp(&other.0));
                for (_, value) in sorted {
                    value.take_ahead(ahead);
                }
            }
            data if self.tie.ahead => {
                self.tie.ahead = false;
                ahead.insert(self.tie.group, data.clone());
            }
            _ => {}
        }
    }

    fn follow(&mut self, ahead: &BTreeMap<u32, Data>) {
        match &mut self.data {
            Data::Sequence(items) => items.iter_mut().for_each(|item| item.follow(ahead)),
            Data::Mapping(entries) => entries
                .iter_mut()
                .for_each(|(_, value)| value.follow(ahead)),
            data => {
                if let Some(changed) = ahead.get(&self.tie.group) {
                    *data = changed.clone();
                }
            }
        }
    }

    /// Makes every scalar one of its own.
    pub(crate) fn untie(&mut self) {
        self.tie = Tie::default();
        match &mut self.data {
            Data::Sequence(items) => items.iter_mut().for_each(Self::untie),
            Data::Mapping(entries) => entries.iter_mut().for_each(|(_, value)| value.untie()),
            _ => {}
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
            Data::Timestamp(_) => "a timestamp",
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

    /// How many bytes its texts have, keys included.
    pub(crate) fn bytes(&self) -> usize {
        match &self.data {
            Data::String(text) | Data::Timestamp(text) => text.len(),
            Data::Sequence(items) => items.iter().map(Node::bytes).sum(),
            Data::Mapping(entries) => entries
                .iter()
                .map(|(key, value)| key.len() + value.bytes())
                .sum(),
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
            Data::Number(number) => Value::Number(Number::clone(&number)),
            Data::String(text) => Value::String(text),
            Data::Timestamp(text) => Value::String(timestamp::full(&text).unwrap_or(text)),
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
