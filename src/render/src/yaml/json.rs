//! JSON files: read strictly, into the same nodes.
//!
//! `serde_json` doesn't tell where a value stands, so it reads from a source that counts the
//! lines it hands out: it takes one byte at a time and looks at most one ahead.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;

use super::node::{Data, Node};
use super::{YamlError, YamlFault, scalar};
use crate::Limits;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

/// Reads a file that must be one JSON value.
pub(super) fn parse(bytes: &[u8], limits: &Limits) -> Result<Node, Vec<YamlError>> {
    let line = Cell::new(1);
    let state = State {
        line: &line,
        limits,
        nodes: Cell::new(0),
        errors: RefCell::default(),
    };
    let mut source = serde_json::Deserializer::from_reader(Lines { bytes, line: &line });
    let result = Seed {
        state: &state,
        depth: 0,
    }
    .deserialize(&mut source)
    .and_then(|node| source.end().map(|()| node));
    let mut errors = state.errors.into_inner();
    match result {
        Ok(node) if errors.is_empty() => return Ok(node),
        // A bound that was exceeded ended the reading and stands in `errors` already.
        Err(error) if errors.is_empty() || !error.is_data() => {
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or_default();
            errors.push(YamlError {
                document: 1,
                line: error.line().max(1),
                fault: YamlFault::Syntax {
                    message: format!("not valid JSON: {message}"),
                    column: error.column(),
                },
            });
        }
        _ => {}
    }
    Err(errors)
}

struct Lines<'a> {
    bytes: &'a [u8],
    line: &'a Cell<usize>,
}

impl Read for Lines<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.bytes.read(&mut buffer[..1])?;
        if count == 1 && buffer[0] == b'\n' {
            self.line.set(self.line.get() + 1);
        }
        Ok(count)
    }
}

struct State<'a> {
    line: &'a Cell<usize>,
    limits: &'a Limits,
    nodes: Cell<usize>,
    errors: RefCell<Vec<YamlError>>,
}

impl State<'_> {
    fn note(&self, line: usize, fault: YamlFault) {
        self.errors.borrow_mut().push(YamlError {
            document: 1,
            line,
            fault,
        });
    }

    /// Notes a fault and gives the error that ends the reading.
    fn stop<E: serde::de::Error>(&self, fault: YamlFault) -> E {
        self.note(self.line.get(), fault);
        E::custom("limit exceeded")
    }
}

#[derive(Clone, Copy)]
struct Seed<'a> {
    state: &'a State<'a>,
    depth: usize,
}

impl Seed<'_> {
    fn deeper<E: serde::de::Error>(mut self) -> Result<Self, E> {
        self.depth += 1;
        let limit = self.state.limits.depth;
        if self.depth > limit {
            return Err(self.state.stop(YamlFault::TooDeep { limit }));
        }
        Ok(self)
    }

    fn leaf(self, data: Data) -> Node {
        let line = self.state.line.get();
        Node::new(line, data)
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        let nodes = self.state.nodes.get() + 1;
        self.state.nodes.set(nodes);
        let limit = self.state.limits.nodes;
        if nodes > limit {
            return Err(self.state.stop(YamlFault::TooManyNodes { limit }));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(self.leaf(Data::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(self.leaf(Data::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(self.leaf(Data::Number(Number::from(value).into())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(self.leaf(Data::Number(Number::from(value).into())))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Node, E> {
        let number = scalar::number(value).ok_or_else(|| E::custom("number out of range"))?;
        Ok(self.leaf(Data::Number(number.into())))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(self.leaf(Data::String(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<Node, E> {
        Ok(self.leaf(Data::String(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let line = self.state.line.get();
        let seed = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(seed)? {
            items.push(item);
        }
        Ok(Node::new(line, Data::Sequence(items)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let line = self.state.line.get();
        let seed = self.deeper()?;
        let mut entries = Vec::new();
        let mut lines: BTreeMap<String, usize> = BTreeMap::new();
        while let Some(key) = access.next_key::<String>()? {
            let at = self.state.line.get();
            let value = access.next_value_seed(seed)?;
            if let Some(first) = lines.get(&key) {
                self.state
                    .note(at, YamlFault::DuplicateKey { key, first: *first });
            } else {
                lines.insert(key.clone(), at);
                entries.push((key, value));
            }
        }
        Ok(Node::new(line, Data::Mapping(entries)))
    }
}

/// So that a reader of this file sees that both readers end in the same values.
#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> serde_json::Value {
        parse(text.as_bytes(), &Limits::default())
            .unwrap()
            .into_value()
    }

    #[test]
    fn json_values_are_kept_as_they_are() {
        let text = r#"{"a": [1, -2, 1.5, 1.0, true, null, "\ud83d\ude00\/"], "b": {"c": ""}}"#;
        let expected = serde_json::json!(
            {"a": [1, -2, 1.5, 1, true, null, "😀/"], "b": {"c": ""}}
        );
        assert_eq!(value(text), expected);
    }

    #[test]
    fn every_node_knows_its_line() {
        let node = parse(
            b"{\n \"a\": 1,\n \"b\": [\n  {},\n  {}\n]}\n",
            &Limits::default(),
        )
        .unwrap();
        assert_eq!(node.line, 1);
        let Data::Sequence(items) = &node.get("b").unwrap().data else {
            panic!("a list")
        };
        assert_eq!(
            items.iter().map(|item| item.line).collect::<Vec<_>>(),
            [4, 5]
        );
    }
}
