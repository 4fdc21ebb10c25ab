//! Patches, in all the ways in which a kustomization takes them.

use serde_json::{Value, json};

use super::{Forest, Known, objects, text};

/// A strategic merge patch's body for a kind.
fn strategic_body(forest: &mut Forest, kind: &str) -> Value {
    match kind {
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" => {
            match forest.random.below(10) {
                0 => json!({"spec": {"replicas": 7}}),
                1 => json!({"spec": {"template": {"spec": {"containers": [
                {"name": "main", "image": "patched:1"}, {"name": "added", "image": "added:1"}]}}}}),
                2 => json!({"spec": {"template": {"spec": {"containers": [
                {"name": "main", "env": [{"name": "A", "value": "patched"},
                    {"name": "N", "value": "new"}]}]}}}}),
                3 => json!({"spec": {"template": {"spec": {"containers": [
                {"name": "side", "$patch": "delete"}]}}}}),
                4 => json!({"spec": {"template": {"spec": {"volumes": [
                {"name": "v", "configMap": null, "emptyDir": {}}]}}}}),
                5 => json!({"spec": {"template": {"spec": {"containers": [
                {"$patch": "replace"}, {"name": "only", "image": "only:1"}]}}}}),
                6 => json!({"spec": {"template": {"spec": {"$setElementOrder/containers":
                [{"name": "added"}, {"name": "main"}], "containers": [
                {"name": "added", "image": "a:1"}]}}}}),
                7 => json!({"spec": {"template": {"spec": {"containers": [
                {"name": "main", "ports": [{"containerPort": 80, "protocol": "UDP", "name": "u"},
                    {"containerPort": 81}]}]}}}}),
                8 => json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}),
                _ => {
                    json!({"spec": {"template": {"metadata": {"labels": {"app": null, "p": "1"}}}}})
                }
            }
        }
        "ConfigMap" => match forest.random.below(4) {
            0 => json!({"data": {"k": null, "added": "1"}}),
            1 => json!({"data": {"k": "patched"}}),
            2 => json!({"$patch": "delete"}),
            _ => json!({"metadata": {"labels": {"patched": "yes"}}}),
        },
        "Service" => match forest.random.below(3) {
            0 => json!({"spec": {"ports": [{"port": 80, "name": "renamed"}]}}),
            1 => json!({"spec": {"selector": null, "type": "ClusterIP"}}),
            _ => json!({"spec": {"ports": [{"port": 443}]}}),
        },
        "Widget" => match forest.random.below(3) {
            0 => json!({"spec": {"items": [{"name": "three"}]}}),
            1 => json!({"spec": {"size": null, "extra": {"a": 1}}}),
            _ => json!({"spec": {"$patch": "replace", "only": 1}}),
        },
        _ => match forest.random.below(5) {
            0 => json!({"metadata": {"annotations": {"patched": "1"}}}),
            1 => json!({"metadata": {"labels": null}}),
            2 => json!({"$patch": "delete"}),
            3 => json!({"spec": null}),
            _ => json!({"metadata": {"labels": {"patched": "yes"}}}),
        },
    }
}

