//! One object while it is built, and what is remembered of it.

use super::id::{Gvk, Id};
use crate::Origin;
use crate::yaml::{Data, Node};

/// What a generated object does to one that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behavior {
    Create,
    Replace,
    Merge,
}

/// A name that an object had before.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Previous {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) namespace: String,
}

/// An object and its history.
#[derive(Debug, Clone)]
pub(super) struct Resource {
    pub(super) node: Node,
    pub(super) origin: Origin,
    /// What it was called, oldest first.
    pub(super) previous: Vec<Previous>,
    pub(super) prefixes: Vec<String>,
    pub(super) suffixes: Vec<String>,
    /// Whether its name gets a hash of its content.
    pub(super) needs_hash: bool,
    /// Set for generated objects.
    pub(super) behavior: Option<Behavior>,
    /// Names of the `vars` that read from it.
    pub(super) variables: Vec<String>,
    /// Whether the user's own schema says that its kind lives outside namespaces.
    pub(super) cluster_scoped: bool,
    /// How many groups of scalars are tied to each other.
    pub(super) ties: u32,
}

impl Resource {
    pub(super) fn new(node: Node, origin: Origin) -> Self {
        Self {
            node,
            origin,
            previous: Vec::new(),
            prefixes: Vec::new(),
            suffixes: Vec::new(),
            needs_hash: false,
            behavior: None,
            variables: Vec::new(),
            cluster_scoped: false,
            ties: 0,
        }
    }

    /// Whether it is known to live outside namespaces.
    pub(super) fn is_cluster_scoped(&self) -> bool {
        self.cluster_scoped || self.gvk().is_cluster_scoped()
    }

    /// Numbers for so many new groups of scalars that change together; the first of them.
    pub(super) fn ties(&mut self, count: usize) -> u32 {
        let first = self.ties.saturating_add(1);
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.ties = self.ties.saturating_add(count);
        first
    }

    /// To be called when scalars may have been changed.
    pub(super) fn follow_ties(&mut self) {
        if self.ties > 0 {
            self.node.follow_ties();
        }
    }

    /// To be called when every node was written anew.
    pub(super) fn untie(&mut self) {
        if self.ties > 0 {
            self.node.untie();
            self.ties = 0;
        }
    }

    pub(super) fn kind(&self) -> &str {
        text(self.node.get("kind"))
    }

    pub(super) fn api_version(&self) -> &str {
        text(self.node.get("apiVersion"))
    }

    pub(super) fn name(&self) -> &str {
        self.meta("name")
    }

    pub(super) fn namespace(&self) -> &str {
        self.meta("namespace")
    }

    fn meta(&self, field: &str) -> &str {
        text(self.node.get("metadata").and_then(|meta| meta.get(field)))
    }

    pub(super) fn gvk(&self) -> Gvk<'_> {
        Gvk::new(self.api_version(), self.kind())
    }

    /// Its identity now.
    pub(super) fn id(&self) -> Id<'_> {
        Id {
            gvk: self.gvk(),
            name: self.name(),
            namespace: self.namespace(),
            cluster_scoped: self.cluster_scoped,
        }
    }

    /// The identity with which it was loaded.
    pub(super) fn first_id(&self) -> Id<'_> {
        self.previous_ids().next().unwrap_or_else(|| self.id())
    }

    /// What it was called, oldest first. Its group and version are always today's.
    pub(super) fn previous_ids(&self) -> impl Iterator<Item = Id<'_>> {
        let Gvk { group, version, .. } = self.gvk();
        self.previous.iter().map(move |previous| Id {
            gvk: Gvk {
                group,
                version,
                kind: &previous.kind,
            },
            name: &previous.name,
            namespace: &previous.namespace,
            cluster_scoped: self.cluster_scoped,
        })
    }

    /// All that it was and is called.
    pub(super) fn ids(&self) -> impl Iterator<Item = Id<'_>> {
        self.previous_ids().chain(std::iter::once(self.id()))
    }

    /// Whether anything is remembered of it.
    pub(super) fn has_history(&self) -> bool {
        self.needs_hash
            || self.behavior.is_some()
            || !(self.previous.is_empty() && self.prefixes.is_empty() && self.suffixes.is_empty())
    }

    /// Remembers today's name, before it is changed.
    pub(super) fn remember(&mut self) {
        let id = self.id();
        let previous = Previous {
            kind: id.gvk.kind.to_owned(),
            name: id.name.to_owned(),
            namespace: id
                .effective_namespace()
                .unwrap_or("_non_namespaceable_")
                .to_owned(),
        };
        self.previous.push(previous);
    }

    pub(super) fn set_name(&mut self, name: &str) {
        self.set_meta("name", Some(name));
    }

    pub(super) fn set_kind(&mut self, kind: &str) {
        let line = self.node.line;
        self.node.insert("kind", Node::string(line, kind));
    }

    pub(super) fn set_namespace(&mut self, namespace: &str) {
        self.set_meta("namespace", (!namespace.is_empty()).then_some(namespace));
    }

    fn set_meta(&mut self, field: &str, value: Option<&str>) {
        let line = self.node.line;
        let meta = self.node.get_or_insert_mapping("metadata");
        match value {
            Some(value) => meta.insert(field, Node::string(line, value)),
            None => meta.remove(field),
        }
    }

    /// Labels or annotations: every scalar as text.
    pub(super) fn meta_map(&self, field: &str) -> Vec<(String, String)> {
        let map = self.node.get("metadata").and_then(|meta| meta.get(field));
        let Some(Data::Mapping(entries)) = map.map(|node| &node.data) else {
            return Vec::new();
        };
        entries
            .iter()
            .map(|(key, value)| (key.clone(), value.scalar().unwrap_or_default().into_owned()))
            .collect()
    }

    /// One label or annotation.
    pub(super) fn meta_entry(&self, field: &str, key: &str) -> Option<std::borrow::Cow<'_, str>> {
        self.node.get("metadata")?.get(field)?.get(key)?.scalar()
    }

    /// Puts labels or annotations in place of those that are there; none takes the field away.
    pub(super) fn set_meta_map(&mut self, field: &str, entries: Vec<(String, String)>) {
        let line = self.node.line;
        let meta = self.node.get_or_insert_mapping("metadata");
        if entries.is_empty() {
            meta.remove(field);
            return;
        }
        let entries = entries
            .into_iter()
            .map(|(key, value)| (key, Node::string(line, value)))
            .collect();
        meta.insert(field, Node::new(line, Data::Mapping(entries)));
    }
}

fn text(node: Option<&Node>) -> &str {
    node.and_then(Node::text).unwrap_or_default()
}
