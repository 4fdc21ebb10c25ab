//! The life of a definition: its names, its versions, and its end.

use serde_json::{Value, json};

use crate::world::{World, message};

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

fn version(name: &str, storage: bool) -> Value {
    json!({ "name": name, "served": true, "storage": storage,
            "schema": { "openAPIV3Schema": { "type": "object" } } })
}

fn definition(plural: &str, names: Value) -> Value {
    let mut all = names;
    all["plural"] = json!(plural);
    json!({ "metadata": { "name": format!("{plural}.x.y") }, "spec": {
        "group": "x.y", "scope": "Cluster", "names": all, "versions": [version("v1", true)],
    } })
}

/// Creates a definition and answers with its status a moment later.
fn define(w: &mut World, plural: &str, names: Value) -> Value {
    let made = w.post(DEFINITIONS, &definition(plural, names));
    assert_eq!(made.0, 201, "{}", made.1);
    status(w, plural)
}

fn status(w: &mut World, plural: &str) -> Value {
    w.pass(1_000);
    w.get(&format!("{DEFINITIONS}/{plural}.x.y")).1["status"].clone()
}

fn reasons(status: &Value) -> Vec<&str> {
    let conditions = status["conditions"].as_array().into_iter().flatten();
    conditions.filter_map(|c| c["reason"].as_str()).collect()
}

#[test]
fn a_name_belongs_to_the_definition_that_had_it_first() {
    let mut w = World::new();
    define(&mut w, "as", json!({ "kind": "A", "shortNames": ["s"] }));
    let second = define(
        &mut w,
        "bs",
        json!({ "kind": "A", "singular": "as", "shortNames": ["s"] }),
    );
    assert_eq!(reasons(&second), ["ListKindConflict", "NotAccepted"]);
    let said = &second["conditions"][0]["message"];
    assert_eq!(*said, "\"AList\" is already in use");
    // Of the names in conflict it has none, the others are its own.
    let accepted = json!({ "kind": "", "plural": "bs" });
    assert_eq!(second["acceptedNames"], accepted);
    assert_eq!(w.get("/apis/x.y/v1/bs").0, 404);
    // Once the first is gone the second may have them.
    w.delete(&format!("{DEFINITIONS}/as.x.y"), &Value::Null);
    let second = status(&mut w, "bs");
    assert_eq!(reasons(&second), ["NoConflicts", "InitialNamesAccepted"]);
    assert_eq!(w.get("/apis/x.y/v1/bs").0, 200);
}

#[test]
fn a_served_definition_keeps_its_names_when_others_are_taken() {
    let mut w = World::new();
    define(&mut w, "as", json!({ "kind": "A", "shortNames": ["s"] }));
    define(&mut w, "bs", json!({ "kind": "B", "shortNames": ["t"] }));
    let taken = json!({ "spec": { "names": { "shortNames": ["s", "as"] } } });
    w.merge(&format!("{DEFINITIONS}/bs.x.y"), &taken);
    let second = status(&mut w, "bs");
    assert_eq!(
        reasons(&second),
        ["ShortNamesConflict", "InitialNamesAccepted"]
    );
    let said = &second["conditions"][0]["message"];
    assert_eq!(*said, "[\"s\" is already in use, \"as\" is already in use]");
    let (_, listed) = w.get("/apis/x.y/v1");
    assert_eq!(listed["resources"][1]["shortNames"], json!(["t"]));
}

#[test]
fn what_was_stored_in_a_version_needs_that_version() {
    let mut w = World::new();
    define(&mut w, "as", json!({ "kind": "A" }));
    let uri = format!("{DEFINITIONS}/as.x.y");
    let both = json!([version("v1", false), version("v2", true)]);
    let (code, changed) = w.merge(&uri, &json!({ "spec": { "versions": both } }));
    assert_eq!(code, 200);
    assert_eq!(changed["status"]["storedVersions"], json!(["v1", "v2"]));
    let second = json!({ "spec": { "versions": [version("v2", true)] } });
    let refused = w.merge(&uri, &second);
    assert_eq!(refused.0, 422);
    assert!(message(&refused).contains("status.storedVersions[0]: Invalid value: \"v1\": missing from spec.versions; v1 was previously"), "{refused:?}");
}

