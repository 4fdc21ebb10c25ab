//! Names that refer to other objects: when an object was renamed, those who name it follow.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::config::{self, Config, Referrer};
use super::id::{Gvk, OwnedGvk};
use super::problem::{Fault, Place};
use super::resource::{Previous, Resource};
use super::resources::Resources;
use super::walk::{self, Refusal};
use crate::ledger::Problems;
use crate::yaml::{Data, Node};

/// What is known of an object that may be referred to.
struct Candidate {
    group: String,
    version: String,
    kind: String,
    name: String,
    /// As it is written.
    namespace: String,
    cluster_scoped: bool,
    previous: Vec<Previous>,
    prefixes: Vec<String>,
    suffixes: Vec<String>,
}

impl Candidate {
    fn new(resource: &Resource) -> Self {
        let gvk = resource.gvk();
        Self {
            group: gvk.group.to_owned(),
            version: gvk.version.to_owned(),
            kind: gvk.kind.to_owned(),
            name: resource.name().to_owned(),
            namespace: resource.namespace().to_owned(),
            cluster_scoped: resource.is_cluster_scoped(),
            previous: resource.previous.clone(),
            prefixes: resource.prefixes.clone(),
            suffixes: resource.suffixes.clone(),
        }
    }

    fn effective_namespace(&self) -> Option<&str> {
        if self.cluster_scoped {
            None
        } else if self.namespace.is_empty() {
            Some("default")
        } else {
            Some(&self.namespace)
        }
    }

    /// The namespace with which it was loaded, if it had one.
    fn first_namespace(&self) -> Option<&str> {
        let first = self.previous.first()?;
        let gvk = Gvk {
            group: &self.group,
            version: &self.version,
            kind: &first.kind,
        };
        (!(self.cluster_scoped || gvk.is_cluster_scoped())).then_some(
            match first.namespace.as_str() {
                "" => "default",
                namespace => namespace,
            },
        )
    }

    fn was(&self, gvk: Gvk<'_>) -> bool {
        self.previous.iter().any(|previous| {
            Gvk {
                group: &self.group,
                version: &self.version,
                kind: &previous.kind,
            }
            .is_selected(gvk)
        })
    }
}

/// Updates every reference.
pub(super) fn update(resources: &mut Resources, config: &Arc<Config>, problems: &mut Problems) {
    let list = resources.list_mut();
    let subjects: Vec<BTreeSet<String>> = list
        .iter()
        .map(|resource| subject_namespaces(resource, problems))
        .collect();
    if list.iter().all(|resource| resource.previous.is_empty()) {
        return;
    }
    let candidates: Vec<Candidate> = list.iter().map(Candidate::new).collect();
    let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, candidate) in candidates.iter().enumerate() {
        let names: BTreeSet<&str> = candidate
            .previous
            .iter()
            .map(|previous| previous.name.as_str())
            .collect();
        for name in names {
            by_name.entry(name).or_default().push(at);
        }
    }
    let referrers = config::referrers(config);
    for (at, resource) in list.iter_mut().enumerate() {
        let gvk = resource.first_id().gvk;
        let selected: Vec<&Referrer> = referrers
            .of_kind(gvk.kind)
            .filter(|referrer| gvk.is_selected(referrer.field.gvk.borrow()))
            .collect();
        if selected.is_empty() {
            continue;
        }
        let resolver = Resolver {
            candidates: &candidates,
            by_name: &by_name,
            me: &candidates[at],
            subject_namespaces: &subjects[at],
            role: role(resource),
        };
        for referrer in selected {
            if let Err(Refusal(message)) = resolver.update(&mut resource.node, referrer, problems) {
                let place = Place::new(&resource.origin.file, resource.origin.line, "");
                problems.push(place.problem(Fault::Mismatch {
                    object: resource.id().to_string(),
                    field: referrer.field.path.clone(),
                    message,
                }));
            }
        }
        resource.follow_ties();
    }
}

