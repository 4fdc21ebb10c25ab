//! Walking values along their type: the set of fields of a value, the comparison of two values,
//! and the removal of fields.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    set::{Element, FieldSet},
    types::{Atom, ListRule, Type},
};

/// The path element of a list item. `Err` says which key is missing.
pub(crate) fn element(rule: &ListRule, index: usize, item: &Value) -> Result<Element, String> {
    match rule {
        ListRule::Atomic => Ok(Element::Index(index as u64)),
        ListRule::Set => Ok(Element::Value(item.to_string())),
        ListRule::Map(keys) => {
            let key = keys.of(item).map_err(|names| {
                format!(
                    "associative list with keys has an element that omits key field \"{}\" (and doesn't have default value)",
                    names.join("\", \"")
                )
            })?;
            let members: Vec<String> = key
                .iter()
                .map(|(name, value)| format!("{}:{value}", Value::from(name.as_str())))
                .collect();
            Ok(Element::Key(format!("{{{}}}", members.join(","))))
        }
    }
}

fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Object(map)) => map.is_empty(),
        Some(Value::Array(list)) => list.is_empty(),
        Some(_) => false,
    }
}

/// All fields that a value sets.
pub(crate) fn fields_of(value: &Value, ty: &Type) -> FieldSet {
    let mut set = FieldSet::default();
    collect(value, ty, &mut Vec::new(), &mut set);
    set
}

fn collect(value: &Value, ty: &Type, path: &mut Vec<Element>, set: &mut FieldSet) {
    match ty.atom(value) {
        Atom::Scalar
        | Atom::List {
            rule: ListRule::Atomic,
            ..
        }
        | Atom::Map { atomic: true } => {
            set.insert(path);
        }
        Atom::List { rule, item } => {
            for (index, child) in value.as_array().into_iter().flatten().enumerate() {
                let Ok(step) = element(&rule, index, child) else {
                    continue;
                };
                path.push(step);
                collect(child, &item, path, set);
                set.insert(path);
                path.pop();
            }
        }
        Atom::Map { atomic: false } => {
            for (key, child) in value.as_object().into_iter().flatten() {
                let (child_type, declared) = ty.field(key);
                path.push(Element::Field(key.clone()));
                collect(child, &child_type, path, set);
                let hollow = child.is_null() || child.as_object().is_some_and(Map::is_empty);
                if hollow || !declared {
                    set.insert(path);
                }
                path.pop();
            }
        }
    }
}

/// What differs between two values, as fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Comparison {
    pub(crate) added: FieldSet,
    pub(crate) modified: FieldSet,
    pub(crate) removed: FieldSet,
}

impl Comparison {
    pub(crate) fn without(&self, ignored: &FieldSet) -> Self {
        Self {
            added: self.added.recursive_difference(ignored),
            modified: self.modified.recursive_difference(ignored),
            removed: self.removed.recursive_difference(ignored),
        }
    }
}

/// Compares two values of one type.
pub(crate) fn compare(old: &Value, new: &Value, ty: &Type) -> Comparison {
    let mut out = Comparison::default();
    compare_at(Some(old), Some(new), ty, &mut Vec::new(), &mut out);
    out
}

fn compare_at(
    old: Option<&Value>,
    new: Option<&Value>,
    ty: &Type,
    path: &mut Vec<Element>,
    out: &mut Comparison,
) {
    if old.is_some() && old == new {
        return;
    }
    let shape = new
        .filter(|v| !v.is_null())
        .or(old.filter(|v| !v.is_null()));
    let Some(shape) = shape.or(new).or(old) else {
        return;
    };
    let hollow = is_empty(old) && is_empty(new);
    let leaf = match ty.atom(shape) {
        Atom::Scalar
        | Atom::List {
            rule: ListRule::Atomic,
            ..
        }
        | Atom::Map { atomic: true } => true,
        Atom::List { rule, item } if !hollow => {
            compare_lists(old, new, &rule, &item, path, out);
            false
        }
        Atom::Map { atomic: false } if !hollow => {
            let empty = Map::new();
            let olds = old.and_then(Value::as_object).unwrap_or(&empty);
            let news = new.and_then(Value::as_object).unwrap_or(&empty);
            for (key, child) in olds {
                let now = news.get(key);
                if now == Some(child) {
                    continue;
                }
                path.push(Element::Field(key.clone()));
                compare_at(Some(child), now, &ty.field(key).0, path, out);
                path.pop();
            }
            for (key, child) in news.iter().filter(|(key, _)| !olds.contains_key(*key)) {
                path.push(Element::Field(key.clone()));
                compare_at(None, Some(child), &ty.field(key).0, path, out);
                path.pop();
            }
            // One side isn't a map at all: then the value as a whole was replaced.
            old.is_some_and(|v| !v.is_object() && !v.is_null())
        }
        Atom::List { .. } | Atom::Map { .. } => true,
    };
    // A mapping that gave way to something else lost its members.
    if let (Some(Value::Object(gone)), Some(now)) = (old, new)
        && !now.is_object()
        && !now.is_null()
    {
        for (key, child) in gone {
            path.push(Element::Field(key.clone()));
            compare_at(Some(child), None, &ty.field(key).0, path, out);
            path.pop();
        }
    }
    match (old, new) {
        (None, Some(_)) => out.added.insert(path),
        (Some(_), None) => out.removed.insert(path),
        (Some(old), Some(new)) if leaf && old != new => out.modified.insert(path),
        _ => {}
    }
}

