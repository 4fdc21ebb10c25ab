//! Random patches beside server-side apply.

use serde_json::{Value, json};

use crate::generator::write_query;
use crate::kinds::Kind;
use crate::operation::{Operation, STRATEGIC, VERSION};
use crate::random::Random;

/// An object without what every object has, as patches are.
fn patch(kind: &Kind, name: &str, random: &mut Random) -> Value {
    let mut patch = kind.object(name, random);
    if let Some(fields) = patch.as_object_mut() {
        fields.remove("apiVersion");
        fields.remove("kind");
    }
    if random.percent(10) {
        patch["metadata"]["labels"] = json!({ "a": null, "b": "2" });
    }
    if random.percent(8) {
        patch["metadata"]["finalizers"] = Value::Null;
    }
    if random.percent(4) {
        patch["spec"] = Value::Null;
    }
    if random.percent(4) {
        patch["metadata"]["resourceVersion"] = json!(random.pick(&[VERSION, "1"]));
    }
    patch
}

pub(crate) fn merge(
    operation: Operation,
    content_type: &'static str,
    kind: &Kind,
    name: &str,
    random: &mut Random,
) -> Operation {
    let patch = patch(kind, name, random);
    let query = write_query(random, &["hand", "one"]);
    operation.body(content_type, patch).query(&query)
}

pub(crate) fn strategic(
    operation: Operation,
    kind: &Kind,
    name: &str,
    random: &mut Random,
) -> Operation {
    let mut patch = patch(kind, name, random);
    let pods = match kind.name {
        "Pod" => Some("/spec"),
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" => {
            Some("/spec/template/spec")
        }
        _ => None,
    };
    if let Some(containers) = pods
        .and_then(|path| patch.pointer_mut(&format!("{path}/containers")))
        .and_then(Value::as_array_mut)
        && random.percent(30)
    {
        let directive = random.pick(&["delete", "replace"]);
        containers.push(json!({ "$patch": directive, "name": "a" }));
    }
    if random.percent(5) {
        let taken = json!("example.com/x");
        // Added and taken away it would be there or not: Go walks a patch in no order.
        if let Some(Value::Array(added)) = patch.pointer_mut("/metadata/finalizers") {
            added.retain(|finalizer| *finalizer != taken);
        }
        patch["metadata"]["$deleteFromPrimitiveList/finalizers"] = json!([taken]);
    }
    if random.percent(4) {
        patch["metadata"]["labels"] = json!({ "$patch": "replace", "c": "3" });
    }
    let query = write_query(random, &["hand", "one"]);
    operation.body(STRATEGIC, patch).query(&query)
}

pub(crate) fn json_patch(kind: &Kind, random: &mut Random) -> Value {
    let steps = 1 + random.below(2);
    (0..steps)
        .map(|_| {
            let paths = [
                ("/metadata/labels/a", json!("2")),
                ("/metadata/labels", json!({"a": "1"})),
                ("/metadata/annotations/b", json!("Mg==")),
                ("/metadata/finalizers", json!(["example.com/x"])),
                ("/metadata/finalizers/0", json!("example.com/y")),
                ("/data/x", json!("Mg==")),
                ("/spec/replicas", json!(2)),
                ("/spec/template/spec/containers/0/image", json!("i:3")),
                ("/spec/ports/-", json!({"port": 83, "name": "p83"})),
                ("/spec/size", json!(2)),
                (
                    "/rules/0",
                    json!({"verbs": ["get"], "apiGroups": [""], "resources": ["x"]}),
                ),
            ];
            let common = if kind.name == "ConfigMap" || kind.name == "Secret" {
                6
            } else {
                paths.len()
            };
            let (path, value) = paths[random.below(common)].clone();
            match random.pick(&["add", "add", "remove", "replace", "test"]) {
                "remove" => json!({"op": "remove", "path": path}),
                op => json!({"op": op, "path": path, "value": value}),
            }
        })
        .collect()
}