/// The namespaces of the service accounts that a role binding binds.
fn subject_namespaces(resource: &Resource, problems: &mut Problems) -> BTreeSet<String> {
    let mut namespaces = BTreeSet::new();
    if resource.kind() != "RoleBinding" {
        return namespaces;
    }
    if let Some(Data::Sequence(subjects)) = resource.node.get("subjects").map(|node| &node.data) {
        for subject in subjects {
            let text = |field: &str| subject.get(field).and_then(Node::text);
            if text("kind") == Some("ServiceAccount")
                && let Some(namespace) = subject.get("namespace")
            {
                match namespace.text() {
                    Some(namespace) => {
                        namespaces.insert(namespace.to_owned());
                    }
                    None => problems.push(
                        Place::new(
                            &resource.origin.file,
                            namespace.line,
                            "subjects[].namespace",
                        )
                        .problem(Fault::Unexpected {
                            found: namespace.kind().to_owned(),
                            expected: "the name of a namespace".to_owned(),
                        }),
                    ),
                }
            }
        }
    }
    namespaces
}

/// Group and kind of the role that a binding refers to.
fn role(resource: &Resource) -> Option<OwnedGvk> {
    let role = resource.node.get("roleRef")?;
    Some(OwnedGvk {
        group: role.get("apiGroup")?.scalar()?.into_owned(),
        version: String::new(),
        kind: role.get("kind")?.scalar()?.into_owned(),
    })
}

/// Finds what one object's references mean.
struct Resolver<'a> {
    candidates: &'a [Candidate],
    by_name: &'a BTreeMap<&'a str, Vec<usize>>,
    me: &'a Candidate,
    subject_namespaces: &'a BTreeSet<String>,
    role: Option<OwnedGvk>,
}

impl<'a> Resolver<'a> {
    fn update(&self, node: &mut Node, referrer: &Referrer, room: &Problems) -> Result<(), Refusal> {
        walk::visit(
            node,
            &referrer.field.segments,
            None,
            &mut |node| match &mut node.data {
                Data::Null | Data::Blank => Ok(()),
                Data::Mapping(_) => self.mapping(node, referrer, room),
                Data::Sequence(items) => {
                    for item in items {
                        match &item.data {
                            Data::Null | Data::Blank => {}
                            Data::Mapping(_) => self.mapping(item, referrer, room)?,
                            Data::Sequence(_) => {
                                return Err(Refusal::expected(item, "a name"));
                            }
                            _ => self.scalar(item, referrer, room)?,
                        }
                    }
                    Ok(())
                }
                _ => self.scalar(node, referrer, room),
            },
        )
    }

    fn scalar(&self, node: &mut Node, referrer: &Referrer, room: &Problems) -> Result<(), Refusal> {
        let Some(name) = node.scalar() else {
            return Ok(());
        };
        let all_same = |found: &[&Candidate]| found.iter().all(|c| c.name == found[0].name);
        let found = self.find(&name, referrer, &|_| true, &all_same)?;
        if let Some(found) = found
            && found.name != name
        {
            room.spend(found.name.len(), 0)?;
            node.write(Data::String(found.name.clone()));
        }
        Ok(())
    }

