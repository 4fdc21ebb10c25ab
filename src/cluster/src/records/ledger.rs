//! A StageLedger: read for the core, and written so that what others wrote stays.

use serde_json::{Value, json};
use stageset_api::condition::ConditionStatus;
use stageset_api::ledger::{CompletionOrigin, StageLedger};
use stageset_api::names::{API_VERSION, KIND_STAGE_LEDGER};
use stageset_core::observation::{BaselineValid, Completed, Ledger, Witness};
use stageset_core::spec::Anchor;
use stageset_core::time::Timestamp;

/// The one condition type of a ledger.
const BASELINE_VALID: &str = "BaselineValid";

/// What the core reads of a ledger.
pub fn read(object: &Value) -> Ledger {
    let found = StageLedger::read(object);
    let baseline = found.spec.baseline.into_iter();
    Ledger {
        baseline: baseline.map(|entry| (entry.stage, entry.action)).collect(),
        completed: found
            .status
            .completed_actions
            .into_iter()
            .map(|done| Completed {
                stage: done.stage,
                action: done.action,
                executed: done.origin == CompletionOrigin::Executed,
                witness: done.anchor.and_then(|anchor| {
                    Some(Witness {
                        anchor: Anchor {
                            api_version: anchor.api_version?,
                            kind: anchor.kind?,
                            name: anchor.name?,
                        },
                        uid: anchor.uid?,
                    })
                }),
                at: Timestamp::parse(done.completed_at.as_str()).unwrap_or_default(),
            })
            .collect(),
        baseline_valid: found
            .status
            .conditions
            .into_iter()
            .find(|condition| condition.type_ == BASELINE_VALID)
            .map(|condition| BaselineValid {
                valid: condition.status == ConditionStatus::True,
                message: condition.message,
                last_transition: Timestamp::parse(condition.last_transition_time.as_str())
                    .unwrap_or_default(),
            }),
    }
}

/// An empty ledger. No owner: it outlives its StageSet.
pub fn created(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": API_VERSION,
        "kind": KIND_STAGE_LEDGER,
        "metadata": { "namespace": namespace, "name": name },
    })
}

/// The merge patch that brings the status of `object` to these completions, if it is still as it
/// stands here. Records that say more than the core reads of them stay as they are.
pub fn patch(
    object: &Value,
    completed: &[Completed],
    baseline_valid: Option<&BaselineValid>,
) -> Value {
    let stands = &object["status"];
    let actions: Vec<Value> = completed.iter().map(|done| record(stands, done)).collect();
    let mut conditions: Vec<Value> = stands["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|condition| condition["type"] != BASELINE_VALID)
        .cloned()
        .collect();
    conditions.extend(baseline_valid.map(|valid| {
        json!({
            "type": BASELINE_VALID,
            "status": if valid.valid { "True" } else { "False" },
            "reason": if valid.valid { "AllResolved" } else { "Unresolved" },
            "message": valid.message,
            "lastTransitionTime": valid.last_transition.to_string(),
        })
    }));
    let mut status = json!({ "completedActions": actions });
    if !conditions.is_empty() || stands.get("conditions").is_some() {
        status["conditions"] = conditions.into();
    }
    json!({
        "metadata": { "resourceVersion": object.pointer("/metadata/resourceVersion") },
        "status": status,
    })
}

fn record(stands: &Value, done: &Completed) -> Value {
    let origin = if done.executed {
        "Executed"
    } else {
        "Baselined"
    };
    let known = stands["completedActions"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|item| {
            item["stage"] == done.stage.as_str()
                && item["action"] == done.action.as_str()
                && item["origin"] == origin
                && item.pointer("/anchor/uid").and_then(Value::as_str)
                    == done.witness.as_ref().map(|witness| witness.uid.as_str())
        });
    if let Some(known) = known {
        return known.clone();
    }
    let mut item = json!({
        "stage": done.stage,
        "action": done.action,
        "origin": origin,
        "completedAt": done.at.to_string(),
    });
    if let Some(witness) = &done.witness {
        item["anchor"] = json!({
            "apiVersion": witness.anchor.api_version,
            "kind": witness.anchor.kind,
            "name": witness.anchor.name,
            "uid": witness.uid,
        });
    }
    item
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(action: &str, uid: Option<&str>) -> Completed {
        Completed {
            stage: "app".into(),
            action: action.into(),
            executed: true,
            witness: uid.map(|uid| Witness {
                anchor: Anchor {
                    api_version: "v1".into(),
                    kind: "ConfigMap".into(),
                    name: "db".into(),
                },
                uid: uid.into(),
            }),
            at: Timestamp::parse("2026-11-25T16:00:00Z").unwrap(),
        }
    }

    #[test]
    fn what_the_core_writes_it_reads_back_and_what_others_wrote_stays() {
        let mut object = json!({
            "metadata": { "resourceVersion": "7" },
            "spec": { "baseline": [{ "stage": "app", "action": "seed" }] },
            "status": {
                "completedActions": [{
                    "stage": "app", "action": "old", "origin": "Executed", "digest": "sha256:x",
                    "completedAt": "2026-11-25T16:00:00Z",
                }],
                "conditions": [{
                    "type": "Audited", "status": "True", "reason": "A", "message": "",
                    "lastTransitionTime": "2026-11-25T16:00:00Z",
                }],
            },
        });
        let completed = [done("old", None), done("new", Some("u-1"))];
        let valid = BaselineValid {
            valid: false,
            message: "app/seed".into(),
            last_transition: Timestamp::parse("2026-11-25T16:00:00Z").unwrap(),
        };
        let patch = patch(&object, &completed, Some(&valid));
        assert_eq!(patch["metadata"]["resourceVersion"], "7");
        object["status"] = patch["status"].clone();
        assert_eq!(
            object["status"]["completedActions"][0]["digest"],
            "sha256:x"
        );
        assert_eq!(object["status"]["conditions"][0]["type"], "Audited");
        let read = read(&object);
        assert_eq!(read.completed, completed);
        assert_eq!(read.baseline_valid, Some(valid));
        assert_eq!(read.baseline, [("app".to_owned(), "seed".to_owned())]);
    }

    /// What people edit stays as they left it, also where it says less than a witness needs: such a
    /// record counts as done, and has no witness whose loss could undo it.
    #[test]
    fn records_edited_by_hand_count_and_stay() {
        let by_hand = json!([
            { "stage": "app", "action": "halved", "origin": "Executed",
              "anchor": { "kind": "ConfigMap", "name": "db" }, "completedAt": "yesterday" },
            { "stage": "former", "action": "gone", "origin": "Baselined",
              "completedAt": "2026-11-25T16:00:00Z" },
        ]);
        let object = json!({ "status": { "completedActions": by_hand } });
        let mut completed = read(&object).completed;
        assert_eq!(completed.len(), 2);
        assert_eq!(completed[0].witness, None);
        completed.push(done("new", None));
        let patch = patch(&object, &completed, None);
        let written = patch["status"]["completedActions"].as_array().unwrap();
        assert_eq!(written[..2], by_hand.as_array().unwrap()[..]);
        assert_eq!(written[2]["action"], "new");
    }
}
