//! The smallest Roles that allow exactly what is missing, ready to apply.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

use super::{Right, Verb};
use crate::object::sha256_hex;

/// Whom to grant it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Namespace of the ServiceAccount.
    pub namespace: String,
    /// Its name.
    pub service_account: String,
}

/// One rule of a Role: verbs on named objects of one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    group: String,
    resource: String,
    verbs: BTreeSet<Verb>,
    names: BTreeSet<String>,
}

/// A Role in a namespace, or a ClusterRole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Where; `None` = a ClusterRole.
    pub namespace: Option<String>,
    /// Name of the Role and of its binding. It ends in a digest of the rest, so that no grant ever
    /// replaces another: not an earlier one of the same stage, nor one for another tenant.
    name: String,
    subject: Option<Subject>,
    lines: Vec<Line>,
}

/// What would have to be granted for these objects, a Role for each namespace and a ClusterRole for the
/// rest; in order, and the same for the same rights whatever their order.
pub fn granting(name: &str, subject: Option<&Subject>, rights: &[Right]) -> Vec<Grant> {
    type Objects = BTreeMap<(String, String), BTreeMap<String, BTreeSet<Verb>>>;
    let mut places: BTreeMap<Option<String>, Objects> = BTreeMap::new();
    for right in rights {
        places
            .entry(right.namespace.clone())
            .or_default()
            .entry((right.group.clone(), right.resource.clone()))
            .or_default()
            .entry(right.name.clone())
            .or_default()
            .insert(right.verb);
    }
    places
        .into_iter()
        .map(|(namespace, resources)| {
            let mut lines = Vec::new();
            for ((group, resource), objects) in resources {
                // Objects that need the same verbs share a rule.
                let mut by_verbs: BTreeMap<BTreeSet<Verb>, BTreeSet<String>> = BTreeMap::new();
                for (object, verbs) in objects {
                    by_verbs.entry(verbs).or_default().insert(object);
                }
                lines.extend(by_verbs.into_iter().map(|(verbs, names)| Line {
                    group: group.clone(),
                    resource: resource.clone(),
                    verbs,
                    names,
                }));
            }
            let mut grant = Grant {
                namespace,
                name: String::new(),
                subject: subject.cloned(),
                lines,
            };
            let digest = sha256_hex(grant.to_string().as_bytes());
            grant.name = format!("{name}-{}", digest.get(..8).unwrap_or(&digest));
            grant
        })
        .collect()
}

impl Grant {
    /// In one line: what is granted, for conditions and events.
    pub fn in_short(&self) -> String {
        let mut text = match &self.namespace {
            Some(namespace) => format!("in namespace {namespace}: "),
            None => "in the whole cluster: ".to_owned(),
        };
        let lines: Vec<String> = self.lines.iter().map(Line::in_short).collect();
        text.push_str(&lines.join(", "));
        text
    }
}

/// Names that a line in short holds.
const NAMED: usize = 3;

impl Line {
    fn in_short(&self) -> String {
        let verbs: Vec<&str> = self.verbs.iter().map(|verb| verb.as_str()).collect();
        let mut text = format!("{} {}", verbs.join("/"), self.resource);
        if !self.group.is_empty() {
            let _ = write!(text, ".{}", self.group);
        }
        let mut names: Vec<&str> = self.names.iter().map(String::as_str).take(NAMED).collect();
        let more = format!("and {} more", self.names.len().saturating_sub(NAMED));
        if self.names.len() > NAMED {
            names.push(&more);
        }
        let _ = write!(text, " ({})", names.join(", "));
        text
    }
}

/// YAML: the Role and its binding. Without an account there is nobody here to bind.
impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.namespace.is_some() {
            "Role"
        } else {
            "ClusterRole"
        };
        let metadata = |f: &mut fmt::Formatter<'_>| -> fmt::Result {
            writeln!(f, "metadata:\n  name: {}", quoted(&self.name))?;
            match &self.namespace {
                Some(namespace) => writeln!(f, "  namespace: {}", quoted(namespace)),
                None => Ok(()),
            }
        };
        writeln!(f, "apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}")?;
        metadata(f)?;
        writeln!(f, "rules:")?;
        for line in &self.lines {
            let verbs: BTreeSet<String> = line
                .verbs
                .iter()
                .map(|verb| verb.as_str().to_owned())
                .collect();
            writeln!(f, "  - apiGroups: [{}]", quoted(&line.group))?;
            writeln!(f, "    resources: [{}]", quoted(&line.resource))?;
            writeln!(f, "    resourceNames: [{}]", list(&line.names))?;
            writeln!(f, "    verbs: [{}]", list(&verbs))?;
        }
        let Some(subject) = &self.subject else {
            return Ok(());
        };
        writeln!(
            f,
            "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}Binding"
        )?;
        metadata(f)?;
        writeln!(
            f,
            "roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: {kind}\n  name: {}",
            quoted(&self.name)
        )?;
        writeln!(
            f,
            "subjects:\n  - kind: ServiceAccount\n    name: {}\n    namespace: {}",
            quoted(&subject.service_account),
            quoted(&subject.namespace)
        )
    }
}

fn list(names: &BTreeSet<String>) -> String {
    let quoted: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    quoted.join(", ")
}

/// A YAML text: JSON's double quotes are YAML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
