//! The authorizer: roles and bindings, read once after each change of them, asked on each request.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{GROUP, rule::Rule};
use crate::{
    kinds::StoreKey, object, request::User, routing::RequestInfo, status::ApiError, store::Store,
};

/// What is asked of the authorizer.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Attributes {
    pub(crate) verb: String,
    pub(crate) is_resource: bool,
    pub(crate) path: String,
    pub(crate) group: String,
    pub(crate) resource: String,
    pub(crate) subresource: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Attributes {
    pub(crate) fn resource(verb: &str, group: &str, resource: &str) -> Self {
        Self {
            verb: verb.into(),
            is_resource: true,
            group: group.into(),
            resource: resource.into(),
            ..Self::default()
        }
    }

    pub(crate) fn of_request(info: &RequestInfo) -> Self {
        Self {
            verb: info.verb.clone(),
            is_resource: info.is_resource,
            path: info.path.clone(),
            group: info.group.clone(),
            resource: info.resource.clone(),
            subresource: info.subresource.clone(),
            namespace: info.namespace.clone(),
            name: info.name.clone(),
        }
    }

    fn resource_with_subresource(&self) -> String {
        if self.subresource.is_empty() {
            self.resource.clone()
        } else {
            format!("{}/{}", self.resource, self.subresource)
        }
    }
}

/// What the authorizer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Allowed, and by what; nothing is said of `system:masters`.
    Allowed(String),
    /// Not allowed. The reason has the roles that bindings name and nobody has made.
    Refused(String),
}

/// The 403 of the real server; `reason` is the authorizer's, if it gave one.
pub(crate) fn forbidden(user: &User, attributes: &Attributes, reason: &str) -> ApiError {
    let who = format!("User {:?} cannot", user.name);
    let mut why = if attributes.is_resource {
        let asked = format!(
            "{who} {} resource {:?} in API group {:?}",
            attributes.verb,
            attributes.resource_with_subresource(),
            attributes.group
        );
        if attributes.namespace.is_empty() {
            format!("{asked} at the cluster scope")
        } else {
            format!("{asked} in the namespace {:?}", attributes.namespace)
        }
    } else {
        format!("{who} {} path {:?}", attributes.verb, attributes.path)
    };
    // Nothing that a browser could take for markup.
    why = why
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    if !reason.is_empty() {
        why = format!("{why}: {reason}");
    }
    if !attributes.is_resource {
        return ApiError::forbidden("", "", "", &why);
    }
    ApiError::forbidden(
        &attributes.resource,
        &attributes.group,
        &attributes.name,
        &why,
    )
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Subject {
    User(String),
    Group(String),
    Account { namespace: String, name: String },
}

impl Subject {
    fn read(value: &Value, namespace: &str) -> Option<Self> {
        let text = |field: &str| value.get(field).and_then(Value::as_str);
        let name = text("name")?.to_owned();
        Some(match text("kind")? {
            "User" => Self::User(name),
            "Group" => Self::Group(name),
            "ServiceAccount" => {
                let namespace = text("namespace")
                    .filter(|n| !n.is_empty())
                    .unwrap_or(namespace);
                Self::Account {
                    namespace: namespace.to_owned(),
                    name,
                }
            }
            _ => return None,
        })
    }

    fn is(&self, user: &User) -> bool {
        match self {
            Self::User(name) => user.name == *name,
            Self::Group(name) => user.groups.contains(name),
            Self::Account { namespace, name } => user
                .name
                .strip_prefix("system:serviceaccount:")
                .and_then(|rest| rest.strip_prefix(namespace.as_str()))
                .and_then(|rest| rest.strip_prefix(':'))
                .is_some_and(|account| account == name),
        }
    }
}

#[derive(Clone, Debug)]
struct Binding {
    /// Namespace of a role binding, empty for a cluster role binding.
    namespace: String,
    name: String,
    subjects: Vec<Subject>,
    /// Namespace of the role, or `None` for a cluster role.
    role: (Option<String>, String),
}

/// All roles and bindings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policy {
    roles: BTreeMap<(Option<String>, String), Vec<Rule>>,
    cluster: Vec<Binding>,
    namespaced: BTreeMap<String, Vec<Binding>>,
}

