//! Facts that the controller reads with its own rights, for everybody alike.

use stageset_api::names::{API_VERSION, KIND_STAGE_INVENTORY, LABEL_STAGE_SET};
use stageset_core::names::ServiceAccountName;
use stageset_core::object::GroupVersionKind;
use stageset_core::observation::{AccountState, NamespaceState};

use super::{Found, Gather, text};
use crate::ports::{Watched, WatchedList};
use crate::records::inventory::Inventories;
use crate::requests::Target;

/// As the controller (K02), from the watch if there is one.
pub(super) async fn account(gather: Gather<'_>, name: &ServiceAccountName) -> Found {
    let namespace = &gather.key.namespace;
    let kind = GroupVersionKind::from_manifest("v1", "ServiceAccount");
    let found = match gather.ports.watched.get(&kind, namespace, name.as_str()) {
        Watched::Synced(object) => Ok(object.as_deref().cloned()),
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

/// As the controller, from the watch if there is one. A watch that lags does no harm: every write
/// of an inventory carries the version that it is based on (D3).
pub(super) async fn inventories(gather: Gather<'_>) -> Found {
    let namespace = &gather.key.namespace;
    let kind = GroupVersionKind::from_manifest(API_VERSION, KIND_STAGE_INVENTORY);
    if let WatchedList::Synced(objects) = gather.ports.watched.list(&kind, namespace) {
        let objects = objects.iter().map(std::convert::AsRef::as_ref);
        return Found::Inventories(Ok(Inventories::read(objects, gather.owner())));
    }
    let labels = format!("{LABEL_STAGE_SET}={}", gather.key.name);
    let listed = gather
        .as_controller()
        .list(&Target::inventories(namespace), &labels)
        .await;
    Found::Inventories(listed.map(|objects| Inventories::read(&objects, gather.owner())))
}

/// As the controller: what a target serves is the same for all its tenants (K05).
pub(super) async fn kind(gather: Gather<'_>, gvk: &GroupVersionKind) -> Found {
    let now = gather.ports.clock.now();
    let state = gather
        .ports
        .discovery
        .kind(&gather.as_controller(), now, gvk)
        .await;
    Found::Kind(gvk.clone(), state)
}
