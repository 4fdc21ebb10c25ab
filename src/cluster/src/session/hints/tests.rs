//! What each piece of news drops, and that it drops nothing else.

use std::collections::BTreeMap;

use serde_json::json;
use stageset_core::failure::{Fact, Failure, FailureClass};
use stageset_core::identity::{Target, Tenancy};
use stageset_core::names::{Namespace, ServiceAccountName};
use stageset_core::observation::{AccountState, DependencyState, Health, Live, SourceState};
use stageset_core::spec::{SourceReference, StageSetReference};
use stageset_core::time::Timestamp;

use super::*;
use crate::Stored;
use crate::session::StageSetKey;

fn facts() -> ObjectFacts {
    let live = Live {
        uid: "u".into(),
        resource_version: "10".into(),
        generation: 1,
        owner: None,
        prune_disabled: false,
        deleting: false,
        deletion_timestamp: None,
        finalizers: Vec::new(),
        takes_claims_along: false,
        entry: Some("e".into()),
        health: Health::Current,
        body: None,
    };
    ObjectFacts {
        live: Some(Fact::seen(LiveState::Present(live), Timestamp::default())),
        ..ObjectFacts::default()
    }
}

fn told(version: &str, entry: &str, deleted: bool) -> ObjectFacts {
    let mut facts = facts();
    let seen = Seen {
        entry: Some(entry.into()),
        resource_version: version.into(),
        deleted,
    };
    seen.apply_to(&mut facts);
    facts
}

#[test]
fn a_watch_that_has_caught_up_with_a_read_vouches_for_it() {
    assert_eq!(told("10", "e", false).tracking, Tracking::Watched);
    assert_eq!(told("9", "older", false).tracking, Tracking::Watched);
    assert!(told("9", "older", false).live.is_some());
}

#[test]
fn later_news_are_told_apart_by_whether_they_touch_what_is_ours() {
    assert_eq!(told("11", "e", false).tracking, Tracking::Moved);
    assert!(told("11", "changed", false).live.is_none());
    assert!(told("10", "e", true).live.is_none());
}

#[test]
fn what_moved_and_was_seen_by_a_watch_stays_moved_whatever_older_news_come() {
    let mut facts = facts();
    facts.tracking = Tracking::Moved;
    let seen = Seen {
        entry: Some("e".into()),
        resource_version: "9".into(),
        deleted: false,
    };
    seen.apply_to(&mut facts);
    assert_eq!(facts.tracking, Tracking::Moved);
}

/// Level wire, seed 306527: what was written right before a watch lost its place, and went right after, was
/// taken to be there for ever.
#[test]
fn what_a_watch_that_begins_anew_does_not_find_is_read_again() {
    let found = |tracking: Tracking| {
        let mut facts = facts();
        facts.tracking = tracking;
        not_listed(&mut facts);
        facts.live.is_some()
    };
    assert!(!found(Tracking::Watched));
    assert!(!found(Tracking::Moved));
    assert!(found(Tracking::Polled), "it is looked at in its own time");
}

#[test]
fn a_deletion_counts_whatever_version_it_shows() {
    assert!(told("9", "e", true).live.is_none());
}

/// Versions are numbers nearly everywhere; where they aren't, any other one is news.
#[test]
fn versions_are_compared_as_numbers_or_else_for_being_equal() {
    for (event, read, later) in [
        ("10", "9", true),
        ("9", "10", false),
        ("9", "9", false),
        ("b", "b", false),
        ("a", "b", true),
        ("9", "b", true),
    ] {
        assert_eq!(is_newer(event, read), later, "{event} after {read}");
    }
}

#[test]
fn what_was_absent_or_could_not_be_read_is_looked_at_again_unless_it_is_gone_still() {
    let unreadable = |class| LiveState::Unreadable(Failure::new(class, "no"));
    let transient = || unreadable(FailureClass::Transient { retry_after: None });
    // That it moved tells nothing about who may read it: the next try has its own time (I4, K10).
    let denied = || unreadable(FailureClass::Denied);
    for (before, deleted, kept) in [
        (LiveState::Absent, true, true),
        (LiveState::Absent, false, false),
        (transient(), true, false),
        (transient(), false, false),
        (denied(), true, true),
        (denied(), false, true),
    ] {
        let mut facts = ObjectFacts {
            live: Some(Fact::seen(before.clone(), Timestamp::default())),
            ..ObjectFacts::default()
        };
        let seen = Seen {
            entry: None,
            resource_version: "1".into(),
            deleted,
        };
        seen.apply_to(&mut facts);
        assert_eq!(facts.live.is_some(), kept, "{before:?}, deleted: {deleted}");
    }
}

fn account(name: &str) -> ServiceAccountName {
    ServiceAccountName::new(name).unwrap()
}

