//! The most steps that an expression can take on a given object, computed before it runs.
//!
//! Expressions have no recursion, and loops only over lists and maps; so walking the expression
//! with *all the values that each part could have* gives a bound. Parts of the object are known
//! exactly, by the set of nodes that they could be; what the expression builds is known by a bound
//! on its items and its size. A step is about one node visited or one byte compared.

use std::collections::BTreeMap;
use std::rc::Rc;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, operators};
use serde_json::Value;

use super::{COST_LIMIT, EvaluationError};

/// Compiling a regular expression of the largest allowed size, in steps.
const PATTERN: u64 = 20_000;

/// Upper bound of the steps of one evaluation.
///
/// # Errors
/// [`EvaluationError::TooCostly`] if even finding the bound takes too long.
pub(super) fn bound(root: &IdedExpr, variables: &[(&str, &Value)]) -> Result<u64, EvaluationError> {
    let mut sizes = BTreeMap::new();
    let mut converted = 0_u64;
    for (_, value) in variables {
        converted = converted.saturating_add(measure(value, &mut sizes));
    }
    let mut walk = Walk {
        scope: variables
            .iter()
            .map(|(name, value)| (*name, Shape::Nodes(Rc::from([*value].as_slice()))))
            .collect(),
        sizes,
        looked_at: 0,
    };
    let (steps, _) = walk.visit(root)?;
    Ok(steps.saturating_add(converted))
}

/// Size of a value and of everything in it: one for each node, and the bytes of its texts.
fn measure(value: &Value, sizes: &mut BTreeMap<*const Value, u64>) -> u64 {
    let size = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
        Value::String(text) => 1 + text.len() as u64,
        Value::Array(items) => items.iter().map(|item| measure(item, sizes)).sum::<u64>() + 1,
        Value::Object(fields) => {
            let inside = fields
                .iter()
                .map(|(key, field)| key.len() as u64 + measure(field, sizes));
            inside.sum::<u64>() + 1
        }
    };
    sizes.insert(std::ptr::from_ref(value), size);
    size
}

