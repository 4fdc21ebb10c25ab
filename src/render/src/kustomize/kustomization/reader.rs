//! Reading settings out of a YAML node: each field once, unknown ones refused by name.

use std::collections::BTreeMap;

use crate::kustomize::near;
use crate::kustomize::problem::{Fault, Place};
use crate::ledger::Problems;
use crate::yaml::{Data, Node};

/// A value and the place where it stands.
#[derive(Debug, Clone)]
pub(in crate::kustomize) struct At<T> {
    pub(in crate::kustomize) value: T,
    pub(in crate::kustomize) place: Place,
}

/// Where problems of one file go.
pub(in crate::kustomize) struct Reader<'a> {
    file: &'a str,
    problems: &'a mut Problems,
    lenient: bool,
}

impl<'a> Reader<'a> {
    pub(in crate::kustomize) fn new(file: &'a str, problems: &'a mut Problems) -> Self {
        Self {
            file,
            problems,
            lenient: false,
        }
    }

    /// A reader that passes over unknown fields, as kustomize does in the configurations of
    /// built-in transformers.
    pub(in crate::kustomize) fn lenient(file: &'a str, problems: &'a mut Problems) -> Self {
        Self {
            lenient: true,
            ..Self::new(file, problems)
        }
    }

    pub(in crate::kustomize) fn note(&mut self, place: &Place, fault: Fault) {
        self.problems.push(place.problem(fault));
    }

    pub(in crate::kustomize) fn unexpected(
        &mut self,
        node: &Node,
        field: &str,
        expected: impl Into<String>,
    ) {
        let place = Place::new(self.file, node.line, field);
        let found = node.kind().to_owned();
        let expected = expected.into();
        self.note(&place, Fault::Unexpected { found, expected });
    }

    /// The fields of a mapping. Null is a mapping without fields.
    pub(in crate::kustomize) fn fields<'n>(&mut self, node: &'n Node, path: &str) -> Fields<'n> {
        let entries: &[(String, Node)] = match &node.data {
            Data::Mapping(entries) => entries,
            Data::Null | Data::Blank => &[],
            _ => {
                self.unexpected(node, path, "a mapping");
                &[]
            }
        };
        Fields {
            path: path.to_owned(),
            place: Place::new(self.file, node.line, path),
            left: entries
                .iter()
                .map(|(key, node)| (key.as_str(), node))
                .collect(),
            known: Vec::new(),
        }
    }

    pub(in crate::kustomize) fn items<'n>(&mut self, node: &'n Node, path: &str) -> &'n [Node] {
        match &node.data {
            Data::Sequence(items) => items,
            Data::Null | Data::Blank => &[],
            _ => {
                self.unexpected(node, path, "a list");
                &[]
            }
        }
    }

    pub(in crate::kustomize) fn string(&mut self, node: &Node, path: &str) -> Option<String> {
        match &node.data {
            Data::String(text) => Some(text.clone()),
            Data::Null | Data::Blank => None,
            _ => {
                self.unexpected(node, path, "a string; put it in quotes");
                None
            }
        }
    }
}

