//! What was seen of objects, and how they are reached.
//!
//! An object at rest is a handful of short texts. As facts, ready to be looked at, they take five times as
//! much. Whatever isn't at rest (a failure, a deletion, a fight over a field) stays as it is.

use std::sync::Arc;

use serde_json::{Value, json};
use stageset_core::failure::Fact;
use stageset_core::identity::Identity;
use stageset_core::object::{ObjectKey, Owner, Reference};
use stageset_core::observation::{
    Health, Live, LiveState, ObjectFacts, Objects, Settled, Tracking,
};
use stageset_core::time::Timestamp;

use super::text;
use crate::session::references::References;

/// Of more objects than these nothing is put away: having it back takes a moment on the thread that all
/// share.
pub(super) const MOST: usize = 200;

/// Whatever is at rest; who saw it is a place among `identities`.
pub(super) fn lines(
    known: &Objects,
    references: &References,
    identities: &[Identity],
) -> Vec<Value> {
    let line = |identity: &Identity, key: &ObjectKey, facts: &ObjectFacts| {
        let of = identities.iter().position(|known| known == identity)?;
        let reference = references.get(identity, key);
        Some(json!([
            of,
            key_of(key, reference.as_ref()),
            at_rest(facts)?
        ]))
    };
    let objects = known.iter();
    objects
        .filter_map(|(identity, key, facts)| line(identity, key, facts))
        .collect()
}

pub(super) fn forget(known: &mut Objects, references: &mut References) {
    known.retain(|_, _, facts| at_rest(facts).is_none());
    references.retain_known(known);
}

pub(super) fn give_back(
    value: &Value,
    identities: &[Identity],
    known: &mut Objects,
    references: &mut References,
) {
    for line in super::lines(value) {
        let read = || {
            let of = usize::try_from(line[0].as_u64()?).ok()?;
            let (key, reached) = key_from(&line[1])?;
            Some((identities.get(of)?, key, reached, facts_from(&line[2])?))
        };
        if let Some((identity, key, reached, facts)) = read() {
            *known.entry(identity, &key) = facts;
            if let Some((version, plural)) = reached {
                let reference = Reference {
                    key,
                    version,
                    plural,
                };
                references.insert(identity, &reference, known);
            }
        }
    }
}

fn key_of(key: &ObjectKey, reference: Option<&Reference>) -> Value {
    let reached = reference.map(|reference| [&reference.version, &reference.plural]);
    json!([key.name, key.kind, key.namespace, key.group, reached])
}

fn key_from(value: &Value) -> Option<(ObjectKey, Option<(String, String)>)> {
    let key = ObjectKey {
        name: text(&value[0])?,
        kind: text(&value[1])?,
        namespace: text(&value[2]),
        group: text(&value[3])?,
    };
    let reached = text(&value[4][0]).zip(text(&value[4][1]));
    Some((key, reached))
}

/// What there is to keep of an object that is at rest; `None` if it isn't.
fn at_rest(facts: &ObjectFacts) -> Option<Value> {
    let ObjectFacts {
        live:
            Some(Fact {
                value: LiveState::Present(live),
                at,
                failures,
            }),
        dry_run: None,
        settled,
        write_failure: None,
        corrections,
        tracking,
    } = facts
    else {
        return None;
    };
    let Live {
        uid,
        resource_version,
        generation,
        owner,
        prune_disabled,
        deleting: false,
        deletion_timestamp: None,
        finalizers,
        takes_claims_along,
        entry,
        health,
        body: None,
    } = live
    else {
        return None;
    };
    let health = match health {
        Health::Current => json!([0]),
        Health::InProgress(said) => json!([1, said]),
        Health::Failed(said) => json!([2, said]),
        Health::Terminating => return None,
    };
    let settled = match settled {
        Some(settled) if settled.uid != *uid => return None,
        Some(settled) => json!([settled.digest, &settled.entry, settled.since.as_millis()]),
        None => Value::Null,
    };
    let tracking = match tracking {
        Tracking::Polled => 0,
        Tracking::Watched => 1,
        Tracking::Moved => 2,
    };
    corrections.is_empty().then(|| {
        json!([
            [at.as_millis(), failures, tracking],
            [uid, resource_version, generation, entry],
            owner.as_ref().map(|owner| [&owner.namespace, &owner.name]),
            [prune_disabled, takes_claims_along],
            finalizers,
            health,
            settled,
        ])
    })
}

