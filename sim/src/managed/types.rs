//! The shape of objects as merging sees it: which lists are maps or sets, which maps are atomic,
//! which fields are declared. Built-in kinds have it from `stageset-schema`, custom resources from
//! their structural schema.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;
use stageset_schema::{ListType, MapType, SchemaRef, Type as Kind};

/// How a list merges.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ListRule {
    Atomic,
    Set,
    /// Items are told apart by the values of some of their fields.
    Map(Keys),
}

/// The key fields of a list's items; a key may have a default that stands for its absence.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Keys {
    BuiltIn {
        names: &'static [&'static str],
        item: Option<SchemaRef>,
    },
    Declared(Arc<Vec<(String, Option<Value>)>>),
}

impl Keys {
    /// The key of an item: its key fields with their values. `Err` has the names of the fields
    /// when it has none of them.
    pub(crate) fn of(&self, item: &Value) -> Result<BTreeMap<String, Value>, Vec<String>> {
        let mut key = BTreeMap::new();
        let mut names = Vec::new();
        let mut add = |name: &str, default: Option<&Value>| {
            if let Some(value) = item.get(name).filter(|v| !v.is_null()).or(default) {
                key.insert(name.to_owned(), value.clone());
            } else {
                names.push(name.to_owned());
            }
        };
        match self {
            Self::BuiltIn { names, item } => {
                for name in *names {
                    let default = item.and_then(|i| i.field(name)).and_then(|f| f.default());
                    add(name, default);
                }
            }
            Self::Declared(keys) => {
                for (name, default) in keys.iter() {
                    add(name, default.as_ref());
                }
            }
        }
        if key.is_empty() { Err(names) } else { Ok(key) }
    }
}

/// What a scalar may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scalar {
    String,
    Numeric,
    Boolean,
    Any,
}

impl Scalar {
    /// By the name of a JSON schema type.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "string" => Self::String,
            "integer" | "number" => Self::Numeric,
            "boolean" => Self::Boolean,
            _ => Self::Any,
        }
    }
}

/// A declared type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    Scalar(Scalar),
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
    BuiltIn(SchemaRef),
    Declared(Arc<Node>),
}

/// What a value is, seen through its type.
pub(crate) enum Atom {
    Scalar,
    List { rule: ListRule, item: Type },
    Map { atomic: bool },
}

impl Type {
    /// The type of a built-in kind's objects.
    pub(crate) fn of_kind(group: &str, version: &str, kind: &str) -> Self {
        stageset_schema::kind(group, version, kind)
            .map_or(Self::Untyped, |k| Self::BuiltIn(k.schema()))
    }

    /// The type of `metadata`.
    pub(crate) fn object_meta() -> Self {
        match Self::of_kind("", "v1", "ConfigMap") {
            Self::BuiltIn(schema) => schema
                .field("metadata")
                .map_or(Self::Untyped, Self::BuiltIn),
            other => other,
        }
    }

    /// Resolves the type for a value: types without a schema take the form of the value.
    pub(crate) fn atom(&self, value: &Value) -> Atom {
        match self {
            Self::Declared(node) => match node.as_ref() {
                Node::Scalar(_) => Atom::Scalar,
                Node::List { rule, item } => Atom::List {
                    rule: rule.clone(),
                    item: item.clone(),
                },
                Node::Map { atomic, .. } => Atom::Map { atomic: *atomic },
            },
            Self::BuiltIn(schema) => match schema.kind() {
                Kind::List => {
                    let item = schema.items();
                    let rule = match schema.list_type() {
                        Some(ListType::Set) => ListRule::Set,
                        Some(ListType::Map(names)) => ListRule::Map(Keys::BuiltIn { names, item }),
                        _ => ListRule::Atomic,
                    };
                    Atom::List {
                        rule,
                        item: item.map_or(Self::Untyped, Self::BuiltIn),
                    }
                }
                Kind::Map | Kind::Struct => Atom::Map {
                    atomic: schema.map_type() == Some(MapType::Atomic),
                },
                Kind::Object | Kind::Any => by_form(value),
                _ => Atom::Scalar,
            },
            Self::Untyped => by_form(value),
        }
    }

    /// What a scalar of this type may be.
    pub(crate) fn scalar(&self) -> Scalar {
        match self {
            Self::Declared(node) => match node.as_ref() {
                Node::Scalar(scalar) => *scalar,
                _ => Scalar::Any,
            },
            Self::BuiltIn(schema) => match schema.kind() {
                Kind::String => Scalar::String,
                Kind::Integer | Kind::Number => Scalar::Numeric,
                Kind::Boolean => Scalar::Boolean,
                _ => Scalar::Any,
            },
            Self::Untyped => Scalar::Any,
        }
    }

    /// Whether a mapping of this type has no place for a field.
    pub(crate) fn refuses(&self, name: &str) -> bool {
        match self {
            Self::Untyped => false,
            Self::BuiltIn(schema) => schema.kind() == Kind::Struct && schema.field(name).is_none(),
            Self::Declared(node) => match node.as_ref() {
                Node::Map { fields, others, .. } => others.is_none() && !fields.contains_key(name),
                _ => false,
            },
        }
    }

    /// The type of a member, and whether the type declares it by name.
    pub(crate) fn field(&self, name: &str) -> (Type, bool) {
        match self {
            Self::Untyped => (Self::Untyped, false),
            Self::BuiltIn(schema) => match schema.field(name) {
                Some(field) => (Self::BuiltIn(field), true),
                None => (
                    schema.map_values().map_or(Self::Untyped, Self::BuiltIn),
                    false,
                ),
            },
            Self::Declared(node) => match node.as_ref() {
                Node::Map { fields, others, .. } => fields.get(name).map_or_else(
                    || (others.clone().unwrap_or(Self::Untyped), false),
                    |declared| (declared.clone(), true),
                ),
                Node::Scalar(_) | Node::List { .. } => (Self::Untyped, false),
            },
        }
    }
}

fn by_form(value: &Value) -> Atom {
    match value {
        Value::Object(_) => Atom::Map { atomic: false },
        Value::Array(_) => Atom::List {
            rule: ListRule::Atomic,
            item: Type::Untyped,
        },
        _ => Atom::Scalar,
    }
}