/// A strategic merge patch for one object.
fn strategic_patch(forest: &mut Forest, of: &Known) -> Value {
    let mut patch = json!({
        "apiVersion": objects::api_version(&of.kind),
        "kind": of.kind,
        "metadata": {"name": of.name},
    });
    if let Some(namespace) = &of.namespace {
        patch["metadata"]["namespace"] = json!(namespace);
    }
    merge(&mut patch, strategic_body(forest, &of.kind));
    patch
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

/// A JSON patch for a kind.
fn operations(forest: &mut Forest, kind: &str) -> Value {
    let general = [
        json!({"op": "add", "path": "/metadata/labels", "value": {"json": "1"}}),
        json!({"op": "add", "path": "/metadata/annotations/a~1b", "value": "x"}),
        json!({"op": "replace", "path": "/metadata/name", "value": "renamed"}),
        json!({"op": "test", "path": "/kind", "value": kind}),
        json!({"op": "remove", "path": "/spec"}),
        json!({"op": "copy", "from": "/metadata/name", "path": "/metadata/copied"}),
        json!({"op": "move", "from": "/metadata/labels", "path": "/metadata/moved"}),
    ];
    let special = match kind {
        "Deployment" | "StatefulSet" | "DaemonSet" => vec![
            json!({"op": "replace", "path": "/spec/replicas", "value": 9}),
            json!({"op": "add", "path": "/spec/template/spec/containers/-",
                "value": {"name": "json", "image": "json:1"}}),
            json!({"op": "replace", "path": "/spec/template/spec/containers/0/image",
                "value": "json:2"}),
            json!({"op": "remove", "path": "/spec/template/spec/containers/1"}),
            json!({"op": "add", "path": "/spec/template/spec/containers/0/args/0", "value": "x"}),
        ],
        "ConfigMap" => vec![
            json!({"op": "add", "path": "/data/json", "value": "1"}),
            json!({"op": "replace", "path": "/data/k", "value": "replaced"}),
            json!({"op": "remove", "path": "/data/n"}),
        ],
        "Widget" => vec![
            json!({"op": "replace", "path": "/spec/items/1/v", "value": 5}),
            json!({"op": "add", "path": "/spec/items/1", "value": {"name": "between"}}),
            json!({"op": "remove", "path": "/spec/items/0"}),
        ],
        _ => Vec::new(),
    };
    let count = 1 + forest.random.below(2);
    let operations = (0..count).map(|_| {
        let from: &[Value] = if special.is_empty() || forest.random.percent(35) {
            &general
        } else {
            &special
        };
        from[forest.random.below(from.len())].clone()
    });
    operations.collect()
}

fn target(forest: &mut Forest, kind: &str, name: &str) -> Value {
    match forest.random.below(9) {
        0 => json!({"kind": kind}),
        1 => json!({"kind": kind, "name": "w.*"}),
        2 => json!({"labelSelector": "app=web"}),
        3 => json!({"kind": kind, "annotationSelector": "note"}),
        4 => json!({"name": name}),
        5 => json!({"group": "apps", "version": "v1", "kind": kind, "name": name}),
        6 => json!({"kind": "Deployment|StatefulSet", "labelSelector": "app in (web, db)"}),
        _ => json!({"kind": kind, "name": name}),
    }
}

/// The field `patches`.
pub(super) fn patches(forest: &mut Forest, folder: &str) -> Value {
    let count = forest.random.pick(&[1, 1, 1, 2]);
    let mut list = Vec::new();
    for index in 0..count {
        let known = forest.target();
        let is_json = forest.random.percent(35);
        let mut patch = serde_json::Map::new();
        let body = if is_json {
            operations(forest, &known.kind)
        } else {
            strategic_patch(forest, &known)
        };
        if is_json || forest.random.percent(40) {
            patch.insert("target".into(), target(forest, &known.kind, &known.name));
        }
        let mut text = text::yaml(&body, &mut forest.random);
        if !is_json && forest.random.percent(10) {
            let other = forest.target();
            let second = strategic_patch(forest, &other);
            text = format!("{text}---\n{}", text::yaml(&second, &mut forest.random));
        }
        if forest.random.percent(50) {
            patch.insert("patch".into(), json!(text));
        } else {
            let file = format!("patch{index}.yaml");
            forest.write(format!("{folder}/{file}"), text);
            patch.insert("path".into(), json!(file));
        }
        if forest.random.percent(12) {
            patch.insert(
                "options".into(),
                json!({
                "allowNameChange": forest.random.percent(70),
                "allowKindChange": forest.random.percent(50)}),
            );
        }
        list.push(Value::Object(patch));
    }
    Value::Array(list)
}

/// The field `patchesStrategicMerge`.
pub(super) fn strategic(forest: &mut Forest, folder: &str) -> Value {
    let known = forest.target();
    let patch = strategic_patch(forest, &known);
    let text = text::yaml(&patch, &mut forest.random);
    if forest.random.percent(50) {
        return json!([text]);
    }
    forest.write(format!("{folder}/strategic.yaml"), text);
    json!(["strategic.yaml"])
}

/// The field `patchesJson6902`.
pub(super) fn json6902(forest: &mut Forest, folder: &str) -> Value {
    let Known {
        kind,
        name,
        namespace,
        ..
    } = forest.target();
    let api_version = objects::api_version(&kind);
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let mut target = json!({"version": version, "kind": kind, "name": name});
    if !group.is_empty() {
        target["group"] = json!(group);
    }
    if let Some(namespace) = namespace {
        target["namespace"] = json!(namespace);
    }
    let body = operations(forest, &kind);
    let text = text::yaml(&body, &mut forest.random);
    if forest.random.percent(50) {
        return json!([{"target": target, "patch": text}]);
    }
    forest.write(format!("{folder}/json.yaml"), text);
    json!([{"target": target, "path": "json.yaml"}])
}
