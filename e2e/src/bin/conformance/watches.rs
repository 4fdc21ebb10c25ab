//! Watches: after a round of operations, what each kind's watch tells of them.
//!
//! A marker, made and deleted last, ends the stream of each kind. From the revision at which the
//! round began the whole stream is compared; the other ways to start a watch (without a revision,
//! from 0, as a streamed list, with selectors, with metadata alone) are compared when nothing
//! moves.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};

use crate::kinds::Kind;
use crate::operation::{JSON, Operation};
use crate::pair::Pair;
use crate::report::Report;

/// The name of the object that ends a stream.
const MARKER: &str = "z-marker";

/// A watch that ends its list with a bookmark.
const STREAMED: &str =
    "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";

/// Where each kind's round began, on both servers.
pub(crate) struct Start {
    kinds: Vec<Kind>,
    revisions: BTreeMap<&'static str, (String, String)>,
}

/// Kinds whose objects a marker can be made of: valid with nothing but metadata and a fixed body.
fn marker(kind: &Kind) -> Option<Value> {
    let mut object = json!({ "metadata": { "name": MARKER } });
    match kind.name {
        "ConfigMap" | "Secret" | "ServiceAccount" | "Role" | "Widget" | "Lease" => {}
        "Service" => object["spec"] = json!({ "ports": [{ "port": 80 }] }),
        "Deployment" => {
            object["spec"] = json!({
                "selector": { "matchLabels": { "a": "b" } },
                "template": { "metadata": { "labels": { "a": "b" } }, "spec": {
                    "containers": [{ "name": "a", "image": "i" }] } },
            });
        }
        _ => return None,
    }
    object["apiVersion"] = json!(kind.api_version);
    object["kind"] = json!(kind.name);
    Some(object)
}

/// Two of the kinds that can be watched, others at each turn.
pub(crate) fn some(kinds: &[Kind], turn: usize) -> Vec<Kind> {
    let mut watched: Vec<Kind> = Vec::new();
    for kind in kinds.iter().filter(|kind| marker(kind).is_some()) {
        if watched.iter().all(|other| other.name != kind.name) {
            watched.push(*kind);
        }
    }
    let count = watched.len();
    (0..count.min(2))
        .map(|at| watched[(2 * turn + at) % count])
        .collect()
}

/// Remembers where the watches of some kinds begin.
pub(crate) async fn start(pair: &mut Pair, kinds: Vec<Kind>, namespace: &str) -> Result<Start> {
    let mut revisions = BTreeMap::new();
    for kind in &kinds {
        let streamed = Operation::new("watch", kind.name, "GET", kind.collection(namespace))
            .query(&[format!("watch=true&{STREAMED}")]);
        revisions.insert(kind.name, pair.revisions(&streamed).await?);
    }
    Ok(Start { kinds, revisions })
}

/// Compares every kind's watches.
pub(crate) async fn compare(
    pair: &mut Pair,
    start: &Start,
    namespace: &str,
    report: &mut Report,
) -> Result<()> {
    for kind in &start.kinds {
        let Some(object) = marker(kind) else { continue };
        let collection = kind.collection(namespace);
        let watch = |query: &str| {
            let query = format!("watch=true&{query}");
            Operation::new("watch", kind.name, "GET", collection.clone()).query(&[query])
        };
        pair.set_up(&collection, object).await?;
        // What there is comes first, and the marker is the last of it.
        let added = |event: &Value| {
            event["type"] == "ADDED" && event["object"]["metadata"]["name"] == MARKER
        };
        let metadata = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
        for query in ["", "resourceVersion=0", "allowWatchBookmarks=true"] {
            pair.watch(&watch(query), report, added).await?;
        }
        let partial = watch("resourceVersion=0").header("accept", metadata);
        pair.watch(&partial, report, added).await?;
        let ended = |event: &Value| event["type"] == "BOOKMARK";
        pair.watch(&watch(STREAMED), report, ended).await?;
        let selected = format!("{STREAMED}&labelSelector=a%3D1");
        pair.watch(&watch(&selected), report, ended).await?;
        for wrong in [
            "sendInitialEvents=true",
            "resourceVersion=x",
            "labelSelector=a=%3D=",
            "fieldSelector=spec.nothing%3D1",
            "timeoutSeconds=x",
        ] {
            pair.watch(&watch(wrong), report, |_| true).await?;
        }
        let delete = Operation::new(
            "delete",
            kind.name,
            "DELETE",
            format!("{collection}/{MARKER}"),
        )
        .body(JSON, json!({ "gracePeriodSeconds": 0 }));
        pair.both(&delete).await?;
        let Some((real, simulated)) = start.revisions.get(kind.name) else {
            continue;
        };
        let gone = |event: &Value| {
            event["type"] == "DELETED" && event["object"]["metadata"]["name"] == MARKER
        };
        for selector in ["", "&labelSelector=!nothing"] {
            let from = |revision: &str| watch(&format!("resourceVersion={revision}{selector}"));
            pair.watch_each(&from(real), &from(simulated), report, gone)
                .await?;
        }
        let from = |revision: &str| {
            watch(&format!("resourceVersion={revision}")).header("accept", metadata)
        };
        pair.watch_each(&from(real), &from(simulated), report, gone)
            .await?;
    }
    Ok(())
}
