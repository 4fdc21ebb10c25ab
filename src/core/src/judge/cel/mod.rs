//! Expressions in CEL, the Common Expression Language, about one object.
//!
//! An expression sees the five variables `apiVersion`, `kind`, `metadata`, `spec` and `status`, and
//! answers with true or false. It comes from a tenant, so everything about it is bounded before it
//! runs (A24): the length of its text and its depth when it is compiled ([`check`]), its regular
//! expressions too, and the work that it can make with the object at hand before each evaluation
//! ([`cost`]). Parsing and evaluation themselves are the `cel` crate's.

mod check;
mod convert;
mod cost;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, OnceLock};

use cel::objects::Value as Cel;
use cel::{Context, Env, ExecutionError, Program};
use serde::{Serialize, Serializer};
use serde_json::Value;

/// What an expression may refer to.
pub const VARIABLES: [&str; 5] = ["apiVersion", "kind", "metadata", "spec", "status"];

/// Longest expression that is accepted, in bytes.
pub const SOURCE_MAX: usize = 4096;

/// Most work that one evaluation may make, in steps: what kube-apiserver allows for one rule.
pub const COST_LIMIT: u64 = 10_000_000;

/// An expression that compiles, refers to what there is, and may answer with true or false.
#[derive(Clone)]
pub struct Expression {
    source: String,
    program: Arc<Program>,
}

/// Why a text is no expression that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// There is nothing in it.
    #[error("the expression is empty")]
    Empty,
    /// It is longer than [`SOURCE_MAX`].
    #[error("the expression has {0} bytes; at most {SOURCE_MAX} are allowed")]
    TooLong(usize),
    /// It doesn't parse.
    #[error("the expression isn't CEL: {0}")]
    Syntax(String),
    /// It is nested too deeply.
    #[error("the expression is nested more than {deepest} levels deep", deepest = check::DEPTH_MAX)]
    TooDeep,
    /// A name that nothing has.
    #[error("{0} is no variable; an expression sees {seen}", seen = VARIABLES.join(", "))]
    UnknownName(String),
    /// A function that there isn't.
    #[error("{0}() is no function that can be called here; there are {known}", known = check::known_functions())]
    UnknownFunction(String),
    /// A function with too many or too few arguments.
    #[error("{0}() is called with {1} arguments, which it doesn't take")]
    Arguments(String, usize),
    /// A message is built.
    #[error("messages (here {0}) can't be built here")]
    Struct(String),
    /// A regular expression that can't be checked now.
    #[error("matches() needs its regular expression as a literal text, so that it can be checked")]
    PatternNotLiteral,
    /// A regular expression that isn't one, or is too large.
    #[error("matches(): {0:?} is no regular expression, or too large a one")]
    Pattern(String),
    /// It can't answer with true or false.
    #[error("the expression gives {0}; true or false is needed")]
    NotBool(&'static str),
}

/// Why an expression gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// The object is too large for what the expression does with it.
    #[error(
        "it could take more than {COST_LIMIT} steps on this object: compare less, or nest fewer loops"
    )]
    TooCostly,
    /// A field that isn't there, by its name as the expression has it.
    #[error("there is no field {0:?}")]
    NoSuchField(String),
    /// The answer is of another type.
    #[error("it gives {0}, not true or false")]
    NotBool(&'static str),
    /// Anything else, said without the object's content (A21).
    #[error("{0}")]
    Failed(&'static str),
}

impl Expression {
    /// Compiles an expression and checks all that can be known without an object.
    ///
    /// # Errors
    /// [`CompileError`], with a sentence for who wrote it.
    pub fn compile(source: &str) -> Result<Self, CompileError> {
        if source.trim().is_empty() {
            return Err(CompileError::Empty);
        }
        if source.len() > SOURCE_MAX {
            return Err(CompileError::TooLong(source.len()));
        }
        check::brackets(source)?;
        let program = env().compile(source).map_err(|errors| {
            let said: Vec<String> = errors
                .errors
                .iter()
                .map(|error| error.msg.clone())
                .collect();
            CompileError::Syntax(clean(&said.join("; ")))
        })?;
        check::expression(program.expression())?;
        Ok(Self {
            source: source.to_owned(),
            program: Arc::new(program),
        })
    }

    /// As it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it holds for an object. A variable that the object doesn't have is an empty map.
    ///
    /// # Errors
    /// [`EvaluationError`]: too much work, a missing field, or no boolean.
    pub fn evaluate(&self, object: &Value) -> Result<bool, EvaluationError> {
        let empty = Value::Object(serde_json::Map::new());
        let variables = VARIABLES.map(|name| (name, object.get(name).unwrap_or(&empty)));
        if cost::bound(self.program.expression(), &variables)? > COST_LIMIT {
            return Err(EvaluationError::TooCostly);
        }
        let mut context = Context::with_env(Arc::clone(env()));
        for (name, value) in variables {
            context.add_variable_from_value(name, convert::value(value));
        }
        match self.program.execute(&context) {
            Ok(Cel::Bool(answer)) => Ok(answer),
            Ok(other) => Err(EvaluationError::NotBool(type_of(&other))),
            Err(error) => Err(self.without_content(&error)),
        }
    }

    /// The object may be a Secret: an error says what the expression says, and nothing of the object.
    fn without_content(&self, error: &ExecutionError) -> EvaluationError {
        EvaluationError::Failed(match error {
            ExecutionError::NoSuchKey(key) if self.source.contains(key.as_str()) => {
                return EvaluationError::NoSuchField(key.to_string());
            }
            ExecutionError::NoSuchKey(_) => "there is no field of a name that it computes",
            ExecutionError::IndexOutOfBounds(_) => "a list is shorter than it expects",
            ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
                "it divides by zero"
            }
            ExecutionError::Overflow(..) => "a number is too large",
            ExecutionError::FunctionError { .. } => "a function can't take a value of the object",
            _ => "the types of the object's values aren't those that it expects",
        })
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Expression {}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.source).finish()
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

impl Serialize for Expression {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.source)
    }
}

fn env() -> &'static Arc<Env> {
    static ENV: OnceLock<Arc<Env>> = OnceLock::new();
    ENV.get_or_init(|| Arc::new(Env::stdlib().with_optional_support(false)))
}

fn type_of(value: &Cel) -> &'static str {
    match value {
        Cel::List(_) => "a list",
        Cel::Map(_) => "a map",
        Cel::Int(_) | Cel::UInt(_) | Cel::Float(_) => "a number",
        Cel::String(_) => "a text",
        Cel::Null => "null",
        _ => "another type",
    }
}

/// A parser's message on one line, of a length that people read.
fn clean(message: &str) -> String {
    let line: String = message
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(300)
        .collect();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}