    fn mapping(
        &self,
        node: &mut Node,
        referrer: &Referrer,
        room: &Problems,
    ) -> Result<(), Refusal> {
        let Some(name) = node.get("name").and_then(Node::scalar) else {
            return Err(Refusal(format!(
                "the mapping on line {} has no name",
                node.line
            )));
        };
        let all_same = |found: &[&Candidate]| {
            found
                .iter()
                .all(|c| c.name == found[0].name && c.namespace == found[0].namespace)
        };
        let namespace = node.get("namespace").and_then(Node::scalar);
        let found = match namespace.as_deref() {
            None => self.find(&name, referrer, &|_| true, &all_same)?,
            Some(namespace) => {
                // By the namespace with which objects were loaded, if any had it.
                let any_first = self
                    .candidates
                    .iter()
                    .filter(|candidate| self.is_visible(candidate))
                    .any(|candidate| first_or_own(candidate) == Some(namespace));
                let matches = |candidate: &Candidate| {
                    if any_first {
                        first_or_own(candidate) == Some(namespace)
                    } else {
                        candidate.effective_namespace() == Some(namespace)
                    }
                };
                self.find(&name, referrer, &matches, &all_same)?
            }
        };
        let Some(found) = found else {
            return Ok(());
        };
        let line = node.line;
        room.spend(found.name.len() + found.namespace.len(), 0)?;
        if found.name != name || !found.namespace.is_empty() {
            node.insert("name", Node::string(line, found.name.as_str()));
        }
        if !found.namespace.is_empty() {
            node.insert("namespace", Node::string(line, found.namespace.as_str()));
        }
        Ok(())
    }

    /// Whether this object can be referred to from here at all.
    fn is_visible(&self, candidate: &Candidate) -> bool {
        self.me.cluster_scoped
            || candidate.cluster_scoped
            || candidate.effective_namespace() == self.me.effective_namespace()
            || self.subject_namespaces.contains(&candidate.namespace)
    }

    fn find(
        &self,
        name: &str,
        referrer: &Referrer,
        in_namespace: &dyn Fn(&Candidate) -> bool,
        all_same: &dyn Fn(&[&Candidate]) -> bool,
    ) -> Result<Option<&'a Candidate>, Refusal> {
        let Some(named) = self.by_name.get(name) else {
            return Ok(None);
        };
        let role = referrer
            .field
            .path
            .ends_with("roleRef/name")
            .then_some(self.role.as_ref())
            .flatten();
        let mut found: Vec<&Candidate> = named
            .iter()
            .map(|at| &self.candidates[*at])
            .filter(|candidate| {
                self.is_visible(candidate)
                    && in_namespace(candidate)
                    && candidate.was(referrer.target.borrow())
                    && role.is_none_or(|role| candidate.was(role.borrow()))
                    && (self.me.cluster_scoped
                        || candidate.cluster_scoped
                        || candidate.kind == "ServiceAccount"
                        || candidate.effective_namespace() == self.me.effective_namespace())
            })
            .collect();
        if found.len() > 1 || found.is_empty() {
            found.retain(|candidate| self.shares_affixes(candidate, true));
        }
        if found.len() > 1 {
            found.retain(|candidate| self.shares_affixes(candidate, false));
        }
        match found.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(one)),
            several if all_same(several) => Ok(Some(several[0])),
            several => Err(Refusal(format!(
                "the name {name:?} may mean several objects: {}",
                several
                    .iter()
                    .map(|candidate| format!("{} {}", candidate.kind, candidate.name))
                    .collect::<Vec<_>>()
                    .join(", ")
            ))),
        }
    }

    /// Whether both were given the same prefixes and suffixes, as far as both have any.
    fn shares_affixes(&self, candidate: &Candidate, allow_none: bool) -> bool {
        let fits = |mine: &[String], theirs: &[String]| {
            (allow_none && (mine.is_empty() || theirs.is_empty())) || same_ending(mine, theirs)
        };
        fits(&self.me.prefixes, &candidate.prefixes) && fits(&self.me.suffixes, &candidate.suffixes)
    }
}

fn first_or_own(candidate: &Candidate) -> Option<&str> {
    if candidate.previous.is_empty() {
        candidate.effective_namespace()
    } else {
        candidate.first_namespace()
    }
}

/// Whether one list is the end of the other. An empty one is the end of an empty one only.
fn same_ending(one: &[String], other: &[String]) -> bool {
    let (short, long) = if one.len() > other.len() {
        (other, one)
    } else {
        (one, other)
    };
    if short.is_empty() {
        return long.is_empty();
    }
    long.ends_with(short)
}
