//! What is recorded about a StageSet.
//!
//! [`StageSetStatus::read`] takes what anybody may have written there: what doesn't fit is left
//! out, and the rest counts. K22's additions (`run`, `verifyingSince`, `startedAction`,
//! `handledBy`) are optional for every reader.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::choice::words;
use crate::condition::Condition;
use crate::time::Time;

/// Recorded state of a release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct StageSetStatus {
    /// Generation of the spec that was last evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Last handled value of the annotation reconcile.fluxcd.io/requestedAt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// Conditions; Ready says whether the release is delivered, and why not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(
        feature = "crd",
        schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))
    )]
    pub conditions: Vec<Condition>,
    /// Revisions that the current run is pinned to, by namespace/name of their source.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub last_attempted_revisions: BTreeMap<String, String>,
    /// Revisions of the last run that succeeded as a whole, by namespace/name of their source.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub last_applied_revisions: BTreeMap<String, String>,
    /// Stages, as far as they were reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<StageStatus>,
    /// Deployed version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Version that waits for approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_version: Option<String>,
    /// Migrations on the way to the desired version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending_migrations: Vec<PendingMigration>,
    /// Migrations done in this transition, as name@digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub executed_migrations: Vec<String>,
    /// Migration actions done in this transition, as name@digest/action or name@digest/down/action.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub executed_migration_actions: Vec<String>,
    /// Consecutive failures of migrations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration_failure_count: Option<i32>,
    /// Failures of a stage with an unfinished Lifetime action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action_failure_count: Option<i32>,
    /// What a rollback goes back to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last_applied_snapshot: Vec<StageSnapshot>,
    /// What a closed window holds back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_update: Option<PendingUpdate>,
    /// Active or simulated freeze of the whole rollout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_freeze: Option<BudgetFreeze>,
    /// Last handled value of the annotation stages.metio.wtf/update-now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_update_override: Option<String>,
    /// Last handled value of the annotation stages.metio.wtf/budget-override.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_budget_override: Option<String>,
    /// Last handled value of the annotation stages.metio.wtf/reset-scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reset_scope: Option<String>,
    /// Controller release that handles this StageSet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handled_by: Option<HandledBy>,
}

impl StageSetStatus {
    /// Reads a status, leaving out what doesn't fit.
    pub fn read(status: &Value) -> Self {
        crate::read::tolerant(status)
    }

    /// The record of one stage.
    pub fn stage(&self, name: &str) -> Option<&StageStatus> {
        self.stages.iter().find(|stage| stage.name == name)
    }
}

/// A release of the controller itself (K24).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct HandledBy {
    /// Namespace of the controller's release.
    pub namespace: String,
    /// Name of the controller's release.
    pub name: String,
}

words! {
    /// Where a stage stands.
    StagePhase {
        /// Not reached.
        Pending = "Pending",
        /// Objects are being written.
        Applying = "Applying",
        /// Objects are being deleted.
        Pruning = "Pruning",
        /// Objects are becoming ready.
        Verifying = "Verifying",
        /// Done.
        Ready = "Ready",
        /// It failed.
        Failed = "Failed",
    }
}

/// Record of one stage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct StageStatus {
    /// Name of the stage.
    pub name: String,
    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<StagePhase>,
    /// Revision whose apply succeeded last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_revision: Option<String>,
    /// Objects in the inventory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries_count: Option<i64>,
    /// Shards of the inventory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shards: Option<i32>,
    /// What it is doing or waiting for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Revision-scoped actions that are done for ledgerRevision.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub executed_actions: Vec<String>,
    /// Revision that executedActions speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger_revision: Option<String>,
    /// Version-scoped actions that are done for ledgerVersion.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub executed_version_actions: Vec<String>,
    /// Version that executedVersionActions speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger_version: Option<String>,
    /// Last handled value of the annotation stages.metio.wtf/reconcile-stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// Where the promotion gate stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion_state: Option<PromotionState>,
    /// Last handled value of the annotation stages.metio.wtf/promote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_promotion: Option<String>,
    /// Active or simulated freeze of this stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_freeze: Option<BudgetFreeze>,
    /// Run that this record belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// When the wait for the stage's objects began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verifying_since: Option<Time>,
    /// Action that was started and not yet recorded as done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_action: Option<String>,
}

/// Preview of a migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PendingMigration {
    /// Name of the migration.
    pub name: String,
    /// Version whose crossing needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Its constraint on the deployed version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Stage that it runs before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// Verbs of its actions, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<String>,
    /// First twelve hexadecimal digits of the SHA-256 of the migration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// What a rollback of one stage goes back to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct StageSnapshot {
    /// Name of the stage.
    pub stage: String,
    /// Address of the artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Digest of the artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Revision of the artifact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Digest of the variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub substitution_digest: Option<String>,
}

