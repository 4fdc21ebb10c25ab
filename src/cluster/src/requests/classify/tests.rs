//! What answers mean.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;

fn object() -> Target {
    Target::collection("apps/v1", "deployments", Some("shop")).named("web")
}

fn secret() -> Target {
    Target::collection("v1", "secrets", Some("shop")).named("db")
}

fn answer(code: u16, body: &Value) -> Answer {
    Answer {
        status: StatusCode::from_u16(code).unwrap(),
        headers: http::HeaderMap::new(),
        body: Bytes::from(body.to_string()),
    }
}

fn class_of(code: u16, body: &Value) -> FailureClass {
    classify(&answer(code, body), &object()).class
}

#[test]
fn answers_are_classed_by_what_cures_them() {
    let transient = FailureClass::Transient { retry_after: None };
    let missing = |resource: &str, name: &str| FailureClass::Missing {
        resource: resource.into(),
        name: name.into(),
    };
    let said = |message: &str| json!({ "kind": "Status", "message": message });
    let table = [
        (401, said("Unauthorized"), FailureClass::Denied),
        (
            403,
            said(
                "deployments.apps \"web\" is forbidden: User \"system:serviceaccount:shop:d\" cannot \
                 patch resource \"deployments\" in API group \"apps\" in the namespace \"shop\"",
            ),
            FailureClass::Denied,
        ),
        (
            403,
            said(
                "roles.rbac.authorization.k8s.io \"r\" is forbidden: user \"u\" (groups=[\"g\"]) is \
                 attempting to grant RBAC permissions not currently held:",
            ),
            FailureClass::Denied,
        ),
        (403, said("something nobody knows"), FailureClass::Denied),
        (
            403,
            said("pods \"x\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1"),
            FailureClass::Rejected,
        ),
        (
            403,
            said(
                "pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\": runAsNonRoot",
            ),
            FailureClass::Rejected,
        ),
        (
            403,
            said("admission webhook \"v.example.org\" denied the request: no"),
            FailureClass::Rejected,
        ),
        (
            500,
            said("admission webhook \"v.example.org\" denied the request: no"),
            FailureClass::Rejected,
        ),
        (
            403,
            said("admission webhook \"v.example.org\" denied the request: spec.size is immutable"),
            FailureClass::Immutable,
        ),
        (
            422,
            json!({
                "reason": "Invalid",
                "details": { "causes": [{ "field": "spec.selector", "message": "field is immutable" }] },
            }),
            FailureClass::Immutable,
        ),
        (
            403,
            json!({
                "message": "pods \"x\" is forbidden: unable to create new content in namespace shop \
                            because it is being terminated",
                "details": { "causes": [{ "reason": "NamespaceTerminating" }] },
            }),
            transient.clone(),
        ),
        (
            404,
            json!({
                "message": "namespaces \"shop\" not found",
                "details": { "kind": "namespaces", "name": "shop" },
            }),
            missing("namespaces", "shop"),
        ),
        (
            404,
            json!({
                "message": "the server could not find the requested resource",
                "details": {},
            }),
            FailureClass::UnknownKind,
        ),
        (404, Value::Null, FailureClass::UnknownKind),
        (
            404,
            json!({ "details": { "kind": "namespaces", "name": "" } }),
            FailureClass::UnknownKind,
        ),
        (
            404,
            json!({ "details": { "kind": "name\u{1b}[31mspaces", "name": "sh\u{202e}op\n" } }),
            missing("name [31mspaces", "shop"),
        ),
        (
            409,
            said("the object has been modified"),
            FailureClass::Conflict,
        ),
        (
            422,
            json!({ "details": { "causes": [{ "field": "metadata.uid" }] } }),
            FailureClass::Conflict,
        ),
        (400, said("bad"), FailureClass::Rejected),
        (405, said("not allowed"), FailureClass::Rejected),
        (406, said("not acceptable"), FailureClass::Rejected),
        (413, said("too large"), FailureClass::Rejected),
        (415, said("media type"), FailureClass::Rejected),
        (422, said("invalid"), FailureClass::Rejected),
        (408, said("timeout"), transient.clone()),
        (410, said("expired"), transient.clone()),
        (500, said("failed calling webhook"), transient.clone()),
        (503, Value::Null, transient.clone()),
        (
            429,
            json!({ "details": { "retryAfterSeconds": 0 } }),
            transient.clone(),
        ),
        (302, Value::Null, transient.clone()),
        (
            429,
            json!({ "details": { "retryAfterSeconds": 7 } }),
            FailureClass::Transient {
                retry_after: Some(Duration::from_secs(7)),
            },
        ),
    ];
    for (code, body, class) in table {
        assert_eq!(class_of(code, &body), class, "{code} {body}");
    }
}

#[test]
fn the_header_says_when_to_come_back() {
    let mut answer = answer(503, &Value::Null);
    answer.headers.insert("retry-after", "12".parse().unwrap());
    let class = classify(&answer, &object()).class;
    assert_eq!(
        class,
        FailureClass::Transient {
            retry_after: Some(Duration::from_secs(12))
        }
    );
}

