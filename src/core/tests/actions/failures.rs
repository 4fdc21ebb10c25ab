//! Retries, bounds, dirty, onFailure.

use stageset_core::failure::FailureClass;

use super::*;

const FAILS: FailureClass = FailureClass::Transient { retry_after: None };

#[test]
fn a_failed_action_stops_the_list_and_leaves_the_stage_untouched() {
    let mut world = with_actions(
        vec![
            action("a", http(Method::Post)),
            action("b", http(Method::Put)),
        ],
        Vec::new(),
    );
    world.edit_spec(|spec| {
        spec.stages[1].actions.on_failure = vec![action("never", http(Method::Get))];
    });
    world.effects.refusals = vec![FailureClass::Terminal];
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False StageFailed");
    assert!(
        world
            .message()
            .contains("stage app: pre action \"a\" failed: the server answered 500"),
        "{}",
        world.message()
    );
    assert_eq!(world.effects.received.len(), 1, "b ran, or onFailure did");
    assert_eq!(world.status.stages[1].phase, Phase::Failed);
    assert_eq!(world.status.stages[1].applied_revision, None);
    assert!(world.object("Deployment", "web").is_none());
    let told = world
        .events
        .iter()
        .filter(|(reason, _)| reason == "StageFailed")
        .count();
    assert_eq!(told, 1, "{:?}", world.events);
    succeeds(&mut world, "later");
    assert_eq!(world.effects.received.len(), 3);
}

/// A spec that has changed may have mended it, and who asks for another try knows why: nobody waits for the
/// pause to end.
#[test]
fn a_change_of_the_spec_or_a_wish_begins_a_failed_list_anew_at_once() {
    let nothing: fn(&mut World) = |_| {};
    let change: fn(&mut World) = |world| {
        world.edit_spec(|spec| spec.stages[0].timeout = Some(MINUTE));
    };
    let wish: fn(&mut World) = |world| request(world, "again");
    for (what, done, wanted) in [
        ("nothing", nothing, 1),
        ("a change", change, 2),
        ("a wish", wish, 2),
    ] {
        let mut world = with_actions(vec![action("a", http(Method::Post))], Vec::new());
        world.effects.refusals = vec![FailureClass::Terminal];
        for _ in 0..100 {
            if world.ready() == "False StageFailed" {
                break;
            }
            if world.turn().is_idle() {
                world.now = world.now.plus(Duration::from_secs(1));
            }
        }
        assert_eq!(world.ready(), "False StageFailed");
        done(&mut world);
        world.settle(Duration::from_secs(1));
        let sent = world.effects.received.len();
        assert_eq!(sent, wanted, "{what}: {}", world.message());
    }
}

#[test]
fn retries_follow_after_growing_pauses_within_the_timeout() {
    let mut sent = action("a", http(Method::Post));
    sent.retries = 3;
    let mut world = with_actions(vec![sent.clone()], Vec::new());
    world.effects.refusals = vec![FAILS; 3];
    succeeds(&mut world, "third retry");
    let at: Vec<_> = world
        .done
        .iter()
        .filter(|done| done.what.contains("starts"))
        .map(|done| done.at)
        .collect();
    assert_eq!(at.len(), 4);
    let pauses: Vec<u128> = at
        .windows(2)
        .map(|pair| pair[1].since(pair[0]).as_millis())
        .collect();
    assert_eq!(pauses, [500, 1000, 1500]);
    // The bound is on all attempts together.
    sent.timeout = Some(Duration::from_secs(1));
    sent.retries = 100;
    let mut world = with_actions(vec![sent.clone()], Vec::new());
    world.effects.refusals = vec![FAILS; 100];
    world.settle(Duration::from_secs(8));
    assert!(
        world.message().contains("failed after 2 attempts"),
        "{}",
        world.message()
    );
    // What can't get better isn't retried.
    sent.timeout = None;
    let mut world = with_actions(vec![sent], Vec::new());
    world.effects.refusals = vec![FailureClass::Terminal; 100];
    world.settle(MINUTE);
    assert_eq!(world.effects.received.len(), 1);
}

