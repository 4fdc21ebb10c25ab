//! Built-in transformers and generators that are configured as objects.

use serde_json::{Value, json};

use super::{Forest, Known, edits, fields, objects, text};

fn plugin(kind: &str, name: &str, fields: Value) -> Value {
    let mut plugin = json!({"apiVersion": "builtin", "kind": kind, "metadata": {"name": name}});
    if let (Value::Object(plugin), Value::Object(fields)) = (&mut plugin, fields) {
        plugin.extend(fields);
    }
    plugin
}

fn transformer(forest: &mut Forest) -> Value {
    match forest.random.below(8) {
        0 => plugin(
            "PrefixTransformer",
            "t",
            json!({"prefix": "t-",
            "fieldSpecs": [{"path": "metadata/name"}]}),
        ),
        1 => plugin(
            "SuffixTransformer",
            "t",
            json!({"suffix": "-t",
            "fieldSpecs": [{"path": "metadata/name", "kind": "ConfigMap"}]}),
        ),
        2 => plugin(
            "LabelTransformer",
            "t",
            json!({"labels": {"t": "1"},
            "fieldSpecs": [{"path": "metadata/labels", "create": true}]}),
        ),
        3 => plugin(
            "AnnotationsTransformer",
            "t",
            json!({"annotations": {"t": "1"},
            "fieldSpecs": [{"path": "metadata/annotations", "create": true}]}),
        ),
        4 => plugin(
            "ImageTagTransformer",
            "t",
            json!({"imageTag": {"name": "nginx",
            "newTag": "t"}}),
        ),
        5 => {
            let namespace = objects::namespace(forest);
            plugin(
                "NamespaceTransformer",
                "t",
                json!({"metadata": {"name": "t",
                "namespace": namespace}, "unsetOnly": forest.random.percent(50),
                "fieldSpecs": [{"path": "metadata/namespace", "create": true}]}),
            )
        }
        6 => {
            let Known { kind, name, .. } = forest.target();
            plugin(
                "PatchTransformer",
                "t",
                json!({
                "target": {"kind": kind, "name": name},
                "patch": "- op: add\n  path: /metadata/labels\n  value:\n    t: \"1\"\n"}),
            )
        }
        _ => {
            let replacement = edits::replacement(forest);
            plugin(
                "ReplacementTransformer",
                "t",
                json!({"replacements": [replacement]}),
            )
        }
    }
}

/// The field `transformers`.
pub(super) fn transformers(forest: &mut Forest, folder: &str) -> Value {
    let transformer = transformer(forest);
    if forest.random.percent(40) {
        return json!([text::yaml(&transformer, &mut forest.random)]);
    }
    forest.write_value(format!("{folder}/transformer.yaml"), &transformer);
    json!(["transformer.yaml"])
}

/// The field `validators`.
pub(super) fn validators(forest: &mut Forest, folder: &str) -> Value {
    let validator = match forest.random.below(4) {
        0 => transformer(forest),
        1 => {
            let Known { kind, name, .. } = forest.target();
            plugin(
                "PatchTransformer",
                "v",
                json!({"target": {"kind": kind, "name": name},
                    "patch": format!("- op: test\n  path: /kind\n  value: {kind}\n")}),
            )
        }
        _ => plugin(
            "LabelTransformer",
            "v",
            json!({"labels": {"validated-by": "me"},
                "fieldSpecs": [{"path": "metadata/labels", "create": true}]}),
        ),
    };
    forest.write_value(format!("{folder}/validator.yaml"), &validator);
    json!(["validator.yaml"])
}

/// The field `generators`.
pub(super) fn generators(forest: &mut Forest, folder: &str) -> Value {
    let kind = forest.random.pick(&["ConfigMap", "Secret"]);
    let mut fields = fields::generated(forest, folder, kind, "plugged");
    let name = fields["name"].take();
    if let Value::Object(fields) = &mut fields {
        fields.remove("name");
    }
    let kind = forest
        .random
        .pick(&["ConfigMapGenerator", "SecretGenerator"]);
    let mut generator = plugin(kind, "g", fields);
    generator["metadata"]["name"] = name;
    forest.write_value(format!("{folder}/generator.yaml"), &generator);
    json!(["generator.yaml"])
}