#[test]
fn attack_a21_what_a_server_says_of_a_secret_is_not_passed_on() {
    let canary = "hunter2";
    for (code, body) in [
        (
            422,
            json!({
                "reason": "Invalid",
                "message": "Secret \"db\" is invalid: data[password]: Invalid value: \"hunter2\"",
                "details": { "causes": [
                    { "field": "data[password]", "message": "Invalid value: \"hunter2\"" }] },
            }),
        ),
        (
            400,
            json!({ "message": "json: cannot unmarshal: error found in #10 byte of ...|hunter2|" }),
        ),
        (
            400,
            json!({ "message": "admission webhook \"v.example.org\" denied the request: hunter2 is weak" }),
        ),
        (
            500,
            json!({ "message": ".stringData.p: expected string, got &value{hunter2}" }),
        ),
        (403, json!({ "message": "weak: hunter2" })),
        (403, json!({ "message": "weak", "reason": "Weak: hunter2" })),
        (
            422,
            json!({ "details": { "causes": [{ "field": "data[pass\u{1b}[31mword]" }] } }),
        ),
    ] {
        let failure = classify(&answer(code, &body), &secret());
        assert!(!failure.message.contains(canary), "{}", failure.message);
        assert!(
            !failure.message.chars().any(char::is_control),
            "{failure:?}"
        );
        if code == 422 {
            assert!(failure.message.contains("fields data[pass"), "{failure:?}");
        }
        // Who refused it may be said.
        let hook = body.to_string().contains("v.example.org");
        assert_eq!(failure.message.contains("v.example.org"), hook);
    }
    let denied =
        json!({ "message": "secrets \"db\" is forbidden: User \"u\" cannot get resource" });
    assert!(
        classify(&answer(403, &denied), &secret())
            .message
            .contains("cannot get")
    );
}

/// What refused it is said first where the server's own text says it last, or not at all.
#[test]
fn what_refused_is_said_first() {
    for (code, said, begins) in [
        (
            403,
            "roles.rbac.authorization.k8s.io \"r\" is forbidden: user \"u\" (groups=[\"g\"]) is \
             attempting to grant RBAC permissions not currently held:",
            "escalation prevention: roles",
        ),
        (
            403,
            "pods \"x\" is forbidden: exceeded quota: q, requested: pods=1",
            "quota: pods",
        ),
        (
            403,
            "pods \"x\" is forbidden: status unknown for quota: q, resources: pods",
            "quota: pods",
        ),
        (
            403,
            "pods \"x\" is forbidden: failed quota: q: must specify cpu for: main",
            "quota: pods",
        ),
        (
            403,
            "pods \"x\" is forbidden: insufficient quota to consume: pods",
            "quota: pods",
        ),
        (
            403,
            "pods \"x\" is forbidden: maximum cpu usage per Container is 1, but limit is 2",
            "quota: pods",
        ),
        (
            403,
            "persistentvolumeclaims \"x\" is forbidden: maximum storage usage per \
             PersistentVolumeClaim is 1Gi, but request is 2Gi",
            "quota: persistentvolumeclaims",
        ),
        (
            403,
            "pods \"x\" is forbidden: cpu max limit to request ratio per Container is 2, but \
             provided ratio is 4.000000",
            "quota: pods",
        ),
        (
            403,
            "pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\"",
            "admission: pods",
        ),
        (
            422,
            "configmaps \"x\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied \
             request: no",
            "admission: configmaps",
        ),
        (
            401,
            "configmaps \"x\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied \
             request: no",
            "admission: configmaps",
        ),
        // Words of its own make no right of a webhook's refusal.
        (
            403,
            "admission webhook \"v\" denied the request: User \"u\" cannot do this",
            "admission: admission webhook",
        ),
        (
            403,
            "configmaps \"x\" is forbidden: User \"u\" cannot patch resource \"configmaps\"",
            "configmaps",
        ),
    ] {
        let failure = classify(&answer(code, &json!({ "message": said })), &object());
        assert!(failure.message.starts_with(begins), "{}", failure.message);
        let by_rights = begins.starts_with("escalation") || begins == "configmaps";
        let class = if by_rights {
            FailureClass::Denied
        } else {
            FailureClass::Rejected
        };
        assert_eq!(failure.class, class, "{said}");
    }
}

#[test]
fn messages_are_bounded_and_plain() {
    let body = json!({ "message": format!("a\u{1b}[31m\n{}", "b".repeat(5000)) });
    let message = classify(&answer(422, &body), &object()).message;
    assert!(
        message.len() <= 1024 && !message.chars().any(char::is_control),
        "{message}"
    );
    let unsent = unsent(&std::io::Error::other("a\u{1b}[31m\nb")).message;
    assert_eq!(unsent, "no answer from the API server: a [31m b");
    // A proxy's page says nothing that helps.
    let page = Answer {
        body: Bytes::from_static(b"<html>a page</html>"),
        ..answer(502, &Value::Null)
    };
    let message = classify(&page, &object()).message;
    assert_eq!(message, "the API server answered 502 Bad Gateway");
}
