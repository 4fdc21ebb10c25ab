//! Faults at every request: whatever fails once, wherever the process dies, the release arrives.

use std::time::Duration;

use stageset_core::failure::FailureClass;
use stageset_core::plan::Next;

use crate::world::{World, shop};

const HOUR: Duration = Duration::from_secs(3600);

fn classes() -> Vec<FailureClass> {
    vec![
        FailureClass::Transient { retry_after: None },
        FailureClass::Transient {
            retry_after: Some(Duration::from_secs(7)),
        },
        FailureClass::Conflict,
        FailureClass::Denied,
        FailureClass::Rejected,
    ]
}

fn arrives(world: &mut World, what: &str) {
    world.settle(HOUR);
    assert_eq!(
        world.ready(),
        "True Succeeded",
        "{what}: {}",
        world.message()
    );
    assert_eq!(world.objects.len(), 3, "{what}: {:?}", world.objects.keys());
    let recorded: usize = world
        .inventories
        .values()
        .map(|inventory| inventory.entries.len())
        .sum();
    assert_eq!(recorded, 3, "{what}");
    let requests = world.requests;
    world.pass();
    assert_eq!(
        world.requests,
        requests,
        "{what}: not at rest: {}",
        world
            .last_plan
            .as_ref()
            .map_or_else(String::new, ToString::to_string)
    );
}

/// A release, then an update that drops an object.
fn story(world: &mut World) {
    world.settle(HOUR);
    world.publish("config", "r2", &["Deployment/cache=2"]);
}

#[test]
fn any_single_failure_is_survived() {
    let mut quiet = shop();
    story(&mut quiet);
    arrives(&mut quiet, "no fault");
    let requests = quiet.requests;
    assert!(requests > 40, "{requests}");
    for class in classes() {
        for at in 1..=requests {
            let mut world = shop();
            world.fault = Some((at, class.clone()));
            story(&mut world);
            arrives(&mut world, &format!("{class:?} at request {at}"));
        }
    }
}

#[test]
fn a_crash_after_any_turn_is_survived() {
    let mut turns = 0_u32;
    loop {
        let mut world = shop();
        let mut left = turns;
        let mut crashed = false;
        let mut published = false;
        while !crashed {
            let plan = world.turn();
            if left == 0 {
                world.crash();
                crashed = true;
            }
            left = left.saturating_sub(1);
            match plan.next {
                Next::Hold { until, refresh, .. } => {
                    if world.ready() == "True Succeeded" {
                        if published {
                            break;
                        }
                        published = true;
                        world.publish("config", "r2", &["Deployment/cache=2"]);
                    } else {
                        world.now = until;
                        if refresh {
                            world.refresh_before = until;
                        }
                    }
                }
                Next::Again => {}
                other => panic!("{other:?}"),
            }
        }
        if !published {
            world.settle(HOUR);
            world.publish("config", "r2", &["Deployment/cache=2"]);
        }
        arrives(&mut world, &format!("crash after turn {turns}"));
        if !crashed {
            break;
        }
        turns += 1;
    }
    assert!(turns > 20, "only {turns} turns were tried");
}

#[test]
fn the_same_observation_gives_the_same_plan() {
    let mut world = shop();
    for _ in 0..30 {
        let observation = world.observation();
        let first = stageset_core::reconcile(&observation);
        let second = stageset_core::reconcile(&observation);
        assert_eq!(
            serde_json::to_string(&first).unwrap(),
            serde_json::to_string(&second).unwrap()
        );
        if let Next::Hold { until, .. } = world.turn().next {
            world.now = until;
        }
    }
}
