//! Who has to be woken when something changes: StageSets by what their rest depends on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use stageset_cluster::Interests;
use stageset_core::names::ServiceAccountName;
use stageset_core::object::GroupVersionKind;
use stageset_core::spec::{SourceReference, StageSetReference};

use crate::queue::Key;
use crate::watch::resource::Resource;
use crate::watch::store::Change;

/// A source without its version, which references may spell differently.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct SourceKey {
    group: String,
    kind: String,
    namespace: String,
    name: String,
}

impl SourceKey {
    fn of(source: &SourceReference) -> Self {
        Self {
            group: GroupVersionKind::from_manifest(&source.api_version, "").group,
            kind: source.kind.clone(),
            namespace: source.namespace.to_string(),
            name: source.name.clone(),
        }
    }
}

/// The index over the interests of all StageSets.
#[derive(Debug, Default)]
pub struct Index {
    of: BTreeMap<Key, Parts>,
    sources: BTreeMap<SourceKey, BTreeSet<(Arc<SourceReference>, Key)>>,
    dependencies: BTreeMap<Key, BTreeSet<(StageSetReference, Key)>>,
    accounts: BTreeMap<(String, ServiceAccountName), BTreeSet<Key>>,
    /// How many references lead to each kind of source.
    kinds: BTreeMap<Resource, usize>,
}

/// Where a StageSet stands in the index: sorted lists, their texts shared with those who depend on the
/// same. There are thousands of these.
#[derive(Debug, Default)]
struct Parts {
    sources: Box<[Arc<SourceReference>]>,
    dependencies: Box<[StageSetReference]>,
    accounts: Box<[ServiceAccountName]>,
}

impl Parts {
    fn are(&self, interests: &Interests) -> bool {
        let sources = self.sources.iter().map(|source| &**source);
        sources.eq(&interests.sources)
            && self.dependencies.iter().eq(&interests.dependencies)
            && self.accounts.iter().eq(&interests.accounts)
    }
}

/// What a change of interests means for the watches on source kinds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Kinds {
    /// First referred to now.
    pub engage: Vec<Resource>,
    /// No longer referred to by anybody.
    pub release: Vec<Resource>,
}

impl Index {
    /// Replaces what a StageSet depends on. Objects are another's to watch.
    pub fn set(&mut self, key: &Key, interests: &Interests) -> Kinds {
        if self.of.get(key).is_some_and(|parts| parts.are(interests)) {
            return Kinds::default();
        }
        let before: BTreeSet<Resource> = self.kinds.keys().cloned().collect();
        self.take_out(key);
        let sources = interests.sources.iter();
        let dependencies = interests.dependencies.iter();
        let accounts = interests.accounts.iter();
        let parts = Parts {
            sources: sources.map(|source| self.add_source(key, source)).collect(),
            dependencies: dependencies
                .map(|stage_set| self.add_dependency(key, stage_set))
                .collect(),
            accounts: accounts
                .map(|account| self.add_account(key, account))
                .collect(),
        };
        self.of.insert(key.clone(), parts);
        self.difference(&before)
    }

    fn add_source(&mut self, key: &Key, source: &SourceReference) -> Arc<SourceReference> {
        *self.kinds.entry(Resource::of_source(source)).or_default() += 1;
        let all = self.sources.entry(SourceKey::of(source)).or_default();
        let same = all.iter().find(|(known, _)| **known == *source);
        let source = same.map_or_else(|| Arc::new(source.clone()), |(known, _)| Arc::clone(known));
        all.insert((Arc::clone(&source), key.clone()));
        source
    }

    fn add_dependency(&mut self, key: &Key, stage_set: &StageSetReference) -> StageSetReference {
        let all = self.dependencies.entry(key_of(stage_set)).or_default();
        all.insert((stage_set.clone(), key.clone()));
        stage_set.clone()
    }

    fn add_account(&mut self, key: &Key, account: &ServiceAccountName) -> ServiceAccountName {
        let place = (key.namespace.clone(), account.clone());
        let known = self.accounts.get_key_value(&place);
        let account = known.map_or_else(|| account.clone(), |((_, name), _)| name.clone());
        self.accounts.entry(place).or_default().insert(key.clone());
        account
    }

    /// Forgets a StageSet.
    pub fn forget(&mut self, key: &Key) -> Kinds {
        let before: BTreeSet<Resource> = self.kinds.keys().cloned().collect();
        self.take_out(key);
        self.difference(&before)
    }

    /// Who depends on a source that has changed, by which reference.
    pub fn of_source(&self, change: &Change) -> BTreeSet<(SourceReference, Key)> {
        let mut found = BTreeSet::new();
        let direct = SourceKey {
            group: change.gvk.group.clone(),
            kind: change.gvk.kind.clone(),
            namespace: change.namespace.clone(),
            name: change.name.clone(),
        };
        let mut add = |source: &SourceKey| {
            let all = self.sources.get(source).into_iter().flatten();
            found.extend(all.map(|(source, key)| ((**source).clone(), key.clone())));
        };
        add(&direct);
        // An ExternalArtifact names its producer; the one that it named before may now lack one.
        for object in [&change.old, &change.new].into_iter().flatten() {
            if let Some(producer) = producer_of(&object.value(), &change.namespace) {
                add(&producer);
            }
        }
        found
    }

    /// Who depends on a StageSet, in whatever namespace.
    pub fn of_dependency(&self, stage_set: &Key) -> BTreeSet<(StageSetReference, Key)> {
        self.dependencies
            .get(stage_set)
            .cloned()
            .unwrap_or_default()
    }

