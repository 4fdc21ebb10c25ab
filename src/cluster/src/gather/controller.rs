//! Facts that the controller reads with its own rights, for everybody alike.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use stageset_api::names::LABEL_STAGE_SET;
use stageset_core::identity::{self, KubeconfigReference};
use stageset_core::names::{Namespace, ServiceAccountName};
use stageset_core::object::GroupVersionKind;
use stageset_core::observation::{AccountState, KindState, KubeconfigState, NamespaceState};

use super::{Found, Gather, text};
use crate::ports::Watched;
use crate::records::inventory::{Inventories, Skipped};
use crate::requests::{Requests, Target};

/// As the controller (K02), from the watch if there is one.
pub(super) async fn account(gather: Gather<'_>, name: &ServiceAccountName) -> Found {
    let namespace = &gather.key.namespace;
    let kind = GroupVersionKind::from_manifest("v1", "ServiceAccount");
    let found = match gather.ports.watched.get(&kind, namespace, name.as_str()) {
        Watched::Synced(object) => Ok(object.map(|object| Arc::unwrap_or_clone(object.value()))),
        Watched::NotWatched => {
            let target = Target::collection("v1", "serviceaccounts", Some(namespace));
            gather
                .as_controller()
                .get(&target.named(name.as_str()))
                .await
        }
    };
    let state = match found {
        Ok(Some(object)) => AccountState::Exists {
            uid: text(&object, "/metadata/uid")
                .unwrap_or_default()
                .to_owned(),
        },
        Ok(None) => AccountState::Absent,
        Err(failure) => AccountState::Unreadable(failure),
    };
    Found::Account(name.clone(), state)
}

/// As the controller (K21).
pub(super) async fn namespace(gather: Gather<'_>) -> Found {
    let target = Target::collection("v1", "namespaces", None).named(&gather.key.namespace);
    let state = match gather.as_controller().get(&target).await {
        Ok(Some(object)) if text(&object, "/metadata/deletionTimestamp").is_none() => {
            NamespaceState::Active
        }
        // Gone altogether is as good as going.
        Ok(_) => NamespaceState::Terminating,
        Err(failure) => NamespaceState::Unreadable(failure),
    };
    Found::Namespace(state)
}

/// As the controller, from the server itself: a list that names no version shows the most recent state
/// (Kubernetes API Concepts, "Semantics for get and list"), and what is written of an object rests on what
/// this shows as recorded. Only that there are none is believed from a watch, while nothing is recorded of
/// the StageSet: what is written then creates them first, and a creation shows who was earlier (D3).
pub(super) async fn inventories(gather: Gather<'_>) -> Found {
    let namespace = &gather.key.namespace;
    if gather.unrecorded
        && !gather.deleting
        && let Some(names) = gather.ports.watched.inventories(gather.key)
        && names.is_empty()
    {
        let none = (Inventories::none_watched(), Skipped::new());
        return Found::Inventories(Ok(none));
    }
    let labels = format!("{LABEL_STAGE_SET}={}", gather.key.name);
    let listed = gather
        .as_controller()
        .list(&Target::inventories(namespace), &labels)
        .await;
    Found::Inventories(listed.map(|objects| Inventories::read(&objects, gather.owner())))
}

/// As the controller (S26): the one read of a Secret with the controller's own right. What stands in
/// it stays in the connection that is made of it; a fact holds whether it can be used, and no more.
pub(super) async fn kubeconfig(gather: Gather<'_>, reference: &KubeconfigReference) -> Found {
    let secrets = Target::collection("v1", "secrets", Some(&gather.key.namespace));
    let target = secrets.named(reference.name.as_str());
    let state = match gather.as_controller().get(&target).await {
        Ok(Some(secret)) => usable(gather, reference, &secret),
        Ok(None) => KubeconfigState::Absent,
        Err(failure) => KubeconfigState::Unreadable(failure),
    };
    Found::Kubeconfig(reference.clone(), state)
}

fn usable(gather: Gather<'_>, reference: &KubeconfigReference, secret: &Value) -> KubeconfigState {
    let Some(value) = secret["data"]
        .get(&reference.key)
        .and_then(Value::as_str)
        .and_then(|value| STANDARD.decode(value).ok())
    else {
        return KubeconfigState::NoKey;
    };
    let Ok(namespace) = Namespace::new(gather.key.namespace.as_str()) else {
        return KubeconfigState::Absent;
    };
    let metadata = |field| text(secret, field).unwrap_or_default();
    let revision = format!(
        "{}/{}",
        metadata("/metadata/uid"),
        metadata("/metadata/resourceVersion")
    );
    let remotes = &gather.ports.remotes;
    remotes.open(&namespace, reference, revision, &value)
}

/// What a target serves is the same for all its tenants (K05): locally asked as the controller,
/// remotely as whoever the kubeconfig is.
pub(super) async fn kind(
    gather: Gather<'_>,
    target: &identity::Target,
    gvk: &GroupVersionKind,
) -> Found {
    let now = gather.ports.clock.now();
    let state = match target {
        identity::Target::Local => {
            let requests = gather.as_controller();
            gather.ports.discovery.kind(&requests, now, gvk).await
        }
        identity::Target::Remote(remote) => match gather.ports.remotes.reach(remote) {
            Ok(cluster) => {
                let share = &gather.key.namespace;
                let requests = Requests::discovering(Arc::clone(&cluster), share);
                cluster.discovery().kind(&requests, now, gvk).await
            }
            Err(failure) => KindState::Unreadable(failure),
        },
    };
    Found::Kind(target.clone(), gvk.clone(), state)
}
