//! Fields that can't be changed, objects that others own or fight for, and taking over. Recreating is in
//! `recreation`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't be set up fails"
)]

use std::time::Duration;

use stageset_core::failure::{Fact, FailureClass};
use stageset_core::identity::{Identity, Target, Tenancy};
use stageset_core::names::{Namespace, ServiceAccountName};
use stageset_core::observation::{Correction, LiveState, ObjectFacts};
use stageset_core::plan::Need;
use stageset_core::spec::{ConflictAnswer, ConflictPolicy, ConflictRule};

use crate::world::{NAMESPACE, Stored, World, shop, stage};

const MINUTE: Duration = Duration::from_secs(60);

/// Kinds with which data goes.
pub(crate) const DATA: [&str; 4] = [
    "PersistentVolumeClaim",
    "PersistentVolume",
    "Namespace",
    "CustomResourceDefinition",
];

/// One stage with one object of a kind that can't be changed, delivered at r1.
pub(crate) fn world(manifest: &str, policy: ConflictPolicy) -> World {
    let mut world = World::new(vec![stage("app", "app")]);
    for kind in ["StatefulSet"].iter().chain(&DATA) {
        world.immutable.insert((*kind).into());
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

pub(crate) fn update(world: &mut World, manifest: &str) {
    world.publish("app", "r2", &[manifest, "ConfigMap/settings=2"]);
    world.settle(Duration::from_secs(20));
}

pub(crate) fn default(answer: ConflictAnswer) -> ConflictPolicy {
    ConflictPolicy {
        default: answer,
        rules: Vec::new(),
    }
}

pub(crate) fn rule(kind: &str, answer: ConflictAnswer, allow_data_loss: bool) -> ConflictPolicy {
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

pub(crate) fn says(world: &World, what: &str) {
    assert!(world.message().contains(what), "{}", world.message());
}

pub(crate) fn uid(world: &World) -> String {
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
    for crashes in [true, false] {
        world.objects.retain(|key, _| key.name != "settings");
        if crashes {
            world.crash();
        }
        world.tick();
        assert!(
            world.object("ConfigMap", "settings").is_some(),
            "crashes: {crashes}"
        );
    }
}

/// Whatever is known of it besides: a dry run that found it is enough not to write it.
#[test]
fn what_is_to_be_kept_is_not_written_where_only_the_dry_run_found_it() {
    for (answer, writes) in [
        (ConflictAnswer::Fail, true),
        (ConflictAnswer::KeepExisting, false),
    ] {
        let mut world = shop();
        world.settle(MINUTE);
        world.publish(
            "config",
            "r2",
            &["ConfigMap/settings=2", "Deployment/cache=1"],
        );
        let would_write = |world: &World| {
            let plan = stageset_core::reconcile(&world.observation());
            let mut operations = plan.steps.into_iter().flatten();
            operations.any(|operation| {
                operation
                    .to_string()
                    .contains("ConfigMap payments/settings")
            })
        };
        while !would_write(&world) {
            let _ = world.turn();
        }
        world.edit_spec(|spec| spec.stages[0].conflicts = rule("ConfigMap", answer, false));
        let now = world.now;
        known(&mut world, "ConfigMap", "settings").live = Some(Fact::seen(LiveState::Absent, now));
        assert_eq!(would_write(&world), writes, "{answer:?}");
    }
}

/// Whether it is there decides: what can't be seen isn't created, and is asked for now and then.
#[test]
fn an_object_that_is_to_be_kept_and_can_t_be_read_is_told_and_waited_for() {
    let mut world = shop();
    world.edit_spec(|spec| {
        spec.stages[0].conflicts = rule("ConfigMap", ConflictAnswer::KeepExisting, false);
    });
    let user = "system:serviceaccount:payments:deployer".to_owned();
    world
        .denied
        .insert((user, "get".into(), "ConfigMap".into()));
    world.settle(5 * MINUTE);
    assert_eq!(world.ready(), "False RBACDenied", "{}", world.message());
    assert!(world.object("ConfigMap", "settings").is_none());
    assert!(world.requests < 60, "{}", world.requests);
    world.denied.clear();
    world.settle(2 * MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
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

/// What the account knows of an object.
pub(crate) fn known<'w>(world: &'w mut World, kind: &str, name: &str) -> &'w mut ObjectFacts {
    let namespace = Namespace::new(NAMESPACE).unwrap();
    let account = ServiceAccountName::new("deployer").unwrap();
    let identity =
        Identity::resolve(Tenancy::Multi, &namespace, Some(&account), &Target::Local).unwrap();
    let mut keys = world.objects.keys();
    let key = keys.find(|key| key.kind == kind && key.name == name);
    world.facts.objects.entry(&identity, key.unwrap())
}

#[test]
fn corrections_of_other_fields_and_those_of_long_ago_are_no_fight() {
    for (field, ago, fights) in [
        ("spec", 30, true),
        ("data", 30, false),
        ("spec", 2 * 3600, false),
    ] {
        let mut world = shop();
        world.settle(MINUTE);
        let at = world.now;
        for _ in 0..5 {
            let fields = vec![field.to_owned()];
            known(&mut world, "ConfigMap", "settings").corrected(Correction { at, fields });
        }
        world.now = at.plus(Duration::from_secs(ago));
        if ago > 3600 {
            let fields = vec![field.to_owned()];
            let at = world.now;
            known(&mut world, "ConfigMap", "settings").corrected(Correction { at, fields });
        }
        fight(&mut world, 1);
        let said = world.message().contains("left as it is");
        assert_eq!(said, fights, "{field}, {ago} s ago: {}", world.message());
    }
}

#[test]
fn an_object_whose_labels_or_whose_uid_changed_is_tried_again() {
    let mut world = shop();
    world.settle(MINUTE);
    let labelled = world.object("ConfigMap", "settings").unwrap().owner.clone();
    for (key, stored) in &mut world.objects {
        if key.name == "settings" {
            stored.owner = None;
        }
    }
    world.tick();
    let now = world.object("ConfigMap", "settings").unwrap().owner.clone();
    assert_eq!(now, labelled, "labels");

    for (key, stored) in &mut world.objects {
        if key.name == "settings" {
            stored.uid = "another".into();
        }
    }
    world.now = world.now.plus(Duration::from_secs(1200));
    world.refresh_before = world.now;
    let tried = |world: &mut World| {
        let plan = world.turn();
        let mut needs = plan.needs.iter();
        needs.any(|need| matches!(need, Need::DryRun { object, .. } if object.reference.key.name == "settings"))
    };
    assert!((0..20).any(|_| tried(&mut world)), "uid");
}

#[test]
fn a_write_that_failed_is_tried_again_after_its_pause() {
    let mut failed = 0;
    for nth in 1..20 {
        let mut world = shop();
        world.settle(MINUTE);
        world.publish(
            "config",
            "r2",
            &["ConfigMap/settings=2", "Deployment/cache=1"],
        );
        world.fault = Some((world.requests + nth, FailureClass::Rejected));
        let _ = world.pass();
        if known(&mut world, "ConfigMap", "settings")
            .write_failure
            .is_none()
        {
            continue;
        }
        failed += 1;
        assert_eq!(world.ready(), "False StageFailed", "{}", world.message());
        says(&world, "injected fault");
        world.settle(MINUTE);
        assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    }
    assert!(failed > 0, "no write failed");
}

/// Nobody tells us when another StageSet lets go of an object; somebody may ask.
#[test]
fn an_object_that_another_stageset_has_let_go_of_is_taken_at_the_next_request() {
    let mut world = shop();
    let owner = |world: &mut World, name: &str| {
        for (key, stored) in &mut world.objects {
            if key.name == "settings" {
                stored.owner.as_mut().unwrap().name = name.into();
            }
        }
    };
    world.settle(MINUTE);
    owner(&mut world, "other");
    world.publish(
        "config",
        "r2",
        &["ConfigMap/settings=2", "Deployment/cache=1"],
    );
    let _ = world.pass();
    says(&world, "belongs to StageSet payments/other");
    let before = world.requests;
    world.settle(5 * MINUTE);
    assert!(world.requests - before < 40, "{}", world.requests - before);
    owner(&mut world, "shop");
    world.now = world.now.plus(Duration::from_secs(1));
    world.refresh_before = world.now;
    world.settle(Duration::from_secs(10));
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}
