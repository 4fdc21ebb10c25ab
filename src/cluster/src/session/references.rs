//! How objects are reached: the version and the resource name under which each was last spoken of.

use std::collections::BTreeMap;
use std::sync::Arc;

use stageset_core::few::Few;
use stageset_core::identity::Identity;
use stageset_core::object::{ObjectKey, Reference};
use stageset_core::observation::Objects;

/// So many of those known are looked through for an equal version and name.
const SIMILAR: usize = 16;

/// A version of a kind and its name in URLs.
#[derive(Debug, PartialEq, Eq)]
struct Served {
    version: String,
    plural: String,
}

impl Served {
    fn reference(&self, key: &ObjectKey) -> Reference {
        Reference {
            key: key.clone(),
            version: self.version.clone(),
            plural: self.plural.clone(),
        }
    }
}

/// By who speaks of them. Keys are shared with the facts of the same objects, versions and names among them.
#[derive(Debug, Default)]
pub(super) struct References(Few<Identity, BTreeMap<Arc<ObjectKey>, Arc<Served>>>);

impl References {
    /// Remembers how an object is reached.
    pub(super) fn insert(&mut self, identity: &Identity, object: &Reference, objects: &Objects) {
        let known = self.0.or_default(identity);
        let fits = |served: &&Arc<Served>| {
            served.version == object.version && served.plural == object.plural
        };
        if known.get(&object.key).as_ref().is_some_and(fits) {
            return;
        }
        // Names of resources are few, so one that fits is near.
        let served = known.values().rev().take(SIMILAR).find(fits);
        let served = served.map_or_else(
            || {
                Arc::new(Served {
                    version: object.version.clone(),
                    plural: object.plural.clone(),
                })
            },
            Arc::clone,
        );
        let key = objects.key(identity, &object.key);
        let key = key.map_or_else(|| Arc::new(object.key.clone()), Arc::clone);
        known.insert(key, served);
    }

    /// At which version an object is reached.
    pub(super) fn version(&self, identity: &Identity, key: &ObjectKey) -> Option<&str> {
        let served = self.0.get(identity)?.get(key)?;
        Some(&served.version)
    }

    /// How an object is reached.
    pub(super) fn get(&self, identity: &Identity, key: &ObjectKey) -> Option<Reference> {
        Some(self.0.get(identity)?.get(key)?.reference(key))
    }

    /// Keeps those of objects of which something is known.
    pub(super) fn retain_known(&mut self, objects: &Objects) {
        for (identity, references) in &mut self.0 {
            references.retain(|key, _| objects.get(identity, key).is_some());
        }
        self.0.retain(|_, references| !references.is_empty());
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Identity, Reference)> {
        self.0.iter().flat_map(|(identity, references)| {
            let references = references.iter();
            references.map(move |(key, served)| (identity, served.reference(key)))
        })
    }
}
