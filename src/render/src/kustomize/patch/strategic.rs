//! Merging a strategic merge patch into an object.
//!
//! What kustomize does, with five differences, each where its result is never wanted:
//! - `$patch: replace` in an element of a keyed list replaces the element (kustomize drops the
//!   patch's element instead);
//! - `$retainKeys`, `$setElementOrder/…` and `$deleteFromPrimitiveList/…` do what Kubernetes has
//!   them do (kustomize writes them into the object);
//! - an element of a patch's keyed list without its key is an error (kustomize drops it, and
//!   every element of the object with it);
//! - an element of an object's keyed list without its key stays, and so do its neighbours;
//! - a null takes a label or an annotation away, also where the patch has a target (kustomize
//!   writes the text "null" there, and passes over `labels: null`).

use super::lists;
use super::structure::{Strategy, Structure};
use crate::kustomize::walk::Refusal;
use crate::yaml::{Data, Node};

/// Whether a value stays where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Keep,
    Remove,
}

/// Why and where merging stopped.
#[derive(Debug)]
pub(super) struct Stop {
    pub(super) path: Vec<String>,
    pub(super) refusal: Refusal,
}

impl Stop {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            path: Vec::new(),
            refusal: Refusal(message.into()),
        }
    }

    pub(super) fn below(mut self, name: &str) -> Self {
        self.path.insert(0, name.to_owned());
        self
    }
}

/// What a patch says of a mapping or list as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Directive {
    Merge,
    Replace,
    Delete,
}

impl Directive {
    pub(super) fn parse(node: &Node) -> Result<Self, Stop> {
        match node.scalar().as_deref() {
            Some("merge") => Ok(Self::Merge),
            Some("replace") => Ok(Self::Replace),
            Some("delete") => Ok(Self::Delete),
            _ => Err(
                Stop::new("expected merge, replace or delete after $patch".to_owned())
                    .below("$patch"),
            ),
        }
    }

    /// Takes the directive out of a mapping.
    fn take(mapping: &mut Node) -> Result<Self, Stop> {
        let directive = mapping.get("$patch").map(Self::parse).transpose()?;
        if directive.is_some() {
            mapping.remove("$patch");
        }
        Ok(directive.unwrap_or(Self::Merge))
    }
}

/// Merges `patch` into `node`.
pub(super) fn merge(
    node: &mut Node,
    mut patch: Node,
    structure: Structure<'_>,
) -> Result<Outcome, Stop> {
    if patch.is_null() {
        return Ok(Outcome::Remove);
    }
    let structure = structure.or_of(node);
    match (&mut node.data, &mut patch.data) {
        (Data::Null | Data::Blank, Data::Mapping(_)) => {
            if Directive::take(&mut patch)? == Directive::Delete {
                return Ok(Outcome::Remove);
            }
            *node = patch;
            adopt(node, structure)
        }
        (Data::Null | Data::Blank, _) => {
            *node = patch;
            adopt(node, structure)
        }
        (Data::Mapping(_), Data::Mapping(_)) => match Directive::take(&mut patch)? {
            Directive::Delete => Ok(Outcome::Remove),
            Directive::Replace => {
                *node = patch;
                adopt(node, structure)
            }
            Directive::Merge => {
                mappings(node, patch, structure)?;
                Ok(Outcome::Keep)
            }
        },
        (Data::Sequence(_), Data::Sequence(_)) => lists::merge(node, patch, structure),
        (Data::Mapping(_) | Data::Sequence(_), _) | (_, Data::Mapping(_) | Data::Sequence(_)) => {
            Err(Stop::new(format!(
                "the object has {} here, and the patch has {}",
                node.kind(),
                patch.kind()
            )))
        }
        _ => {
            node.line = patch.line;
            node.write(patch.data);
            Ok(Outcome::Keep)
        }
    }
}

