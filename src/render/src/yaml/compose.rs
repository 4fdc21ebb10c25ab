//! From parser events to nodes: tags, anchors, merge keys, duplicate keys, bounds.
//!
//! An explicit stack instead of recursion: nesting costs heap, never the call stack.

use std::collections::BTreeMap;

use saphyr_parser::{Event, ScalarStyle, Tag};

use super::node::{Data, Node};
use super::open::{Complete, Entry, Frame, Key, Open, OpenMapping, fill, next_key};
use super::scalar::Dialect;
use super::tag::{core_tag, scalar_data};
use super::{YamlError, YamlFault};
use crate::Limits;

/// Composes one document at a time. Faults that leave the structure readable are collected, so
/// that all of them are reported together.
pub(super) struct Composer<'a> {
    limits: &'a Limits,
    dialect: Dialect,
    document: usize,
    stack: Vec<Frame>,
    /// The items of all open lists, the innermost's last.
    items: Vec<Node>,
    /// The entries of all open mappings, the innermost's last.
    entries: Vec<Entry>,
    root: Option<Node>,
    anchors: BTreeMap<usize, Complete>,
    nodes: usize,
    alias_nodes: usize,
    /// Bytes of texts that are there once more, in all documents.
    alias_bytes: usize,
    pub(super) errors: Vec<YamlError>,
}

impl<'a> Composer<'a> {
    pub(super) fn new(limits: &'a Limits, dialect: Dialect) -> Self {
        Self {
            limits,
            dialect,
            document: 0,
            stack: Vec::new(),
            items: Vec::new(),
            entries: Vec::new(),
            root: None,
            anchors: BTreeMap::new(),
            nodes: 0,
            alias_nodes: 0,
            alias_bytes: 0,
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
        self.items.clear();
        self.entries.clear();
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
                self.node(Complete::scalar(line, data), anchor, key, merge)
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
        let (anchor, tag, own, first, open) = match event {
            Event::SequenceStart(anchor, tag) => {
                (anchor, tag, "seq", self.items.len(), Open::Sequence)
            }
            Event::MappingStart(anchor, tag) => {
                let open = Open::Mapping(OpenMapping::default());
                (anchor, tag, "map", self.entries.len(), open)
            }
            _ => return Ok(()),
        };
        self.check_collection_tag(tag.as_deref(), own, line);
        let flow = flow || self.stack.last().is_some_and(|frame| frame.flow);
        let sources = matches!(
            self.stack.last(),
            Some(Frame {
                open: Open::Mapping(OpenMapping {
                    key: Key::Merge,
                    ..
                }),
                ..
            })
        );
        self.open(Frame {
            line,
            anchor,
            flow,
            sources,
            first,
            open,
        })
    }

    fn alias(&mut self, anchor: usize, line: usize) -> Result<(), YamlError> {
        let Some(target) = self.anchors.get(&anchor) else {
            self.note(line, YamlFault::BadAlias);
            return self.node(Complete::scalar(line, Data::Null), 0, None, false);
        };
        let (count, depth) = (target.node.count(), target.node.depth());
        self.alias_nodes = self.alias_nodes.saturating_add(count);
        // The node itself is counted where it is put.
        self.nodes = self.nodes.saturating_add(count.saturating_sub(1));
        let limit = self.limits.alias_nodes;
        if self.alias_nodes > limit {
            return Err(self.error(line, YamlFault::TooManyAliases { limit }));
        }
        self.check_depth(depth, line)?;
        let bytes = target.node.bytes();
        self.repeated(bytes, line)?;
        let mut target = self.anchors[&anchor].clone();
        target.node.line = line;
        let key = self
            .expects_key()
            .then(|| target.node.text().unwrap_or("of an alias").to_owned());
        self.node(target, 0, key, false)
    }

    /// Counts bytes before they are there once more.
    fn repeated(&mut self, bytes: usize, line: usize) -> Result<(), YamlError> {
        self.alias_bytes = self.alias_bytes.saturating_add(bytes);
        let limit = self.limits.alias_bytes;
        if self.alias_bytes > limit {
            return Err(self.error(line, YamlFault::TooManyAliasBytes { limit }));
        }
        Ok(())
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
        let (data, braces, what) = match frame.open {
            Open::Sequence => {
                let items = self.items.drain(frame.first..).collect();
                (Data::Sequence(items), false, "[...]")
            }
            Open::Mapping(mapping) => {
                self.merge(mapping, frame.first, frame.line, frame.flow);
                let entries = self.entries.drain(frame.first..);
                let entries = entries.map(|entry| (entry.key, entry.value)).collect();
                (Data::Mapping(entries), frame.flow, "{...}")
            }
        };
        let key = self.expects_key().then(|| what.to_owned());
        let node = Node::new(frame.line, data);
        self.node(Complete { node, braces }, frame.anchor, key, false)
    }

    /// Adds what a mapping's merge key adds, after its own entries.
    fn merge(&mut self, mut mapping: OpenMapping, first: usize, line: usize, braces: bool) {
        let sources = match mapping.merge.take() {
            None => return,
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
            for (key, mut value) in added {
                if mapping.position(&self.entries, first, &key).is_none() {
                    if braces && self.dialect == Dialect::Objects {
                        fill(&mut value);
                    }
                    mapping.push(&mut self.entries, first, Entry { key, line, value });
                }
            }
        }
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
        complete: Complete,
        anchor: usize,
        key: Option<String>,
        merge: bool,
    ) -> Result<(), YamlError> {
        let line = complete.node.line;
        self.nodes += 1;
        if anchor > 0 {
            // The copy kept for aliases counts too, or nested anchors would cost without bound.
            self.nodes = self.nodes.saturating_add(complete.node.count());
        }
        let limit = self.limits.nodes;
        if self.nodes > limit {
            return Err(self.error(line, YamlFault::TooManyNodes { limit }));
        }
        if anchor > 0 {
            self.repeated(complete.node.bytes(), line)?;
            self.anchors.insert(anchor, complete.clone());
        }
        let mut fault = None;
        let dialect = self.dialect;
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(complete.settled(dialect));
            return Ok(());
        };
        match &mut frame.open {
            Open::Sequence if frame.sources => self.items.push(complete.node),
            Open::Sequence => self.items.push(complete.settled(dialect)),
            Open::Mapping(mapping) => match std::mem::take(&mut mapping.key) {
                Key::Next => (mapping.key, fault) = next_key(complete.node, key, merge),
                Key::Value(key, line) => {
                    let (first, value) = (frame.first, complete.settled(dialect));
                    match mapping.position(&self.entries, first, &key) {
                        None => mapping.push(&mut self.entries, first, Entry { key, line, value }),
                        // Kustomize takes the last one in settings.
                        Some(at) if dialect == Dialect::Settings => {
                            self.entries[at].value = value;
                        }
                        Some(at) => {
                            let first = self.entries[at].line;
                            fault = Some((line, YamlFault::DuplicateKey { key, first }));
                        }
                    }
                }
                Key::Merge if mapping.merge.is_some() => fault = Some((line, YamlFault::BadMerge)),
                Key::Merge => mapping.merge = Some(complete.node),
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
