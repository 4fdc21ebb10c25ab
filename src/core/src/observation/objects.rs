//! What is known of the target's objects, by who saw it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::failure::{Failure, FailureClass};
use crate::few::Few;
use crate::identity::Identity;
use crate::object::{ObjectKey, Owner};

use super::live::{DryRun, Health, Live, LiveState, ObjectFacts};

/// Facts of objects, each as the identity that saw it: what one identity may see answers no other
/// (A07).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Objects(Few<Identity, Known>);

/// What one identity knows. Boxed: nodes of such a tree are half empty, and keys and what is known of an
/// object are large.
pub type Known = BTreeMap<Arc<ObjectKey>, Box<ObjectFacts>>;

impl Objects {
    /// Everything that this identity knows.
    pub fn of(&self, identity: &Identity) -> Option<&Known> {
        self.0.get(identity)
    }

    /// What this identity knows of the object.
    pub fn get(&self, identity: &Identity, key: &ObjectKey) -> Option<&ObjectFacts> {
        Some(self.0.get(identity)?.get(key)?)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, identity: &Identity, key: &ObjectKey) -> Option<&mut ObjectFacts> {
        Some(self.0.get_mut(identity)?.get_mut(key)?)
    }

    /// What this identity knows of the object, made empty if it knows nothing yet.
    pub fn entry(&mut self, identity: &Identity, key: &ObjectKey) -> &mut ObjectFacts {
        let known = self.0.or_default(identity);
        let key = match known.get_key_value(key) {
            Some((key, _)) => Arc::clone(key),
            None => Arc::new(key.clone()),
        };
        known.entry(key).or_default()
    }

    /// The key of an object that this identity knows, to be shared.
    pub fn key(&self, identity: &Identity, key: &ObjectKey) -> Option<&Arc<ObjectKey>> {
        Some(self.0.get(identity)?.get_key_value(key)?.0)
    }

    /// This identity has written the object, or may have: what others saw of it is of before. That one
    /// of them may not see it, or not write it, still holds (I4).
    pub fn written(&mut self, identity: &Identity, key: &ObjectKey) {
        for (_, objects) in self.0.iter_mut().filter(|(other, _)| *other != identity) {
            if let Some(facts) = objects.get_mut(key) {
                outdate(facts);
            }
        }
    }

    /// This identity has just seen the object. What another one saw before is of before if it contradicts
    /// that: another object, none, what we own of it in another state, or ready where it isn't (L4). A version
    /// alone says nothing: of an object whose status never rests, each of two readers would forever outdate
    /// the other.
    pub fn seen(&mut self, identity: &Identity, key: &ObjectKey) {
        let own = |live: &Live| (Arc::clone(&live.uid), live.entry.clone());
        let state = |facts: &ObjectFacts| match &facts.live.as_ref()?.value {
            LiveState::Present(live) => Some(Some(own(live))),
            LiveState::Absent => Some(None),
            LiveState::Unreadable(_) => None,
        };
        let is_ready = |facts: &ObjectFacts| {
            let live = facts.live.as_ref().map(|fact| &fact.value);
            matches!(live, Some(LiveState::Present(live)) if live.health == Health::Current)
        };
        let Some(now) = self.get(identity, key) else {
            return;
        };
        let Some(stands) = state(now) else {
            return;
        };
        let ready = is_ready(now);
        let others = self
            .0
            .iter_mut()
            .filter(|(other, _)| *other != identity && other.target() == identity.target());
        for (_, objects) in others {
            if let Some(facts) = objects.get_mut(key)
                && (state(facts).is_some_and(|seen| seen != stands) || (is_ready(facts) && !ready))
            {
                outdate(facts);
            }
        }
    }

    /// Most objects have one owner; each was read by itself.
    pub fn share_owners(&mut self) {
        let mut last: Option<Arc<Owner>> = None;
        for (_, _, facts) in self.iter_mut() {
            let Some(LiveState::Present(live)) = facts.live.as_mut().map(|fact| &mut fact.value)
            else {
                continue;
            };
            match (&last, &mut live.owner) {
                (Some(last), Some(owner)) if last == owner => *owner = Arc::clone(last),
                (_, owner) => last.clone_from(owner),
            }
        }
    }

    /// Forgets an object.
    pub fn remove(&mut self, identity: &Identity, key: &ObjectKey) -> Option<ObjectFacts> {
        Some(*self.0.get_mut(identity)?.remove(key)?)
    }

