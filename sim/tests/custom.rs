//! Custom resources.

use serde_json::{Value, json};

use crate::world::{World, message};

pub(crate) fn crd() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": "widgets.example.com" },
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": { "plural": "widgets", "kind": "Widget", "shortNames": ["wd"] },
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": { "status": {} },
                "schema": { "openAPIV3Schema": {
                    "type": "object",
                    "properties": {
                        "spec": {
                            "type": "object", "required": ["size"],
                            "properties": {
                                "size": { "type": "integer", "minimum": 1 },
                                "color": { "type": "string", "enum": ["red", "blue"], "default": "red" },
                                "parts": {
                                    "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                                    "items": { "type": "object", "required": ["name"], "properties": { "name": { "type": "string" }, "n": { "type": "integer" } } }
                                }
                            }
                        },
                        "status": { "type": "object", "x-kubernetes-preserve-unknown-fields": true }
                    }
                } }
            }]
        }
    })
}

const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const WIDGETS: &str = "/apis/example.com/v1/namespaces/default/widgets";

fn world() -> World {
    let mut w = World::new();
    assert_eq!(w.post(CRDS, &crd()).0, 201);
    assert_eq!(w.get(WIDGETS).0, 404, "not yet established");
    w.pass(100);
    w
}

fn widget(spec: &Value) -> Value {
    json!({ "apiVersion": "example.com/v1", "kind": "Widget", "metadata": { "name": "w" }, "spec": spec })
}

#[test]
fn an_established_kind_is_discovered_and_stored() {
    let mut w = world();
    let (_, crd) = w.get(&format!("{CRDS}/widgets.example.com"));
    let conditions = crd["status"]["conditions"].as_array().unwrap();
    assert!(
        conditions
            .iter()
            .any(|c| c["type"] == "Established" && c["status"] == "True")
    );
    let (_, list) = w.get("/apis/example.com/v1");
    assert_eq!(list["resources"][0]["name"], "widgets");
    let (code, created) = w.post(WIDGETS, &widget(&json!({ "size": 1, "unknown": true })));
    assert_eq!(code, 201, "{created}");
    assert_eq!(
        created["spec"],
        json!({ "size": 1, "color": "red" }),
        "pruned and defaulted"
    );
    assert_eq!(created["metadata"]["generation"], 1);
}

#[test]
fn unknown_fields_are_named_in_the_order_of_their_paths() {
    let mut w = world();
    let mut object = widget(&json!({ "size": 1, "other": 1 }));
    object["unknown"] = json!(1);
    object["metadata"]["odd"] = json!("x");
    let refused = w.post(&format!("{WIDGETS}?fieldValidation=Strict"), &object);
    assert_eq!(
        message(&refused),
        "Widget in version \"v1\" cannot be handled as a Widget: strict decoding error: unknown field \
         \"metadata.odd\", unknown field \"spec.other\", unknown field \"unknown\""
    );
}

/// Metadata is decoded as it is of any kind, before the schema is looked at.
#[test]
fn labels_of_a_custom_resource_are_texts() {
    let mut w = world();
    for (field, value, found) in [
        ("labels", json!({ "a": 1 }), "number"),
        ("annotations", json!({ "a": true }), "bool"),
    ] {
        let mut object = widget(&json!({ "size": 1 }));
        object["metadata"][field] = value;
        let refused = w.post(WIDGETS, &object);
        assert_eq!(refused.0, 400);
        assert_eq!(
            message(&refused),
            format!(
                "Widget in version \"v1\" cannot be handled as a Widget: json: cannot unmarshal \
                 {found} into Go struct field ObjectMeta.{field} of type string"
            )
        );
    }
}

#[test]
fn what_breaks_the_schema_is_refused_with_all_causes() {
    let mut w = world();
    let refused = w.post(WIDGETS, &widget(&json!({ "color": "green" })));
    assert_eq!(refused.0, 422);
    let causes = refused.1["details"]["causes"].as_array().unwrap();
    assert_eq!(causes.len(), 2, "{}", message(&refused));
    assert!(message(&refused).contains("spec.size: Required value"));
    assert!(
        message(&refused).contains(
            "spec.color: Unsupported value: \"green\": supported values: \"red\", \"blue\""
        )
    );
}

