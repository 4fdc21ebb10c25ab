//! What a namespace says of its end while something in it, or of itself, holds it up.

use serde_json::{Value, json};

use crate::world::World;

const NS: &str = "/api/v1/namespaces/n";

/// Starts a namespace with objects that finalizers hold, and its end.
fn ending(meta: Value, held: &[(&str, &str, &[&str])]) -> World {
    let mut w = World::new();
    let mut metadata = meta;
    metadata["name"] = json!("n");
    w.post("/api/v1/namespaces", &json!({ "metadata": metadata }));
    w.pass(1_000);
    for (plural, name, finalizers) in held {
        let object = json!({ "metadata": { "name": name, "finalizers": finalizers } });
        assert_eq!(w.post(&format!("{NS}/{plural}"), &object).0, 201);
    }
    w.delete(NS, &Value::Null);
    w.pass(1_000);
    w
}

/// Status, reason and message of each condition, in their order.
fn conditions(w: &mut World) -> Vec<[String; 4]> {
    let (_, namespace) = w.get(NS);
    let conditions = namespace["status"]["conditions"].as_array().cloned();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    conditions
        .into_iter()
        .flatten()
        .map(|c| ["type", "status", "reason", "message"].map(|field| text(&c[field])))
        .collect()
}

#[test]
fn what_holds_a_namespace_up_is_counted() {
    let held: &[(&str, &str, &[&str])] = &[
        ("configmaps", "a", &["x.y/a", "x.y/b"]),
        ("configmaps", "b", &["x.y/b"]),
        ("secrets", "c", &["x.y/b", "foregroundDeletion"]),
    ];
    let mut w = ending(json!({}), held);
    let said = conditions(&mut w);
    let said: Vec<[&str; 4]> = said
        .iter()
        .map(|c| [0, 1, 2, 3].map(|i| c[i].as_str()))
        .collect();
    let wanted = [
        [
            "NamespaceDeletionDiscoveryFailure",
            "False",
            "ResourcesDiscovered",
            "All resources successfully discovered",
        ],
        [
            "NamespaceDeletionGroupVersionParsingFailure",
            "False",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ],
        [
            "NamespaceDeletionContentFailure",
            "False",
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ],
        [
            "NamespaceContentRemaining",
            "True",
            "SomeResourcesRemain",
            "Some resources are remaining: configmaps. has 2 resource instances, secrets. has 1 resource instances",
        ],
        [
            "NamespaceFinalizersRemaining",
            "True",
            "SomeFinalizersRemain",
            "Some content in the namespace has finalizers remaining: x.y/a in 1 resource instances, x.y/b in 3 resource instances",
        ],
    ];
    assert_eq!(said, wanted);
    let (_, secret) = w.get(&format!("{NS}/secrets/c"));
    assert_eq!(secret["metadata"]["finalizers"], json!(["x.y/b"]));
    // One finalizer less is another count.
    let less = json!({ "metadata": { "finalizers": ["x.y/b"] } });
    w.merge(&format!("{NS}/configmaps/a"), &less);
    w.pass(1_000);
    let now = conditions(&mut w);
    assert!(
        now[4][3].ends_with("remaining: x.y/b in 3 resource instances"),
        "{now:?}"
    );
}

#[test]
fn pods_go_before_all_else() {
    let mut w = World::new();
    w.post(
        "/api/v1/namespaces",
        &json!({ "metadata": { "name": "n" } }),
    );
    w.pass(1_000);
    let pod = json!({
        "metadata": { "name": "p", "finalizers": ["x.y/a"] },
        "spec": { "containers": [{ "name": "c", "image": "i" }] },
    });
    assert_eq!(w.post(&format!("{NS}/pods"), &pod).0, 201);
    w.post(
        &format!("{NS}/configmaps"),
        &json!({ "metadata": { "name": "a" } }),
    );
    w.delete(NS, &Value::Null);
    w.pass(1_000);
    assert_eq!(w.get(&format!("{NS}/configmaps/a")).0, 200);
    assert_eq!(conditions(&mut w)[3][1], "False");
    w.merge(
        &format!("{NS}/pods/p"),
        &json!({ "metadata": { "finalizers": null } }),
    );
    w.pass(60_000);
    assert_eq!(w.get(NS).0, 404);
}

#[test]
fn a_namespace_that_is_held_itself_says_that_all_is_gone() {
    let mut w = ending(json!({ "finalizers": ["x.y/n"] }), &[]);
    let (_, namespace) = w.get(NS);
    assert_eq!(namespace["spec"], json!({}));
    let said = conditions(&mut w);
    assert_eq!(said.len(), 5);
    assert_eq!(said[3][3], "All content successfully removed");
    assert_eq!(said[4][3], "All content-preserving finalizers finished");
    w.merge(NS, &json!({ "metadata": { "finalizers": null } }));
    w.pass(1_000);
    assert_eq!(w.get(NS).0, 404);
}
