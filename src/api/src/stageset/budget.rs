//! Metrics: where they are read, and the error budgets that rest on them.

use serde::{Deserialize, Serialize};

use super::reference::LocalReference;
use crate::choice::{Choice, words};
use crate::duration::DurationText;

/// Where one number is read; exactly one of the members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MetricSource {
    /// A Prometheus server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<PrometheusSource>,
    /// An HTTP endpoint that answers JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookSource>,
}

/// A query to a Prometheus server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PrometheusSource {
    /// Base URL of the server.
    pub address: String,
    /// Instant query that answers a scalar or a vector of one sample.
    pub query: String,
    /// Secret whose key token is sent as bearer token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalReference>,
}

/// A request to an HTTP endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct WebhookSource {
    /// Address of the endpoint.
    pub url: String,
    /// JSONPath to exactly one number or numeric text of the answer.
    pub json_path: String,
    /// Secret whose key token is sent as bearer token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalReference>,
}

/// Bounds of a value, both inclusive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Threshold {
    /// Lowest good value, as a decimal number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<String>,
    /// Highest good value, as a decimal number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<String>,
}

words! {
    /// What an unreadable metric means.
    BudgetSourceError {
        /// Go on.
        Allow = "Allow",
        /// Wait until it can be read.
        Hold = "Hold",
    }
}

/// Freezes new revisions while a metric is below its threshold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ErrorBudget {
    /// Where the remaining budget is read.
    pub source: MetricSource,
    /// Below this decimal number new revisions are frozen.
    pub freeze_threshold: String,
    /// Once frozen, below this decimal number they stay so. Defaults to freezeThreshold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_threshold: Option<String>,
    /// What an unreadable source means. Acts as Allow when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_source_error: Option<Choice<BudgetSourceError>>,
    /// Cadence of checks while frozen. Defaults to the retry interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<DurationText>,
    /// Record what would happen, but freeze nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
}
