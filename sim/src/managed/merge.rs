//! Merging an applied configuration into a live object.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    set::Element,
    types::{Atom, ListRule, Type},
    walk::element,
};

/// The live value with the configuration laid over it. Errors name the offending path.
pub(crate) fn merge(live: &Value, config: &Value, ty: &Type) -> Result<Value, String> {
    Ok(merge_at(Some(live), Some(config), ty, "")?.unwrap_or(Value::Null))
}

fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Object(map)) => map.is_empty(),
        Some(Value::Array(list)) => list.is_empty(),
        Some(_) => false,
    }
}

fn merge_at(
    live: Option<&Value>,
    config: Option<&Value>,
    ty: &Type,
    path: &str,
) -> Result<Option<Value>, String> {
    let shape = config
        .filter(|v| !v.is_null())
        .or(live.filter(|v| !v.is_null()));
    let Some(shape) = shape.or(config).or(live) else {
        return Ok(None);
    };
    let leaf = || Ok(config.or(live).cloned());
    let hollow = is_empty(live) && is_empty(config);
    match ty.atom(shape) {
        Atom::Map { atomic: false } if !hollow => {
            if let Some(value) = config.filter(|v| !v.is_object() && !v.is_null()) {
                return Err(format!("{path}: expected map, got {value}"));
            }
            let empty = Map::new();
            let lives = live.and_then(Value::as_object).unwrap_or(&empty);
            let configs = config.and_then(Value::as_object).unwrap_or(&empty);
            let mut out = Map::new();
            for key in lives
                .keys()
                .chain(configs.keys().filter(|k| !lives.contains_key(*k)))
            {
                let (child_type, _) = ty.field(key);
                let below = format!("{path}.{key}");
                if let Some(value) =
                    merge_at(lives.get(key), configs.get(key), &child_type, &below)?
                {
                    out.insert(key.clone(), value);
                }
            }
            Ok(Some(Value::Object(out)))
        }
        Atom::List { rule, item } if !hollow && rule != ListRule::Atomic => {
            if let Some(value) = config.filter(|v| !v.is_array() && !v.is_null()) {
                return Err(format!("{path}: expected list, got {value}"));
            }
            merge_lists(live, config, &rule, &item, path).map(Some)
        }
        _ => leaf(),
    }
}

/// Items of both sides by their keys; shared items take the configuration's order, items of the
/// live list alone keep their place between them.
fn merge_lists(
    live: Option<&Value>,
    config: Option<&Value>,
    rule: &ListRule,
    item: &Type,
    path: &str,
) -> Result<Value, String> {
    let index = |list: Option<&Value>, unique: bool| -> Result<Vec<(Element, Value)>, String> {
        let mut out: Vec<(Element, Value)> = Vec::new();
        for (i, child) in list
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .enumerate()
        {
            let step = element(rule, i, child).map_err(|e| format!("{path}: element {i}: {e}"))?;
            if unique && out.iter().any(|(known, _)| *known == step) {
                return Err(format!("{path}: duplicate entries for key {step}"));
            }
            out.push((step, child.clone()));
        }
        Ok(out)
    };
    let lives = index(live, false)?;
    let configs = index(config, true)?;
    let in_config = |step: &Element| configs.iter().any(|(known, _)| known == step);
    let find_live = |step: &Element| {
        lives
            .iter()
            .find(|(known, _)| known == step)
            .map(|(_, v)| v)
    };
    let mut shared = configs
        .iter()
        .map(|(step, _)| step)
        .filter(|s| find_live(s).is_some());
    let mut next_shared = shared.next();
    let mut merged: BTreeSet<&Element> = BTreeSet::new();
    let mut out = Vec::new();
    let (mut l, mut r) = (0, 0);
    while l < lives.len() || r < configs.len() {
        if let (Some((left, _)), Some((right, value))) = (lives.get(l), configs.get(r)) {
            if left == right {
                merged.insert(left);
                let below = format!("{path}{left}");
                out.extend(merge_at(find_live(left), Some(value), item, &below)?);
                l += 1;
                r += 1;
                next_shared = shared.next();
                continue;
            }
            if in_config(left) && next_shared.is_some_and(|next| next != left) {
                l += 1;
                continue;
            }
        }
        if let Some((left, value)) = lives.get(l) {
            if !in_config(left) {
                out.push(value.clone());
                l += 1;
                continue;
            }
            if merged.contains(left) {
                l += 1;
            }
        }
        if let Some((right, value)) = configs.get(r) {
            merged.insert(right);
            let below = format!("{path}{right}");
            out.extend(merge_at(find_live(right), Some(value), item, &below)?);
            r += 1;
            if next_shared == Some(right) {
                next_shared = shared.next();
            }
        }
    }
    Ok(Value::Array(out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn list_maps_merge_by_key_and_keep_the_live_order_of_foreign_items() {
        let live = json!({ "spec": { "template": { "spec": { "containers": [
            { "name": "sidecar", "image": "s" }, { "name": "app", "image": "1", "tty": true }
        ] } } } });
        let config = json!({ "spec": { "template": { "spec": { "containers": [
            { "name": "app", "image": "2" }, { "name": "new" }
        ] } } } });
        let merged = merge(&live, &config, &Type::of_kind("apps", "v1", "Deployment")).unwrap();
        assert_eq!(
            merged["spec"]["template"]["spec"]["containers"],
            json!([
                { "name": "sidecar", "image": "s" },
                { "name": "app", "image": "2", "tty": true },
                { "name": "new" }
            ])
        );
    }

    #[test]
    fn duplicates_in_a_configuration_are_refused() {
        let config = json!({ "metadata": { "finalizers": ["a", "a"] } });
        assert!(merge(&json!({}), &config, &Type::of_kind("", "v1", "ConfigMap")).is_err());
    }
}
