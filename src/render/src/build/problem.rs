//! What can be wrong with a build.

use std::fmt;

use thiserror::Error;

use crate::kustomize::{Fault, Near, Place};
use crate::yaml::YamlError;

/// Where an object was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The file, as a path in the artifact.
    pub file: String,
    /// The document in the file, counted from 1, empty ones included.
    pub document: usize,
    /// The line in the file on which the object begins, counted from 1.
    pub line: usize,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, document {}, line {}",
            self.file, self.document, self.line
        )
    }
}

/// One problem of a build. Values of objects never stand in it, only names and places.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Problem {
    /// The path isn't one within the artifact.
    #[error("the path {path:?} {what}: give a folder within the artifact")]
    BadPath {
        /// The path as given.
        path: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The artifact has no such folder.
    #[error(
        "the path {path:?} is not in the artifact: \
         correct the path, or let the source put a folder there"
    )]
    NoSuchPath {
        /// The path as given.
        path: String,
    },
    /// The path is a file.
    #[error("the path {path:?} is a file: give the folder that holds it")]
    PathIsFile {
        /// The path as given.
        path: String,
    },
    /// The folder holds no manifest.
    #[error("the path {path:?} holds no .yaml, .yml or .json file")]
    NoManifests {
        /// The path as given.
        path: String,
    },
    /// A file isn't readable YAML or JSON.
    #[error("{file}, {error}")]
    Yaml {
        /// The file.
        file: String,
        /// What is wrong, and where.
        #[source]
        error: YamlError,
    },
    /// Something that stands where an object should isn't one.
    #[error("{origin}: {fault}")]
    Object {
        /// Where.
        origin: Origin,
        /// What is wrong.
        fault: ObjectFault,
    },
    /// One object twice.
    #[error("{object} is defined twice: {first}, and {second}; remove one")]
    Duplicate {
        /// The object.
        object: String,
        /// Where it was seen first.
        first: Origin,
        /// Where it was seen again.
        second: Origin,
    },
    /// A kustomization, or a file that belongs to one, can't be followed.
    #[error("{}{fault}", .place.prefix())]
    Kustomize {
        /// Where.
        place: Place,
        /// What is wrong.
        #[source]
        fault: Fault,
    },
    /// A generator merges into, or replaces, an object that isn't there.
    #[error(
        "{origin}: the generator is to merge into or replace {object}, which isn't there{near}"
    )]
    NothingToMerge {
        /// The object.
        object: String,
        /// Where the generator stands.
        origin: Origin,
        /// What is there.
        near: Near,
    },
    /// More than [`crate::Limits::objects`].
    #[error("the build has more than the limit of {limit} objects: split it into several stages")]
    TooManyObjects {
        /// The limit.
        limit: usize,
    },
}

/// What is wrong with an object.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ObjectFault {
    /// Not a mapping.
    #[error("expected an object (a mapping with apiVersion, kind and metadata), found {found}")]
    NotMapping {
        /// What it is.
        found: &'static str,
    },
    /// A field that every object must have.
    #[error("{what} has no {field}: every object needs one")]
    Missing {
        /// The object as far as it is known.
        what: String,
        /// The field.
        field: &'static str,
    },
    /// A field of the wrong type or form.
    #[error("{what} has {found} as {field} (line {line}): expected {expected}")]
    BadField {
        /// The object as far as it is known.
        what: String,
        /// The field.
        field: String,
        /// What it is.
        found: String,
        /// The line of the field's value.
        line: usize,
        /// What it should be.
        expected: &'static str,
    },
    /// `metadata.generateName`.
    #[error(
        "{what} has metadata.generateName: objects must have a fixed metadata.name, \
         or every run would create another one"
    )]
    GenerateName {
        /// The object as far as it is known.
        what: String,
    },
}
