//! When the objects of a stage count as ready.

use serde::{Deserialize, Serialize};

use super::reference::ObjectReference;
use crate::duration::DurationText;

/// How a stage is verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ReadyChecks {
    /// How long the objects may take, before all other timeouts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<DurationText>,
    /// Don't wait for the applied objects; explicit checks still count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disable_wait: Option<bool>,
    /// Further objects to wait for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<ObjectReference>,
    /// CEL expressions over applied objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exprs: Vec<ReadyExpression>,
}

/// CEL expressions that judge the applied objects of one group and kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ReadyExpression {
    /// Group and version; the version is ignored.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// True: the object is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// True: the object is still progressing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_progress: Option<String>,
    /// True: the object has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}