/// The fields of one mapping that haven't been asked for yet.
pub(in crate::kustomize) struct Fields<'n> {
    path: String,
    place: Place,
    left: Vec<(&'n str, &'n Node)>,
    known: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    pub(in crate::kustomize) fn place(&self) -> &Place {
        &self.place
    }

    /// `patches[0].target`.
    pub(in crate::kustomize) fn path(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    /// Takes a field. Names match whatever their case, as kustomize has it.
    pub(in crate::kustomize) fn take(&mut self, name: &'static str) -> Option<&'n Node> {
        self.known.push(name);
        let at = self
            .left
            .iter()
            .position(|(key, _)| *key == name)
            .or_else(|| {
                self.left
                    .iter()
                    .position(|(key, _)| key.eq_ignore_ascii_case(name))
            })?;
        let (_, node) = self.left.remove(at);
        Some(node)
    }

    pub(in crate::kustomize) fn string(
        &mut self,
        name: &'static str,
        reader: &mut Reader<'_>,
    ) -> String {
        self.optional(name, reader).unwrap_or_default()
    }

    pub(in crate::kustomize) fn optional(
        &mut self,
        name: &'static str,
        reader: &mut Reader<'_>,
    ) -> Option<String> {
        let node = self.take(name)?;
        reader.string(node, &self.path(name))
    }

    pub(in crate::kustomize) fn bool(
        &mut self,
        name: &'static str,
        reader: &mut Reader<'_>,
    ) -> bool {
        let Some(node) = self.take(name) else {
            return false;
        };
        match node.data {
            Data::Bool(value) => value,
            Data::Null | Data::Blank => false,
            _ => {
                reader.unexpected(node, &self.path(name), "true or false");
                false
            }
        }
    }

    pub(in crate::kustomize) fn integer(
        &mut self,
        name: &'static str,
        reader: &mut Reader<'_>,
    ) -> Option<i64> {
        let node = self.take(name)?;
        let value = match &node.data {
            Data::Number(number) => number.as_i64(),
            Data::Null | Data::Blank => return None,
            _ => None,
        };
        if value.is_none() {
            reader.unexpected(node, &self.path(name), "a whole number");
        }
        value
    }

    pub(in crate::kustomize) fn items(
        &mut self,
        name: &'static str,
        reader: &mut Reader<'_>,
    ) -> &'n [Node] {
        match self.take(name) {
            Some(node) => reader.items(node, &self.path(name)),
            None => &[],
        }
    }

    /// A list of texts, each with its place.
    pub(in crate::kustomize) fn strings(
        &mut self,
        name: &'static str,
        reader: &mut Reader<'_>,
    ) -> Vec<At<String>> {
        let items = self.items(name, reader);
        let mut strings = Vec::with_capacity(items.len());
        for (at, node) in items.iter().enumerate() {
            let field = format!("{}[{at}]", self.path(name));
            let value = if node.is_null() {
                Some(String::new())
            } else {
                reader.string(node, &field)
            };
            strings.extend(value.map(|value| At {
                value,
                place: Place::new(reader.file, node.line, &field),
            }));
        }
        strings
    }

    pub(in crate::kustomize) fn string_map(
        &mut self,
        name: &'static str,
        reader: &mut Reader<'_>,
    ) -> BTreeMap<String, String> {
        let mut map = BTreeMap::new();
        let Some(node) = self.take(name) else {
            return map;
        };
        match &node.data {
            Data::Null | Data::Blank => {}
            Data::Mapping(entries) => {
                for (key, value) in entries {
                    let field = format!("{}[{key:?}]", self.path(name));
                    let value = if value.is_null() {
                        Some(String::new())
                    } else {
                        reader.string(value, &field)
                    };
                    if let Some(value) = value {
                        map.insert(key.clone(), value);
                    }
                }
            }
            _ => reader.unexpected(node, &self.path(name), "a mapping from strings to strings"),
        }
        map
    }

    /// A list of mappings, each read by the function given.
    pub(in crate::kustomize) fn list<T>(
        &mut self,
        name: &'static str,
        reader: &mut Reader<'_>,
        mut read: impl FnMut(&mut Fields<'n>, &mut Reader<'_>) -> T,
    ) -> Vec<T> {
        let path = self.path(name);
        let items = self.items(name, reader);
        let mut list = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            let mut fields = reader.fields(item, &format!("{path}[{at}]"));
            list.push(read(&mut fields, reader));
            fields.finish(reader);
        }
        list
    }

    /// A mapping, read by the function given.
    pub(in crate::kustomize) fn nested<T>(
        &mut self,
        name: &'static str,
        reader: &mut Reader<'_>,
        read: impl FnOnce(&mut Fields<'n>, &mut Reader<'_>) -> T,
    ) -> Option<T> {
        let node = self.take(name).filter(|node| !node.is_null())?;
        let mut fields = reader.fields(node, &self.path(name));
        let value = read(&mut fields, reader);
        fields.finish(reader);
        Some(value)
    }

    /// Whether every field has been asked for.
    pub(in crate::kustomize) fn is_exhausted(&self) -> bool {
        self.left.iter().all(|(_, node)| node.is_null())
    }

    /// Ignores what hasn't been asked for.
    pub(in crate::kustomize) fn ignore_rest(&mut self) {
        self.left.clear();
    }

    /// Refuses what hasn't been asked for.
    pub(in crate::kustomize) fn finish(&mut self, reader: &mut Reader<'_>) {
        if reader.lenient {
            return;
        }
        for (name, node) in std::mem::take(&mut self.left) {
            let place = Place::new(reader.file, node.line, &self.path);
            let near = near::texts(name, self.known.iter().copied());
            let name = name.to_owned();
            reader.note(&place, Fault::UnknownField { name, near });
        }
    }
}
