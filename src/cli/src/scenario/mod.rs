//! A scenario: a folder that describes a cluster, artifacts, StageSets and what happens when.
//!
//! ```text
//! cluster/*.yaml                        objects that are there before the start
//! artifacts/<source>/…                  what a source offers: a plain folder of manifests
//! artifacts/<source>/<revision>/…       or several, if a step publishes revisions of that source
//! stagesets/*.yaml                      the StageSets, and sources that are written out
//! scenario.yaml                         how long, and what happens in between (optional)
//! ```
//!
//! [`Scenario::load`] reads all of it and refuses what it doesn't know, with file and line. The format
//! is described for users in `docs/simulate.md`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use stageset_render::Tree;

mod folder;
mod load;
mod settings;
mod sources;

pub(crate) use folder::files;
pub use sources::SourceObject;

/// Why a folder can't be used. Every message names the file, and the line where there is one.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The folder or something in it can't be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// The path.
        path: String,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// Something in a file is wrong.
    #[error("{file}:{line}: {message}")]
    Line {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong and what to do.
        message: String,
    },
    /// Something is wrong that has no line.
    #[error("{path}: {message}")]
    Path {
        /// The file or folder.
        path: String,
        /// What is wrong and what to do.
        message: String,
    },
    /// A manifest can't be read; the message has file and line.
    #[error("{0}")]
    Manifest(String),
}

/// A folder, read.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The folder.
    pub directory: PathBuf,
    /// Objects that are there before the start, in the order of the files.
    pub cluster: Vec<Manifest>,
    /// The StageSets.
    pub stage_sets: Vec<Manifest>,
    /// The sources that have a folder of artifacts: those written out, and those made because a
    /// StageSet names them.
    pub sources: Vec<SourceObject>,
    /// What each source offers, by the name of its folder.
    pub artifacts: BTreeMap<String, Revisions>,
    /// The virtual time at which the simulation ends, if the folder says so.
    pub until: Option<Duration>,
    /// What happens in between, in order.
    pub steps: Vec<Step>,
}

/// A manifest and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// File, document and line, for messages.
    pub origin: String,
    /// The object.
    pub body: Value,
}

impl Manifest {
    /// Which object this is.
    pub fn object(&self) -> ObjectName {
        let text = |pointer: &str| {
            self.body
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        ObjectName {
            api_version: text("/apiVersion"),
            kind: text("/kind"),
            namespace: Some(text("/metadata/namespace")).filter(|namespace| !namespace.is_empty()),
            name: text("/metadata/name"),
        }
    }
}

/// The revisions of one source.
#[derive(Debug, Clone, PartialEq)]
pub struct Revisions {
    /// The one that is offered from the start.
    pub first: String,
    /// All of them by name.
    pub by_name: BTreeMap<String, Tree>,
}

/// Something that happens while the controller runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Virtual time from the start.
    pub at: Duration,
    /// `scenario.yaml:LINE`, for messages.
    pub origin: String,
    /// What.
    pub action: Action,
}

/// What a step does, always as the cluster's administrator.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// A source offers another revision.
    Publish(Publication),
    /// Objects are applied.
    Apply(Vec<Manifest>),
    /// An object is deleted.
    Delete(ObjectName),
    /// An object is changed by a JSON merge patch.
    Patch(ObjectName, Value),
}

/// A revision of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// Name of the source and of its folder.
    pub source: String,
    /// Name of the revision's folder.
    pub revision: String,
}

/// What names an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectName {
    /// Group and version.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Namespace, if it has one.
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}
