//! What becomes of objects after the request: everything that controllers do by themselves.
//!
//! | Idea | File |
//! |---|---|
//! | objects go with their owners, or are let go of | `garbage` |
//! | a namespace ends, and what is in it | `namespaces` |
//! | definitions of custom resources come, change and go | `definitions`, `schemas` |
//!
//! The real side runs kube-controller-manager with as much of it as the simulator knows. Controllers
//! act when they like, so that after each request both sides come to rest before anything else is
//! asked: the simulator's clock is moved, and the real server is read until it says the same, or has
//! had its time.

mod definitions;
mod garbage;
mod namespaces;
mod schemas;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use stageset_e2e::ControlPlane;

use crate::operation::Operation;
use crate::pair::Pair;
use crate::report::Report;
use crate::set_up;

/// Garbage and namespaces, and what puts into each namespace what the simulator puts there. No others,
/// so that nobody writes statuses or makes pods.
const CONTROLLERS: [&str; 4] = [
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "root-ca-certificate-publisher-controller",
];

/// Starts the controllers of a real server. The custom kinds come first: the garbage collector
/// looks for new ones twice a minute only.
pub(crate) async fn start(plane: &mut ControlPlane, seed: u64) -> Result<()> {
    set_up::define(&mut Pair::new(plane, seed)?).await?;
    plane
        .start_controllers(&CONTROLLERS)
        .context("starting the controllers")
}

/// Makes so many operations.
pub(crate) async fn run(
    pair: &mut Pair,
    seed: u64,
    number: usize,
    operations: usize,
    report: &mut Report,
) -> Result<()> {
    match number % 3 {
        0 => garbage::run(pair, seed, number, operations, report).await,
        1 => definitions::run(pair, seed, number, operations, report).await,
        _ => namespaces::run(pair, seed, number, operations, report).await,
    }
}

/// A namespace with what controllers put into it.
async fn namespace(pair: &mut Pair, name: &str) -> Result<()> {
    let object = json!({"metadata": {"name": name}});
    pair.set_up("/api/v1/namespaces", object).await?;
    for what in ["serviceaccounts/default", "configmaps/kube-root-ca.crt"] {
        let path = format!("/api/v1/namespaces/{name}/{what}");
        let get = Operation::new("get", "setup", "GET", path);
        pair.settle(&get, |answer| answer.code == 200).await?;
    }
    Ok(())
}

/// Entries of managed fields stand in the order of their seconds, and the two servers don't
/// get to the end in the same ones. An owner in them has a uid for its name: here it is the place
/// that it has among the owners.
fn order(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let owners = fields.get("ownerReferences").cloned().unwrap_or_default();
            let entries = fields
                .get_mut("managedFields")
                .and_then(Value::as_array_mut);
            for entry in entries.into_iter().flatten() {
                let owned = entry.pointer_mut("/fieldsV1/f:metadata/f:ownerReferences");
                if let Some(Value::Object(owned)) = owned {
                    *owned = std::mem::take(owned)
                        .into_iter()
                        .map(|(key, value)| (placed(&key, &owners), value))
                        .collect();
                }
            }
            if let Some(Value::Array(entries)) = fields.get_mut("managedFields") {
                entries.sort_by_key(|entry| {
                    ["operation", "manager", "apiVersion", "subresource"]
                        .map(|field| entry[field].as_str().map(str::to_owned))
                });
            }
            fields.values_mut().for_each(order);
        }
        Value::Array(items) => items.iter_mut().for_each(order),
        _ => {}
    }
}

/// The key of an owner in managed fields, by its place.
fn placed(key: &str, owners: &Value) -> String {
    let mut owners = owners.as_array().into_iter().flatten();
    let place = owners.position(|owner| {
        let uid = owner["uid"].as_str().unwrap_or_default();
        !uid.is_empty() && key.contains(uid)
    });
    place.map_or_else(|| key.to_owned(), |place| format!("owner {place}"))
}
