//! Validation of what controllers count in a status.

use serde_json::Value;

use super::at;
use crate::status::Cause;

/// The counters of a workload's status agree with each other.
pub(super) fn check(kind: &str, new: &Value) -> Vec<Cause> {
    let (fields, below): (&[&str], &[&str]) = match kind {
        "Deployment" => (
            &[
                "observedGeneration",
                "replicas",
                "updatedReplicas",
                "readyReplicas",
                "availableReplicas",
                "unavailableReplicas",
                "terminatingReplicas",
                "collisionCount",
            ],
            &["updatedReplicas", "readyReplicas", "availableReplicas"],
        ),
        "ReplicaSet" => (
            &[
                "replicas",
                "fullyLabeledReplicas",
                "readyReplicas",
                "availableReplicas",
                "observedGeneration",
                "terminatingReplicas",
            ],
            &["fullyLabeledReplicas", "readyReplicas", "availableReplicas"],
        ),
        "StatefulSet" => (
            &[
                "replicas",
                "readyReplicas",
                "currentReplicas",
                "updatedReplicas",
                "availableReplicas",
                "observedGeneration",
                "collisionCount",
            ],
            &[
                "readyReplicas",
                "currentReplicas",
                "updatedReplicas",
                "availableReplicas",
            ],
        ),
        "DaemonSet" => (
            &[
                "currentNumberScheduled",
                "numberMisscheduled",
                "desiredNumberScheduled",
                "numberReady",
                "observedGeneration",
                "updatedNumberScheduled",
                "numberAvailable",
                "numberUnavailable",
                "collisionCount",
            ],
            &[],
        ),
        "PodDisruptionBudget" => (
            &[
                "disruptionsAllowed",
                "currentHealthy",
                "desiredHealthy",
                "expectedPods",
            ],
            &[],
        ),
        _ => return Vec::new(),
    };
    let status = at(new, "status");
    let mut causes = Vec::new();
    for field in fields {
        super::nonnegative("status", status, field, &mut causes);
    }
    let count = |field: &str| at(status, field).as_i64().unwrap_or_default();
    let mut more = |field: &str, what: &str| {
        let value = Value::from(count(field));
        causes.push(Cause::invalid(format!("status.{field}"), &value, what));
    };
    for field in below {
        if count(field) > count("replicas") {
            more(field, "cannot be greater than status.replicas");
        }
    }
    if !below.is_empty() && count("availableReplicas") > count("readyReplicas") {
        let what = if kind == "StatefulSet" {
            "cannot be greater than status.readyReplicas"
        } else {
            "cannot be greater than readyReplicas"
        };
        more("availableReplicas", what);
    }
    causes
}
