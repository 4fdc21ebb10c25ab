//! Boundaries of Pod and Job.

use serde_json::{Value, json};

use crate::judge::health::judge;
use crate::observation::Health;

fn in_progress(message: &str) -> Health {
    Health::InProgress(message.into())
}

fn failed(message: &str) -> Health {
    Health::Failed(message.into())
}

fn pod(status: &Value) -> Health {
    judge(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "status": status}))
}

fn waits(name: &str, reason: &str) -> Value {
    json!({"name": name, "ready": false, "state": {"waiting": {"reason": reason}}})
}

#[test]
fn pods_go_by_phase() {
    let ready = |status: &str| json!([{"type": "Ready", "status": status}]);
    for (status, expected) in [
        (json!({"phase": "Succeeded"}), Health::Current),
        (json!({"phase": "Failed"}), Health::Current),
        (
            json!({"phase": "Running", "conditions": ready("True")}),
            Health::Current,
        ),
        (
            json!({"phase": "Running", "conditions": ready("False")}),
            in_progress("it runs but isn't ready"),
        ),
        (
            json!({"phase": "Running"}),
            in_progress("it runs but isn't ready"),
        ),
        (
            json!({"phase": "Pending", "conditions": ready("True")}),
            in_progress("it is pending"),
        ),
        (json!({"phase": "Pending"}), in_progress("it is pending")),
        (json!({}), in_progress("status.phase isn't there yet")),
        (json!(null), in_progress("status.phase isn't there yet")),
        (
            json!({"phase": "Unknown"}),
            in_progress("its phase is \"Unknown\""),
        ),
    ] {
        assert_eq!(pod(&status), expected, "{status}");
    }
}

#[test]
fn a_crash_loop_is_a_failure_only_while_not_ready() {
    let containers = json!([
        {"name": "fine", "state": {"running": {}}},
        waits("app", "CrashLoopBackOff"),
        waits("other", "ContainerCreating"),
        waits("proxy", "CrashLoopBackOff"),
    ]);
    let status = json!({"phase": "Running", "containerStatuses": containers});
    assert_eq!(
        pod(&status),
        failed("2 container(s) in a crash loop: app, proxy")
    );
    let status = json!({
        "phase": "Running", "containerStatuses": containers,
        "conditions": [{"type": "Ready", "status": "True"}],
    });
    assert_eq!(pod(&status), Health::Current);
}

#[test]
fn what_containers_wait_for_is_told() {
    let status =
        json!({"phase": "Running", "containerStatuses": [waits("app", "ImagePullBackOff")]});
    assert_eq!(
        pod(&status),
        in_progress("it runs but isn't ready: app ImagePullBackOff")
    );
    let status = json!({
        "phase": "Pending",
        "initContainerStatuses": [waits("migrate", "CrashLoopBackOff")],
        "containerStatuses": [waits("app", "PodInitializing")],
    });
    assert_eq!(
        pod(&status),
        in_progress("it is pending: migrate CrashLoopBackOff, app PodInitializing")
    );
}

#[test]
fn an_unschedulable_pod_waits_with_the_schedulers_words() {
    let scheduled = |status: &str, reason: &str| {
        pod(&json!({"phase": "Pending", "conditions": [{
            "type": "PodScheduled", "status": status, "reason": reason, "message": "0/3 nodes",
        }]}))
    };
    assert_eq!(
        scheduled("False", "Unschedulable"),
        in_progress("no node takes it: Unschedulable: 0/3 nodes")
    );
    assert_eq!(
        scheduled("False", "SchedulingGated"),
        in_progress("it is pending")
    );
    assert_eq!(scheduled("True", ""), in_progress("it is pending"));
}

fn job(spec: &Value, status: &Value) -> Health {
    judge(&json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a", "generation": 1},
        "spec": spec, "status": status,
    }))
}

#[test]
fn a_job_is_current_once_it_is_through() {
    let condition = |kind: &str, status: &str| json!({"type": kind, "status": status, "reason": "R", "message": "m"});
    let started = "2026-11-23T20:00:00Z";
    for (spec, status, expected) in [
        (json!({}), json!({}), in_progress("it has not started")),
        (
            json!({}),
            json!({"startTime": ""}),
            in_progress("it has not started"),
        ),
        (
            json!({}),
            json!({"startTime": started, "active": 1}),
            in_progress("0 of 1 pod(s) succeeded, 1 active, 0 failed"),
        ),
        (
            json!({"parallelism": 3}),
            json!({"startTime": started, "active": 2, "succeeded": 1}),
            in_progress("1 of 3 pod(s) succeeded, 2 active, 0 failed"),
        ),
        // All pods are through, but the Job controller hasn't said so.
        (
            json!({"parallelism": 3, "completions": 5}),
            json!({"startTime": started, "succeeded": 5, "conditions": [condition("SuccessCriteriaMet", "True")]}),
            in_progress("5 of 5 pod(s) succeeded, 0 active, 0 failed"),
        ),
        (
            json!({}),
            json!({"startTime": started, "succeeded": 1, "conditions": [condition("SuccessCriteriaMet", "True"), condition("Complete", "True")]}),
            Health::Current,
        ),
        (
            json!({}),
            json!({"startTime": started, "conditions": [condition("Complete", "False"), condition("Failed", "False")]}),
            in_progress("0 of 1 pod(s) succeeded, 0 active, 0 failed"),
        ),
        (
            json!({}),
            json!({"startTime": started, "failed": 7, "conditions": [condition("Failed", "True")]}),
            failed("R: m (7 pod(s) failed)"),
        ),
        (json!({"suspend": true}), json!({}), Health::Current),
        (
            json!({"suspend": false}),
            json!({}),
            in_progress("it has not started"),
        ),
        (
            json!({"suspend": true}),
            json!({"failed": 1, "conditions": [condition("Failed", "True")]}),
            failed("R: m (1 pod(s) failed)"),
        ),
        (
            json!({}),
            json!({"startTime": started, "active": -1}),
            in_progress(
                "its readiness can't be read: status.active is a negative number, not a count",
            ),
        ),
    ] {
        assert_eq!(job(&spec, &status), expected, "{spec} {status}");
    }
}
