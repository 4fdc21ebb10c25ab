//! The version of a release, and the steps between versions.

use serde::{Deserialize, Serialize};

use super::action::Action;
use super::reference::SourceReference;
use crate::choice::{Choice, words};

words! {
    /// Which transitions wait for approval.
    ApprovalMode {
        /// None.
        Never = "Never",
        /// Those with migrations pending.
        OnMigrations = "OnMigrations",
        /// All.
        Always = "Always",
    }
}

/// Where the version comes from; exactly one of value, fromObject, fromArtifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct VersionSource {
    /// The version itself, as semver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// A field of a rendered object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_object: Option<VersionFromObject>,
    /// A file of an artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_artifact: Option<VersionFromArtifact>,
    /// Fail when a major version is crossed with no migration pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require_migration_coverage: Option<bool>,
    /// Which transitions wait for approval. Acts as Never when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_mode: Option<Choice<ApprovalMode>>,
    /// Permit a desired version below the deployed one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_downgrade: Option<bool>,
}

/// A field of a rendered object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct VersionFromObject {
    /// Stage that renders the object. Defaults to the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// Kind of the object.
    pub kind: String,
    /// Name of the object.
    pub name: String,
    /// Group and version of the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// kubectl JSONPath to the version. Defaults to the label app.kubernetes.io/version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field_path: Option<String>,
}

/// A file of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct VersionFromArtifact {
    /// Stage whose artifact holds the file.
    pub stage: String,
    /// Path of the file.
    pub path: String,
}

/// Steps on the way to a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Migration {
    /// Name, unique in the ladder.
    pub name: String,
    /// Version whose crossing needs the steps, as semver.
    pub to: String,
    /// Constraint on the deployed version, e.g. ">=1.2.0".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Stage before which the steps run: a migrationAnchor or a stage name. Defaults to the first stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// The steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(
        feature = "crd",
        schemars(schema_with = "crate::crd::migration_actions")
    )]
    pub actions: Vec<Action>,
    /// The steps back. Empty: it can't be reversed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(
        feature = "crd",
        schemars(schema_with = "crate::crd::migration_actions")
    )]
    pub down: Vec<Action>,
}

/// Artifact that the migrations are read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MigrationsSource {
    /// The source; always in the StageSet's own namespace.
    pub source_ref: SourceReference,
    /// Directory inside the artifact. Defaults to its root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}
