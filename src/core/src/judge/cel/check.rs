//! What can be known of an expression without an object: its depth, its names, its functions, and
//! whether it can answer with true or false.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, operators};

use super::{CompileError, VARIABLES};

/// Deepest nesting of an expression.
pub(super) const DEPTH_MAX: usize = 64;

/// Largest compiled regular expression, in bytes.
const PATTERN_SIZE: usize = 64 * 1024;

/// Names of types, which `type(x) == int` compares with.
const TYPES: [&str; 10] = [
    "bool",
    "bytes",
    "double",
    "dyn",
    "int",
    "list",
    "map",
    "null_type",
    "string",
    "uint",
];

/// Functions by name, each with the numbers of arguments that it takes, called on a value and not.
const FUNCTIONS: [(&str, &[usize], &[usize]); 13] = [
    ("bool", &[], &[1]),
    ("bytes", &[], &[1]),
    ("contains", &[1], &[]),
    ("double", &[], &[1]),
    ("dyn", &[], &[1]),
    ("endsWith", &[1], &[]),
    ("int", &[], &[1]),
    ("matches", &[1], &[2]),
    ("size", &[0], &[1]),
    ("startsWith", &[1], &[]),
    ("string", &[], &[1]),
    ("type", &[], &[1]),
    ("uint", &[], &[1]),
];

pub(super) fn known_functions() -> String {
    let mut names: Vec<&str> = FUNCTIONS.iter().map(|(name, ..)| *name).collect();
    names.extend(["has", "all", "exists", "exists_one", "map", "filter"]);
    names.join(", ")
}

/// Brackets too deep for the parser's stack, found before it runs.
pub(super) fn brackets(source: &str) -> Result<(), CompileError> {
    let (mut depth, mut at) = (0_usize, 0_usize);
    let bytes = source.as_bytes();
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Err(CompileError::TooDeep);
        }
        at += text(bytes, at).unwrap_or(1);
    }
    Ok(())
}

/// How long the text is that begins here, if one does: brackets in it open and close nothing. One that
/// doesn't end by its line is no text, but what the parser drops is as long; three marks without three
/// others are an empty text and the mark of the next.
fn text(source: &[u8], at: usize) -> Option<usize> {
    let rest = source.get(at..)?;
    let quote = *rest.first()?;
    if !matches!(quote, b'"' | b'\'') {
        return None;
    }
    let raw = at > 0 && matches!(source[at - 1], b'r' | b'R');
    let marks = if rest.starts_with(&[quote; 3]) { 3 } else { 1 };
    let mut end = marks;
    loop {
        match rest.get(end) {
            None if marks == 3 => return Some(2),
            None => return Some(rest.len()),
            Some(b'\n' | b'\r') if marks == 1 => return Some(end),
            Some(b'\\') if !raw => end += 1,
            Some(_) if rest[end..].starts_with(&[quote; 3][..marks]) => return Some(end + marks),
            Some(_) => {}
        }
        end += 1;
    }
}

/// Checks the whole expression.
pub(super) fn expression(root: &IdedExpr) -> Result<(), CompileError> {
    Check { loops: Vec::new() }.visit(root, 0)?;
    match certainly(&root.expr) {
        Some(other) => Err(CompileError::NotBool(other)),
        None => Ok(()),
    }
}

struct Check<'e> {
    /// Variables of the loops around.
    loops: Vec<&'e str>,
}

impl<'e> Check<'e> {
    fn visit(&mut self, node: &'e IdedExpr, depth: usize) -> Result<(), CompileError> {
        if depth > DEPTH_MAX {
            return Err(CompileError::TooDeep);
        }
        let below = depth + 1;
        match &node.expr {
            Expr::Literal(_) => Ok(()),
            Expr::Unspecified => Err(CompileError::Syntax("a part is missing".to_owned())),
            Expr::Ident(name) => self.name(name),
            Expr::Select(select) => self.visit(&select.operand, below),
            Expr::List(list) => list
                .elements
                .iter()
                .try_for_each(|element| self.visit(element, below)),
            Expr::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => {
                    self.visit(&entry.key, below)?;
                    self.visit(&entry.value, below)
                }
                EntryExpr::StructField(field) => Err(CompileError::Struct(field.field.clone())),
            }),
            Expr::Struct(message) => Err(CompileError::Struct(message.type_name.clone())),
            Expr::Call(call) => {
                function(call)?;
                for part in call.target.iter().map(AsRef::as_ref).chain(&call.args) {
                    self.visit(part, below)?;
                }
                Ok(())
            }
            Expr::Comprehension(comprehension) => self.comprehension(comprehension, below),
        }
    }

    fn comprehension(
        &mut self,
        comprehension: &'e ComprehensionExpr,
        depth: usize,
    ) -> Result<(), CompileError> {
        self.visit(&comprehension.iter_range, depth)?;
        self.visit(&comprehension.accu_init, depth)?;
        let outer = self.loops.len();
        self.loops.push(&comprehension.accu_var);
        self.loops.push(&comprehension.iter_var);
        self.loops.extend(comprehension.iter_var2.as_deref());
        for part in [
            &comprehension.loop_cond,
            &comprehension.loop_step,
            &comprehension.result,
        ] {
            self.visit(part, depth)?;
        }
        self.loops.truncate(outer);
        Ok(())
    }

    fn name(&self, name: &str) -> Result<(), CompileError> {
        if VARIABLES.contains(&name) || TYPES.contains(&name) || self.loops.contains(&name) {
            Ok(())
        } else {
            Err(CompileError::UnknownName(name.to_owned()))
        }
    }
}