#[test]
fn waits_and_jobs_have_bounds() {
    for (verb, said) in [
        (
            until("gate"),
            "not done within 5 min: waiting for ConfigMap payments/gate doesn't exist yet",
        ),
        (
            Verb::Job(manifests("steps")),
            "not done within 10 min: waiting for Job.batch payments/migrate-",
        ),
    ] {
        let mut world = with_actions(vec![action("a", verb)], Vec::new());
        publish_steps(&mut world, "steps", &["Job/migrate=1"]);
        let script = crate::world::JobScript {
            takes: 24 * HOUR,
            fails: 0,
        };
        world.effects.jobs.insert("migrate".into(), script);
        world.settle(Duration::from_secs(10 * 60 + 8));
        let told: Vec<&String> = world.events.iter().map(|(_, message)| message).collect();
        assert!(
            told.iter().any(|message| message.contains(said)),
            "{said}: {told:#?}"
        );
    }
}

/// That something can't be read for a moment is no outcome of the action that looks at it.
#[test]
fn what_cannot_be_read_for_a_moment_fails_no_action() {
    let waits = || {
        let mut world = with_actions(vec![action("a", until("gate"))], Vec::new());
        world.plant("ConfigMap", "gate");
        world
    };
    let mut quiet = waits();
    succeeds(&mut quiet, "quiet");
    let mut met = 0;
    for at in 1..=quiet.requests {
        let mut world = waits();
        world.fault = Some((at, FAILS));
        while world.ready() != "True Succeeded" {
            world.turn_or_wait();
            let plan = format!("{:?}", world.last_plan);
            met += usize::from(plan.contains("what it works on can't be read: injected fault"));
        }
        let mut events = world.events.iter();
        assert!(
            !events.any(|(_, said)| said.contains("pre action \"a\" failed")),
            "{:?}",
            world.events
        );
    }
    assert!(met > 0, "the gap wasn't met");
}

#[test]
fn failed_jobs_go_and_the_next_attempt_starts_fresh() {
    let mut migrate = action("migrate", Verb::Job(manifests("steps")));
    migrate.retries = 1;
    let mut world = with_actions(vec![migrate], Vec::new());
    publish_steps(&mut world, "steps", &["Job/migrate=1"]);
    let script = crate::world::JobScript {
        takes: Duration::from_secs(5),
        fails: 3,
    };
    world.effects.jobs.insert("migrate".into(), script);
    world.settle(Duration::from_secs(40));
    assert!(
        world
            .events
            .iter()
            .any(|(_, said)| said.contains("BackoffLimitExceeded")),
        "{:?}",
        world.events
    );
    succeeds(&mut world, "fourth");
    assert_eq!(world.effects.created.len(), 4);
    assert_eq!(world.effects.deleted.len(), 4);
}

#[test]
fn gap_10_five_failures_of_a_stage_with_an_unfinished_lifetime_action_are_dirty() {
    let mut world = with_actions(
        vec![lifetime(action("once", http(Method::Post)))],
        Vec::new(),
    );
    world.effects.refusals = vec![FAILS; 7];
    while world.status.action_failures == 0 {
        world.turn_or_wait();
    }
    assert_eq!(world.ready(), "False StageFailed", "{}", world.message());
    world.settle(HOUR);
    assert_eq!(world.ready(), "False ActionDirty", "{}", world.message());
    assert_eq!(world.status.action_failures, 5);
    assert_eq!(world.effects.received.len(), 5);
    assert!(
        world.message().contains("the server answered 500"),
        "{}",
        world.message()
    );
    assert!(
        world
            .events
            .iter()
            .any(|(reason, _)| reason == "ActionDirty")
    );
    // Not again unasked: not after a crash, a tick, a day, or a new revision.
    world.crash();
    world.settle(HOUR);
    world.now = world.now.plus(24 * HOUR);
    world.refresh_before = world.now;
    world.settle(HOUR);
    world.publish("app", "r2", &["Deployment/web=2"]);
    world.settle(HOUR);
    assert_eq!(world.effects.received.len(), 5);
    assert_eq!(world.ready(), "False ActionDirty", "{}", world.message());
    request(&mut world, "again");
    world.settle(HOUR);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    assert_eq!(
        world.effects.received.len(),
        8,
        "two more failed, the third didn't"
    );
    assert_eq!(world.status.action_failures, 0);
}

