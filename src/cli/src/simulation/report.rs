//! From a finished simulation to what is told of it.

use std::collections::BTreeMap;

use stageset_cluster::{Outcome as Ended, StageSetKey};
use stageset_core::plan::{Operation, TenantOperation};

use super::cluster::AuditRecord;
use super::engine::{Finished, is_ready};
use super::{Happening, Report};
use crate::scenario::Scenario;
use crate::timeline::record::{Outcome, Record, Requests, What};
use crate::timeline::{records, user_of, words};

/// The StageSets of a scenario.
pub(super) fn keys(scenario: &Scenario) -> Vec<StageSetKey> {
    let mut keys: Vec<StageSetKey> = scenario
        .stage_sets
        .iter()
        .map(|manifest| {
            let object = manifest.object();
            let namespace = object.namespace.unwrap_or_else(|| "default".to_owned());
            StageSetKey::new(namespace, object.name)
        })
        .collect();
    keys.sort();
    keys
}

/// Tells a finished simulation.
pub(super) fn of(scenario: &Scenario, finished: &Finished) -> Report {
    let records = records(&finished.events, finished.start, &finished.cures);
    let outcomes = keys(scenario)
        .iter()
        .map(|key| outcome(key, finished, &records))
        .collect();
    Report {
        outcomes,
        requests: requests(&finished.audit),
        ended: finished.end.since(finished.start),
        records,
    }
}

fn outcome(key: &StageSetKey, finished: &Finished, records: &[Record]) -> Outcome {
    let name = key.to_string();
    let found = finished.stage_sets.iter().find(|stage_set| {
        stage_set["metadata"]["namespace"] == key.namespace.as_str()
            && stage_set["metadata"]["name"] == key.name.as_str()
    });
    let mine = || {
        records
            .iter()
            .rev()
            .filter(|record| record.stage_set.as_ref() == Some(&name))
    };
    let (state, good, ready_after) = match found {
        None => ("Gone", true, mine().find(|r| r.what == What::Gone)),
        Some(stage_set) if is_ready(stage_set) => {
            // The first record of the unbroken row of Ready=True that the end belongs to.
            let since = mine()
                .filter_map(|record| match &record.what {
                    What::Condition { status, .. } => Some((record, status == "True")),
                    _ => None,
                })
                .take_while(|(_, ready)| *ready)
                .last();
            ("Ready", true, since.map(|(record, _)| record))
        }
        Some(_) => ("NotReady", false, None),
    };
    let ready = found.and_then(|stage_set| {
        let conditions = stage_set["status"]["conditions"].as_array()?;
        conditions
            .iter()
            .find(|condition| condition["type"] == "Ready")
    });
    let text = |field: &str| {
        ready
            .and_then(|ready| ready[field].as_str())
            .unwrap_or_default()
            .to_owned()
    };
    Outcome {
        stage_set: name,
        good,
        state,
        reason: text("reason"),
        message: words::without_runbook(&text("message")).to_owned(),
        ready_after: ready_after.map(|record| record.at),
        writes: writes(key, finished),
    }
}

/// Writes to the target by user.
fn writes(key: &StageSetKey, finished: &Finished) -> Vec<(String, usize)> {
    let mut writes: BTreeMap<String, usize> = BTreeMap::new();
    for event in finished
        .events
        .iter()
        .filter(|event| event.stage_set.as_ref() == Some(key))
    {
        let Happening::Performed(Operation::Tenant(operation), Ended::Done) = &event.what else {
            continue;
        };
        let (TenantOperation::Apply { identity, .. }
        | TenantOperation::TakeOver { identity, .. }
        | TenantOperation::Delete { identity, .. }
        | TenantOperation::Act { identity, .. }) = operation;
        *writes.entry(user_of(identity)).or_default() += 1;
    }
    writes.into_iter().collect()
}

/// Requests by the user that the API server acted for; the scenario's own are left out.
fn requests(audit: &[AuditRecord]) -> BTreeMap<String, Requests> {
    let mut requests: BTreeMap<String, Requests> = BTreeMap::new();
    for record in audit
        .iter()
        .filter(|record| record.user == words::CONTROLLER)
    {
        let user = record.impersonated.as_ref().unwrap_or(&record.user);
        let counts = requests.entry(user.clone()).or_default();
        let count = match record.verb.as_str() {
            _ if record.code >= 400 && matches!(record.code, 401 | 403) => &mut counts.refused,
            "watch" => &mut counts.watches,
            "get" | "list" | "head" => &mut counts.reads,
            _ if record.dry_run => &mut counts.dry_runs,
            // A review of rights is sent as a create, and creates nothing.
            _ if record.group == "authorization.k8s.io" => &mut counts.reads,
            _ => &mut counts.writes,
        };
        *count += 1;
    }
    requests
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn an_old_generation_is_not_ready() {
        let stage_set = |generation: i64, observed: i64, status: &str| {
            serde_json::json!({
                "metadata": {"generation": generation},
                "status": {"conditions": [
                    {"type": "Ready", "status": status, "observedGeneration": observed},
                ]},
            })
        };
        assert!(is_ready(&stage_set(2, 2, "True")));
        assert!(!is_ready(&stage_set(2, 1, "True")));
        assert!(!is_ready(&stage_set(2, 2, "False")));
        assert!(!is_ready(&Value::Null));
    }
}
