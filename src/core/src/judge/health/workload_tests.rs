//! Boundaries of the kinds that keep pods running: a settled object of each, and every step away
//! from it.

use serde_json::{Value, json};

use crate::judge::health::judge;
use crate::observation::Health;

fn in_progress(message: &str) -> Health {
    Health::InProgress(message.into())
}

/// Judges an object in which each of these pointers was set.
fn with(object: &Value, changes: &[(&str, Value)]) -> Health {
    let mut object = object.clone();
    for (pointer, value) in changes {
        if let Some(there) = object.pointer_mut(pointer) {
            *there = value.clone();
        } else {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            object.pointer_mut(parent).unwrap()[key] = value.clone();
        }
    }
    judge(&object)
}

fn table(object: &Value, rows: &[(&[(&str, Value)], Health)]) {
    assert_eq!(judge(object), Health::Current, "as it stands");
    for (changes, expected) in rows {
        assert_eq!(&with(object, changes), expected, "{changes:?}");
    }
}

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "generation": 4},
        "spec": {"replicas": 3, "progressDeadlineSeconds": 600},
        "status": {
            "observedGeneration": 4, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3,
            "availableReplicas": 3,
            "conditions": [
                {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"},
                {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
            ],
        },
    })
}

#[test]
fn deployments() {
    let progressing = |status: &str, reason: &str| {
        (
            "/status/conditions/1",
            json!({"type": "Progressing", "status": status, "reason": reason}),
        )
    };
    table(
        &deployment(),
        &[
            (
                &[("/status/observedGeneration", json!(3))],
                in_progress("its controller has seen generation 3 of 4"),
            ),
            (
                &[("/status/replicas", json!(2))],
                in_progress("2 of 3 replica(s) created"),
            ),
            (
                &[("/status/updatedReplicas", json!(1))],
                in_progress("1 of 3 replica(s) updated"),
            ),
            (
                &[("/status/replicas", json!(4))],
                in_progress("1 replica(s) above 3 still to go"),
            ),
            (
                &[("/status/availableReplicas", json!(1))],
                in_progress("1 of 3 replica(s) available"),
            ),
            (
                &[("/status/availableReplicas", json!(null))],
                in_progress("0 of 3 replica(s) available"),
            ),
            (
                &[("/status/readyReplicas", json!(2))],
                in_progress("2 of 3 replica(s) ready"),
            ),
            (
                &[("/status", json!(null))],
                in_progress("0 of 3 replica(s) created"),
            ),
            (
                &[("/status", json!({}))],
                in_progress("0 of 3 replica(s) created"),
            ),
            // Absent means one.
            (
                &[("/spec/replicas", json!(null))],
                in_progress("2 replica(s) above 1 still to go"),
            ),
            (
                &[progressing("True", "ReplicaSetUpdated")],
                in_progress(
                    "condition Progressing isn't NewReplicaSetAvailable yet: ReplicaSetUpdated",
                ),
            ),
            (
                &[
                    progressing("Unknown", "DeploymentPaused"),
                    ("/spec/paused", json!(true)),
                ],
                in_progress(
                    "the rollout is paused (spec.paused): condition Progressing isn't NewReplicaSetAvailable yet: DeploymentPaused",
                ),
            ),
            // A pause after the rollout was through leaves the condition alone until then.
            (&[("/spec/paused", json!(true))], Health::Current),
            (
                &[progressing("False", "ProgressDeadlineExceeded")],
                Health::Failed("ProgressDeadlineExceeded".into()),
            ),
            // It fails fast, whatever the numbers say.
            (
                &[
                    progressing("False", "ProgressDeadlineExceeded"),
                    ("/status/readyReplicas", json!(0)),
                ],
                Health::Failed("ProgressDeadlineExceeded".into()),
            ),
            // But not by what an older generation ran into.
            (
                &[
                    progressing("False", "ProgressDeadlineExceeded"),
                    ("/metadata/generation", json!(5)),
                ],
                in_progress("its controller has seen generation 4 of 5"),
            ),
            // Without a deadline there is no such condition.
            (
                &[
                    progressing("True", "ReplicaSetUpdated"),
                    ("/spec/progressDeadlineSeconds", json!(i32::MAX)),
                ],
                Health::Current,
            ),
            (
                &[
                    progressing("True", "ReplicaSetUpdated"),
                    ("/spec/progressDeadlineSeconds", json!(null)),
                ],
                Health::Current,
            ),
            (
                &[(
                    "/status/conditions/0",
                    json!({"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable"}),
                )],
                in_progress("condition Available isn't True yet: MinimumReplicasUnavailable"),
            ),
            (
                &[("/status/conditions/0", json!({"type": "Other"}))],
                in_progress("condition Available isn't there yet"),
            ),
            (
                &[("/status/conditions", json!([]))],
                in_progress("condition Progressing isn't there yet"),
            ),
            (
                &[
                    ("/spec/replicas", json!(0)),
                    ("/status/replicas", json!(null)),
                    ("/status/updatedReplicas", json!(null)),
                    ("/status/readyReplicas", json!(null)),
                    ("/status/availableReplicas", json!(null)),
                ],
                Health::Current,
            ),
            (
                &[("/status/replicas", json!(-3))],
                in_progress(
                    "its readiness can't be read: status.replicas is a negative number, not a count",
                ),
            ),
            (
                &[("/spec/replicas", json!("3"))],
                in_progress("its readiness can't be read: spec.replicas is a text, not a count"),
            ),
            (
                &[
                    ("/apiVersion", json!("extensions/v1beta1")),
                    ("/status/replicas", json!(2)),
                ],
                in_progress("2 of 3 replica(s) created"),
            ),
        ],
    );
}

