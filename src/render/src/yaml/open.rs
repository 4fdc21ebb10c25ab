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
    /// How many items or entries those around it have: where its own begin among all that are open.
    pub(super) first: usize,
    pub(super) open: Open,
}

pub(super) enum Open {
    Sequence,
    Mapping(OpenMapping),
}

#[derive(Default)]
pub(super) struct OpenMapping {
    /// Where each key is, once there are many of them.
    index: Option<BTreeMap<String, usize>>,
    pub(super) merge: Option<Node>,
    pub(super) key: Key,
}

/// One entry of a mapping whose end hasn't come yet. Those of all open mappings are in one list, the
/// innermost's last, so that a mapping is allocated once, when it is known how large it is.
pub(super) struct Entry {
    pub(super) key: String,
    /// The line of the key, for messages about duplicates.
    pub(super) line: usize,
    pub(super) value: Node,
}

/// How many keys of a mapping are searched one by one.
const SEARCHED: usize = 24;

impl OpenMapping {
    /// Where a key is in the list of entries; this mapping's own begin at `first`.
    pub(super) fn position(&self, entries: &[Entry], first: usize, key: &str) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(key).copied(),
            None => entries[first..]
                .iter()
                .position(|entry| entry.key == key)
                .map(|at| first + at),
        }
    }

    pub(super) fn push(&mut self, entries: &mut Vec<Entry>, first: usize, entry: Entry) {
        if let Some(index) = &mut self.index {
            index.insert(entry.key.clone(), entries.len());
        }
        entries.push(entry);
        if self.index.is_none() && entries.len() - first > SEARCHED {
            let names = entries.iter().enumerate().skip(first);
            self.index = Some(names.map(|(at, entry)| (entry.key.clone(), at)).collect());
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
