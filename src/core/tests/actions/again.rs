//! `reconcile-stage`: a stage's actions once more, when somebody asks.

use super::*;

#[test]
fn reconcile_stage_runs_the_revision_actions_once_more() {
    let mut world = with_actions(
        vec![
            action("a", http(Method::Post)),
            lifetime(action("once", http(Method::Post))),
        ],
        vec![action("b", http(Method::Post))],
    );
    succeeds(&mut world, "first");
    assert_eq!(world.effects.received.len(), 3);
    world.reconcile_stage = Some("app@t1".into());
    succeeds(&mut world, "t1");
    assert_eq!(world.effects.received.len(), 5, "a and b again, once not");
    assert_eq!(
        world.status.stages[1].actions.handled.as_deref(),
        Some("t1")
    );
    assert_eq!(world.status.stages[1].actions.executed, ["a", "b"]);
    for _ in 0..3 {
        world.crash();
        succeeds(&mut world, "handled");
    }
    assert_eq!(world.effects.received.len(), 5);
    // A retry of what was asked for doesn't fire again what has fired.
    world.effects.refusals = vec![stageset_core::failure::FailureClass::Rejected];
    world.reconcile_stage = Some("app@t2".into());
    world.settle(Duration::from_secs(2));
    assert_eq!(
        world.status.stages[1].actions.handled.as_deref(),
        Some("t1")
    );
    succeeds(&mut world, "t2");
    assert_eq!(
        world.effects.received.len(),
        5 + 3,
        "a failed once, then a and b"
    );
    assert_eq!(
        world.status.stages[1].actions.handled.as_deref(),
        Some("t2")
    );
}

/// The second token comes while what the first one asked for isn't done: what has run for the first
/// one runs for the second one, too.
#[test]
fn each_reconcile_stage_token_counts_by_itself() {
    let mut world = with_actions(
        vec![action("a", http(Method::Post)), action("wait", until("go"))],
        Vec::new(),
    );
    world.plant("ConfigMap", "go");
    succeeds(&mut world, "first");
    assert_eq!(world.effects.received.len(), 1);
    world.effects.holds.insert("go".into(), 1000 * HOUR);
    world.now = world.now.plus(HOUR);
    world.refresh_before = world.now;
    for (token, received) in [("t1", 2), ("t2", 3)] {
        world.reconcile_stage = Some(format!("app@{token}"));
        world.settle(Duration::from_secs(30));
        assert_eq!(world.effects.received.len(), received, "{token}");
        let executed = &world.status.stages[1].actions.executed;
        assert_eq!(*executed, [format!("reconcile-stage@{token}"), "a".into()]);
    }
}

#[test]
fn a_malformed_reconcile_stage_is_said_and_not_silently_ignored() {
    for (value, said) in [
        ("app", "isn't <stage>@<token>"),
        ("@t", "isn't <stage>@<token>"),
        ("nowhere@t", "names stage nowhere, which doesn't exist"),
    ] {
        let mut world = with_actions(vec![action("a", http(Method::Post))], Vec::new());
        world.edit_spec(|spec| {
            spec.stages[0].actions.pre = vec![action("first", http(Method::Put))];
        });
        world.reconcile_stage = Some(value.into());
        succeeds(&mut world, value);
        assert!(
            world.message().contains(said),
            "{value}: {}",
            world.message()
        );
        let events = world
            .events
            .iter()
            .filter(|(reason, _)| reason == "ReconcileStageIgnored");
        assert_eq!(events.count(), 1, "{value}: {:?}", world.events);
        world.reconcile_stage = None;
        succeeds(&mut world, "corrected");
        assert!(
            !world.message().contains("reconcile-stage"),
            "{}",
            world.message()
        );
    }
}

#[test]
fn what_is_asked_of_one_stage_is_nothing_to_another() {
    let mut world = with_actions(vec![action("a", http(Method::Post))], Vec::new());
    world.edit_spec(|spec| {
        spec.stages[0].actions.pre = vec![action("first", http(Method::Put))];
    });
    succeeds(&mut world, "first");
    assert_eq!(world.effects.received.len(), 2);
    world.reconcile_stage = Some("app@t1".into());
    succeeds(&mut world, "t1");
    assert_eq!(world.effects.received.len(), 3, "a once more, and only a");
    assert_eq!(world.message(), "Applied and verified 2 stage(s)");
    let handled = world.status.stages.iter();
    let handled: Vec<_> = handled
        .map(|stage| stage.actions.handled.as_deref())
        .collect();
    assert_eq!(handled, [None, Some("t1")]);
}

/// What a stage said while its actions ran once more is not on record for ever: a later stage that isn't ready
/// keeps nobody from seeing that they are done.
#[test]
fn a_stage_that_is_done_again_says_nothing_while_a_later_one_is_under_way() {
    let mut world = with_actions(Vec::new(), Vec::new());
    let pause = action("pause", Verb::Pause(Duration::from_secs(20)));
    world.edit_spec(|spec| spec.stages[0].actions.pre = vec![pause]);
    succeeds(&mut world, "first");
    world.slow.insert("Deployment".into(), 2 * HOUR);
    world.publish("app", "r2", &["Deployment/web=2"]);
    world.settle(MINUTE);
    world.reconcile_stage = Some("config@t1".into());
    world.settle(Duration::from_secs(10));
    let said = world.status.stages[0].message.as_deref();
    assert!(
        said.unwrap().starts_with("pre action \"pause\""),
        "{said:?}"
    );
    world.settle(MINUTE);
    let [config, app] = &world.status.stages[..] else {
        panic!("two stages");
    };
    assert_eq!((config.phase, &config.message), (Phase::Ready, &None));
    assert_eq!(config.actions.handled.as_deref(), Some("t1"));
    assert_eq!(app.phase, Phase::Verifying);
}

/// A condition holds 32 KiB: however much is to be said of the stage, what is said beside it is not cut off.
#[test]
fn a_long_message_leaves_room_for_what_is_said_beside_it() {
    let mut world = with_actions(Vec::new(), Vec::new());
    world.chatter = Some("waits ".repeat(4_000));
    world.slow.insert("Deployment".into(), HOUR);
    world.reconcile_stage = Some("nowhere@t".into());
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False StageProgressing");
    for said in ["waits waits", "names stage nowhere, which doesn't exist"] {
        assert!(world.message().contains(said), "{}", world.message());
    }
    assert!(world.message().len() <= 32 * 1024);
    let told = world.events.iter();
    let told = told.filter(|(reason, _)| reason == "ReconcileStageIgnored");
    assert_eq!(told.count(), 1, "{:?}", world.events);
}

/// What a status itself is about is told first, then what it says beside that.
#[test]
fn what_is_said_beside_a_status_is_told_right_after_it() {
    let mut world = with_actions(Vec::new(), Vec::new());
    succeeds(&mut world, "first");
    world.events.clear();
    world.reconcile_stage = Some("nowhere@t".into());
    world.sources.insert("app".into(), SourceState::Absent);
    world.facts.sources.clear();
    world.settle(MINUTE);
    let told: Vec<&str> = world.events.iter().map(|(reason, _)| &**reason).collect();
    assert_eq!(told, ["ArtifactNotFound", "ReconcileStageIgnored"]);
}
