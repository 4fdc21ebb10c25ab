//! What is let in, what isn't, and what is no review at all.

use proptest::prelude::*;
use stageset_core::spec::parse;

use super::*;

fn spec() -> Value {
    json!({ "serviceAccountName": "deployer",
            "stages": [{ "name": "app", "sourceRef": { "name": "app" } }] })
}

/// Breaks V1, G1 and G8 at once.
fn bad_spec() -> Value {
    json!({ "serviceAccountName": "system:masters", "interval": "soon",
            "stages": [{ "name": "app", "sourceRef": { "name": "a" } },
                       { "name": "app", "sourceRef": { "name": "b" } }] })
}

fn object(spec: &Value) -> Value {
    json!({ "apiVersion": "stages.metio.wtf/v1", "kind": "StageSet",
            "metadata": { "name": "payments", "namespace": "team" }, "spec": spec })
}

fn review(operation: &str, object: &Value, old: &Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "4f5c", "operation": operation, "name": "payments", "namespace": "team",
            "kind": { "group": "stages.metio.wtf", "version": "v1", "kind": "StageSet" },
            "resource": { "group": "stages.metio.wtf", "version": "v1", "resource": "stagesets" },
            "userInfo": { "username": "somebody" }, "object": object, "oldObject": old,
            "dryRun": false, "options": null,
        },
    })
}

fn answered(review: &Value) -> Value {
    let answer = answer(review.to_string().as_bytes()).unwrap();
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(body["apiVersion"], "admission.k8s.io/v1");
    assert_eq!(body["kind"], "AdmissionReview");
    assert_eq!(body["response"]["uid"], review["request"]["uid"]);
    assert_eq!(body["response"]["allowed"], answer.allowed);
    body["response"].clone()
}

fn allowed(review: &Value) -> bool {
    let response = answered(review);
    let allowed = response["allowed"] == true;
    assert_eq!(response["status"].is_null(), allowed, "{response}");
    allowed
}

#[test]
fn a_good_stage_set_is_let_in() {
    assert!(allowed(&review("CREATE", &object(&spec()), &Value::Null)));
    assert!(allowed(&review(
        "UPDATE",
        &object(&spec()),
        &object(&bad_spec())
    )));
}

/// A08: the words are the reconciler's, and all of them are there.
#[test]
fn attack_a08_all_that_the_reconciler_would_say_is_said() {
    let problems = parse("team", "payments", &bad_spec()).unwrap_err();
    assert!(problems.len() >= 3, "{problems:?}");
    for operation in ["CREATE", "UPDATE"] {
        let response = answered(&review(operation, &object(&bad_spec()), &object(&spec())));
        assert_eq!(response["allowed"], false);
        let status = &response["status"];
        assert_eq!(status["code"], 422);
        assert_eq!(status["reason"], "Invalid");
        assert_eq!(status["details"]["name"], "payments");
        let message = status["message"].as_str().unwrap();
        let causes = status["details"]["causes"].as_array().unwrap();
        assert_eq!(causes.len(), problems.len());
        for (problem, cause) in problems.iter().zip(causes) {
            assert!(message.contains(&problem.to_string()), "{message}");
            assert_eq!(cause["field"], problem.field);
            assert_eq!(cause["message"], problem.message);
        }
    }
}

#[test]
fn s28_what_is_not_supported_is_refused_at_the_door_too() {
    let mut spec = spec();
    spec["kubeConfig"] = json!({ "configMapRef": { "name": "cloud" } });
    let response = answered(&review("CREATE", &object(&spec), &Value::Null));
    let message = response["status"]["message"].as_str().unwrap();
    assert!(
        message.contains("spec.kubeConfig.configMapRef"),
        "{message}"
    );
}

