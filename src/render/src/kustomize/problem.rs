//! What can be wrong with a kustomization.

use std::fmt;

use thiserror::Error;

use crate::Problem;

/// Where something stands: a file, and as much of the rest as is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    /// The file, as a path in the tree.
    pub file: String,
    /// The line, counted from 1; 0 where it isn't known.
    pub line: usize,
    /// The field, such as `patches[0].target`; possibly empty.
    pub field: String,
}

impl Place {
    pub(super) fn new(file: &str, line: usize, field: &str) -> Self {
        Self {
            file: file.to_owned(),
            line,
            field: field.to_owned(),
        }
    }

    /// How a message about it begins; not at all where nothing is known.
    pub(crate) fn prefix(&self) -> String {
        if *self == Self::default() {
            String::new()
        } else {
            format!("{self}: ")
        }
    }

    pub(crate) fn problem(&self, fault: Fault) -> Problem {
        Problem::Kustomize {
            place: self.clone(),
            fault,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ", line {}", self.line)?;
        }
        if !self.field.is_empty() {
            write!(f, ", {}", self.field)?;
        }
        Ok(())
    }
}

/// The nearest things to one that was looked for and not found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Near(pub Vec<String>);

impl fmt::Display for Near {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(f, "; near it: {}", self.0.join(", "))
    }
}

/// What is wrong there.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// A field that kustomize doesn't have.
    #[error("there is no field {name:?}{near}")]
    UnknownField {
        /// The field.
        name: String,
        /// Fields of about that name.
        near: Near,
    },
    /// A value of the wrong type or form.
    #[error("found {found}, expected {expected}")]
    Unexpected {
        /// What stands there.
        found: String,
        /// What should.
        expected: String,
    },
    /// Something that must be there isn't.
    #[error("{what} is missing")]
    Missing {
        /// What.
        what: &'static str,
    },
    /// Two fields that exclude each other.
    #[error("{first} and {second} exclude each other: keep one")]
    Both {
        /// One.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// The folder holds no kustomization file.
    #[error(
        "the folder {folder:?} holds no kustomization.yaml, kustomization.yml or Kustomization"
    )]
    NoKustomization {
        /// The folder.
        folder: String,
    },
    /// The folder holds more than one of them.
    #[error("the folder holds {} as well: keep one", .others.join(" and "))]
    SeveralKustomizations {
        /// The others.
        others: Vec<String>,
    },
    /// A file without content, or only with `kind` and `apiVersion`.
    #[error("the kustomization is empty: name at least one resource")]
    Empty,
    /// A path that leads nowhere.
    #[error("{path:?} is neither a file nor a folder of the tree{near}")]
    NoSuchPath {
        /// The path as it is written.
        path: String,
        /// Paths of about that name.
        near: Near,
    },
    /// A file that isn't there.
    #[error("there is no file {path:?}{near}")]
    NoSuchFile {
        /// The path as it is written.
        path: String,
        /// Paths of about that name.
        near: Near,
    },
    /// A path that leaves the tree.
    #[error("{path:?} leaves the tree: only what lies in it can be built")]
    Outside {
        /// The path.
        path: String,
    },
    /// A file beside the kustomization's own folder.
    #[error(
        "{path:?} lies outside the kustomization's own folder, which only resources and \
         components may do: move the file, or make its folder a kustomization"
    )]
    OutsideFolder {
        /// The path.
        path: String,
    },
    /// An absolute path.
    #[error("{path:?} is an absolute path: give one relative to the kustomization")]
    Absolute {
        /// The path.
        path: String,
    },
    /// A path such as `..base`, which is a slip.
    #[error("{path:?} has a segment with '..' in it: check it for a missing '/'")]
    Ambiguous {
        /// The path.
        path: String,
    },
    /// An address.
    #[error(
        "{path:?} is a remote address: nothing is downloaded while building, \
         so put a copy into the source"
    )]
    Remote {
        /// The address.
        path: String,
    },
    /// A kustomization that contains itself.
    #[error("{path:?} leads back to {visited:?}, which is being built: break the cycle")]
    Cycle {
        /// The path as it is written.
        path: String,
        /// The folder.
        visited: String,
    },
    /// `helmCharts` and its like.
    #[error(
        "Helm charts are not inflated: render the chart, and put the manifests into the source"
    )]
    Helm,
    /// A container, exec or Starlark function.
    #[error("{kind} is a function that runs in a {runner}: no program is started while building")]
    Function {
        /// The kind of its configuration.
        kind: String,
        /// How it would be run.
        runner: &'static str,
    },
    /// A plugin that isn't built in.
    #[error("{kind} ({api_version}) is a plugin of its own: only apiVersion builtin is supported")]
    Plugin {
        /// The kind of its configuration.
        kind: String,
        /// The API version of its configuration.
        api_version: String,
    },
    /// Something that this version doesn't build.
    #[error("{what} is not supported by this version")]
    Unsupported {
        /// What.
        what: String,
    },
    /// A component where a kustomization is wanted, or the other way round.
    #[error("{folder:?} is a {found}, but {expected} is wanted here")]
    WrongKind {
        /// The folder.
        folder: String,
        /// Its kind.
        found: &'static str,
        /// The kind wanted.
        expected: &'static str,
    },
    /// A pattern that isn't a regular expression.
    #[error("{pattern:?} is not a regular expression: {message}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        message: String,
    },
    /// Nothing is called so.
    #[error("no object matches {wanted}{near}")]
    NoMatch {
        /// What was looked for.
        wanted: String,
        /// Objects of about that name.
        near: Near,
    },
    /// More than one object is called so.
    #[error("{} objects match {wanted}: {}", .found.len(), .found.join(", "))]
    SeveralMatches {
        /// What was looked for.
        wanted: String,
        /// Which objects.
        found: Vec<String>,
    },
    /// A JSON 6902 operation can't be carried out.
    #[error("operation {operation} on {object}: {message}")]
    Operation {
        /// Its number, counted from 1.
        operation: usize,
        /// The object.
        object: String,
        /// What stands in the way.
        message: String,
    },
    /// A patch and an object don't fit each other.
    #[error("{object}, {field}: {message}")]
    Mismatch {
        /// The object.
        object: String,
        /// The field in the object.
        field: String,
        /// What doesn't fit.
        message: String,
    },
    /// A validator changed objects.
    #[error("the validator changes {object}: validators may only look")]
    ValidatorChanged {
        /// The object.
        object: String,
    },
    /// Anything else, in words.
    #[error("{0}")]
    Other(String),
    /// A bound.
    #[error("the build has more than the limit of {limit} {what}")]
    Limit {
        /// What is bounded.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}