fn function(call: &CallExpr) -> Result<(), CompileError> {
    let name = call.func_name.as_str();
    if is_operator(name) {
        return Ok(());
    }
    let Some((_, on_value, free)) = FUNCTIONS.iter().find(|(known, ..)| *known == name) else {
        return Err(CompileError::UnknownFunction(name.to_owned()));
    };
    let takes = if call.target.is_some() {
        on_value
    } else {
        free
    };
    if !takes.contains(&call.args.len()) {
        return Err(CompileError::Arguments(name.to_owned(), call.args.len()));
    }
    if name == "matches" {
        pattern(call)?;
    }
    Ok(())
}

fn is_operator(name: &str) -> bool {
    matches!(
        name,
        operators::CONDITIONAL
            | operators::LOGICAL_AND
            | operators::LOGICAL_OR
            | operators::LOGICAL_NOT
            | operators::SUBSTRACT
            | operators::ADD
            | operators::MULTIPLY
            | operators::DIVIDE
            | operators::MODULO
            | operators::EQUALS
            | operators::NOT_EQUALS
            | operators::GREATER_EQUALS
            | operators::LESS_EQUALS
            | operators::GREATER
            | operators::LESS
            | operators::NEGATE
            | operators::INDEX
            | operators::NOT_STRICTLY_FALSE
            | operators::IN
    )
}

/// A regular expression is compiled in every evaluation; so it is one that is known now and small.
fn pattern(call: &CallExpr) -> Result<(), CompileError> {
    let Some(Expr::Literal(LiteralValue::String(text))) = call.args.last().map(|arg| &arg.expr)
    else {
        return Err(CompileError::PatternNotLiteral);
    };
    let text = text.inner();
    regex::RegexBuilder::new(text)
        .size_limit(PATTERN_SIZE)
        .dfa_size_limit(PATTERN_SIZE)
        .build()
        .map(drop)
        .map_err(|_| CompileError::Pattern(text.to_owned()))
}

/// What an expression certainly gives, if that isn't a boolean.
fn certainly(expr: &Expr) -> Option<&'static str> {
    match expr {
        Expr::Literal(LiteralValue::Boolean(_)) => None,
        Expr::Literal(LiteralValue::String(_)) => Some("a text"),
        Expr::Literal(LiteralValue::Null) => Some("null"),
        Expr::Literal(LiteralValue::Bytes(_)) => Some("bytes"),
        Expr::Literal(_) => Some("a number"),
        Expr::Ident(name) if matches!(name.as_str(), "apiVersion" | "kind") => Some("a text"),
        Expr::Ident(name) if TYPES.contains(&name.as_str()) => Some("a type"),
        Expr::Ident(name) if name == "metadata" => Some("a map"),
        Expr::List(_) => Some("a list"),
        Expr::Map(_) | Expr::Struct(_) => Some("a map"),
        Expr::Call(call) => match call.func_name.as_str() {
            operators::CONDITIONAL => call
                .args
                .iter()
                .skip(1)
                .find_map(|branch| certainly(&branch.expr)),
            "size"
            | "int"
            | "uint"
            | "double"
            | operators::SUBSTRACT
            | operators::MULTIPLY
            | operators::DIVIDE
            | operators::MODULO
            | operators::NEGATE => Some("a number"),
            operators::ADD => Some("a sum"),
            "string" => Some("a text"),
            "bytes" => Some("bytes"),
            "type" => Some("a type"),
            _ => None,
        },
        // `map` and `filter` collect into a list.
        Expr::Comprehension(comprehension) => match &comprehension.result.expr {
            Expr::Ident(result) if *result == comprehension.accu_var => {
                certainly(&comprehension.accu_init.expr)
            }
            other => certainly(other),
        },
        Expr::Ident(_) | Expr::Select(_) | Expr::Unspecified => None,
    }
}
