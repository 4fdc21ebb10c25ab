//! What goes with its owners, what loses one of them, and what nobody can decide.

use serde_json::{Value, json};

use crate::world::{World, code};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const ROLES: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles";

/// Creates an object with owners and answers with it.
fn make(w: &mut World, uri: &str, name: &str, owners: &[Value], finalizers: &[&str]) -> Value {
    let meta = json!({ "name": name, "ownerReferences": owners, "finalizers": finalizers });
    let (code, made) = w.post(uri, &json!({ "metadata": meta }));
    assert_eq!(code, 201, "{made}");
    made
}

fn map(w: &mut World, name: &str, owners: &[Value]) -> Value {
    make(w, MAPS, name, owners, &[])
}

fn owner(of: &Value, blocks: bool) -> Value {
    json!({
        "apiVersion": of["apiVersion"], "kind": of["kind"], "name": of["metadata"]["name"],
        "uid": of["metadata"]["uid"], "blockOwnerDeletion": blocks,
    })
}

fn delete(w: &mut World, uri: &str, policy: &str) -> u16 {
    let code = w.delete(uri, &json!({ "propagationPolicy": policy })).0;
    w.pass(5_000);
    code
}

/// The names of whom an object still refers to; none at all when it is gone.
fn owners(w: &mut World, uri: &str) -> Option<Vec<String>> {
    let (code, object) = w.get(uri);
    let references = object["metadata"]["ownerReferences"].as_array().cloned();
    let name = |r: Value| r["name"].as_str().map(str::to_owned);
    (code == 200).then(|| references.into_iter().flatten().filter_map(name).collect())
}

#[test]
fn an_owner_is_who_has_the_kind_the_name_and_the_uid() {
    let mut w = World::new();
    let a = map(&mut w, "a", &[]);
    for (name, field, wrong) in [
        ("name", "name", "b"),
        ("kind", "kind", "Secret"),
        ("uid", "uid", "x"),
    ] {
        let mut reference = owner(&a, true);
        reference[field] = json!(wrong);
        map(&mut w, name, &[reference]);
    }
    // A kind that nobody knows may be known tomorrow.
    for (name, field, unknown) in [("u", "kind", "Nothing"), ("v", "apiVersion", "v9")] {
        let mut reference = owner(&a, true);
        reference[field] = json!(unknown);
        map(&mut w, name, &[reference]);
    }
    w.pass(5_000);
    for gone in ["name", "kind", "uid"] {
        assert_eq!(owners(&mut w, &format!("{MAPS}/{gone}")), None, "{gone}");
    }
    for kept in ["u", "v"] {
        assert!(owners(&mut w, &format!("{MAPS}/{kept}")).is_some());
    }
}

#[test]
fn a_reference_to_nobody_goes_when_another_owner_is_left() {
    let mut w = World::new();
    let (a, b) = (map(&mut w, "a", &[]), map(&mut w, "b", &[]));
    map(&mut w, "c", &[owner(&a, false), owner(&b, true)]);
    assert_eq!(delete(&mut w, &format!("{MAPS}/a"), "Background"), 200);
    let c = format!("{MAPS}/c");
    assert_eq!(owners(&mut w, &c), Some(vec!["b".to_owned()]));
    // So does one to an owner that waits for its dependents, which then waits no longer.
    let a = map(&mut w, "a", &[]);
    let patch = json!({ "metadata": { "ownerReferences": [owner(&a, true), owner(&b, true)] } });
    w.merge(&c, &patch);
    delete(&mut w, &format!("{MAPS}/a"), "Foreground");
    assert_eq!(owners(&mut w, &c), Some(vec!["b".to_owned()]));
    assert_eq!(owners(&mut w, &format!("{MAPS}/a")), None);
}

#[test]
fn a_dependent_that_lets_go_of_an_owner_lets_it_go() {
    let mut w = World::new();
    let a = map(&mut w, "a", &[]);
    let b = make(&mut w, MAPS, "b", &[owner(&a, true)], &["x.y/z"]);
    delete(&mut w, &format!("{MAPS}/a"), "Foreground");
    assert!(owners(&mut w, &format!("{MAPS}/a")).is_some(), "b is held");
    let released = json!({ "metadata": { "uid": b["metadata"]["uid"], "ownerReferences": null } });
    w.merge(&format!("{MAPS}/b"), &released);
    w.pass(5_000);
    assert_eq!(owners(&mut w, &format!("{MAPS}/a")), None);
}

