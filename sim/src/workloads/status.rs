//! The status that the controllers of each kind write.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::script::State;
use crate::object::{self, rfc3339};

/// How long a controller takes to see a change.
pub(super) const NOTICE: SignedDuration = SignedDuration::from_millis(10);

/// Sets the status of an object for a state.
pub(super) fn set(object: &mut Value, state: State, now: Timestamp) {
    match object
        .get("kind")
        .and_then(Value::as_str)
        .unwrap_or_default()
    {
        "Deployment" => deployment(object, state, now),
        "StatefulSet" => stateful_set(object, state),
        "DaemonSet" => daemon_set(object, state),
        "ReplicaSet" | "ReplicationController" => replica_set(object, state),
        "Job" => job(object, state, now),
        "Pod" => pod(object, state, now),
        "PersistentVolumeClaim" => claim(object, state),
        "Service" => service(object, state),
        "PodDisruptionBudget" => {
            let generation = object::generation(object);
            object::child(object, "status").insert("observedGeneration".into(), generation.into());
        }
        _ => {}
    }
}

fn replicas(object: &Value) -> i64 {
    object
        .pointer("/spec/replicas")
        .and_then(Value::as_i64)
        .unwrap_or(1)
}

/// Sets numbers; a zero is left out, as Go leaves it out.
fn numbers(status: &mut Map<String, Value>, pairs: &[(&str, i64)]) {
    for (field, number) in pairs {
        if *number == 0 {
            status.remove(*field);
        } else {
            status.insert((*field).to_owned(), (*number).into());
        }
    }
}

fn timed(kind: &str, status: &str, reason: &str, message: &str, now: Timestamp) -> Value {
    json!({
        "type": kind, "status": status, "reason": reason, "message": message,
        "lastUpdateTime": rfc3339(now),
    })
}

fn deployment(object: &mut Value, state: State, now: Timestamp) {
    let wanted = replicas(object);
    let generation = object::generation(object);
    let name = object::name(object).to_owned();
    let done = state == State::Ready || wanted == 0;
    let status = object::child(object, "status");
    // What was available stays so while the next pods come up.
    let before = status
        .get("availableReplicas")
        .and_then(Value::as_i64)
        .unwrap_or_default();
    let available = if done { wanted } else { before.min(wanted) };
    numbers(
        status,
        &[
            ("observedGeneration", generation),
            ("replicas", wanted),
            ("updatedReplicas", wanted),
            ("readyReplicas", available),
            ("availableReplicas", available),
            ("unavailableReplicas", wanted - available),
        ],
    );
    let (up, reason, message) = if done || (available == wanted && available > 0) {
        (
            "True",
            "MinimumReplicasAvailable",
            "Deployment has minimum availability.",
        )
    } else {
        (
            "False",
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.",
        )
    };
    object::set_condition(object, timed("Available", up, reason, message, now), now);
    let (moves, reason, message) = match state {
        _ if done => (
            "True",
            "NewReplicaSetAvailable",
            format!("ReplicaSet \"{name}-simulated\" has successfully progressed."),
        ),
        State::Failed => (
            "False",
            "ProgressDeadlineExceeded",
            format!("ReplicaSet \"{name}-simulated\" has timed out progressing."),
        ),
        _ => (
            "True",
            "ReplicaSetUpdated",
            format!("ReplicaSet \"{name}-simulated\" is progressing."),
        ),
    };
    object::set_condition(
        object,
        timed("Progressing", moves, reason, &message, now),
        now,
    );
}

fn stateful_set(object: &mut Value, state: State) {
    let wanted = replicas(object);
    let generation = object::generation(object);
    let revision = format!("{}-{generation}", object::name(object));
    let ready = if state == State::Ready { wanted } else { 0 };
    let status = object::child(object, "status");
    numbers(
        status,
        &[
            ("observedGeneration", generation),
            ("currentReplicas", wanted),
            ("updatedReplicas", wanted),
            ("readyReplicas", ready),
        ],
    );
    status.insert("replicas".into(), wanted.into());
    status.insert("availableReplicas".into(), ready.into());
    status.insert("collisionCount".into(), 0.into());
    status.insert("updateRevision".into(), revision.clone().into());
    if state == State::Ready || !status.contains_key("currentRevision") {
        status.insert("currentRevision".into(), revision.into());
    }
}

fn daemon_set(object: &mut Value, state: State) {
    let generation = object::generation(object);
    let ready = i64::from(state == State::Ready);
    let status = object::child(object, "status");
    numbers(
        status,
        &[
            ("observedGeneration", generation),
            ("updatedNumberScheduled", 1),
            ("numberAvailable", ready),
            ("numberUnavailable", 1 - ready),
        ],
    );
    for (field, number) in [
        ("currentNumberScheduled", 1),
        ("desiredNumberScheduled", 1),
        ("numberMisscheduled", 0),
        ("numberReady", ready),
    ] {
        status.insert(field.to_owned(), number.into());
    }
}

