//! Merging lists: by keys, as sets, or not at all.
//!
//! In kustomize, elements of the patch come first, in its order, and then the object's others.
//! Elements that stand in the object twice are one afterwards: the last.

use super::strategic::{self, Directive, Outcome, Stop};
use super::structure::{Strategy, Structure};
use crate::yaml::{Data, Node};

/// Merges the patch's list into the object's.
pub(super) fn merge(
    node: &mut Node,
    mut patch: Node,
    structure: Structure<'_>,
) -> Result<Outcome, Stop> {
    let strategy = structure.strategy();
    if strategy == Strategy::Replace {
        *node = patch;
        return Ok(Outcome::Keep);
    }
    match directive(&mut patch)? {
        Directive::Delete => return Ok(Outcome::Remove),
        Directive::Replace => {
            *node = patch;
            return adopt(node, structure);
        }
        Directive::Merge => {}
    }
    let (own, changes) = (items(node), take(patch));
    let merged = match strategy {
        Strategy::Keys(keys) => {
            check_keys(&changes, &keys)?;
            keyed(own, changes, &keys, structure)?
        }
        _ => set(own, changes),
    };
    node.data = Data::Sequence(merged);
    Ok(Outcome::Keep)
}

/// A list that a patch adds.
pub(super) fn adopt(node: &mut Node, structure: Structure<'_>) -> Result<Outcome, Stop> {
    let strategy = structure.strategy();
    if strategy == Strategy::Replace {
        return Ok(Outcome::Keep);
    }
    if directive(node)? == Directive::Delete {
        return Ok(Outcome::Remove);
    }
    let list = items(node);
    let adopted = match strategy {
        Strategy::Keys(keys) => keyed(Vec::new(), list, &keys, structure)?,
        _ => set(Vec::new(), list),
    };
    node.data = Data::Sequence(adopted);
    Ok(Outcome::Keep)
}

/// A list of the object of which the patch says nothing.
pub(super) fn settle(node: &mut Node, structure: Structure<'_>) -> Result<(), Stop> {
    let list = items(node);
    let settled = match structure.strategy() {
        Strategy::Keys(keys) => keyed(list, Vec::new(), &keys, structure)?,
        _ => set(list, Vec::new()),
    };
    node.data = Data::Sequence(settled);
    Ok(())
}

/// Puts a list into the order of `$setElementOrder`; what the order doesn't name comes last.
pub(super) fn reorder(node: &mut Node, order: &Node, structure: Structure<'_>) {
    let Data::Sequence(order) = &order.data else {
        return;
    };
    let keys = match structure.strategy() {
        Strategy::Keys(keys) => keys,
        Strategy::Set => Vec::new(),
        Strategy::Replace => return,
    };
    let identity = |item: &Node| -> Vec<Option<String>> {
        let text = |node: &Node| node.scalar().map(std::borrow::Cow::into_owned);
        if keys.is_empty() {
            vec![text(item)]
        } else {
            let named = |key: &&str| item.get(key).and_then(text);
            keys.iter().map(named).collect()
        }
    };
    let order: Vec<Vec<Option<String>>> = order.iter().map(identity).collect();
    if let Data::Sequence(items) = &mut node.data {
        items.sort_by_cached_key(|item| {
            let own = identity(item);
            order
                .iter()
                .position(|other| *other == own)
                .unwrap_or(order.len())
        });
    }
}

fn items(node: &mut Node) -> Vec<Node> {
    match &mut node.data {
        Data::Sequence(items) => std::mem::take(items),
        _ => Vec::new(),
    }
}

fn take(mut node: Node) -> Vec<Node> {
    items(&mut node)
}

/// Takes the element out that says what to do with the list as a whole: `- $patch: replace`.
fn directive(list: &mut Node) -> Result<Directive, Stop> {
    let Data::Sequence(items) = &mut list.data else {
        return Ok(Directive::Merge);
    };
    let at = items.iter().position(|item| item.get("$patch").is_some());
    let Some(at) = at else {
        return Ok(Directive::Merge);
    };
    match &items[at].data {
        Data::Mapping(entries) if entries.len() == 1 => {}
        _ => return Ok(Directive::Merge),
    }
    let item = items.remove(at);
    item.get("$patch")
        .map_or(Ok(Directive::Merge), Directive::parse)
}

