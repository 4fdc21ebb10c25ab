//! RBAC, impersonation, escalation, reviews.

use http::Method;
use serde_json::{Value, json};
use stageset_sim::User;

use crate::world::{World, message};

fn grant(w: &mut World, namespace: &str, account: &str, rules: &Value) {
    let me = std::mem::replace(&mut w.user, User::admin());
    w.post(
        "/api/v1/namespaces",
        &json!({ "metadata": { "name": namespace } }),
    );
    let base = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}");
    assert_eq!(
        w.post(
            &format!("{base}/roles"),
            &json!({ "metadata": { "name": account }, "rules": rules })
        )
        .0,
        201
    );
    let bound = w.post(
        &format!("{base}/rolebindings"),
        &json!({
            "metadata": { "name": account },
            "roleRef": { "kind": "Role", "name": account },
            "subjects": [{ "kind": "ServiceAccount", "name": account, "namespace": namespace }]
        }),
    );
    assert_eq!(bound.0, 201, "{}", bound.1);
    w.user = me;
}

fn maps(verbs: &[&str]) -> Value {
    json!([{ "verbs": verbs, "apiGroups": [""], "resources": ["configmaps"] }])
}

#[test]
fn nothing_is_allowed_but_what_is_granted() {
    let mut w = World::new();
    grant(&mut w, "ns", "sa", &maps(&["get"]));
    w.user = User::service_account("ns", "sa");
    assert_eq!(w.get("/api/v1/namespaces/ns/configmaps/x").0, 404);
    let refused = w.get("/api/v1/namespaces/ns/configmaps");
    assert_eq!(refused.0, 403);
    assert_eq!(
        message(&refused),
        "configmaps is forbidden: User \"system:serviceaccount:ns:sa\" cannot list resource \"configmaps\" in API group \"\" in the namespace \"ns\""
    );
    let cluster = w.get("/api/v1/nodes");
    assert_eq!(
        message(&cluster),
        "nodes is forbidden: User \"system:serviceaccount:ns:sa\" cannot list resource \"nodes\" in API group \"\" at the cluster scope"
    );
    assert_eq!(w.get("/version").0, 200);
    assert_eq!(
        w.get("/metrics").1["message"],
        "forbidden: User \"system:serviceaccount:ns:sa\" cannot get path \"/metrics\""
    );
}

#[test]
fn applying_something_new_takes_the_right_to_create() {
    let mut w = World::new();
    grant(&mut w, "ns", "sa", &maps(&["patch"]));
    w.user = User::service_account("ns", "sa");
    let uri = "/api/v1/namespaces/ns/configmaps/x?fieldManager=m";
    let config = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "x" } });
    let refused = w.apply(uri, &config);
    assert_eq!(refused.0, 403);
    assert!(
        message(&refused).contains("cannot create resource \"configmaps\""),
        "{}",
        message(&refused)
    );
}

#[test]
fn acting_as_another_needs_the_right_and_gives_the_others_rights() {
    let mut w = World::new();
    grant(&mut w, "ns", "sa", &maps(&["list"]));
    w.user = User::service_account("sys", "controller");
    let as_sa = [("impersonate-user", "system:serviceaccount:ns:sa")];
    let uri = "/api/v1/namespaces/ns/configmaps";
    let refused = w.send(Method::GET, uri, &as_sa, &Value::Null);
    assert_eq!(refused.0, 403);
    assert_eq!(
        message(&refused),
        "configmaps is forbidden: User \"system:serviceaccount:sys:controller\" cannot impersonate-on:serviceaccount:list resource \"configmaps\" in API group \"\" in the namespace \"ns\"",
        "the first of the two ways to impersonate is what a refusal names"
    );
    w.user = User::admin();
    let base = "/apis/rbac.authorization.k8s.io/v1";
    w.post(&format!("{base}/clusterroles"), &json!({
        "metadata": { "name": "imp" },
        "rules": [{ "verbs": ["impersonate"], "apiGroups": [""], "resources": ["serviceaccounts"] }]
    }));
    w.post(
        &format!("{base}/clusterrolebindings"),
        &json!({
            "metadata": { "name": "imp" }, "roleRef": { "kind": "ClusterRole", "name": "imp" },
            "subjects": [{ "kind": "ServiceAccount", "name": "controller", "namespace": "sys" }]
        }),
    );
    w.user = User::service_account("sys", "controller");
    assert_eq!(w.send(Method::GET, uri, &as_sa, &Value::Null).0, 200);
    assert_eq!(
        w.get(uri).0,
        403,
        "impersonation lends nothing to the impersonator"
    );
    let audit = w.server.audit();
    assert_eq!(
        audit[audit.len() - 2].impersonated.as_deref(),
        Some("system:serviceaccount:ns:sa")
    );
    let groups = [
        ("impersonate-user", "system:serviceaccount:ns:sa"),
        ("impersonate-group", "system:masters"),
    ];
    assert_eq!(w.send(Method::GET, uri, &groups, &Value::Null).0, 403);
}