    /// Everything, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Identity, &ObjectKey, &ObjectFacts)> {
        self.0.iter().flat_map(|(identity, objects)| {
            objects
                .iter()
                .map(move |(key, facts)| (identity, &**key, &**facts))
        })
    }

    /// Everything, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&Identity, &ObjectKey, &mut ObjectFacts)> {
        self.0.iter_mut().flat_map(|(identity, objects)| {
            objects
                .iter_mut()
                .map(move |(key, facts)| (identity, &**key, &mut **facts))
        })
    }

    /// Keeps only what the predicate says.
    pub fn retain(&mut self, mut keep: impl FnMut(&Identity, &ObjectKey, &ObjectFacts) -> bool) {
        for (identity, objects) in &mut self.0 {
            objects.retain(|key, facts| keep(identity, key, facts));
        }
        self.0.retain(|_, objects| !objects.is_empty());
    }

    /// How many objects are known.
    pub fn len(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.values().all(BTreeMap::is_empty)
    }
}

/// Forgets what was seen and tried, but not that it may not be seen or written (I4).
fn outdate(facts: &mut ObjectFacts) {
    let denied = |failure: &Failure| failure.class == FailureClass::Denied;
    facts.settled = None;
    facts
        .live
        .take_if(|fact| !matches!(&fact.value, LiveState::Unreadable(failure) if denied(failure)));
    facts
        .dry_run
        .take_if(|tried| !matches!(&tried.1.value, DryRun::Refused(failure) if denied(failure)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Fact;
    use crate::identity::{KubeconfigReference, Remote, Target, Tenancy};
    use crate::names::{Namespace, SecretName, ServiceAccountName};
    use crate::observation::Settled;
    use crate::time::Timestamp;

    fn identity(name: &str) -> Identity {
        identity_at(&Target::Local, name)
    }

    fn identity_at(target: &Target, name: &str) -> Identity {
        let namespace = Namespace::new("shop").unwrap();
        let account = ServiceAccountName::new(name).unwrap();
        Identity::resolve(Tenancy::Multi, &namespace, Some(&account), target).unwrap()
    }

    fn key(name: &str) -> ObjectKey {
        ObjectKey {
            group: String::new(),
            kind: "ConfigMap".into(),
            namespace: Some("shop".into()),
            name: name.into(),
        }
    }

    fn refusal(class: FailureClass) -> Failure {
        Failure::new(class, "no")
    }

    fn facts(live: LiveState, dry_run: DryRun) -> ObjectFacts {
        let at = Timestamp::default();
        ObjectFacts {
            live: Some(Fact::seen(live, at)),
            dry_run: Some(Box::new(("d".into(), Fact::seen(dry_run, at)))),
            settled: Some(Settled {
                digest: "d".into(),
                uid: "u".into(),
                entry: None,
                since: at,
            }),
            ..ObjectFacts::default()
        }
    }

    /// What is known of the object: whether it was seen, tried, and agreed.
    fn known(objects: &Objects, account: &str, name: &str) -> [bool; 3] {
        let facts = objects.get(&identity(account), &key(name)).unwrap();
        [
            facts.live.is_some(),
            facts.dry_run.is_some(),
            facts.settled.is_some(),
        ]
    }

    #[test]
    fn what_one_writes_ends_what_others_saw_of_it_but_not_that_they_may_not() {
        let mut objects = Objects::default();
        let transient = || FailureClass::Transient { retry_after: None };
        for (account, live, dry_run) in [
            ("writer", LiveState::Absent, DryRun::Create),
            ("saw", LiveState::Absent, DryRun::Create),
            (
                "failed",
                LiveState::Unreadable(refusal(transient())),
                DryRun::Refused(refusal(transient())),
            ),
            (
                "denied",
                LiveState::Unreadable(refusal(FailureClass::Denied)),
                DryRun::Refused(refusal(FailureClass::Denied)),
            ),
        ] {
            for name in ["written", "other"] {
                *objects.entry(&identity(account), &key(name)) =
                    facts(live.clone(), dry_run.clone());
            }
        }
        assert_eq!(objects.len(), 8, "two of each account");
        objects.written(&identity("writer"), &key("written"));
        assert_eq!(known(&objects, "writer", "written"), [true; 3]);
        assert_eq!(known(&objects, "saw", "written"), [false; 3]);
        assert_eq!(known(&objects, "failed", "written"), [false; 3]);
        assert_eq!(known(&objects, "denied", "written"), [true, true, false]);
        assert_eq!(known(&objects, "saw", "other"), [true; 3]);
    }

    fn live(uid: &str, version: &str, entry: &str) -> LiveState {
        LiveState::Present(Live {
            uid: uid.into(),
            resource_version: version.into(),
            generation: 1,
            owner: None,
            prune_disabled: false,
            deleting: false,
            deletion_timestamp: None,
            finalizers: Vec::new(),
            takes_claims_along: false,
            entry: Some(entry.into()),
            health: Health::Current,
            body: None,
        })
    }

    #[test]
    fn what_one_sees_ends_what_others_saw_that_contradicts_it() {
        let unread = LiveState::Unreadable(refusal(FailureClass::Denied));
        for (before, now, stands) in [
            (live("u", "1", "e"), live("u", "2", "e"), true),
            (live("u", "1", "e"), live("u", "2", "f"), false),
            (live("u", "1", "e"), live("v", "2", "e"), false),
            (live("u", "1", "e"), LiveState::Absent, false),
            (LiveState::Absent, live("u", "1", "e"), false),
            (LiveState::Absent, LiveState::Absent, true),
            (unread.clone(), live("u", "1", "e"), true),
            (live("u", "1", "e"), unread, true),
        ] {
            let mut objects = Objects::default();
            *objects.entry(&identity("before"), &key("a")) = facts(before.clone(), DryRun::Create);
            *objects.entry(&identity("now"), &key("a")) = facts(now.clone(), DryRun::Create);
            objects.seen(&identity("now"), &key("a"));
            let told = format!("{before:?}, then {now:?}");
            assert_eq!(known(&objects, "before", "a"), [stands; 3], "{told}");
            assert_eq!(known(&objects, "now", "a"), [true; 3], "{told}");
        }
    }

    /// The other way round it waits for its own next look: of an object that comes and goes, two readers would
    /// outdate each other for ever.
    #[test]
    fn what_one_sees_not_to_be_ready_is_ready_for_nobody() {
        let ready = || live("u", "1", "e");
        let waiting = || match live("u", "2", "e") {
            LiveState::Present(live) => LiveState::Present(Live {
                health: Health::InProgress("0 of 1".into()),
                ..live
            }),
            other => other,
        };
        for (before, now, stands) in [(ready(), waiting(), false), (waiting(), ready(), true)] {
            let mut objects = Objects::default();
            *objects.entry(&identity("before"), &key("a")) = facts(before, DryRun::Create);
            *objects.entry(&identity("now"), &key("a")) = facts(now, DryRun::Create);
            objects.seen(&identity("now"), &key("a"));
            assert_eq!(known(&objects, "before", "a"), [stands; 3]);
            assert_eq!(known(&objects, "now", "a"), [true; 3]);
        }
    }

    /// Two clusters may hold two objects of one name.
    #[test]
    fn what_one_sees_ends_nothing_that_was_seen_elsewhere() {
        let mut objects = Objects::default();
        let target = Target::Remote(Arc::new(Remote {
            namespace: Namespace::new("shop").unwrap(),
            kubeconfig: KubeconfigReference {
                name: SecretName::new("prod").unwrap(),
                key: "value".into(),
            },
            revision: "u/1".into(),
            cluster: "c".into(),
        }));
        let remote = identity_at(&target, "before");
        *objects.entry(&remote, &key("a")) = facts(LiveState::Absent, DryRun::Create);
        *objects.entry(&identity("now"), &key("a")) = facts(live("u", "1", "e"), DryRun::Create);
        objects.seen(&identity("now"), &key("a"));
        let facts = objects.get(&remote, &key("a")).unwrap();
        assert!(facts.live.is_some());
    }

    /// Ten thousand objects of one release have one owner among them.
    #[test]
    fn owners_that_are_alike_are_kept_once() {
        let owned = |name: &str| match live("u", "1", "e") {
            LiveState::Present(live) => LiveState::Present(Live {
                owner: Some(Arc::new(Owner {
                    name: name.into(),
                    namespace: "shop".into(),
                })),
                ..live
            }),
            other => other,
        };
        let mut objects = Objects::default();
        for (name, owner) in [("a", "web"), ("b", "web"), ("c", "other")] {
            *objects.entry(&identity("x"), &key(name)) = facts(owned(owner), DryRun::Create);
        }
        objects.share_owners();
        let owner = |name: &str| {
            let facts = objects.get(&identity("x"), &key(name)).unwrap();
            match &facts.live.as_ref().unwrap().value {
                LiveState::Present(live) => live.owner.clone().unwrap(),
                other => panic!("{other:?}"),
            }
        };
        assert!(Arc::ptr_eq(&owner("a"), &owner("b")));
        assert_eq!(owner("c").name, "other");
    }
}
