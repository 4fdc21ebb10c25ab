//! Why a pass is run, and what watches told before it.

use std::collections::BTreeSet;
use std::sync::Arc;

use stageset_core::identity::Identity;
use stageset_core::names::ServiceAccountName;
use stageset_core::object::ObjectKey;
use stageset_core::spec::{SourceReference, StageSetReference};

use crate::stored::is_newer;

/// Why a pass is run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Wake {
    /// Every fact that no watch vouches for is looked at again: an interval tick
    /// ([`End::Hold`] with `refresh`), or the first pass after a start.
    pub refresh: bool,
    /// What watches told.
    pub hints: Vec<Hint>,
}

/// News from a watch. A hint drops what is remembered; it never decides.
#[derive(Debug, Clone, PartialEq)]
pub enum Hint {
    /// An object of the target moved.
    Object {
        /// As whom it was watched; `None` = whoever remembers it.
        identity: Option<Identity>,
        /// Which object.
        key: ObjectKey,
        /// [`stageset_core::judge::live::entry_of_metadata`] of what the event showed.
        entry: Option<String>,
        /// `metadata.resourceVersion` of what the event showed.
        resource_version: String,
        /// It is gone.
        deleted: bool,
    },
    /// A watch of objects of the target had lost its place and began anew: what there was to be told of in
    /// between was told to nobody.
    Listed {
        /// As whom it watches.
        identity: Identity,
        /// Group of its kind.
        group: String,
        /// Its kind.
        kind: String,
        /// Its namespace, unless the kind is cluster-scoped.
        namespace: Option<String>,
        /// The objects that it found.
        names: Arc<BTreeSet<Box<str>>>,
    },
    /// A source, or an ExternalArtifact that names it, moved.
    Source(SourceReference),
    /// A StageSet that this one depends on moved.
    Dependency(StageSetReference),
    /// A ServiceAccount of the StageSet's namespace moved.
    Account(ServiceAccountName),
    /// An inventory of this StageSet was written by somebody else.
    Inventories,
    /// The ledger of this StageSet was written, by whomever, or is gone.
    Ledger {
        /// `metadata.resourceVersion` of what the event showed; `None` if it is gone.
        resource_version: Option<String>,
    },
}

impl Wake {
    /// Keeps a hint for the pass, as one with what was told of the same thing before.
    pub fn add(&mut self, hint: Hint) {
        let before = self
            .hints
            .iter()
            .position(|other| other.is_about_same(&hint));
        let hint = match before {
            Some(before) => self.hints.remove(before).and(hint),
            None => hint,
        };
        self.hints.push(hint);
    }
}

impl Hint {
    fn is_about_same(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Object { identity, key, .. },
                Self::Object {
                    identity: as_whom,
                    key: of_what,
                    ..
                },
            ) => identity == as_whom && key == of_what,
            (
                Self::Listed {
                    identity,
                    group,
                    kind,
                    namespace,
                    ..
                },
                Self::Listed {
                    identity: as_whom,
                    group: of_group,
                    kind: of_kind,
                    namespace: in_namespace,
                    ..
                },
            ) => (identity, group, kind, namespace) == (as_whom, of_group, of_kind, in_namespace),
            (one, other) => one == other,
        }
    }

    /// Both, the second of which was told later. What showed the later version counts, in whichever
    /// order they were told; and what was gone in between isn't what is remembered, even if it is
    /// there again.
    fn and(self, later: Self) -> Self {
        match (self, later) {
            (
                Self::Object {
                    entry,
                    resource_version,
                    deleted,
                    ..
                },
                Self::Object {
                    identity,
                    key,
                    entry: later_entry,
                    resource_version: later_version,
                    deleted: later_deleted,
                },
            ) => {
                let (entry, resource_version) = if is_newer(&resource_version, &later_version) {
                    (entry, resource_version)
                } else {
                    (later_entry, later_version)
                };
                Self::Object {
                    identity,
                    key,
                    entry,
                    resource_version,
                    deleted: deleted || later_deleted,
                }
            }
            (
                Self::Listed { names, .. },
                Self::Listed {
                    identity,
                    group,
                    kind,
                    namespace,
                    names: later,
                },
            ) => Self::Listed {
                identity,
                group,
                kind,
                namespace,
                names: Arc::new(names.intersection(&later).cloned().collect()),
            },
            (_, later) => later,
        }
    }
}

#[cfg(test)]
mod tests {
    use stageset_core::identity::{Target, Tenancy};
    use stageset_core::names::Namespace;

    use super::*;

    fn object(name: &str, version: &str, entry: &str, deleted: bool) -> Hint {
        Hint::Object {
            identity: None,
            key: ObjectKey {
                group: String::new(),
                kind: "ConfigMap".into(),
                namespace: Some("shop".into()),
                name: name.into(),
            },
            entry: Some(entry.into()),
            resource_version: version.into(),
            deleted,
        }
    }

    fn told(hints: impl IntoIterator<Item = Hint>) -> Vec<Hint> {
        let mut wake = Wake::default();
        hints.into_iter().for_each(|hint| wake.add(hint));
        wake.hints
    }

    #[test]
    fn of_two_versions_of_an_object_the_later_one_counts_in_whichever_order_they_came() {
        let old = || object("a", "9", "x", false);
        let new = || object("a", "10", "y", false);
        assert_eq!(told([old(), new()]), [new()]);
        assert_eq!(told([new(), old()]), [new()]);
    }

    /// Level wire, seed 85425: the deletion overtook the creation, and was forgotten for it.
    #[test]
    fn that_an_object_was_gone_in_between_is_not_forgotten() {
        let gone = || object("a", "10", "x", true);
        let there = || object("a", "9", "x", false);
        assert_eq!(told([gone(), there()]), [gone()]);
        assert_eq!(told([there(), gone()]), [gone()]);
        let again = object("a", "11", "y", false);
        assert_eq!(told([gone(), again]), [object("a", "11", "y", true)]);
    }

    #[test]
    fn what_one_of_two_lists_lacks_was_gone_in_between() {
        let listed = |names: &[&str]| Hint::Listed {
            identity: Identity::resolve(
                Tenancy::Multi,
                &Namespace::new("shop").unwrap(),
                Some(&ServiceAccountName::new("deployer").unwrap()),
                &Target::Local,
            )
            .unwrap(),
            group: String::new(),
            kind: "ConfigMap".into(),
            namespace: Some("shop".into()),
            names: Arc::new(names.iter().map(|name| Box::from(*name)).collect()),
        };
        assert_eq!(
            told([listed(&["a", "b"]), listed(&["b", "c"])]),
            [listed(&["b"])]
        );
    }

    #[test]
    fn what_is_told_of_others_stays() {
        let one = object("a", "9", "x", true);
        let other = object("b", "9", "x", false);
        let all = [one, Hint::Inventories, other];
        assert_eq!(told(all.clone()), all);
        let twice = [Hint::Inventories, all[0].clone(), Hint::Inventories];
        assert_eq!(told(twice), [all[0].clone(), Hint::Inventories]);
    }
}
