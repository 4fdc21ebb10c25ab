//! A StageSet's spec, parsed once into types that cannot be wrong.
//!
//! Everything after [`parse`] works on these types; nothing else in the core names a CRD struct.
//! Behaviour that isn't built yet never reaches them: the parser refuses its fields by name.
//!
//! - `parse` puts the steps together, `problems` collects and orders what is found.
//! - `rules/` holds the rules of the API contract, one file a topic, each with its number.
//! - `unsupported` is the one table of fields that this version refuses; it only ever shrinks.
//! - `accounts` notices when a stage is given another account.
//! - `convert` makes the types below, `actions` those of a stage's steps, `overlay` those of patches
//!   and variables.

mod accounts;
mod actions;
mod conflicts;
mod convert;
mod overlay;
mod parse;
mod problems;
mod references;
mod rules;
#[cfg(test)]
mod tests;
mod unsupported;

pub use accounts::Accounts;
pub use actions::{
    Action, ActionPhase, ActionScope, Actions, Anchor, Body, Cascade, Delete, Http, Manifests,
    Method, ObjectTarget, Patch, PatchFormat, SecretKey, Selected, Until, Verb,
};
pub use conflicts::{Answer, ConflictAnswer, ConflictPolicy, ConflictRule};
pub use overlay::{
    Overlay, OverlayPatch, VariableKind, VariableReference, VariableSource, is_variable_name,
};
pub use parse::parse;
pub use references::{References, references};
pub use unsupported::supported_fields;

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::identity::KubeconfigReference;
use crate::judge::cel::Expression;
use crate::names::{Namespace, ServiceAccountName, StageName};
use crate::object::GroupVersionKind;

/// A valid spec that uses only what this version supports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Spec {
    /// Steady reconcile cadence; `None` = the controller's default. Always positive.
    pub interval: Option<Duration>,
    /// Cadence of waits and holds; `None` = the effective interval. Always positive.
    pub retry_interval: Option<Duration>,
    /// Shorter steady cadence for finding drift. Always positive.
    pub drift_detection_interval: Option<Duration>,
    /// Verify bound of all stages. Always positive.
    pub timeout: Option<Duration>,
    /// Stop reconciling; deletion still tears down.
    pub suspend: bool,
    /// The account every operation runs as, unless a stage names its own.
    pub service_account: Option<ServiceAccountName>,
    /// The Secret that names the remote cluster; `None` = the local one.
    pub kube_config: Option<KubeconfigReference>,
    /// The StageSets that must be ready first, in the order of the spec.
    pub depends_on: Vec<StageSetReference>,
    /// The ordered stages; never empty, names unique.
    pub stages: Vec<Stage>,
}

/// One stage of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stage {
    /// Unique within the StageSet; inventory key and label value.
    pub name: StageName,
    /// Where the content comes from.
    pub source: SourceReference,
    /// Directory inside the artifact, normalised: no leading `./`, `/` or `..`; empty = the root.
    pub path: String,
    /// The stage's own account, which wins over the StageSet's.
    pub service_account: Option<ServiceAccountName>,
    /// Patches and variables.
    pub overlay: Overlay,
    /// Whether objects that leave the stage are deleted.
    pub prune: bool,
    /// Verify bound from the first positive of `readyChecks.timeout`, `stages[].timeout`.
    pub timeout: Option<Duration>,
    /// `readyChecks.disableWait`: don't wait for the applied objects to become ready.
    pub disable_wait: bool,
    /// `readyChecks.checks`: further objects that must be ready.
    pub checks: Vec<Check>,
    /// `readyChecks.exprs`: what applied objects have to say themselves.
    pub expressions: Vec<ReadyExpressions>,
    /// `conflictPolicy` and `force`.
    pub conflicts: ConflictPolicy,
    /// Steps around it.
    pub actions: Actions,
}

impl Stage {
    /// The account that delivers it: its own, or the StageSet's.
    pub fn account<'a>(&'a self, spec: &'a Spec) -> Option<&'a ServiceAccountName> {
        self.service_account
            .as_ref()
            .or(spec.service_account.as_ref())
    }
}

/// Expressions that judge the applied objects of a group and kind; the version plays no part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReadyExpressions {
    /// API group; empty for the core group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Holds when the object is ready.
    pub current: Option<Expression>,
    /// Holds while the object is on its way.
    pub in_progress: Option<Expression>,
    /// Holds when the object has failed.
    pub failed: Option<Expression>,
}

/// A further object that a stage waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Group, version and kind; without an `apiVersion` the core group's `v1`.
    pub gvk: GroupVersionKind,
    /// Namespace; `None` = the StageSet's, if the kind has any.
    pub namespace: Option<String>,
    /// Object name.
    pub name: String,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.gvk.kind)?;
        if !self.gvk.group.is_empty() {
            write!(f, ".{}", self.gvk.group)?;
        }
        match &self.namespace {
            Some(namespace) => write!(f, " {namespace}/{}", self.name),
            None => write!(f, " {}", self.name),
        }
    }
}

/// A reference to a source object, with every default filled in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SourceReference {
    /// Group and version, e.g. `source.toolkit.fluxcd.io/v1`.
    pub api_version: String,
    /// Kind, e.g. `ExternalArtifact`.
    pub kind: String,
    /// Namespace: the StageSet's unless the reference names another.
    pub namespace: Namespace,
    /// Object name.
    pub name: String,
}

impl SourceReference {
    /// Whether the artifact stands in the referenced object itself (ExternalArtifact and Flux's own
    /// sources); any other kind is a producer whose ExternalArtifact has to be looked up.
    pub fn is_direct(&self) -> bool {
        let group = self
            .api_version
            .split_once('/')
            .map_or("", |(group, _)| group);
        group == "source.toolkit.fluxcd.io"
            && matches!(
                self.kind.as_str(),
                "ExternalArtifact" | "GitRepository" | "OCIRepository" | "Bucket"
            )
    }
}

impl fmt::Display for SourceReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// A reference to a StageSet, with its namespace filled in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct StageSetReference {
    /// Namespace: the referring StageSet's unless the reference names another.
    pub namespace: Namespace,
    /// Object name.
    pub name: String,
}

impl fmt::Display for StageSetReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// One rule that a spec breaks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// The rule's number in the API contract (`V1` to `V31`, `G1` to `G10`), `schema` for a value of
    /// the wrong shape, or `unsupported`.
    pub rule: &'static str,
    /// Path of the field, e.g. `spec.stages[1].name`.
    pub field: String,
    /// What was found and what to do, without the field's path.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let colon = if self.rule == problems::UNSUPPORTED {
            ""
        } else {
            ":"
        };
        write!(f, "{}{colon} {}", self.field, self.message)
    }
}
