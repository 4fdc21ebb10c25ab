//! `metav1.Condition` as a plain struct.

use serde::{Deserialize, Serialize};

use crate::choice::words;
use crate::time::Time;

/// Type of the one condition that people and tools look at.
pub const READY: &str = "Ready";
/// kstatus: the controller is still working towards the newest generation.
pub const RECONCILING: &str = "Reconciling";
/// kstatus: nothing more happens without outside help.
pub const STALLED: &str = "Stalled";
/// On a StageLedger: every baseline entry names a real Lifetime action.
pub const BASELINE_VALID: &str = "BaselineValid";

words! {
    /// Status of a condition.
    ConditionStatus {
        /// It holds.
        True = "True",
        /// It doesn't hold.
        False = "False",
        /// Not known.
        Unknown = "Unknown",
    }
}

/// One observation about an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Type of the condition in CamelCase.
    #[serde(rename = "type")]
    #[cfg_attr(
        feature = "crd",
        schemars(
            length(max = 316),
            regex(
                pattern = r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
            )
        )
    )]
    pub type_: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Generation of the spec that the condition speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "crd", schemars(range(min = 0)))]
    pub observed_generation: Option<i64>,
    /// When the status last changed.
    pub last_transition_time: Time,
    /// Why, as one CamelCase word.
    #[cfg_attr(
        feature = "crd",
        schemars(
            length(min = 1, max = 1024),
            regex(pattern = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")
        )
    )]
    pub reason: String,
    /// Why, for people.
    #[cfg_attr(feature = "crd", schemars(length(max = 32768)))]
    pub message: String,
}

/// The condition of one type.
pub fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|c| c.type_ == type_)
}
