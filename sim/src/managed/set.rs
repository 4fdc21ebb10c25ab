//! Sets of field paths as a trie, and their `FieldsV1` form.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde_json::{Map, Value};

/// One step of a path. Keys and values are kept as canonical JSON (sorted members), so that they
/// compare and print without further thought.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Element {
    Field(String),
    Key(String),
    Value(String),
    Index(u64),
}

impl Element {
    fn encode(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Key(key) => format!("k:{key}"),
            Self::Value(value) => format!("v:{value}"),
            Self::Index(index) => format!("i:{index}"),
        }
    }

    fn decode(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let canonical = || {
            serde_json::from_str::<Value>(rest)
                .ok()
                .map(|value| value.to_string())
        };
        match kind {
            "f" => Some(Self::Field(rest.to_owned())),
            "k" => canonical().map(Self::Key),
            "v" => canonical().map(Self::Value),
            "i" => rest.parse().ok().map(Self::Index),
            _ => None,
        }
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, ".{name}"),
            Self::Key(key) => {
                let parsed: Map<String, Value> = serde_json::from_str(key).unwrap_or_default();
                let pairs: Vec<String> = parsed.iter().map(|(k, v)| format!("{k}={v}")).collect();
                write!(f, "[{}]", pairs.join(","))
            }
            Self::Value(value) => write!(f, "[={value}]"),
            Self::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// A path as conflict messages print it.
pub(crate) fn print_path(path: &[Element]) -> String {
    path.iter().map(ToString::to_string).collect()
}

/// A set of paths. A path is in the set when its last element is a member of the node that its
/// other elements lead to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldSet {
    members: BTreeSet<Element>,
    children: BTreeMap<Element, FieldSet>,
}

impl FieldSet {
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty() && self.children.values().all(Self::is_empty)
    }

    pub(crate) fn insert(&mut self, path: &[Element]) {
        match path {
            [] => {}
            [last] => {
                self.members.insert(last.clone());
            }
            [first, rest @ ..] => self.children.entry(first.clone()).or_default().insert(rest),
        }
    }

    pub(crate) fn has(&self, element: &Element) -> bool {
        self.members.contains(element)
    }

    pub(crate) fn child(&self, element: &Element) -> Option<&Self> {
        self.children.get(element).filter(|child| !child.is_empty())
    }

    pub(crate) fn children(&self) -> impl Iterator<Item = (&Element, &Self)> {
        self.children.iter()
    }

    pub(crate) fn add_member(&mut self, element: Element) {
        self.members.insert(element);
    }

    pub(crate) fn set_child(&mut self, element: Element, child: Self) {
        if !child.is_empty() {
            self.children.insert(element, child);
        }
    }

    pub(crate) fn members(&self) -> &BTreeSet<Element> {
        &self.members
    }

    pub(crate) fn union(&self, other: &Self) -> Self {
        let mut out = self.clone();
        out.members.extend(other.members.iter().cloned());
        for (element, child) in &other.children {
            let merged = out
                .children
                .get(element)
                .map_or_else(|| child.clone(), |c| c.union(child));
            out.set_child(element.clone(), merged);
        }
        out
    }

    pub(crate) fn intersection(&self, other: &Self) -> Self {
        let mut out = Self {
            members: self.members.intersection(&other.members).cloned().collect(),
            children: BTreeMap::new(),
        };
        for (element, child) in &self.children {
            if let Some(theirs) = other.children.get(element) {
                out.set_child(element.clone(), child.intersection(theirs));
            }
        }
        out
    }

    pub(crate) fn difference(&self, other: &Self) -> Self {
        let mut out = Self {
            members: self.members.difference(&other.members).cloned().collect(),
            children: BTreeMap::new(),
        };
        for (element, child) in &self.children {
            let rest = other
                .children
                .get(element)
                .map_or_else(|| child.clone(), |theirs| child.difference(theirs));
            out.set_child(element.clone(), rest);
        }
        out
    }

    /// What is left without the given paths *and everything below them*.
    pub(crate) fn recursive_difference(&self, other: &Self) -> Self {
        let mut out = Self {
            members: self.members.difference(&other.members).cloned().collect(),
            children: BTreeMap::new(),
        };
        for (element, child) in &self.children {
            if other.members.contains(element) {
                continue;
            }
            let rest = other.children.get(element).map_or_else(
                || child.clone(),
                |theirs| child.recursive_difference(theirs),
            );
            out.set_child(element.clone(), rest);
        }
        out
    }

    /// All paths, in order.
    pub(crate) fn paths(&self) -> Vec<Vec<Element>> {
        fn collect(set: &FieldSet, prefix: &mut Vec<Element>, out: &mut Vec<Vec<Element>>) {
            for member in &set.members {
                let mut path = prefix.clone();
                path.push(member.clone());
                out.push(path);
            }
            for (element, child) in &set.children {
                prefix.push(element.clone());
                collect(child, prefix, out);
                prefix.pop();
            }
        }
        let mut out = Vec::new();
        collect(self, &mut Vec::new(), &mut out);
        out
    }

    /// The `FieldsV1` form.
    pub(crate) fn to_fields(&self) -> Value {
        let mut map = Map::new();
        for member in &self.members {
            map.insert(member.encode(), Value::Object(Map::new()));
        }
        for (element, child) in &self.children {
            if child.is_empty() {
                continue;
            }
            let mut fields = child.to_fields();
            if self.members.contains(element)
                && let Some(fields) = fields.as_object_mut()
            {
                fields.insert(".".into(), Value::Object(Map::new()));
            }
            map.insert(element.encode(), fields);
        }
        Value::Object(map)
    }

    /// Reads `FieldsV1`; `None` if it isn't.
    pub(crate) fn from_fields(fields: &Value) -> Option<Self> {
        let mut out = Self::default();
        for (key, value) in fields.as_object()? {
            if key == "." {
                continue;
            }
            let element = Element::decode(key)?;
            let below = value.as_object()?;
            if below.is_empty() || below.contains_key(".") {
                out.members.insert(element.clone());
            }
            out.set_child(element, Self::from_fields(value)?);
        }
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_v1_survives_a_round_trip() {
        let fields = json!({
            "f:metadata": { "f:labels": { ".": {}, "f:app": {} }, "f:finalizers": { "v:\"a/b\"": {} } },
            "f:spec": { "f:ports": { "k:{\"port\":80,\"protocol\":\"TCP\"}": { ".": {}, "f:port": {} } } }
        });
        let set = FieldSet::from_fields(&fields).unwrap();
        assert_eq!(set.to_fields(), fields);
        let printed: Vec<String> = set.paths().iter().map(|p| print_path(p)).collect();
        assert!(
            printed.contains(&".spec.ports[port=80,protocol=\"TCP\"].port".to_owned()),
            "{printed:?}"
        );
        assert!(printed.contains(&".metadata.finalizers[=\"a/b\"]".to_owned()));
    }

    #[test]
    fn set_arithmetic_keeps_members_apart_from_children() {
        let a = FieldSet::from_fields(&json!({ "f:x": { ".": {}, "f:y": {} } })).unwrap();
        let b = FieldSet::from_fields(&json!({ "f:x": {} })).unwrap();
        assert_eq!(
            a.difference(&b).to_fields(),
            json!({ "f:x": { "f:y": {} } })
        );
        assert!(a.recursive_difference(&b).is_empty());
        assert_eq!(a.intersection(&b).to_fields(), json!({ "f:x": {} }));
        assert_eq!(a.difference(&b).union(&b), a);
    }
}