#[test]
fn status_and_spec_are_written_apart() {
    let mut w = world();
    let mut with_status = widget(&json!({ "size": 1 }));
    with_status["status"] = json!({ "x": 1 });
    let (_, created) = w.post(WIDGETS, &with_status);
    assert!(created.get("status").is_none());
    let (_, updated) = w.merge(
        &format!("{WIDGETS}/w/status"),
        &json!({ "status": { "x": 2 }, "spec": { "size": 9 } }),
    );
    assert_eq!(
        (&updated["status"]["x"], &updated["spec"]["size"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(updated["metadata"]["generation"], 1);
    let (_, updated) = w.merge(&format!("{WIDGETS}/w"), &json!({ "spec": { "size": 9 } }));
    assert_eq!(updated["metadata"]["generation"], 2);
    assert_eq!(updated["status"]["x"], 2);
}

#[test]
fn list_maps_of_custom_resources_merge_by_key() {
    let mut w = world();
    let uri = |m: &str| format!("{WIDGETS}/w?fieldManager={m}");
    w.apply(
        &uri("one"),
        &widget(&json!({ "size": 1, "parts": [{ "name": "a", "n": 1 }] })),
    );
    let (_, merged) = w.apply(&uri("two"), &widget(&json!({ "parts": [{ "name": "b" }] })));
    assert_eq!(
        merged["spec"]["parts"],
        json!([{ "name": "a", "n": 1 }, { "name": "b" }]),
        "{merged}"
    );
    let unknown = w.apply(&uri("two"), &widget(&json!({ "what": 1 })));
    assert_eq!(unknown.0, 500);
    assert!(message(&unknown).ends_with(".spec.what: field not declared in schema"));
}

#[test]
fn a_deleted_definition_takes_its_objects() {
    let mut w = world();
    w.post(WIDGETS, &widget(&json!({ "size": 1 })));
    w.delete(&format!("{CRDS}/widgets.example.com"), &Value::Null);
    w.pass(1_000);
    assert_eq!(w.get(WIDGETS).0, 404);
    assert_eq!(w.get(&format!("{CRDS}/widgets.example.com")).0, 404);
}

#[test]
fn cel_rules_judge_and_unknown_ones_are_named() {
    let mut w = World::new();
    let mut crd = crd();
    let spec = crd
        .pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties/spec")
        .unwrap();
    spec["x-kubernetes-validations"] = json!([
        { "rule": "!has(self.parts) || self.size >= size(self.parts)", "message": "too small" },
        { "rule": "self.size >= oldSelf.size", "message": "never shrinks" },
    ]);
    w.post(CRDS, &crd);
    w.pass(100);
    let refused = w.post(
        WIDGETS,
        &widget(&json!({ "size": 1, "parts": [{ "name": "a" }, { "name": "b" }] })),
    );
    assert_eq!(
        message(&refused),
        "Widget.example.com \"w\" is invalid: spec: Invalid value: too small"
    );
    assert_eq!(w.post(WIDGETS, &widget(&json!({ "size": 3 }))).0, 201);
    assert_eq!(
        w.merge(&format!("{WIDGETS}/w"), &json!({ "spec": { "size": 2 } }))
            .0,
        422
    );
    assert_eq!(
        w.merge(&format!("{WIDGETS}/w"), &json!({ "spec": { "size": 4 } }))
            .0,
        200
    );

    let spec = crd
        .pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties/spec")
        .unwrap();
    spec["x-kubernetes-validations"] = json!([{ "rule": "isURL(self.color)" }]);
    let (_, now) = w.get(&format!("{CRDS}/widgets.example.com"));
    crd["metadata"] = now["metadata"].clone();
    assert_eq!(w.put(&format!("{CRDS}/widgets.example.com"), &crd).0, 200);
    let unknown = w.merge(&format!("{WIDGETS}/w"), &json!({ "spec": { "size": 5 } }));
    assert_eq!(unknown.0, 501);
    assert!(message(&unknown).contains("isURL(self.color)"));
}

/// Of an object that calls itself by another kind nothing is checked before its rules: what they
/// find missing or of another type is said in the words of CEL.
#[test]
fn rules_that_cannot_be_judged_say_why_in_their_own_name() {
    let mut w = World::new();
    let mut crd = crd();
    let spec = crd
        .pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties/spec")
        .unwrap();
    spec["x-kubernetes-validations"] = json!([
        { "rule": "self.size <= 9", "message": " small, please " },
        { "rule": "self.size != 5" },
    ]);
    w.post(CRDS, &crd);
    w.pass(100);
    for (spec, why) in [
        (json!({}), "no such key: size"),
        (
            json!({ "size": "1" }),
            "invalid data, expected int, got string",
        ),
        (
            json!({ "size": 1.5 }),
            "invalid data, expected int, got float64",
        ),
        (
            json!({ "size": true }),
            "invalid data, expected int, got bool",
        ),
    ] {
        let mut cat = widget(&spec);
        cat["kind"] = json!("Cat");
        let refused = w.post(WIDGETS, &cat);
        let text = |at: usize| refused.1["details"]["causes"][at]["message"].clone();
        let said = |rule: &str| format!("Invalid value: \"object\": {why} evaluating rule: {rule}");
        assert_eq!(refused.0, 422);
        assert_eq!(text(0), "Invalid value: \"Cat\": must be Widget");
        assert_eq!(text(1), said("small, please"));
        assert_eq!(text(2), said("self.size != 5"));
    }
}

#[test]
fn the_projects_own_definitions_are_served() {
    let mut w = World::new();
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../charts/stageset-controller/files/crds"
    );
    let mut served = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let answer = w.send_text(http::Method::POST, CRDS, "application/yaml", text);
        assert_eq!(answer.0, 201, "{}", answer.1);
        served += 1;
    }
    w.pass(100);
    let (_, list) = w.get(CRDS);
    for crd in list["items"].as_array().unwrap() {
        let conditions = crd["status"]["conditions"].as_array().unwrap();
        assert!(
            conditions
                .iter()
                .any(|c| c["type"] == "Established" && c["status"] == "True")
        );
    }
    assert_eq!(list["items"].as_array().unwrap().len(), served);
}