/// Scalars, each once: the patch's, then the object's.
fn set(own: Vec<Node>, changes: Vec<Node>) -> Vec<Node> {
    let mut seen = std::collections::BTreeSet::new();
    changes
        .into_iter()
        .chain(own)
        .filter(|item| {
            item.scalar()
                .is_none_or(|text| seen.insert(text.into_owned()))
        })
        .collect()
}

/// Whether an element has a value under a key.
fn has(item: &Node, key: &str) -> bool {
    item.get(key)
        .filter(|node| !node.is_null())
        .and_then(Node::scalar)
        .is_some_and(|text| !text.is_empty())
}

/// The values of the keys; empty where there is none.
fn values(item: &Node, keys: &[&str]) -> Vec<String> {
    keys.iter()
        .map(|key| {
            item.get(key)
                .filter(|node| !node.is_null())
                .and_then(Node::scalar)
                .unwrap_or_default()
                .into_owned()
        })
        .collect()
}

/// Mappings, told apart by keys.
fn keyed(
    own: Vec<Node>,
    changes: Vec<Node>,
    keys: &[&str],
    structure: Structure<'_>,
) -> Result<Vec<Node>, Stop> {
    // Keys that no element has tell nothing apart.
    let is_used = |key: &&&str| own.iter().chain(&changes).any(|item| has(item, key));
    let mut used = keys.iter().filter(is_used);
    if let (Some(key), None) = (used.next().or(keys.first()), used.next()) {
        return single(own, changes, key, structure);
    }
    let below = structure.items();
    let mut tuples: Vec<Vec<String>> = Vec::new();
    for item in changes.iter().chain(&own) {
        let tuple = values(item, keys);
        if !tuples.contains(&tuple) {
            tuples.push(tuple);
        }
    }
    unify(&mut tuples);
    let used: Vec<usize> = (0..keys.len())
        .filter(|at| tuples.iter().any(|tuple| !tuple[*at].is_empty()))
        .collect();
    let is = |item: &Node, tuple: &[String], loose: bool| {
        used.iter().all(|at| {
            let wanted = &tuple[*at];
            let found = item.get(keys[*at]);
            if wanted.is_empty() {
                loose || found.is_some()
            } else {
                found.and_then(Node::scalar).as_deref() == Some(wanted)
            }
        })
    };
    let mut own: Vec<Option<Node>> = own.into_iter().map(Some).collect();
    let mut list: Vec<Node> = Vec::new();
    let mut done: Vec<Vec<String>> = Vec::new();
    for tuple in tuples {
        if tuple.iter().all(String::is_empty) || done.contains(&tuple) {
            continue;
        }
        done.push(tuple.clone());
        let at = own
            .iter()
            .position(|item| item.as_ref().is_some_and(|item| is(item, &tuple, true)));
        let change = changes
            .iter()
            .position(|item| is(item, &tuple, true))
            .map(|at| changes[at].clone());
        let merged = element(at.and_then(|at| own[at].as_mut()), change, below)?;
        match merged {
            Merged::Removed => {
                for item in &mut own {
                    if item.as_ref().is_some_and(|item| is(item, &tuple, false)) {
                        *item = None;
                    }
                }
            }
            Merged::Own => {}
            Merged::New(mut node) => {
                if let Some(at) = at {
                    own[at] = None;
                }
                for at in &used {
                    if node.get(keys[*at]).is_none() && !tuple[*at].is_empty() {
                        let line = node.line;
                        node.insert(keys[*at], Node::string(line, tuple[*at].clone()));
                    }
                }
                list.push(node);
            }
        }
    }
    // What only the patch has comes first, then the object's elements as they were.
    list.extend(changes.into_iter().filter(|item| is_keyless(item, keys)));
    for node in own.into_iter().flatten() {
        let tuple = values(&node, keys);
        if tuple.iter().any(|value| !value.is_empty()) {
            list.retain(|other| !used.iter().all(|at| values(other, keys)[*at] == tuple[*at]));
        }
        list.push(node);
    }
    Ok(list)
}

/// Makes one of tuples that differ only where one of them says nothing.
fn unify(tuples: &mut [Vec<String>]) {
    for i in 0..tuples.len() {
        let one = tuples[i].clone();
        for j in 0..tuples.len() {
            let other = &tuples[j];
            let fits = one.iter().zip(other).any(|(a, b)| a == b)
                && one
                    .iter()
                    .zip(other)
                    .all(|(a, b)| a == b || a.is_empty() || b.is_empty());
            if fits {
                let both: Vec<String> = one
                    .iter()
                    .zip(other)
                    .map(|(a, b)| if a.is_empty() { b.clone() } else { a.clone() })
                    .collect();
                tuples[i].clone_from(&both);
                tuples[j] = both;
            }
        }
    }
}

