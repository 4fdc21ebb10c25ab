//! What a build gave, and how two of them differ.

use serde_json::Value;
use stageset_render::{Limits, Tree, yaml};

use crate::case::Recorded;

/// What a build gave.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Objects in their order.
    Built(Vec<Value>),
    /// Problems as one text, a line each.
    Failed(String),
}

impl Outcome {
    /// What our build gives.
    pub fn ours(tree: &Tree, path: &str) -> Self {
        match stageset_render::build(tree, path, &Limits::default()) {
            Ok(objects) => Self::Built(objects.into_iter().map(|object| object.value).collect()),
            Err(problems) => {
                let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
                Self::Failed(texts.join("\n"))
            }
        }
    }

    /// What was recorded. The recorded YAML is kustomize's own, which is plain enough to be read
    /// with our reader; the live comparison reads JSON instead.
    pub fn recorded(recorded: &Recorded) -> Result<Self, String> {
        match recorded {
            Recorded::Error(error) => Ok(Self::Failed(error.clone())),
            Recorded::Objects(text) => match yaml::documents(text.as_bytes(), &Limits::default()) {
                Ok(documents) => Ok(Self::Built(
                    documents
                        .into_iter()
                        .map(|document| document.value)
                        .collect(),
                )),
                Err(errors) => Err(format!("the recorded objects can't be read: {errors:?}")),
            },
        }
    }

    /// The first difference from another, in words; errors count as alike, whatever they say.
    pub fn difference(&self, expected: &Self) -> Option<String> {
        match (self, expected) {
            (Self::Failed(_), Self::Failed(_)) => None,
            (Self::Failed(error), Self::Built(objects)) => Some(format!(
                "ours fails, the original builds {} object(s): {error}",
                objects.len()
            )),
            (Self::Built(objects), Self::Failed(error)) => Some(format!(
                "ours builds {} object(s), the original fails: {error}",
                objects.len()
            )),
            (Self::Built(ours), Self::Built(theirs)) => {
                let names = |objects: &[Value]| objects.iter().map(name).collect::<Vec<_>>();
                let (mine, expected) = (names(ours), names(theirs));
                if mine != expected {
                    return Some(format!(
                        "objects\n  ours     {}\n  original {}",
                        mine.join(", "),
                        expected.join(", ")
                    ));
                }
                let mut pairs = ours.iter().zip(theirs);
                pairs.find_map(|(ours, theirs)| {
                    let mut path = name(ours);
                    within(ours, theirs, &mut path)
                })
            }
        }
    }
}

fn name(object: &Value) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let kind = text("/kind").unwrap_or("?");
    let name = text("/metadata/name").unwrap_or("?");
    match text("/metadata/namespace") {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    }
}

/// The first place where two values differ.
fn within(ours: &Value, theirs: &Value, path: &mut String) -> Option<String> {
    let length = path.len();
    match (ours, theirs) {
        (Value::Object(mine), Value::Object(expected)) => {
            let mut keys: Vec<&String> = mine.keys().chain(expected.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                path.push('.');
                path.push_str(key);
                let found = match (mine.get(key), expected.get(key)) {
                    (Some(mine), Some(expected)) => within(mine, expected, path),
                    (Some(mine), None) => Some(format!("{path}: only ours has {mine}")),
                    (None, Some(theirs)) => Some(format!("{path}: only the original has {theirs}")),
                    (None, None) => None,
                };
                if found.is_some() {
                    return found;
                }
                path.truncate(length);
            }
            None
        }
        (Value::Array(mine), Value::Array(expected)) if mine.len() == expected.len() => {
            for (index, (mine, expected)) in mine.iter().zip(expected).enumerate() {
                path.push_str(&format!("[{index}]"));
                if let Some(found) = within(mine, expected, path) {
                    return Some(found);
                }
                path.truncate(length);
            }
            None
        }
        (ours, theirs) if ours == theirs => None,
        (ours, theirs) => Some(format!("{path}:\n  ours     {ours}\n  original {theirs}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_difference_is_found_wherever_it_is() {
        let object = |value: Value| json!({"kind": "K", "metadata": {"name": "n"}, "x": value});
        let built = |values: &[Value]| Outcome::Built(values.iter().cloned().map(object).collect());
        let same = built(&[json!([1, {"a": null}])]);
        assert_eq!(same.difference(&same), None);
        let tries = [
            (json!([1, {"a": ""}]), "K n.x[1].a:"),
            (json!([1, {}]), "K n.x[1].a: only the original"),
            (json!([1, {"a": null, "b": 1}]), "K n.x[1].b: only ours"),
            (json!([1.0, {"a": null}]), "K n.x[0]:"),
            (json!([1]), "K n.x:"),
        ];
        for (value, expected) in tries {
            let found = built(&[value]).difference(&same).unwrap();
            assert!(found.starts_with(expected), "{found}");
        }
        let one = object(json!(1));
        let mut other = one.clone();
        other["metadata"]["name"] = "m".into();
        let ours = Outcome::Built(vec![one.clone(), other.clone()]);
        let theirs = Outcome::Built(vec![other, one]);
        assert!(ours.difference(&theirs).unwrap().contains("K n, K m"));
        assert!(ours.difference(&Outcome::Failed(String::new())).is_some());
        assert!(Outcome::Failed(String::new()).difference(&ours).is_some());
    }
}