fn mappings(node: &mut Node, patch: Node, structure: Structure<'_>) -> Result<(), Stop> {
    let Data::Mapping(mut changes) = patch.data else {
        return Ok(());
    };
    let orders = retain_and_delete(node, &mut changes);
    let Data::Mapping(entries) = &mut node.data else {
        return Ok(());
    };
    let below = |name: &str| structure.field(name);
    let mut failed = None;
    entries.retain_mut(|(name, value)| {
        if failed.is_some() {
            return true;
        }
        let change = changes
            .iter()
            .position(|(changed, _)| changed == name)
            .map(|at| changes.swap_remove(at).1);
        let outcome = match change {
            Some(change) => merge(value, change, below(name)),
            None => settle(value, below(name)),
        };
        match outcome {
            Ok(outcome) => outcome == Outcome::Keep,
            Err(stop) => {
                failed = Some(stop.below(name));
                true
            }
        }
    });
    if let Some(stop) = failed {
        return Err(stop);
    }
    for (name, change) in changes {
        let line = change.line;
        let mut value = Node::new(line, Data::Blank);
        let outcome = merge(&mut value, change, below(&name)).map_err(|stop| stop.below(&name))?;
        if outcome == Outcome::Keep {
            entries.push((name, value));
        }
    }
    for (list, order) in orders {
        if let Some(node) = node.get_mut(&list) {
            lists::reorder(node, &order, below(&list));
        }
    }
    Ok(())
}

/// Carries out `$retainKeys` and `$deleteFromPrimitiveList/…`, and takes them and
/// `$setElementOrder/…` out. Gives the orders that lists are to have.
fn retain_and_delete(node: &mut Node, changes: &mut Vec<(String, Node)>) -> Vec<(String, Node)> {
    if !changes.iter().any(|(name, _)| name.starts_with('$')) {
        return Vec::new();
    }
    let mut orders = Vec::new();
    let mut kept = Vec::with_capacity(changes.len());
    for (name, value) in std::mem::take(changes) {
        let Data::Sequence(items) = &value.data else {
            kept.push((name, value));
            continue;
        };
        if name == "$retainKeys" {
            if let Data::Mapping(entries) = &mut node.data {
                entries.retain(|(key, _)| items.iter().any(|item| item.text() == Some(key)));
            }
        } else if let Some(list) = name.strip_prefix("$setElementOrder/") {
            orders.push((list.to_owned(), value));
        } else if let Some(list) = name.strip_prefix("$deleteFromPrimitiveList/") {
            if let Some(Data::Sequence(own)) = node.get_mut(list).map(|node| &mut node.data) {
                own.retain(|own| items.iter().all(|item| item.scalar() != own.scalar()));
            }
        } else {
            kept.push((name, value));
        }
    }
    *changes = kept;
    orders
}

/// What merging does to a part of the object of which the patch says nothing: nulls that are
/// nothing but an empty place go, and keyed lists lose elements that stand there twice.
pub(super) fn settle(node: &mut Node, structure: Structure<'_>) -> Result<Outcome, Stop> {
    let structure = structure.or_of(node);
    match &mut node.data {
        Data::Blank => return Ok(Outcome::Remove),
        Data::Mapping(entries) => {
            let mut failed = None;
            entries.retain_mut(|(name, value)| match settle(value, structure.field(name)) {
                Ok(outcome) => outcome == Outcome::Keep,
                Err(stop) => {
                    failed = Some(stop);
                    true
                }
            });
            if let Some(stop) = failed {
                return Err(stop);
            }
        }
        Data::Sequence(_) if structure.strategy() != Strategy::Replace => {
            lists::settle(node, structure)?;
        }
        _ => {}
    }
    Ok(Outcome::Keep)
}

/// What merging does to a part that the patch adds: its nulls go, and its directives are carried
/// out.
pub(super) fn adopt(node: &mut Node, structure: Structure<'_>) -> Result<Outcome, Stop> {
    let structure = structure.or_of(node);
    match &mut node.data {
        Data::Null | Data::Blank => return Ok(Outcome::Remove),
        Data::Mapping(entries) => {
            entries.retain(|(name, _)| {
                name != "$retainKeys"
                    && !name.starts_with("$setElementOrder/")
                    && !name.starts_with("$deleteFromPrimitiveList/")
            });
            let mut failed = None;
            entries.retain_mut(|(name, value)| {
                let below = structure.field(name);
                let outcome = match value.data {
                    Data::Mapping(_) => match Directive::take(value) {
                        Ok(Directive::Delete) => Ok(Outcome::Remove),
                        Ok(_) => adopt(value, below),
                        Err(stop) => Err(stop),
                    },
                    _ => adopt(value, below),
                };
                match outcome {
                    Ok(outcome) => outcome == Outcome::Keep,
                    Err(stop) => {
                        failed = Some(stop.below(name));
                        true
                    }
                }
            });
            if let Some(stop) = failed {
                return Err(stop);
            }
        }
        Data::Sequence(_) => return lists::adopt(node, structure),
        _ => {}
    }
    Ok(Outcome::Keep)
}