/// What a closed window holds back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PendingUpdate {
    /// Held revisions, by namespace/name of their source; only when there are new ones.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub revisions: BTreeMap<String, String>,
    /// When delivery is allowed next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_window_opens: Option<Time>,
}

/// Active or simulated freeze.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct BudgetFreeze {
    /// Remaining budget at the last reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<String>,
    /// Threshold below which it froze.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freeze_threshold: Option<String>,
    /// Threshold from which it thaws.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_threshold: Option<String>,
    /// When it froze.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// Whether it is only simulated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
}

words! {
    /// Where a promotion gate stands.
    PromotionPhase {
        /// Held for the soak.
        Soaking = "Soaking",
        /// Held until the metrics are inside their bounds.
        Analyzing = "Analyzing",
        /// Shut.
        Blocked = "Blocked",
        /// Held until somebody promotes.
        AwaitingManual = "AwaitingManual",
        /// Passed.
        Promoted = "Promoted",
    }
}

/// Where a promotion gate stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PromotionState {
    /// Phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<PromotionPhase>,
    /// When the phase began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// When the soak ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak_until: Option<Time>,
    /// Consecutive failing evaluations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analysis_failures: Option<i32>,
    /// Restart check that shut the gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_check: Option<String>,
    /// Restarts that it counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_restarts: Option<i32>,
    /// Restarts that don't count, by check.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restart_baseline: Vec<RestartBaseline>,
    /// Event check that shut the gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_check: Option<String>,
    /// Events that it counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_events: Option<i32>,
    /// Revision that was rolled back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aborted_revision: Option<String>,
    /// Last evaluation of the metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_analysis: Option<AnalysisResult>,
}

/// Restarts that don't count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RestartBaseline {
    /// Name of the check.
    pub name: String,
    /// Restarts.
    pub restarts: i32,
}

/// One evaluation of the metrics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AnalysisResult {
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Time>,
    /// Whether every check was inside its bounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passed: Option<bool>,
    /// The checks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<AnalysisCheckResult>,
}

/// One metric of an evaluation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "crd", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AnalysisCheckResult {
    /// Name of the check.
    pub name: String,
    /// Value that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Whether it was inside its bounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ok: Option<bool>,
    /// Why it couldn't be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_status_somebody_else_wrote_is_read_as_far_as_it_makes_sense() {
        let status = StageSetStatus::read(&json!({
            "observedGeneration": "seven",
            "lastHandledReconcileAt": "t1",
            "conditions": [
                {"type": "Ready", "status": "True", "reason": "Succeeded", "message": "",
                 "lastTransitionTime": "2026-01-01T00:00:00Z"},
                {"type": "Ready", "status": "Perhaps"},
                17
            ],
            "lastAppliedRevisions": {"ns/a": "r1", "ns/b": 2},
            "stages": [
                {"name": "app", "phase": "Dancing", "entriesCount": -1, "shards": [1]},
                {"phase": "Ready"},
                null,
                {"name": "db", "phase": "Ready", "promotionState": "later"}
            ],
            "pendingUpdate": 3,
            "handledBy": {"name": "release"},
            "extra": {"deep": [[[]]]}
        }));
        assert_eq!(status.observed_generation, None);
        assert_eq!(status.last_handled_reconcile_at.as_deref(), Some("t1"));
        assert_eq!(status.conditions.len(), 1);
        assert_eq!(
            status.last_applied_revisions,
            BTreeMap::from([("ns/a".to_owned(), "r1".to_owned())])
        );
        let names: Vec<&str> = status.stages.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["app", "db"]);
        assert_eq!(status.stages[0].phase, None);
        assert_eq!(status.stages[0].entries_count, Some(-1));
        assert_eq!(status.stages[1].phase, Some(StagePhase::Ready));
        assert_eq!(status.stages[1].promotion_state, None);
        assert_eq!(status.pending_update, None);
        assert_eq!(status.handled_by, None);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut status = StageSetStatus {
            observed_generation: Some(3),
            ..Default::default()
        };
        status.stages.push(StageStatus {
            name: "app".into(),
            phase: Some(StagePhase::Verifying),
            run: Some("r".into()),
            verifying_since: Some("2026-01-01T00:00:00Z".into()),
            ..Default::default()
        });
        let value = serde_json::to_value(&status).unwrap();
        assert_eq!(StageSetStatus::read(&value), status);
        assert_eq!(
            value,
            json!({"observedGeneration": 3, "stages": [{"name": "app", "phase": "Verifying",
                "run": "r", "verifyingSince": "2026-01-01T00:00:00Z"}]})
        );
    }

    #[test]
    fn no_status_is_an_empty_one() {
        for nothing in [json!(null), json!("x"), json!([1]), json!({})] {
            assert_eq!(StageSetStatus::read(&nothing), StageSetStatus::default());
        }
    }
}
