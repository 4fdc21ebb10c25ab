//! Random operations on few names, so that they collide.

use serde_json::{Value, json};

use crate::normal::GENERATE;
use crate::objects::{KINDS, Kind};
use crate::operation::{Operation, UID, VERSION};
use crate::random::Random;

const APPLY: &str = "application/apply-patch+yaml";
const JSON: &str = "application/json";
const MERGE: &str = "application/merge-patch+json";
const JSON_PATCH: &str = "application/json-patch+json";

/// The managers that fight for the fields.
const MANAGERS: [&str; 3] = ["one", "two", "three"];

/// Makes operations, one after the other.
#[derive(Debug)]
pub(crate) struct Generator {
    random: Random,
    namespace: String,
}

impl Generator {
    pub(crate) fn new(seed: u64, namespace: &str) -> Self {
        Self {
            random: Random::new(seed),
            namespace: namespace.to_owned(),
        }
    }

    /// The next operation.
    pub(crate) fn next(&mut self) -> Operation {
        let random = &mut self.random;
        let kind = random.pick(&KINDS);
        let name = random.pick(&["a", "b"]);
        let collection = kind.collection(&self.namespace);
        let path = format!("{collection}/{name}");
        let roll = random.below(100);
        let verb = |verb, method, path: &str| Operation::new(verb, kind.name(), method, path);
        match roll {
            0..44 => apply(verb("apply", "PATCH", &path), kind, name, random),
            44..56 => {
                let mut patch = kind.object(name, random);
                if let Some(fields) = patch.as_object_mut() {
                    fields.remove("apiVersion");
                    fields.remove("kind");
                }
                let query = write_query(random, &["hand", "one"]);
                verb("merge", "PATCH", &path)
                    .body(MERGE, patch)
                    .query(&query)
            }
            56..62 => {
                let query = write_query(random, &["hand", "one"]);
                verb("json-patch", "PATCH", &path)
                    .body(JSON_PATCH, json_patch(random))
                    .query(&query)
            }
            62..72 => {
                let mut object = kind.object(name, random);
                match random.below(4) {
                    0 => {}
                    1 => object["metadata"]["resourceVersion"] = json!("1"),
                    _ => object["metadata"]["resourceVersion"] = json!(VERSION),
                }
                let query = write_query(random, &["put", "one"]);
                verb("update", "PUT", &path)
                    .body(JSON, object)
                    .query(&query)
            }
            72..80 => {
                let mut object = kind.object(name, random);
                let mut query = write_query(random, &["post", "two"]);
                // Never stored: the name would be another one on each server for ever.
                if random.percent(15) {
                    object["metadata"]["name"] = Value::Null;
                    object["metadata"]["generateName"] = json!(GENERATE);
                    query.retain(|parameter| parameter != DRY_RUN);
                    query.push(DRY_RUN.to_owned());
                }
                verb("create", "POST", &collection)
                    .body(JSON, object)
                    .query(&query)
            }
            80..88 => delete(verb("delete", "DELETE", &path), random),
            88..95 => verb("get", "GET", &path),
            _ => {
                let selectors = [
                    "",
                    "a=1",
                    "a%3D1",
                    "a!=1",
                    "a%20in%20(1,2)",
                    "!a,b",
                    "a=%3D=",
                ];
                let mut query = Vec::new();
                match random.pick(&selectors) {
                    "" => {}
                    selector => query.push(format!("labelSelector={selector}")),
                }
                if random.percent(30) {
                    query.push("fieldSelector=metadata.name%3Da".to_owned());
                }
                verb("list", "GET", &collection).query(&query)
            }
        }
    }
}

const DRY_RUN: &str = "dryRun=All";

fn write_query(random: &mut Random, managers: &[&str]) -> Vec<String> {
    let mut query = Vec::new();
    // Without one the client's name is the manager.
    if random.percent(80) {
        query.push(format!("fieldManager={}", random.pick(managers)));
    }
    if random.percent(10) {
        query.push(DRY_RUN.to_owned());
    }
    query
}

fn apply(operation: Operation, kind: Kind, name: &str, random: &mut Random) -> Operation {
    let mut query = vec![format!("fieldManager={}", random.pick(&MANAGERS))];
    if random.percent(40) {
        query.push("force=true".to_owned());
    }
    if random.percent(10) {
        query.push(DRY_RUN.to_owned());
    }
    operation
        .body(APPLY, kind.object(name, random))
        .query(&query)
}

fn json_patch(random: &mut Random) -> Value {
    let steps = 1 + random.below(2);
    (0..steps)
        .map(|_| {
            let path = random.pick(&[
                "/metadata/labels/a",
                "/metadata/labels",
                "/metadata/annotations/b",
                "/data/x",
            ]);
            let value = if path.ends_with("/labels") {
                json!({"a": "1"})
            } else {
                json!("Mg==")
            };
            let value = if path.ends_with("/a") {
                json!("2")
            } else {
                value
            };
            match random.pick(&["add", "add", "remove", "replace", "test"]) {
                "remove" => json!({"op": "remove", "path": path}),
                op => json!({"op": op, "path": path, "value": value}),
            }
        })
        .collect()
}

fn delete(operation: Operation, random: &mut Random) -> Operation {
    let other = "00000000-0000-0000-0000-000000000000";
    let preconditions = match random.below(6) {
        0 => json!({ "uid": UID }),
        1 => json!({ "uid": other }),
        2 => json!({ "resourceVersion": VERSION }),
        3 => json!({"resourceVersion": "1"}),
        4 => json!({"uid": UID, "resourceVersion": VERSION}),
        _ => return operation,
    };
    let options = json!({
        "apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions,
    });
    operation.body(JSON, options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_operations() {
        let list = |seed| {
            let mut generator = Generator::new(seed, "n");
            (0..200)
                .map(|_| format!("{:?}", generator.next()))
                .collect::<Vec<_>>()
        };
        assert_eq!(list(1), list(1));
        assert_ne!(list(1), list(2));
    }

    #[test]
    fn every_verb_meets_every_kind() {
        let mut generator = Generator::new(1, "n");
        let seen: std::collections::BTreeSet<_> = (0..2000)
            .map(|_| generator.next())
            .map(|operation| (operation.verb, operation.kind))
            .collect();
        assert_eq!(seen.len(), 8 * KINDS.len());
    }
}
