//! Label and field selectors.

mod labels;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{kinds::Resource, object, status::ApiError};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    In(String, BTreeSet<String>),
    NotIn(String, BTreeSet<String>),
    Exists(String),
    Missing(String),
    Greater(String, i64),
    Less(String, i64),
}

/// A label selector: all requirements must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LabelSelector(Vec<Requirement>);

impl LabelSelector {
    pub(crate) fn parse(text: &str) -> Result<Self, ApiError> {
        labels::parse(text).map_err(ApiError::bad_request)
    }

    /// A selector as objects carry it (`matchLabels`, `matchExpressions`).
    pub(crate) fn from_object(selector: &Value) -> Option<Self> {
        let mut requirements = Vec::new();
        if let Some(labels) = selector.get("matchLabels").and_then(Value::as_object) {
            for (key, value) in labels {
                let values = BTreeSet::from([value.as_str()?.to_owned()]);
                requirements.push(Requirement::In(key.clone(), values));
            }
        }
        for expression in selector
            .get("matchExpressions")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let key = expression.get("key")?.as_str()?.to_owned();
            let values = expression
                .get("values")
                .and_then(Value::as_array)
                .map(|v| {
                    v.iter()
                        .filter_map(Value::as_str)
                        .map(str::to_owned)
                        .collect()
                })
                .unwrap_or_default();
            requirements.push(match expression.get("operator")?.as_str()? {
                "In" => Requirement::In(key, values),
                "NotIn" => Requirement::NotIn(key, values),
                "Exists" => Requirement::Exists(key),
                "DoesNotExist" => Requirement::Missing(key),
                _ => return None,
            });
        }
        Some(Self(requirements))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.0.iter().all(|requirement| {
            let value = |key: &str| object::label(object, key);
            match requirement {
                Requirement::In(key, values) => value(key).is_some_and(|v| values.contains(v)),
                Requirement::NotIn(key, values) => value(key).is_none_or(|v| !values.contains(v)),
                Requirement::Exists(key) => value(key).is_some(),
                Requirement::Missing(key) => value(key).is_none(),
                Requirement::Greater(key, than) => value(key)
                    .and_then(|v| v.parse::<i64>().ok())
                    .is_some_and(|v| v > *than),
                Requirement::Less(key, than) => value(key)
                    .and_then(|v| v.parse::<i64>().ok())
                    .is_some_and(|v| v < *than),
            }
        })
    }
}

/// A field selector: path, wanted value, whether it must be equal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldSelector(Vec<(String, String, bool)>);

impl FieldSelector {
    pub(crate) fn parse(text: &str) -> Result<Self, ApiError> {
        let mut terms = Vec::new();
        for part in text.split(',').filter(|p| !p.is_empty()) {
            let (key, value, equal) = if let Some((k, v)) = part.split_once("!=") {
                (k, v, false)
            } else if let Some((k, v)) = part.split_once("==").or_else(|| part.split_once('=')) {
                (k, v, true)
            } else {
                return Err(ApiError::bad_request(format!(
                    "invalid selector: '{part}'; can't understand '{part}'"
                )));
            };
            terms.push((key.to_owned(), value.to_owned(), equal));
        }
        Ok(Self(terms))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it asks for one object by its name.
    pub(crate) fn names_one(&self) -> bool {
        let by_name = |(key, _, equal): &&(String, String, bool)| *equal && key == "metadata.name";
        self.0.iter().any(|term| by_name(&term))
    }

    /// Fails for fields that the kind doesn't select by. Kinds without fields of their own say
    /// which ones they have.
    pub(crate) fn check(&self, resource: &Resource, extra: &[&str]) -> Result<(), ApiError> {
        for (key, _, _) in &self.0 {
            let own = extra.contains(&key.as_str());
            let common = match key.as_str() {
                "metadata.name" => true,
                // Some kinds that are in no namespace know none.
                "metadata.namespace" => {
                    let namespaces = resource.group.is_empty()
                        && matches!(resource.kind.as_str(), "Namespace" | "Node");
                    !namespaces && (resource.namespaced || resource.custom().is_none())
                }
                _ => false,
            };
            if own || common {
                continue;
            }
            return Err(ApiError::bad_request(if resource.kind == "Job" {
                format!("field label {key:?} not supported for Job")
            } else if extra.is_empty() && resource.custom().is_none() {
                format!(
                    "{key:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
                )
            } else {
                format!("field label not supported: {key}")
            }));
        }
        Ok(())
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        self.0.iter().all(|(path, want, equal)| {
            let found = path
                .split('.')
                .try_fold(object, |value, part| value.get(part));
            let found = match found {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Null) | None => String::new(),
                Some(other) => other.to_string(),
            };
            (found == *want) == *equal
        })
    }
}

/// The name that a field selector pins, if it pins exactly one.
pub(crate) fn single_name(text: &str) -> Option<String> {
    let selector = FieldSelector::parse(text).ok()?;
    let mut names = selector
        .0
        .iter()
        .filter(|(k, _, equal)| k == "metadata.name" && *equal);
    let (_, name, _) = names.next()?;
    names.next().is_none().then(|| name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_operator_decides_as_documented() {
        let object = json!({ "metadata": { "labels": { "a": "1", "tier": "web" } } });
        for (text, want) in [
            ("a=1", true),
            ("a==1,tier=web", true),
            ("a!=1", false),
            ("b!=1", true),
            ("tier in (web, db)", true),
            ("tier notin (web)", false),
            ("x notin (web)", true),
            ("a", true),
            ("!a", false),
            ("!x", true),
            ("a>0", true),
            ("a<1", false),
        ] {
            assert_eq!(
                LabelSelector::parse(text).unwrap().matches(&object),
                want,
                "{text}"
            );
        }
        assert!(LabelSelector::parse("a=(").is_err());
        assert_eq!(single_name("metadata.name=x"), Some("x".into()));
        assert_eq!(single_name("metadata.name!=x"), None);
    }
}
