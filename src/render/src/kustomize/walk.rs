//! Walking to the fields that a transformer changes, through lists, and making them where that
//! is wanted.

use super::config::{FieldSpec, Segment};
use super::problem::Fault;
use super::resource::Resource;
use crate::ledger::Full;
use crate::yaml::{Data, Node};

/// What a field is made as where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Make {
    Mapping,
    Scalar,
}

/// Why a field can't be reached or set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) String);

impl From<Full> for Refusal {
    /// Never shown: what is said instead is the bound.
    fn from(Full: Full) -> Self {
        Self("there is no room for it".to_owned())
    }
}

impl Refusal {
    pub(super) fn expected(node: &Node, expected: &str) -> Self {
        Self(format!(
            "found {} on line {}, expected {expected}",
            node.kind(),
            node.line
        ))
    }
}

/// Calls `set` for every place in an object that a field stands for.
pub(super) fn each(
    resource: &mut Resource,
    field: &FieldSpec,
    make: Option<Make>,
    set: &mut dyn FnMut(&mut Node) -> Result<(), Refusal>,
) -> Result<(), Fault> {
    // Most fields are of some kind, and of another one.
    if !(field.gvk.kind.is_empty() || field.gvk.kind == resource.kind())
        || !resource.gvk().is_selected(field.gvk.borrow())
    {
        return Ok(());
    }
    let make = make.filter(|_| field.create);
    visit(&mut resource.node, &field.segments, make, set).map_err(|Refusal(message)| {
        Fault::Mismatch {
            object: resource.id().to_string(),
            field: field.path.clone(),
            message,
        }
    })
}

/// The same below any node.
pub(super) fn visit(
    node: &mut Node,
    path: &[Segment],
    make: Option<Make>,
    set: &mut dyn FnMut(&mut Node) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let Some((segment, rest)) = path.split_first() else {
        return set(node);
    };
    let line = node.line;
    let entries = match &mut node.data {
        Data::Null | Data::Blank => return Ok(()),
        Data::Sequence(items) => {
            for item in items {
                visit(item, path, make, set)?;
            }
            return Ok(());
        }
        Data::Mapping(entries) => entries,
        _ => return Err(Refusal::expected(node, "a list or a mapping")),
    };
    if segment.name.is_empty() {
        return Err(Refusal("the path has an empty segment".to_owned()));
    }
    let made = match make {
        Some(_) if segment.list => None,
        Some(Make::Scalar) if rest.is_empty() => Some(Data::Blank),
        Some(_) => Some(Data::Mapping(Vec::new())),
        None => None,
    };
    let at = entries.iter().position(|(name, _)| *name == segment.name);
    let at = match (at, made) {
        (Some(at), made) => {
            let node = &mut entries[at].1;
            if node.is_null() {
                if segment.list {
                    node.data = Data::Sequence(Vec::new());
                } else if let Some(made) = made {
                    node.data = made;
                }
            }
            at
        }
        (None, Some(data)) => {
            entries.push((segment.name.clone(), Node::new(line, data)));
            entries.len() - 1
        }
        (None, None) => return Ok(()),
    };
    visit(&mut entries[at].1, rest, make, set)
}

/// Sets a scalar; lists and mappings aren't replaced by one.
pub(super) fn set_scalar(node: &mut Node, data: Data) -> Result<(), Refusal> {
    if matches!(node.data, Data::Sequence(_) | Data::Mapping(_)) {
        return Err(Refusal::expected(node, "a scalar"));
    }
    node.write(data);
    Ok(())
}

/// Sets an entry of a mapping, tied to those of its group. Null stays null.
pub(super) fn set_entry(
    node: &mut Node,
    key: &str,
    value: &str,
    group: u32,
) -> Result<(), Refusal> {
    match node.data {
        Data::Mapping(_) => {
            node.write_entry(key, value, group);
            Ok(())
        }
        Data::Null | Data::Blank => Ok(()),
        _ => Err(Refusal::expected(node, "a mapping")),
    }
}
