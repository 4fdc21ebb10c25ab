//! Nobody hands out rights that they don't hold: checks on writes of roles and bindings, unless
//! the writer has the verbs `escalate` or `bind`.

use serde_json::Value;

use super::{
    GROUP,
    policy::{Attributes, Policy},
    rule::Rule,
};
use crate::{
    object,
    request::User,
    server::Server,
    status::{self, ApiError},
    verbs::Call,
};

/// Checks a write of an RBAC object. `old` is what was there.
pub(crate) fn check(
    server: &mut Server,
    call: &Call,
    old: Option<&Value>,
    new: &Value,
) -> Result<(), ApiError> {
    let (resource, user) = (&call.resource, &call.user);
    if resource.group != GROUP || user.groups.iter().any(|g| g == "system:masters") {
        return Ok(());
    }
    if old.is_some_and(|old| only_for_garbage_collection(old, new)) {
        return Ok(());
    }
    let namespace = if resource.namespaced {
        call.info.namespace.as_str()
    } else {
        ""
    };
    let policy = server.policy();
    let writer = Writer {
        policy: &policy,
        user,
        namespace,
    };
    match resource.plural.as_str() {
        "roles" | "clusterroles" => {
            // The name that counts is the one in the path, which a POST doesn't have.
            if writer.may("escalate", &resource.plural, &call.info.name) {
                return Ok(());
            }
            role(&writer, &resource.plural, old, new)
        }
        "rolebindings" | "clusterrolebindings" => binding(&writer, &resource.plural, new),
        _ => Ok(()),
    }
}

/// Whether a write changes nothing but what the garbage collector needs.
fn only_for_garbage_collection(old: &Value, new: &Value) -> bool {
    let bare = |object: &Value| {
        let mut object = object.clone();
        for field in ["ownerReferences", "finalizers", "managedFields"] {
            object::remove_meta(&mut object, field);
        }
        object
    };
    bare(old) == bare(new)
}

/// Who writes, and where.
struct Writer<'a> {
    policy: &'a Policy,
    user: &'a User,
    namespace: &'a str,
}

fn role(
    writer: &Writer<'_>,
    plural: &str,
    old: Option<&Value>,
    new: &Value,
) -> Result<(), ApiError> {
    let name = object::name(new);
    let refuse = |why: &str| ApiError::forbidden(plural, GROUP, name, why);
    writer
        .covers(&Rule::read_all(new))
        .map_err(|why| refuse(&why))?;
    let aggregates = |role: &Value| {
        let selectors = role.pointer("/aggregationRule/clusterRoleSelectors");
        selectors
            .and_then(Value::as_array)
            .is_some_and(|list| !list.is_empty())
    };
    if plural == "clusterroles" && (aggregates(new) || old.is_some_and(aggregates)) {
        let all = || vec!["*".to_owned()];
        let everything = [
            Rule {
                verbs: all(),
                groups: all(),
                resources: all(),
                ..Rule::default()
            },
            Rule {
                verbs: all(),
                urls: all(),
                ..Rule::default()
            },
        ];
        let why = "must have cluster-admin privileges to use the aggregationRule";
        writer.covers(&everything).map_err(|_| refuse(why))?;
    }
    Ok(())
}

fn binding(writer: &Writer<'_>, plural: &str, new: &Value) -> Result<(), ApiError> {
    let reference = |field: &str| {
        new.pointer(&format!("/roleRef/{field}"))
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (kind, role) = (reference("kind"), reference("name"));
    let (roles, namespace) = match kind {
        "ClusterRole" => ("clusterroles", None),
        "Role" => ("roles", Some(writer.namespace)),
        _ => {
            return Err(ApiError::internal(format!(
                "unsupported role reference kind: {kind:?}"
            )));
        }
    };
    if writer.may("bind", roles, role) {
        return Ok(());
    }
    let rules = writer.policy.role(namespace, role).map_err(|message| {
        let singular = roles.trim_end_matches('s');
        ApiError {
            code: 404,
            reason: "NotFound".into(),
            message,
            details: status::details(role, GROUP, singular),
            retry_after: None,
            plain: false,
        }
    })?;
    writer
        .covers(rules)
        .map_err(|why| ApiError::forbidden(plural, GROUP, object::name(new), &why))
}

impl Writer<'_> {
    fn may(&self, verb: &str, plural: &str, name: &str) -> bool {
        let mut attributes = Attributes::resource(verb, GROUP, plural);
        self.namespace.clone_into(&mut attributes.namespace);
        name.clone_into(&mut attributes.name);
        self.policy.allows(self.user, &attributes)
    }

    /// Whether the user's own rules cover all of these; the error lists those that they don't.
    fn covers(&self, wanted: &[Rule]) -> Result<(), String> {
        let own = self.policy.rules_for(self.user, self.namespace);
        let missing: Vec<Rule> = wanted
            .iter()
            .flat_map(Rule::breakdown)
            .filter(|rule| !own.iter().any(|mine| mine.covers(rule)))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let mut lines: Vec<String> = compact(missing).iter().map(Rule::compact).collect();
        lines.sort();
        lines.dedup();
        let groups: Vec<String> = self.user.groups.iter().map(|g| format!("{g:?}")).collect();
        let mut message = format!(
            "user {:?} (groups=[{}]) is attempting to grant RBAC permissions not currently \
             held:\n{}",
            self.user.name,
            groups.join(" "),
            lines.join("\n")
        );
        let unresolved = self.policy.unresolved(self.user, self.namespace);
        if !unresolved.is_empty() {
            message = format!("{message}; resolution errors: [{unresolved}]");
        }
        Err(message)
    }
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
