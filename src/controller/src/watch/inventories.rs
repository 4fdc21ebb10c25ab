//! Which inventories there are, by the StageSets that their labels name: names alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{PoisonError, RwLock};

use stageset_core::few::Few;

use crate::queue::Key;

/// What a metadata watch on inventories knows. It answers only while the watch stands.
#[derive(Debug, Default)]
pub struct Inventoried(RwLock<Known>);

#[derive(Debug, Default)]
struct Known {
    /// A handful of names each, nearly always one.
    of: BTreeMap<Key, Few<Box<str>, ()>>,
    /// The scopes (one namespace, or all) that a live watch covers.
    live: BTreeSet<Option<String>>,
}

impl Inventoried {
    /// The names of a StageSet's inventories; `None` without a live watch.
    pub fn of(&self, stage_set: &Key) -> Option<BTreeSet<String>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let covered =
            known.live.contains(&None) || known.live.contains(&Some(stage_set.namespace.clone()));
        covered.then(|| {
            let names = known.of.get(stage_set).into_iter().flat_map(Few::keys);
            names.map(ToString::to_string).collect()
        })
    }

    /// Replaces everything in a watch's scope by what was listed.
    pub(super) fn replace<'a>(
        &self,
        scope: Option<&str>,
        listed: impl IntoIterator<Item = (&'a Key, &'a str)>,
    ) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known
            .of
            .retain(|key, _| scope.is_some_and(|scope| scope != key.namespace));
        for (key, name) in listed {
            known.put(key, name);
        }
    }

    /// An inventory is there. One whose label named another StageSet before stays known of both: that
    /// costs a list, and believing less than there is would cost more.
    pub(super) fn put(&self, key: &Key, name: &str) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.put(key, name);
    }

    /// An inventory is gone.
    pub(super) fn remove(&self, key: &Key, name: &str) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(names) = known.of.get_mut(key) {
            names.remove(name);
            if names.is_empty() {
                known.of.remove(key);
            }
        }
    }

    /// Whether the watch of a scope stands.
    pub(super) fn set_live(&self, scope: Option<&str>, live: bool) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let scope = scope.map(str::to_owned);
        if live {
            known.live.insert(scope);
        } else {
            known.live.remove(&scope);
        }
    }
}

impl Known {
    fn put(&mut self, key: &Key, name: &str) {
        let names = self.of.entry(key.clone()).or_default();
        names.insert(name.into(), ());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(namespace: &str, name: &str) -> Key {
        Key::new(namespace, name)
    }

    fn names(known: &Inventoried, key: &Key) -> Option<Vec<String>> {
        Some(known.of(key)?.into_iter().collect())
    }

    #[test]
    fn what_stands_in_no_live_scope_is_not_answered_for() {
        let known = Inventoried::default();
        let shop = key("a", "shop");
        assert_eq!(names(&known, &shop), None);
        known.replace(Some("a"), [(&shop, "shop-app")]);
        assert_eq!(names(&known, &shop), None, "listed, and not watched yet");
        known.set_live(Some("a"), true);
        assert_eq!(names(&known, &shop), Some(vec!["shop-app".to_owned()]));
        assert_eq!(names(&known, &key("a", "other")), Some(Vec::new()));
        assert_eq!(names(&known, &key("b", "shop")), None);
        known.set_live(Some("a"), false);
        assert_eq!(names(&known, &shop), None);
    }

    #[test]
    fn a_new_list_counts_in_its_own_scope() {
        let known = Inventoried::default();
        let (a, b) = (key("a", "shop"), key("b", "shop"));
        known.set_live(None, true);
        known.replace(Some("a"), [(&a, "one"), (&a, "two")]);
        known.put(&b, "three");
        known.replace(Some("a"), [(&a, "two")]);
        assert_eq!(names(&known, &a), Some(vec!["two".to_owned()]));
        assert_eq!(names(&known, &b), Some(vec!["three".to_owned()]));
        known.remove(&b, "three");
        assert_eq!(names(&known, &b), Some(Vec::new()));
        known.replace(None, []);
        assert_eq!(names(&known, &a), Some(Vec::new()));
    }
}
