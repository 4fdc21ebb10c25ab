//! Kinds that keep a number of pods running: Deployment, `ReplicaSet`, `ReplicationController`,
//! `StatefulSet`, `DaemonSet`.

use super::Judgement;
use super::fields::{Condition, Fields};
use crate::observation::Health;

/// `progressDeadlineSeconds` that means *never*; the Deployment controller writes no `Progressing`
/// condition then.
const NO_DEADLINE: i64 = i32::MAX as i64;

fn missing(there: i64, wanted: i64, what: &str) -> Option<Health> {
    (there < wanted).then(|| Health::InProgress(format!("{there} of {wanted} replica(s) {what}")))
}

fn surplus(there: i64, wanted: i64) -> Option<Health> {
    (there > wanted).then(|| {
        Health::InProgress(format!(
            "{} replica(s) above {wanted} still to go",
            there - wanted
        ))
    })
}

fn first(checks: impl IntoIterator<Item = Option<Health>>) -> Option<Health> {
    checks.into_iter().flatten().next()
}

/// All replicas exist, are of the newest template, available and ready, nothing is left of older
/// ones, and the conditions `Progressing` and `Available` agree.
pub(super) fn deployment(object: &Fields<'_>) -> Judgement {
    let conditions = object.conditions()?;
    let progressing = conditions
        .iter()
        .rfind(|condition| condition.kind == "Progressing");
    if let Some(condition) = progressing
        && condition.reason == "ProgressDeadlineExceeded"
    {
        return Ok(Health::Failed(condition.to_string()));
    }
    Ok(match rollout(object, &conditions, progressing)? {
        Health::InProgress(message) if object.flag("spec.paused")? == Some(true) => {
            Health::InProgress(format!("the rollout is paused (spec.paused): {message}"))
        }
        health => health,
    })
}

fn rollout(
    object: &Fields<'_>,
    conditions: &[Condition<'_>],
    progressing: Option<&Condition<'_>>,
) -> Judgement {
    let wanted = object.count("spec.replicas")?.unwrap_or(1);
    let there = object.count_or_zero("status.replicas")?;
    let updated = object.count_or_zero("status.updatedReplicas")?;
    let available = object.count_or_zero("status.availableReplicas")?;
    let ready = object.count_or_zero("status.readyReplicas")?;
    if let Some(health) = first([
        missing(there, wanted, "created"),
        missing(updated, wanted, "updated"),
        surplus(there, wanted),
        missing(available, updated, "available"),
        missing(ready, wanted, "ready"),
    ]) {
        return Ok(health);
    }
    let deadline = object
        .count("spec.progressDeadlineSeconds")?
        .unwrap_or(NO_DEADLINE);
    let done = |condition: &&Condition<'_>| {
        condition.status == "True" && condition.reason == "NewReplicaSetAvailable"
    };
    if deadline != NO_DEADLINE && !progressing.as_ref().is_some_and(done) {
        return Ok(Health::InProgress(awaited(
            "Progressing",
            "NewReplicaSetAvailable",
            progressing,
        )));
    }
    let is_available = conditions
        .iter()
        .rfind(|condition| condition.kind == "Available");
    if is_available.is_none_or(|condition| condition.status != "True") {
        return Ok(Health::InProgress(awaited(
            "Available",
            "True",
            is_available,
        )));
    }
    Ok(Health::Current)
}

fn awaited(kind: &str, wanted: &str, found: Option<&Condition<'_>>) -> String {
    match found {
        None => format!("condition {kind} isn't there yet"),
        Some(found) => format!("condition {kind} isn't {wanted} yet: {found}"),
    }
}

/// `ReplicaSet` and `ReplicationController`: all replicas exist, are labelled, available and ready.
pub(super) fn replica_set(object: &Fields<'_>) -> Judgement {
    if let Some(failure) = object
        .conditions()?
        .iter()
        .find(|condition| condition.is("ReplicaFailure", "True"))
    {
        return Ok(Health::InProgress(failure.to_string()));
    }
    let wanted = object.count("spec.replicas")?.unwrap_or(1);
    let there = object.count_or_zero("status.replicas")?;
    Ok(first([
        missing(
            object.count_or_zero("status.fullyLabeledReplicas")?,
            wanted,
            "labelled",
        ),
        missing(
            object.count_or_zero("status.availableReplicas")?,
            wanted,
            "available",
        ),
        missing(
            object.count_or_zero("status.readyReplicas")?,
            wanted,
            "ready",
        ),
        surplus(there, wanted),
    ])
    .unwrap_or(Health::Current))
}

/// All replicas exist and are ready, and those that the update strategy replaces by itself are of
/// the newest revision: none with `OnDelete`, those from the partition up with `RollingUpdate`.
pub(super) fn stateful_set(object: &Fields<'_>) -> Judgement {
    if object.text("spec.updateStrategy.type")? == Some("OnDelete") {
        return Ok(Health::Current);
    }
    let wanted = object.count("spec.replicas")?.unwrap_or(1);
    let there = object.count_or_zero("status.replicas")?;
    let ready = object.count_or_zero("status.readyReplicas")?;
    let current = object.count_or_zero("status.currentReplicas")?;
    let updated = object.count_or_zero("status.updatedReplicas")?;
    if let Some(health) = first([
        missing(there, wanted, "created"),
        missing(ready, wanted, "ready"),
        surplus(there, wanted),
    ]) {
        return Ok(health);
    }
    if let Some(partition) = object.count("spec.updateStrategy.rollingUpdate.partition")? {
        let what = if partition == 0 {
            "updated".into()
        } else {
            format!("updated (partition {partition})")
        };
        return Ok(
            missing(updated, wanted.saturating_sub(partition), &what).unwrap_or(Health::Current)
        );
    }
    if let Some(health) = missing(current, wanted, "current") {
        return Ok(health);
    }
    let now = object.text("status.currentRevision")?.unwrap_or_default();
    let next = object.text("status.updateRevision")?.unwrap_or_default();
    if now != next {
        return Ok(Health::InProgress(format!(
            "it is being updated from {now} to {next}"
        )));
    }
    Ok(Health::Current)
}

/// Every node that should run a pod runs one of the newest template that is available and ready.
pub(super) fn daemon_set(object: &Fields<'_>) -> Judgement {
    for field in ["metadata.generation", "status.observedGeneration"] {
        if object.count(field)?.is_none() {
            return Ok(Health::InProgress(format!("{field} isn't there yet")));
        }
    }
    let Some(wanted) = object.count("status.desiredNumberScheduled")? else {
        return Ok(Health::InProgress(
            "status.desiredNumberScheduled isn't there yet".into(),
        ));
    };
    let at = |field: &str, what: &str| {
        let there = object.count_or_zero(&format!("status.{field}"))?;
        Ok((there < wanted)
            .then(|| Health::InProgress(format!("{there} of {wanted} pod(s) {what}"))))
    };
    Ok(first([
        at("currentNumberScheduled", "scheduled")?,
        at("updatedNumberScheduled", "updated")?,
        at("numberAvailable", "available")?,
        at("numberReady", "ready")?,
    ])
    .unwrap_or(Health::Current))
}

#[cfg(test)]
#[path = "workload_tests.rs"]
mod tests;
