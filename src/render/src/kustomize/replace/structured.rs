//! Replacements into a text that is itself JSON or YAML, such as a file in a ConfigMap.

use super::path::{self, Found, Part, Path};
use crate::Limits;
use crate::kustomize::kustomization::FieldOptions;
use crate::kustomize::resource::Resource;
use crate::kustomize::walk::Refusal;
use crate::kustomize::write;
use crate::yaml::{Data, Node, yaml_nodes};

/// Sets the value in a text on the way of the path, read within limits. Tells whether there was one, and a field in
/// it.
pub(super) fn set(
    node: &mut Node,
    path: &Path,
    options: &FieldOptions,
    value: &Node,
    limits: &Limits,
    set: &mut dyn FnMut(&mut Node, Found) -> Result<(), Refusal>,
) -> bool {
    let parts = path.parts();
    let Some((place, rest)) = text_on_the_way(node, parts) else {
        return false;
    };
    let Data::String(text) = &place.data else {
        return false;
    };
    let Some(mut inner) = parsed(text, limits) else {
        return false;
    };
    let make = options.create.then_some(value);
    match path::each(&mut inner, rest, make, set) {
        Ok(count) if count > 0 => {}
        _ => return false,
    }
    let text = match text.trim_start().chars().next() {
        Some('{' | '[') if text.contains('\n') && text.contains("  ") => {
            write::json(&inner, Some("  "))
        }
        Some('{' | '[') => write::json(&inner, None),
        _ => write::yaml(&inner).trim_end().to_owned(),
    };
    place.write(Data::String(text));
    true
}

/// What looking into an object's texts may take, in steps: those of a ConfigMap are the long ones.
pub(super) fn cost(resource: &Resource) -> usize {
    let Some(Data::Mapping(entries)) = resource.node.get("data").map(|node| &node.data) else {
        return 1;
    };
    let lengths = entries
        .iter()
        .map(|(_, value)| value.text().map_or(0, str::len));
    1 + lengths.max().unwrap_or_default()
}

/// The first scalar on the way, and the parts that follow it.
fn text_on_the_way<'n, 'p>(
    node: &'n mut Node,
    parts: &'p [Part],
) -> Option<(&'n mut Node, &'p [Part])> {
    let (part, rest) = parts.split_first()?;
    let next = match (part, &mut node.data) {
        (Part::Field(name), Data::Mapping(entries)) => entries
            .iter_mut()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value),
        (Part::Index(at), Data::Sequence(items)) => items.get_mut(*at),
        (Part::Element { key, value, .. }, Data::Sequence(items)) => {
            items.iter_mut().find(|item| {
                let own = if key.is_empty() {
                    Some(&**item)
                } else {
                    item.get(key)
                };
                own.and_then(Node::scalar).as_deref() == Some(value)
            })
        }
        _ => None,
    }?;
    if next.scalar().is_some() {
        return (!rest.is_empty()).then_some((next, rest));
    }
    text_on_the_way(next, rest)
}

/// The first document of a text that is a mapping or list.
fn parsed(text: &str, limits: &Limits) -> Option<Node> {
    let documents = yaml_nodes(text.as_bytes(), limits).ok()?;
    let (_, node) = documents.into_iter().next()?;
    matches!(node.data, Data::Mapping(_) | Data::Sequence(_)).then_some(node)
}
