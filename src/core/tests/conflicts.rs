//! Fields that can't be changed, objects that others own or fight for, and taking over.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't be set up fails"
)]

use std::time::Duration;

use stageset_core::plan::Next;
use stageset_core::spec::{ConflictAnswer, ConflictPolicy, ConflictRule};

use crate::world::{Stored, World, shop, stage};

const MINUTE: Duration = Duration::from_secs(60);

/// One stage with one object of a kind that can't be changed, delivered at r1.
fn world(manifest: &str, policy: ConflictPolicy) -> World {
    let mut world = World::new(vec![stage("app", "app")]);
    for kind in ["StatefulSet", "PersistentVolumeClaim", "Namespace"] {
        world.immutable.insert(kind.into());
    }
    world.edit_spec(|spec| spec.stages[0].conflicts = policy);
    world.publish(
        "app",
        "r1",
        &[&format!("{manifest}=1"), "ConfigMap/settings=1"],
    );
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    world
}

fn update(world: &mut World, manifest: &str) {
    world.publish("app", "r2", &[manifest, "ConfigMap/settings=2"]);
    world.settle(Duration::from_secs(20));
}

fn default(answer: ConflictAnswer) -> ConflictPolicy {
    ConflictPolicy {
        default: answer,
        rules: Vec::new(),
    }
}

fn rule(kind: &str, answer: ConflictAnswer, allow_data_loss: bool) -> ConflictPolicy {
    ConflictPolicy {
        default: ConflictAnswer::Fail,
        rules: vec![ConflictRule {
            api_version: None,
            kind: Some(kind.into()),
            name: None,
            namespace: None,
            answer,
            allow_data_loss,
        }],
    }
}

fn says(world: &World, what: &str) {
    assert!(world.message().contains(what), "{}", world.message());
}

fn uid(world: &World) -> String {
    world.object("StatefulSet", "db").unwrap().uid.clone()
}

#[test]
fn without_a_policy_an_immutable_field_is_told_with_what_would_help() {
    let mut world = world("StatefulSet/db", ConflictPolicy::default());
    let before = uid(&world);
    update(&mut world, "StatefulSet/db=2");
    assert_eq!(world.ready(), "False StageFailed");
    says(&world, "field is immutable");
    says(&world, "action Recreate");
    says(&world, "stages.metio.wtf/force");
    assert_eq!(uid(&world), before);
    assert!(world.done_with("delete").is_empty());
    assert!(
        world.done_with("change").is_empty(),
        "a wave with a failure writes nothing"
    );
}

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

#[test]
fn a_force_annotation_recreates_and_a_keep_existing_one_leaves_alone() {
    let mut forced = world("StatefulSet/db", ConflictPolicy::default());
    update(&mut forced, "StatefulSet/db=@force 2");
    assert_eq!(forced.ready(), "True Succeeded", "{}", forced.message());
    assert_eq!(forced.done_with("delete").len(), 1);

    let mut kept = world("StatefulSet/db", ConflictPolicy::default());
    let before = kept.object("StatefulSet", "db").cloned();
    update(&mut kept, "StatefulSet/db=@keep-existing 2");
    assert_eq!(kept.ready(), "True Succeeded", "{}", kept.message());
    assert_eq!(kept.object("StatefulSet", "db").cloned(), before);
}

