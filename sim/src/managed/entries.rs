//! `metadata.managedFields`: who owns what, as entries of an object.

use serde_json::{Value, json};

use super::set::FieldSet;
use crate::object;

/// Who writes: the identity of a managed-fields entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Manager {
    pub(crate) name: String,
    pub(crate) apply: bool,
    /// `apiVersion` of the entry; no part of an applier's identity.
    pub(crate) api_version: String,
    pub(crate) subresource: String,
}

impl Manager {
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.name == other.name
            && self.apply == other.apply
            && self.subresource == other.subresource
            && (self.apply || self.api_version == other.api_version)
    }

    /// The manager as conflict messages name it.
    /// What conflicts are sorted by: the entry's identity as JSON.
    pub(crate) fn sorted_by(&self) -> String {
        let (mut version, mut subresource) = (String::new(), String::new());
        if !self.apply {
            version = format!(",\"apiVersion\":{:?}", self.api_version);
        }
        if !self.subresource.is_empty() {
            subresource = format!(",\"subresource\":{:?}", self.subresource);
        }
        let operation = if self.apply { "Apply" } else { "Update" };
        format!(
            "{{\"manager\":{:?},\"operation\":\"{operation}\"{version}{subresource}}}",
            self.name
        )
    }

    pub(crate) fn printed(&self) -> String {
        let mut text = format!("{:?}", self.name);
        if !self.subresource.is_empty() {
            text = format!("{text} with subresource {:?}", self.subresource);
        }
        if !self.apply {
            text = format!("{text} using {}", self.api_version);
        }
        text
    }
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) manager: Manager,
    pub(crate) fields: FieldSet,
    pub(crate) time: Option<String>,
}

/// The entries of an object, if it has any that can be read.
pub(crate) fn decode(object: &Value) -> Vec<Entry> {
    let list = object
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(decode_entry)
        .collect()
}

fn decode_entry(entry: &Value) -> Option<Entry> {
    let text = |field: &str| entry.get(field).and_then(Value::as_str).unwrap_or_default();
    let fields = entry.get("fieldsV1").filter(|f| !f.is_null());
    Some(Entry {
        manager: Manager {
            name: text("manager").to_owned(),
            apply: text("operation") == "Apply",
            api_version: text("apiVersion").to_owned(),
            subresource: text("subresource").to_owned(),
        },
        fields: match fields {
            Some(fields) => FieldSet::from_fields(fields)?,
            None => FieldSet::default(),
        },
        time: entry.get("time").and_then(Value::as_str).map(str::to_owned),
    })
}

/// Whether a request's `managedFields` ask for ownership to be forgotten: an empty list, or one
/// empty entry.
pub(crate) fn is_reset(object: &Value) -> bool {
    match object
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
    {
        Some([]) => true,
        Some([one]) => one.as_object().is_some_and(|entry| {
            entry
                .values()
                .all(|v| v.is_null() || v.as_str().is_some_and(str::is_empty))
        }),
        _ => false,
    }
}

/// Writes the entries, sorted as the real server sorts them; without entries the field goes.
pub(crate) fn encode(object: &mut Value, mut entries: Vec<Entry>) {
    entries.retain(|entry| !entry.fields.is_empty());
    if entries.is_empty() {
        object::remove_meta(object, "managedFields");
        return;
    }
    entries.sort_by(|a, b| {
        let key = |e: &Entry| {
            let operation = if e.manager.apply { "Apply" } else { "Update" };
            (
                operation,
                e.time.clone().unwrap_or_default(),
                e.manager.name.clone(),
                e.manager.api_version.clone(),
                e.manager.subresource.clone(),
            )
        };
        key(a).cmp(&key(b))
    });
    let list: Vec<Value> = entries.iter().map(encode_entry).collect();
    object::set_meta(object, "managedFields", list);
}

fn encode_entry(entry: &Entry) -> Value {
    let mut out = json!({
        "manager": entry.manager.name,
        "operation": if entry.manager.apply { "Apply" } else { "Update" },
        "apiVersion": entry.manager.api_version,
        "fieldsType": "FieldsV1",
        "fieldsV1": entry.fields.to_fields(),
    });
    let map = object::members(&mut out);
    if let Some(time) = &entry.time {
        map.insert("time".into(), time.clone().into());
    }
    if !entry.manager.subresource.is_empty() {
        map.insert(
            "subresource".into(),
            entry.manager.subresource.clone().into(),
        );
    }
    out
}

/// How many `Update` entries an object keeps before the oldest are merged into one.
const MAX_UPDATE_ENTRIES: usize = 10;

/// Merges the oldest `Update` entries of one version into `ancient-changes` while there are more
/// than [`MAX_UPDATE_ENTRIES`].
pub(crate) fn cap(entries: &mut Vec<Entry>) {
    let updates = |entries: &[Entry]| entries.iter().filter(|e| !e.manager.apply).count();
    while updates(entries) > MAX_UPDATE_ENTRIES {
        let mut order: Vec<usize> = (0..entries.len())
            .filter(|i| !entries[*i].manager.apply)
            .collect();
        order.sort_by(|a, b| entries[*a].time.cmp(&entries[*b].time));
        let bucket = |e: &Entry| e.manager.name == "ancient-changes";
        let oldest = order[0];
        let version = entries[oldest].manager.api_version.clone();
        let entry = entries.remove(oldest);
        let target = entries
            .iter_mut()
            .find(|e| bucket(e) && e.manager.api_version == version && !e.manager.apply);
        if let Some(target) = target {
            target.fields = target.fields.union(&entry.fields);
            target.time = target.time.clone().max(entry.time);
        } else {
            let mut renamed = entry;
            renamed.manager.name = "ancient-changes".into();
            renamed.manager.subresource = String::new();
            entries.push(renamed);
            // The first renaming frees no slot: the next oldest joins it.
            let again = entries.len();
            if again > 0 && updates(entries) > MAX_UPDATE_ENTRIES {
                let mut order: Vec<usize> = (0..entries.len())
                    .filter(|i| !entries[*i].manager.apply && !bucket(&entries[*i]))
                    .collect();
                order.sort_by(|a, b| entries[*a].time.cmp(&entries[*b].time));
                let Some(next) = order.first().copied() else {
                    return;
                };
                let next = entries.remove(next);
                if let Some(target) = entries.iter_mut().find(|e| bucket(e)) {
                    target.fields = target.fields.union(&next.fields);
                    target.time = target.time.clone().max(next.time);
                }
            }
        }
    }
}
