//! The shape of objects as merging sees it: which lists are maps or sets, which maps are atomic,
//! which fields are declared.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;

/// How a list merges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ListRule {
    Atomic,
    Set,
    /// Keyed by fields; a key may have a default that stands for its absence.
    Map(Vec<(String, Option<Value>)>),
}

/// A declared type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    Scalar,
    List {
        rule: ListRule,
        item: Type,
    },
    /// Declared fields, and the type of all others where others are allowed.
    Map {
        atomic: bool,
        fields: BTreeMap<String, Type>,
        others: Option<Type>,
    },
}

/// A reference to a type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Type {
    /// No schema: maps merge by key, lists are atomic.
    Untyped,
    /// A built-in type of the hand table: fields not named there are declared, their maps merge
    /// and their lists are atomic.
    Known(&'static str),
    Declared(Arc<Node>),
}

/// What a value is, seen through its type.
pub(crate) enum Atom<'a> {
    Scalar,
    List { rule: &'a ListRule, item: Type },
    Map { atomic: bool },
}

static ATOMIC: ListRule = ListRule::Atomic;

impl Type {
    /// Resolves the type for a value: types without a schema take the form of the value.
    pub(crate) fn atom(&self, value: &Value) -> Atom<'_> {
        match self {
            Self::Declared(node) => match node.as_ref() {
                Node::Scalar => Atom::Scalar,
                Node::List { rule, item } => Atom::List {
                    rule,
                    item: item.clone(),
                },
                Node::Map { atomic, .. } => Atom::Map { atomic: *atomic },
            },
            Self::Known(name) => {
                if let Some(usage) = super::builtin::list_of(name) {
                    return Atom::List {
                        rule: &usage.0,
                        item: usage.1.clone(),
                    };
                }
                match value {
                    Value::Object(_) => Atom::Map {
                        atomic: super::builtin::is_atomic_map(name),
                    },
                    Value::Array(_) => Atom::List {
                        rule: &ATOMIC,
                        item: Self::Untyped,
                    },
                    _ => Atom::Scalar,
                }
            }
            Self::Untyped => match value {
                Value::Object(_) => Atom::Map { atomic: false },
                Value::Array(_) => Atom::List {
                    rule: &ATOMIC,
                    item: Self::Untyped,
                },
                _ => Atom::Scalar,
            },
        }
    }

    /// The type of a member, and whether the type declares it by name.
    pub(crate) fn field(&self, name: &str) -> (Type, bool) {
        match self {
            Self::Untyped => (Self::Untyped, false),
            Self::Known(owner) => super::builtin::field(owner, name),
            Self::Declared(node) => match node.as_ref() {
                Node::Map { fields, others, .. } => fields.get(name).map_or_else(
                    || (others.clone().unwrap_or(Self::Untyped), false),
                    |declared| (declared.clone(), true),
                ),
                Node::Scalar | Node::List { .. } => (Self::Untyped, false),
            },
        }
    }
}