#[test]
fn replica_sets_and_replication_controllers() {
    for (api_version, kind) in [("apps/v1", "ReplicaSet"), ("v1", "ReplicationController")] {
        let object = json!({
            "apiVersion": api_version, "kind": kind,
            "metadata": {"name": "web", "generation": 1},
            "spec": {"replicas": 2},
            "status": {
                "observedGeneration": 1, "replicas": 2, "fullyLabeledReplicas": 2,
                "readyReplicas": 2, "availableReplicas": 2,
            },
        });
        let failure = json!([{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota"}]);
        let cured = json!([{"type": "ReplicaFailure", "status": "False"}]);
        table(
            &object,
            &[
                (
                    &[("/status/observedGeneration", json!(0))],
                    in_progress("its controller has seen generation 0 of 1"),
                ),
                (
                    &[("/status/fullyLabeledReplicas", json!(1))],
                    in_progress("1 of 2 replica(s) labelled"),
                ),
                (
                    &[("/status/availableReplicas", json!(1))],
                    in_progress("1 of 2 replica(s) available"),
                ),
                (
                    &[("/status/readyReplicas", json!(1))],
                    in_progress("1 of 2 replica(s) ready"),
                ),
                (
                    &[("/status/replicas", json!(3))],
                    in_progress("1 replica(s) above 2 still to go"),
                ),
                (
                    &[("/status/conditions", failure)],
                    in_progress("FailedCreate: quota"),
                ),
                (&[("/status/conditions", cured)], Health::Current),
                (
                    &[("/status", json!({}))],
                    in_progress("0 of 2 replica(s) labelled"),
                ),
                (
                    &[
                        ("/spec/replicas", json!(0)),
                        ("/status", json!({"observedGeneration": 1})),
                    ],
                    Health::Current,
                ),
            ],
        );
    }
}

fn stateful_set() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {"name": "db", "generation": 1},
        "spec": {
            "replicas": 3,
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
        },
        "status": {
            "observedGeneration": 1, "replicas": 3, "readyReplicas": 3, "currentReplicas": 3,
            "updatedReplicas": 3, "currentRevision": "db-2", "updateRevision": "db-2",
        },
    })
}

