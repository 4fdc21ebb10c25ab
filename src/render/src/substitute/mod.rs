//! Variables in built objects: `${name}` and its operators, as Flux's `postBuild` has them.
//!
//! - With no variable at all, texts stay as they are, `${…}` included.
//! - Only `${…}` is expanded; `$name` stays. `$$` becomes `$`, so `$${name}` becomes `${name}`.
//! - A variable that isn't set is a problem, unless an operator gives a fallback.
//! - An object with the label or annotation `stages.metio.wtf/substitute: disabled`, or Flux's
//!   `kustomize.toolkit.fluxcd.io/substitute: disabled`, is left alone.
//!
//! All problems of all objects are reported together; none of them repeats a value.

mod error;
mod evaluate;
mod expression;
mod fields;
mod glob;

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;
use thiserror::Error;

pub use self::error::{Field, SubstitutionFault, SubstitutionProblem};
use self::evaluate::Evaluation;
use self::fields::{Made, Walk};
use crate::ledger::KEPT;
use crate::{Limits, Object};

/// Labels or annotations with which an object stays out of substitution.
const OPT_OUT: [&str; 2] = [
    "stages.metio.wtf/substitute",
    "kustomize.toolkit.fluxcd.io/substitute",
];

/// Variables by name. Their values may be secret: `Debug` shows names only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Variables(BTreeMap<String, String>);

/// A name that no variable can have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{name:?} can't be the name of a variable: use letters, digits and '_', and don't begin with \
     a digit"
)]
pub struct VariableNameError {
    /// The name as given.
    pub name: String,
}

impl Variables {
    /// Sets a variable; a later value replaces an earlier one.
    pub fn set(
        &mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<(), VariableNameError> {
        let name = name.into();
        let mut chars = name.chars();
        let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
        if !chars.next().is_some_and(letter) || !chars.all(|c| letter(c) || c.is_ascii_digit()) {
            return Err(VariableNameError { name });
        }
        self.0.insert(name, value.into());
        Ok(())
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Substitutes variables in all texts of all objects, keys included.
///
/// ```
/// use stageset_render::{Limits, Tree, Variables, build, substitute};
/// let tree = Tree::from_files([(
///     "web.yaml",
///     "apiVersion: example.com/v1\nkind: Web\nmetadata:\n  name: web-${region}\n\
///      spec:\n  size: ${size:-2}\n  note: $${kept}\n",
/// )])?;
/// let limits = Limits::default();
/// let mut objects = build(&tree, "", &limits).unwrap();
/// let mut variables = Variables::default();
/// variables.set("region", "eu")?;
/// substitute(&mut objects, &variables, &limits).unwrap();
/// assert_eq!(objects[0].value["metadata"]["name"], "web-eu");
/// assert_eq!(objects[0].value["spec"], serde_json::json!({"size": 2, "note": "${kept}"}));
///
/// let mut objects = build(&tree, "", &limits).unwrap();
/// let mut variables = Variables::default();
/// variables.set("size", "3")?;
/// let problems = substitute(&mut objects, &variables, &limits).unwrap_err();
/// assert!(problems[0].to_string().starts_with(
///     "Web web-${region}, field metadata.name: the variable region is not set",
/// ));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn substitute(
    objects: &mut [Object],
    variables: &Variables,
    limits: &Limits,
) -> Result<(), Vec<SubstitutionProblem>> {
    if variables.is_empty() {
        return Ok(());
    }
    let mut problems = Vec::new();
    let mut made = Made::default();
    for object in objects.iter_mut().filter(|object| !opts_out(&object.value)) {
        let text = |pointer: &str| object.value.pointer(pointer).and_then(Value::as_str);
        let kind = text("/kind").unwrap_or_default().to_owned();
        let named = format!("{kind} {}", text("/metadata/name").unwrap_or_default());
        // It may stand there a thousand times.
        let named: String = named.chars().take(400).collect();
        let mut walk = Walk {
            evaluation: Evaluation::new(variables, limits),
            limits,
            kind: &kind,
            field: Field::default(),
            faults: Vec::new(),
            room: KEPT - problems.len(),
            made,
        };
        walk.value(&mut object.value);
        identity(&object.value, &mut walk);
        made = walk.made;
        let of_object = walk
            .faults
            .into_iter()
            .map(|(field, fault)| SubstitutionProblem {
                object: named.clone(),
                field,
                fault,
            });
        problems.extend(of_object);
        if made.bytes > limits.substitution_bytes
            || made.nodes > limits.substitution_nodes
            || problems.len() >= KEPT
        {
            break;
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}

/// One text, as [`substitute`] expands it before it is read as a value.
pub fn expand(
    text: &str,
    variables: &Variables,
    limits: &Limits,
) -> Result<String, SubstitutionFault> {
    let parts = expression::parse(text, limits.depth)?;
    Evaluation::new(variables, limits).text(&parts)
}

fn opts_out(object: &Value) -> bool {
    ["labels", "annotations"].iter().any(|of| {
        OPT_OUT
            .iter()
            .any(|key| object["metadata"][of][*key].as_str() == Some("disabled"))
    })
}

/// What names the object must still do so.
fn identity(object: &Value, walk: &mut Walk<'_>) {
    for path in [&["apiVersion"][..], &["kind"], &["metadata", "name"]] {
        let value = path.iter().fold(object, |value, key| &value[*key]);
        if value.as_str() == Some("") {
            let mut field = Field::default();
            for key in path {
                field.push(error::Step::Key((*key).to_owned()));
            }
            let found = "an empty text";
            walk.field = field;
            walk.fault(SubstitutionFault::Identity { found });
        }
    }
}
