//! JSON patch (RFC 6902).

use serde_json::Value;

/// Applies all operations in order; the error is the message of the refusal.
pub(crate) fn apply(target: &Value, patch: &Value) -> Result<Value, String> {
    let operations = patch
        .as_array()
        .ok_or("a JSON patch must be a list of operations")?;
    let mut out = target.clone();
    for operation in operations {
        step(&mut out, operation)?;
    }
    Ok(out)
}

fn step(target: &mut Value, operation: &Value) -> Result<(), String> {
    let text = |field: &str| {
        operation
            .get(field)
            .and_then(Value::as_str)
            .ok_or_else(|| format!("operation {operation} lacks {field:?}"))
    };
    let value = || {
        operation
            .get("value")
            .cloned()
            .ok_or_else(|| format!("operation {operation} lacks \"value\""))
    };
    let path = text("path")?;
    match text("op")? {
        "add" => add(target, path, value()?),
        "remove" => remove(target, path).map(drop),
        // The real server's library lets a replacement create a missing member.
        "replace" => match target.pointer_mut(path) {
            Some(slot) => {
                *slot = value()?;
                Ok(())
            }
            None => replace_missing(target, path, value()?),
        },
        "move" => {
            let moved = remove(target, text("from")?)?;
            add(target, path, moved)
        }
        "copy" => {
            let from = text("from")?;
            let copied = target.pointer(from).cloned().ok_or_else(|| {
                format!(
                    "copy operation does not apply: doc is missing from path: {from}: missing value"
                )
            })?;
            add(target, path, copied)
        }
        "test" => {
            let wanted = value()?;
            if target.pointer(path).unwrap_or(&Value::Null) == &wanted {
                Ok(())
            } else {
                Err(format!("testing value {path} failed: test failed"))
            }
        }
        other => Err(format!("Unexpected kind: {other}")),
    }
}

fn split(path: &str) -> Result<(&str, String), String> {
    let (parent, last) = path
        .rsplit_once('/')
        .ok_or_else(|| format!("path {path:?} must begin with a slash"))?;
    Ok((parent, last.replace("~1", "/").replace("~0", "~")))
}

fn add(target: &mut Value, path: &str, value: Value) -> Result<(), String> {
    if path.is_empty() {
        *target = value;
        return Ok(());
    }
    let (parent, last) = split(path)?;
    let missing =
        || format!("add operation does not apply: doc is missing path: \"{path}\": missing value");
    match target.pointer_mut(parent).ok_or_else(missing)? {
        Value::Object(map) => {
            map.insert(last, value);
            Ok(())
        }
        Value::Array(list) if last == "-" => {
            list.push(value);
            Ok(())
        }
        Value::Array(list) => {
            let index: usize = last.parse().map_err(|_| missing())?;
            if index > list.len() {
                return Err(format!(
                    "add operation does not apply: doc is missing path: \"{path}\": Unable to access invalid index: {index}: invalid index referenced"
                ));
            }
            list.insert(index, value);
            Ok(())
        }
        _ => Err(missing()),
    }
}

/// A replacement creates a missing member of an object, never an item of a list.
fn replace_missing(target: &mut Value, path: &str, value: Value) -> Result<(), String> {
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    if target.pointer(parent).is_some_and(Value::is_array) {
        return Err(format!(
            "replace operation does not apply: doc is missing key: {path}: missing value"
        ));
    }
    add(target, path, value)
}

fn remove(target: &mut Value, path: &str) -> Result<Value, String> {
    let (parent, last) = split(path)?;
    let missing = || {
        format!("remove operation does not apply: doc is missing path: \"{path}\": missing value")
    };
    match target.pointer_mut(parent).ok_or_else(missing)? {
        Value::Object(map) => map.remove(&last).ok_or_else(missing),
        Value::Array(list) => {
            let index: usize = last.parse().map_err(|_| missing())?;
            if index < list.len() {
                Ok(list.remove(index))
            } else {
                Err(missing())
            }
        }
        _ => Err(missing()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn operations_apply_in_order_and_tests_guard() {
        let target = json!({ "a/b": [1, 2], "c": {} });
        let patch = json!([
            { "op": "test", "path": "/a~1b/0", "value": 1 },
            { "op": "add", "path": "/a~1b/-", "value": 3 },
            { "op": "remove", "path": "/a~1b/0" },
            { "op": "move", "from": "/a~1b/0", "path": "/c/x" }
        ]);
        assert_eq!(
            apply(&target, &patch).unwrap(),
            json!({ "a/b": [3], "c": { "x": 2 } })
        );
        let failing = json!([{ "op": "test", "path": "/c", "value": 1 }]);
        assert!(apply(&target, &failing).is_err());
    }
}
