//! Admission webhooks: whom the server asks, what they see, and what their answers do.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::{Arc, Mutex};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::world::{World, message};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const MUTATING: &str = "mutatingwebhookconfigurations";
const VALIDATING: &str = "validatingwebhookconfigurations";

/// What the webhooks were asked, in order.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Vec<Value>>>);

impl Asked {
    fn take(&self) -> Vec<Value> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    fn hosts(&self) -> Vec<String> {
        let host = |one: &Value| one["host"].as_str().unwrap().to_owned();
        self.take().iter().map(host).collect()
    }
}

/// A webhook on config maps; `more` is laid over it.
fn hook(host: &str, more: &Value) -> Value {
    let mut hook = json!({
        "name": format!("{host}.example.com"), "sideEffects": "None",
        "admissionReviewVersions": ["v1"], "clientConfig": {"url": format!("https://{host}/")},
        "rules": [{ "operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"],
                    "resources": ["configmaps"] }],
    });
    for (field, value) in more.as_object().unwrap() {
        hook[field] = value.clone();
    }
    hook
}

fn configure(w: &mut World, plural: &str, hooks: &[Value]) -> Value {
    let configuration = json!({ "metadata": {"name": "hooks"}, "webhooks": hooks });
    let path = format!("/apis/admissionregistration.k8s.io/v1/{plural}");
    let (code, made) = w.post(&path, &configuration);
    assert_eq!(code, 201, "{made}");
    made
}

/// Lets somebody answer at a host with this response, to which the question's uid is added.
fn serve(w: &mut World, host: &str, asked: &Asked, response: Value) {
    let (asked, name) = (asked.clone(), host.to_owned());
    w.server
        .serve_webhook(format!("https://{host}/"), move |review: &Value| {
            let question = json!({ "host": name, "request": review["request"] });
            asked.0.lock().unwrap().push(question);
            let mut response = response.clone();
            response["uid"] = review["request"]["uid"].clone();
            Ok(json!({
                "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                "response": response,
            }))
        });
}

fn yes() -> Value {
    json!({ "allowed": true })
}

fn no(message: &str) -> Value {
    json!({ "allowed": false, "status": {"message": message, "code": 403} })
}

fn patch(patch: &Value) -> Value {
    let patch = STANDARD.encode(patch.to_string());
    json!({ "allowed": true, "patchType": "JSONPatch", "patch": patch })
}

fn map(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name} })
}

#[test]
fn all_validating_webhooks_are_asked_and_the_first_refusal_counts() {
    let (mut w, asked) = (World::new(), Asked::default());
    let hooks = ["one", "two", "three"].map(|host| hook(host, &json!({})));
    configure(&mut w, VALIDATING, &hooks);
    serve(&mut w, "one", &asked, yes());
    serve(&mut w, "two", &asked, no("because of two"));
    serve(&mut w, "three", &asked, no("because of three"));
    let refused = w.post(MAPS, &map("a"));
    assert_eq!(
        message(&refused),
        "admission webhook \"two.example.com\" denied the request: because of two"
    );
    assert_eq!(asked.hosts(), ["one", "two", "three"]);
}

#[test]
fn who_wants_to_is_asked_again_when_another_one_changed_the_object() {
    let (mut w, asked) = (World::new(), Asked::default());
    let again = json!({ "reinvocationPolicy": "IfNeeded" });
    let hooks = [
        hook("one", &again),
        hook("two", &json!({})),
        hook("three", &again),
    ];
    configure(&mut w, MUTATING, &hooks);
    let data = json!([{ "op": "add", "path": "/data", "value": {"a": "1"} }]);
    serve(&mut w, "one", &asked, yes());
    serve(&mut w, "two", &asked, patch(&data));
    serve(&mut w, "three", &asked, yes());
    let (_, made) = w.post(MAPS, &map("a"));
    assert_eq!(made["data"], json!({ "a": "1" }));
    assert_eq!(asked.hosts(), ["one", "two", "three", "one"]);
    // A patch that changes nothing changes when the fields were owned, if they just were.
    w.put(&format!("{MAPS}/a"), &made);
    assert_eq!(asked.hosts(), ["one", "two", "three"]);
}

#[test]
fn a_webhook_learns_the_options_of_a_request() {
    let (mut w, asked) = (World::new(), Asked::default());
    configure(&mut w, VALIDATING, &[hook("one", &json!({}))]);
    serve(&mut w, "one", &asked, yes());
    w.post(&format!("{MAPS}?fieldManager=me&dryRun=All"), &map("a"));
    w.post(MAPS, &map("a"));
    w.merge(
        &format!("{MAPS}/a?fieldManager=me"),
        &json!({ "data": {"a": "1"} }),
    );
    let options = json!({ "propagationPolicy": "Background", "gracePeriodSeconds": 5 });
    w.delete(&format!("{MAPS}/a"), &options);
    let seen: Vec<Value> = asked
        .take()
        .iter()
        .map(|q| q["request"]["options"].clone())
        .collect();
    let version = "meta.k8s.io/v1";
    assert_eq!(
        json!(seen),
        json!([
            {"kind": "CreateOptions", "apiVersion": version, "fieldManager": "me",
             "dryRun": ["All"]},
            {"kind": "CreateOptions", "apiVersion": version},
            {"kind": "UpdateOptions", "apiVersion": version, "fieldManager": "me"},
            {"kind": "DeleteOptions", "apiVersion": version, "propagationPolicy": "Background",
             "gracePeriodSeconds": 5},
        ])
    );
}

