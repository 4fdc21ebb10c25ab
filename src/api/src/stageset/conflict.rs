//! What to do when the API server won't change an object because a field of it is immutable.

use serde::{Deserialize, Serialize};

use crate::choice::{Choice, words};

words! {
    /// Answer to an immutable-field conflict.
    ConflictAction {
        /// Report it.
        Fail = "Fail",
        /// Delete the object and create it anew.
        Recreate = "Recreate",
        /// Leave the live object as it is.
        KeepExisting = "KeepExisting",
    }
}

/// Answers to immutable-field conflicts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConflictPolicy {
    /// Answer for objects without a matching rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(extend("x-schema-default" = "Fail")))]
    pub default: Option<Choice<ConflictAction>>,
    /// Answers for some objects; the first match wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<ConflictRule>,
}

/// Answer for some objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConflictRule {
    /// The objects.
    pub target: ConflictTarget,
    /// The answer.
    pub action: Choice<ConflictAction>,
    /// Permit recreating a PersistentVolumeClaim or PersistentVolume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_data_loss: Option<bool>,
}

/// Objects by their reference; an unset member matches any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ConflictTarget {
    /// Group and version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Object name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}