/// What a part of the expression could be.
#[derive(Clone)]
enum Shape<'v> {
    /// One of these nodes of the object.
    Nodes(Rc<[&'v Value]>),
    /// Something built, of at most so many items and at most this size in all.
    Built { items: u64, size: u64 },
}

const SMALL: Shape<'static> = Shape::Built { items: 0, size: 1 };

struct Walk<'e, 'v> {
    scope: Vec<(&'e str, Shape<'v>)>,
    sizes: BTreeMap<*const Value, u64>,
    /// Nodes that the walk itself has looked at.
    looked_at: u64,
}

impl<'e, 'v> Walk<'e, 'v> {
    fn visit(&mut self, node: &'e IdedExpr) -> Result<(u64, Shape<'v>), EvaluationError> {
        match &node.expr {
            Expr::Literal(literal) => Ok((1, literal_shape(literal))),
            Expr::Unspecified => Ok((1, SMALL)),
            Expr::Ident(name) => {
                let known = self.scope.iter().rev().find(|(known, _)| known == name);
                Ok((1, known.map_or(SMALL, |(_, shape)| shape.clone())))
            }
            Expr::Select(select) => {
                let (steps, operand) = self.visit(&select.operand)?;
                let shape = if select.test {
                    SMALL
                } else {
                    self.below(&operand, |node| node.get(select.field.as_str()))?
                };
                Ok((steps.saturating_add(1), shape))
            }
            Expr::List(list) => self.all(list.elements.iter()),
            Expr::Map(map) => self.all(map.entries.iter().flat_map(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
                EntryExpr::StructField(field) => vec![&field.value],
            })),
            Expr::Struct(message) => self.all(message.entries.iter().map(|e| match &e.expr {
                EntryExpr::MapEntry(entry) => &entry.value,
                EntryExpr::StructField(field) => &field.value,
            })),
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
        }
    }

    /// A list or map that the expression writes out.
    fn all(
        &mut self,
        parts: impl Iterator<Item = &'e IdedExpr>,
    ) -> Result<(u64, Shape<'v>), EvaluationError> {
        let (mut steps, mut items, mut size) = (1_u64, 0_u64, 1_u64);
        for part in parts {
            let (cost, shape) = self.visit(part)?;
            let part_size = self.size(&shape)?;
            steps = steps.saturating_add(cost).saturating_add(part_size);
            size = size.saturating_add(part_size);
            items += 1;
        }
        Ok((steps, Shape::Built { items, size }))
    }

    fn call(&mut self, call: &'e CallExpr) -> Result<(u64, Shape<'v>), EvaluationError> {
        let mut steps = 1_u64;
        let mut parts = Vec::with_capacity(call.args.len() + 1);
        for part in call.target.iter().map(AsRef::as_ref).chain(&call.args) {
            let (cost, shape) = self.visit(part)?;
            steps = steps.saturating_add(cost);
            parts.push(shape);
        }
        let mut size = 0_u64;
        for part in &parts {
            size = size.saturating_add(self.size(part)?);
        }
        match (call.func_name.as_str(), parts.as_slice()) {
            (operators::CONDITIONAL, [_, yes, no]) => Ok((steps, self.either(yes, no)?)),
            (operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT, _) => {
                Ok((steps, SMALL))
            }
            (operators::INDEX, [value, _]) => {
                let shape = match call.args.last().map(|index| &index.expr) {
                    Some(Expr::Literal(LiteralValue::String(key))) => {
                        self.below(value, |node| node.get(key.inner()))?
                    }
                    _ => self.elements(value)?,
                };
                Ok((steps, shape))
            }
            // Growing the result of a loop moves it.
            (operators::ADD, [left, right]) => {
                let grows = matches!(
                    call.args.first().map(|left| &left.expr),
                    Some(Expr::Ident(name)) if name.starts_with('@')
                );
                let moved = if grows { self.size(right)? } else { size };
                let items = self.items(left)?.saturating_add(self.items(right)?);
                Ok((steps.saturating_add(moved), Shape::Built { items, size }))
            }
            ("dyn", [value]) => Ok((steps, value.clone())),
            ("matches", _) => Ok((
                steps
                    .saturating_add(PATTERN)
                    .saturating_add(size.saturating_mul(10)),
                SMALL,
            )),
            ("string" | "bytes", _) => Ok((
                steps.saturating_add(size),
                Shape::Built {
                    items: 0,
                    size: size.saturating_add(32),
                },
            )),
            // Comparisons, `in`, and functions on texts go through what they are given, once.
            _ => Ok((steps.saturating_add(size), SMALL)),
        }
    }

    fn comprehension(
        &mut self,
        comprehension: &'e ComprehensionExpr,
    ) -> Result<(u64, Shape<'v>), EvaluationError> {
        let (range_steps, range) = self.visit(&comprehension.iter_range)?;
        let (init_steps, init) = self.visit(&comprehension.accu_init)?;
        let turns = self.items(&range)?;
        // Each element is copied when its turn comes.
        let copied = self.size(&range)?;
        let element = self.elements(&range)?;
        let outer = self.scope.len();
        let nothing = Shape::Built { items: 0, size: 0 };
        self.scope.push((&comprehension.accu_var, nothing));
        self.scope.push((&comprehension.iter_var, element.clone()));
        if let Some(second) = &comprehension.iter_var2 {
            self.scope.push((second, element));
        }
        let (cond_steps, _) = self.visit(&comprehension.loop_cond)?;
        // The macros only ever add to their result; so one turn that begins with nothing tells what
        // each turn adds.
        let (step_steps, added) = self.visit(&comprehension.loop_step)?;
        let (added_items, added_size) = (self.items(&added)?, self.size(&added)?);
        let result = Shape::Built {
            items: self
                .items(&init)?
                .saturating_add(turns.saturating_mul(added_items)),
            size: self
                .size(&init)?
                .saturating_add(turns.saturating_mul(added_size)),
        };
        self.scope.truncate(outer);
        self.scope.push((&comprehension.accu_var, result));
        let (result_steps, result) = self.visit(&comprehension.result)?;
        self.scope.truncate(outer);
        let turn = cond_steps.saturating_add(step_steps).saturating_add(4);
        let steps = [init_steps, copied, turns.saturating_mul(turn), result_steps]
            .into_iter()
            .fold(range_steps, u64::saturating_add);
        Ok((steps, result))
    }

    /// One of two.
    fn either(&mut self, a: &Shape<'v>, b: &Shape<'v>) -> Result<Shape<'v>, EvaluationError> {
        if let (Shape::Nodes(a), Shape::Nodes(b)) = (a, b) {
            let nodes: Vec<&Value> = a.iter().chain(b.iter()).copied().collect();
            self.look(nodes.len())?;
            return Ok(Shape::Nodes(nodes.into()));
        }
        Ok(Shape::Built {
            items: self.items(a)?.max(self.items(b)?),
            size: self.size(a)?.max(self.size(b)?),
        })
    }

    /// What a field of it could be.
    fn below(
        &mut self,
        shape: &Shape<'v>,
        field: impl Fn(&'v Value) -> Option<&'v Value>,
    ) -> Result<Shape<'v>, EvaluationError> {
        match shape {
            Shape::Nodes(nodes) => {
                self.look(nodes.len())?;
                let found: Vec<&Value> = nodes.iter().filter_map(|node| field(node)).collect();
                Ok(Shape::Nodes(found.into()))
            }
            Shape::Built { size, .. } => Ok(anything_of(*size)),
        }
    }

    /// What an element of it could be; of an object also its keys.
    fn elements(&mut self, shape: &Shape<'v>) -> Result<Shape<'v>, EvaluationError> {
        let Shape::Nodes(nodes) = shape else {
            let size = self.size(shape)?;
            return Ok(anything_of(size));
        };
        let mut found: Vec<&Value> = Vec::new();
        let mut longest_key = 0;
        for node in nodes.iter() {
            match node {
                Value::Array(items) => found.extend(items),
                Value::Object(fields) => {
                    longest_key = fields.keys().map(String::len).fold(longest_key, usize::max);
                    found.extend(fields.values());
                }
                _ => {}
            }
        }
        self.look(nodes.len() + found.len())?;
        if longest_key == 0 {
            return Ok(Shape::Nodes(found.into()));
        }
        let largest = self.size(&Shape::Nodes(found.into()))?;
        Ok(anything_of(
            largest.max((longest_key as u64).saturating_add(1)),
        ))
    }

    /// The most items that it could have.
    fn items(&mut self, shape: &Shape<'v>) -> Result<u64, EvaluationError> {
        match shape {
            Shape::Built { items, .. } => Ok(*items),
            Shape::Nodes(nodes) => {
                self.look(nodes.len())?;
                let items = nodes.iter().map(|node| match node {
                    Value::Array(items) => items.len(),
                    Value::Object(fields) => fields.len(),
                    _ => 0,
                });
                Ok(items.max().unwrap_or(0) as u64)
            }
        }
    }

    /// The largest that it could be.
    fn size(&mut self, shape: &Shape<'v>) -> Result<u64, EvaluationError> {
        match shape {
            Shape::Built { size, .. } => Ok(*size),
            Shape::Nodes(nodes) => {
                self.look(nodes.len())?;
                let sizes = nodes.iter().map(|node| {
                    let known = self.sizes.get(&std::ptr::from_ref::<Value>(node));
                    known.copied().unwrap_or(1)
                });
                Ok(sizes.max().unwrap_or(0))
            }
        }
    }

    /// The walk is bounded as well.
    fn look(&mut self, nodes: usize) -> Result<(), EvaluationError> {
        self.looked_at = self.looked_at.saturating_add(nodes as u64);
        if self.looked_at > COST_LIMIT {
            Err(EvaluationError::TooCostly)
        } else {
            Ok(())
        }
    }
}

/// A part of something built: it could be nearly all of it.
fn anything_of(size: u64) -> Shape<'static> {
    Shape::Built { items: size, size }
}

fn literal_shape(literal: &LiteralValue) -> Shape<'static> {
    let size = match literal {
        LiteralValue::String(text) => 1 + text.inner().len() as u64,
        LiteralValue::Bytes(bytes) => 1 + bytes.inner().len() as u64,
        _ => 1,
    };
    Shape::Built { items: 0, size }
}
