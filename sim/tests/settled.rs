//! What isn't read as it is stored: a write that changes nothing settles it.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use serde_json::{Value, json};

use crate::world::{Answer, World};

fn version(answer: &Answer) -> &str {
    answer.1["metadata"]["resourceVersion"].as_str().unwrap()
}

/// A cluster that knows widgets, and where one is.
fn widgets() -> (World, String) {
    let mut w = World::new();
    w.post(
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        &crate::custom::crd(),
    );
    w.pass(10_000);
    (
        w,
        "/apis/example.com/v1/namespaces/default/widgets/a".to_owned(),
    )
}

/// A widget with what its metadata is to have beside the name.
fn widget(more: &Value) -> Value {
    let mut metadata = json!({ "name": "a" });
    for (field, value) in more.as_object().into_iter().flatten() {
        metadata[field] = value.clone();
    }
    json!({ "apiVersion": "example.com/v1", "kind": "Widget", "metadata": metadata })
}

#[test]
fn an_object_that_is_not_read_as_it_is_stored_is_written_once_more() {
    let mut w = World::new();
    let claims = "/api/v1/namespaces/default/persistentvolumeclaims";
    let spec = json!({ "accessModes": ["ReadWriteOnce"],
                       "resources": { "requests": { "storage": "1Gi" } } });
    let made = w.post(
        claims,
        &json!({ "metadata": { "name": "a" }, "spec": spec }),
    );
    let uri = format!("{claims}/a");
    let nothing = json!({ "metadata": {} });
    let first = w.merge(&uri, &nothing);
    assert_ne!(version(&made), version(&first));
    assert_eq!(made.1["status"], first.1["status"]);
    let second = w.merge(&uri, &nothing);
    assert_eq!(version(&first), version(&second));
}

#[test]
fn a_job_shares_the_labels_of_its_template() {
    let mut w = World::new();
    let jobs = "/apis/batch/v1/namespaces/default/jobs";
    let job = |name: &str, labels: Value| {
        let pod =
            json!({ "restartPolicy": "Never", "containers": [{ "name": "c", "image": "i" }] });
        json!({ "metadata": { "name": name },
                "spec": { "template": { "metadata": { "labels": labels }, "spec": pod } } })
    };
    let (_, made) = w.post(jobs, &job("a", json!({ "x": "1" })));
    let labels = &made["metadata"]["labels"];
    assert_eq!(*labels, made["spec"]["template"]["metadata"]["labels"]);
    assert_eq!(labels["job-name"], "a");
    let owned = &made["metadata"]["managedFields"][0]["fieldsV1"]["f:metadata"];
    assert_eq!(*owned, json!({ "f:labels": { ".": {}, "f:x": {} } }));
    let gone = json!({ "metadata": { "labels": null } });
    let (_, kept) = w.merge(&format!("{jobs}/a"), &gone);
    assert_eq!(kept["metadata"]["labels"], *labels);
    // Without any the decoder lends them, and nobody owns them.
    let made = w.post(jobs, &job("b", Value::Null));
    assert_eq!(made.1["metadata"]["labels"]["job-name"], "b");
    let written = w.merge(&format!("{jobs}/b"), &json!({ "metadata": {} }));
    assert_ne!(version(&made), version(&written));
    // A job that waits for its name is copied until it has one: the copies share nothing.
    let mut unnamed = job("", json!({ "x": "1" }));
    unnamed["metadata"] = json!({ "generateName": "c-" });
    let (code, made) = w.post(jobs, &unnamed);
    assert_eq!(code, 201);
    assert_eq!(made["metadata"]["labels"], json!({ "x": "1" }));
    let template = &made["spec"]["template"]["metadata"]["labels"];
    assert_eq!(template["job-name"], made["metadata"]["name"]);
}

#[test]
fn what_an_apply_leaves_empty_in_a_custom_resource_is_written_away_by_the_next() {
    let (mut w, uri) = widgets();
    let config = |annotations: Value| widget(&json!({ "annotations": annotations }));
    let one = format!("{uri}?fieldManager=one");
    let nothing = widget(&Value::Null);
    w.apply(&one, &nothing);
    let emptied = w.apply(&one, &config(json!({})));
    assert_eq!(emptied.0, 200);
    let written = w.apply(&format!("{uri}?fieldManager=two"), &nothing);
    assert_ne!(version(&emptied), version(&written));
    let again = w.apply(&format!("{uri}?fieldManager=two"), &nothing);
    assert_eq!(version(&again), version(&written));
    // So is what was in it before and went with its last field.
    w.apply(&one, &config(json!({ "x": "1" })));
    let emptied = w.apply(&one, &config(json!({})));
    let written = w.apply(&format!("{uri}?fieldManager=two"), &nothing);
    assert_ne!(version(&emptied), version(&written));
}

