//! When new revisions may be delivered.

use serde::{Deserialize, Serialize};

use crate::choice::{Choice, words};
use crate::duration::DurationText;
use crate::time::Time;

words! {
    /// What a window does.
    WindowType {
        /// Delivery is allowed inside.
        Allow = "Allow",
        /// Delivery is denied inside.
        Deny = "Deny",
    }
}

words! {
    /// What a closed window holds back.
    WindowScope {
        /// New revisions.
        Updates = "Updates",
        /// New revisions and drift correction.
        All = "All",
    }
}

/// A span of time, recurring (schedule and duration) or absolute (from and to).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct UpdateWindow {
    /// Whether delivery is allowed or denied inside the window.
    #[serde(rename = "type")]
    pub type_: Choice<WindowType>,
    /// Starts of a recurring window, as a cron expression with five fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// Length of a recurring window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<DurationText>,
    /// IANA time zone of the schedule. Acts as UTC when unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Start of an absolute window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Time>,
    /// End of an absolute window, itself outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Time>,
}
