//! Nobody hands out rights that they don't hold: checks on writes of roles and bindings, unless
//! the writer has the verbs `escalate` or `bind`.

use serde_json::Value;

use super::{GROUP, policy::Attributes, rule::Rule};
use crate::{
    kinds::{Resource, StoreKey},
    object,
    request::User,
    server::Server,
    status::ApiError,
};

/// Checks a write of an RBAC object. `old` is what was there.
pub(crate) fn check(
    server: &mut Server,
    user: &User,
    resource: &Resource,
    old: Option<&Value>,
    new: &Value,
) -> Result<(), ApiError> {
    if resource.group != GROUP || user.groups.iter().any(|g| g == "system:masters") {
        return Ok(());
    }
    let namespace = object::namespace(new).to_owned();
    match resource.plural.as_str() {
        "roles" | "clusterroles" => {
            let same = old.is_some_and(|old| {
                old.get("rules") == new.get("rules")
                    && old.get("aggregationRule") == new.get("aggregationRule")
            });
            if same
                || may(
                    server,
                    user,
                    "escalate",
                    &resource.plural,
                    &namespace,
                    object::name(new),
                )
            {
                return Ok(());
            }
            let aggregated = new.get("aggregationRule").is_some_and(|v| !v.is_null());
            let everything = Rule {
                verbs: vec!["*".into()],
                groups: vec!["*".into()],
                resources: vec!["*".into()],
                ..Rule::default()
            };
            if aggregated && covers(server, user, "", std::slice::from_ref(&everything)).is_err() {
                return Err(ApiError::forbidden(
                    &resource.plural,
                    GROUP,
                    object::name(new),
                    "must have cluster-admin privileges to use the aggregationRule",
                ));
            }
            covers(server, user, &namespace, &Rule::read_all(new)).map_err(|why| {
                ApiError::forbidden(&resource.plural, GROUP, object::name(new), &why)
            })
        }
        "rolebindings" | "clusterrolebindings" => {
            let same = old.is_some_and(|old| {
                old.get("roleRef") == new.get("roleRef")
                    && old.get("subjects") == new.get("subjects")
            });
            let reference = |field: &str| {
                new.pointer(&format!("/roleRef/{field}"))
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            };
            let (kind, role) = (reference("kind").to_owned(), reference("name").to_owned());
            let plural = if kind == "ClusterRole" {
                "clusterroles"
            } else {
                "roles"
            };
            if same || may(server, user, "bind", plural, &namespace, &role) {
                return Ok(());
            }
            let table = StoreKey::new(GROUP, plural);
            let role_namespace = if plural == "roles" {
                namespace.as_str()
            } else {
                ""
            };
            let Some(found) = server.find(&table, role_namespace, &role).cloned() else {
                let mut error = ApiError::forbidden("", "", "", "");
                error.code = 404;
                error.reason = "NotFound";
                error.message = format!("{}.{GROUP} \"{role}\" not found", resource.plural);
                error.details = crate::status::details(&role, GROUP, &resource.plural);
                return Err(error);
            };
            covers(server, user, &namespace, &Rule::read_all(&found)).map_err(|why| {
                ApiError::forbidden(&resource.plural, GROUP, object::name(new), &why)
            })
        }
        _ => Ok(()),
    }
}

fn may(
    server: &mut Server,
    user: &User,
    verb: &str,
    plural: &str,
    namespace: &str,
    name: &str,
) -> bool {
    let mut attributes = Attributes::resource(verb, GROUP, plural);
    namespace.clone_into(&mut attributes.namespace);
    name.clone_into(&mut attributes.name);
    server.policy().allows(user, &attributes)
}

/// Whether the user's own rules cover all of these; the error lists those that they don't.
fn covers(
    server: &mut Server,
    user: &User,
    namespace: &str,
    wanted: &[Rule],
) -> Result<(), String> {
    let policy = server.policy();
    let own = policy.rules_for(user, namespace);
    let mut missing: Vec<Rule> = wanted
        .iter()
        .flat_map(Rule::breakdown)
        .filter(|rule| !own.iter().any(|mine| mine.covers(rule)))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    missing = compact(missing);
    let mut lines: Vec<String> = missing.iter().map(Rule::compact).collect();
    lines.sort();
    lines.dedup();
    let groups = user
        .groups
        .iter()
        .map(|g| format!("{g:?}"))
        .collect::<Vec<_>>()
        .join(" ");
    Err(format!(
        "user {:?} (groups=[{groups}]) is attempting to grant RBAC permissions not currently held:\n{}",
        user.name,
        lines.join("\n")
    ))
}

/// Joins rules that differ in their verb alone.
fn compact(rules: Vec<Rule>) -> Vec<Rule> {
    let mut out: Vec<Rule> = Vec::new();
    for rule in rules {
        let known = out.iter_mut().find(|other| {
            rule.urls.is_empty()
                && other.groups == rule.groups
                && other.resources == rule.resources
                && other.names == rule.names
        });
        match known {
            // Verbs that two rules name stand there twice, as in the real message.
            Some(other) => other.verbs.extend(rule.verbs),
            None => out.push(rule),
        }
    }
    out
}
