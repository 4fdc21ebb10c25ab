//! Replacements, variables, and what teaches kustomize new fields.

use serde_json::{Value, json};

use super::{Forest, Known, objects};

/// Field paths that objects of a kind mostly have.
fn readable(forest: &mut Forest, kind: &str) -> &'static str {
    let fields: &[&str] = match kind {
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" => &[
            "metadata.name",
            "spec.template.spec.containers.0.image",
            "spec.template.spec.containers.[name=main].image",
            "spec.template.metadata.labels.app",
            "spec.selector.matchLabels",
            "spec.replicas",
            "spec.template.spec.containers",
        ],
        "ConfigMap" => &["metadata.name", "data.k", "data"],
        "Widget" => &[
            "spec.size",
            "spec.text",
            "spec.items.[name=two].v",
            "spec.items.0",
        ],
        "Service" => &[
            "metadata.name",
            "spec.ports.0.port",
            "spec.ports.[name=http].port",
        ],
        _ => &["metadata.name", "kind", "metadata.name"],
    };
    if forest.random.percent(12) {
        forest.random.pick(&[
            "metadata.namespace",
            "metadata.labels.app",
            "metadata.annotations.[note]",
            "metadata.annotations.note",
            "spec.missing",
        ])
    } else {
        forest.random.pick(fields)
    }
}

/// Field paths to write to.
fn writable(forest: &mut Forest, kind: &str) -> &'static str {
    let fields: &[&str] = match kind {
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" => &[
            "spec.template.spec.containers.[name=main].image",
            "spec.template.spec.containers.*.image",
            "spec.template.spec.containers.0.name",
            "spec.template.metadata.labels.app",
            "spec.selector.matchLabels.app",
            "spec.template.spec.containers.[name=main].env.[name=A].value",
        ],
        "ConfigMap" => &["data.k", "data.n", "metadata.name", "data.[k]"],
        "Widget" => &[
            "spec.text",
            "spec.items.[name=two].v",
            "spec.items.*.name",
            "spec.items.1.v",
            "spec.ref.name",
            "spec.items.[v=1].name",
        ],
        "Service" => &["spec.ports.0.name", "spec.ports.*.port", "metadata.name"],
        _ => &["metadata.name", "metadata.name"],
    };
    if forest.random.percent(15) {
        forest.random.pick(&[
            "metadata.annotations.from",
            "metadata.labels.app",
            "metadata.namespace",
            "spec.new.deep",
            "spec.template.spec.volumes.[name=v].configMap.name",
            "metadata.annotations.a\\.b/c",
        ])
    } else {
        forest.random.pick(fields)
    }
}

fn select(forest: &mut Forest, kind: &str, name: &str) -> Value {
    match forest.random.below(5) {
        0 => json!({"kind": kind}),
        1 => json!({"name": name}),
        2 => json!({"kind": kind, "name": name, "namespace": objects::namespace(forest)}),
        _ => json!({"kind": kind, "name": name}),
    }
}

fn options(forest: &mut Forest) -> Option<Value> {
    match forest.random.below(10) {
        0 => Some(json!({"create": true})),
        1 => Some(json!({"delimiter": "-", "index": forest.random.below(3)})),
        2 => Some(json!({"delimiter": ":", "index": 1})),
        3 => Some(json!({"delimiter": "/", "index": -1})),
        4 => Some(json!({"create": true})),
        _ => None,
    }
}

/// One replacement.
pub(super) fn replacement(forest: &mut Forest) -> Value {
    let Known { kind, name, .. } = forest.target();
    let mut source = json!({"kind": kind, "name": name});
    if forest.random.percent(85) {
        source["fieldPath"] = json!(readable(forest, &kind));
    }
    if forest.random.percent(15) {
        source["options"] = json!({"delimiter": forest.random.pick(&["-", ":", "/"]),
            "index": forest.random.below(2)});
    }
    let count = forest.random.pick(&[1, 1, 2]);
    let targets: Vec<Value> = (0..count)
        .map(|_| {
            let Known { kind, name, .. } = forest.target();
            let mut paths = vec![writable(forest, &kind)];
            if forest.random.percent(20) {
                paths.push(writable(forest, &kind));
            }
            let mut target = json!({
                "select": select(forest, &kind, &name),
                "fieldPaths": paths,
            });
            if forest.random.percent(12) {
                let Known { kind, name, .. } = forest.target();
                target["reject"] = json!([select(forest, &kind, &name)]);
            }
            if let Some(options) = options(forest) {
                target["options"] = options;
            }
            target
        })
        .collect();
    json!({"source": source, "targets": targets})
}

