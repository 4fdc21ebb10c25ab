//! Expressions, and objects that stop being ready.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't be set up fails"
)]

use std::time::Duration;

use serde_json::json;
use stageset_core::judge::cel::Expression;
use stageset_core::observation::{Phase, Tracking};
use stageset_core::plan::Next;
use stageset_core::spec::ReadyExpressions;

use crate::world::{World, shop, stage};

const MINUTE: Duration = Duration::from_secs(60);

/// It was written already: that it gets ready is on record, whatever the health of the others (K09).
#[test]
fn a_stage_gets_ready_behind_one_that_is_not_any_more() {
    let mut world = shop();
    world.edit_spec(|spec| spec.stages.push(stage("extra", "extra")));
    world.publish("extra", "r1", &["ConfigMap/extra=1"]);
    let verifies = |world: &World| {
        let stage = world.status.stages.get(1);
        stage.is_some_and(|stage| stage.phase == Phase::Verifying)
    };
    while !verifies(&world) {
        if let Next::Hold { until, .. } = world.turn().next {
            world.now = until;
        }
        for (key, stored) in &mut world.objects {
            if key.name == "web" {
                stored.ready_at = world.now.plus(MINUTE);
            }
        }
    }
    let (soon, late) = (world.now.plus(MINUTE), world.now.plus(MINUTE * 60));
    for (key, stored) in &mut world.objects {
        match key.name.as_str() {
            "web" => stored.ready_at = soon,
            "cache" => stored.ready_at = late,
            _ => {}
        }
    }
    world.forget_what_was_seen();
    world.settle(MINUTE * 5);
    let phases: Vec<Phase> = world
        .status
        .stages
        .iter()
        .map(|stage| stage.phase)
        .collect();
    assert_eq!(phases[..2], [Phase::Verifying, Phase::Ready]);
    assert!(
        world.message().contains("payments/cache"),
        "{}",
        world.message()
    );
    assert!(
        world.object("ConfigMap", "extra").is_none(),
        "what is new waits"
    );
}

#[test]
fn what_takes_a_second_is_said_and_what_takes_less_is_not() {
    let mut world = shop();
    let ready_at = world.now.plus(MINUTE);
    while world.object("Deployment", "cache").is_none() {
        assert_eq!(world.turn().next, Next::Again);
    }
    for stored in world.objects.values_mut() {
        stored.ready_at = ready_at;
    }
    world.forget_what_was_seen();
    let written = world.now;
    let Next::Hold { until, .. } = world.pass() else {
        panic!("it waits")
    };
    let second = written.plus(Duration::from_secs(1));
    assert_eq!(until, second);
    assert!(
        !world.message().contains("waiting for"),
        "{}",
        world.message()
    );
    world.now = second;
    world.pass();
    assert!(
        world.message().contains("waiting for"),
        "{}",
        world.message()
    );
}

fn judged(current: Option<&str>, in_progress: Option<&str>, failed: Option<&str>) -> World {
    let mut world = shop();
    let compiled = |text: Option<&str>| text.map(|text| Expression::compile(text).unwrap());
    world.edit_spec(|spec| {
        spec.stages[0].expressions = vec![ReadyExpressions {
            group: String::new(),
            kind: "ConfigMap".into(),
            current: compiled(current),
            in_progress: compiled(in_progress),
            failed: compiled(failed),
        }];
    });
    world
}

fn settings_say(world: &mut World, status: &serde_json::Value) {
    for (key, stored) in &mut world.objects {
        if key.name == "settings" {
            stored.status = status.clone();
        }
    }
}

#[test]
fn expressions_decide_when_an_object_is_ready() {
    let mut world = judged(
        Some("has(status.phase) && status.phase == 'Done'"),
        Some("has(status.phase) && status.phase == 'Busy'"),
        Some("has(status.phase) && status.phase == 'Broken'"),
    );
    world.settle(Duration::from_secs(30));
    assert_eq!(world.ready(), "False StageProgressing");
    assert!(
        world.message().contains("doesn't hold yet"),
        "{}",
        world.message()
    );
    settings_say(&mut world, &json!({ "phase": "Busy" }));
    world.settle(Duration::from_secs(30));
    assert_eq!(world.ready(), "False StageProgressing");
    settings_say(&mut world, &json!({ "phase": "Broken" }));
    world.settle(Duration::from_secs(30));
    assert_eq!(world.ready(), "False StageFailed", "{}", world.message());
    settings_say(&mut world, &json!({ "phase": "Done" }));
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}

