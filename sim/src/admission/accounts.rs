//! What admission does to a pod: the service account that it runs as must be there, and gives it
//! a token and its pull secrets.

use serde_json::{Map, Value, json};

use crate::{
    kinds::{Resource, StoreKey},
    object,
    server::Server,
    status::ApiError,
};

const MOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const VOLUME: &str = "kube-api-access-";

/// Refuses a pod whose account isn't there (`default` unless it says otherwise), and mounts its
/// token.
pub(crate) fn admit(
    server: &mut Server,
    resource: &Resource,
    new: &mut Value,
) -> Result<(), ApiError> {
    if !resource.is("", "pods") {
        return Ok(());
    }
    let (namespace, name) = (
        object::namespace(new).to_owned(),
        object::shown_name(new).to_owned(),
    );
    let spec = object::child(new, "spec");
    let named = spec
        .get("serviceAccountName")
        .and_then(Value::as_str)
        .filter(|n| !n.is_empty());
    let account = named.unwrap_or("default").to_owned();
    spec.insert("serviceAccountName".into(), account.clone().into());
    spec.insert("serviceAccount".into(), account.clone().into());
    let table = StoreKey::new("", "serviceaccounts");
    let Some(found) = server.find(&table, &namespace, &account).cloned() else {
        let why = format!(
            "error looking up service account {namespace}/{account}: serviceaccount \"{account}\" not found"
        );
        return Err(ApiError::forbidden("pods", "", &name, &why));
    };
    let automount = spec
        .get("automountServiceAccountToken")
        .or_else(|| found.get("automountServiceAccountToken"))
        .and_then(Value::as_bool);
    if automount.unwrap_or(true) {
        mount(server, spec);
    }
    let pulls = spec.get("imagePullSecrets").and_then(Value::as_array);
    if pulls.is_none_or(Vec::is_empty)
        && let Some(secrets) = found.get("imagePullSecrets")
    {
        spec.insert("imagePullSecrets".into(), secrets.clone());
    }
    Ok(())
}

/// A token volume in every container that has nothing in its place.
fn mount(server: &mut Server, spec: &mut Map<String, Value>) {
    let existing = spec
        .get("volumes")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|volume| volume.get("name").and_then(Value::as_str))
        .find(|name| name.starts_with(VOLUME))
        .map(str::to_owned);
    let name = existing
        .clone()
        .unwrap_or_else(|| format!("{VOLUME}{}", server.ids.suffix()));
    let mut needed = false;
    for field in ["initContainers", "containers"] {
        let containers = spec.get_mut(field).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            let mounts = object::members(container)
                .entry("volumeMounts")
                .or_insert_with(|| json!([]));
            let Some(mounts) = mounts.as_array_mut() else {
                continue;
            };
            if mounts.iter().any(|m| m["mountPath"] == MOUNT) {
                continue;
            }
            mounts.push(json!({ "name": name, "readOnly": true, "mountPath": MOUNT }));
            needed = true;
        }
    }
    if !needed || existing.is_some() {
        return;
    }
    let volumes = spec.entry("volumes").or_insert_with(|| json!([]));
    if let Some(volumes) = volumes.as_array_mut() {
        volumes.push(
            json!({ "name": name, "projected": { "defaultMode": 420, "sources": [
            { "serviceAccountToken": { "path": "token", "expirationSeconds": 3607 } },
            { "configMap": {
                "name": "kube-root-ca.crt", "items": [{ "key": "ca.crt", "path": "ca.crt" }],
            } },
            { "downwardAPI": { "items": [{
                "path": "namespace",
                "fieldRef": { "apiVersion": "v1", "fieldPath": "metadata.namespace" },
            }] } },
        ] } }),
        );
    }
}
