//! What only shows when the values of an action are made.

use serde_json::{Value, json};

use super::super::{problems, read, stage_with};
use crate::spec::{ActionScope, Body, Http, Selected, Verb};

fn pre(action: &Value) -> Value {
    stage_with(json!({ "actions": { "pre": [action] } }))
}

fn with_name(mut action: Value) -> Value {
    action["name"] = "a".into();
    action
}

#[test]
fn bad_values_are_named_with_what_to_do() {
    let target = json!({ "kind": "ConfigMap", "name": "x" });
    for (action, field, said) in [
        (
            json!({"http": {"url": "ftp://a/b"}}),
            "http.url",
            "begins with http:// or https://",
        ),
        (
            json!({"http": {"url": "hooks.example.org"}}),
            "http.url",
            "begins with http:// or https://",
        ),
        (
            json!({"http": {"url": ""}}),
            "http.url",
            "begins with http:// or https://",
        ),
        (
            json!({"http": {"url": "https://u:p@a/b"}}),
            "http.url",
            "put them into a Secret",
        ),
        (
            json!({"http": {"url": "https:///b"}}),
            "http.url",
            "names no host",
        ),
        (
            json!({"http": {"url": "https://a/b c"}}),
            "http.url",
            "spaces",
        ),
        (
            json!({"http": {"url": "https://a", "bodyFrom": {"name": "s"}}}),
            "http.bodyFrom.key",
            "name the key",
        ),
        (
            json!({"http": {"url": "https://a", "bodyFrom": {"name": "", "key": "k"}}}),
            "http.bodyFrom.name",
            "names no Secret",
        ),
        (
            json!({"http": {"url": "https://a", "headersFrom": [{"name": "s", "key": "a b"}]}}),
            "http.headersFrom[0].key",
            "can't be the name of a header",
        ),
        (
            json!({"http": {"url": "https://a", "headersFrom": [{"name": "s", "key": "Host"}]}}),
            "http.headersFrom[0].key",
            "can't be the name of a header",
        ),
        (
            json!({"http": {"url": "https://a", "headersFrom": [{"name": "s", "key": "Content-Length"}]}}),
            "http.headersFrom[0].key",
            "can't be the name of a header",
        ),
        (
            json!({"wait": {"target": target, "expr": "status.ready ==="}}),
            "wait.expr",
            "isn't CEL",
        ),
        (
            json!({"wait": {"target": target, "expr": "self.ready"}}),
            "wait.expr",
            "self is no variable",
        ),
        (
            json!({"wait": {"target": target, "expr": "1 + 1"}}),
            "wait.expr",
            "true or false is needed",
        ),
        (
            json!({"wait": {"target": {"kind": "Config Map", "name": "x"}, "expr": "true"}}),
            "wait.target.kind",
            "is no kind",
        ),
        (
            json!({"wait": {"target": {"kind": "ConfigMap", "name": "../x"}, "expr": "true"}}),
            "wait.target.name",
            "names no object",
        ),
        (
            json!({"delete": {"target": {"kind": "ConfigMap", "name": ""}}}),
            "delete.target.name",
            "names no object",
        ),
        (
            json!({"delete": {"target": {"kind": "ConfigMap", "name": "x", "namespace": "A/b"}}}),
            "delete.target.namespace",
            "is no namespace",
        ),
        (
            json!({"delete": {"target": {"apiVersion": "a/b/c", "kind": "ConfigMap", "name": "x"}}}),
            "delete.target.apiVersion",
            "is no apiVersion",
        ),
        (
            json!({"patch": {"target": target, "patch": "  "}}),
            "patch.patch",
            "the patch is empty",
        ),
        (
            json!({"job": {"sourceRef": {"name": "s"}, "path": "../x"}}),
            "job.path",
            "leads out of the artifact",
        ),
        (
            json!({"apply": {"sourceRef": {"name": "s"}, "path": "/x"}}),
            "apply.path",
            "is absolute",
        ),
    ] {
        let spec = pre(&with_name(action));
        let found = problems(&spec);
        let wanted = format!("spec.stages[0].actions.pre[0].{field}");
        assert!(
            found
                .iter()
                .any(|p| p.field == wanted && p.message.contains(said)),
            "{wanted}: {said}: {found:#?}"
        );
        let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert!(!texts.join(" ").contains("u:p@"), "{texts:?}");
    }
    let long = pre(&json!({"name": "a".repeat(300), "wait": {"duration": "1s"}}));
    assert!(
        problems(&long)
            .iter()
            .any(|p| p.message.contains("can't name an action"))
    );
    let lines = pre(&json!({"name": "a\nb", "wait": {"duration": "1s"}}));
    assert!(
        problems(&lines)
            .iter()
            .any(|p| p.message.contains("can't name an action"))
    );
}

#[test]
fn every_value_of_an_action_arrives() {
    let spec = stage_with(json!({"actions": {
        "pre": [
            {"name": "p", "timeout": "1m", "retries": 2, "patch": {
                "target": {"apiVersion": "apps/v1", "kind": "Deployment", "selector": {
                    "matchLabels": {"app": "web"},
                    "matchExpressions": [
                        {"key": "tier", "operator": "In", "values": ["a", "b"]},
                        {"key": "old", "operator": "DoesNotExist"}]}},
                "patch": "spec: {replicas: 0}"}},
            {"name": "d", "delete": {"target": {"kind": "ConfigMap", "name": "x"}, "cascade": "Orphan"}},
        ],
        "post": [
            {"name": "h", "scope": "Lifetime", "completionAnchor": {"apiVersion": "v1", "kind": "ConfigMap", "name": "db"},
             "http": {"url": "https://a/b", "method": "PUT", "body": "x", "bodyFrom": {"name": "s", "key": "k"},
                      "headersFrom": [{"name": "s", "key": "Authorization"}], "expectedStatus": [200, 204]}},
            {"name": "w", "wait": {"target": {"kind": "ConfigMap", "name": "x"}, "expr": "true"}},
        ],
        "onFailure": [{"name": "f", "wait": {"duration": "5s"}}],
    }}));
    let stage = read(&spec).unwrap().stages.remove(0);
    let Verb::Patch(patch) = &stage.actions.pre[0].verb else {
        panic!("a patch")
    };
    assert_eq!(
        patch.objects,
        Selected::Labelled("app=web,tier in (a,b),!old".into())
    );
    assert_eq!(
        (stage.actions.pre[0].retries, patch.namespace.as_str()),
        (2, "shop")
    );
    let Verb::Http(http) = &stage.actions.post[0].verb else {
        panic!("http")
    };
    assert!(
        matches!(&http.body, Some(Body::Secret(key)) if key.key == "k"),
        "bodyFrom wins"
    );
    assert_eq!(http.expected, [200, 204]);
    assert!(http.holds_secrets());
    let with = |headers: usize, body: Option<Body>| Http {
        headers: http.headers[..headers].to_vec(),
        body,
        ..http.clone()
    };
    assert!(with(1, None).holds_secrets() && with(0, http.body.clone()).holds_secrets());
    assert!(!with(0, None).holds_secrets());
    assert!(!with(0, Some(Body::Text("x".into()))).holds_secrets());
    assert!(
        matches!(&stage.actions.post[0].scope, ActionScope::Lifetime(Some(anchor)) if anchor.name == "db")
    );
    let Verb::Until(until) = &stage.actions.post[1].verb else {
        panic!("wait")
    };
    assert_eq!(
        (until.timeout.as_secs(), until.target.api_version.as_str()),
        (300, "v1")
    );
    assert_eq!(stage.actions.all().count(), 5);
}
