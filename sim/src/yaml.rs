//! One YAML document to JSON, by the YAML 1.2 core schema, with the YAML 1.1 booleans left as
//! strings only where they are quoted. Anchors, tags and merge keys are refused: Kubernetes'
//! clients don't send them.

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Number, Value};

enum Open {
    List(Vec<Value>),
    Map(Map<String, Value>, Option<String>),
}

/// Parses the first document of a text.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    Ok(documents(text)?.into_iter().next().unwrap_or(Value::Null))
}

/// Parses all documents of a text.
pub(crate) fn documents(text: &str) -> Result<Vec<Value>, String> {
    let mut stack: Vec<Open> = Vec::new();
    let mut roots = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|e| {
            // As Go's reader has it: the line before, and the problem without its context.
            let line = e.marker().line().saturating_sub(1).max(1);
            let problem = e.info().rsplit(", ").next().unwrap_or_default();
            format!("line {line}: {problem}")
        })?;
        let line = span.start.line();
        let done = match event {
            Event::Scalar(value, style, anchor, tag) => {
                if anchor != 0 || tag.is_some() {
                    return Err(format!("line {line}: anchors and tags are not supported"));
                }
                Some(scalar(&value, style))
            }
            Event::Alias(_) => return Err(format!("line {line}: aliases are not supported")),
            Event::SequenceStart(..) => {
                stack.push(Open::List(Vec::new()));
                None
            }
            Event::MappingStart(..) => {
                stack.push(Open::Map(Map::new(), None));
                None
            }
            Event::SequenceEnd | Event::MappingEnd => match stack.pop() {
                Some(Open::List(list)) => Some(Value::Array(list)),
                Some(Open::Map(map, _)) => Some(Value::Object(map)),
                None => None,
            },
            _ => None,
        };
        let Some(value) = done else { continue };
        match stack.last_mut() {
            None => roots.push(value),
            Some(Open::List(list)) => list.push(value),
            Some(Open::Map(map, key)) => match key.take() {
                Some(key) => {
                    if map.insert(key.clone(), value).is_some() {
                        return Err(format!("line {line}: key {key:?} already set in map"));
                    }
                }
                None => {
                    *key = Some(match value {
                        Value::String(text) => text,
                        Value::Null => "null".into(),
                        Value::Bool(_) | Value::Number(_) => value.to_string(),
                        _ => return Err(format!("line {line}: a key must be a scalar")),
                    });
                }
            },
        }
    }
    Ok(roots)
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return Value::String(text.to_owned());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "on" | "On" => return Value::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "off" | "Off" => return Value::Bool(false),
        _ => {}
    }
    if let Ok(int) = text.parse::<i64>() {
        return Value::Number(int.into());
    }
    let numeric = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
        && text
            .chars()
            .all(|c| c.is_ascii_digit() || "+-.eE".contains(c));
    if numeric && let Some(number) = text.parse::<f64>().ok().and_then(Number::from_f64) {
        return Value::Number(number);
    }
    Value::String(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_what_people_apply() {
        let text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  n: \"1\"\n  t: |\n    x\n    y\nlist:\n- 1\n- 2.5\n- ~\n- true\n";
        assert_eq!(
            parse(text).unwrap(),
            json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a" },
                "data": { "n": "1", "t": "x\ny\n" }, "list": [1, 2.5, null, true]
            })
        );
        assert!(parse("a: 1\na: 2\n").is_err());
    }
}