    /// Who acts as an account.
    pub fn of_account(&self, namespace: &str, account: &ServiceAccountName) -> BTreeSet<Key> {
        let place = (namespace.to_owned(), account.clone());
        self.accounts.get(&place).cloned().unwrap_or_default()
    }

    fn take_out(&mut self, key: &Key) {
        let Some(parts) = self.of.remove(key) else {
            return;
        };
        for source in parts.sources {
            let kind = Resource::of_source(&source);
            if let Some(references) = self.kinds.get_mut(&kind) {
                *references -= 1;
                if *references == 0 {
                    self.kinds.remove(&kind);
                }
            }
            let place = SourceKey::of(&source);
            remove(&mut self.sources, &place, &(source, key.clone()));
        }
        for stage_set in parts.dependencies {
            let place = key_of(&stage_set);
            remove(&mut self.dependencies, &place, &(stage_set, key.clone()));
        }
        for account in parts.accounts {
            let place = (key.namespace.clone(), account);
            remove(&mut self.accounts, &place, key);
        }
    }

    fn difference(&self, before: &BTreeSet<Resource>) -> Kinds {
        Kinds {
            engage: self
                .kinds
                .keys()
                .filter(|kind| !before.contains(kind))
                .cloned()
                .collect(),
            release: before
                .iter()
                .filter(|kind| !self.kinds.contains_key(kind))
                .cloned()
                .collect(),
        }
    }
}

fn key_of(stage_set: &StageSetReference) -> Key {
    Key::new(stage_set.namespace.to_string(), stage_set.name.clone())
}

fn remove<K: Ord, V: Ord>(map: &mut BTreeMap<K, BTreeSet<V>>, key: &K, value: &V) {
    if let Some(values) = map.get_mut(key) {
        values.remove(value);
        if values.is_empty() {
            map.remove(key);
        }
    }
}

fn producer_of(artifact: &Value, namespace: &str) -> Option<SourceKey> {
    let text = |pointer: &str| artifact.pointer(pointer).and_then(Value::as_str);
    let api_version = text("/spec/sourceRef/apiVersion").unwrap_or_default();
    Some(SourceKey {
        group: api_version
            .split_once('/')
            .map_or("", |(group, _)| group)
            .to_owned(),
        kind: text("/spec/sourceRef/kind")?.to_owned(),
        namespace: namespace.to_owned(),
        name: text("/spec/sourceRef/name")?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use stageset_core::names::Namespace;

    use super::*;

    fn key(name: &str) -> Key {
        Key::new("payments", name)
    }

    fn source(api_version: &str, kind: &str, name: &str) -> SourceReference {
        SourceReference {
            api_version: api_version.into(),
            kind: kind.into(),
            namespace: Namespace::new("payments").unwrap(),
            name: name.into(),
        }
    }

    fn change(kind: &str, name: &str, old: Option<Value>, new: Option<Value>) -> Change {
        Change {
            gvk: GroupVersionKind::from_manifest("source.toolkit.fluxcd.io/v1", kind),
            namespace: "payments".into(),
            name: name.into(),
            old: old.map(Into::into),
            new: new.map(Into::into),
        }
    }

    #[test]
    fn a_source_wakes_those_who_refer_to_it_and_no_others() {
        let mut index = Index::default();
        let git = source("source.toolkit.fluxcd.io/v1", "GitRepository", "app");
        let one = Interests {
            sources: [git.clone()].into(),
            ..Interests::default()
        };
        let kinds = index.set(&key("a"), &one);
        assert_eq!(kinds.engage, [Resource::of_source(&git)]);
        assert_eq!(index.set(&key("b"), &one), Kinds::default());
        let woken = index.of_source(&change("GitRepository", "app", None, Some(json!({}))));
        assert_eq!(woken.len(), 2);
        assert!(
            index
                .of_source(&change("GitRepository", "other", None, None))
                .is_empty()
        );
        assert!(
            index
                .of_source(&change("Bucket", "app", None, None))
                .is_empty()
        );
        assert_eq!(index.forget(&key("a")), Kinds::default());
        assert_eq!(index.forget(&key("b")).release, [Resource::of_source(&git)]);
        assert!(
            index
                .of_source(&change("GitRepository", "app", None, None))
                .is_empty()
        );
    }

    #[test]
    fn an_external_artifact_wakes_those_who_refer_to_its_producer_now_or_before() {
        let mut index = Index::default();
        let snippet = source("jaas.metio.wtf/v1", "JsonnetSnippet", "app");
        let interests = Interests {
            sources: [snippet.clone()].into(),
            ..Interests::default()
        };
        assert_eq!(
            index.set(&key("a"), &interests).engage,
            [Resource::external_artifacts()]
        );
        let names = |name: &str| {
            json!({ "spec": { "sourceRef": {
                "apiVersion": "jaas.metio.wtf/v2", "kind": "JsonnetSnippet", "name": name,
            }}})
        };
        let woken = |old, new| {
            index
                .of_source(&change("ExternalArtifact", "x", old, new))
                .len()
        };
        assert_eq!(woken(None, Some(names("app"))), 1);
        assert_eq!(woken(Some(names("app")), Some(names("other"))), 1);
        assert_eq!(woken(Some(names("app")), None), 1);
        assert_eq!(woken(None, Some(names("other"))), 0);
    }
}