/// What is done once ever is done: what fails beside it leaves nothing half done.
#[test]
fn failures_beside_a_lifetime_action_that_is_done_are_never_dirty() {
    let mut world = with_actions(
        vec![
            lifetime(action("once", http(Method::Post))),
            action("a", patch(PatchFormat::Merge, "{}")),
        ],
        vec![
            action("rest", Verb::Pause(MINUTE)),
            action("b", http(Method::Put)),
        ],
    );
    world.slow.clear();
    world.settle(Duration::from_secs(2));
    assert_eq!(world.effects.received.len(), 1);
    world.effects.refusals = vec![FAILS; 9];
    succeeds(&mut world, "in the end");
    assert_eq!(world.status.action_failures, 0);
    assert!(
        !world
            .events
            .iter()
            .any(|(reason, _)| reason == "ActionDirty")
    );
}

/// What it said when it happened is gone with what was said since.
#[test]
fn a_dirty_stage_that_was_suspended_says_that_its_action_is_not_run() {
    let mut world = with_actions(
        vec![lifetime(action("once", http(Method::Post)))],
        Vec::new(),
    );
    world.effects.refusals = vec![FAILS; 7];
    world.settle(HOUR);
    world.suspend = true;
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False Suspended");
    world.suspend = false;
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False ActionDirty", "{}", world.message());
    let said = "pre action \"once\" isn't run";
    assert!(world.message().contains(said), "{}", world.message());
    assert_eq!(world.effects.received.len(), 5);
}

#[test]
fn failures_without_lifetime_actions_are_never_dirty() {
    let mut world = with_actions(vec![action("a", http(Method::Post))], Vec::new());
    world.effects.refusals = vec![FAILS; 9];
    succeeds(&mut world, "in the end");
    assert_eq!(world.effects.received.len(), 10);
    assert_eq!(world.status.action_failures, 0);
}

#[test]
fn drift_is_corrected_while_a_later_stage_waits_for_its_actions() {
    let mut world = with_actions(vec![action("rest", Verb::Pause(10 * MINUTE))], Vec::new());
    world.settle(MINUTE);
    assert!(world.message().contains("pausing"), "{}", world.message());
    let key = world
        .objects
        .keys()
        .find(|key| key.name == "settings")
        .unwrap()
        .clone();
    world.objects.remove(&key);
    world.facts.objects.remove(
        &stageset_core::identity::Identity::resolve(
            stageset_core::identity::Tenancy::Multi,
            &stageset_core::names::Namespace::new(NAMESPACE).unwrap(),
            Some(&stageset_core::names::ServiceAccountName::new("deployer").unwrap()),
            &stageset_core::identity::Target::Local,
        )
        .unwrap(),
        &key,
    );
    world.pass();
    assert!(world.objects.contains_key(&key));
    assert!(world.message().contains("pausing"), "{}", world.message());
}

/// An action that left the spec while it was under way leaves the record, once its stage is ready.
#[test]
fn what_was_under_way_and_left_the_spec_is_forgotten() {
    let mut world = with_actions(vec![action("rest", Verb::Pause(HOUR))], Vec::new());
    world.slow.clear();
    world.settle(Duration::from_secs(5));
    assert_eq!(world.status.stages[1].actions.started.len(), 1);
    world.edit_spec(|spec| spec.stages[1].actions.pre.clear());
    succeeds(&mut world, "without it");
    let started = &world.status.stages[1].actions.started;
    assert!(started.is_empty(), "{started:?}");
}

/// Until it is tried again a list that failed says so, also after another replica said something else of its stage.
#[test]
fn a_failed_list_says_so_whatever_another_replica_said() {
    let mut world = with_actions(vec![action("a", http(Method::Post))], Vec::new());
    world.effects.refusals = vec![FailureClass::Terminal; 9];
    while world.ready() != "False StageFailed" {
        world.turn_or_wait();
    }
    let failed = "stage app: pre action \"a\" failed: the server answered 500";
    assert!(world.message().starts_with(failed), "{}", world.message());
    world.status.stages[1].message = Some("pre action \"a\" runs".into());
    world.turn_or_wait();
    assert!(world.message().starts_with(failed), "{}", world.message());
    let said = world.status.stages[1].message.as_deref();
    assert_eq!(said, failed.strip_prefix("stage app: "));
}