#[test]
fn a_mutating_webhook_sees_what_was_sent_and_a_validating_one_what_is_stored() {
    let (mut w, asked) = (World::new(), Asked::default());
    w.post(MAPS, &map("a"));
    for (plural, host) in [(MUTATING, "one"), (VALIDATING, "two")] {
        configure(&mut w, plural, &[hook(host, &json!({}))]);
        serve(&mut w, host, &asked, yes());
    }
    w.put(&format!("{MAPS}/a"), &map("a"));
    let seen = asked.take();
    let metadata = |at: usize| &seen[at]["request"]["object"]["metadata"];
    for field in ["uid", "creationTimestamp"] {
        assert!(metadata(0).get(field).is_none(), "{field}");
        assert!(metadata(1)[field].is_string(), "{field}");
    }
}

#[test]
fn a_deletion_of_the_wrong_object_is_refused_before_anybody_is_asked() {
    let (mut w, asked) = (World::new(), Asked::default());
    w.post(MAPS, &map("a"));
    configure(&mut w, VALIDATING, &[hook("one", &json!({}))]);
    serve(&mut w, "one", &asked, no("never"));
    let wrong = json!({ "preconditions": {"uid": "other"} });
    assert_eq!(w.delete(&format!("{MAPS}/a"), &wrong).0, 409);
    assert!(asked.take().is_empty());
    let refused = w.delete(MAPS, &Value::Null);
    assert_eq!(refused.0, 403);
    // The request names no object.
    assert!(asked.take()[0]["request"].get("name").is_none());
}

#[test]
fn a_collection_passes_over_what_a_webhook_says_is_gone() {
    let (mut w, asked) = (World::new(), Asked::default());
    w.post(MAPS, &map("a"));
    configure(&mut w, VALIDATING, &[hook("one", &json!({}))]);
    let status = json!({ "message": "gone", "code": 404, "reason": "NotFound" });
    serve(
        &mut w,
        "one",
        &asked,
        json!({ "allowed": false, "status": status }),
    );
    assert_eq!(w.delete(MAPS, &Value::Null).0, 200);
    assert_eq!(w.get(&format!("{MAPS}/a")).0, 200);
}

#[test]
fn a_refusal_keeps_its_own_reason_and_details() {
    let (mut w, asked) = (World::new(), Asked::default());
    configure(&mut w, VALIDATING, &[hook("one", &json!({}))]);
    let details = json!({ "kind": "k", "odd": 1, "causes": [{"message": "m"}] });
    let status = json!({ "code": 418, "reason": "Teapot", "details": details });
    serve(
        &mut w,
        "one",
        &asked,
        json!({ "allowed": false, "status": status }),
    );
    let (code, refused) = w.post(MAPS, &map("a"));
    assert_eq!((code, &refused["reason"]), (418, &json!("Teapot")));
    assert_eq!(
        refused["details"],
        json!({ "kind": "k", "causes": [{"message": "m"}] })
    );
}

#[test]
fn a_patch_that_does_not_fit_fails_whatever_the_policy_and_half_an_answer_does_not() {
    let (mut w, asked) = (World::new(), Asked::default());
    let ignored = json!({ "failurePolicy": "Ignore" });
    configure(&mut w, MUTATING, &[hook("one", &ignored)]);
    let remove = json!([{ "op": "remove", "path": "/no/where" }]);
    serve(&mut w, "one", &asked, patch(&remove));
    let failed = w.post(MAPS, &map("a"));
    assert_eq!(failed.0, 500);
    assert_eq!(
        message(&failed),
        "Internal error occurred: remove operation does not apply: doc is missing path: \
         \"/no/where\": missing value"
    );
    let mut half = patch(&remove);
    half["patchType"] = Value::Null;
    serve(&mut w, "one", &asked, half);
    assert_eq!(w.post(MAPS, &map("a")).0, 201);
}

#[test]
fn a_validating_webhook_may_not_patch_and_nobody_may_be_there() {
    let (mut w, asked) = (World::new(), Asked::default());
    configure(&mut w, VALIDATING, &[hook("one", &json!({}))]);
    let failed = w.post(MAPS, &map("a"));
    assert_eq!(
        message(&failed),
        "Internal error occurred: failed calling webhook \"one.example.com\": failed to call \
         webhook: Post \"https://one/?timeout=10s\": dial tcp one:443: connect: connection refused"
    );
    serve(&mut w, "one", &asked, patch(&json!([])));
    let failed = w.post(MAPS, &map("a"));
    assert_eq!(
        message(&failed),
        "Internal error occurred: failed calling webhook \"one.example.com\": received invalid \
         webhook response: validating webhook may not return response.patch"
    );
}

#[test]
fn a_configuration_is_read_with_its_defaults() {
    let mut w = World::new();
    let service = json!({ "service": {"namespace": "default", "name": "s"} });
    let hooks = [hook("one", &json!({ "clientConfig": service }))];
    let made = configure(&mut w, MUTATING, &hooks);
    let hook = &made["webhooks"][0];
    assert_eq!(hook["failurePolicy"], "Fail");
    assert_eq!(hook["matchPolicy"], "Equivalent");
    assert_eq!(hook["reinvocationPolicy"], "Never");
    assert_eq!(hook["timeoutSeconds"], 10);
    assert_eq!(hook["namespaceSelector"], json!({}));
    assert_eq!(hook["rules"][0]["scope"], "*");
    assert_eq!(hook["clientConfig"]["service"]["port"], 443);
}
