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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::away::objects::tests::{identity, key};

    fn reference(name: &str, version: &str, plural: &str) -> Reference {
        Reference {
            key: key(name),
            version: version.into(),
            plural: plural.into(),
        }
    }

    #[test]
    fn the_last_word_on_an_object_counts_and_equal_ones_share_theirs() {
        let (mut references, objects) = (References::default(), Objects::default());
        let who = identity("a");
        for object in [
            reference("one", "v1", "deployments"),
            reference("two", "v1", "deployments"),
            reference("three", "v2", "deployments"),
            reference("four", "v1", "deploys"),
        ] {
            references.insert(&who, &object, &objects);
            assert_eq!(references.get(&who, &object.key), Some(object.clone()));
        }
        let served = |references: &References, name: &str| {
            let known = references.0.get(&who).unwrap();
            Arc::clone(&known[&key(name)])
        };
        assert!(Arc::ptr_eq(
            &served(&references, "one"),
            &served(&references, "two")
        ));
        for again in [
            reference("one", "v2", "deployments"),
            reference("one", "v2", "deploys"),
        ] {
            references.insert(&who, &again, &objects);
            assert_eq!(references.get(&who, &again.key), Some(again.clone()));
        }
        assert_eq!(
            references.get(&identity("b"), &key("one")),
            None,
            "of another"
        );
        assert_eq!(references.version(&who, &key("three")), Some("v2"));
    }
}