impl Policy {
    pub(crate) fn read(store: &Store) -> Self {
        let mut policy = Self::default();
        let all = |plural: &str| {
            let table = StoreKey::new(GROUP, plural);
            store
                .list(&table, "")
                .map(|(_, v)| v.clone())
                .collect::<Vec<_>>()
        };
        for role in all("clusterroles") {
            let key = (None, object::name(&role).to_owned());
            policy.roles.insert(key, Rule::read_all(&role));
        }
        for role in all("roles") {
            let key = (
                Some(object::namespace(&role).to_owned()),
                object::name(&role).to_owned(),
            );
            policy.roles.insert(key, Rule::read_all(&role));
        }
        for binding in all("clusterrolebindings") {
            policy.cluster.extend(read_binding(&binding, ""));
        }
        for binding in all("rolebindings") {
            let namespace = object::namespace(&binding).to_owned();
            let read = read_binding(&binding, &namespace);
            policy.namespaced.entry(namespace).or_default().extend(read);
        }
        policy
    }

    /// The bindings that hold for a user in a namespace (empty: cluster-wide ones only).
    fn bindings<'a>(
        &'a self,
        user: &'a User,
        namespace: &str,
    ) -> impl Iterator<Item = (&'a Binding, &'a Subject)> {
        let local = self
            .namespaced
            .get(namespace)
            .filter(|_| !namespace.is_empty());
        self.cluster
            .iter()
            .chain(local.into_iter().flatten())
            .filter_map(|binding| {
                let subject = binding.subjects.iter().find(|subject| subject.is(user))?;
                Some((binding, subject))
            })
    }

    /// The rules that hold for a user in a namespace.
    pub(crate) fn rules_for(&self, user: &User, namespace: &str) -> Vec<&Rule> {
        self.bindings(user, namespace)
            .filter_map(|(binding, _)| self.roles.get(&binding.role))
            .flatten()
            .collect()
    }

    /// The roles that a user's bindings name and that aren't there, as an aggregated error prints
    /// them; empty if there are none.
    pub(crate) fn unresolved(&self, user: &User, namespace: &str) -> String {
        let mut missing: Vec<String> = Vec::new();
        for (binding, _) in self.bindings(user, namespace) {
            if self.roles.contains_key(&binding.role) {
                continue;
            }
            let text = not_found(&binding.role);
            if !missing.contains(&text) {
                missing.push(text);
            }
        }
        match missing.as_slice() {
            [] => String::new(),
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        }
    }

    /// The rules of the role that a binding in a namespace refers to, or why there are none.
    pub(crate) fn role(&self, namespace: Option<&str>, name: &str) -> Result<&[Rule], String> {
        let key = (namespace.map(str::to_owned), name.to_owned());
        match self.roles.get(&key) {
            Some(rules) => Ok(rules),
            None => Err(not_found(&key)),
        }
    }

    /// Decides, in the authorizer's words.
    pub(crate) fn decide(&self, user: &User, attributes: &Attributes) -> Decision {
        if is_master(user) {
            return Decision::Allowed(String::new());
        }
        for (binding, subject) in self.bindings(user, &attributes.namespace) {
            let rules = self.roles.get(&binding.role);
            let mut rules = rules.into_iter().flatten();
            if rules.any(|rule| rule.allows(attributes)) {
                return Decision::Allowed(binding.says(subject));
            }
        }
        let missing = self.unresolved(user, &attributes.namespace);
        Decision::Refused(if missing.is_empty() {
            missing
        } else {
            format!("rbac: RBAC: {missing}")
        })
    }

    pub(crate) fn allows(&self, user: &User, attributes: &Attributes) -> bool {
        is_master(user)
            || self
                .bindings(user, &attributes.namespace)
                .filter_map(|(binding, _)| self.roles.get(&binding.role))
                .flatten()
                .any(|rule| rule.allows(attributes))
    }
}

