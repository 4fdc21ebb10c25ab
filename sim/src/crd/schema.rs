//! A structural schema, read once when its CRD is established.

use std::{collections::BTreeMap, sync::Arc};

use regex::Regex;
use serde_json::Value;

use crate::managed::types::{Keys, ListRule, Node, Scalar, Type};

/// A CEL rule of `x-kubernetes-validations`.
#[derive(Clone, Debug)]
pub(crate) struct CelRule {
    pub(crate) rule: String,
    pub(crate) message: String,
    pub(crate) field_path: String,
    pub(crate) reason: String,
    pub(crate) message_expression: bool,
    pub(crate) optional_old_self: bool,
}

/// A node of a structural schema.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schema {
    pub(crate) types: String,
    pub(crate) nullable: bool,
    pub(crate) int_or_string: bool,
    pub(crate) preserve: bool,
    pub(crate) embedded: bool,
    pub(crate) default: Option<Value>,
    pub(crate) properties: BTreeMap<String, Schema>,
    pub(crate) additional: Option<Box<Schema>>,
    pub(crate) items: Option<Box<Schema>>,
    pub(crate) list_type: String,
    pub(crate) list_keys: Vec<String>,
    pub(crate) map_type: String,
    pub(crate) required: Vec<String>,
    pub(crate) allowed: Vec<Value>,
    pub(crate) pattern: Option<(String, Option<Regex>)>,
    pub(crate) format: String,
    pub(crate) limits: BTreeMap<&'static str, f64>,
    pub(crate) exclusive_minimum: bool,
    pub(crate) exclusive_maximum: bool,
    pub(crate) unique: bool,
    pub(crate) all_of: Vec<Schema>,
    pub(crate) any_of: Vec<Schema>,
    pub(crate) one_of: Vec<Schema>,
    pub(crate) not: Option<Box<Schema>>,
    pub(crate) rules: Vec<CelRule>,
    /// Whether this node or any below it has rules.
    pub(crate) ruled: bool,
}

const LIMITS: [&str; 9] = [
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "multipleOf",
];

impl Schema {
    /// Reads an `openAPIV3Schema`.
    pub(crate) fn read(value: &Value) -> Self {
        let flag = |field: &str| {
            value
                .get(field)
                .and_then(Value::as_bool)
                .unwrap_or_default()
        };
        let text = |field: &str| {
            value
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let list = |field: &str| {
            value
                .get(field)
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default()
        };
        let schemas = |field: &str| list(field).iter().map(Self::read).collect::<Vec<_>>();
        let boxed = |field: &str| {
            value
                .get(field)
                .filter(|v| v.is_object())
                .map(|v| Box::new(Self::read(v)))
        };
        let strings = |field: &str| {
            list(field)
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let properties = value
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(key, schema)| (key.clone(), Self::read(schema)))
            .collect();
        let pattern = value
            .get("pattern")
            .and_then(Value::as_str)
            .map(|pattern| (pattern.to_owned(), Regex::new(pattern).ok()));
        let mut schema = Self {
            types: text("type"),
            nullable: flag("nullable"),
            int_or_string: flag("x-kubernetes-int-or-string"),
            preserve: flag("x-kubernetes-preserve-unknown-fields"),
            embedded: flag("x-kubernetes-embedded-resource"),
            default: value.get("default").cloned(),
            properties,
            additional: match value.get("additionalProperties") {
                Some(Value::Bool(true)) => Some(Box::new(Self {
                    preserve: true,
                    ..Self::default()
                })),
                _ => boxed("additionalProperties"),
            },
            items: boxed("items"),
            list_type: text("x-kubernetes-list-type"),
            list_keys: strings("x-kubernetes-list-map-keys"),
            map_type: text("x-kubernetes-map-type"),
            required: strings("required"),
            allowed: list("enum"),
            pattern,
            format: text("format"),
            limits: LIMITS
                .into_iter()
                .filter_map(|name| Some((name, value.get(name)?.as_f64()?)))
                .collect(),
            exclusive_minimum: flag("exclusiveMinimum"),
            exclusive_maximum: flag("exclusiveMaximum"),
            unique: flag("uniqueItems"),
            all_of: schemas("allOf"),
            any_of: schemas("anyOf"),
            one_of: schemas("oneOf"),
            not: boxed("not"),
            rules: list("x-kubernetes-validations")
                .iter()
                .map(read_rule)
                .collect(),
            ruled: false,
        };
        let mut below = schema.properties.values();
        schema.ruled = !schema.rules.is_empty()
            || below.any(|below| below.ruled)
            || schema.additional.as_ref().is_some_and(|below| below.ruled)
            || schema.items.as_ref().is_some_and(|below| below.ruled);
        schema
    }

    /// The type that values of this schema merge by.
    pub(crate) fn merge_type(&self) -> Type {
        if self.int_or_string {
            return Type::Untyped;
        }
        match self.types.as_str() {
            "object" => {
                if self.properties.is_empty()
                    && self.additional.is_none()
                    && self.map_type.is_empty()
                {
                    return Type::Untyped;
                }
                let fields = self
                    .properties
                    .iter()
                    .map(|(k, v)| (k.clone(), v.merge_type()))
                    .collect();
                let free = || (self.preserve || self.embedded).then_some(Type::Untyped);
                let others = self
                    .additional
                    .as_ref()
                    .map(|schema| schema.merge_type())
                    .or_else(free);
                Type::Declared(Arc::new(Node::Map {
                    atomic: self.map_type == "atomic",
                    fields,
                    others,
                }))
            }
            "array" => {
                let item = self
                    .items
                    .as_ref()
                    .map_or(Type::Untyped, |items| items.merge_type());
                let rule = match self.list_type.as_str() {
                    "set" => ListRule::Set,
                    "map" => {
                        let keys = self.list_keys.iter().map(|key| {
                            let schema = self.items.as_ref().and_then(|i| i.properties.get(key));
                            (key.clone(), schema.and_then(|s| s.default.clone()))
                        });
                        ListRule::Map(Keys::Declared(Arc::new(keys.collect())))
                    }
                    _ => ListRule::Atomic,
                };
                Type::Declared(Arc::new(Node::List { rule, item }))
            }
            "" => Type::Untyped,
            scalar => Type::Declared(Arc::new(Node::Scalar(Scalar::named(scalar)))),
        }
    }

    /// The type of a whole object: the schema's fields and Kubernetes' own metadata.
    pub(crate) fn root_type(&self) -> Type {
        let mut fields: BTreeMap<String, Type> = self
            .properties
            .iter()
            .map(|(k, v)| (k.clone(), v.merge_type()))
            .collect();
        fields.insert("metadata".into(), Type::object_meta());
        for field in ["apiVersion", "kind"] {
            fields.insert(
                field.into(),
                Type::Declared(Arc::new(Node::Scalar(Scalar::String))),
            );
        }
        Type::Declared(Arc::new(Node::Map {
            atomic: false,
            fields,
            others: self.preserve.then_some(Type::Untyped),
        }))
    }
}

fn read_rule(value: &Value) -> CelRule {
    let text = |field: &str| {
        value
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    CelRule {
        rule: text("rule"),
        message: text("message"),
        field_path: text("fieldPath"),
        reason: text("reason"),
        message_expression: value.get("messageExpression").is_some(),
        optional_old_self: value
            .get("optionalOldSelf")
            .and_then(Value::as_bool)
            .unwrap_or_default(),
    }
}