#[test]
fn a_definition_that_goes_takes_no_more_objects() {
    let mut w = World::new();
    define(&mut w, "as", json!({ "kind": "A" }));
    let object = |name: &str| {
        json!({ "apiVersion": "x.y/v1", "kind": "A",
                "metadata": { "name": name, "finalizers": ["x.y/z"] } })
    };
    let all = "/apis/x.y/v1/as";
    assert_eq!(w.post(all, &object("a")).0, 201);
    w.delete(&format!("{DEFINITIONS}/as.x.y"), &Value::Null);
    let going = status(&mut w, "as");
    assert_eq!(
        going["conditions"][2]["reason"],
        "InstanceDeletionInProgress"
    );
    let refused = w.post(all, &object("b"));
    assert_eq!(refused.0, 403);
    assert_eq!(
        message(&refused),
        "as.x.y \"b\" is forbidden: create not allowed while custom resource definition is terminating"
    );
    w.merge(
        &format!("{all}/a"),
        &json!({ "metadata": { "finalizers": null } }),
    );
    w.pass(1_000);
    assert_eq!(w.get(&format!("{DEFINITIONS}/as.x.y")).0, 404);
}

#[test]
fn a_definition_that_somebody_holds_says_that_its_objects_are_gone() {
    let mut w = World::new();
    define(&mut w, "as", json!({ "kind": "A" }));
    define(&mut w, "bs", json!({ "kind": "A" }));
    for (plural, ended) in [
        ("as", "InstanceDeletionCompleted"),
        ("bs", "NeverEstablished"),
    ] {
        let uri = format!("{DEFINITIONS}/{plural}.x.y");
        w.merge(&uri, &json!({ "metadata": { "finalizers": ["x.y/z"] } }));
        w.delete(&uri, &Value::Null);
        w.pass(1_000);
        let (_, held) = w.get(&uri);
        assert_eq!(held["metadata"]["finalizers"], json!(["x.y/z"]));
        let conditions = held["status"]["conditions"].as_array();
        let mut conditions = conditions.into_iter().flatten();
        let terminating = conditions.find(|condition| condition["type"] == "Terminating");
        let terminating = terminating.map(|c| (c["status"].clone(), c["reason"].clone()));
        assert_eq!(terminating, Some((json!("False"), json!(ended))));
    }
}

#[test]
fn a_version_stays_documented_when_it_is_served_no_more() {
    let mut w = World::new();
    define(&mut w, "as", json!({ "kind": "A" }));
    let mut unserved = version("v1", true);
    unserved["served"] = json!(false);
    let uri = format!("{DEFINITIONS}/as.x.y");
    w.merge(&uri, &json!({ "spec": { "versions": [unserved] } }));
    w.pass(1_000);
    assert_eq!(w.get("/apis/x.y/v1").0, 404);
    assert!(w.get("/openapi/v3").1["paths"]["apis/x.y/v1"].is_object());
    w.delete(&uri, &Value::Null);
    w.pass(1_000);
    assert!(w.get("/openapi/v3").1["paths"]["apis/x.y/v1"].is_null());
}

#[test]
fn a_schema_has_types_and_a_definition_names() {
    let mut w = World::new();
    let mut untyped = definition("as", json!({ "kind": "" }));
    untyped["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"] =
        json!({ "a": {}, "b": { "x-kubernetes-preserve-unknown-fields": true } });
    let refused = w.post(DEFINITIONS, &untyped);
    assert_eq!(refused.0, 422);
    for wanted in [
        "spec.names.kind: Required value",
        "spec.names.listKind: Required value",
        "spec.names.singular: Required value",
        "spec.validation.openAPIV3Schema.properties[a].type: Required value: must not be empty for specified object fields",
    ] {
        assert!(message(&refused).contains(wanted), "{}", message(&refused));
    }
    assert!(!message(&refused).contains("properties[b]"));
}

/// A version whose specification has these fields.
fn with_fields(name: &str, storage: bool, fields: &Value) -> Value {
    let mut version = version(name, storage);
    version["schema"]["openAPIV3Schema"]["properties"] =
        json!({ "spec": { "type": "object", "properties": fields } });
    version
}

#[test]
fn an_object_is_read_as_its_definition_is_now() {
    let mut w = World::new();
    define(&mut w, "as", json!({ "kind": "A" }));
    let uri = format!("{DEFINITIONS}/as.x.y");
    let write = |w: &mut World, versions: Value| {
        let patch = json!({ "spec": { "versions": versions } });
        let answer = w.merge(&uri, &patch);
        assert_eq!(answer.0, 200, "{}", answer.1);
        w.pass(1_000);
    };
    let text = json!({ "type": "string" });
    write(
        &mut w,
        json!([with_fields("v1", true, &json!({ "old": text }))]),
    );
    let object = json!({
        "apiVersion": "x.y/v1", "kind": "A", "metadata": { "name": "a" }, "spec": { "old": "1" },
    });
    assert_eq!(w.post("/apis/x.y/v1/as", &object).0, 201);
    let defaulted = json!({ "type": "string", "default": "2" });
    let fields = json!({ "new": defaulted });
    write(&mut w, json!([with_fields("v1", true, &fields)]));
    let (_, read) = w.get("/apis/x.y/v1/as/a");
    assert_eq!(read["spec"], json!({ "new": "2" }));
    // It is stored otherwise, so that a write without a change is one, once.
    let nothing = json!({ "metadata": {} });
    let (_, written) = w.merge("/apis/x.y/v1/as/a", &nothing);
    let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
    assert_ne!(version(&written), version(&read));
    assert_eq!(
        version(&w.merge("/apis/x.y/v1/as/a", &nothing).1),
        version(&written)
    );
}