fn compare_lists<'a>(
    old: Option<&'a Value>,
    new: Option<&'a Value>,
    rule: &ListRule,
    item: &Type,
    path: &mut Vec<Element>,
    out: &mut Comparison,
) {
    let index = |list: Option<&'a Value>| -> BTreeMap<Element, Vec<&'a Value>> {
        let mut found: BTreeMap<Element, Vec<&Value>> = BTreeMap::new();
        for (i, child) in list
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .enumerate()
        {
            if let Ok(step) = element(rule, i, child) {
                found.entry(step).or_default().push(child);
            }
        }
        found
    };
    let (olds, news) = (index(old), index(new));
    let none = Vec::new();
    let all: std::collections::BTreeSet<&Element> = olds.keys().chain(news.keys()).collect();
    for step in all {
        let left = olds.get(step).unwrap_or(&none);
        let right = news.get(step).unwrap_or(&none);
        path.push(step.clone());
        match (left.len(), right.len()) {
            (0 | 1, 0 | 1) => compare_at(
                left.first().copied(),
                right.first().copied(),
                item,
                path,
                out,
            ),
            (2.., 2..) if left != right => out.modified.insert(path),
            (2.., 2..) => {}
            (2.., _) => {
                if !right.is_empty() {
                    compare_at(None, right.first().copied(), item, path, out);
                }
                out.removed.insert(path);
            }
            (_, _) => {
                if !left.is_empty() {
                    compare_at(left.first().copied(), None, item, path, out);
                }
                out.added.insert(path);
            }
        }
        path.pop();
    }
}

/// The value without the given fields. What loses all of its content becomes null.
pub(crate) fn remove(value: &Value, ty: &Type, gone: &FieldSet) -> Value {
    match ty.atom(value) {
        Atom::Scalar => value.clone(),
        Atom::List {
            rule: ListRule::Atomic,
            ..
        }
        | Atom::Map { atomic: true } => Value::Null,
        Atom::List { rule, item } => {
            let Some(list) = value.as_array().filter(|l| !l.is_empty()) else {
                return Value::Null;
            };
            let mut kept = Vec::new();
            for (index, child) in list.iter().enumerate() {
                let Ok(step) = element(&rule, index, child) else {
                    kept.push(child.clone());
                    continue;
                };
                if gone.has(&step) {
                    continue;
                }
                match gone.child(&step) {
                    Some(below) => {
                        kept.push(remove(child, &item, below));
                    }
                    None => kept.push(child.clone()),
                }
            }
            if kept.is_empty() {
                Value::Null
            } else {
                Value::Array(kept)
            }
        }
        Atom::Map { atomic: false } => {
            let Some(map) = value.as_object().filter(|m| !m.is_empty()) else {
                return Value::Null;
            };
            let mut kept = Map::new();
            for (key, child) in map {
                let step = Element::Field(key.clone());
                if gone.has(&step) {
                    continue;
                }
                let child = match gone.child(&step) {
                    Some(below) => remove(child, &ty.field(key).0, below),
                    None => child.clone(),
                };
                kept.insert(key.clone(), child);
            }
            if kept.is_empty() {
                Value::Null
            } else {
                Value::Object(kept)
            }
        }
    }
}

static NOTHING: Value = Value::Null;

/// Adds to a set every declared field that it has something below of: with its last field, a
/// struct goes as well, while a map of free keys stays.
pub(crate) fn with_named_fields(set: &FieldSet, ty: &Type, value: &Value) -> FieldSet {
    let mut out = FieldSet::default();
    for member in set.members() {
        out.add_member(member.clone());
    }
    for (step, child) in set.children() {
        let (child_type, child_value) = match (step, ty.atom(value)) {
            (Element::Field(name), _) => {
                let (child_type, declared) = ty.field(name);
                if declared {
                    out.add_member(step.clone());
                }
                (child_type, value.get(name).unwrap_or(&NOTHING))
            }
            (_, Atom::List { rule, item }) => {
                let found = value
                    .as_array()
                    .into_iter()
                    .flatten()
                    .enumerate()
                    .find(|(i, child)| element(&rule, *i, child).is_ok_and(|e| e == *step));
                (item, found.map_or(&NOTHING, |(_, v)| v))
            }
            _ => (Type::Untyped, &NOTHING),
        };
        out.set_child(
            step.clone(),
            with_named_fields(child, &child_type, child_value),
        );
    }
    out
}
