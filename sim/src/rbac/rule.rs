//! One policy rule: what it covers, and how it prints.

use serde_json::{Value, json};

use super::policy::Attributes;

/// A `PolicyRule`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rule {
    pub(crate) verbs: Vec<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) resources: Vec<String>,
    pub(crate) names: Vec<String>,
    pub(crate) urls: Vec<String>,
}

fn strings(value: &Value, field: &str) -> Vec<String> {
    value
        .get(field)
        .and_then(Value::as_array)
        .map(|list| {
            list.iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect()
        })
        .unwrap_or_default()
}

fn has(list: &[String], wanted: &str) -> bool {
    list.iter().any(|item| item == wanted || item == "*")
}

impl Rule {
    pub(crate) fn read(value: &Value) -> Self {
        Self {
            verbs: strings(value, "verbs"),
            groups: strings(value, "apiGroups"),
            resources: strings(value, "resources"),
            names: strings(value, "resourceNames"),
            urls: strings(value, "nonResourceURLs"),
        }
    }

    pub(crate) fn read_all(role: &Value) -> Vec<Self> {
        role.get("rules")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(Self::read)
            .collect()
    }

    pub(crate) fn to_value(&self) -> Value {
        let mut out = json!({ "verbs": self.verbs });
        for (field, list) in [
            ("apiGroups", &self.groups),
            ("resources", &self.resources),
            ("resourceNames", &self.names),
            ("nonResourceURLs", &self.urls),
        ] {
            if !list.is_empty() {
                crate::object::members(&mut out).insert(field.into(), json!(list));
            }
        }
        out
    }

    pub(crate) fn allows(&self, attributes: &Attributes) -> bool {
        if !has(&self.verbs, &attributes.verb) {
            return false;
        }
        if !attributes.is_resource {
            return self.urls.iter().any(|url| {
                url == "*"
                    || *url == attributes.path
                    || url.ends_with('*') && attributes.path.starts_with(url.trim_end_matches('*'))
            });
        }
        has(&self.groups, &attributes.group)
            && self.covers_resource(&attributes.resource, &attributes.subresource)
            && (self.names.is_empty() || self.names.contains(&attributes.name))
    }

    fn covers_resource(&self, resource: &str, subresource: &str) -> bool {
        self.resources.iter().any(|rule| {
            if rule == "*" {
                return true;
            }
            if subresource.is_empty() {
                return rule == resource;
            }
            match rule.strip_suffix(subresource) {
                Some("*/") => true,
                Some(rest) => rest.strip_suffix('/') == Some(resource),
                None => false,
            }
        })
    }

    /// Every combination of verb, group, resource and name on its own.
    pub(crate) fn breakdown(&self) -> Vec<Self> {
        let mut out = Vec::new();
        for group in &self.groups {
            for resource in &self.resources {
                for verb in &self.verbs {
                    let one = Self {
                        verbs: vec![verb.clone()],
                        groups: vec![group.clone()],
                        resources: vec![resource.clone()],
                        ..Self::default()
                    };
                    if self.names.is_empty() {
                        out.push(one);
                    } else {
                        for name in &self.names {
                            out.push(Self {
                                names: vec![name.clone()],
                                ..one.clone()
                            });
                        }
                    }
                }
            }
        }
        for url in &self.urls {
            for verb in &self.verbs {
                out.push(Self {
                    verbs: vec![verb.clone()],
                    urls: vec![url.clone()],
                    ..Self::default()
                });
            }
        }
        out
    }

    /// Whether this rule alone covers a broken-down rule.
    pub(crate) fn covers(&self, wanted: &Self) -> bool {
        let all = |mine: &[String], theirs: &[String]| {
            mine.iter().any(|m| m == "*") || theirs.iter().all(|t| mine.contains(t))
        };
        let resource = |wanted: &String| {
            self.resources.iter().any(|mine| {
                mine == "*"
                    || mine == wanted
                    || match (mine.split_once('/'), wanted.split_once('/')) {
                        (Some(("*", mine)), Some((_, wanted))) => mine == wanted,
                        _ => false,
                    }
            })
        };
        let names = self.names.is_empty()
            || (!wanted.names.is_empty() && wanted.names.iter().all(|n| self.names.contains(n)));
        let urls = wanted.urls.iter().all(|url| {
            self.urls.iter().any(|mine| {
                mine == url || mine.ends_with('*') && url.starts_with(mine.trim_end_matches('*'))
            })
        });
        all(&self.verbs, &wanted.verbs)
            && all(&self.groups, &wanted.groups)
            && wanted.resources.iter().all(resource)
            && names
            && urls
    }

    /// The rule as escalation messages print it.
    pub(crate) fn compact(&self) -> String {
        let mut parts = Vec::new();
        let quoted = |list: &[String]| {
            list.iter()
                .map(|s| format!("{s:?}"))
                .collect::<Vec<_>>()
                .join(" ")
        };
        if !self.groups.is_empty() {
            parts.push(format!("APIGroups:[{}]", quoted(&self.groups)));
        }
        if !self.resources.is_empty() {
            parts.push(format!("Resources:[{}]", quoted(&self.resources)));
        }
        if !self.urls.is_empty() {
            parts.push(format!("NonResourceURLs:[{}]", quoted(&self.urls)));
        }
        if !self.names.is_empty() {
            parts.push(format!("ResourceNames:[{}]", quoted(&self.names)));
        }
        if !self.verbs.is_empty() {
            parts.push(format!("Verbs:[{}]", quoted(&self.verbs)));
        }
        format!("{{{}}}", parts.join(", "))
    }
}
