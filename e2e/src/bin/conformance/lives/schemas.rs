//! Random definitions of custom resources, some of them wrong, and random objects that some of their
//! schemas accept.

use serde_json::{Value, json};

use crate::random::Random;

/// The versions that a definition may serve.
pub(super) const VERSIONS: [&str; 2] = ["v1", "v2"];

/// A definition. What its objects may have in `probe` tells which state of it is served.
pub(super) fn definition(group: &str, plural: &str, probe: &str, random: &mut Random) -> Value {
    let kind = if plural == "alphas" { "Alpha" } else { "Beta" };
    let mut names = json!({"plural": plural, "kind": kind});
    // What the other one may have as well.
    if random.percent(30) {
        names["shortNames"] = json!(random.some(&["al", "be", "alphas"]));
    }
    if random.percent(15) {
        names["kind"] = json!("Alpha");
    }
    if random.percent(10) {
        names["singular"] = json!(random.pick(&["alpha", "beta"]));
    }
    if random.percent(10) {
        names["listKind"] = json!(random.pick(&["AlphaList", "BetaList"]));
    }
    if random.percent(20) {
        names["categories"] = json!(["all"]);
    }
    let scope = if plural == "alphas" {
        "Namespaced"
    } else {
        "Cluster"
    };
    let mut definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {"group": group, "scope": scope, "names": names, "versions": versions(probe, random)},
    });
    if random.percent(12) {
        spoil(&mut definition, random);
    }
    definition
}

/// One or two versions, one of which is stored.
pub(super) fn versions(probe: &str, random: &mut Random) -> Value {
    let mut versions = Vec::new();
    let both = random.percent(55);
    let stored = if both { random.below(2) } else { 0 };
    for (at, name) in VERSIONS.iter().enumerate().take(1 + usize::from(both)) {
        let mut version = json!({
            "name": name, "served": !random.percent(15), "storage": at == stored,
            "schema": {"openAPIV3Schema": schema(probe, random)},
        });
        if random.percent(40) {
            version["subresources"] = json!({"status": {}});
        }
        versions.push(version);
    }
    versions.into()
}

fn schema(probe: &str, random: &mut Random) -> Value {
    let mut properties = json!({});
    if random.percent(80) {
        properties["a"] = json!({"type": "string"});
        if random.percent(40) {
            properties["a"]["default"] = json!("x");
        }
        if random.percent(30) {
            properties["a"]["enum"] = json!(["x", "y"]);
        }
    }
    if random.percent(70) {
        properties["n"] = json!({"type": "integer"});
        if random.percent(50) {
            properties["n"]["maximum"] = json!(random.pick(&[3, 7]));
        }
        if random.percent(20) {
            properties["n"]["nullable"] = json!(true);
        }
    }
    if random.percent(60) {
        properties["l"] = json!({"type": "array", "items": {"type": "string"}});
        if random.percent(40) {
            properties["l"]["maxItems"] = json!(1);
        }
    }
    if random.percent(60) {
        properties["o"] = if random.percent(30) {
            json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
        } else {
            json!({"type": "object", "properties": {
                "k": {"type": "string"}, "d": {"type": "integer", "default": 7},
            }})
        };
    }
    let mut spec = json!({"type": "object", "properties": properties});
    if random.percent(20) {
        spec["required"] = json!(["n"]);
    }
    json!({"type": "object", "properties": {
        "spec": spec,
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        "probe": {"type": "string", "enum": [probe]},
    }})
}

/// Makes a definition wrong in one way.
fn spoil(definition: &mut Value, random: &mut Random) {
    let spec = &mut definition["spec"];
    match random.below(8) {
        0 => spec["versions"][0]["storage"] = json!(false),
        1 => {
            let mut version = spec["versions"][0].clone();
            version["name"] = json!("v3");
            version["storage"] = json!(true);
            spec["versions"][0]["storage"] = json!(true);
            spec["versions"] = json!([spec["versions"][0].clone(), version]);
        }
        2 => definition["metadata"]["name"] = json!("wrong.example.com"),
        3 => spec["versions"][0]["schema"] = Value::Null,
        4 => {
            let root = &mut spec["versions"][0]["schema"]["openAPIV3Schema"];
            root["properties"]["spec"]["properties"]["w"] = json!({"description": "of no type"});
        }
        5 => spec["scope"] = json!("Nowhere"),
        6 => spec["names"]["kind"] = json!(""),
        _ => {
            let first = spec["versions"][0].clone();
            let mut second = first.clone();
            second["storage"] = json!(false);
            spec["versions"] = json!([first, second]);
        }
    }
}

/// The specification of an object.
pub(super) fn spec(random: &mut Random) -> Value {
    let mut spec = json!({});
    for (field, values) in [
        ("a", [json!("x"), json!("z"), json!(1)]),
        ("n", [json!(1), json!(5), Value::Null]),
        ("l", [json!(["p"]), json!(["p", "q"]), json!([])]),
        ("o", [json!({"k": "v", "z": 1}), json!({}), json!({"d": 1})]),
        ("u", [json!(1), json!({"v": 2}), json!("w")]),
    ] {
        if random.percent(45) {
            // Mostly what is right.
            let at = if random.percent(60) {
                0
            } else {
                random.below(3)
            };
            spec[field] = values[at].clone();
        }
    }
    spec
}
