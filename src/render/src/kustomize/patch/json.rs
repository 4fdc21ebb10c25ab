//! JSON 6902 patches.

use crate::kustomize::problem::Fault;
use crate::ledger::Problems;
use crate::yaml::{Data, Node};

/// One operation.
#[derive(Debug)]
pub(super) struct Operation {
    action: Action,
    path: Pointer,
}

#[derive(Debug)]
enum Action {
    Add(Node),
    Remove,
    Replace(Node),
    Move(Pointer),
    Copy(Pointer),
    Test(Node),
}

/// A JSON pointer: the steps, unescaped, and the text for messages.
#[derive(Debug)]
struct Pointer {
    text: String,
    steps: Vec<String>,
}

impl Pointer {
    fn parse(text: &str) -> Result<Self, String> {
        let steps = match text.strip_prefix('/') {
            None if text.is_empty() => Vec::new(),
            None => return Err(format!("{text:?}, expected a path that begins with '/'")),
            Some(rest) => rest
                .split('/')
                .map(|step| step.replace("~1", "/").replace("~0", "~"))
                .collect(),
        };
        Ok(Self {
            text: text.to_owned(),
            steps,
        })
    }
}

/// Reads a patch's operations.
pub(super) fn operations(node: &Node) -> Result<Vec<Operation>, Fault> {
    let Data::Sequence(items) = &node.data else {
        return Err(Fault::Unexpected {
            found: node.kind().to_owned(),
            expected: "a list of operations".to_owned(),
        });
    };
    items
        .iter()
        .enumerate()
        .map(|(at, item)| {
            operation(item).map_err(|found| Fault::Unexpected {
                found: format!("in operation {} {found}", at + 1),
                expected: "an operation such as {op: replace, path: /spec/replicas, value: 2}"
                    .to_owned(),
            })
        })
        .collect()
}

fn operation(item: &Node) -> Result<Operation, String> {
    if !matches!(item.data, Data::Mapping(_)) {
        return Err(item.kind().to_owned());
    }
    let text = |name: &str| {
        item.get(name)
            .and_then(Node::text)
            .ok_or_else(|| format!("no text as {name}"))
    };
    let value = || {
        let null = || Node::new(item.line, Data::Null);
        item.get("value").cloned().unwrap_or_else(null)
    };
    let path = Pointer::parse(text("path")?)?;
    let action = match text("op")? {
        "add" => Action::Add(value()),
        "remove" => Action::Remove,
        "replace" => Action::Replace(value()),
        "move" => Action::Move(Pointer::parse(text("from")?)?),
        "copy" => Action::Copy(Pointer::parse(text("from")?)?),
        "test" => Action::Test(value()),
        other => return Err(format!("the op {other:?}")),
    };
    Ok(Operation { action, path })
}

/// Carries out the operations in turn. An error names the operation, counted from 1, and leaves
/// the object as it was after those before it.
/// What is written is counted first; where there is no room for it, the rest isn't done.
pub(super) fn apply(
    node: &mut Node,
    operations: &[Operation],
    problems: &mut Problems,
) -> Result<(), (usize, String)> {
    for (at, operation) in operations.iter().enumerate() {
        let path = &operation.path;
        let fits = match &operation.action {
            Action::Add(value) | Action::Replace(value) => problems.nodes(value, 1),
            // Copies of copies grow without end.
            Action::Copy(from) => match find(node, from) {
                Ok(found) => problems.nodes(found, 1),
                Err(_) => true,
            },
            Action::Remove | Action::Move(_) | Action::Test(_) => true,
        };
        if !fits || !problems.steps(1) {
            return Ok(());
        }
        let done = match &operation.action {
            Action::Add(value) => add(node, path, value.clone()),
            Action::Remove => remove(node, path).map(|_| ()),
            Action::Replace(value) => replace(node, path, value.clone()),
            Action::Move(from) => remove(node, from).and_then(|value| add(node, path, value)),
            Action::Copy(from) => find(node, from)
                .cloned()
                .and_then(|value| add(node, path, value)),
            Action::Test(value) => test(node, path, value),
        };
        done.map_err(|message| (at + 1, message))?;
    }
    Ok(())
}

