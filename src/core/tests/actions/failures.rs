//! Retries, bounds, dirty, onFailure.

use stageset_core::failure::FailureClass;
use stageset_core::object::GroupVersionKind;
use stageset_core::observation::Phase;
use stageset_core::spec::Check;

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
fn on_failure_runs_once_a_revision_after_the_failure_is_told() {
    let mut world = with_actions(Vec::new(), vec![action("smoke", http(Method::Post))]);
    world.edit_spec(|spec| {
        spec.stages[1].actions.on_failure = vec![
            action("page", patch(PatchFormat::Merge, "{}")),
            action("rest", Verb::Pause(Duration::from_secs(7))),
        ];
    });
    world.effects.refusals = vec![FAILS; 6];
    world.settle(Duration::from_secs(20));
    assert_eq!(world.ready(), "False StageFailed", "{}", world.message());
    assert!(
        world.message().contains("post action \"smoke\" failed"),
        "{}",
        world.message()
    );
    assert_eq!(world.effects.patched.len(), 1);
    world.crash();
    world.settle(Duration::from_secs(20));
    assert_eq!(
        world.effects.patched.len(),
        1,
        "paged twice for one revision"
    );
    succeeds(&mut world, "recovers");
    assert_eq!(world.effects.patched.len(), 1);
    let at = |word: &str| {
        world
            .done
            .iter()
            .position(|done| done.what.contains(word))
            .unwrap()
    };
    let (told, paged) = (
        at("event Warning StageFailed"),
        at("onFailure action \"page\""),
    );
    assert!(told < paged, "paged before it was told");
    assert_eq!(world.done[told].at, world.done[paged].at, "paged late");
    assert_eq!(
        world.status.stages[1].actions.executed,
        ["page", "rest", "smoke"]
    );
}

#[test]
fn on_failure_follows_apply_and_health_but_not_waiting_or_what_passes() {
    let follow = |break_it: fn(&mut World)| {
        let mut world = with_actions(Vec::new(), Vec::new());
        world.edit_spec(|spec| {
            spec.stages[1].actions.on_failure = vec![action("page", http(Method::Put))];
        });
        break_it(&mut world);
        world.settle(2 * MINUTE);
        world.done_with("PUT").len()
    };
    let denied = |world: &mut World| {
        world.denied.insert((
            "system:serviceaccount:payments:deployer".into(),
            "patch".into(),
            "Service".into(),
        ));
    };
    assert_eq!(follow(denied), 1, "a refused apply");
    assert_eq!(
        follow(|world| {
            world.slow.insert("Deployment".into(), HOUR);
        }),
        0,
        "waiting isn't failing"
    );
    for at in 1..60 {
        let mut world = with_actions(Vec::new(), Vec::new());
        world.edit_spec(|spec| {
            spec.stages[1].actions.on_failure = vec![action("page", http(Method::Put))];
        });
        world.fault = Some((at, FAILS));
        succeeds(&mut world, "passes");
        assert_eq!(
            world.done_with("PUT").len(),
            0,
            "a single time-out at request {at}"
        );
    }
}

#[test]
fn a_failing_on_failure_action_is_told_and_changes_nothing() {
    let mut world = with_actions(Vec::new(), Vec::new());
    world.edit_spec(|spec| {
        spec.stages[1].actions.on_failure = vec![action("page", http(Method::Put))];
    });
    world.denied.insert((
        "system:serviceaccount:payments:deployer".into(),
        "patch".into(),
        "Service".into(),
    ));
    world.effects.refusals = vec![FailureClass::Terminal; 100];
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False RBACDenied", "{}", world.message());
    let told: Vec<_> = world
        .events
        .iter()
        .filter(|(reason, _)| reason == "OnFailureAction")
        .collect();
    assert_eq!(told.len(), 1, "{:?}", world.events);
    assert!(
        told[0].1.contains("onFailure action \"page\" failed"),
        "{told:?}"
    );
    world.denied.clear();
    succeeds(&mut world, "granted");
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

/// Behind a stage that isn't ready, a later one is only kept as it is: what can't be put back there is no failure of
/// this run's.
#[test]
fn on_failure_is_not_for_a_stage_behind_one_that_is_not_ready() {
    let mut world = with_actions(Vec::new(), Vec::new());
    world.edit_spec(|spec| {
        spec.stages[0].checks = vec![Check {
            gvk: GroupVersionKind::from_manifest("v1", "ConfigMap"),
            namespace: None,
            name: "gate".into(),
        }];
        spec.stages[1].actions.on_failure = vec![action("page", http(Method::Put))];
    });
    world.plant("ConfigMap", "gate");
    succeeds(&mut world, "first");
    let service = world.objects.keys().find(|key| key.kind == "Service");
    let service = service.unwrap().clone();
    world.objects.remove(&service);
    for verb in ["patch", "create"] {
        let deployer = "system:serviceaccount:payments:deployer";
        let denied = (deployer.to_owned(), verb.to_owned(), "Service".to_owned());
        world.denied.insert(denied);
    }
    world.now = world.now.plus(HOUR);
    world.refresh_before = world.now;
    while world.ready() != "False RBACDenied" {
        world.turn_or_wait();
    }
    // The failure is told of; before anything follows it, the stage ahead isn't ready any more.
    let gate = world.key("ConfigMap", "gate");
    world.objects.remove(&gate);
    world.now = world.now.plus(HOUR);
    world.refresh_before = world.now;
    world.settle(MINUTE);
    assert!(world.message().contains("gate"), "{}", world.message());
    assert_eq!(world.done_with("PUT").len(), 0);
    world.plant("ConfigMap", "gate");
    world.tick();
    assert_eq!(world.done_with("PUT").len(), 1, "{}", world.message());
    assert!(!world.objects.contains_key(&service));
}

/// Nobody knows whether it was sent, and no later success of the release says so.
#[test]
fn an_on_failure_action_that_was_lost_stays_on_record_when_the_release_recovers() {
    let mut world = with_actions(Vec::new(), vec![action("smoke", http(Method::Put))]);
    world.edit_spec(|spec| {
        spec.stages[1].actions.on_failure = vec![action("page", http(Method::Post))];
    });
    world.slow.clear();
    world.effects.refusals = vec![FAILS];
    let begun = |world: &World| {
        let mut started = world
            .status
            .stages
            .iter()
            .flat_map(|stage| &stage.actions.started);
        started.any(|started| started.action == "page")
    };
    while !begun(&world) {
        world.turn_or_wait();
    }
    world.crash();
    succeeds(&mut world, "recovers");
    assert!(begun(&world), "{:?}", world.status.stages[1].actions);
    assert_eq!(world.done_with("POST").len(), 0);
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