/// Members of this group may do everything, whatever the roles say.
fn is_master(user: &User) -> bool {
    user.groups.iter().any(|g| g == "system:masters")
}

/// The error about a role (of a namespace, or cluster-wide) that isn't there.
fn not_found((namespace, name): &(Option<String>, String)) -> String {
    let kind = if namespace.is_some() {
        "role"
    } else {
        "clusterrole"
    };
    format!("{kind}.{GROUP} {name:?} not found")
}

impl Binding {
    /// How the authorizer explains that this binding allows something.
    fn says(&self, subject: &Subject) -> String {
        let (kind, name) = if self.namespace.is_empty() {
            ("ClusterRoleBinding", self.name.clone())
        } else {
            ("RoleBinding", format!("{}/{}", self.name, self.namespace))
        };
        let role = if self.role.0.is_none() {
            "ClusterRole"
        } else {
            "Role"
        };
        let subject = match subject {
            Subject::User(name) => format!("User {name:?}"),
            Subject::Group(name) => format!("Group {name:?}"),
            Subject::Account { namespace, name } => {
                format!("ServiceAccount {:?}", format!("{name}/{namespace}"))
            }
        };
        format!(
            "RBAC: allowed by {kind} {name:?} of {role} {:?} to {subject}",
            self.role.1
        )
    }
}

fn read_binding(binding: &Value, namespace: &str) -> Option<Binding> {
    let reference = binding.get("roleRef")?;
    let name = reference.get("name")?.as_str()?.to_owned();
    let role = match reference.get("kind")?.as_str()? {
        "ClusterRole" => (None, name),
        _ => (Some(namespace.to_owned()), name),
    };
    let subjects = binding
        .get("subjects")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|subject| Subject::read(subject, namespace))
        .collect();
    Some(Binding {
        namespace: namespace.to_owned(),
        name: object::name(binding).to_owned(),
        subjects,
        role,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn attributes(verb: &str, resource: &str, subresource: &str, name: &str) -> Attributes {
        Attributes {
            subresource: subresource.into(),
            name: name.into(),
            namespace: "n".into(),
            ..Attributes::resource(verb, "apps", resource)
        }
    }

    #[test]
    fn rules_decide_by_verb_group_resource_subresource_and_name() {
        let rule = |value: Value| Rule::read(&value);
        let plain =
            rule(json!({ "verbs": ["get"], "apiGroups": ["apps"], "resources": ["deployments"] }));
        assert!(plain.allows(&attributes("get", "deployments", "", "x")));
        assert!(!plain.allows(&attributes("get", "deployments", "status", "x")));
        assert!(!plain.allows(&attributes("list", "deployments", "", "")));
        let named = rule(
            json!({ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*/status"], "resourceNames": ["x"] }),
        );
        assert!(named.allows(&attributes("patch", "deployments", "status", "x")));
        assert!(!named.allows(&attributes("patch", "deployments", "status", "y")));
        assert!(!named.allows(&attributes("patch", "deployments", "", "x")));
        let url = rule(json!({ "verbs": ["get"], "nonResourceURLs": ["/healthz/*"] }));
        let path = Attributes {
            verb: "get".into(),
            path: "/healthz/x".into(),
            ..Attributes::default()
        };
        assert!(url.allows(&path));
    }

    #[test]
    fn the_message_is_the_real_one() {
        let user = User::service_account("ns", "sa");
        let mut a = attributes("patch", "deployments", "", "x");
        a.namespace = "ns".into();
        assert_eq!(
            forbidden(&user, &a, "").message,
            "deployments.apps \"x\" is forbidden: User \"system:serviceaccount:ns:sa\" cannot patch \
             resource \"deployments\" in API group \"apps\" in the namespace \"ns\""
        );
    }
}
