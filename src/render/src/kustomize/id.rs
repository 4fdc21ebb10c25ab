//! What tells objects apart while they are built: group, version, kind, name, namespace.

use super::scope;

/// A group, version and kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Gvk<'a> {
    pub(super) group: &'a str,
    pub(super) version: &'a str,
    pub(super) kind: &'a str,
}

impl<'a> Gvk<'a> {
    pub(super) fn new(api_version: &'a str, kind: &'a str) -> Self {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Self {
            group,
            version,
            kind,
        }
    }

    /// Whether objects of this kind are known to live outside namespaces.
    pub(super) fn is_cluster_scoped(&self) -> bool {
        scope::is_cluster_scoped(self.group, self.version, self.kind)
    }

    /// Whether this is one of those that a selector means: its empty parts mean any.
    pub(super) fn is_selected(&self, by: Gvk<'_>) -> bool {
        let part = |own: &str, wanted: &str| wanted.is_empty() || own == wanted;
        part(self.group, by.group) && part(self.version, by.version) && part(self.kind, by.kind)
    }
}

impl std::fmt::Display for Gvk<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        Ok(())
    }
}

/// A group, version and kind with a life of their own; empty parts mean any.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct OwnedGvk {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) kind: String,
}

impl OwnedGvk {
    pub(super) fn borrow(&self) -> Gvk<'_> {
        Gvk {
            group: &self.group,
            version: &self.version,
            kind: &self.kind,
        }
    }
}

/// An object's identity, now or before a transformer renamed it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Id<'a> {
    pub(super) gvk: Gvk<'a>,
    pub(super) name: &'a str,
    /// As it is written; possibly empty.
    pub(super) namespace: &'a str,
    /// Whether the user's own schema says that the kind lives outside namespaces.
    pub(super) cluster_scoped: bool,
}

impl<'a> Id<'a> {
    /// The namespace that counts: none for cluster-scoped kinds, `default` where none is named.
    pub(super) fn effective_namespace(&self) -> Option<&'a str> {
        if self.cluster_scoped || self.gvk.is_cluster_scoped() {
            None
        } else if self.namespace.is_empty() {
            Some("default")
        } else {
            Some(self.namespace)
        }
    }

    pub(super) fn is_same(&self, other: &Id<'_>) -> bool {
        self.name == other.name
            && self.gvk == other.gvk
            && self.effective_namespace() == other.effective_namespace()
    }

    /// One text for each identity, for maps.
    pub(super) fn key(&self) -> String {
        let namespace = self.effective_namespace().unwrap_or("\u{1}");
        let Gvk {
            group,
            version,
            kind,
        } = self.gvk;
        [kind, group, version, self.name, namespace].join("\0")
    }
}

impl std::fmt::Display for Id<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{} {}", self.gvk, self.name)
        } else {
            write!(f, "{} {}/{}", self.gvk, self.namespace, self.name)
        }
    }
}