/// The field `replacements`.
pub(super) fn replacements(forest: &mut Forest, folder: &str) -> Value {
    let first = replacement(forest);
    if forest.random.percent(25) {
        forest.write_value(format!("{folder}/replacement.yaml"), &first);
        return json!([{"path": "replacement.yaml"}]);
    }
    if forest.random.percent(20) {
        let second = replacement(forest);
        return json!([first, second]);
    }
    json!([first])
}

/// The field `vars`.
pub(super) fn variables(forest: &mut Forest, _: &str) -> Value {
    let Known { kind, name, .. } = forest.target();
    let mut variable = json!({"name": "VAR", "objref": {
        "apiVersion": objects::api_version(&kind), "kind": kind, "name": name}});
    if forest.random.percent(50) {
        variable["fieldref"] = json!({"fieldpath": forest.random.pick(
            &["metadata.name", "metadata.namespace", "data.k", "spec.replicas"])});
    }
    json!([variable])
}

/// The field `configurations`.
pub(super) fn configurations(forest: &mut Forest, folder: &str) -> Value {
    let configuration = match forest.random.below(6) {
        0 => json!({"nameReference": [{"kind": "ConfigMap", "fieldSpecs": [
            {"kind": "Widget", "path": "spec/ref/name"}]}]}),
        1 => json!({"commonLabels": [{"kind": "Widget", "path": "spec/labels", "create": true}]}),
        2 => json!({"images": [{"kind": "Widget", "path": "spec/image"}]}),
        3 => json!({"varReference": [{"kind": "Widget", "path": "spec/text"}]}),
        4 => json!({"replicas": [{"kind": "Widget", "path": "spec/size"}]}),
        _ => json!({"namespace": [{"kind": "Widget", "path": "spec/ns", "create": true}]}),
    };
    forest.write_value(format!("{folder}/configuration.yaml"), &configuration);
    json!(["configuration.yaml"])
}

/// The field `crds`.
pub(super) fn crds(forest: &mut Forest, folder: &str) -> Value {
    let definition = json!({
        "example.com/v1.Widget": {"Schema": {"properties": {
            "apiVersion": {"type": "string"}, "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": {"$ref": "example.com/v1.WidgetSpec"}}}},
        "example.com/v1.WidgetSpec": {"Schema": {"properties": {
            "ref": {"x-kubernetes-object-ref-api-version": "v1",
                "x-kubernetes-object-ref-kind": "ConfigMap",
                "x-kubernetes-object-ref-name-key": "name",
                "type": "object"}}}},
    });
    forest.write(format!("{folder}/crd.json"), definition.to_string());
    json!(["crd.json"])
}

/// The field `openapi`.
pub(super) fn open_api(forest: &mut Forest, folder: &str) -> Value {
    if forest.random.percent(15) {
        return json!({"version": "v1.21.2"});
    }
    let mut items = json!({"type": "array", "items": {"type": "object", "properties": {
        "name": {"type": "string"}, "v": {"type": "integer"}}}});
    if forest.random.percent(80) {
        items["x-kubernetes-patch-strategy"] = json!("merge");
        items["x-kubernetes-patch-merge-key"] = json!(forest.random.pick(&["name", "name", "v"]));
    }
    let mut paths = json!({});
    if forest.random.percent(40) {
        let path = forest.random.pick(&[
            "/apis/example.com/v1/widgets",
            "/apis/example.com/v1/namespaces/{namespace}/widgets",
        ]);
        paths[path] = json!({"get": {"x-kubernetes-group-version-kind": {
            "group": "example.com", "version": "v1", "kind": "Widget"}}});
    }
    let document = json!({"definitions": {"Widget": {
        "type": "object",
        "x-kubernetes-group-version-kind": [
            {"group": "example.com", "version": "v1", "kind": "Widget"}],
        "properties": {"spec": {"$ref": "#/definitions/Spec"}}},
        "Spec": {"type": "object", "properties": {"items": items}}}, "paths": paths});
    forest.write(format!("{folder}/openapi.json"), document.to_string());
    json!({"path": "openapi.json"})
}
