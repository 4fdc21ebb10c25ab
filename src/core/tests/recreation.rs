//! An object that is deleted to be created anew: when that is permitted, and how often.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't be set up fails"
)]

use std::time::Duration;

use stageset_core::failure::{Fact, Failure, FailureClass};
use stageset_core::plan::Next;
use stageset_core::spec::{ConflictAnswer, ConflictPolicy};
use stageset_core::time::Timestamp;

use crate::conflicts::{DATA, default, known, rule, says, uid, update, world};
use crate::world::World;

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn recreate_deletes_waits_and_creates_anew_once() {
    for policy in [
        default(ConflictAnswer::Recreate),
        rule("StatefulSet", ConflictAnswer::Recreate, false),
    ] {
        let mut world = world("StatefulSet/db", policy);
        let before = uid(&world);
        update(&mut world, "StatefulSet/db=2");
        assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
        assert_ne!(uid(&world), before);
        assert_eq!(world.done_with("delete").len(), 1);
        let told = |(reason, said): &(String, String)| {
            reason == "ObjectRecreated" && said.contains("StatefulSet.apps payments/db")
        };
        assert!(world.events.iter().any(told), "{:?}", world.events);
        let inventory = world.inventories.values().next().unwrap();
        let entry = inventory.entries.iter().find(|(key, _)| key.name == "db");
        assert_eq!(entry.unwrap().1.uid, Some(uid(&world)));
    }
}

/// Somebody may have changed the object, or forbidden its deletion, between the look and the refusal.
#[test]
fn a_look_of_before_the_refusal_is_not_enough_to_delete() {
    for (before, deletes) in [(0, true), (1, false)] {
        let mut world = world("StatefulSet/db", default(ConflictAnswer::Recreate));
        world.publish("app", "r2", &["StatefulSet/db=2", "ConfigMap/settings=2"]);
        let would_delete = |world: &World| {
            let plan = stageset_core::reconcile(&world.observation());
            let mut operations = plan.steps.into_iter().flatten();
            operations.any(|operation| operation.to_string().starts_with("delete StatefulSet"))
        };
        while !would_delete(&world) {
            let _ = world.turn();
        }
        let facts = known(&mut world, "StatefulSet", "db");
        let tried = facts.dry_run.as_ref().unwrap().1.at;
        let seen = facts.live.as_mut().unwrap();
        seen.at = Timestamp::from_millis(tried.as_millis() - before);
        assert_eq!(would_delete(&world), deletes, "{before} ms before");
    }
}

fn refused(mut world: World, manifest: &str) {
    let before = world.objects.len();
    update(&mut world, manifest);
    assert_eq!(world.ready(), "False StageFailed", "{}", world.message());
    says(&world, "allowDataLoss: true");
    assert!(world.done_with("delete").is_empty());
    assert_eq!(world.objects.len(), before);
}

#[test]
fn data_is_never_lost_without_a_rule_that_permits_it() {
    for kind in DATA {
        let (first, next) = (format!("{kind}/db"), format!("{kind}/db=2"));
        refused(world(&first, default(ConflictAnswer::Recreate)), &next);
        refused(
            world(&first, rule(kind, ConflictAnswer::Recreate, false)),
            &next,
        );
        refused(
            world(&first, ConflictPolicy::default()),
            &format!("{kind}/db=@force 2"),
        );
        let mut permitted = world(&first, rule(kind, ConflictAnswer::Recreate, true));
        update(&mut permitted, &next);
        assert_eq!(
            permitted.ready(),
            "True Succeeded",
            "{}",
            permitted.message()
        );
        assert_eq!(permitted.done_with("delete").len(), 1);
    }
    let mut taking = world("StatefulSet/db", default(ConflictAnswer::Recreate));
    for (key, stored) in &mut taking.objects {
        stored.takes_claims_along = key.kind == "StatefulSet";
    }
    refused(taking, "StatefulSet/db=2");
}

