//! The record of actions that are done for ever. It survives the deletion of its StageSet.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::choice::words;
use crate::condition::Condition;
use crate::object_meta::ObjectMeta;
use crate::read::tolerant;
use crate::time::Time;

/// A StageLedger; it has the namespace and name of its StageSet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StageLedger {
    /// [`API_VERSION`](crate::names::API_VERSION).
    #[serde(default)]
    pub api_version: String,
    /// [`KIND_STAGE_LEDGER`](crate::names::KIND_STAGE_LEDGER).
    #[serde(default)]
    pub kind: String,
    /// Metadata.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What people assert.
    #[serde(default)]
    pub spec: StageLedgerSpec,
    /// What is recorded.
    #[serde(default)]
    pub status: StageLedgerStatus,
}

impl StageLedger {
    /// Reads a ledger, leaving out records and fields that don't fit.
    pub fn read(object: &Value) -> Self {
        tolerant(object)
    }
}

/// What people assert about Lifetime actions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct StageLedgerSpec {
    /// Actions that count as done without having run. Only ever adds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub baseline: Vec<LedgerBaseline>,
}

/// An action that counts as done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LedgerBaseline {
    /// Name of the stage.
    pub stage: String,
    /// Name of the action.
    pub action: String,
}

/// What is recorded about Lifetime actions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct StageLedgerStatus {
    /// Actions that are done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub completed_actions: Vec<CompletedAction>,
    /// Conditions; BaselineValid says whether every baseline entry names a Lifetime action.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(
        feature = "crd",
        schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))
    )]
    pub conditions: Vec<Condition>,
}

words! {
    /// How an action came to be done.
    CompletionOrigin {
        /// It ran.
        Executed = "Executed",
        /// Somebody said so.
        Baselined = "Baselined",
    }
}

/// An action that is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CompletedAction {
    /// Name of the stage.
    pub stage: String,
    /// Name of the action.
    pub action: String,
    /// How it came to be done.
    pub origin: CompletionOrigin,
    /// Digest of the action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Witness whose loss undoes this record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<RecordedAnchor>,
    /// When it was done.
    pub completed_at: Time,
}

/// A witness as it was when the action was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RecordedAnchor {
    /// Group and version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// Kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Object name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Uid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn records_that_make_no_sense_are_left_out() {
        let ledger = StageLedger::read(&json!({
            "metadata": {"name": "shop"},
            "spec": {"baseline": [{"stage": "a"}, {"stage": "a", "action": "b"}]},
            "status": {"completedActions": [
                {"stage": "a", "action": "b", "origin": "Guessed", "completedAt": "t"},
                {"stage": "a", "action": "c", "origin": "Executed", "completedAt": "t", "anchor": 1},
            ]}
        }));
        assert_eq!(ledger.spec.baseline.len(), 1);
        assert_eq!(ledger.status.completed_actions.len(), 1);
        assert_eq!(
            ledger.status.completed_actions[0].origin,
            CompletionOrigin::Executed
        );
        assert_eq!(ledger.status.completed_actions[0].anchor, None);
    }
}
