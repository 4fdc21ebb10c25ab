//! Two custom resources: every kind of list and map that apply knows, and everything that a
//! schema can demand.

use serde_json::{Value, json};

use super::{Kind, map, plain, texts};
use crate::random::Random;

const GROUP: &str = "conformance.example.com";
const VERSION: &str = "conformance.example.com/v1";

/// Namespaced, with a status; its fields are shared by managers in every way.
pub(crate) const WIDGET: Kind = Kind {
    status: Some(widget_status),
    custom: true,
    ..plain("Widget", VERSION, "widgets", fill_widget)
};
/// Cluster-scoped, without a status; its fields are hard to please.
pub(crate) const GADGET: Kind = Kind {
    namespaced: false,
    custom: true,
    ..plain("Gadget", VERSION, "gadgets", gadget)
};

fn fill_widget(object: &mut Value, random: &mut Random) {
    object["spec"] = widget(random);
}

fn widget_status(random: &mut Random) -> Value {
    let mut status = json!({ "observedGeneration": random.pick(&[1, 2]) });
    if random.percent(60) {
        status["conditions"] = super::conditions(random);
    }
    status
}

/// The definition of Widget.
pub(crate) fn widget_definition() -> Value {
    let text = json!({"type": "string"});
    let part = json!({"type": "object", "required": ["name"], "properties": {
        "name": text, "p": {"type": "string", "default": "TCP"}, "n": {"type": "integer"},
        "o": {"type": "object", "properties": {"q": text}},
    }});
    let spec = json!({"type": "object", "properties": {
        "size": {"type": "integer", "maximum": 3},
        "color": {"type": "string", "default": "red"},
        "any": {"x-kubernetes-preserve-unknown-fields": true},
        "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": text},
        "plain": {"type": "array", "items": text},
        "atom": {"type": "object", "x-kubernetes-map-type": "atomic",
                 "properties": {"a": text, "b": text}},
        "m": {"type": "object", "additionalProperties":
              {"type": "object", "properties": {"x": text, "y": text}}},
        "parts": {"type": "array", "x-kubernetes-list-type": "map",
                  "x-kubernetes-list-map-keys": ["name", "p"], "items": part},
    }});
    let condition = json!({"type": "object", "required": ["type"], "properties": {
        "type": text, "status": text, "reason": text, "message": text,
        "lastTransitionTime": {"type": "string", "format": "date-time"},
    }});
    let status = json!({"type": "object", "properties": {
        "observedGeneration": {"type": "integer"},
        "conditions": {"type": "array", "x-kubernetes-list-type": "map",
                       "x-kubernetes-list-map-keys": ["type"], "items": condition},
    }});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("widgets.{GROUP}")},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": spec, "status": status,
                }}},
            }],
        },
    })
}

/// The definition of Gadget.
pub(crate) fn gadget_definition() -> Value {
    let rule = |rule: &str, message: &str| json!({"rule": rule, "message": message});
    let spec = json!({"type": "object", "required": ["mode"], "properties": {
        "mode": {"type": "string", "enum": ["on", "off"]},
        "name": {"type": "string", "minLength": 2, "maxLength": 4, "pattern": "^[a-z]+$"},
        "ratio": {"type": "number", "minimum": 0, "exclusiveMinimum": true},
        "port": {"x-kubernetes-int-or-string": true},
        "hint": {"type": "string", "nullable": true},
        "when": {"type": "string", "format": "date-time"},
        "low": {"type": "integer", "default": 1},
        "high": {"type": "integer", "default": 5},
        "fixed": {"type": "string",
                  "x-kubernetes-validations": [rule("self == oldSelf", "fixed may not change")]},
        "list": {"type": "array", "maxItems": 2, "items": {"type": "object", "properties": {
            "key": {"type": "string"}, "value": {"type": "integer", "default": 7}}}},
        "inner": {"type": "object", "default": {}, "properties": {
            "level": {"type": "string", "default": "info"}}},
    }, "x-kubernetes-validations": [rule("self.low <= self.high", "low must not exceed high")]});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("gadgets.{GROUP}")},
        "spec": {
            "group": GROUP,
            "scope": "Cluster",
            "names": {"plural": "gadgets", "kind": "Gadget", "shortNames": ["gd"]},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}},
            }],
        },
    })
}

fn gadget(object: &mut Value, random: &mut Random) {
    let mut spec = json!({});
    if random.percent(90) {
        spec["mode"] = json!(random.pick(&["on", "on", "off", "odd"]));
    }
    let names = ["ab", "abcd", "a", "abcde", "A1"];
    if random.percent(40) {
        spec["name"] = json!(random.pick(&names));
    }
    for (field, values) in [
        ("ratio", [json!(0.5), json!(1), json!(0)]),
        ("port", [json!(1), json!("x"), json!(true)]),
        ("hint", [json!("x"), Value::Null, json!(1)]),
        (
            "when",
            [
                json!("2026-01-01T00:00:00Z"),
                json!("soon"),
                json!("2026-01-01"),
            ],
        ),
        ("low", [json!(2), json!(9), json!("1")]),
        ("fixed", [json!("x"), json!("x"), json!("y")]),
        (
            "list",
            [
                json!([{"key": "a"}]),
                json!([{"key": "b", "value": 1}, {}]),
                json!([{}, {}, {}]),
            ],
        ),
        (
            "inner",
            [json!({}), json!({"level": "debug"}), json!({"other": 1})],
        ),
    ] {
        if random.percent(25) {
            spec[field] = values[random.below(3)].clone();
        }
    }
    object["spec"] = spec;
}

fn widget(random: &mut Random) -> Value {
    let mut spec = json!({});
    if random.percent(40) {
        spec["size"] = json!(random.pick(&[1, 2, 3, 3, 2, 4]));
    }
    if random.percent(30) {
        spec["color"] = json!(random.pick(&["red", "blue"]));
    }
    if random.percent(30) {
        let any = [
            json!({"a": 1, "l": [1, {"b": 2}]}),
            json!({"a": 2, "c": {"d": 1}}),
            json!(5),
            json!([1, 2]),
            json!({}),
        ];
        spec["any"] = any[random.below(any.len())].clone();
    }
    if random.percent(50) {
        spec["tags"] = json!(random.some(&["a", "b", "c"]));
    }
    if random.percent(30) {
        spec["plain"] = json!(random.some(&["a", "b", "c"]));
    }
    if random.percent(30) {
        spec["atom"] = texts(&["a", "b"], random);
    }
    if random.percent(40) {
        let keys = random.some(&["k", "l"]);
        spec["m"] = map(keys, |_| texts(&["x", "y"], random));
    }
    if random.percent(60) {
        let keys = [
            ("a", None),
            ("a", Some("UDP")),
            ("b", None),
            ("c", Some("TCP")),
        ];
        let mut parts = Vec::new();
        for (name, protocol) in random.some(&keys) {
            let mut part = json!({ "name": name });
            if let Some(protocol) = protocol {
                part["p"] = json!(protocol);
            }
            if random.percent(50) {
                part["n"] = json!(random.pick(&[1, 2]));
            }
            if random.percent(30) {
                part["o"] = texts(&["q"], random);
            }
            parts.push(part);
        }
        spec["parts"] = parts.into();
    }
    spec
}
