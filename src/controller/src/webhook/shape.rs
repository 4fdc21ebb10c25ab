//! The size of a JSON text, measured without reading it into memory.

use super::limits::VALUES;

/// A text with more values than anybody needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body holds more than {VALUES} JSON values")]
pub struct TooManyValues;

/// Counts the values of a JSON text, keys included, from above: never fewer than there are. What
/// isn't JSON is counted all the same; the reader will say so.
///
/// # Errors
/// [`TooManyValues`] beyond the bound.
pub fn measure(text: &[u8]) -> Result<usize, TooManyValues> {
    let mut values = 1;
    let mut in_text = false;
    let mut escaped = false;
    for byte in text {
        if in_text {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_text = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_text = true,
            // Each begins another value: the next element, the value of a key, the first element.
            b',' | b':' | b'[' | b'{' => {
                values += 1;
                if values > VALUES {
                    return Err(TooManyValues);
                }
            }
            _ => {}
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn count(value: &Value) -> usize {
        1 + match value {
            Value::Array(list) => list.iter().map(count).sum(),
            Value::Object(fields) => fields.values().map(count).sum(),
            _ => 0,
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i32>().prop_map(Value::from),
            "[\\[\\]{},:\"\\\\a]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 64, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map("[\\[{,:\"\\\\b]{0,4}", inner, 0..6)
                    .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn never_fewer_than_there_are(value in values()) {
            let measured = measure(value.to_string().as_bytes()).unwrap();
            prop_assert!(measured >= count(&value), "{measured} of {value}");
            // A key and a bracket each count once more, nothing else does.
            prop_assert!(measured <= 3 * count(&value));
        }
    }

    #[test]
    fn a_flood_is_refused_and_a_long_text_is_not() {
        let flood = format!("[{}0]", "0,".repeat(VALUES));
        assert_eq!(measure(flood.as_bytes()), Err(TooManyValues));
        let nested = "[".repeat(VALUES + 1);
        assert_eq!(measure(nested.as_bytes()), Err(TooManyValues));
        let text = Value::from(",".repeat(VALUES * 2)).to_string();
        assert_eq!(measure(text.as_bytes()), Ok(1));
    }
}
