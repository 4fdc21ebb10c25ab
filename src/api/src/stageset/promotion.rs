//! What has to hold before the release goes on past a stage.

use serde::{Deserialize, Serialize};

use super::budget::{BudgetSourceError, MetricSource, Threshold};
use super::selector::LabelSelector;
use crate::choice::{Choice, words};
use crate::duration::DurationText;

words! {
    /// What a shut gate means.
    GateFailure {
        /// Wait.
        Hold = "Hold",
        /// Restore the stage's last good revision.
        Rollback = "Rollback",
    }
}

/// Gate on advancing past a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct StagePromotion {
    /// How long the stage is held after it became ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak: Option<DurationText>,
    /// Hold until somebody promotes the stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require_manual_promotion: Option<bool>,
    /// Metrics that must be inside their bounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analysis: Option<Analysis>,
    /// Metric that ends the soak early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fast_track: Option<FastTrack>,
    /// Bound on container restarts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_gate: Option<RestartGate>,
    /// Bound on Warning events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_gate: Option<EventGate>,
}

/// Metrics that must be inside their bounds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Analysis {
    /// The metrics; all must be inside.
    #[cfg_attr(feature = "crd", schemars(length(min = 1)))]
    pub checks: Vec<AnalysisCheck>,
    /// Cadence of evaluations. Defaults to the retry interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<DurationText>,
    /// Consecutive failing evaluations that are tolerated. Acts as 0 when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(range(min = 0)))]
    pub failure_limit: Option<i32>,
    /// What a failed analysis means. Acts as Hold when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<Choice<GateFailure>>,
    /// What an unreadable source means. Acts as Hold when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_source_error: Option<Choice<BudgetSourceError>>,
    /// Record what would happen, but hold nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
}

/// One metric of an analysis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AnalysisCheck {
    /// Name in status and messages.
    pub name: String,
    /// Where the value is read.
    pub source: MetricSource,
    /// Bounds of the value.
    pub threshold: Threshold,
}

/// A metric that ends the soak early.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct FastTrack {
    /// Where the value is read.
    pub source: MetricSource,
    /// Highest value that ends the soak, as a decimal number.
    pub max: String,
    /// Shortest soak. Acts as 0 when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<DurationText>,
}

/// Bound on container restarts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RestartGate {
    /// What a shut gate means. Acts as Hold when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<Choice<GateFailure>>,
    /// The checks; all must pass.
    #[cfg_attr(
        feature = "crd",
        schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))
    )]
    pub checks: Vec<RestartCheck>,
}

/// Restarts of containers and init containers of some pods in the StageSet's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RestartCheck {
    /// Name in status and messages.
    pub name: String,
    /// The pods.
    pub selector: LabelSelector,
    /// Restarts beyond the baseline that are tolerated. Acts as 0 when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(range(min = 0)))]
    pub max_restarts: Option<i32>,
    /// What this check's failure means. Defaults to the gate's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<Choice<GateFailure>>,
}

/// Bound on Warning events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EventGate {
    /// What a shut gate means. Acts as Hold when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<Choice<GateFailure>>,
    /// The checks; all must pass.
    #[cfg_attr(
        feature = "crd",
        schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))
    )]
    pub checks: Vec<EventCheck>,
}

/// Warning events with some reasons on some pods in the StageSet's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EventCheck {
    /// Name in status and messages.
    pub name: String,
    /// The pods.
    pub selector: LabelSelector,
    /// Reasons that count.
    #[cfg_attr(feature = "crd", schemars(length(min = 1)))]
    pub reasons: Vec<String>,
    /// Events that are tolerated. Acts as 0 when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(range(min = 0)))]
    pub max_events: Option<i32>,
    /// What this check's failure means. Defaults to the gate's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<Choice<GateFailure>>,
}