#[test]
fn an_update_that_leaves_the_spec_alone_is_let_in() {
    let bad = object(&bad_spec());
    assert!(allowed(&review("UPDATE", &bad, &bad)));
    // Labels, annotations and status may change.
    let mut labelled = bad.clone();
    labelled["metadata"]["labels"] = json!({ "a": "b" });
    labelled["status"] = json!({ "observedGeneration": 3 });
    assert!(allowed(&review("UPDATE", &labelled, &bad)));
    // So may suspend, whichever way.
    for (before, after) in [
        (None, Some(true)),
        (Some(true), Some(false)),
        (Some(false), None),
    ] {
        let with = |suspend: Option<bool>| {
            let mut spec = bad_spec();
            if let Some(suspend) = suspend {
                spec["suspend"] = suspend.into();
            }
            object(&spec)
        };
        assert!(allowed(&review("UPDATE", &with(after), &with(before))));
    }
    // Anything else is judged: one more field, one fewer, another value, a first spec.
    let mut more = bad_spec();
    more["timeout"] = "1m".into();
    let mut fewer = bad_spec();
    fewer.as_object_mut().unwrap().remove("interval");
    let mut other = bad_spec();
    other["interval"] = "later".into();
    let mut hidden = bad_spec();
    hidden["suspend"] = true.into();
    hidden["stages"][1]["name"] = "app ".into();
    for changed in [more, fewer, other, hidden] {
        let changed = object(&changed);
        assert!(!allowed(&review("UPDATE", &changed, &bad)), "{changed}");
    }
    assert!(!allowed(&review("UPDATE", &bad, &Value::Null)));
    // A creation is never an update, whatever it brings along.
    assert!(!allowed(&review("CREATE", &bad, &bad)));
}

#[test]
fn what_is_being_deleted_is_let_go() {
    let mut going = object(&bad_spec());
    going["metadata"]["deletionTimestamp"] = "2026-11-25T12:00:00Z".into();
    assert!(allowed(&review("UPDATE", &going, &object(&spec()))));
    assert!(!allowed(&review("CREATE", &going, &Value::Null)));
    assert!(allowed(&review("DELETE", &Value::Null, &going)));
}

#[test]
fn a_generated_name_is_taken_from_the_object() {
    let mut asked = review("CREATE", &object(&spec()), &Value::Null);
    asked["request"]["name"] = "".into();
    assert!(allowed(&asked));
    let long = "n".repeat(64);
    asked["request"]["object"]["metadata"]["name"] = long.into();
    assert!(!allowed(&asked));
}

#[test]
fn a_webhook_that_is_asked_about_something_else_refuses_and_says_why() {
    let mut asked = review("CREATE", &object(&spec()), &Value::Null);
    asked["request"]["kind"]["kind"] = "ConfigMap".into();
    let response = answered(&asked);
    assert_eq!(response["allowed"], false);
    let message = response["status"]["message"].as_str().unwrap();
    assert!(message.contains("ConfigMap") && message.contains("ValidatingWebhookConfiguration"));
}

#[test]
fn a_flood_of_violations_is_cut_and_counted() {
    let stages: Vec<Value> = (0..2000)
        .map(|_| json!({ "name": "app", "sourceRef": { "name": "a" } }))
        .collect();
    let spec = json!({ "serviceAccountName": "deployer", "stages": stages });
    let response = answered(&review("CREATE", &object(&spec), &Value::Null));
    let status = &response["status"];
    assert_eq!(
        status["details"]["causes"].as_array().unwrap().len(),
        LISTED
    );
    let message = status["message"].as_str().unwrap();
    assert!(
        message.ends_with(" more") && message.len() < 64 * 1024,
        "{}",
        message.len()
    );
}

