//! The order of a merged list: what the patch names in its order, all else in the order it had.
//!
//! Items with the same key are one for this purpose, as they are for the real server: all of them
//! stand where the first one does.

use serde_json::Value;

use super::go;
use crate::status::ApiError;

/// An item without the key that its list merges by.
pub(super) fn keyless(item: &Value, key: &str) -> ApiError {
    let item = go::printed(item);
    ApiError::internal(format!(
        "map: {item} does not contain declared merge key: {key}"
    ))
}

/// What an item is looked up by: its key's value, or itself.
fn identity<'a>(item: &'a Value, key: Option<&str>) -> &'a Value {
    match key {
        Some(key) => item.get(key).unwrap_or(&Value::Null),
        None => item,
    }
}

fn place(list: &[Value], item: &Value, key: Option<&str>) -> Option<usize> {
    let wanted = identity(item, key);
    list.iter().position(|other| identity(other, key) == wanted)
}

/// Fails when the order doesn't name what the patch holds, in the same order.
pub(super) fn check(patch: &[Value], wanted: &[Value], key: Option<&str>) -> Result<(), ApiError> {
    let mut left = patch
        .iter()
        .filter(|item| item.get("$patch").is_none())
        .peekable();
    if wanted.is_empty() || left.peek().is_none() {
        return Ok(());
    }
    for named in wanted {
        if let Some(item) = left.peek()
            && identity(item, key) == identity(named, key)
        {
            left.next();
        }
    }
    if left.peek().is_none() {
        return Ok(());
    }
    let shown = |list: &[Value]| go::printed(&Value::Array(list.to_vec()));
    Err(ApiError::internal(format!(
        "The order in patch list:\n{}\n doesn't match $setElementOrder list:\n{}\n",
        shown(patch),
        shown(wanted)
    )))
}

/// A merged list in its order.
pub(super) fn settle(
    merged: &[Value],
    wanted: &[Value],
    before: &[Value],
    key: Option<&str>,
) -> Result<Vec<Value>, ApiError> {
    if let Some(key) = key {
        let lists = merged.iter().chain(wanted).chain(before);
        for item in lists {
            if item.get(key).is_none() {
                return Err(keyless(item, key));
            }
        }
    }
    let (named, rest): (Vec<Value>, Vec<Value>) = merged
        .iter()
        .cloned()
        .partition(|item| place(wanted, item, key).is_some());
    let named = sorted(named, wanted, key);
    let rest = sorted(rest, before, key);
    let (mut named, mut rest) = (named.into_iter().peekable(), rest.into_iter().peekable());
    let mut out = Vec::with_capacity(merged.len());
    loop {
        let takes_rest = match (rest.peek(), named.peek()) {
            (Some(other), Some(item)) => {
                let places = (place(before, other, key), place(before, item, key));
                matches!(places, (Some(other), Some(item)) if other < item)
            }
            (Some(_), None) => true,
            (None, _) => false,
        };
        match if takes_rest {
            rest.next()
        } else {
            named.next()
        } {
            Some(item) => out.push(item),
            None => return Ok(out),
        }
    }
}

/// Insertion sort by the place in another list; what has none goes to the front.
fn sorted(mut list: Vec<Value>, by: &[Value], key: Option<&str>) -> Vec<Value> {
    let less = |a: &Value, b: &Value| match (place(by, a, key), place(by, b, key)) {
        (Some(a), Some(b)) => a < b,
        _ => true,
    };
    for end in 1..list.len() {
        let mut at = end;
        while at > 0 && less(&list[at], &list[at - 1]) {
            list.swap(at, at - 1);
            at -= 1;
        }
    }
    list
}

/// Scalars without repetitions; the last one takes the place of each that goes.
pub(super) fn distinct(mut list: Vec<Value>) -> Vec<Value> {
    let mut first = 0;
    while first + 1 < list.len() {
        let mut other = first + 1;
        while other < list.len() {
            if list[first] == list[other] {
                list.swap_remove(other);
            } else {
                other += 1;
            }
        }
        first += 1;
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn list(value: Value) -> Vec<Value> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_patch_leads_and_the_rest_keeps_its_place() {
        let merged = list(json!(["a", "b", "c", "d"]));
        let before = list(json!(["a", "b", "c"]));
        let wanted = list(json!(["d", "b"]));
        let out = settle(&merged, &wanted, &before, None).unwrap();
        assert_eq!(out, list(json!(["d", "a", "b", "c"])));
    }

    #[test]
    fn items_with_one_key_stand_together() {
        let port = |port: i64, name: &str| json!({ "port": port, "name": name });
        let before = vec![port(80, "u"), port(81, "x"), port(80, "t")];
        let out = settle(&before, &[], &before, Some("port")).unwrap();
        assert_eq!(out, vec![port(80, "u"), port(80, "t"), port(81, "x")]);
    }

    #[test]
    fn what_repeats_goes() {
        assert_eq!(
            distinct(list(json!(["a", "b", "a", "c"]))),
            list(json!(["a", "b", "c"]))
        );
    }
}
