//! A StageSet's status: read for the core, and written so that what others wrote stays.
//!
//! Fields that this version doesn't know or write (the Go controller's ledgers, promotion state and
//! the like) are left as they stand: maps are patched key by key, stages and conditions are lists
//! that a merge patch replaces, so each item is built on what stands there.

use serde_json::{Map, Value, json};
use stageset_api::condition::{self as api_condition};
use stageset_api::status::{self as api, StagePhase, StageSetStatus};
use stageset_core::names::StageName;
use stageset_core::observation::{
    ActionRecord, Condition, ConditionStatus, ControllerRelease, Phase, StageStatus, Started,
    Status,
};
use stageset_core::time::Timestamp;

/// The condition types that this controller writes.
const OURS: [&str; 3] = [
    api_condition::READY,
    api_condition::RECONCILING,
    api_condition::STALLED,
];

/// What the core reads of a status.
pub fn read(status: &StageSetStatus) -> Status {
    Status {
        observed_generation: status.observed_generation.unwrap_or(0),
        last_handled_reconcile_at: status.last_handled_reconcile_at.clone(),
        conditions: status.conditions.iter().filter_map(condition).collect(),
        last_attempted_revisions: status.last_attempted_revisions.clone(),
        last_applied_revisions: status.last_applied_revisions.clone(),
        stages: status.stages.iter().filter_map(stage).collect(),
        action_failures: status
            .action_failure_count
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or(0),
        handled_by: status.handled_by.as_ref().map(|release| ControllerRelease {
            namespace: release.namespace.clone(),
            name: release.name.clone(),
        }),
    }
}

fn condition(found: &api_condition::Condition) -> Option<Condition> {
    let kind = OURS.into_iter().find(|kind| *kind == found.type_)?;
    Some(Condition {
        kind,
        status: match found.status {
            api_condition::ConditionStatus::True => ConditionStatus::True,
            api_condition::ConditionStatus::False => ConditionStatus::False,
            api_condition::ConditionStatus::Unknown => ConditionStatus::Unknown,
        },
        reason: found.reason.clone(),
        message: found.message.clone(),
        observed_generation: found.observed_generation.unwrap_or(0),
        last_transition: Timestamp::parse(found.last_transition_time.as_str()).unwrap_or_default(),
    })
}

fn stage(found: &api::StageStatus) -> Option<StageStatus> {
    Some(StageStatus {
        name: StageName::new(found.name.as_str()).ok()?,
        phase: match found.phase {
            None | Some(StagePhase::Pending) => Phase::Pending,
            Some(StagePhase::Applying) => Phase::Applying,
            Some(StagePhase::Pruning) => Phase::Pruning,
            Some(StagePhase::Verifying) => Phase::Verifying,
            Some(StagePhase::Ready) => Phase::Ready,
            Some(StagePhase::Failed) => Phase::Failed,
        },
        applied_revision: found.applied_revision.clone(),
        entries_count: found
            .entries_count
            .and_then(|count| usize::try_from(count).ok())
            .unwrap_or(0),
        message: found.message.clone(),
        run: found.run.clone(),
        verifying_since: found
            .verifying_since
            .as_ref()
            .and_then(|time| Timestamp::parse(time.as_str())),
        actions: ActionRecord {
            revision: found.ledger_revision.clone(),
            executed: found.executed_actions.clone(),
            started: found
                .started_action
                .as_deref()
                .map(Started::parse_all)
                .unwrap_or_default(),
            handled: found.last_handled_reconcile_at.clone(),
        },
    })
}

