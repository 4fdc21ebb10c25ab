//! `vars`: `$(NAME)` in certain fields, replaced by a field of another object.

use std::collections::BTreeMap;

use super::config::Config;
use super::id::Id;
use super::kustomization::Variable;
use super::near;
use super::problem::{Fault, Place};
use super::replace;
use super::resources::Resources;
use super::walk::{self, Refusal};
use crate::ledger::Problems;
use crate::yaml::{Data, Node};

/// All variables by name.
pub(super) type Variables = BTreeMap<String, Variable>;

/// Adds a kustomization's variables, and marks the objects that they read from.
pub(super) fn declare(
    variables: &mut Variables,
    new: &[Variable],
    resources: &mut Resources,
    problems: &mut Problems,
) {
    for variable in new {
        let wanted = target(variable);
        let matches: Vec<usize> = (0..resources.len())
            .filter(|at| {
                resources.list()[*at].ids().any(|id| {
                    if variable.namespace.is_empty() {
                        id.name == wanted.name && id.gvk == wanted.gvk
                    } else {
                        id.is_same(&wanted)
                    }
                })
            })
            .collect();
        match matches.as_slice() {
            [] => {}
            [at] => resources.list_mut()[*at]
                .variables
                .push(variable.name.clone()),
            several => {
                let found = several
                    .iter()
                    .map(|at| resources.list()[*at].id().to_string())
                    .collect();
                problems.push(variable.place.problem(Fault::SeveralMatches {
                    wanted: wanted.to_string(),
                    found,
                }));
            }
        }
        add(variables, variable.clone(), problems);
    }
}

/// Adds the variables of another kustomization.
pub(super) fn merge(variables: &mut Variables, other: Variables, problems: &mut Problems) {
    for variable in other.into_values() {
        add(variables, variable, problems);
    }
}

fn add(variables: &mut Variables, variable: Variable, problems: &mut Problems) {
    if let Some(first) = variables.get(&variable.name) {
        problems.push(variable.place.problem(Fault::Other(format!(
            "the variable {:?} is defined in {} as well: give them different names",
            variable.name, first.place
        ))));
        return;
    }
    variables.insert(variable.name.clone(), variable);
}

fn target(variable: &Variable) -> Id<'_> {
    Id {
        gvk: variable.gvk.borrow(),
        name: &variable.object,
        namespace: &variable.namespace,
        cluster_scoped: false,
    }
}

/// Replaces all variables.
pub(super) fn resolve(
    resources: &mut Resources,
    variables: &Variables,
    config: &Config,
    problems: &mut Problems,
) {
    if variables.is_empty() {
        return;
    }
    let before = problems.len();
    let mut values: BTreeMap<&str, Data> = BTreeMap::new();
    for (name, variable) in variables {
        match value(variable, resources) {
            Ok(value) => {
                values.insert(name, value);
            }
            Err(fault) => problems.push(variable.place.problem(fault)),
        }
    }
    if problems.len() > before {
        return;
    }
    let longest = values.values().map(|value| printed(value).len()).max();
    let longest = longest.unwrap_or_default();
    for resource in resources.list_mut() {
        for field in &config.variables {
            let room = &*problems;
            let done = walk::each(resource, field, None, &mut |node| {
                room.spend(expansion(node, longest), 0)?;
                set(node, &values)
            });
            if !problems.within() || !problems.steps(1) {
                return;
            }
            if let Err(fault) = done {
                let place = Place::new(&resource.origin.file, resource.origin.line, "");
                problems.push(place.problem(fault));
            }
        }
        resource.follow_ties();
    }
}

/// The value of a variable. Lists and mappings are no values.
fn value(variable: &Variable, resources: &Resources) -> Result<Data, Fault> {
    let Some(resource) = resources
        .list()
        .iter()
        .find(|resource| resource.variables.contains(&variable.name))
    else {
        let wanted = target(variable);
        return Err(Fault::NoMatch {
            wanted: wanted.to_string(),
            near: near::objects(&wanted, resources.list()),
        });
    };
    let mismatch = |message: String| Fault::Mismatch {
        object: resource.id().to_string(),
        field: variable.field_path.clone(),
        message,
    };
    let path = replace::indexed_path(&variable.field_path);
    match replace::lookup(&resource.node, &path) {
        Ok(Some(node)) => Ok(node.data.clone()),
        Ok(None) => Err(mismatch("there is no such field".to_owned())),
        Err(Refusal(message)) => Err(mismatch(message)),
    }
}

/// How many bytes expanding a field may write at most.
fn expansion(node: &Node, longest: usize) -> usize {
    let one = |node: &Node| {
        node.text()
            .map_or(0, |text| text.matches("$(").count() * longest)
    };
    match &node.data {
        Data::Sequence(items) => items.iter().map(one).sum(),
        Data::Mapping(entries) => entries.iter().map(|(_, value)| one(value)).sum(),
        _ => one(node),
    }
}

fn set(node: &mut Node, values: &BTreeMap<&str, Data>) -> Result<(), Refusal> {
    match &mut node.data {
        Data::Mapping(entries) => {
            for (_, value) in entries {
                expand_in(value, values);
            }
        }
        Data::Sequence(items) => {
            for item in items {
                if !expand_in(item, values) {
                    return Err(Refusal::expected(item, "a string"));
                }
            }
        }
        _ => {
            expand_in(node, values);
        }
    }
    Ok(())
}

/// Expands a text; tells whether it is one.
fn expand_in(node: &mut Node, values: &BTreeMap<&str, Data>) -> bool {
    let expanded = node.loose_text().map(|text| expand(&text, values));
    match expanded {
        Some(data) => {
            node.write(data);
            true
        }
        None => false,
    }
}

/// Expands `$(NAME)`; `$$` stands for one `$`. A text that is nothing but one variable takes its
/// value with its type.
fn expand(text: &str, values: &BTreeMap<&str, Data>) -> Data {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        match after.chars().next() {
            Some('$') => {
                expanded.push('$');
                rest = &after[1..];
            }
            Some('(') => {
                let Some(end) = after.find(')') else {
                    expanded.push_str("$(");
                    rest = &after[1..];
                    continue;
                };
                let name = &after[1..end];
                let value = values.get(name).filter(|value| {
                    matches!(value, Data::String(_) | Data::Number(_) | Data::Bool(_))
                });
                match value {
                    Some(value) if text.len() == name.len() + 3 => return value.clone(),
                    Some(value) => expanded.push_str(&printed(value)),
                    None => {
                        expanded.push_str("$(");
                        expanded.push_str(name);
                        expanded.push(')');
                    }
                }
                rest = &after[end + 1..];
            }
            _ => {
                expanded.push('$');
                rest = after;
            }
        }
    }
    expanded.push_str(rest);
    Data::String(expanded)
}

fn printed(value: &Data) -> String {
    let node = Node::new(0, value.clone());
    match value {
        Data::Number(number) if !number.is_f64() => serde_json::Number::to_string(number),
        _ => node.scalar().unwrap_or_default().into_owned(),
    }
}
