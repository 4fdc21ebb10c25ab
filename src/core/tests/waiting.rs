//! Waiting: readiness, bounds, sources, suspend.

use std::time::Duration;

use stageset_core::failure::{Failure, FailureClass};
use stageset_core::names::Namespace;
use stageset_core::observation::{Phase, SourceState};
use stageset_core::plan::Next;
use stageset_core::spec::{Problem, StageSetReference};

use crate::world::{World, shop};

const DEPLOYER: &str = "system:serviceaccount:payments:deployer";
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn a_stage_that_never_gets_ready_holds_past_its_bound_and_goes_on_when_it_does() {
    let mut world = shop();
    world.slow.insert("Deployment".into(), HOUR);
    world.edit_spec(|spec| spec.timeout = Some(MINUTE));
    world.settle(Duration::from_secs(50));
    assert_eq!(world.ready(), "False StageProgressing");
    assert!(
        !world.message().contains("not ready within"),
        "{}",
        world.message()
    );
    world.settle(MINUTE);
    assert!(
        world.message().contains("not ready within 60 s"),
        "{}",
        world.message()
    );
    assert_eq!(world.status.stages[0].phase, Phase::Verifying);
    assert!(world.object("Service", "web").is_none(), "stage app began");
    assert!(
        world
            .events
            .iter()
            .any(|(reason, _)| reason == "StageProgressing")
    );
    world.settle(HOUR);
    world.slow.clear();
    world.settle(HOUR);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}

/// The bound where nobody set one: a quarter of an hour.
#[test]
fn without_a_timeout_a_stage_has_fifteen_minutes() {
    let mut world = shop();
    world.slow.insert("Deployment".into(), HOUR);
    world.settle(14 * MINUTE);
    assert!(
        !world.message().contains("not ready within"),
        "{}",
        world.message()
    );
    world.settle(2 * MINUTE);
    assert!(
        world.message().contains("not ready within 15 min"),
        "{}",
        world.message()
    );
}

#[test]
fn a_long_wait_costs_few_requests() {
    let mut world = shop();
    world.slow.insert("Deployment".into(), HOUR);
    world.settle(Duration::from_secs(10));
    let before = world.requests;
    world.settle(Duration::from_secs(840));
    assert!(
        world.requests - before < 100,
        "{} requests in 14 minutes",
        world.requests - before
    );
}

/// A wait that is over and then isn't is a decision about nothing.
#[test]
fn when_a_wait_is_over_there_is_something_to_do() {
    let mut world = shop();
    world.slow.insert("Deployment".into(), HOUR);
    world.settle(Duration::from_secs(30));
    for _ in 0..50 {
        let next = world.pass();
        let Next::Hold { until, refresh, .. } = next else {
            panic!("it rests for good: {next:?}");
        };
        world.now = until;
        if refresh {
            world.refresh_before = until;
        }
        let plan = world.turn();
        assert!(!plan.is_idle(), "nothing to do at {until}:\n{plan}");
    }
}

#[test]
fn the_bound_survives_a_crash() {
    let mut world = shop();
    world.slow.insert("Deployment".into(), HOUR);
    world.edit_spec(|spec| spec.timeout = Some(MINUTE));
    world.settle(Duration::from_secs(40));
    world.crash();
    world.settle(Duration::from_secs(30));
    assert!(
        world.message().contains("not ready within 60 s"),
        "{}",
        world.message()
    );
}

#[test]
fn a_source_that_is_not_there_yet_is_waited_for() {
    let mut world = shop();
    let app = world.sources.remove("app").unwrap();
    world.edit_spec(|spec| spec.retry_interval = Some(Duration::from_secs(10)));
    world.settle(Duration::from_secs(30));
    assert_eq!(world.ready(), "False ArtifactNotFound");
    assert!(
        world.objects.is_empty(),
        "written before every source was resolved"
    );
    world.sources.insert(
        "app".into(),
        SourceState::NotReady {
            message: "cloning".into(),
            artifact: None,
        },
    );
    world.settle(Duration::from_secs(30));
    assert_eq!(world.ready(), "False SourceNotReady");
    world.sources.insert("app".into(), app);
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded");
}

#[test]
fn a_run_goes_on_while_its_source_is_busy_with_the_next_revision() {
    let mut world = shop();
    world.settle(Duration::from_secs(2));
    let Some(SourceState::Ready(artifact)) = world.sources.get("app").cloned() else {
        panic!()
    };
    world.sources.insert(
        "app".into(),
        SourceState::NotReady {
            message: "fetching".into(),
            artifact: Some(artifact),
        },
    );
    world.facts.sources.clear();
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}