#[test]
fn keep_existing_creates_what_is_absent_and_never_changes_what_is_there() {
    let mut world = shop();
    world.edit_spec(|spec| {
        spec.stages[0].conflicts = rule("ConfigMap", ConflictAnswer::KeepExisting, false);
    });
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    let before = world.object("ConfigMap", "settings").cloned();
    assert!(before.is_some(), "it was absent");
    world.publish(
        "config",
        "r2",
        &["ConfigMap/settings=2", "Deployment/cache=1"],
    );
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    assert_eq!(world.object("ConfigMap", "settings").cloned(), before);
    world.objects.retain(|key, _| key.name != "settings");
    world.crash();
    world.settle(MINUTE);
    assert!(world.object("ConfigMap", "settings").is_some());
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
    for kind in ["PersistentVolumeClaim", "Namespace"] {
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
fn d1_a_deletion_right_after_a_lost_object_was_made_anew_forgets_nothing() {
    for turns in 0..20 {
        let mut world = shop();
        world.settle(MINUTE);
        world.objects.retain(|key, _| key.name != "settings");
        world.crash();
        for _ in 0..turns {
            let _ = world.turn();
        }
        world.deletion_timestamp = Some(world.now);
        world.settle(MINUTE);
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

/// Somebody who knows better, for so many seconds.
fn fight(world: &mut World, seconds: u64) {
    world.writer = Some("kubectl-edit".into());
    for _ in 0..seconds {
        for (key, stored) in &mut world.objects {
            if key.name == "settings" {
                stored.content = "theirs".into();
                stored.version += 1;
                stored.entry = format!("theirs-{}", stored.version);
            }
        }
        world.forget_what_was_seen();
        world.pass();
        world.now = world.now.plus(Duration::from_secs(1));
    }
}

#[test]
fn a_fight_is_noticed_told_and_slowed_down() {
    let mut world = shop();
    world.settle(MINUTE);
    let before = world.done_with("change ConfigMap").len();
    fight(&mut world, 1200);
    let rounds = world.done_with("change ConfigMap").len() - before;
    assert!(
        (4..=10).contains(&rounds),
        "{rounds} corrections in 20 minutes"
    );
    assert_eq!(world.ready(), "False StageFailed");
    for what in [
        "ConfigMap payments/settings",
        "spec",
        "kubectl-edit",
        "left as it is",
    ] {
        says(&world, what);
    }
    let failed = world
        .events
        .iter()
        .filter(|(reason, _)| reason == "StageFailed");
    assert!(failed.count() <= 10);
    // The other writer stops: the next round settles it.
    world.settle(Duration::from_secs(700));
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}

#[test]
fn a_fight_over_one_object_doesn_t_keep_the_others_from_being_put_right() {
    let mut world = shop();
    world.settle(MINUTE);
    fight(&mut world, 30);
    assert_eq!(world.ready(), "False StageFailed");
    world.objects.retain(|key, _| key.kind == "ConfigMap");
    fight(&mut world, 5);
    assert!(
        world.object("Deployment", "cache").is_some(),
        "same stage, same wave"
    );
    assert!(world.object("Service", "web").is_some(), "the next stage");
}

#[test]
fn drift_is_told_with_what_changed_and_who_did_it() {
    let mut world = shop();
    world.settle(MINUTE);
    fight(&mut world, 1);
    let (_, said) = world
        .events
        .iter()
        .find(|(reason, _)| reason == "DriftCorrected")
        .unwrap();
    assert!(
        said.contains("ConfigMap payments/settings (drift in spec, by kubectl-edit)"),
        "{said}"
    );
}

#[test]
fn k14_former_managers_are_taken_over_before_the_first_apply_and_recorded_before() {
    let mut world = shop();
    let stored = Stored {
        former: vec!["kubectl-client-side-apply".into()],
        ..Stored::foreign("u-old", world.now)
    };
    let key = world.key("ConfigMap", "settings");
    world.objects.insert(key, stored);
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    let done: Vec<&str> = world.done.iter().map(|done| done.what.as_str()).collect();
    let at = |word: &str| done.iter().position(|what| what.contains(word)).unwrap();
    assert!(at("in the inventory of stage config") < at("take over ConfigMap payments/settings"));
    assert!(at("take over ConfigMap") < at("change ConfigMap payments/settings"));
    assert_eq!(world.done_with("take over").len(), 1);
    assert_eq!(world.object("ConfigMap", "settings").unwrap().uid, "u-old");
}
