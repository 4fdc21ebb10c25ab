//! Who wrote a field, as `metadata.managedFields` remembers it: names of field managers, never
//! values (I9).

use std::collections::BTreeSet;

use serde_json::Value;

use super::drift::{member, plain_or_quoted};

/// How many managers are named.
const NAMED: usize = 3;
/// Longest name of a manager that is told; anybody can choose one.
const LONGEST_NAME: usize = 64;

/// The field managers other than ours that own any of these fields of an object, in words; `None` if
/// nobody is known to: a field that was taken out has no owner left.
pub(super) fn of(object: &Value, fields: &[String], ours: &str) -> Option<String> {
    let entries = object
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array)?;
    let mut named = BTreeSet::new();
    for entry in entries {
        let Some(manager) = entry.get("manager").and_then(Value::as_str) else {
            continue;
        };
        if manager == ours || manager.is_empty() {
            continue;
        }
        let mut owned = Vec::new();
        paths(
            "",
            entry.get("fieldsV1").unwrap_or(&Value::Null),
            &mut owned,
        );
        if fields
            .iter()
            .any(|field| owned.iter().any(|path| touches(path, field)))
        {
            named.insert(short(manager));
        }
    }
    if named.is_empty() {
        named.extend(last_other(entries, ours).map(short));
    }
    let more = named.len().saturating_sub(NAMED);
    let mut words: Vec<String> = named.into_iter().take(NAMED).collect();
    if more > 0 {
        words.push(format!("{more} more"));
    }
    (!words.is_empty()).then(|| words.join(", "))
}

/// Whoever wrote last, if it wasn't us: it took away what has no owner any more.
fn last_other<'a>(entries: &'a [Value], ours: &str) -> Option<&'a str> {
    let time = |entry: &'a Value| entry.get("time").and_then(Value::as_str);
    let subresource = |entry: &Value| {
        let name = entry.get("subresource").and_then(Value::as_str);
        name.is_some_and(|name| !name.is_empty())
    };
    let last = entries
        .iter()
        .filter(|entry| !subresource(entry))
        .max_by_key(|entry| time(entry))?;
    let manager = last.get("manager").and_then(Value::as_str)?;
    (manager != ours && !manager.is_empty()).then_some(manager)
}

/// The paths of a field set, spelled as differences are: `spec.template.spec.containers[name=app]`,
/// `[*]` for an item that has no name.
fn paths(at: &str, set: &Value, found: &mut Vec<String>) {
    let Some(set) = set.as_object() else { return };
    if set.is_empty() {
        found.push(at.to_owned());
        return;
    }
    for (key, below) in set {
        let path = match key.split_once(':') {
            Some(("f", name)) => member(at, name),
            Some(("k", keys)) => {
                let keys: Value = serde_json::from_str(keys).unwrap_or_default();
                match keys.get("name").and_then(Value::as_str) {
                    Some(name) => format!("{at}[name={}]", plain_or_quoted(name)),
                    None => format!("{at}[*]"),
                }
            }
            Some(("v" | "i", _)) => format!("{at}[*]"),
            _ => at.to_owned(),
        };
        paths(&path, below, found);
    }
}

/// Whether one path is the other, or lies below it. An unnamed item stands for every item.
fn touches(owned: &str, field: &str) -> bool {
    let unnamed = |path: &str| {
        let mut out = String::with_capacity(path.len());
        let mut rest = path;
        while let Some((before, after)) = rest.split_once('[') {
            out.push_str(before);
            let (inside, after) = after.split_once(']').unwrap_or((after, ""));
            let index = inside == "*" || inside.chars().all(|c| c.is_ascii_digit());
            if index {
                out.push_str("[*]");
            } else {
                out.push('[');
                out.push_str(inside);
                out.push(']');
            }
            rest = after;
        }
        out.push_str(rest);
        out
    };
    let (owned, field) = (unnamed(owned), unnamed(field));
    let below = |path: &str, root: &str| {
        path.strip_prefix(root)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || rest.starts_with('['))
    };
    !owned.is_empty() && (below(&owned, &field) || below(&field, &owned))
}

fn short(manager: &str) -> String {
    let mut name: String = manager
        .chars()
        .filter(|c| !c.is_control())
        .take(LONGEST_NAME)
        .collect();
    if name.len() < manager.len() {
        name.push('…');
    }
    name
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object() -> Value {
        let entry = |manager: &str, time: &str, fields: Value| {
            json!({
                "manager": manager, "operation": "Update", "apiVersion": "v1", "time": time,
                "fieldsType": "FieldsV1", "fieldsV1": fields,
            })
        };
        json!({ "metadata": { "managedFields": [
            entry("ours", "2026-11-23T20:00:00Z", json!({"f:data": {"f:a": {}, "f:b": {}}})),
            entry("kubectl-edit", "2026-11-23T20:02:00Z", json!({"f:data": {"f:a": {}}})),
            entry("hpa", "2026-11-23T20:01:00Z", json!({"f:spec": {
                "f:replicas": {},
                "f:containers": {"k:{\"name\":\"app\"}": {"f:image": {}}},
                "f:ports": {"k:{\"containerPort\":80}": {"f:protocol": {}}},
            }})),
        ]}})
    }

    fn by(field: &str) -> Option<String> {
        of(&object(), &[field.to_owned()], "ours")
    }

    #[test]
    fn a_field_names_those_who_own_it_besides_us() {
        assert_eq!(by("data.a").as_deref(), Some("kubectl-edit"));
        assert_eq!(by("spec.replicas").as_deref(), Some("hpa"));
        assert_eq!(
            by("spec.containers[name=app].image").as_deref(),
            Some("hpa")
        );
        assert_eq!(by("spec.ports[0].protocol").as_deref(), Some("hpa"));
        assert_eq!(
            by("data").as_deref(),
            Some("kubectl-edit"),
            "what lies below counts"
        );
    }

    #[test]
    fn a_field_that_nobody_owns_any_more_names_whoever_wrote_last() {
        assert_eq!(by("data.b").as_deref(), Some("kubectl-edit"));
        assert_eq!(
            by("spec.containers[name=apple].image").as_deref(),
            Some("kubectl-edit")
        );
        let mut object = object();
        object["metadata"]["managedFields"][0]["time"] = json!("2026-11-23T21:00:00Z");
        assert_eq!(of(&object, &["data.b".into()], "ours"), None);
        assert_eq!(of(&json!({}), &["data.b".into()], "ours"), None);
    }

    #[test]
    fn a_manager_s_name_can_t_flood_a_message() {
        let long = "x".repeat(200) + "\n";
        let object = json!({ "metadata": { "managedFields": [
            {"manager": long, "fieldsV1": {"f:data": {"f:a": {}}}},
        ]}});
        let said = of(&object, &["data.a".into()], "ours").unwrap();
        assert!(said.chars().count() <= LONGEST_NAME + 1, "{said}");
        assert!(!said.contains('\n'));
    }
}
