//! From parser events to nodes: tags, anchors, merge keys, duplicate keys, bounds.
//!
//! An explicit stack instead of recursion: nesting costs heap, never the call stack.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use saphyr_parser::{Event, ScalarStyle, Tag};

use super::node::{Data, Node, Numeral};
use super::scalar::{self, Dialect, Scalar};
use super::timestamp;
use super::{YamlError, YamlFault};
use crate::Limits;

/// Composes one document at a time. Faults that leave the structure readable are collected, so
/// that all of them are reported together.
pub(super) struct Composer<'a> {
    limits: &'a Limits,
    dialect: Dialect,
    document: usize,
    stack: Vec<Frame>,
    root: Option<Node>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
    alias_nodes: usize,
    pub(super) errors: Vec<YamlError>,
}

/// A collection whose end hasn't come yet.
struct Frame {
    line: usize,
    anchor: usize,
    /// Whether it stands in brackets or braces, or within such.
    flow: bool,
    open: Open,
}

enum Open {
    Sequence(Vec<Node>),
    Mapping(OpenMapping),
}

#[derive(Default)]
struct OpenMapping {
    entries: Vec<(String, Node)>,
    /// Line of each key, for messages about duplicates.
    lines: Vec<usize>,
    /// Where each key is, once there are many of them.
    index: Option<BTreeMap<String, usize>>,
    merge: Option<Node>,
    key: Key,
}

/// How many keys of a mapping are searched one by one.
const SEARCHED: usize = 24;

impl OpenMapping {
    fn position(&self, key: &str) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(key).copied(),
            None => self.entries.iter().position(|(name, _)| name == key),
        }
    }

    fn push(&mut self, key: String, line: usize, node: Node) {
        let at = self.entries.len();
        if let Some(index) = &mut self.index {
            index.insert(key.clone(), at);
        }
        self.entries.push((key, node));
        self.lines.push(line);
        if self.index.is_none() && self.entries.len() > SEARCHED {
            let names = self.entries.iter().enumerate();
            self.index = Some(names.map(|(at, (name, _))| (name.clone(), at)).collect());
        }
    }
}

/// What the next node in a mapping is.
#[derive(Default)]
enum Key {
    /// A key.
    #[default]
    Next,
    /// The value of this key.
    Value(String, usize),
    /// The value of `<<`.
    Merge,
    /// The value of a key that was refused: read and dropped.
    Refused,
}

impl<'a> Composer<'a> {
    pub(super) fn new(limits: &'a Limits, dialect: Dialect) -> Self {
        Self {
            limits,
            dialect,
            document: 0,
            stack: Vec::new(),
            root: None,
            anchors: BTreeMap::new(),
            nodes: 0,
            alias_nodes: 0,
            errors: Vec::new(),
        }
    }

    /// The number of the document being read, counted from 1.
    pub(super) fn document(&self) -> usize {
        self.document.max(1)
    }

    pub(super) fn start_document(&mut self, line: usize) -> Result<(), YamlError> {
        self.document += 1;
        self.alias_nodes = 0;
        self.anchors.clear();
        self.stack.clear();
        self.root = None;
        let limit = self.limits.documents;
        if self.document > limit {
            return Err(self.error(line, YamlFault::TooManyDocuments { limit }));
        }
        Ok(())
    }

    /// The document's root, unless it was empty.
    pub(super) fn end_document(&mut self) -> Option<Node> {
        self.root.take().filter(|root| !root.is_null())
    }

