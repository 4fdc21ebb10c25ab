//! `onFailure`: once, after the failure is told of.

use stageset_core::failure::FailureClass;
use stageset_core::object::GroupVersionKind;
use stageset_core::spec::Check;

use super::*;

const FAILS: FailureClass = FailureClass::Transient { retry_after: None };

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

/// What may pass by itself is a failure once it has failed three times in a row.
#[test]
fn on_failure_follows_the_third_time_out_in_a_row() {
    let mut world = with_actions(Vec::new(), Vec::new());
    world.point("prod-eu", "1", "eu");
    world.edit_spec(|spec| {
        spec.kube_config = Some(kubeconfig("prod-eu"));
        spec.stages[1].actions.on_failure = vec![action("page", http(Method::Put))];
    });
    succeeds(&mut world, "first");
    world.publish("app", "r2", &["Deployment/web=2", "Service/web=2"]);
    world.down.insert("eu".into());
    let mut tries = Vec::new();
    while world.done_with("PUT").is_empty() {
        world.turn_or_wait();
        let facts = world.facts.objects.iter();
        let failures = facts.filter_map(|(_, _, facts)| facts.dry_run.as_ref());
        tries.extend(failures.map(|fact| fact.1.failures).max());
    }
    tries.dedup();
    assert_eq!(tries, [0, 1, 2, 3], "{}", world.message());
}
