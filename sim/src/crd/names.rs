//! Which of the names that a definition asks for are free in its group.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{GROUP, PLURAL};
use crate::{kinds::StoreKey, object, server::Server};

fn text<'a>(names: &'a Value, field: &str) -> &'a str {
    names.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(names: &'a Value, field: &str) -> Vec<&'a str> {
    let list = names.get(field).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// The names that a definition may leave out.
pub(crate) fn complete_names(names: &mut Value) {
    let kind = names
        .get("kind")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    if kind.is_empty() {
        return;
    }
    let names = object::members(names);
    names
        .entry("singular")
        .or_insert_with(|| kind.to_ascii_lowercase().into());
    names
        .entry("listKind")
        .or_insert_with(|| format!("{kind}List").into());
}

/// The names that definitions of the same group have, this one among them: of resources, of kinds.
fn taken(server: &Server, group: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut resources, mut kinds) = (BTreeSet::new(), BTreeSet::new());
    for (_, other) in server.store.list(&StoreKey::new(GROUP, PLURAL), "") {
        let of = other.pointer("/spec/group").and_then(Value::as_str);
        if let Some(names) = other.pointer("/status/acceptedNames")
            && of == Some(group)
        {
            for field in ["plural", "singular"] {
                resources.insert(text(names, field).to_owned());
            }
            resources.extend(list(names, "shortNames").into_iter().map(str::to_owned));
            for field in ["kind", "listKind"] {
                kinds.insert(text(names, field).to_owned());
            }
        }
    }
    (resources, kinds)
}

/// The names that a definition has from now on, and what is said of those that it asks for.
pub(super) fn accept(server: &Server, crd: &Value) -> (Value, Value) {
    let group = crd.pointer("/spec/group").and_then(Value::as_str);
    let (resources, kinds) = taken(server, group.unwrap_or_default());
    let asked = crd.pointer("/spec/names").cloned().unwrap_or_default();
    let had = crd.pointer("/status/acceptedNames");
    let had = had.cloned().unwrap_or_default();
    let mut names = had.clone();
    let mut refused: Option<(&str, String)> = None;
    let in_use = |name: &str| format!("{name:?} is already in use");
    // The last conflict is the one that is told.
    for (field, reason, taken) in [
        ("plural", "PluralConflict", &resources),
        ("singular", "SingularConflict", &resources),
        ("shortNames", "ShortNamesConflict", &resources),
        ("kind", "KindConflict", &kinds),
        ("listKind", "ListKindConflict", &kinds),
    ] {
        if field == "shortNames" {
            let own = list(&had, field);
            let conflicts: BTreeSet<&str> = list(&asked, field)
                .into_iter()
                .filter(|name| !own.contains(name) && taken.contains(*name))
                .collect();
            if !conflicts.is_empty() {
                refused = Some((reason, several(&list(&asked, field), &conflicts)));
                continue;
            }
        } else {
            let name = text(&asked, field);
            if name != text(&had, field) && taken.contains(name) {
                refused = Some((reason, in_use(name)));
                continue;
            }
        }
        object::copy_field(&asked, &mut names, field);
    }
    object::copy_field(&asked, &mut names, "categories");
    let (status, reason, message) = match refused {
        Some((reason, message)) => ("False", reason, message),
        None => ("True", "NoConflicts", "no conflicts found".to_owned()),
    };
    let condition = json!({
        "type": "NamesAccepted", "status": status, "reason": reason, "message": message,
    });
    (names, condition)
}

/// One conflict as it is, several in brackets, each once and in the order of asking.
fn several(asked: &[&str], conflicts: &BTreeSet<&str>) -> String {
    let mut told: Vec<String> = Vec::new();
    for name in asked.iter().filter(|name| conflicts.contains(*name)) {
        let message = format!("{name:?} is already in use");
        if !told.contains(&message) {
            told.push(message);
        }
    }
    match told.as_slice() {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}