#[test]
fn suspended_means_nothing_happens_until_it_is_lifted() {
    let mut world = shop();
    world.suspend = true;
    let next = world.settle(MINUTE);
    assert!(matches!(next, Next::Rest { .. }), "{next:?}");
    assert_eq!(world.ready(), "False Suspended");
    // Nobody works on it, and nothing has failed.
    assert!(world.status.condition("Reconciling").is_none());
    assert!(world.status.condition("Stalled").is_none());
    assert_eq!(world.status.observed_generation, 0);
    assert!(world.objects.is_empty());
    assert!(
        world.events.is_empty(),
        "who suspends it knows: {:?}",
        world.events
    );
    world.suspend = false;
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded");
}

/// Whatever holds a release up, and however long its own waits are: it is looked at again with the next
/// interval, and what was put right meanwhile is seen then.
#[test]
fn gap_08_every_wait_is_bounded_by_the_interval() {
    type Obstacle = fn(&mut World);
    let obstacles: [(&str, Obstacle); 7] = [
        ("StageProgressing", |world| {
            world.slow.insert("Deployment".into(), HOUR);
        }),
        ("InvalidSpec", |world| {
            world.spec = Err(vec![Problem {
                rule: "V1",
                field: "spec.stages".into(),
                message: "is empty".into(),
            }]);
        }),
        ("RBACDenied", |world| {
            world.edit_spec(|spec| spec.service_account = None);
        }),
        ("RBACDenied", |world| {
            let right = (DEPLOYER.into(), "patch".into(), "Deployment".into());
            world.denied.insert(right);
        }),
        ("ArtifactNotFound", |world| {
            world.sources.insert("config".into(), SourceState::Absent);
        }),
        ("DependencyNotReady", |world| {
            world.edit_spec(|spec| {
                spec.depends_on = vec![StageSetReference {
                    namespace: Namespace::new("payments").unwrap(),
                    name: "database".into(),
                }];
            });
        }),
        ("StageFailed", |world| {
            let build = ("sha256:config-r1".to_owned(), String::new());
            let failure = Failure::new(FailureClass::Terminal, "a.yaml: not YAML");
            world.artifacts.insert(build, Err(failure));
        }),
    ];
    for (reason, obstruct) in obstacles {
        let mut world = shop();
        world.edit_spec(|spec| spec.retry_interval = Some(12 * HOUR));
        obstruct(&mut world);
        let begun = world.now;
        let mut refreshes = 0;
        while world.now.since(begun) < HOUR {
            let next = world.pass();
            assert_eq!(
                world.ready(),
                format!("False {reason}"),
                "{}",
                world.message()
            );
            let Next::Hold { until, refresh, .. } = next else {
                panic!("{reason} stays for ever: {next:?}");
            };
            assert!(
                until > world.now,
                "{reason}: a hold in the past is a hot loop"
            );
            let waits = until.since(world.now);
            assert!(waits <= Duration::from_secs(631), "{reason}: {waits:?}");
            world.now = until;
            if refresh {
                refreshes += 1;
                world.refresh_before = until;
            }
        }
        assert!(
            refreshes >= 5,
            "{reason}: all looked at again {refreshes} times in an hour"
        );
    }
}

#[test]
fn kstatus_conditions_stand_beside_ready() {
    let mut world = shop();
    world.settle(Duration::from_secs(2));
    assert!(world.status.condition("Reconciling").is_some());
    world.settle(MINUTE);
    assert!(world.status.condition("Reconciling").is_none());
    assert!(world.status.condition("Stalled").is_none());
    world.edit_spec(|spec| spec.service_account = None);
    world.pass();
    assert!(world.status.condition("Stalled").is_some());
    assert!(world.status.condition("Reconciling").is_none());
}

#[test]
fn words_alone_are_not_recorded_at_every_look() {
    let mut world = shop();
    world.slow.insert("Deployment".into(), HOUR);
    world.settle(Duration::from_secs(3));
    let before = world.done_with("record status").len();
    for count in 0..20 {
        world.chatter = Some(format!("{count} of 20 replicas available"));
        world.now = world.now.plus(Duration::from_millis(200));
        for (_, _, facts) in world.facts.objects.iter_mut() {
            facts.live = None;
        }
        world.pass();
    }
    let written = world.done_with("record status").len() - before;
    assert!(written <= 2, "{written} writes of words in 4 s");
    world.settle(Duration::from_secs(20));
    assert!(world.message().contains("19 of 20"), "{}", world.message());
}