#[test]
fn stateful_sets() {
    let partition = |partition: i64| {
        (
            "/spec/updateStrategy/rollingUpdate/partition",
            json!(partition),
        )
    };
    let updated = |updated: i64| ("/status/updatedReplicas", json!(updated));
    table(
        &stateful_set(),
        &[
            (
                &[("/status/replicas", json!(2))],
                in_progress("2 of 3 replica(s) created"),
            ),
            (
                &[("/status/readyReplicas", json!(2))],
                in_progress("2 of 3 replica(s) ready"),
            ),
            (
                &[("/status/replicas", json!(5))],
                in_progress("2 replica(s) above 3 still to go"),
            ),
            (&[updated(2)], in_progress("2 of 3 replica(s) updated")),
            (
                &[partition(2), updated(0)],
                in_progress("0 of 1 replica(s) updated (partition 2)"),
            ),
            (&[partition(2), updated(1)], Health::Current),
            (&[partition(3), updated(0)], Health::Current),
            (&[partition(9), updated(0)], Health::Current),
            (
                &[
                    partition(2),
                    updated(1),
                    ("/status/updateRevision", json!("db-3")),
                ],
                Health::Current,
            ),
            (
                &[("/status", json!({}))],
                in_progress("0 of 3 replica(s) created"),
            ),
            (
                &[
                    ("/spec/replicas", json!(0)),
                    ("/status", json!({"observedGeneration": 1, "replicas": 0})),
                ],
                Health::Current,
            ),
            (
                &[partition(-1)],
                in_progress(
                    "its readiness can't be read: spec.updateStrategy.rollingUpdate.partition is a negative number, not a count",
                ),
            ),
            (
                &[("/spec/updateStrategy", json!("OnDelete"))],
                in_progress(
                    "its readiness can't be read: spec.updateStrategy is a text, not an object",
                ),
            ),
        ],
    );
}

#[test]
fn stateful_sets_without_a_partition_go_by_revision() {
    let mut object = stateful_set();
    object["spec"]["updateStrategy"] = json!(null);
    table(
        &object,
        &[
            (
                &[("/status/currentReplicas", json!(2))],
                in_progress("2 of 3 replica(s) current"),
            ),
            (
                &[("/status/updateRevision", json!("db-3"))],
                in_progress("it is being updated from db-2 to db-3"),
            ),
        ],
    );
}

#[test]
fn stateful_sets_on_delete_are_their_users_business() {
    let mut object = stateful_set();
    object["spec"]["updateStrategy"] = json!({"type": "OnDelete"});
    table(
        &object,
        &[
            (&[("/status", json!({}))], Health::Current),
            (
                &[("/status/observedGeneration", json!(0))],
                in_progress("its controller has seen generation 0 of 1"),
            ),
        ],
    );
}

#[test]
fn daemon_sets() {
    let object = json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet",
        "metadata": {"name": "agent", "generation": 2},
        "status": {
            "observedGeneration": 2, "desiredNumberScheduled": 4, "currentNumberScheduled": 4,
            "updatedNumberScheduled": 4, "numberAvailable": 4, "numberReady": 4,
        },
    });
    let idle = json!({"observedGeneration": 2, "desiredNumberScheduled": 0});
    table(
        &object,
        &[
            (
                &[("/status/currentNumberScheduled", json!(3))],
                in_progress("3 of 4 pod(s) scheduled"),
            ),
            (
                &[("/status/updatedNumberScheduled", json!(null))],
                in_progress("0 of 4 pod(s) updated"),
            ),
            (
                &[("/status/numberAvailable", json!(1))],
                in_progress("1 of 4 pod(s) available"),
            ),
            (
                &[("/status/numberReady", json!(3))],
                in_progress("3 of 4 pod(s) ready"),
            ),
            (
                &[("/status/desiredNumberScheduled", json!(null))],
                in_progress("status.desiredNumberScheduled isn't there yet"),
            ),
            (
                &[("/status/observedGeneration", json!(null))],
                in_progress("status.observedGeneration isn't there yet"),
            ),
            (
                &[("/status/observedGeneration", json!(1))],
                in_progress("its controller has seen generation 1 of 2"),
            ),
            (
                &[("/metadata/generation", json!(null))],
                in_progress("metadata.generation isn't there yet"),
            ),
            (
                &[("/status", json!({}))],
                in_progress("status.observedGeneration isn't there yet"),
            ),
            (&[("/status", idle)], Health::Current),
        ],
    );
}
