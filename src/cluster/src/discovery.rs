//! What the API server serves: shared by all tenants (K05), filled one group version at a time.
//!
//! What is served is kept until a request says otherwise ([`Discovery::forget`]); what isn't is
//! asked for again after a few seconds, so that a definition that was just installed is found.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use stageset_core::failure::Failure;
use stageset_core::object::GroupVersionKind;
use stageset_core::observation::KindState;
use stageset_core::time::Timestamp;

use crate::requests::Requests;

/// For this long an answer that lacks a kind is believed.
const BELIEVED: Duration = Duration::from_secs(3);

/// The shared cache.
#[derive(Debug, Default)]
pub struct Discovery {
    known: Mutex<Known>,
    /// One fetch at a time: whoever waits finds the answer in the cache.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    /// Kinds by group and version.
    versions: BTreeMap<(String, String), Seen<BTreeMap<String, Resource>>>,
    /// Versions by group, the preferred one first.
    groups: BTreeMap<String, Seen<Vec<String>>>,
}

#[derive(Debug, Clone)]
struct Seen<T> {
    at: Timestamp,
    what: T,
}

#[derive(Debug, Clone)]
struct Resource {
    plural: String,
    namespaced: bool,
}

impl Discovery {
    /// An empty cache.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the API server says of a kind, from the cache or by asking.
    pub async fn kind(
        &self,
        requests: &Requests<'_>,
        now: Timestamp,
        gvk: &GroupVersionKind,
    ) -> KindState {
        if let Some(resource) = self.cached(&gvk.group, &gvk.version, &gvk.kind) {
            return KindState::Served {
                plural: resource.plural,
                namespaced: resource.namespaced,
            };
        }
        let _one = self.fetching.lock().await;
        match self.ask(requests, now, gvk).await {
            Ok(state) => state,
            Err(failure) => KindState::Unreadable(failure),
        }
    }

    /// A request said that something of this group isn't as it was: ask again.
    pub fn forget(&self, group: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.groups.remove(group);
        known.versions.retain(|(of, _), _| of != group);
    }

    fn cached(&self, group: &str, version: &str, kind: &str) -> Option<Resource> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .versions
            .get(&(group.to_owned(), version.to_owned()))?
            .what
            .get(kind)
            .cloned()
    }

    async fn ask(
        &self,
        requests: &Requests<'_>,
        now: Timestamp,
        gvk: &GroupVersionKind,
    ) -> Result<KindState, Failure> {
        self.learn_version(requests, now, &gvk.group, &gvk.version)
            .await?;
        if let Some(resource) = self.cached(&gvk.group, &gvk.version, &gvk.kind) {
            return Ok(KindState::Served {
                plural: resource.plural,
                namespaced: resource.namespaced,
            });
        }
        for version in self.learn_group(requests, now, &gvk.group).await? {
            self.learn_version(requests, now, &gvk.group, &version)
                .await?;
            if let Some(resource) = self.cached(&gvk.group, &version, &gvk.kind) {
                let Resource { plural, namespaced } = resource;
                return Ok(KindState::OtherVersion {
                    version,
                    plural,
                    namespaced,
                });
            }
        }
        Ok(KindState::Unknown)
    }

    async fn learn_version(
        &self,
        requests: &Requests<'_>,
        now: Timestamp,
        group: &str,
        version: &str,
    ) -> Result<(), Failure> {
        let key = (group.to_owned(), version.to_owned());
        {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known
                .versions
                .get(&key)
                .is_some_and(|seen| now.since(seen.at) < BELIEVED)
            {
                return Ok(());
            }
        }
        let what = requests
            .discover(group, version)
            .await?
            .as_ref()
            .map(kinds)
            .unwrap_or_default();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.versions.insert(key, Seen { at: now, what });
        Ok(())
    }

    async fn learn_group(
        &self,
        requests: &Requests<'_>,
        now: Timestamp,
        group: &str,
    ) -> Result<Vec<String>, Failure> {
        // The core group has one version, and its document another form.
        if group.is_empty() {
            return Ok(vec!["v1".to_owned()]);
        }
        {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            let seen = known.groups.get(group);
            if let Some(seen) = seen.filter(|seen| now.since(seen.at) < BELIEVED) {
                return Ok(seen.what.clone());
            }
        }
        let what = requests
            .discover_group(group)
            .await?
            .as_ref()
            .map(versions)
            .unwrap_or_default();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.groups.insert(
            group.to_owned(),
            Seen {
                at: now,
                what: what.clone(),
            },
        );
        Ok(what)
    }
}

/// The kinds of an `APIResourceList`, subresources left out.
fn kinds(list: &Value) -> BTreeMap<String, Resource> {
    let mut kinds = BTreeMap::new();
    for resource in list["resources"].as_array().into_iter().flatten() {
        let (Some(plural), Some(kind)) = (resource["name"].as_str(), resource["kind"].as_str())
        else {
            continue;
        };
        if plural.contains('/') {
            continue;
        }
        let namespaced = resource["namespaced"].as_bool().unwrap_or(false);
        let resource = Resource {
            plural: plural.to_owned(),
            namespaced,
        };
        // The first of a kind counts: aliases come after it.
        kinds.entry(kind.to_owned()).or_insert(resource);
    }
    kinds
}

/// The versions of an `APIGroup`, the preferred one first.
fn versions(group: &Value) -> Vec<String> {
    let preferred = group
        .pointer("/preferredVersion/version")
        .and_then(Value::as_str);
    let all = group["versions"].as_array().into_iter().flatten();
    let others = all.filter_map(|version| version["version"].as_str());
    let mut versions: Vec<String> = Vec::new();
    for version in preferred.into_iter().chain(others) {
        if !versions.iter().any(|known| known == version) {
            versions.push(version.to_owned());
        }
    }
    versions
}
