//! What becomes of a custom object between a request and the store, where the two may speak of it in
//! different versions, or its definition has changed since it was stored.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::Value;

use super::{schema::Schema, shape};
use crate::{
    kinds::{Origin, Resource},
    object,
};

/// The versions that objects may be stored in.
#[derive(Clone, Debug)]
pub(crate) struct Versions {
    /// The one in which they are stored from now on, with its group.
    pub(crate) storage: String,
    /// The schema of each, with its group.
    pub(crate) schemas: BTreeMap<String, Schema>,
}

fn versions(resource: &Resource) -> Option<&Versions> {
    match &resource.origin {
        Origin::Custom(custom) => custom.versions.as_deref(),
        Origin::BuiltIn => None,
    }
}

/// A stored object as it is read: pruned and defaulted by the schema of the version that it was
/// stored in, and pruned by that of the version that is asked for.
pub(crate) fn read<'a>(resource: &Resource, stored: &'a Value) -> Cow<'a, Value> {
    let Some(versions) = versions(resource) else {
        return Cow::Borrowed(stored);
    };
    let mut new = stored.clone();
    let version = text(stored, "apiVersion");
    if let Some(schema) = versions.schemas.get(version) {
        shape::prune_and_default(&mut new, schema);
    }
    convert(&mut new, versions, &resource.api_version());
    Cow::Owned(new)
}

/// Makes of an object what is stored of it.
pub(crate) fn store(resource: &Resource, new: &mut Value) {
    if let Some(versions) = versions(resource) {
        convert(new, versions, &versions.storage);
    }
}

/// Without conversion webhooks another version is another name, and other fields are known.
fn convert(new: &mut Value, versions: &Versions, wanted: &str) {
    if text(new, "apiVersion") == wanted {
        return;
    }
    object::members(new).insert("apiVersion".into(), wanted.into());
    if let Some(schema) = versions.schemas.get(wanted) {
        shape::forget(new, schema);
    }
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
}