/// The container in which the last step of a path is taken, and that step.
fn container<'n, 'p>(
    node: &'n mut Node,
    path: &'p Pointer,
) -> Result<(&'n mut Node, &'p str), String> {
    let Some((last, steps)) = path.steps.split_last() else {
        return Err("an empty path stands for the whole object, which can't be changed".to_owned());
    };
    let mut place = node;
    let mut walked = String::new();
    for step in steps {
        walked.push('/');
        walked.push_str(step);
        let missing = || format!("{:?} is not there, on the way to {:?}", walked, path.text);
        place = child(place, step).ok_or_else(missing)?;
    }
    Ok((place, last))
}

fn child<'n>(node: &'n mut Node, step: &str) -> Option<&'n mut Node> {
    match &mut node.data {
        Data::Mapping(entries) => entries
            .iter_mut()
            .find(|(key, _)| key == step)
            .map(|(_, value)| value)
            .filter(|value| !value.is_null() || !step.is_empty()),
        Data::Sequence(items) => {
            let at = index(step, items.len())?;
            items.get_mut(at)
        }
        _ => None,
    }
}

/// An index of a list; one below 0 counts from the end.
fn index(step: &str, length: usize) -> Option<usize> {
    let at: i64 = step.parse().ok()?;
    let length = i64::try_from(length).ok()?;
    let at = if at < 0 { at + length } else { at };
    usize::try_from(at).ok()
}

fn find<'n>(node: &'n mut Node, path: &Pointer) -> Result<&'n mut Node, String> {
    let (place, last) = container(node, path)?;
    child(place, last).ok_or_else(|| format!("{:?} is not there", path.text))
}

/// Sets what is there. A field that isn't there is made, as kustomize has it, though the standard
/// has not.
fn replace(node: &mut Node, path: &Pointer, value: Node) -> Result<(), String> {
    if path.steps.is_empty() {
        if !matches!(value.data, Data::Mapping(_)) {
            return Err(format!(
                "{} can't take the place of an object",
                value.kind()
            ));
        }
        *node = value;
        return Ok(());
    }
    let (place, last) = container(node, path)?;
    match &mut place.data {
        Data::Mapping(_) => {
            place.insert(last, value);
            Ok(())
        }
        _ => find(node, path).map(|found| *found = value),
    }
}

fn add(node: &mut Node, path: &Pointer, value: Node) -> Result<(), String> {
    let (place, last) = container(node, path)?;
    match &mut place.data {
        Data::Mapping(_) => {
            place.insert(last, value);
            Ok(())
        }
        Data::Sequence(items) => {
            let length = items.len();
            let at = if last == "-" {
                Some(length)
            } else {
                index(last, length + 1).filter(|at| *at <= length)
            };
            let at = at.ok_or_else(|| {
                format!(
                    "{:?} is no place in a list of {length}: give an index or '-'",
                    path.text
                )
            })?;
            items.insert(at, value);
            Ok(())
        }
        _ => Err(format!(
            "{:?} can't be added, since {} is there instead of a mapping or list",
            path.text,
            place.kind()
        )),
    }
}

fn remove(node: &mut Node, path: &Pointer) -> Result<Node, String> {
    let (place, last) = container(node, path)?;
    let removed = match &mut place.data {
        Data::Mapping(entries) => entries
            .iter()
            .position(|(key, _)| key == last)
            .map(|at| entries.remove(at).1),
        Data::Sequence(items) => index(last, items.len())
            .filter(|at| *at < items.len())
            .map(|at| items.remove(at)),
        _ => None,
    };
    removed.ok_or_else(|| format!("{:?} is not there", path.text))
}

fn test(node: &mut Node, path: &Pointer, value: &Node) -> Result<(), String> {
    let found = if path.steps.is_empty() {
        Some(node)
    } else {
        let (place, last) = container(node, path)?;
        child(place, last)
    };
    let same = match found {
        Some(found) => found.clone().into_value() == value.clone().into_value(),
        None => value.is_null(),
    };
    // The values may be secret.
    same.then_some(())
        .ok_or_else(|| format!("the test of {:?} fails: another value is there", path.text))
}
