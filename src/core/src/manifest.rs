//! A manifest as it is kept between its build and its apply.

use std::sync::Arc;

use serde_json::Value;

/// A manifest. As text it takes a tenth of what it takes as a tree, and most of its life nobody looks
/// at it.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest(Form);

#[derive(Debug, Clone, PartialEq)]
enum Form {
    Text(Arc<str>),
    /// Its text would read as something else: a number with more digits than a float holds.
    Tree(Arc<Value>),
}

impl Manifest {
    /// Keeps a manifest whose text is known.
    pub(crate) fn new(value: Value, text: String) -> Self {
        let same = serde_json::from_str::<Value>(&text).is_ok_and(|read| read == value);
        Self(if same {
            Form::Text(text.into())
        } else {
            Form::Tree(Arc::new(value))
        })
    }

    /// Keeps an object that was read from JSON.
    pub fn of(value: Value) -> Self {
        Self(if reads_as_itself(&value, 0) {
            Form::Text(value.to_string().into())
        } else {
            Form::Tree(Arc::new(value))
        })
    }

    /// The text as which it is kept, if it is.
    pub fn text(&self) -> Option<&str> {
        match &self.0 {
            Form::Text(text) => Some(text),
            Form::Tree(_) => None,
        }
    }

    /// The manifest.
    pub fn value(&self) -> Value {
        match &self.0 {
            // It was read when it was taken in.
            Form::Text(text) => serde_json::from_str(text).unwrap_or_default(),
            Form::Tree(value) => (**value).clone(),
        }
    }
}

/// So deep a tree is read by `serde_json`; a deeper one isn't.
const DEPTH: usize = 100;

/// Whether a tree's text reads as the same tree: only a float may not, and what nobody reads.
fn reads_as_itself(value: &Value, depth: usize) -> bool {
    let below = |value: &Value| reads_as_itself(value, depth + 1);
    depth < DEPTH
        && match value {
            Value::Number(number) => !number.is_f64(),
            Value::Array(values) => values.iter().all(below),
            Value::Object(fields) => fields.values().all(below),
            Value::Null | Value::Bool(_) | Value::String(_) => true,
        }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_kept_is_what_comes_out() {
        let values = [
            json!(null),
            json!({ "a": ["\u{1F600} \"quoted\"", 1, -2, 0.1, 1e300, true, null, {}] }),
            json!({ "long": 0.123_456_789_012_345_67, "larger": u64::MAX, "least": i64::MIN }),
        ];
        for value in values {
            let kept = Manifest::new(value.clone(), value.to_string());
            assert_eq!(kept.value(), value);
            assert_eq!(Manifest::of(value.clone()).value(), value);
        }
        let mut deep = json!("deep");
        for _ in 0..200 {
            deep = json!({ "a": [deep] });
        }
        assert_eq!(Manifest::of(deep.clone()).value(), deep);
        assert!(matches!(Manifest::of(json!({ "a": 1 })).0, Form::Text(_)));
    }

    #[test]
    fn a_text_that_reads_as_something_else_is_not_relied_on() {
        let value = json!({ "a": 1 });
        let kept = Manifest::new(value.clone(), "{\"a\":2}".to_owned());
        assert_eq!(kept.value(), value);
        assert!(matches!(kept.0, Form::Tree(_)));
    }
}
