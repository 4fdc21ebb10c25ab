//! One stage of a release.

use serde::{Deserialize, Serialize};

use super::action::StageActions;
use super::budget::ErrorBudget;
use super::conflict::ConflictPolicy;
use super::post_build::{Patch, PostBuild};
use super::promotion::StagePromotion;
use super::ready_checks::ReadyChecks;
use super::reference::SourceReference;
use crate::choice::{Choice, words};
use crate::duration::DurationText;

words! {
    /// What a timeout means while objects are still progressing.
    OnTimeout {
        /// Wait on.
        Hold = "Hold",
        /// Count it as a failure.
        Rollback = "Rollback",
    }
}

/// One stage of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// Name, unique in the StageSet; becomes a label value.
    #[cfg_attr(
        feature = "crd",
        schemars(length(max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))
    )]
    pub name: String,
    /// Alias that migrations may anchor to; wins over a stage's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration_anchor: Option<String>,
    /// Source of the content.
    pub source_ref: SourceReference,
    /// Directory inside the artifact. Acts as ./ when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Account for this stage's operations. Defaults to the StageSet's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "crd",
        schemars(
            length(max = 253),
            regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
        )
    )]
    pub service_account_name: Option<String>,
    /// Delete objects that leave the stage, and all of them with the StageSet. Acts as true when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prune: Option<bool>,
    /// How long the objects may take to become ready. Defaults to the StageSet's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<DurationText>,
    /// What a timeout means while objects are still progressing. Defaults to the StageSet's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_timeout: Option<Choice<OnTimeout>>,
    /// Recreate objects on immutable-field conflicts; shorthand for conflictPolicy.default Recreate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force: Option<bool>,
    /// Answers to immutable-field conflicts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict_policy: Option<ConflictPolicy>,
    /// Apply objects that carry Helm hook annotations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apply_helm_hook_resources: Option<bool>,
    /// Kustomize patches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<Patch>,
    /// Variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_build: Option<PostBuild>,
    /// Steps around the stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actions: Option<StageActions>,
    /// How the stage is verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_checks: Option<ReadyChecks>,
    /// Gate on advancing past the stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion: Option<StagePromotion>,
    /// Gate on a new revision entering the stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_budget: Option<ErrorBudget>,
}
