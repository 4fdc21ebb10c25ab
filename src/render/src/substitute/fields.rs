//! Substitution within an object, text by text.
//!
//! Flux substitutes in the YAML text of an object and reads the result anew. A value can thereby
//! become a number, a list or a mapping, which people rely on (`replicas: ${n}`); it can also break
//! out of its field, which nobody could want. Here each text is substituted by itself and then read
//! as one plain YAML scalar, or one flow list or mapping, would be read in its place:
//! - a text that YAML would print in quotes stays a text, whatever it becomes;
//! - a value of several lines stays a text; a comment or `key: value` in a value, too;
//! - in fields that hold texts only (labels, annotations, data, environment values, arguments) the
//!   result is a text, where Flux would send a number that the API server refuses.

use serde_json::{Map, Value};

use super::error::{Field, Step, SubstitutionFault};
use super::evaluate::Evaluation;
use super::expression::{Part, parse};
use crate::Limits;
use crate::ledger::weight;
use crate::yaml::{Data, Node, NotFlow, plain_scalar, quoted_or_flow};

pub(super) type Faults = Vec<(Field, SubstitutionFault)>;

/// Substitutes in all texts below a value.
pub(super) struct Walk<'a> {
    pub(super) evaluation: Evaluation<'a>,
    pub(super) limits: &'a Limits,
    pub(super) kind: &'a str,
    pub(super) field: Field,
    pub(super) faults: Faults,
    /// How many faults may still be kept.
    pub(super) room: usize,
    pub(super) made: Made,
}

/// What was made so far, of all objects.
#[derive(Clone, Copy, Default)]
pub(super) struct Made {
    pub(super) bytes: usize,
    pub(super) nodes: usize,
}

impl Walk<'_> {
    pub(super) fn value(&mut self, value: &mut Value) {
        match value {
            Value::String(text) if text.contains('$') => match self.text(text) {
                Ok(Some(new)) => *value = new,
                Ok(None) => {}
                Err(fault) => self.fault(fault),
            },
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.field.push(Step::Index(index));
                    self.value(item);
                    self.field.pop();
                }
            }
            Value::Object(map) => self.mapping(map),
            _ => {}
        }
    }

    /// Keeps a fault, of those beyond the room a word.
    pub(super) fn fault(&mut self, fault: SubstitutionFault) {
        if self.faults.len() < self.room {
            self.faults.push((self.field.shown(), fault));
        } else if let Some((_, last)) = self.faults.last_mut() {
            *last = SubstitutionFault::More;
        }
    }

    fn mapping(&mut self, map: &mut Map<String, Value>) {
        let renamed = map.keys().any(|key| key.contains('$'));
        for (key, value) in &mut *map {
            self.field.push(Step::Key(key.clone()));
            self.value(value);
            self.field.pop();
        }
        if !renamed {
            return;
        }
        for (key, value) in std::mem::take(map) {
            let new = match self.expanded(&key) {
                Ok(Some(new)) => new,
                Ok(None) => key,
                Err(fault) => {
                    self.fault(fault);
                    key
                }
            };
            if map.insert(new, value).is_some() {
                self.fault(SubstitutionFault::SameKey);
            }
        }
    }

    /// What a text becomes; `None` if it has nothing to substitute.
    fn expanded(&mut self, text: &str) -> Result<Option<String>, SubstitutionFault> {
        let parts = parse(text, self.limits.depth)?;
        if let [Part::Text(same)] = parts.as_slice()
            && same == text
        {
            return Ok(None);
        }
        let new = self.evaluation.text(&parts)?;
        let limit = self.limits.substitution_bytes;
        self.made.bytes = self.made.bytes.saturating_add(new.len());
        if self.made.bytes > limit {
            return Err(SubstitutionFault::TooLarge { limit });
        }
        Ok(Some(new))
    }

    fn text(&mut self, text: &str) -> Result<Option<Value>, SubstitutionFault> {
        let Some(new) = self.expanded(text)? else {
            return Ok(None);
        };
        if !prints_plain(text) || new.contains(['\n', '\r']) || self.holds_text() {
            return Ok(Some(Value::String(new)));
        }
        let trimmed = new.trim_matches([' ', '\t']);
        match trimmed.chars().next() {
            Some(begins @ ('[' | '{')) => self.flow(trimmed, begins).map(Some),
            // Quotes within the value are how Flux's users say "a text".
            Some('"' | '\'') => Ok(Some(
                quoted_or_flow(trimmed, self.limits)
                    .map_or_else(|_| Value::String(new), Node::into_value),
            )),
            _ => Ok(Some(not_text(trimmed).unwrap_or(Value::String(new)))),
        }
    }

    /// What a text becomes that begins like a list or mapping.
    fn flow(&mut self, text: &str, begins: char) -> Result<Value, SubstitutionFault> {
        let limit = self.limits.substitution_nodes;
        let too_many = SubstitutionFault::TooManyNodes { limit };
        let left = limit.saturating_sub(self.made.nodes);
        if left == 0 {
            return Err(too_many);
        }
        let limits = Limits {
            nodes: self.limits.nodes.min(left),
            ..*self.limits
        };
        match quoted_or_flow(text, &limits) {
            Ok(node) => {
                self.made.nodes = self.made.nodes.saturating_add(weight(&node).0);
                if self.made.nodes > limit {
                    return Err(too_many);
                }
                Ok(node.into_value())
            }
            Err(NotFlow::TooManyNodes) => {
                self.made.nodes = usize::MAX;
                Err(too_many)
            }
            Err(NotFlow::Other) => Err(SubstitutionFault::NotFlow { begins }),
        }
    }

    /// Whether the field can hold nothing but a text.
    fn holds_text(&self) -> bool {
        let keys: Vec<&str> = self.field.keys().collect();
        match keys.as_slice() {
            ["apiVersion" | "kind"]
            | [.., "metadata", "name" | "namespace" | "generateName"]
            | [.., "metadata", "labels" | "annotations", _]
            | [.., "matchLabels", _]
            | [.., "env", "value"] => true,
            [.., "args" | "command"] => self.field.ends_in_list(),
            ["data", _] => matches!(self.kind, "ConfigMap" | "Secret"),
            ["stringData", _] => self.kind == "Secret",
            _ => false,
        }
    }
}

/// Whether go-yaml prints a text without quotes.
fn prints_plain(text: &str) -> bool {
    let first = text.chars().next();
    !text.is_empty()
        && !text.starts_with(' ')
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.contains(|c: char| c.is_control())
        && !first.is_some_and(|c| "#,[]{}&*!|>'\"%@`".contains(c))
        && !["- ", "? "].iter().any(|start| text.starts_with(start))
        && not_text(text).is_none()
}

/// What a text means where it stands without quotes, if that is no text.
fn not_text(text: &str) -> Option<Value> {
    match plain_scalar(text) {
        // A time stays the text that it is.
        Data::String(_) | Data::Timestamp(_) => None,
        data => Some(Node::new(1, data).into_value()),
    }
}
