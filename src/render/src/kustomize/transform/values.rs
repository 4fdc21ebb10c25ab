//! One value, put into fields of several objects: the `ValueAddTransformer`.

use super::namespace::{self, Rule, Subjects};
use crate::kustomize::problem::{Fault, Place};
use crate::kustomize::replace::{Found, Path, each, set_text};
use crate::kustomize::resources::Resources;
use crate::kustomize::select::Selection;
use crate::kustomize::walk::Refusal;
use crate::ledger::Problems;
use crate::yaml::{Data, Node};

/// Where the value goes.
#[derive(Debug)]
pub(in crate::kustomize) struct ValueTarget {
    /// Which objects; all of them without one.
    pub(in crate::kustomize) select: Option<Selection>,
    pub(in crate::kustomize) path: Path,
    /// If the field holds a file's path: where in it the value is inserted, counted from 1.
    pub(in crate::kustomize) position: usize,
}

pub(super) fn set(
    resources: &mut Resources,
    value: &str,
    targets: &[ValueTarget],
    place: &Place,
    problems: &mut Problems,
) {
    let make = Node::string(0, value);
    for target in targets {
        for resource in resources.list_mut() {
            if target
                .select
                .as_ref()
                .is_some_and(|select| !select.selects(resource))
            {
                continue;
            }
            if !problems.within() {
                return;
            }
            let done = if target.path.text() == "metadata/namespace" {
                namespace::set_one(
                    resource,
                    &Rule {
                        namespace: value,
                        fields: &[],
                        subjects: Subjects::Default,
                        unset_only: false,
                    },
                    problems,
                )
            } else {
                let room = &*problems;
                let set = &mut |node: &mut Node, found: Found| {
                    room.spend(value.len(), 1)?;
                    let text = match (target.position, node.scalar()) {
                        (0, _) => value.to_owned(),
                        (position, Some(path)) => inserted(&path, position - 1, value),
                        (_, None) => return Err(Refusal::expected(node, "a path")),
                    };
                    let found = match node.data {
                        Data::String(_) => found,
                        Data::Sequence(_) | Data::Mapping(_) => {
                            return Err(Refusal::expected(node, "a scalar"));
                        }
                        _ => Found::Made,
                    };
                    set_text(node, &text, found)
                };
                each(&mut resource.node, target.path.parts(), Some(&make), set)
                    .map(|_| ())
                    .map_err(|Refusal(message)| Fault::Mismatch {
                        object: resource.id().to_string(),
                        field: target.path.text().to_owned(),
                        message,
                    })
            };
            resource.follow_ties();
            if let Err(fault) = done {
                problems.push(place.problem(fault));
            }
        }
    }
}

/// A path with one more segment. The first place of an absolute path is after its slash.
fn inserted(path: &str, position: usize, segment: &str) -> String {
    if path.is_empty() {
        return segment.to_owned();
    }
    let (root, rest) = match path.strip_prefix('/') {
        Some(rest) => ("/", rest),
        None => ("", path),
    };
    let mut segments: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    segments.insert(position.min(segments.len()), segment);
    format!("{root}{}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::inserted;

    #[test]
    fn segments_are_inserted_where_they_are_wanted() {
        assert_eq!(inserted("/a/b", 0, "x"), "/x/a/b");
        assert_eq!(inserted("/a/b", 1, "x"), "/a/x/b");
        assert_eq!(inserted("a/b", 9, "x"), "a/b/x");
        assert_eq!(inserted("", 2, "x"), "x");
    }
}