/// A deletion that finds everything as it wants it writes like any other write.
#[test]
fn so_it_is_by_a_deletion() {
    let (mut w, uri) = widgets();
    let one = format!("{uri}?fieldManager=one");
    let marked = format!("{uri}?propagationPolicy=Foreground");
    w.apply(&one, &widget(&Value::Null));
    w.delete(&marked, &Value::Null);
    let emptied = w.apply(&one, &widget(&json!({ "labels": {} })));
    let written = w.delete(&marked, &Value::Null);
    assert_eq!(written.0, 200);
    assert_ne!(version(&emptied), version(&written));
    let again = w.delete(&marked, &Value::Null);
    assert_eq!(version(&again), version(&written));
}

#[test]
fn what_is_left_empty_again_is_written_only_if_somebody_wrote_it_away() {
    let (mut w, uri) = widgets();
    let one = format!("{uri}?fieldManager=one");
    let empty = widget(&json!({ "labels": {} }));
    w.apply(&one, &widget(&Value::Null));
    let emptied = w.apply(&one, &empty);
    let again = w.apply(&one, &empty);
    assert_eq!(version(&again), version(&emptied));
    let written = w.merge(&uri, &json!({ "metadata": {} }));
    assert_ne!(version(&written), version(&emptied));
    let emptied = w.apply(&one, &empty);
    assert_ne!(version(&emptied), version(&written));
    // Nothing is as it was if the time isn't.
    w.pass(2_000);
    let later = w.apply(&one, &empty);
    assert_ne!(version(&later), version(&emptied));
}

/// Through the endpoint of the status metadata is what it was: nothing is left empty there.
#[test]
fn an_apply_of_the_status_leaves_nothing_empty() {
    let (mut w, uri) = widgets();
    let one = format!("{uri}?fieldManager=one");
    let status = format!("{uri}/status?fieldManager=one");
    let mut empty = widget(&json!({ "labels": {} }));
    w.apply(&one, &widget(&Value::Null));
    empty["status"] = json!({ "x": 1 });
    let applied = w.apply(&status, &empty);
    let same = w.merge(&uri, &json!({ "metadata": {} }));
    assert_eq!(version(&same), version(&applied));
    // It writes away what is left empty, …
    let emptied = w.apply(&one, &widget(&json!({ "labels": {} })));
    let written = w.apply(&status, &empty);
    assert_ne!(version(&written), version(&emptied));
    let again = w.apply(&status, &empty);
    assert_eq!(version(&again), version(&written));
    // … and what is put back is no change, in whatever second.
    w.pass(2_000);
    empty["metadata"]["annotations"] = json!({ "a": "1" });
    let later = w.apply(&status, &empty);
    assert_eq!(version(&later), version(&written));
}

/// Labels that the decoder lends aren't there yet when a new job is looked at.
#[test]
fn a_jobs_lent_labels_are_held_against_nobody() {
    let mut w = World::new();
    let jobs = "/apis/batch/v1/namespaces/default/jobs";
    let wrong = |labels: Value, w: &mut World| {
        let pod =
            json!({ "restartPolicy": "Never", "containers": [{ "name": "c", "image": "i" }] });
        let job = json!({ "metadata": { "name": "a/b" }, "spec": {
            "template": { "metadata": { "labels": labels }, "spec": pod } } });
        let (code, refused) = w.post(jobs, &job);
        assert_eq!(code, 422);
        let causes = refused["details"]["causes"].as_array().unwrap().iter();
        let mut fields: Vec<String> = causes
            .map(|c| c["field"].as_str().unwrap().into())
            .collect();
        fields.dedup();
        fields
    };
    assert_eq!(
        wrong(Value::Null, &mut w),
        ["metadata.name", "spec.template.labels"]
    );
    let shared = wrong(json!({ "x": "1" }), &mut w);
    assert_eq!(
        shared,
        ["metadata.name", "metadata.labels", "spec.template.labels"]
    );
}