fn facts_from(value: &Value) -> Option<ObjectFacts> {
    let [seen, identity, owner, flags, finalizers, health, settled] = value.as_array()?.as_slice()
    else {
        return None;
    };
    let time = |value: &Value| Some(Timestamp::from_millis(value.as_i64()?));
    let shared = |value: &Value| value.as_str().map(Arc::<str>::from);
    let uid = shared(&identity[0])?;
    let entry = shared(&identity[3]);
    let owner = text(&owner[0]).zip(text(&owner[1]));
    let live = Live {
        uid: Arc::clone(&uid),
        resource_version: identity[1].as_str()?.into(),
        generation: identity[2].as_i64()?,
        owner: owner.map(|(namespace, name)| Arc::new(Owner { namespace, name })),
        prune_disabled: flags[0].as_bool()?,
        deleting: false,
        deletion_timestamp: None,
        finalizers: finalizers.as_array()?.iter().filter_map(text).collect(),
        takes_claims_along: flags[1].as_bool()?,
        entry: entry.clone(),
        health: match health[0].as_u64()? {
            0 => Health::Current,
            1 => Health::InProgress(text(&health[1])?),
            2 => Health::Failed(text(&health[1])?),
            _ => return None,
        },
        body: None,
    };
    let settled = match settled {
        Value::Null => None,
        settled => Some(Settled {
            digest: text(&settled[0])?,
            // One text with that of the object, where they are equal.
            entry: shared(&settled[1]).map(|own| match &entry {
                Some(entry) if *entry == own => Arc::clone(entry),
                _ => own,
            }),
            since: time(&settled[2])?,
            uid,
        }),
    };
    Some(ObjectFacts {
        live: Some(Fact {
            value: LiveState::Present(live),
            at: time(&seen[0])?,
            failures: u32::try_from(seen[1].as_u64()?).ok()?,
        }),
        settled,
        tracking: match seen[2].as_u64()? {
            0 => Tracking::Polled,
            1 => Tracking::Watched,
            2 => Tracking::Moved,
            _ => return None,
        },
        ..ObjectFacts::default()
    })
}

#[cfg(test)]
pub(in crate::session) mod tests {
    use std::collections::BTreeSet;

    use stageset_core::failure::{Failure, FailureClass};
    use stageset_core::identity::{Target, Tenancy};
    use stageset_core::names::{Namespace, ServiceAccountName};
    use stageset_core::observation::{Correction, DryRun};

    use super::*;

    pub(in crate::session) fn identity(account: &str) -> Identity {
        let namespace = Namespace::new("payments").unwrap();
        let account = ServiceAccountName::new(account).unwrap();
        Identity::resolve(Tenancy::Multi, &namespace, Some(&account), &Target::Local).unwrap()
    }

    pub(in crate::session) fn key(name: &str) -> ObjectKey {
        ObjectKey {
            name: name.into(),
            kind: "Deployment".into(),
            namespace: (name != "wide").then(|| "payments".into()),
            group: "apps".into(),
        }
    }

    pub(crate) fn seen(health: Health) -> ObjectFacts {
        let at = Timestamp::from_millis(1_795_000_000_123);
        let live = Live {
            uid: "u-1".into(),
            resource_version: "77".into(),
            generation: 3,
            owner: Some(Arc::new(Owner {
                namespace: "payments".into(),
                name: "shop".into(),
            })),
            prune_disabled: true,
            deleting: false,
            deletion_timestamp: None,
            finalizers: vec!["example.com/held".into()],
            takes_claims_along: true,
            entry: Some("0123456789abcdef".into()),
            health,
            body: None,
        };
        ObjectFacts {
            settled: Some(Settled {
                digest: "d".repeat(64),
                uid: Arc::clone(&live.uid),
                entry: live.entry.clone(),
                since: at,
            }),
            live: Some(Fact {
                value: LiveState::Present(live),
                at,
                failures: 2,
            }),
            tracking: Tracking::Watched,
            ..ObjectFacts::default()
        }
    }

