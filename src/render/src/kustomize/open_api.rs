//! `openapi.path`: a document that says how lists of custom kinds are merged, and which kinds live
//! outside namespaces.
//!
//! In kustomize the document takes the place of the built-in one, so lists of Kubernetes' own
//! kinds are replaced as a whole unless it has them too. One that a base names counts as well if
//! there was none before it. Then the built-in one stays, behind it if a patch was applied before, and
//! in front of it if an object was read before whose kind isn't built in: kustomize looks for what it
//! doesn't know.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::id::Gvk;
use crate::yaml::{Data, Node};

/// What lists and kinds are judged by.
#[derive(Debug, Clone, Default)]
pub(super) struct Schemas {
    custom: Option<Arc<Document>>,
    built_in: BuiltIn,
}

/// What becomes of the built-in document when there is a custom one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum BuiltIn {
    /// It says nothing any more.
    #[default]
    Goes,
    /// It says what the custom one doesn't.
    Stays,
    /// It says everything that it has.
    Wins,
}

/// Where a list's or kind's description comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    BuiltIn,
    Custom,
}

impl Schemas {
    pub(super) fn with(document: Document, built_in: BuiltIn) -> Self {
        Self {
            custom: Some(Arc::new(document)),
            built_in,
        }
    }

    pub(super) fn is_custom(&self) -> bool {
        self.custom.is_some()
    }

    pub(super) fn custom(&self) -> Option<&Document> {
        self.custom.as_deref()
    }

    /// Who is asked for a kind, in turn.
    pub(super) fn order(&self) -> &'static [Source] {
        match (&self.custom, self.built_in) {
            (None, _) => &[Source::BuiltIn],
            (Some(_), BuiltIn::Goes) => &[Source::Custom],
            (Some(_), BuiltIn::Stays) => &[Source::Custom, Source::BuiltIn],
            (Some(_), BuiltIn::Wins) => &[Source::BuiltIn, Source::Custom],
        }
    }

    /// Whether a kind that isn't built in lives outside namespaces.
    pub(super) fn is_cluster_scoped(&self, gvk: Gvk<'_>) -> bool {
        self.custom().is_some_and(|document| {
            document
                .cluster_scoped
                .contains(&(api_version(gvk), gvk.kind.to_owned()))
        })
    }
}

fn api_version(gvk: Gvk<'_>) -> String {
    if gvk.group.is_empty() {
        gvk.version.to_owned()
    } else {
        format!("{}/{}", gvk.group, gvk.version)
    }
}

/// An OpenAPI document, as far as it matters here.
#[derive(Debug, Default)]
pub(super) struct Document {
    types: Vec<Type>,
    kinds: BTreeMap<(String, String), usize>,
    cluster_scoped: BTreeSet<(String, String)>,
}

#[derive(Debug, Default)]
struct Type {
    /// The type that is meant instead.
    reference: Option<usize>,
    fields: BTreeMap<String, usize>,
    /// Of fields that aren't named.
    values: Option<usize>,
    items: Option<usize>,
    merges: bool,
    keys: Vec<String>,
}

const KINDS: &str = "x-kubernetes-group-version-kind";

impl Document {
    /// Reads a document; what is wrong with it, in words.
    pub(super) fn read(node: &Node) -> Result<Self, String> {
        let mut document = Self::default();
        let entries =
            mapping(node).ok_or_else(|| format!("{}, expected a document", node.kind()))?;
        let under = |name: &str| {
            let found = entries.iter().find(|(key, _)| key == name);
            found.and_then(|(_, node)| mapping(node)).unwrap_or(&[])
        };
        let definitions = under("definitions");
        let names: BTreeMap<&str, usize> = definitions
            .iter()
            .enumerate()
            .map(|(at, (name, _))| (name.as_str(), at))
            .collect();
        document.types.resize_with(definitions.len(), Type::default);
        for (at, (_, definition)) in definitions.iter().enumerate() {
            let read = document.described(definition, &names);
            document.types[at] = read;
            if let Some(Data::Sequence(kinds)) = definition.get(KINDS).map(|node| &node.data) {
                for kind in kinds.iter().filter(|kind| mapping(kind).is_some()) {
                    document.kinds.insert(kind_of(kind)?, at);
                }
            }
        }
        document.scopes(under("paths"))?;
        Ok(document)
    }