#[test]
fn what_is_in_no_namespace_has_no_owner_in_one() {
    let mut w = World::new();
    let a = map(&mut w, "a", &[]);
    let role = make(&mut w, ROLES, "r", &[], &[]);
    let both = [owner(&a, true), owner(&role, true)];
    make(&mut w, ROLES, "s", &both, &[]);
    map(&mut w, "c", &[owner(&role, true)]);
    delete(&mut w, &format!("{ROLES}/r"), "Background");
    assert_eq!(owners(&mut w, &format!("{MAPS}/c")), None);
    // Nothing is decided about it, whoever else is gone.
    let all = Some(vec!["a".to_owned(), "r".to_owned()]);
    assert_eq!(owners(&mut w, &format!("{ROLES}/s")), all);
}

#[test]
fn garbage_goes_as_its_finalizers_say() {
    let mut w = World::new();
    let a = map(&mut w, "a", &[]);
    let b = make(&mut w, MAPS, "b", &[owner(&a, false)], &["orphan"]);
    map(&mut w, "c", &[owner(&b, false)]);
    delete(&mut w, &format!("{MAPS}/a"), "Background");
    assert_eq!(owners(&mut w, &format!("{MAPS}/b")), None);
    assert_eq!(owners(&mut w, &format!("{MAPS}/c")), Some(Vec::new()));
}

/// Of an owner that waits for a dependent which waits for a third there may be a circle.
#[test]
fn a_dependent_with_a_dependent_that_waits_blocks_nobody() {
    let mut w = World::new();
    let a = map(&mut w, "a", &[]);
    let b = make(&mut w, MAPS, "b", &[owner(&a, true)], &["x.y/z"]);
    let c = make(&mut w, MAPS, "c", &[owner(&b, true)], &["x.y/z"]);
    make(&mut w, MAPS, "d", &[owner(&c, true)], &["x.y/z"]);
    delete(&mut w, &format!("{MAPS}/c"), "Foreground");
    delete(&mut w, &format!("{MAPS}/a"), "Foreground");
    assert_eq!(owners(&mut w, &format!("{MAPS}/a")), None);
    let (_, b) = w.get(&format!("{MAPS}/b"));
    let references = &b["metadata"]["ownerReferences"];
    assert_eq!(references[0]["blockOwnerDeletion"], false);
    assert!(b["metadata"]["deletionTimestamp"].is_string());
}

#[test]
fn who_asked_for_the_old_way_of_cascading_is_told_that_it_takes_time() {
    let mut w = World::new();
    make(&mut w, MAPS, "a", &[], &["x.y/z"]);
    let uri = format!("{MAPS}/a");
    let answer = w.delete(&uri, &json!({ "orphanDependents": false }));
    assert_eq!(code(&answer), 202);
    assert_eq!(w.delete(&uri, &Value::Null).0, 200);
}

#[test]
fn finalizers_that_are_there_already_keep_their_order() {
    let mut w = World::new();
    let finalizers = ["foregroundDeletion", "x.y/z"];
    make(&mut w, MAPS, "a", &[], &finalizers);
    let body = json!({ "propagationPolicy": "Foreground" });
    let (_, left) = w.delete(&format!("{MAPS}/a"), &body);
    assert_eq!(left["metadata"]["finalizers"], json!(finalizers));
}

/// It waits for nobody, and is still there, yet they go.
#[test]
fn who_waits_takes_along_those_who_do_not_block() {
    let mut w = World::new();
    let a = make(&mut w, MAPS, "a", &[], &["x.y/z"]);
    // Kinds are looked at in their order.
    let secrets = "/api/v1/namespaces/default/secrets";
    make(&mut w, secrets, "b", &[owner(&a, false)], &[]);
    delete(&mut w, &format!("{MAPS}/a"), "Foreground");
    assert_eq!(owners(&mut w, &format!("{secrets}/b")), None);
    let (_, a) = w.get(&format!("{MAPS}/a"));
    assert_eq!(a["metadata"]["finalizers"], json!(["x.y/z"]));
}
