//! What can be wrong with a substitution. Values of variables never stand in it.

use std::fmt;

use thiserror::Error;

/// One problem, with the object and the field.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{object}, field {field}: {fault}")]
pub struct SubstitutionProblem {
    /// The object, by kind and name as they stood before substitution.
    pub object: String,
    /// The field, as `spec.containers[0].image`.
    pub field: Field,
    /// What is wrong.
    pub fault: SubstitutionFault,
}

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SubstitutionFault {
    /// A variable that isn't set, without a fallback.
    #[error(
        "the variable {name} is not set: set it in postBuild.substitute or substituteFrom, give a \
         fallback as in ${{{name}:-text}}, or write $${{…}} to keep the text"
    )]
    Missing {
        /// The variable.
        name: String,
    },
    /// `${` that isn't an expression.
    #[error("the expression {expression:?} can't be read: {what}; write $${{…}} to keep the text")]
    Syntax {
        /// The text from its `${` on, cut.
        expression: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// An offset in bytes that lies within a character.
    #[error("${{{name}:…}} cuts a character in two: offsets count bytes")]
    CutsCharacter {
        /// The variable.
        name: String,
    },
    /// A value that begins like a list or mapping and isn't one.
    #[error(
        "what the variables make of this begins with {begins:?} and is no valid YAML list or \
         mapping: quote it within the value if it is meant as text"
    )]
    NotFlow {
        /// `[` or `{`.
        begins: char,
    },
    /// Two keys of a mapping that became one.
    #[error("two keys of this mapping become the same")]
    SameKey,
    /// A name or kind that is no longer one.
    #[error("must be a text that isn't empty, and substitution makes {found} of it")]
    Identity {
        /// What it became.
        found: &'static str,
    },
    /// More than [`crate::Limits::substitution_bytes`].
    #[error("substitution makes more than the limit of {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// More than [`crate::Limits::substitution_nodes`].
    #[error(
        "the lists and mappings that substitution makes have more than the limit of {limit} values: \
         put them into the manifest instead of a variable"
    )]
    TooManyNodes {
        /// The limit.
        limit: usize,
    },
    /// As many problems as are kept.
    #[error("this has a problem, too, and so have more fields: mend those above first")]
    More,
    /// More than [`crate::Limits::substitution_steps`].
    #[error(
        "trimming by a pattern takes more than the limit of {limit} steps: shorten the pattern"
    )]
    TooManySteps {
        /// The limit.
        limit: usize,
    },
    /// Deeper than [`crate::Limits::depth`].
    #[error("expressions are nested deeper than the limit of {limit}")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
}

/// The path of a field, printed as people write it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Field(Vec<Step>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

impl Field {
    pub(super) fn push(&mut self, step: Step) {
        self.0.push(step);
    }

    pub(super) fn pop(&mut self) {
        self.0.pop();
    }

    /// This path as it is kept with a problem: a key has at most 100 characters, for it may stand there
    /// a thousand times.
    pub(super) fn shown(&self) -> Self {
        let step = |step: &Step| match step {
            Step::Key(key) => Step::Key(key.chars().take(100).collect()),
            Step::Index(index) => Step::Index(*index),
        };
        Self(self.0.iter().map(step).collect())
    }

    /// The keys of the path, list positions left out.
    pub(super) fn keys(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.iter().filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Index(_) => None,
        })
    }

    /// The last step, if it is a position in a list.
    pub(super) fn ends_in_list(&self) -> bool {
        matches!(self.0.last(), Some(Step::Index(_)))
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) if key.contains(['.', '[', ']', '"', ' ']) => {
                    write!(f, "[{key:?}]")?;
                }
                Step::Key(key) if position == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
            }
        }
        Ok(())
    }
}