#[test]
fn an_object_that_must_not_be_pruned_isn_t_recreated_either() {
    let mut world = world("StatefulSet/db", default(ConflictAnswer::Recreate));
    for stored in world.objects.values_mut() {
        stored.prune_disabled = true;
    }
    update(&mut world, "StatefulSet/db=2");
    assert_eq!(world.ready(), "False StageFailed");
    says(&world, "prune: disabled");
    assert!(world.done_with("delete").is_empty());

    // What the message advises helps.
    says(&world, "Take the annotation off it");
    for stored in world.objects.values_mut() {
        stored.prune_disabled = false;
    }
    world.settle(2 * MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    assert_eq!(world.done_with("delete").len(), 1);
}

#[test]
fn another_stageset_s_object_isn_t_recreated() {
    let mut world = world("StatefulSet/db", default(ConflictAnswer::Recreate));
    for (key, stored) in &mut world.objects {
        if key.kind == "StatefulSet" {
            stored.owner.as_mut().unwrap().name = "other".into();
        }
    }
    update(&mut world, "StatefulSet/db=2");
    says(&world, "belongs to StageSet payments/other");
    assert!(world.done_with("delete").is_empty());
    let before = world.requests;
    world.settle(5 * MINUTE);
    assert!(world.requests - before < 40, "{}", world.requests - before);

    // Once the other one lets go it may be.
    for stored in world.objects.values_mut() {
        stored.owner.as_mut().unwrap().name = "shop".into();
    }
    world.settle(2 * MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}

/// Turns until the object is there with the content of this revision; then something on its way changes
/// it, and the process dies before anything more is recorded.
fn made_anew_and_mangled(world: &mut World) {
    let before = world.object("StatefulSet", "db").map(|db| db.uid.clone());
    for _ in 0..50 {
        let now = world.object("StatefulSet", "db").map(|db| db.uid.clone());
        if now.is_some() && now != before {
            break;
        }
        let _ = world.turn();
    }
    mangle(world);
    world.crash();
}

fn mangle(world: &mut World) {
    for (key, stored) in &mut world.objects {
        if key.kind == "StatefulSet" {
            stored.content = "mangled".into();
            stored.entry = "mangled".into();
            stored.version += 1;
        }
    }
}

fn is_refused_for_good(world: &mut World, deletes: usize) {
    world.settle(5 * MINUTE);
    assert_eq!(world.ready(), "False StageFailed", "{}", world.message());
    says(world, "was delivered anew with this very content before");
    assert_eq!(world.done_with("delete").len(), deletes);
}

#[test]
fn what_was_made_anew_right_before_a_crash_isn_t_deleted_once_more() {
    let mut world = world("StatefulSet/db", default(ConflictAnswer::Recreate));
    world.publish("app", "r2", &["StatefulSet/db=2", "ConfigMap/settings=2"]);
    made_anew_and_mangled(&mut world);
    is_refused_for_good(&mut world, 1);
}

#[test]
fn what_somebody_deleted_and_was_made_anew_right_before_a_crash_isn_t_deleted() {
    let mut world = world("StatefulSet/db", default(ConflictAnswer::Recreate));
    world.objects.retain(|key, _| key.kind != "StatefulSet");
    world.crash();
    made_anew_and_mangled(&mut world);
    is_refused_for_good(&mut world, 0);
}

#[test]
fn what_was_put_right_with_the_content_that_it_had_isn_t_deleted_for_that_content() {
    let mut world = world("StatefulSet/db", default(ConflictAnswer::Recreate));
    let kinds = std::mem::take(&mut world.immutable);
    mangle(&mut world);
    world.crash();
    for _ in 0..50 {
        if world.object("StatefulSet", "db").unwrap().content != "mangled" {
            break;
        }
        let _ = world.turn();
    }
    world.immutable = kinds;
    mangle(&mut world);
    world.crash();
    is_refused_for_good(&mut world, 0);
}

/// Somebody else made another one in its place: this content was never delivered to that.
#[test]
fn what_somebody_else_put_in_its_place_is_recreated_though_the_content_was_delivered_before() {
    let mut world = world("StatefulSet/db", default(ConflictAnswer::Recreate));
    let first = world.object("StatefulSet", "db").unwrap().content.clone();
    mangle(&mut world);
    for (key, stored) in &mut world.objects {
        if key.kind == "StatefulSet" {
            stored.uid = "u-theirs".into();
        }
    }
    world.crash();
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    assert_eq!(world.object("StatefulSet", "db").unwrap().content, first);
    assert_eq!(world.done_with("delete").len(), 1);
}

/// Only recreating rests on it, so that others are spared the write.
#[test]
fn the_content_before_is_forgotten_ahead_of_a_write_only_where_an_object_may_be_recreated() {
    let records = |policy| {
        let mut world = world("StatefulSet/db", policy);
        world.immutable.clear();
        let before = world.done_with("record").len();
        update(&mut world, "StatefulSet/db=2");
        assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
        world.done_with("record").len() - before
    };
    let plain = records(ConflictPolicy::default());
    assert!(
        plain < records(default(ConflictAnswer::Recreate)),
        "{plain}"
    );
}

#[test]
fn an_object_that_can_t_be_read_isn_t_deleted_and_is_asked_for_now_and_then() {
    let mut world = world("StatefulSet/db", default(ConflictAnswer::Recreate));
    let user = "system:serviceaccount:payments:deployer".to_owned();
    world
        .denied
        .insert((user, "get".into(), "StatefulSet".into()));
    let before = world.requests;
    update(&mut world, "StatefulSet/db=2");
    world.settle(5 * MINUTE);
    assert_eq!(world.ready(), "False RBACDenied", "{}", world.message());
    assert!(world.done_with("delete").is_empty());
    assert!(world.requests - before < 80, "{}", world.requests - before);
    world.denied.clear();
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}

/// Each deletion meets another version than the one that was looked at.
#[test]
fn an_object_that_changes_faster_than_it_is_looked_at_is_deleted_in_no_hot_loop() {
    let mut world = world("StatefulSet/db", default(ConflictAnswer::Recreate));
    world.publish("app", "r2", &["StatefulSet/db=2", "ConfigMap/settings=2"]);
    let begun = world.now;
    let before = world.requests;
    for _ in 0..500 {
        let plan = world.turn();
        for stored in world.objects.values_mut() {
            stored.version += 1;
        }
        if let Next::Hold { until, .. } = plan.next {
            world.now = until;
        }
    }
    let (asked, span) = (world.requests - before, world.now.since(begun));
    assert!(span > 5 * MINUTE, "{asked} requests within {span:?}");
    world.settle(2 * MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}

/// A write of other content failed: that says nothing of the deletion.
#[test]
fn a_failed_write_doesn_t_hold_up_the_deletion_for_another_content() {
    let mut world = world("StatefulSet/db", default(ConflictAnswer::Recreate));
    let failed = Fact {
        value: Failure::new(FailureClass::Rejected, "no"),
        at: world.now,
        failures: 9,
    };
    let facts = known(&mut world, "StatefulSet", "db");
    facts.write_failure = Some(Box::new(("other".into(), failed)));
    update(&mut world, "StatefulSet/db=2");
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}

#[test]
fn an_object_is_recreated_at_most_once_for_a_revision_whatever_comes_between() {
    let mut world = world("StatefulSet/db", default(ConflictAnswer::Recreate));
    world.publish("app", "r2", &["StatefulSet/db=2", "ConfigMap/settings=2"]);
    // A webhook changes it on its way: what is stored never agrees. And the process dies every turn.
    for _ in 0..60 {
        for _ in 0..12 {
            let _ = world.turn();
            for (key, stored) in &mut world.objects {
                if key.kind == "StatefulSet" {
                    stored.content = "mangled".into();
                    stored.entry = "mangled".into();
                }
            }
        }
        world.crash();
        world.now = world.now.plus(Duration::from_secs(70));
    }
    assert_eq!(world.done_with("delete").len(), 1);
    assert_eq!(world.ready(), "False StageFailed");
    says(&world, "was delivered anew with this very content before");
    world.publish("app", "r3", &["StatefulSet/db=3", "ConfigMap/settings=2"]);
    world.settle(MINUTE);
    assert_eq!(
        world.done_with("delete").len(),
        2,
        "the next revision may try again"
    );
}

/// The seed 5726857 of the trials: the object went for one revision and was made anew for another.
#[test]
fn a_revision_that_was_left_before_its_object_was_made_anew_may_recreate_it_when_it_returns() {
    let mut world = world("StatefulSet/db", default(ConflictAnswer::Recreate));
    let publish = |world: &mut World, revision: &str, content: &str| {
        let db = format!("StatefulSet/db={content}");
        world.publish("app", revision, &[&db, "ConfigMap/settings=2"]);
    };
    publish(&mut world, "r2", "2");
    for _ in 0..50 {
        if world.object("StatefulSet", "db").is_none() {
            break;
        }
        let _ = world.turn();
    }
    publish(&mut world, "r3", "3");
    for _ in 0..50 {
        if world.object("StatefulSet", "db").is_some() {
            break;
        }
        let _ = world.turn();
    }
    let content = |world: &World| world.object("StatefulSet", "db").unwrap().content.clone();
    let third = content(&world);
    publish(&mut world, "r2", "2");
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    assert_ne!(content(&world), third);
    assert_eq!(world.done_with("delete").len(), 2);
}

/// The seed 5924311 of the trials. The revision between is applied and never becomes Ready, so that the
/// inventory's last word on the content is the first one's.
#[test]
fn a_revision_that_returns_may_recreate_what_another_one_has_changed_meanwhile() {
    for deleted in [false, true] {
        let mut world = world("StatefulSet/db", default(ConflictAnswer::Recreate));
        let first = world.object("StatefulSet", "db").unwrap().content.clone();
        world.immutable.clear();
        if deleted {
            world.objects.retain(|key, _| key.kind != "StatefulSet");
        }
        world.publish("app", "r2", &["StatefulSet/db=2", "ConfigMap/settings=1"]);
        let content = |world: &World| {
            let db = world.object("StatefulSet", "db");
            db.map(|db| db.content.clone())
        };
        for _ in 0..50 {
            if content(&world).is_some_and(|content| content != first) {
                break;
            }
            let _ = world.turn();
        }
        let between = uid(&world);
        world.immutable.insert("StatefulSet".into());
        world.publish("app", "r1", &["StatefulSet/db=1", "ConfigMap/settings=1"]);
        world.settle(MINUTE);
        assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
        assert_eq!(content(&world), Some(first), "deleted: {deleted}");
        assert_ne!(uid(&world), between);
    }
}

#[test]
fn a_recreation_survives_a_crash_in_every_gap_and_is_never_forgotten() {
    let mut turns = 0;
    loop {
        let mut world = world("StatefulSet/db", default(ConflictAnswer::Recreate));
        world.publish("app", "r2", &["StatefulSet/db=2", "ConfigMap/settings=2"]);
        let mut rested = false;
        for _ in 0..turns {
            rested = world.turn().next != Next::Again;
        }
        world.crash();
        world.settle(MINUTE);
        assert_eq!(
            world.ready(),
            "True Succeeded",
            "{turns}: {}",
            world.message()
        );
        assert_eq!(world.done_with("delete").len(), 1, "{turns}");
        if rested {
            break;
        }
        turns += 1;
    }
    assert!(turns > 5, "the gaps were not reached: {turns}");
    for turns in 0..turns + 2 {
        let mut world = world("StatefulSet/db", default(ConflictAnswer::Recreate));
        world.publish("app", "r2", &["StatefulSet/db=2", "ConfigMap/settings=2"]);
        for _ in 0..turns {
            let _ = world.turn();
        }
        world.deletion_timestamp = Some(world.now);
        world.settle(MINUTE);
        assert!(world.gone);
        assert!(
            world.objects.is_empty(),
            "after {turns} turns: {:?}",
            world.objects.keys()
        );
    }
}

#[test]
fn gap_11_an_old_object_that_won_t_go_is_waited_for_within_a_bound() {
    let mut world = world("StatefulSet/db", default(ConflictAnswer::Recreate));
    world.sticky.insert("db".into());
    update(&mut world, "StatefulSet/db=2");
    assert_eq!(
        world.ready(),
        "False StageProgressing",
        "{}",
        world.message()
    );
    says(&world, "to go before it is created anew");
    says(&world, "(finalizers example.org/held hold it)");
    let before = world.requests;
    world.settle(Duration::from_secs(600));
    assert!(world.requests - before < 250, "{}", world.requests - before);
    assert_eq!(world.ready(), "False StageFailed");
    says(&world, "is still there");
    world.objects.retain(|key, _| key.name != "db");
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}

#[test]
fn a_denied_deletion_is_told_and_not_repeated_in_a_hot_loop() {
    let mut world = world("StatefulSet/db", default(ConflictAnswer::Recreate));
    let user = "system:serviceaccount:payments:deployer".to_owned();
    world
        .denied
        .insert((user, "delete".into(), "StatefulSet".into()));
    let before = world.requests;
    update(&mut world, "StatefulSet/db=2");
    world.settle(Duration::from_secs(300));
    assert_eq!(world.ready(), "False RBACDenied", "{}", world.message());
    assert!(world.requests - before < 80, "{}", world.requests - before);
    world.denied.clear();
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}