fn replica_set(object: &mut Value, state: State) {
    let wanted = replicas(object);
    let generation = object::generation(object);
    let ready = if state == State::Ready { wanted } else { 0 };
    let status = object::child(object, "status");
    numbers(
        status,
        &[
            ("observedGeneration", generation),
            ("fullyLabeledReplicas", wanted),
            ("readyReplicas", ready),
            ("availableReplicas", ready),
        ],
    );
    status.insert("replicas".into(), wanted.into());
}

fn job(object: &mut Value, state: State, now: Timestamp) {
    let suspended = object.pointer("/spec/suspend") == Some(&Value::Bool(true));
    let wanted = object
        .pointer("/spec/completions")
        .and_then(Value::as_i64)
        .unwrap_or(1);
    let status = object::child(object, "status");
    let over = status.contains_key("completionTime")
        || status
            .get("conditions")
            .and_then(Value::as_array)
            .is_some_and(|c| {
                c.iter()
                    .any(|c| c["type"] == "Failed" && c["status"] == "True")
            });
    if suspended || over {
        return;
    }
    status
        .entry("startTime")
        .or_insert_with(|| rfc3339(now).into());
    let probed = |kind: &str, reason: &str, message: &str| {
        json!({
            "type": kind, "status": "True", "reason": reason, "message": message,
            "lastProbeTime": rfc3339(now),
        })
    };
    match state {
        State::Progressing => {
            numbers(status, &[("active", 1)]);
            status.insert("ready".into(), 0.into());
            status.insert("terminating".into(), 0.into());
        }
        State::Ready => {
            numbers(status, &[("active", 0), ("succeeded", wanted)]);
            status.insert("ready".into(), 0.into());
            status.insert("completionTime".into(), rfc3339(now).into());
            let message = "Reached expected number of succeeded pods";
            object::set_condition(
                object,
                probed("SuccessCriteriaMet", "CompletionsReached", message),
                now,
            );
            object::set_condition(
                object,
                probed("Complete", "CompletionsReached", message),
                now,
            );
        }
        State::Failed => {
            numbers(status, &[("active", 0), ("failed", 1)]);
            status.insert("ready".into(), 0.into());
            let message = "Job has reached the specified backoff limit";
            object::set_condition(
                object,
                probed("FailureTarget", "BackoffLimitExceeded", message),
                now,
            );
            object::set_condition(
                object,
                probed("Failed", "BackoffLimitExceeded", message),
                now,
            );
        }
    }
}

fn pod(object: &mut Value, state: State, now: Timestamp) {
    let restarts = object
        .pointer("/spec/restartPolicy")
        .and_then(Value::as_str)
        .unwrap_or("Always")
        .to_owned();
    let status = object::child(object, "status");
    if matches!(
        status.get("phase").and_then(Value::as_str),
        Some("Succeeded" | "Failed")
    ) {
        return;
    }
    status
        .entry("startTime")
        .or_insert_with(|| rfc3339(now).into());
    let runs_once = restarts != "Always";
    let (phase, ready) = match state {
        State::Progressing => ("Pending", false),
        State::Ready if runs_once => ("Succeeded", false),
        State::Ready => ("Running", true),
        State::Failed if runs_once => ("Failed", false),
        State::Failed => ("Running", false),
    };
    status.insert("phase".into(), phase.into());
    status.entry("podIP").or_insert_with(|| "10.244.0.2".into());
    status
        .entry("podIPs")
        .or_insert_with(|| json!([{ "ip": "10.244.0.2" }]));
    status.entry("hostIP").or_insert_with(|| "192.0.2.1".into());
    for kind in ["PodScheduled", "Initialized", "ContainersReady", "Ready"] {
        let up = ready || matches!(kind, "PodScheduled" | "Initialized");
        let mut condition = json!({ "type": kind, "status": if up { "True" } else { "False" }, "lastProbeTime": null });
        if !up {
            let reason = if phase == "Succeeded" {
                "PodCompleted"
            } else {
                "ContainersNotReady"
            };
            object::members(&mut condition).insert("reason".into(), reason.into());
        }
        object::set_condition(object, condition, now);
    }
}

fn claim(object: &mut Value, state: State) {
    if state != State::Ready {
        return;
    }
    let capacity = object.pointer("/spec/resources/requests").cloned();
    let modes = object.pointer("/spec/accessModes").cloned();
    let status = object::child(object, "status");
    status.insert("phase".into(), "Bound".into());
    if let Some(capacity) = capacity {
        status.insert("capacity".into(), capacity);
    }
    if let Some(modes) = modes {
        status.insert("accessModes".into(), modes);
    }
}

fn service(object: &mut Value, state: State) {
    if object.pointer("/spec/type").and_then(Value::as_str) != Some("LoadBalancer")
        || state != State::Ready
    {
        return;
    }
    object::child(object, "status").insert(
        "loadBalancer".into(),
        json!({ "ingress": [{ "ip": "192.0.2.10", "ipMode": "VIP" }] }),
    );
}