#[test]
fn nobody_grants_what_they_do_not_hold() {
    let mut w = World::new();
    grant(
        &mut w,
        "ns",
        "sa",
        &json!([
            { "verbs": ["create", "update"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"] },
            { "verbs": ["get"], "apiGroups": [""], "resources": ["configmaps"] },
        ]),
    );
    w.user = User::service_account("ns", "sa");
    let uri = "/apis/rbac.authorization.k8s.io/v1/namespaces/ns/roles";
    assert_eq!(
        w.post(
            uri,
            &json!({ "metadata": { "name": "fine" }, "rules": maps(&["get"]) })
        )
        .0,
        201
    );
    let refused = w.post(
        uri,
        &json!({ "metadata": { "name": "more" }, "rules": maps(&["get", "delete"]) }),
    );
    assert_eq!(refused.0, 403);
    assert_eq!(
        message(&refused),
        "roles.rbac.authorization.k8s.io \"more\" is forbidden: user \"system:serviceaccount:ns:sa\" \
         (groups=[\"system:serviceaccounts\" \"system:serviceaccounts:ns\" \"system:authenticated\"]) \
         is attempting to grant RBAC permissions not currently held:\n\
         {APIGroups:[\"\"], Resources:[\"configmaps\"], Verbs:[\"delete\"]}"
    );
    let bound = w.post(
        "/apis/rbac.authorization.k8s.io/v1/namespaces/ns/rolebindings",
        &json!({
            "metadata": { "name": "b" }, "roleRef": { "kind": "ClusterRole", "name": "admin" },
            "subjects": [{ "kind": "ServiceAccount", "name": "sa", "namespace": "ns" }]
        }),
    );
    assert_eq!(bound.0, 403);
}

#[test]
fn the_built_in_roles_aggregate() {
    let mut w = World::new();
    w.post(
        "/api/v1/namespaces",
        &json!({ "metadata": { "name": "ns" } }),
    );
    w.post(
        "/apis/rbac.authorization.k8s.io/v1/namespaces/ns/rolebindings",
        &json!({
            "metadata": { "name": "b" }, "roleRef": { "kind": "ClusterRole", "name": "admin" },
            "subjects": [{ "kind": "ServiceAccount", "name": "sa", "namespace": "ns" }]
        }),
    );
    w.user = User::service_account("ns", "sa");
    assert_eq!(w.get("/api/v1/namespaces/ns/secrets").0, 200);
    assert_eq!(w.get("/api/v1/namespaces/default/secrets").0, 403);
    w.user = User::admin();
    w.post("/apis/rbac.authorization.k8s.io/v1/clusterroles", &json!({
        "metadata": { "name": "x", "labels": { "rbac.authorization.k8s.io/aggregate-to-view": "true" } },
        "rules": [{ "verbs": ["list"], "apiGroups": ["coordination.k8s.io"], "resources": ["leases"] },
                  { "verbs": ["list"], "apiGroups": ["x.example"], "resources": ["ys"] }]
    }));
    w.pass(10);
    let ask = json!({ "spec": {
        "user": "system:serviceaccount:ns:sa",
        "resourceAttributes": { "namespace": "ns", "verb": "list", "group": "x.example", "resource": "ys" }
    } });
    let (_, review) = w.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", &ask);
    assert_eq!(review["status"]["allowed"], true, "{review}");
}

#[test]
fn a_review_comes_back_without_its_empty_texts() {
    let mut world = World::new();
    let asked = json!({"verb": "get", "group": "", "resource": "pods"});
    let review = json!({"spec": {"user": "bob", "resourceAttributes": asked}});
    let answer = world.post(
        "/apis/authorization.k8s.io/v1/subjectaccessreviews",
        &review,
    );
    let attributes = &answer.1["spec"]["resourceAttributes"];
    assert_eq!(*attributes, json!({"verb": "get", "resource": "pods"}));
}

fn rules(w: &mut World, name: &str, user: &str, rules: &Value) {
    let me = std::mem::replace(&mut w.user, User::admin());
    let base = "/apis/rbac.authorization.k8s.io/v1";
    w.post(
        &format!("{base}/clusterroles"),
        &json!({ "metadata": { "name": name }, "rules": rules }),
    );
    w.post(
        &format!("{base}/clusterrolebindings"),
        &json!({
            "metadata": { "name": name }, "roleRef": { "kind": "ClusterRole", "name": name },
            "subjects": [{ "kind": "User", "name": user }]
        }),
    );
    w.user = me;
}

#[test]
fn constrained_impersonation_allows_what_it_names_and_no_more() {
    let mut w = World::new();
    grant(&mut w, "ns", "sa", &maps(&["list", "delete"]));
    rules(
        &mut w,
        "constrained",
        "controller",
        &json!([
            { "verbs": ["impersonate:serviceaccount"], "apiGroups": ["authentication.k8s.io"],
              "resources": ["serviceaccounts"] },
            { "verbs": ["impersonate-on:serviceaccount:list"], "apiGroups": [""],
              "resources": ["configmaps"] },
        ]),
    );
    w.user = User::new("controller", &[]);
    let uri = "/api/v1/namespaces/ns/configmaps";
    let as_sa = [("impersonate-user", "system:serviceaccount:ns:sa")];
    assert_eq!(w.send(Method::GET, uri, &as_sa, &Value::Null).0, 200);
    // The tenant may delete, but not by way of this controller.
    let refused = w.send(Method::DELETE, &format!("{uri}/x"), &as_sa, &Value::Null);
    assert_eq!(
        message(&refused),
        "configmaps \"x\" is forbidden: User \"controller\" cannot \
         impersonate-on:serviceaccount:delete resource \"configmaps\" in API group \"\" in the \
         namespace \"ns\""
    );
    // Groups beside the account are the old way's.
    let more = [as_sa[0], ("impersonate-group", "g")];
    assert_eq!(w.send(Method::GET, uri, &more, &Value::Null).0, 403);
}

#[test]
fn a_constrained_success_outlives_its_right_for_ten_seconds() {
    let mut w = World::new();
    grant(&mut w, "ns", "sa", &maps(&["list"]));
    rules(
        &mut w,
        "constrained",
        "controller",
        &json!([
            { "verbs": ["impersonate:serviceaccount"], "apiGroups": ["authentication.k8s.io"],
              "resources": ["serviceaccounts"] },
            { "verbs": ["impersonate-on:serviceaccount:list"], "apiGroups": [""],
              "resources": ["configmaps"] },
        ]),
    );
    w.user = User::new("controller", &[]);
    let uri = "/api/v1/namespaces/ns/configmaps";
    let as_sa = [("impersonate-user", "system:serviceaccount:ns:sa")];
    assert_eq!(w.send(Method::GET, uri, &as_sa, &Value::Null).0, 200);
    w.user = User::admin();
    let binding = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/constrained";
    assert_eq!(w.send(Method::DELETE, binding, &[], &Value::Null).0, 200);
    w.user = User::new("controller", &[]);
    assert_eq!(w.send(Method::GET, uri, &as_sa, &Value::Null).0, 200);
    w.pass(11_000);
    assert_eq!(w.send(Method::GET, uri, &as_sa, &Value::Null).0, 403);
}

#[test]
fn a_rules_review_answers_with_rules_and_nothing_else() {
    let mut w = World::new();
    grant(&mut w, "ns", "sa", &maps(&["list"]));
    w.user = User::service_account("ns", "sa");
    let uri = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
    let answer = w.post(uri, &json!({ "spec": { "namespace": "ns" } }));
    assert_eq!(answer.0, 201);
    assert_eq!(answer.1["spec"], json!({}));
    assert_eq!(answer.1["metadata"], json!({}));
    let rules = answer.1["status"]["resourceRules"].as_array().unwrap();
    assert!(
        rules.contains(
            &json!({ "verbs": ["list"], "apiGroups": [""], "resources": ["configmaps"] })
        )
    );
    assert_eq!(answer.1["status"]["incomplete"], json!(false));
    let nowhere = w.post(uri, &json!({ "spec": {} }));
    assert_eq!(
        (nowhere.0, message(&nowhere)),
        (400, "no namespace on request")
    );
}

#[test]
fn a_binding_to_a_role_that_is_not_there_is_named() {
    let mut w = World::new();
    grant(&mut w, "ns", "sa", &maps(&["list"]));
    w.user = User::admin();
    let role = "/apis/rbac.authorization.k8s.io/v1/namespaces/ns/roles/sa";
    w.send(Method::DELETE, role, &[], &Value::Null);
    w.user = User::service_account("ns", "sa");
    let refused = w.get("/api/v1/namespaces/ns/configmaps");
    assert!(
        message(&refused).ends_with(
            "in the namespace \"ns\": rbac: RBAC: role.rbac.authorization.k8s.io \"sa\" not found"
        ),
        "{}",
        message(&refused)
    );
}

#[test]
fn a_token_speaks_for_its_account_until_the_account_goes() {
    let mut w = World::new();
    grant(&mut w, "ns", "sa", &maps(&["list"]));
    w.user = User::admin();
    let accounts = "/api/v1/namespaces/ns/serviceaccounts";
    assert_eq!(
        w.post(accounts, &json!({ "metadata": { "name": "sa" } })).0,
        201
    );
    let asked = w.post(&format!("{accounts}/sa/token"), &json!({ "spec": {} }));
    assert_eq!(asked.0, 201, "{}", asked.1);
    let bearer = format!("Bearer {}", asked.1["status"]["token"].as_str().unwrap());
    let short = w.post(
        &format!("{accounts}/sa/token"),
        &json!({ "spec": { "expirationSeconds": 1 } }),
    );
    assert_eq!(short.0, 422);
    w.user = User::anonymous();
    let bearer = [("authorization", bearer.as_str())];
    let maps = "/api/v1/namespaces/ns/configmaps";
    assert_eq!(w.send(Method::GET, maps, &bearer, &Value::Null).0, 200);
    let secrets = "/api/v1/namespaces/ns/secrets";
    assert_eq!(w.send(Method::GET, secrets, &bearer, &Value::Null).0, 403);
    w.user = User::admin();
    w.send(Method::DELETE, &format!("{accounts}/sa"), &[], &Value::Null);
    w.user = User::anonymous();
    assert_eq!(w.send(Method::GET, maps, &bearer, &Value::Null).0, 401);
}

#[test]
fn reviews_that_make_no_sense_are_refused_without_their_kind() {
    let mut w = World::new();
    let root = "/apis/authorization.k8s.io/v1";
    let nobody = w.post(
        &format!("{root}/subjectaccessreviews"),
        &json!({ "spec": { "resourceAttributes": { "verb": "get" } } }),
    );
    assert_eq!(nobody.0, 422);
    assert_eq!(
        message(&nobody),
        ".authorization.k8s.io \"\" is invalid: spec.user: Invalid value: \"\": at least one of user \
         or group must be specified"
    );
    let path = json!({ "spec": { "user": "u", "nonResourceAttributes": { "path": "/x" } } });
    let local = w.post(
        &format!("{root}/namespaces/default/localsubjectaccessreviews"),
        &path,
    );
    assert!(message(&local).contains("disallowed on this kind of request"));
    let attributes = json!({ "verb": "get", "labelSelector": { "rawSelector": "" } });
    let empty = w.post(
        &format!("{root}/selfsubjectaccessreviews"),
        &json!({ "spec": { "resourceAttributes": attributes } }),
    );
    assert!(message(&empty).contains("labelSelector.requirements: Required value: when spec."));
}