#[test]
fn what_the_stored_version_does_not_know_is_lost() {
    let mut w = World::new();
    define(&mut w, "as", json!({ "kind": "A" }));
    let text = json!({ "type": "string" });
    let versions = json!([
        with_fields("v1", true, &json!({ "both": text })),
        with_fields("v2", false, &json!({ "both": text, "second": text })),
    ]);
    w.merge(
        &format!("{DEFINITIONS}/as.x.y"),
        &json!({ "spec": { "versions": versions } }),
    );
    w.pass(1_000);
    let object = json!({
        "apiVersion": "x.y/v2", "kind": "A", "metadata": { "name": "a" },
        "spec": { "both": "1", "second": "2" },
    });
    let (code, made) = w.post("/apis/x.y/v2/as", &object);
    assert_eq!(code, 201);
    assert_eq!(made["apiVersion"], "x.y/v2");
    assert_eq!(made["spec"], json!({ "both": "1" }));
}

#[test]
fn a_group_is_listed_before_its_definition_has_its_names() {
    let mut w = World::new();
    define(&mut w, "as", json!({ "kind": "A" }));
    let mut second = definition("bs", json!({ "kind": "A" }));
    second["spec"]["versions"] = json!([version("v2", true)]);
    w.post(DEFINITIONS, &second);
    w.pass(1_000);
    let (_, group) = w.get("/apis/x.y");
    assert_eq!(group["preferredVersion"]["version"], "v2");
    assert_eq!(group["versions"][1]["version"], "v1");
    assert_eq!(w.get("/apis/x.y/v2").0, 404);
}

#[test]
fn what_is_as_it_was_may_stay_whatever_the_schema_says_by_now() {
    let mut w = World::new();
    define(&mut w, "as", json!({ "kind": "A" }));
    let uri = format!("{DEFINITIONS}/as.x.y");
    let write = |w: &mut World, fields: Value, required: Value| {
        let mut version = with_fields("v1", true, &fields);
        let root = &mut version["schema"]["openAPIV3Schema"];
        root["properties"]["spec"]["required"] = required;
        w.merge(&uri, &json!({ "spec": { "versions": [version] } }));
        w.pass(1_000);
    };
    let free = json!({ "a": { "type": "integer" }, "b": { "type": "integer" } });
    write(&mut w, free, json!([]));
    let object = json!({
        "apiVersion": "x.y/v1", "kind": "A", "metadata": { "name": "a" }, "spec": { "a": 5 },
    });
    assert_eq!(w.post("/apis/x.y/v1/as", &object).0, 201);
    let strict = json!({ "a": { "type": "integer", "maximum": 3 }, "b": { "type": "integer" } });
    write(&mut w, strict, json!(["c"]));
    let at = "/apis/x.y/v1/as/a";
    let labelled = json!({ "metadata": { "labels": { "a": "1" } } });
    assert_eq!(w.merge(at, &labelled).0, 200);
    // A part that changes is looked at, the parts of it that don't aren't.
    let refused = w.merge(at, &json!({ "spec": { "b": 1 } }));
    assert_eq!(refused.0, 422);
    assert!(
        message(&refused).ends_with("is invalid: spec.c: Required value"),
        "{refused:?}"
    );
}

#[test]
fn of_another_type_is_none_of_the_values_to_choose_from() {
    let mut w = World::new();
    define(&mut w, "as", json!({ "kind": "A" }));
    let fields = json!({ "a": { "type": "string", "enum": ["x"] } });
    let versions = json!({ "spec": { "versions": [with_fields("v1", true, &fields)] } });
    w.merge(&format!("{DEFINITIONS}/as.x.y"), &versions);
    w.pass(1_000);
    let object = json!({
        "apiVersion": "x.y/v1", "kind": "A", "metadata": { "name": "a" }, "spec": { "a": 1 },
    });
    let refused = w.post("/apis/x.y/v1/as", &object);
    let said = message(&refused);
    assert!(
        said.contains("spec.a in body must be of type string"),
        "{said}"
    );
    assert!(
        said.contains("spec.a: Unsupported value: 1: supported values: \"x\""),
        "{said}"
    );
}