    fn described(&mut self, node: &Node, names: &BTreeMap<&str, usize>) -> Type {
        let text = |name: &str| node.get(name).and_then(Node::text);
        if let Some(reference) = text("$ref") {
            let name = reference.strip_prefix("#/definitions/").unwrap_or_default();
            let name = name.replace("~1", "/").replace("~0", "~");
            return Type {
                reference: Some(names.get(name.as_str()).copied().unwrap_or(usize::MAX)),
                ..Type::default()
            };
        }
        let mut read = Type::default();
        if let Some(fields) = node.get("properties").and_then(mapping) {
            for (name, field) in fields {
                let at = self.add(field, names);
                read.fields.insert(name.clone(), at);
            }
        }
        let nested = |name: &str| node.get(name).filter(|node| mapping(node).is_some());
        read.values = nested("additionalProperties").map(|node| self.add(node, names));
        if text("type") == Some("array") {
            read.items = nested("items").map(|node| self.add(node, names));
        }
        if let Some(strategy) = text("x-kubernetes-patch-strategy") {
            read.merges = strategy.contains("merge");
            let listed = node
                .get("x-kubernetes-list-map-keys")
                .map(|node| &node.data);
            read.keys = match (listed, text("x-kubernetes-patch-merge-key")) {
                (Some(Data::Sequence(keys)), _) => keys
                    .iter()
                    .filter_map(Node::text)
                    .map(str::to_owned)
                    .collect(),
                (_, key) => key.map(str::to_owned).into_iter().collect(),
            };
        }
        read
    }

    fn add(&mut self, node: &Node, names: &BTreeMap<&str, usize>) -> usize {
        let read = self.described(node, names);
        self.types.push(read);
        self.types.len() - 1
    }

    /// A kind is namespaced if any path to read it has a namespace in it.
    fn scopes(&mut self, paths: &[(String, Node)]) -> Result<(), String> {
        let mut namespaced = BTreeSet::new();
        for (path, node) in paths {
            let Some(kind) = node.get("get").and_then(|get| get.get(KINDS)) else {
                continue;
            };
            if mapping(kind).is_none() {
                continue;
            }
            let kind = kind_of(kind)?;
            if path.contains("namespaces/{namespace}") {
                namespaced.insert(kind);
            } else {
                self.cluster_scoped.insert(kind);
            }
        }
        self.cluster_scoped
            .retain(|kind| !namespaced.contains(kind));
        Ok(())
    }

    /// The type of a kind.
    pub(super) fn kind(&self, api_version: &str, kind: &str) -> Option<usize> {
        let key = (api_version.to_owned(), kind.to_owned());
        self.resolved(*self.kinds.get(&key)?)
    }

    pub(super) fn field(&self, of: usize, name: &str) -> Option<usize> {
        let of = &self.types[of];
        self.resolved(*of.fields.get(name).or(of.values.as_ref())?)
    }

    pub(super) fn items(&self, of: usize) -> Option<usize> {
        self.resolved(self.types[of].items?)
    }

    /// The keys by which a list is merged, none if it is merged as a set, if it is merged at all.
    pub(super) fn keys(&self, of: usize) -> Option<&[String]> {
        let of = &self.types[of];
        of.merges.then_some(&of.keys)
    }

    /// Follows references; one that leads nowhere, or in a circle, means nothing.
    fn resolved(&self, mut at: usize) -> Option<usize> {
        for _ in 0..=self.types.len() {
            match self.types.get(at)?.reference {
                Some(next) => at = next,
                None => return Some(at),
            }
        }
        None
    }
}

fn mapping(node: &Node) -> Option<&[(String, Node)]> {
    match &node.data {
        Data::Mapping(entries) => Some(entries),
        _ => None,
    }
}

/// `apiVersion` and kind of an entry of the extension.
fn kind_of(node: &Node) -> Result<(String, String), String> {
    let text = |name: &str| node.get(name).and_then(Node::text);
    let (Some(version), Some(kind)) = (text("version"), text("kind")) else {
        return Err(format!(
            "an entry of {KINDS} on line {} without version and kind, expected both as texts",
            node.line
        ));
    };
    let gvk = Gvk {
        group: text("group").unwrap_or_default(),
        version,
        kind,
    };
    Ok((api_version(gvk), kind.to_owned()))
}
