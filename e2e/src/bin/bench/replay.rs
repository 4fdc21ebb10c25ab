//! The controller's requests once more, bare: same verbs, paths and identities, bodies of the same
//! objects, other namespaces, nothing computed in between.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};
use stageset_e2e::audit::Event;
use stageset_e2e::chart;
use stageset_e2e::client::{Api, Call};

use crate::fleet;

/// The requests that made the fleet `from` ready, aimed at the fleet `to`.
pub(crate) async fn requests(
    api: &Api,
    events: &[Event],
    from: &str,
    to: &str,
) -> Result<Vec<Call>> {
    let manifests: BTreeMap<String, Value> = fleet::objects(0)
        .into_iter()
        .map(|(path, object)| {
            let resource = path.rsplit('/').nth(1).unwrap_or_default().to_owned();
            (resource, object)
        })
        .collect();
    let mut calls = Vec::new();
    let wanted = events.iter().filter(|event| {
        event.user == chart::USER
            && event.verb != "watch"
            && event.uri.contains(&format!("/namespaces/{from}-"))
    });
    for event in wanted {
        let rename = |text: &str| text.replace(&format!("{from}-"), &format!("{to}-"));
        let mut call = Call::get(rename(&event.uri));
        let user = event.impersonated.as_deref().map(rename);
        call.headers = user
            .map(|user| ("impersonate-user", user))
            .into_iter()
            .collect();
        let own_record = event.group == "stages.metio.wtf";
        match event.verb.as_str() {
            "get" | "list" => {}
            "delete" => call.method = "DELETE",
            "patch" if !own_record => {
                call.method = "PATCH";
                call.content_type = "application/apply-patch+yaml";
                call.body = manifests
                    .get(&event.resource)
                    .cloned()
                    .unwrap_or_default()
                    .to_string()
                    .into();
            }
            "patch" | "update" => {
                // Records are written as merge patches of what they hold in the end: the bytes are
                // the same, and no resourceVersion of the other fleet is in the way.
                let path = event.uri.split('?').next().unwrap_or_default();
                let path = path.trim_end_matches("/status");
                let (status, body) = api.send(&Call::get(path)).await?;
                let object: Value = serde_json::from_slice(&body).unwrap_or_default();
                let field = if event.subresource == "status" {
                    "status"
                } else {
                    "spec"
                };
                let content = if status < 300 {
                    object[field].clone()
                } else {
                    Value::Null
                };
                call.method = "PATCH";
                call.content_type = "application/merge-patch+json";
                call.body = rename(&json!({field: content}).to_string()).into();
            }
            "create" => {
                call.method = "POST";
                call.body = match created(api, event).await? {
                    Some(object) => rename(&object.to_string()).into(),
                    None => continue,
                };
            }
            _ => continue,
        }
        calls.push(call);
    }
    Ok(calls)
}

/// The body of a create: the object as it is now, without what the server gave it.
async fn created(api: &Api, event: &Event) -> Result<Option<Value>> {
    let collection = event.uri.split('?').next().unwrap_or_default();
    let object = if event.name.is_empty() {
        let list = api.json(&Call::get(collection)).await?;
        list["items"]
            .as_array()
            .and_then(|items| items.first().cloned())
            .map(|mut object| {
                object["apiVersion"] = list["apiVersion"].clone();
                let kind = list["kind"]
                    .as_str()
                    .unwrap_or_default()
                    .trim_end_matches("List");
                object["kind"] = kind.into();
                object
            })
    } else {
        let (status, body) = api
            .send(&Call::get(format!("{collection}/{}", event.name)))
            .await?;
        (status < 300)
            .then(|| serde_json::from_slice(&body))
            .transpose()?
    };
    Ok(object.map(|mut object| {
        if let Some(meta) = object["metadata"].as_object_mut() {
            for field in [
                "uid",
                "resourceVersion",
                "creationTimestamp",
                "managedFields",
                "generation",
            ] {
                meta.remove(field);
            }
            // An owner of the other fleet would have the garbage collector delete it.
            meta.remove("ownerReferences");
        }
        object
    }))
}