fn identity(name: &str) -> Identity {
    let namespace = Namespace::new("shop").unwrap();
    let account = account(name);
    Identity::resolve(Tenancy::Multi, &namespace, Some(&account), &Target::Local).unwrap()
}

fn key(name: &str) -> ObjectKey {
    ObjectKey {
        group: String::new(),
        kind: "ConfigMap".into(),
        namespace: Some("shop".into()),
        name: name.into(),
    }
}

/// Two accounts have seen two objects; these are still known after one of them moved.
fn left(identity_told: Option<&str>) -> Vec<(String, String)> {
    let mut session = Session::new(StageSetKey::new("shop", "web"));
    for account in ["one", "two"] {
        for name in ["moved", "other"] {
            *session.facts.objects.entry(&identity(account), &key(name)) = facts();
        }
    }
    session.take(Hint::Object {
        identity: identity_told.map(identity),
        key: key("moved"),
        entry: Some("changed".into()),
        resource_version: "11".into(),
        deleted: false,
    });
    let objects = session.facts.objects.iter();
    objects
        .filter(|(_, _, facts)| facts.live.is_some())
        .map(|(identity, key, _)| {
            let account = identity.service_account().unwrap();
            (account.to_string(), key.name.clone())
        })
        .collect()
}

#[test]
fn news_count_for_the_object_and_for_those_whose_watch_told_them() {
    let pair = |account: &str, name: &str| (account.to_owned(), name.to_owned());
    assert_eq!(
        left(Some("one")),
        [
            pair("one", "other"),
            pair("two", "moved"),
            pair("two", "other")
        ]
    );
    assert_eq!(left(None), [pair("one", "other"), pair("two", "other")]);
}

#[test]
fn other_news_drop_what_they_are_about() {
    let namespace = Namespace::new("shop").unwrap();
    let source = |name: &str| SourceReference {
        api_version: "source.toolkit.fluxcd.io/v1".into(),
        kind: "GitRepository".into(),
        namespace: namespace.clone(),
        name: name.into(),
    };
    let stage_set = |name: &str| StageSetReference {
        namespace: namespace.clone(),
        name: name.into(),
    };
    let seen = Timestamp::from_millis(7);
    let mut session = Session::new(StageSetKey::new("shop", "web"));
    for name in ["a", "b"] {
        let facts = &mut session.facts;
        facts
            .sources
            .insert(source(name), Fact::seen(SourceState::Absent, seen));
        let absent = Fact::seen(DependencyState::Absent, seen);
        facts.dependencies.insert(stage_set(name), absent);
        let uid = name.to_owned();
        let failed = Fact {
            value: AccountState::Exists { uid },
            at: seen,
            failures: 3,
        };
        facts.accounts.insert(account(name), failed);
    }
    session.facts.inventories = Some(Fact::seen(Ok(BTreeMap::new()), seen));
    session.facts.ledger = Some(Fact::seen(Ok(None), seen));

    session.take(Hint::Source(source("a")));
    assert!(session.facts.sources.keys().eq([&source("b")]));
    session.take(Hint::Dependency(stage_set("a")));
    assert!(session.facts.dependencies.keys().eq([&stage_set("b")]));
    session.take(Hint::Account(account("a")));
    // Old rather than gone: the former uid tells a recreated account (A07).
    let kept: Vec<(&str, bool, u32)> = session
        .facts
        .accounts
        .iter()
        .map(|(name, fact)| (name.as_str(), fact.at < Timestamp::default(), fact.failures))
        .collect();
    assert_eq!(kept, [("a", true, 0), ("b", false, 3)]);
    session.take(Hint::Inventories);
    assert!(session.facts.inventories.is_none() && session.facts.ledger.is_some());
}

/// What was written last by this very session is no news; whatever came after it is, and so is
/// everything while it isn't known what that was.
#[test]
fn a_ledger_is_read_again_unless_it_stands_as_it_was_last_read_or_written() {
    let dropped = |known: Option<&str>, seen: Option<&str>| {
        let mut session = Session::new(StageSetKey::new("shop", "web"));
        session.facts.ledger = Some(Fact::seen(Ok(None), Timestamp::from_millis(7)));
        session.adopt(Stored::from(json!({})));
        let ledger = known.map(|version| json!({ "metadata": { "resourceVersion": version } }));
        session.known.as_mut().unwrap().ledger = ledger;
        session.take(Hint::Ledger {
            resource_version: seen.map(str::to_owned),
        });
        session.facts.ledger.is_none()
    };
    assert!(!dropped(Some("10"), Some("10")));
    assert!(!dropped(Some("10"), Some("9")), "a watch that is behind");
    assert!(dropped(Some("10"), Some("11")));
    assert!(dropped(Some("10"), None), "it is gone");
    assert!(dropped(None, Some("9")));
    assert!(dropped(None, None));
}