enum Merged {
    /// Into the object's element, where it stands.
    Own,
    New(Node),
    Removed,
}

/// Merges one element.
fn element(
    own: Option<&mut Node>,
    change: Option<Node>,
    structure: Structure<'_>,
) -> Result<Merged, Stop> {
    let is_nothing = |node: &Node| match &node.data {
        Data::Mapping(entries) => entries.is_empty(),
        _ => node.is_null(),
    };
    match (own, change) {
        (None, None) => Ok(Merged::Removed),
        (Some(own), None) => {
            let outcome = strategic::settle(own, structure)?;
            let gone = outcome == Outcome::Remove || is_nothing(own);
            Ok(if gone { Merged::Removed } else { Merged::Own })
        }
        (Some(own), Some(change)) => {
            let replaces = change
                .get("$patch")
                .is_some_and(|node| node.text() == Some("replace"));
            let outcome = strategic::merge(own, change, structure)?;
            if outcome == Outcome::Remove || is_nothing(own) {
                Ok(Merged::Removed)
            } else if replaces {
                Ok(Merged::New(own.clone()))
            } else {
                Ok(Merged::Own)
            }
        }
        (None, Some(change)) => {
            let line = change.line;
            let mut node = Node::new(line, Data::Blank);
            let outcome = strategic::merge(&mut node, change, structure)?;
            let gone = outcome == Outcome::Remove || is_nothing(&node);
            Ok(if gone {
                Merged::Removed
            } else {
                Merged::New(node)
            })
        }
    }
}

/// What has no key can't be merged into what is there.
fn check_keys(changes: &[Node], keys: &[&str]) -> Result<(), Stop> {
    match changes.iter().find(|item| is_keyless(item, keys)) {
        None => Ok(()),
        Some(bad) => Err(Stop::new(format!(
            "the patch's element on line {} has no {}, by which the list is merged",
            bad.line,
            keys.join(" or ")
        ))),
    }
}

fn is_keyless(item: &Node, keys: &[&str]) -> bool {
    values(item, keys).iter().all(String::is_empty)
}

/// By one key, as nearly every list.
fn single(
    own: Vec<Node>,
    changes: Vec<Node>,
    key: &str,
    structure: Structure<'_>,
) -> Result<Vec<Node>, Stop> {
    let below = structure.items();
    let identity = |item: &Node| {
        let node = item.get(key).filter(|node| !node.is_null())?;
        let text = node.scalar()?.into_owned();
        (!text.is_empty()).then_some(text)
    };

    // The object's elements by key: the first takes the patch, the last stands in the result.
    let mut first: std::collections::BTreeMap<String, Node> = std::collections::BTreeMap::new();
    let mut last: std::collections::BTreeMap<String, Node> = std::collections::BTreeMap::new();
    let mut order: Vec<String> = Vec::new();
    let mut rest: Vec<Node> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    let mut queue: Vec<(String, Option<Node>)> = Vec::new();
    for item in changes {
        match identity(&item) {
            None => rest.push(item),
            Some(name) if seen.insert(name.clone()) => queue.push((name, Some(item))),
            Some(_) => {}
        }
    }
    for item in own {
        let Some(name) = identity(&item) else {
            if !item.is_null() {
                rest.push(item);
            }
            continue;
        };
        if first.contains_key(&name) {
            last.insert(name, item);
        } else {
            first.insert(name.clone(), item);
            order.push(name);
        }
    }
    queue.extend(
        order
            .into_iter()
            .filter(|name| !seen.contains(name))
            .map(|name| (name, None))
            .collect::<Vec<_>>(),
    );
    let mut list = Vec::with_capacity(queue.len() + rest.len());
    for (name, change) in queue {
        let mut own = first.remove(&name);
        let merged = element(own.as_mut(), change, below)
            .map_err(|stop| stop.below(&format!("[{key}={name}]")))?;
        match merged {
            Merged::Removed => {}
            Merged::Own => list.extend(last.remove(&name).or(own)),
            Merged::New(mut node) => {
                if node.get(key).is_none() {
                    let line = node.line;
                    node.insert(key, Node::string(line, name));
                }
                list.push(node);
            }
        }
    }
    list.append(&mut rest);
    Ok(list)
}