/// The merge patch that brings the status of `object` to `wanted`, if it is still as it stands here.
pub fn patch(object: &Value, wanted: &Status) -> Value {
    let stands = &object["status"];
    let mut status = Map::new();
    status.insert(
        "observedGeneration".into(),
        wanted.observed_generation.into(),
    );
    put(
        &mut status,
        "lastHandledReconcileAt",
        wanted.last_handled_reconcile_at.clone(),
    );
    status.insert(
        "conditions".into(),
        conditions(&stands["conditions"], wanted),
    );
    for (field, revisions) in [
        ("lastAttemptedRevisions", &wanted.last_attempted_revisions),
        ("lastAppliedRevisions", &wanted.last_applied_revisions),
    ] {
        let mut patch: Map<String, Value> = Map::new();
        for key in stands[field].as_object().into_iter().flat_map(Map::keys) {
            patch.insert(key.clone(), Value::Null);
        }
        for (key, revision) in revisions {
            patch.insert(key.clone(), revision.clone().into());
        }
        if !patch.is_empty() {
            status.insert(field.into(), Value::Object(patch));
        }
    }
    let counted = wanted.action_failures > 0 || stands.get("actionFailureCount").is_some();
    if counted {
        status.insert("actionFailureCount".into(), wanted.action_failures.into());
    }
    let stages: Vec<Value> = wanted
        .stages
        .iter()
        .map(|stage| stage_on(&stands["stages"], stage))
        .collect();
    status.insert("stages".into(), Value::Array(stages));
    if let Some(ControllerRelease { namespace, name }) = &wanted.handled_by {
        let claim = json!({ "namespace": namespace, "name": name });
        status.insert("handledBy".into(), claim);
    }
    json!({
        "metadata": { "resourceVersion": object.pointer("/metadata/resourceVersion") },
        "status": status,
    })
}

/// Sets a field, or takes it away.
fn put(map: &mut Map<String, Value>, field: &str, value: Option<String>) {
    map.insert(field.into(), value.map_or(Value::Null, Value::from));
}

/// Our conditions in the places where they stand, with others' between them untouched.
fn conditions(stands: &Value, wanted: &Status) -> Value {
    let mut list = Vec::new();
    let mut seen = Vec::new();
    for item in stands.as_array().into_iter().flatten() {
        let kind = item["type"].as_str().unwrap_or_default();
        if !OURS.contains(&kind) {
            list.push(item.clone());
        } else if let Some(condition) = wanted.condition(kind)
            && !seen.contains(&condition.kind)
        {
            list.push(condition_json(condition));
            seen.push(condition.kind);
        }
    }
    let missing = wanted
        .conditions
        .iter()
        .filter(|condition| !seen.contains(&condition.kind));
    list.extend(missing.map(condition_json));
    Value::Array(list)
}

fn condition_json(condition: &Condition) -> Value {
    json!({
        "type": condition.kind,
        "status": condition.status.as_str(),
        "reason": condition.reason,
        "message": condition.message,
        "observedGeneration": condition.observed_generation,
        "lastTransitionTime": condition.last_transition.to_string(),
    })
}

