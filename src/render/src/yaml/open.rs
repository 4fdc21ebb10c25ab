//! What the composer holds while it reads: collections whose end hasn't come yet, and nodes that are
//! complete.

use std::collections::BTreeMap;

use super::YamlFault;
use super::node::{Data, Node};
use super::scalar::Dialect;

/// A node that is read to its end.
#[derive(Clone)]
pub(super) struct Complete {
    pub(super) node: Node,
    /// Whether it is a mapping in braces.
    pub(super) braces: bool,
}

impl Complete {
    pub(super) fn scalar(line: usize, data: Data) -> Self {
        Self {
            node: Node::new(line, data),
            braces: false,
        }
    }

    /// The node as it is where nothing takes its entries from it. For kustomize nothing in braces is
    /// empty text.
    pub(super) fn settled(self, dialect: Dialect) -> Node {
        let mut node = self.node;
        if let Data::Mapping(entries) = &mut node.data
            && self.braces
            && dialect == Dialect::Objects
        {
            for (_, value) in entries {
                fill(value);
            }
        }
        node
    }
}

/// Makes an empty text of nothing.
pub(super) fn fill(value: &mut Node) {
    if value.data == Data::Blank {
        value.data = Data::String(String::new());
    }
}

/// A collection whose end hasn't come yet.
pub(super) struct Frame {
    pub(super) line: usize,
    pub(super) anchor: usize,
    /// Whether it stands in brackets or braces, or within such.
    pub(super) flow: bool,
    /// Whether it is a list of what `<<` adds.
    pub(super) sources: bool,
    pub(super) open: Open,
}

pub(super) enum Open {
    Sequence(Vec<Node>),
    Mapping(OpenMapping),
}

#[derive(Default)]
pub(super) struct OpenMapping {
    pub(super) entries: Vec<(String, Node)>,
    /// Line of each key, for messages about duplicates.
    pub(super) lines: Vec<usize>,
    /// Where each key is, once there are many of them.
    pub(super) index: Option<BTreeMap<String, usize>>,
    pub(super) merge: Option<Node>,
    pub(super) key: Key,
}

/// How many keys of a mapping are searched one by one.
const SEARCHED: usize = 24;

impl OpenMapping {
    pub(super) fn position(&self, key: &str) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(key).copied(),
            None => self.entries.iter().position(|(name, _)| name == key),
        }
    }

    pub(super) fn push(&mut self, key: String, line: usize, node: Node) {
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
pub(super) enum Key {
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

/// What a node that stands as a key makes of the mapping, and what is wrong with it.
pub(super) fn next_key(
    node: Node,
    spelled: Option<String>,
    merge: bool,
) -> (Key, Option<(usize, YamlFault)>) {
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