    fn live(facts: &mut ObjectFacts) -> &mut Live {
        match facts.live.as_mut().map(|fact| &mut fact.value) {
            Some(LiveState::Present(live)) => live,
            other => panic!("{other:?}"),
        }
    }

    /// Every state with what became of it: taken or left.
    fn states() -> Vec<(&'static str, ObjectFacts, bool)> {
        let with = |change: &dyn Fn(&mut ObjectFacts)| {
            let mut facts = seen(Health::Current);
            change(&mut facts);
            facts
        };
        let failure = || Failure::new(FailureClass::Denied, "no");
        let at = Timestamp::from_millis(5);
        vec![
            ("current", seen(Health::Current), true),
            (
                "in-progress",
                seen(Health::InProgress("1 of 2".into())),
                true,
            ),
            ("failed", seen(Health::Failed("\"crash\"\n".into())), true),
            ("wide", with(&|facts| facts.settled = None), true),
            (
                "polled",
                with(&|facts| facts.tracking = Tracking::Polled),
                true,
            ),
            (
                "moved",
                with(&|facts| facts.tracking = Tracking::Moved),
                true,
            ),
            (
                "foreign",
                with(&|facts| {
                    let live = live(facts);
                    live.owner = None;
                    live.entry = None;
                    live.finalizers = Vec::new();
                    (live.prune_disabled, live.takes_claims_along) = (false, false);
                }),
                true,
            ),
            ("terminating", seen(Health::Terminating), false),
            ("unseen", ObjectFacts::default(), false),
            ("going", with(&|facts| live(facts).deleting = true), false),
            (
                "dated",
                with(&|facts| live(facts).deletion_timestamp = Some(at)),
                false,
            ),
            (
                "bodied",
                with(&|facts| live(facts).body = Some(Arc::new(json!({})))),
                false,
            ),
            (
                "another",
                with(&|facts| live(facts).uid = "u-2".into()),
                false,
            ),
            (
                "absent",
                with(&|facts| facts.live = Some(Fact::seen(LiveState::Absent, at))),
                false,
            ),
            (
                "refused",
                with(&|facts| {
                    let failed = Fact::seen(failure(), at);
                    facts.write_failure = Some(Box::new(("d".into(), failed)));
                }),
                false,
            ),
            (
                "drifted",
                with(&|facts| {
                    let settled = facts.settled.as_mut();
                    settled.expect("it has").entry = Some("fedcba9876543210".into());
                }),
                true,
            ),
            ("disowned", with(&|facts| live(facts).entry = None), true),
            (
                "tried",
                with(&|facts| {
                    let tried = Fact::seen(DryRun::Create, at);
                    facts.dry_run = Some(Box::new(("d".into(), tried)));
                }),
                false,
            ),
            (
                "corrected",
                with(&|facts| {
                    let fields = vec!["data".to_owned()];
                    facts.corrected(Correction { at, fields });
                }),
                false,
            ),
        ]
    }

    #[test]
    fn what_is_at_rest_is_taken_and_comes_back_as_it_was() {
        let (mut known, mut references) = (Objects::default(), References::default());
        for (account, name, facts) in [("a", "b"), ("b", "a")].iter().flat_map(|(one, two)| {
            let states = states().into_iter();
            states.flat_map(|(name, facts, _)| [(*one, name, facts.clone()), (*two, name, facts)])
        }) {
            let (identity, key) = (identity(account), key(name));
            *known.entry(&identity, &key) = facts;
            let reference = Reference {
                key,
                version: "v1".into(),
                plural: "deployments".into(),
            };
            references.insert(&identity, &reference, &known);
        }
        let reached = |references: &References| -> BTreeSet<(Identity, Reference)> {
            let all = references.iter();
            all.map(|(identity, reference)| (identity.clone(), reference))
                .collect()
        };
        let (whole, all) = (known.clone(), reached(&references));
        let identities = [identity("a"), identity("b")];
        let lines = Value::from(lines(&known, &references, &identities));
        forget(&mut known, &mut references);
        for (name, _, taken) in states() {
            let left = known.get(&identity("a"), &key(name)).is_some();
            assert_eq!(left, !taken, "{name}");
        }
        assert!(reached(&references).len() < all.len());
        give_back(&lines, &identities, &mut known, &mut references);
        assert_eq!(known, whole);
        assert_eq!(reached(&references), all);
    }
}
