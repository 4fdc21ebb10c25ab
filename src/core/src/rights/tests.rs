//! Rules and rights.

use serde_json::{Value, json};

use super::*;

fn right(verb: Verb, resource: &str, name: &str, namespace: Option<&str>) -> Right {
    let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
    Right {
        namespace: namespace.map(Into::into),
        group: group.into(),
        resource: resource.into(),
        verb,
        name: name.into(),
    }
}

fn review(rules: Value) -> Rules {
    Rules::read(&json!({ "status": { "resourceRules": rules, "incomplete": false } }))
}

#[test]
fn rules_allow_by_verb_group_resource_and_name() {
    let rules = review(json!([
        { "verbs": ["get", "patch"], "apiGroups": ["apps"], "resources": ["deployments"] },
        { "verbs": ["*"], "apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["a"] },
    ]));
    let deployment = |verb| right(verb, "deployments.apps", "web", Some("shop"));
    assert!(rules.complete);
    assert!(rules.allow(&deployment(Verb::Get)) && rules.allow(&deployment(Verb::Patch)));
    assert!(!rules.allow(&deployment(Verb::Delete)));
    assert!(rules.allow(&right(Verb::Create, "configmaps", "a", Some("shop"))));
    assert!(!rules.allow(&right(Verb::Create, "configmaps", "b", Some("shop"))));
    assert!(!rules.allow(&right(Verb::Get, "deployments", "web", Some("shop"))));
    let all = review(json!([{ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }]));
    assert!(all.allow(&deployment(Verb::Delete)));
}

#[test]
fn an_account_without_bindings_is_told_by_what_everybody_may() {
    let rules =
        |groups| review(json!([{ "verbs": ["create"], "apiGroups": groups, "resources": ["x"] }]));
    assert!(rules(json!(["authorization.k8s.io"])).are_nobodys());
    assert!(rules(json!([])).are_nobodys());
    assert!(!rules(json!(["authorization.k8s.io", "apps"])).are_nobodys());
    assert!(!rules(json!(["*"])).are_nobodys());
}

#[test]
fn the_default_rules_of_a_real_server_are_nobodys() {
    let bundles = |verbs, resource| {
        review(json!([
            {
                "verbs": ["create"],
                "apiGroups": ["authorization.k8s.io"],
                "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
            },
            {
                "verbs": ["create"],
                "apiGroups": ["authentication.k8s.io"],
                "resources": ["selfsubjectreviews"],
            },
            { "verbs": verbs, "apiGroups": ["certificates.k8s.io"], "resources": [resource] },
        ]))
        .are_nobodys()
    };
    assert!(bundles(
        json!(["get", "list", "watch"]),
        "clustertrustbundles"
    ));
    assert!(!bundles(json!(["create"]), "clustertrustbundles"));
    assert!(!bundles(json!(["get"]), "certificatesigningrequests"));
}

#[test]
fn what_cannot_be_read_is_incomplete() {
    for status in [
        json!(null),
        json!({}),
        json!({ "incomplete": true, "resourceRules": [] }),
        json!({ "incomplete": false }),
        json!({ "incomplete": false, "resourceRules": "all" }),
    ] {
        assert!(!Rules::read(&json!({ "status": status })).complete);
    }
}

#[test]
fn a_grant_is_exact_and_the_same_in_any_order() {
    let mut rights = vec![
        right(Verb::Patch, "deployments.apps", "web", Some("shop")),
        right(Verb::Create, "deployments.apps", "web", Some("shop")),
        right(Verb::Patch, "deployments.apps", "cache", Some("shop")),
        right(Verb::Create, "deployments.apps", "cache", Some("shop")),
        right(Verb::Get, "configmaps", "settings", Some("shop")),
        right(
            Verb::Patch,
            "clusterroles.rbac.authorization.k8s.io",
            "system:x",
            None,
        ),
    ];
    let subject = Subject {
        namespace: "shop".into(),
        service_account: "deployer".into(),
    };
    let grants = granting("web", Some(&subject), &rights);
    rights.reverse();
    assert_eq!(granting("web", Some(&subject), &rights), grants);
    let yaml: Vec<String> = grants.iter().map(ToString::to_string).collect();
    assert_eq!(yaml.len(), 2);
    assert!(yaml[0].starts_with("apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\n"));
    let role = "\
rules:
  - apiGroups: [\"\"]
    resources: [\"configmaps\"]
    resourceNames: [\"settings\"]
    verbs: [\"get\"]
  - apiGroups: [\"apps\"]
    resources: [\"deployments\"]
    resourceNames: [\"cache\", \"web\"]
    verbs: [\"create\", \"patch\"]
---
";
    assert!(yaml[1].contains(role), "{}", yaml[1]);
    assert!(yaml[1].contains("kind: RoleBinding") && yaml[1].contains("name: \"deployer\""));
    assert_eq!(
        grants[1].in_short(),
        "in namespace shop: get configmaps (settings), create/patch deployments.apps (cache, web)"
    );
}

#[test]
fn one_grant_never_replaces_another() {
    let name = |resource, namespace, account: &str| {
        let subject = Subject {
            namespace: "shop".into(),
            service_account: account.into(),
        };
        let rights = [right(Verb::Create, resource, "web", namespace)];
        let yaml = granting("stageset-web-only", Some(&subject), &rights)[0].to_string();
        let mut names = yaml
            .lines()
            .filter_map(|line| line.strip_prefix("  name: "));
        names.next().unwrap().to_owned()
    };
    let first = name("configmaps", Some("shop"), "deployer");
    assert!(first.starts_with("\"stageset-web-only-"), "{first}");
    assert_eq!(first, name("configmaps", Some("shop"), "deployer"));
    assert_ne!(first, name("services", Some("shop"), "deployer"));
    assert_ne!(
        name("namespaces", None, "deployer"),
        name("namespaces", None, "other")
    );
}

#[test]
fn in_short_three_objects_are_named_and_the_others_counted() {
    for (count, said) in [
        (1, "get secrets (a)"),
        (3, "get secrets (a, b, c)"),
        (4, "get secrets (a, b, c, and 1 more)"),
        (6, "get secrets (a, b, c, and 3 more)"),
    ] {
        let names = ["a", "b", "c", "d", "e", "f"].into_iter().take(count);
        let rights: Vec<Right> = names
            .map(|name| right(Verb::Get, "secrets", name, None))
            .collect();
        let grants = granting("web", None, &rights);
        assert_eq!(
            grants[0].in_short(),
            format!("in the whole cluster: {said}")
        );
        let yaml = grants[0].to_string();
        assert!(!yaml.contains("Binding"), "there is nobody to bind: {yaml}");
        let named = yaml.lines().find(|line| line.contains("resourceNames"));
        assert_eq!(named.map(|line| line.matches('"').count()), Some(2 * count));
    }
}
