//! Requests that are wrong in themselves: bodies that can't be read, options that don't exist,
//! paths that lead nowhere, objects that contradict their paths.

use serde_json::{Value, json};

use crate::kinds::Kind;
use crate::operation::{APPLY, JSON, JSON_PATCH, MERGE, Operation};
use crate::random::Random;

/// A wrong request about a kind.
pub(crate) fn operation(
    kind: &Kind,
    collection: &str,
    name: &str,
    random: &mut Random,
) -> Operation {
    let path = format!("{collection}/{name}");
    let make = |method, path: &str| Operation::new("malformed", kind.name, method, path);
    let text = |text: &str| Value::String(text.to_owned());
    let mut object = kind.object(name, random);
    match random.below(24) {
        0 => make("POST", collection).body(JSON, text("{")),
        1 => make("POST", collection).body(JSON, text("[]")),
        2 => make("PATCH", &path).body(MERGE, text("[1]")),
        3 => make("PATCH", &path).body(MERGE, text("{")),
        4 => make("PATCH", &path).body(JSON_PATCH, text("{\"op\": \"add\"}")),
        5 => make("PATCH", &path).body("application/odd", json!({})),
        6 => make("PATCH", &path)
            .body(APPLY, text("a: ["))
            .query(&["fieldManager=one".into()]),
        7 => make("PATCH", &path).body(APPLY, object),
        8 => {
            object["kind"] = json!("Cat");
            make("POST", collection).body(JSON, object)
        }
        9 => {
            object["apiVersion"] = json!("cats/v1");
            make("POST", collection).body(JSON, object)
        }
        10 => {
            object["metadata"]["name"] = json!("other");
            make("PUT", &path).body(JSON, object)
        }
        11 => {
            object["metadata"]["namespace"] = json!("other");
            make("POST", collection).body(JSON, object)
        }
        12 => {
            let odd = random.pick(&["A", "a b", "a/b", "-", "."]);
            // Roles may be called so, and the real server is shared with other rounds.
            let shared = !kind.namespaced && !matches!(odd, "a/b" | ".");
            object["metadata"]["name"] = if shared {
                json!(format!("{name}{odd}"))
            } else {
                json!(odd)
            };
            make("POST", collection).body(JSON, object)
        }
        13 => make("POST", collection)
            .body(JSON, object)
            .query(&["dryRun=Some".into()]),
        14 => make("POST", collection)
            .body(JSON, object)
            .query(&["fieldValidation=Odd".into()]),
        15 => make("PATCH", &path)
            .body(MERGE, json!({}))
            .query(&["force=true".into()]),
        16 => make("GET", &format!("{path}/nothing")),
        17 => make("POST", &path).body(JSON, object),
        18 => make("PUT", collection).body(JSON, object),
        19 => make("DELETE", &path).body(
            JSON,
            json!({
                "kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Odd",
            }),
        ),
        20 => {
            object["unknown"] = json!(1);
            object["metadata"]["odd"] = json!("x");
            make("POST", collection)
                .body(JSON, object)
                .query(&["fieldValidation=Strict".into()])
        }
        21 => {
            object["metadata"]["labels"] = json!({ "a": 1 });
            make("POST", collection).body(JSON, object)
        }
        22 => {
            object["spec"] = json!(random.pick(&["text"]));
            make("POST", collection).body(JSON, object)
        }
        _ => {
            object["metadata"]["name"] = Value::Null;
            make("POST", collection).body(JSON, object)
        }
    }
}
