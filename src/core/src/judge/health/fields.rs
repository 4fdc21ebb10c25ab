//! Reads what controllers wrote into objects, and says what is wrong with it.

use std::fmt;

use serde_json::Value;

/// Longest text of others that a message repeats, in characters.
const LONGEST_TEXT: usize = 300;

/// A field that isn't what its kind says it is. Names the field and the type found, never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("its readiness can't be read: {field} is {found}, not {expected}")]
pub(super) struct Malformed {
    field: String,
    found: &'static str,
    expected: &'static str,
}

/// One condition of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Condition<'a> {
    /// Its type; empty if it has none.
    pub(super) kind: &'a str,
    /// `True`, `False`, `Unknown`; empty if it has none.
    pub(super) status: &'a str,
    /// CamelCase reason, or empty.
    pub(super) reason: &'a str,
    /// For people, or empty.
    pub(super) message: &'a str,
}

impl Condition<'_> {
    /// Whether it is of this type and has this status.
    pub(super) fn is(&self, kind: &str, status: &str) -> bool {
        self.kind == kind && self.status == status
    }
}

impl fmt::Display for Condition<'_> {
    /// Reason and message, as far as there are any; else type and status.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.reason, self.message) {
            ("", "") => write!(f, "{} is {:?}", self.kind, self.status),
            ("", text) | (text, "") => f.write_str(&quoted(text)),
            (reason, message) => write!(f, "{}: {}", quoted(reason), quoted(message)),
        }
    }
}

/// A text of others, on one line and not too long.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted: String = text
        .chars()
        .take(LONGEST_TEXT)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(LONGEST_TEXT).is_some() {
        quoted.push('…');
    }
    quoted
}

/// An object, or a part of one, with the path that leads there.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    value: &'a Value,
    path: String,
}

impl<'a> Fields<'a> {
    /// A whole object.
    pub(super) fn of(object: &'a Value) -> Self {
        Self {
            value: object,
            path: String::new(),
        }
    }

    /// The value at a dotted path; `None` if it or anything on the way is absent or null.
    fn find(&self, path: &str) -> Result<Option<&'a Value>, Malformed> {
        let mut here = self.value;
        let mut walked = self.path.clone();
        for key in path.split('.') {
            here = match here {
                Value::Object(map) => match map.get(key) {
                    None | Some(Value::Null) => return Ok(None),
                    Some(value) => value,
                },
                other => return Err(malformed(&walked, other, "an object")),
            };
            if !walked.is_empty() {
                walked.push('.');
            }
            walked.push_str(key);
        }
        Ok(Some(here))
    }

    fn field(&self, path: &str) -> String {
        if self.path.is_empty() {
            path.to_owned()
        } else {
            format!("{}.{path}", self.path)
        }
    }

    /// A text.
    pub(super) fn text(&self, path: &str) -> Result<Option<&'a str>, Malformed> {
        match self.find(path)? {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(malformed(&self.field(path), other, "a text")),
        }
    }

    /// A truth value.
    pub(super) fn flag(&self, path: &str) -> Result<Option<bool>, Malformed> {
        match self.find(path)? {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(malformed(&self.field(path), other, "true or false")),
        }
    }

    /// A whole number that isn't negative, which is all that Kubernetes counts with.
    pub(super) fn count(&self, path: &str) -> Result<Option<i64>, Malformed> {
        match self.find(path)? {
            None => Ok(None),
            Some(value) => match value.as_i64() {
                Some(count) if count >= 0 => Ok(Some(count)),
                _ => Err(malformed(&self.field(path), value, "a count")),
            },
        }
    }

    /// A count, 0 if it is absent: Kubernetes leaves zeros out.
    pub(super) fn count_or_zero(&self, path: &str) -> Result<i64, Malformed> {
        Ok(self.count(path)?.unwrap_or(0))
    }

    /// The items of a list; none if it is absent.
    pub(super) fn list(&self, path: &str) -> Result<Vec<Fields<'a>>, Malformed> {
        match self.find(path)? {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => Ok(items
                .iter()
                .enumerate()
                .map(|(index, value)| Fields {
                    value,
                    path: format!("{}[{index}]", self.field(path)),
                })
                .collect()),
            Some(other) => Err(malformed(&self.field(path), other, "a list")),
        }
    }

    /// `status.conditions`, in their order. Parts that a condition lacks are empty: not every kind
    /// writes all of them.
    pub(super) fn conditions(&self) -> Result<Vec<Condition<'a>>, Malformed> {
        self.list("status.conditions")?
            .iter()
            .map(|condition| {
                let text = |path: &str| Ok(condition.text(path)?.unwrap_or_default());
                Ok(Condition {
                    kind: text("type")?,
                    status: text("status")?,
                    reason: text("reason")?,
                    message: text("message")?,
                })
            })
            .collect()
    }
}

fn malformed(field: &str, found: &Value, expected: &'static str) -> Malformed {
    Malformed {
        field: if field.is_empty() {
            "the object".into()
        } else {
            field.into()
        },
        found: match found {
            Value::Null => "null",
            Value::Bool(_) => "a truth value",
            Value::Number(number) if number.as_f64().is_some_and(|n| n < 0.0) => {
                "a negative number"
            }
            Value::Number(_) => "a number that counts nothing",
            Value::String(_) => "a text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        },
        expected,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn absent_and_null_are_the_same() {
        for object in [
            json!({}),
            json!({"status": null}),
            json!({"status": {"n": null}}),
        ] {
            let fields = Fields::of(&object);
            assert_eq!(fields.count("status.n"), Ok(None));
            assert_eq!(fields.text("status.n"), Ok(None));
            assert_eq!(fields.flag("status.n"), Ok(None));
            assert_eq!(fields.list("status.n").map(|l| l.len()), Ok(0));
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_field() {
        let wrong = |value: Value| {
            let object = json!({"status": {"n": value}});
            Fields::of(&object)
                .count("status.n")
                .unwrap_err()
                .to_string()
        };
        for (value, found) in [
            (json!(-1), "a negative number"),
            (json!(-0.5), "a negative number"),
            (json!(1.5), "a number that counts nothing"),
            (json!(u64::MAX), "a number that counts nothing"),
            (json!("3"), "a text"),
            (json!([]), "a list"),
            (json!({}), "an object"),
            (json!(true), "a truth value"),
        ] {
            assert_eq!(
                wrong(value),
                format!("its readiness can't be read: status.n is {found}, not a count")
            );
        }
        let object = json!({"status": "Running"});
        assert_eq!(
            Fields::of(&object)
                .count("status.n")
                .unwrap_err()
                .to_string(),
            "its readiness can't be read: status is a text, not an object"
        );
        let object = json!({"status": {"conditions": [{}, {"type": 1}]}});
        assert_eq!(
            Fields::of(&object).conditions().unwrap_err().to_string(),
            "its readiness can't be read: status.conditions[1].type is a number that counts \
             nothing, not a text"
        );
    }

    #[test]
    fn texts_of_others_are_cut_and_stay_on_one_line() {
        assert_eq!(quoted("a\nb"), "a b");
        assert_eq!(quoted(&"ü".repeat(300)), "ü".repeat(300));
        assert_eq!(quoted(&"ü".repeat(301)), format!("{}…", "ü".repeat(300)));
    }
}
