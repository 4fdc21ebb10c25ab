//! A fresh cluster, and objects that the cluster itself puts there.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    admission::{defaults, typed::Decoded},
    managed::skeleton,
    object::{self, rfc3339, split_api_version},
    rbac,
    server::Server,
    verbs,
};

impl Server {
    pub(crate) fn bootstrap(&mut self) {
        for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
            self.plant(json!({
                "apiVersion": "v1", "kind": "Namespace",
                "metadata": { "name": name }, "spec": {}, "status": {},
            }));
            crate::namespaces::step(self, name);
        }
        rbac::bootstrap::install(self);
    }

    /// Adds the roles and bindings of the control plane's own components, which a real cluster has
    /// and hardly a simulation needs.
    pub fn install_component_roles(&mut self) {
        rbac::bootstrap::install_components(self);
    }

    /// Stores an object as the cluster's own components do: with defaults, identity and ownership,
    /// without authorization or audit. Nothing happens if its kind isn't served or it exists.
    pub(crate) fn plant(&mut self, mut new: Value) -> Option<Arc<Value>> {
        let api_version = new.get("apiVersion")?.as_str()?.to_owned();
        let (group, version) = split_api_version(&api_version);
        let kind = new.get("kind")?.as_str()?.to_owned();
        let resource = self.registry.by_kind(group, version, &kind)?;
        if self
            .find(&resource.store, object::namespace(&new), object::name(&new))
            .is_some()
        {
            return None;
        }
        defaults::apply(&resource, &mut new);
        let live = skeleton::empty(&api_version, &kind, false);
        let manager = if kind == "ServiceAccount" || kind == "ConfigMap" {
            "kube-controller-manager"
        } else {
            "kube-apiserver"
        };
        verbs::own(self, &resource, manager, "", &live, &mut new, false);
        object::set_meta(&mut new, "uid", self.ids.uid());
        object::set_meta(&mut new, "creationTimestamp", rfc3339(self.now));
        if resource.generation {
            object::set_meta(&mut new, "generation", 1);
        }
        defaults::on_create(self, &resource, "", &Decoded::default(), &mut new).ok()?;
        Some(self.commit(&resource.store, new))
    }
}
