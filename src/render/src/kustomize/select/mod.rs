//! Which objects a patch or a replacement is for.

mod labels;

pub(super) use self::labels::LabelSelector;
use super::id::{Gvk, Id};
use super::kustomization::Selector;
use super::pattern::Pattern;
use super::problem::Fault;
use super::resource::Resource;

/// A selector, ready for use.
#[derive(Debug, Clone)]
pub(super) struct Selection {
    group: Pattern,
    version: Pattern,
    kind: Pattern,
    name: Pattern,
    namespace: Pattern,
    labels: LabelSelector,
    annotations: LabelSelector,
    /// Whether only labels and annotations are asked for.
    nameless: bool,
}

impl Selection {
    pub(super) fn new(selector: &Selector) -> Result<Self, Fault> {
        Ok(Self {
            group: Pattern::anchored(&selector.gvk.group)?,
            version: Pattern::anchored(&selector.gvk.version)?,
            kind: Pattern::anchored(&selector.gvk.kind)?,
            name: Pattern::anchored(&selector.name)?,
            namespace: Pattern::anchored(&selector.namespace)?,
            labels: LabelSelector::parse(&selector.labels)?,
            annotations: LabelSelector::parse(&selector.annotations)?,
            nameless: selector.gvk.borrow() == Gvk::default()
                && selector.name.is_empty()
                && selector.namespace.is_empty(),
        })
    }

    /// Whether a patch is for this object: by its name and namespace now or when it was loaded.
    pub(super) fn selects(&self, resource: &Resource) -> bool {
        let (now, first) = (resource.id(), resource.first_id());
        let namespace = |id: &Id<'_>| {
            self.namespace
                .matches(id.effective_namespace().unwrap_or("_non_namespaceable_"))
        };
        (namespace(&first) || namespace(&now))
            && (self.name.matches(first.name) || self.name.matches(now.name))
            && self.kind_matches(now.gvk)
            && self.marks_match(resource)
    }

    /// Whether one identity is meant, its namespace taken as it is written.
    pub(super) fn selects_id(&self, id: &Id<'_>) -> bool {
        self.kind_matches(id.gvk)
            && self.name.matches(id.name)
            && self.namespace.matches(id.namespace)
    }

    /// Whether labels and annotations are what is asked for.
    pub(super) fn marks_match(&self, resource: &Resource) -> bool {
        self.labels.matches(resource, "labels") && self.annotations.matches(resource, "annotations")
    }

    pub(super) fn asks_for_marks(&self) -> bool {
        !(self.labels.is_empty() && self.annotations.is_empty())
    }

    pub(super) fn is_nameless(&self) -> bool {
        self.nameless
    }

    fn kind_matches(&self, gvk: Gvk<'_>) -> bool {
        self.group.matches(gvk.group)
            && self.version.matches(gvk.version)
            && self.kind.matches(gvk.kind)
    }
}
