//! The roles and bindings that come with a cluster, from tables taken from a real server: those
//! that users rely on in every cluster, those of the control plane's own components for who asks
//! for them (they take as long to make as a short simulation).

use std::sync::OnceLock;

use serde_json::{Value, json};

use super::GROUP;
use crate::{object, server::Server};

const USERS: &str = include_str!("users.txt");
const COMPONENTS: &str = include_str!("components.txt");

/// Puts what users rely on into a fresh cluster.
pub(crate) fn install(server: &mut Server) {
    static OBJECTS: OnceLock<Vec<Value>> = OnceLock::new();
    plant(server, OBJECTS.get_or_init(|| read(USERS)));
    // `edit` takes from `view`, `admin` from both.
    for _ in 0..3 {
        super::aggregation::aggregate(server);
    }
}

/// Puts the roles of the control plane's components beside them.
pub(crate) fn install_components(server: &mut Server) {
    static OBJECTS: OnceLock<Vec<Value>> = OnceLock::new();
    plant(server, OBJECTS.get_or_init(|| read(COMPONENTS)));
}

fn plant(server: &mut Server, objects: &[Value]) {
    for object in objects {
        server.plant(object.clone());
    }
}

/// The objects of a table; its form is said in its first lines.
fn read(table: &str) -> Vec<Value> {
    let mut objects: Vec<Value> = Vec::new();
    for line in table.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [] | ["#", ..] => {}
            ["role", name, options @ ..] => objects.push(role(name, options)),
            ["bind", name, reference, subjects] => {
                objects.push(binding(name, reference, subjects));
            }
            words => {
                if let Some(role) = objects.last_mut()
                    && let Some(rules) = role.get_mut("rules").and_then(Value::as_array_mut)
                {
                    rules.push(rule(words));
                }
            }
        }
    }
    objects
}

fn list(text: &str) -> Vec<&str> {
    text.split(',')
        .map(|item| if item == "core" { "" } else { item })
        .collect()
}

fn rule(words: &[&str]) -> Value {
    let word = |at: usize| list(words.get(at).copied().unwrap_or_default());
    if words.get(1) == Some(&"url") {
        return json!({ "verbs": word(0), "nonResourceURLs": word(2) });
    }
    let mut rule = json!({ "verbs": word(0), "apiGroups": word(1), "resources": word(2) });
    if words.len() > 3 {
        object::members(&mut rule).insert("resourceNames".into(), json!(word(3)));
    }
    rule
}

/// An object with the metadata that all of them have; of a namespace, if its name says so.
fn object(name: &str, kind: &str) -> Value {
    let mut metadata = json!({
        "labels": { "kubernetes.io/bootstrapping": "rbac-defaults" },
        "annotations": { "rbac.authorization.kubernetes.io/autoupdate": "true" },
    });
    let (kind, name) = match name.split_once('/') {
        Some((namespace, name)) => {
            object::members(&mut metadata).insert("namespace".into(), namespace.into());
            (kind.to_owned(), name)
        }
        None => (format!("Cluster{kind}"), name),
    };
    object::members(&mut metadata).insert("name".into(), name.into());
    json!({ "apiVersion": format!("{GROUP}/v1"), "kind": kind, "metadata": metadata })
}

fn role(name: &str, options: &[&str]) -> Value {
    let mut role = object(name, "Role");
    let aggregate = |to: &str| format!("{GROUP}/aggregate-to-{to}");
    let mut rules = json!([]);
    if let ["to", other, ..] = options {
        let labels = object::meta(&mut role)
            .entry("labels")
            .or_insert(Value::Null);
        object::members(labels).insert(aggregate(other), "true".into());
    }
    if options.contains(&"aggregated") {
        let selectors = json!([{ "matchLabels": { aggregate(name): "true" } }]);
        let rule = json!({ "clusterRoleSelectors": selectors });
        object::members(&mut role).insert("aggregationRule".into(), rule);
        rules = Value::Null;
    }
    object::members(&mut role).insert("rules".into(), rules);
    role
}

fn binding(name: &str, reference: &str, subjects: &str) -> Value {
    let mut binding = object(name, "RoleBinding");
    let (kind, role) = reference
        .split_once('/')
        .unwrap_or(("ClusterRole", reference));
    let members = object::members(&mut binding);
    members.insert(
        "roleRef".into(),
        json!({ "apiGroup": GROUP, "kind": kind, "name": role }),
    );
    let subjects: Vec<Value> = subjects
        .split(',')
        .filter_map(|subject| subject.split_once('='))
        .map(|(kind, name)| match name.split_once('/') {
            Some((namespace, name)) => {
                json!({ "kind": kind, "name": name, "namespace": namespace })
            }
            None => json!({ "apiGroup": GROUP, "kind": kind, "name": name }),
        })
        .collect();
    if !subjects.is_empty() {
        members.insert("subjects".into(), subjects.into());
    }
    binding
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_tables_is_read() {
        for table in [USERS, COMPONENTS] {
            let lines = |word: &str| table.lines().filter(|l| l.starts_with(word)).count();
            let objects = read(table);
            assert_eq!(objects.len(), lines("role ") + lines("bind "));
            let rules: usize = objects
                .iter()
                .filter_map(|object| object["rules"].as_array())
                .map(Vec::len)
                .sum();
            assert_eq!(rules, lines("  "));
            let subject = |object: &Value| object["subjects"][0]["name"].is_string();
            let without = objects
                .iter()
                .filter(|o| o.get("roleRef").is_some() && !subject(o));
            let names: Vec<&str> = without.map(object::name).collect();
            assert!(names.is_empty() || names == ["system:node"], "{names:?}");
        }
    }

    #[test]
    fn a_line_becomes_what_it_says() {
        let objects = read(
            "role n/r to x\n  get,list core,apps pods,a/b one\n  get url /a,/b\nbind b ClusterRole/r User=u,ServiceAccount=n/s\n",
        );
        assert_eq!(objects[0]["kind"], "Role");
        assert_eq!(objects[0]["metadata"]["namespace"], "n");
        assert_eq!(
            objects[0]["rules"],
            json!([
                { "verbs": ["get", "list"], "apiGroups": ["", "apps"], "resources": ["pods", "a/b"],
                  "resourceNames": ["one"] },
                { "verbs": ["get"], "nonResourceURLs": ["/a", "/b"] },
            ])
        );
        assert_eq!(objects[1]["kind"], "ClusterRoleBinding");
        assert_eq!(
            objects[1]["subjects"],
            json!([
                { "apiGroup": GROUP, "kind": "User", "name": "u" },
                { "kind": "ServiceAccount", "name": "s", "namespace": "n" },
            ])
        );
    }
}