/// A stage's record on top of what stands there under its name.
fn stage_on(stands: &Value, stage: &StageStatus) -> Value {
    let mut item = stands
        .as_array()
        .into_iter()
        .flatten()
        .find(|item| item["name"] == stage.name.as_str())
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    let phase = match stage.phase {
        Phase::Pending => "Pending",
        Phase::Applying => "Applying",
        Phase::Verifying => "Verifying",
        Phase::Ready => "Ready",
        Phase::Failed => "Failed",
        Phase::Pruning => "Pruning",
    };
    item.insert("name".into(), stage.name.as_str().into());
    item.insert("phase".into(), phase.into());
    item.insert("entriesCount".into(), stage.entries_count.into());
    let actions = &stage.actions;
    if actions.executed.is_empty() {
        item.remove("executedActions");
    } else {
        item.insert("executedActions".into(), actions.executed.clone().into());
    }
    let started: Vec<String> = actions.started.iter().map(ToString::to_string).collect();
    for (field, value) in [
        ("ledgerRevision", actions.revision.clone()),
        ("lastHandledReconcileAt", actions.handled.clone()),
        (
            "startedAction",
            (!started.is_empty()).then(|| started.join("\n")),
        ),
        ("appliedRevision", stage.applied_revision.clone()),
        ("message", stage.message.clone()),
        ("run", stage.run.clone()),
        (
            "verifyingSince",
            stage.verifying_since.map(|time| time.to_string()),
        ),
    ] {
        match value {
            Some(value) => item.insert(field.into(), value.into()),
            // Lists are replaced whole, so absent is absent here.
            None => item.remove(field),
        };
    }
    Value::Object(item)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Status {
        Status {
            observed_generation: 2,
            last_handled_reconcile_at: None,
            conditions: vec![Condition {
                kind: "Ready",
                status: ConditionStatus::True,
                reason: "Succeeded".into(),
                message: "done".into(),
                observed_generation: 2,
                last_transition: Timestamp::parse("2026-11-23T12:00:00Z").unwrap(),
            }],
            last_attempted_revisions: [("n/a".to_owned(), "r2".to_owned())].into(),
            last_applied_revisions: [].into(),
            handled_by: Some(ControllerRelease {
                namespace: "stageset-system".into(),
                name: "a".into(),
            }),
            stages: vec![StageStatus {
                name: StageName::new("app").unwrap(),
                phase: Phase::Ready,
                applied_revision: Some("r2".into()),
                entries_count: 3,
                message: None,
                run: Some("abc".into()),
                verifying_since: None,
                actions: ActionRecord {
                    revision: Some("r2".into()),
                    executed: vec!["migrate".into()],
                    started: Started::parse_all(
                        "attempt=2 first=2026-11-23T12:00:00.000Z since=2026-11-23T12:00:01.500Z \
                         key=lifetime post/tell people",
                    ),
                    handled: Some("t1".into()),
                },
            }],
            action_failures: 3,
        }
    }

    fn merge(target: &mut Value, patch: &Value) {
        let Some(patch) = patch.as_object() else {
            *target = patch.clone();
            return;
        };
        if !target.is_object() {
            *target = json!({});
        }
        for (key, value) in patch {
            if value.is_null() {
                target.as_object_mut().unwrap().remove(key);
            } else {
                merge(&mut target[key], value);
            }
        }
    }

    #[test]
    fn what_the_core_writes_it_reads_back() {
        let mut object = json!({ "metadata": { "resourceVersion": "7" }, "status": {
            "lastHandledReconcileAt": "old",
            "lastAttemptedRevisions": { "n/gone": "r1" },
            "stages": [{ "name": "gone" }],
        }});
        let patch = patch(&object, &wanted());
        assert_eq!(patch["metadata"]["resourceVersion"], "7");
        assert_eq!(wanted().stages[0].actions.started.len(), 1);
        merge(&mut object, &patch);
        assert_eq!(read(&StageSetStatus::read(&object["status"])), wanted());
    }

    #[test]
    fn what_others_wrote_stays() {
        let mut object = json!({ "metadata": {}, "status": {
            "version": "1.2.3",
            "conditions": [
                { "type": "Audited", "status": "True" },
                { "type": "Stalled", "status": "True" },
                { "type": "Ready", "status": "False" },
            ],
            "stages": [{
                "name": "app", "message": "old", "executedVersionActions": ["migrate"],
                "promotionState": { "phase": "Soaking" },
            }],
        }});
        merge(&mut object.clone(), &json!({}));
        let patch = patch(&object, &wanted());
        merge(&mut object, &patch);
        let status = &object["status"];
        assert_eq!(status["version"], "1.2.3");
        assert_eq!(
            status["conditions"][0],
            json!({ "type": "Audited", "status": "True" })
        );
        assert_eq!(status["conditions"][1]["type"], "Ready");
        assert_eq!(status["conditions"].as_array().unwrap().len(), 2);
        assert_eq!(
            status["stages"][0]["executedVersionActions"],
            json!(["migrate"])
        );
        assert_eq!(status["stages"][0]["promotionState"]["phase"], "Soaking");
        assert_eq!(status["stages"][0].get("message"), None);
    }
}