/// Neither the group alone nor the kind alone makes an object what an expression is about.
#[test]
fn expressions_are_about_their_own_group_and_kind_only() {
    for (group, kind) in [("", "Deployment"), ("apps", "ConfigMap")] {
        let mut world = judged(None, None, Some("true"));
        world.edit_spec(|spec| {
            let expressions = &mut spec.stages[0].expressions[0];
            expressions.group = group.into();
            expressions.kind = kind.into();
        });
        world.settle(MINUTE);
        assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    }
}

#[test]
fn an_expression_that_errs_is_not_ready_and_says_why_without_the_object_s_content() {
    let mut world = judged(Some("status.phase == 'Done'"), None, None);
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False StageProgressing");
    assert!(
        world.message().contains("there is no field \"phase\""),
        "{}",
        world.message()
    );
    settings_say(&mut world, &json!({ "phase": "Done" }));
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}

#[test]
fn a_status_of_an_older_generation_satisfies_no_expression() {
    let mut world = judged(
        Some("has(status.phase) && status.phase == 'Done'"),
        None,
        None,
    );
    world.settle(Duration::from_secs(5));
    // Objects of this world are at generation 1.
    settings_say(
        &mut world,
        &json!({ "phase": "Done", "observedGeneration": 0 }),
    );
    world.settle(Duration::from_secs(30));
    assert_eq!(
        world.ready(),
        "False StageProgressing",
        "{}",
        world.message()
    );
    assert!(
        world.message().contains("generation 0 of 1"),
        "{}",
        world.message()
    );
    settings_say(
        &mut world,
        &json!({ "phase": "Done", "observedGeneration": 1 }),
    );
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}

#[test]
fn disable_wait_skips_kstatus_but_neither_checks_nor_expressions() {
    let mut world = judged(
        Some("has(status.phase) && status.phase == 'Done'"),
        None,
        None,
    );
    world.edit_spec(|spec| spec.stages[0].disable_wait = true);
    world
        .slow
        .insert("Deployment".into(), Duration::from_secs(36_000));
    world.settle(Duration::from_secs(30));
    assert!(
        world.message().contains("0 of 1 objects ready"),
        "{}",
        world.message()
    );
    settings_say(&mut world, &json!({ "phase": "Done" }));
    world.settle(Duration::from_secs(30));
    assert!(
        world.object("Service", "web").is_some(),
        "{}",
        world.message()
    );
}

#[test]
fn an_object_that_stops_being_ready_is_noticed_when_its_watch_tells_that_it_moved() {
    let mut world = shop();
    world.edit_spec(|spec| spec.timeout = Some(MINUTE));
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded");
    world.now = world.now.plus(Duration::from_secs(200));
    let later = world.now.plus(Duration::from_secs(40));
    for (key, stored) in &mut world.objects {
        if key.kind == "Deployment" && key.name == "cache" {
            stored.ready_at = later;
            stored.version += 1;
        }
    }
    let before = world.requests;
    world.pass();
    assert_eq!(world.requests, before, "nobody told");
    let moved = |world: &mut World| {
        for (_, _, facts) in world.facts.objects.iter_mut() {
            facts.tracking = Tracking::Moved;
        }
    };
    moved(&mut world);
    world.pass();
    assert_eq!(world.ready(), "False StageProgressing");
    assert_eq!(world.status.stages[0].phase, Phase::Verifying);
    let since = world.status.stages[0].verifying_since;
    assert_eq!(
        since,
        Some(world.now),
        "its bound begins when it was noticed"
    );
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    // Busy objects cost one read each now and then, not one for each event.
    let before = world.requests;
    for _ in 0..100 {
        moved(&mut world);
        world.pass();
        world.now = world.now.plus(Duration::from_millis(100));
    }
    assert!(world.requests - before <= 6, "{}", world.requests - before);
    assert_eq!(world.ready(), "True Succeeded");
}

#[test]
fn of_many_objects_that_are_not_ready_five_are_named() {
    let mut world = shop();
    let names: Vec<String> = (0..8).map(|n| format!("Deployment/d{n}=1")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    world.publish("config", "r2", &names);
    world.settle(Duration::from_secs(2));
    let message = world.message();
    assert!(message.contains("0 of 8 objects ready"), "{message}");
    assert_eq!(
        message.matches("replicas available").count(),
        5,
        "{message}"
    );
    assert!(message.contains(", and 3 more"), "{message}");
    world.publish("config", "r3", &names[..5]);
    world.settle(Duration::from_secs(2));
    let message = world.message();
    assert_eq!(
        message.matches("replicas available").count(),
        5,
        "{message}"
    );
    assert!(!message.contains("more"), "{message}");
}