/// A25: what is no review has its own sentence, and none of it is repeated.
#[test]
fn attack_a25_what_is_no_review_gets_no_verdict() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let good = review("CREATE", &object(&spec()), &Value::Null);
    let mut other_version = good.clone();
    other_version["apiVersion"] = "admission.k8s.io/v1beta1".into();
    let mut no_uid = good.clone();
    no_uid["request"]["uid"] = "".into();
    let mut odd = good.clone();
    odd["request"]["operation"] = json!({ "canary-secret": 1 });
    let truncated = good.to_string();
    let truncated = &truncated[..truncated.len() / 2];
    for (body, says) in [
        ("", "ends too early"),
        (truncated, "ends too early"),
        ("canary-secret", "no JSON"),
        (&deep, "nested too deeply"),
        ("[]", "admission.k8s.io/v1 is expected"),
        ("null", "admission.k8s.io/v1 is expected"),
        ("{}", "admission.k8s.io/v1 is expected"),
        (
            &other_version.to_string(),
            "admission.k8s.io/v1 is expected",
        ),
        (&no_uid.to_string(), "no request with a uid"),
        (
            r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}"#,
            "no request with a uid",
        ),
        (
            &odd.to_string(),
            "request.operation of the AdmissionReview must be a text",
        ),
    ] {
        let error = answer(body.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
        assert!(!error.contains("canary"), "{error}");
    }
    // A deep object within a review is refused as well, not followed.
    let nested = good
        .to_string()
        .replace(r#""spec":{"#, &format!(r#""spec":{{"x":{deep},"#));
    assert!(answer(nested.as_bytes()).is_err());
}

/// Values for any place of a review.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "(app|UPDATE|CREATE|StageSet|v1|deployer|-1s|1m|status)".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(
                "(name|stages|sourceRef|suspend|metadata|spec|uid|kind|namespace|deletionTimestamp|.{0,4})",
                inner,
                0..4
            )
            .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

/// Places of a review that are overwritten.
const PLACES: &[&str] = &[
    "",
    "/apiVersion",
    "/request",
    "/request/uid",
    "/request/kind",
    "/request/kind/kind",
    "/request/operation",
    "/request/name",
    "/request/namespace",
    "/request/object",
    "/request/oldObject",
    "/request/object/metadata",
    "/request/object/metadata/name",
    "/request/object/metadata/namespace",
    "/request/object/spec",
    "/request/object/spec/stages",
    "/request/object/spec/stages/0",
    "/request/object/spec/stages/0/name",
    "/request/object/spec/stages/0/sourceRef",
    "/request/object/spec/serviceAccountName",
];

proptest! {
    /// A25: whatever stands where, there is an answer or a sentence; and what is let in as new is
    /// what the parser takes (A08).
    #[test]
    fn a25_no_review_is_too_odd(
        place in prop::sample::select(PLACES),
        value in anything(),
        update in any::<bool>(),
    ) {
        let operation = if update { "UPDATE" } else { "CREATE" };
        let mut review = review(operation, &object(&spec()), &object(&bad_spec()));
        *review.pointer_mut(place).unwrap() = value;
        if let Ok(found) = answer(review.to_string().as_bytes()) {
            let body: Value = serde_json::from_slice(&found.body).unwrap();
            prop_assert_eq!(&body["response"]["uid"], &review["request"]["uid"]);
            let request = &review["request"];
            let object = &request["object"];
            if found.allowed && request["operation"] == "CREATE" {
                let text = |field: &str| {
                    let own = object["metadata"][field].as_str().filter(|text| !text.is_empty());
                    own.or(request[field].as_str()).unwrap_or_default().to_owned()
                };
                let parsed = parse(&text("namespace"), &text("name"), &object["spec"]);
                prop_assert!(parsed.is_ok(), "{:?}", parsed);
            }
        }
    }

    /// A25: nor are bytes.
    #[test]
    fn a25_no_bytes_are_too_odd(cut in 0usize..2000, flips in prop::collection::vec((0usize..2000, any::<u8>()), 0..8)) {
        let mut bytes = review("CREATE", &object(&bad_spec()), &Value::Null).to_string().into_bytes();
        for (at, byte) in flips {
            let length = bytes.len();
            bytes[at % length] = byte;
        }
        bytes.truncate(bytes.len().min(cut.max(1)));
        let _ = answer(&bytes);
    }
}