    /// Takes one event of a document's body. An error ends the reading of the file.
    pub(super) fn event(&mut self, event: Event<'_>, line: usize) -> Result<(), YamlError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain_key = style == ScalarStyle::Plain && tag.is_none();
                let flow = self.stack.last().is_some_and(|frame| frame.flow);
                if style == ScalarStyle::Plain
                    && (text.starts_with(['|', '>']) || (flow && text.starts_with(':')))
                {
                    self.note(line, YamlFault::BlockInFlow);
                }
                let data = match scalar_data(&text, style, tag.as_deref(), self.dialect) {
                    Ok(data) => data,
                    Err(fault) => {
                        self.note(line, fault);
                        Data::Null
                    }
                };
                // Written by kustomize once more, these are in quotes.
                let data = match data {
                    Data::Timestamp(text) if flow && text.contains(':') => Data::String(text),
                    data => data,
                };
                if let Some(tag) = tag.as_deref()
                    && self.expects_key()
                    && !matches!(
                        core_tag(tag),
                        Some("" | "str" | "int" | "float" | "bool" | "null")
                    )
                {
                    let key = text.chars().take(100).collect();
                    let kind = "a value with a tag of its own";
                    self.note(line, YamlFault::KeyNotString { key, kind });
                }
                let merge = plain_key && text == "<<";
                // Only for the message about a key that isn't text.
                let key = (!matches!(data, Data::String(_)) && self.expects_key())
                    .then(|| text.chars().take(100).collect());
                self.node(Node::new(line, data), anchor, key, merge)
            }
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                self.collection(event, line, false)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => self.alias(anchor, line),
            _ => Ok(()),
        }
    }

    /// Takes the event that begins a list or mapping; `flow` if that is a bracket or brace.
    pub(super) fn collection(
        &mut self,
        event: Event<'_>,
        line: usize,
        flow: bool,
    ) -> Result<(), YamlError> {
        let (anchor, tag, own, open) = match event {
            Event::SequenceStart(anchor, tag) => (anchor, tag, "seq", Open::Sequence(Vec::new())),
            Event::MappingStart(anchor, tag) => {
                (anchor, tag, "map", Open::Mapping(OpenMapping::default()))
            }
            _ => return Ok(()),
        };
        self.check_collection_tag(tag.as_deref(), own, line);
        let flow = flow || self.stack.last().is_some_and(|frame| frame.flow);
        self.open(Frame {
            line,
            anchor,
            flow,
            open,
        })
    }

    fn alias(&mut self, anchor: usize, line: usize) -> Result<(), YamlError> {
        let Some(target) = self.anchors.get(&anchor) else {
            self.note(line, YamlFault::BadAlias);
            return self.node(Node::new(line, Data::Null), 0, None, false);
        };
        let (count, depth) = (target.count(), target.depth());
        self.alias_nodes = self.alias_nodes.saturating_add(count);
        let limit = self.limits.alias_nodes;
        if self.alias_nodes > limit {
            return Err(self.error(line, YamlFault::TooManyAliases { limit }));
        }
        self.check_depth(depth, line)?;
        let mut node = self.anchors[&anchor].clone();
        node.line = line;
        let key = self
            .expects_key()
            .then(|| node.text().unwrap_or("of an alias").to_owned());
        self.node(node, 0, key, false)
    }

    fn open(&mut self, frame: Frame) -> Result<(), YamlError> {
        self.check_depth(1, frame.line)?;
        self.stack.push(frame);
        Ok(())
    }

    fn check_depth(&self, added: usize, line: usize) -> Result<(), YamlError> {
        let limit = self.limits.depth;
        if self.stack.len() + added > limit {
            return Err(self.error(line, YamlFault::TooDeep { limit }));
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), YamlError> {
        let Some(frame) = self.stack.pop() else {
            return Ok(());
        };
        let data = match frame.open {
            Open::Sequence(items) => Data::Sequence(items),
            Open::Mapping(mapping) => Data::Mapping(self.merged(mapping, frame.line)),
        };
        let what = if matches!(data, Data::Sequence(_)) {
            "[...]"
        } else {
            "{...}"
        };
        let key = self.expects_key().then(|| what.to_owned());
        self.node(Node::new(frame.line, data), frame.anchor, key, false)
    }

    /// A mapping's own entries, then those that its merge key adds.
    fn merged(&mut self, mut mapping: OpenMapping, line: usize) -> Vec<(String, Node)> {
        let sources = match mapping.merge.take() {
            None => return mapping.entries,
            Some(Node {
                data: Data::Sequence(items),
                ..
            }) => items,
            Some(single) => vec![single],
        };
        for source in sources {
            let Data::Mapping(added) = source.data else {
                self.note(source.line, YamlFault::BadMerge);
                continue;
            };
            // An alias as the source was counted already; a mapping written in place is cheap.
            for (key, value) in added {
                if mapping.position(&key).is_none() {
                    mapping.push(key, line, value);
                }
            }
        }
        mapping.entries
    }

    fn expects_key(&self) -> bool {
        matches!(
            self.stack.last(),
            Some(Frame {
                open: Open::Mapping(OpenMapping { key: Key::Next, .. }),
                ..
            })
        )
    }

    /// Puts a complete node where it belongs. `key` is how to name it if it stands as a key.
    fn node(
        &mut self,
        node: Node,
        anchor: usize,
        key: Option<String>,
        merge: bool,
    ) -> Result<(), YamlError> {
        let line = node.line;
        self.nodes += 1;
        if anchor > 0 {
            // The copy kept for aliases counts too, or nested anchors would cost without bound.
            self.nodes = self.nodes.saturating_add(node.count());
        }
        let limit = self.limits.nodes;
        if self.nodes > limit {
            return Err(self.error(line, YamlFault::TooManyNodes { limit }));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let mut fault = None;
        // For kustomize nothing in braces is empty text.
        let empty = self.dialect == Dialect::Objects
            && node.data == Data::Blank
            && self.stack.last().is_some_and(|frame| frame.flow);
        match self.stack.last_mut().map(|frame| &mut frame.open) {
            None => self.root = Some(node),
            Some(Open::Sequence(items)) => items.push(node),
            Some(Open::Mapping(mapping)) => match std::mem::take(&mut mapping.key) {
                Key::Next => (mapping.key, fault) = next_key(node, key, merge),
                Key::Value(key, line) => {
                    let mut node = node;
                    if empty {
                        node.data = Data::String(String::new());
                    }
                    match mapping.position(&key) {
                        None => mapping.push(key, line, node),
                        // Kustomize takes the last one in settings.
                        Some(at) if self.dialect == Dialect::Settings => {
                            mapping.entries[at].1 = node;
                        }
                        Some(at) => {
                            let first = mapping.lines[at];
                            fault = Some((line, YamlFault::DuplicateKey { key, first }));
                        }
                    }
                }
                Key::Merge if mapping.merge.is_some() => fault = Some((line, YamlFault::BadMerge)),
                Key::Merge => mapping.merge = Some(node),
                Key::Refused => {}
            },
        }
        if let Some((line, fault)) = fault {
            self.note(line, fault);
        }
        Ok(())
    }

    fn check_collection_tag(&mut self, tag: Option<&Tag>, own: &str, line: usize) {
        let Some(tag) = tag else { return };
        let found = if own == "seq" { "a list" } else { "a mapping" };
        match core_tag(tag) {
            Some("") => {}
            Some(name) if name == own => {}
            Some(name @ ("str" | "int" | "float" | "bool" | "null" | "map" | "seq")) => {
                let tag = format!("!!{name}");
                self.note(line, YamlFault::TagMismatch { tag, found });
            }
            // Kustomize drops all others.
            _ => {}
        }
    }

    pub(super) fn error(&self, line: usize, fault: YamlFault) -> YamlError {
        YamlError {
            document: self.document(),
            line,
            fault,
        }
    }

    fn note(&mut self, line: usize, fault: YamlFault) {
        let error = self.error(line, fault);
        self.errors.push(error);
    }
}

/// What a node that stands as a key makes of the mapping, and what is wrong with it.
fn next_key(node: Node, spelled: Option<String>, merge: bool) -> (Key, Option<(usize, YamlFault)>) {
    if merge {
        return (Key::Merge, None);
    }
    let kind = node.kind();
    match node.data {
        Data::String(text) => (Key::Value(text, node.line), None),
        _ => (
            Key::Refused,
            Some((
                node.line,
                YamlFault::KeyNotString {
                    key: spelled.unwrap_or_default(),
                    kind,
                },
            )),
        ),
    }
}

/// The name after `!!`, or nothing for the bare `!`; `None` for any other tag.
fn core_tag(tag: &Tag) -> Option<&str> {
    if tag.is_yaml_core_schema() {
        Some(&tag.suffix)
    } else if let Some(name) = tag
        .suffix
        .strip_prefix("tag:yaml.org,2002:")
        .filter(|_| tag.handle.is_empty())
    {
        Some(name)
    } else {
        let bare = matches!(
            (tag.handle.as_str(), tag.suffix.as_str()),
            ("" | "!", "") | ("", "!")
        );
        bare.then_some("")
    }
}

fn scalar_data(
    text: &str,
    style: ScalarStyle,
    tag: Option<&Tag>,
    dialect: Dialect,
) -> Result<Data, YamlFault> {
    let owned = || Data::String(text.to_owned());
    let not_finite = || YamlFault::NotFinite {
        text: text.to_owned(),
    };
    let Some(tag) = tag.filter(|tag| core_tag(tag) != Some("")) else {
        return if style == ScalarStyle::Plain {
            resolved(text, dialect).ok_or_else(not_finite)
        } else {
            Ok(owned())
        };
    };
    let mismatch = |name: &str| YamlFault::TagMismatch {
        tag: format!("!!{name}"),
        found: "another scalar",
    };
    let value = match core_tag(tag) {
        Some("str") => Some(owned()),
        Some("int") => match scalar::resolve(text, dialect) {
            Scalar::Int(number) => Some(Data::Number(Numeral::new(number, text))),
            _ => None,
        },
        Some("float") => match scalar::resolve(text, dialect) {
            Scalar::Int(number) => Some(Data::Number(Numeral::new(number, text))),
            Scalar::Float(float) => {
                scalar::number(float).map(|number| Data::Number(Numeral::new(number, text)))
            }
            Scalar::NotFinite => return Err(not_finite()),
            _ => None,
        },
        Some("bool") => match scalar::resolve(text, dialect) {
            Scalar::Bool(value) => Some(Data::Bool(value)),
            _ => None,
        },
        Some("null") => (scalar::resolve(text, dialect) == Scalar::Null).then_some(Data::Null),
        Some("timestamp") => timestamp::full(text).map(|_| Data::Timestamp(text.to_owned())),
        Some("binary") => STANDARD
            .decode(text.split_whitespace().collect::<String>())
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .map(Data::String),
        Some("map" | "seq") => None,
        // Kustomize drops all others, but what they stand at is a text.
        _ => Some(owned()),
    };
    value.ok_or_else(|| mismatch(core_tag(tag).unwrap_or_default()))
}

/// A plain scalar's data; `None` for infinities and NaN.
pub(super) fn resolved(text: &str, dialect: Dialect) -> Option<Data> {
    let number = |number| Data::Number(Numeral::new(number, text));
    match scalar::resolve(text, dialect) {
        Scalar::Null if text.is_empty() => Some(Data::Blank),
        Scalar::Null => Some(Data::Null),
        Scalar::Bool(value) => Some(Data::Bool(value)),
        Scalar::Int(int) => Some(number(int)),
        Scalar::Float(float) => scalar::number(float).map(number),
        Scalar::NotFinite => None,
        Scalar::Time => Some(Data::Timestamp(text.to_owned())),
        Scalar::Text => Some(Data::String(text.to_owned())),
    }
}
