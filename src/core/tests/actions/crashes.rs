//! A crash after every single request, for each verb, phase and scope: what is done once is done
//! once, and what can't be known is said and left to a person (D2).

use super::*;

/// How the effects of an action are counted.
type Count = fn(&World) -> usize;

fn received(world: &World) -> usize {
    world.effects.received.len()
}

fn verbs() -> Vec<(&'static str, Verb, Count)> {
    vec![
        ("pause", Verb::Pause(Duration::from_secs(20)), |_| 1),
        ("until", until("gate"), |_| 1),
        ("delete", delete("old"), |world| {
            world.effects.deleted.iter().filter(|n| *n == "old").count()
        }),
        ("job", Verb::Job(manifests("steps")), |world| {
            world.effects.created.len()
        }),
        ("post", http(Method::Post), received),
        ("put", http(Method::Put), received),
        ("merge patch", patch(PatchFormat::Merge, "{}"), |world| {
            world.effects.patched.len()
        }),
        (
            "json patch",
            patch(
                PatchFormat::Json,
                r#"[{"op":"add","path":"/spec/list/-","value":1}]"#,
            ),
            |world| world.effects.patched.len(),
        ),
        (
            "apply",
            Verb::Apply {
                manifests: manifests("steps"),
                wait: true,
            },
            |world| world.effects.applied.len(),
        ),
    ]
}

fn world(action: &Action, post: bool) -> World {
    let (pre, after) = if post {
        (Vec::new(), vec![action.clone()])
    } else {
        (vec![action.clone()], Vec::new())
    };
    let mut world = with_actions(pre, after);
    publish_steps(&mut world, "steps", &["Job/migrate=1"]);
    let script = crate::world::JobScript {
        takes: Duration::from_secs(20),
        fails: 0,
    };
    world.effects.jobs.insert("migrate".into(), script);
    world.plant("ConfigMap", "gate");
    world.plant("ConfigMap", "old");
    world
        .effects
        .holds
        .insert("gate".into(), Duration::from_secs(40));
    world
}

#[test]
fn a_crash_in_any_gap_does_nothing_twice() {
    for post in [false, true] {
        for for_ever in [false, true] {
            for (name, verb, count) in verbs() {
                let mut action = action(name, verb);
                if for_ever {
                    action = lifetime(action);
                }
                let what = format!("{name}, post {post}, lifetime {for_ever}");
                let repeatable = action.verb.is_repeatable();
                let mut quiet = world(&action, post);
                succeeds(&mut quiet, &what);
                assert_eq!(count(&quiet), 1, "{what}");
                let mut lost = 0;
                for at in 1..=quiet.requests {
                    let what = format!("{what}: crash after request {at}");
                    let mut world = world(&action, post);
                    world.dies_after = Some(at);
                    world.settle(HOUR);
                    if world.ready() != "True Succeeded" {
                        // Only what can't be repeated, and only when it may have happened.
                        assert!(!repeatable, "{what}: {}", world.message());
                        assert!(
                            world.message().contains("nobody knows"),
                            "{what}: {}",
                            world.message()
                        );
                        assert!(count(&world) <= 1, "{what}");
                        lost += 1;
                        // Nothing is tried again unasked, however long it takes, whatever happens.
                        let before = count(&world);
                        world.crash();
                        world.settle(HOUR);
                        world.now = world.now.plus(24 * HOUR);
                        world.refresh_before = world.now;
                        world.settle(HOUR);
                        assert_eq!(count(&world), before, "{what}");
                        request(&mut world, "look, and again");
                        succeeds(&mut world, &what);
                        assert_eq!(count(&world), before + 1, "{what}");
                    } else if repeatable && !matches!(name, "job" | "delete") {
                        // Doing it again leaves things as doing it once.
                        assert!(
                            (1..=2).contains(&count(&world)),
                            "{what}: {}",
                            count(&world)
                        );
                    } else {
                        assert_eq!(count(&world), 1, "{what}");
                    }
                    assert!(
                        !world
                            .objects
                            .keys()
                            .any(|key| key.kind == "Job" && name == "job"),
                        "{what}"
                    );
                    let stage = &world.status.stages[1];
                    assert!(
                        stage.actions.started.is_empty(),
                        "{what}: {:?}",
                        stage.actions
                    );
                    if for_ever {
                        let ledger = world.ledger.as_ref().unwrap();
                        assert_eq!(ledger.completed.len(), 1, "{what}");
                        assert!(ledger.completed[0].executed, "{what}");
                    }
                }
                if !repeatable {
                    assert!(lost > 0, "{what}: the gap wasn't met");
                }
            }
        }
    }
}

#[test]
fn retries_cover_a_crash_as_far_as_they_reach() {
    let mut sent = action("post", http(Method::Post));
    sent.retries = 1;
    let mut quiet = world(&sent, false);
    succeeds(&mut quiet, "quiet");
    let mut twice = 0;
    for at in 1..=quiet.requests {
        let mut world = world(&sent, false);
        world.dies_after = Some(at);
        succeeds(&mut world, &format!("crash after request {at}"));
        assert!((1..=2).contains(&received(&world)), "{at}");
        if received(&world) == 2 {
            twice += 1;
            let keys = &world.effects.received;
            assert_eq!(
                keys[0].1, keys[1].1,
                "the receiver can tell that they are one"
            );
        }
    }
    assert_eq!(twice, 1);
}

#[test]
fn a_start_whose_write_got_no_answer_is_not_taken_for_another_process() {
    let sent = action("post", http(Method::Post));
    let mut quiet = world(&sent, false);
    succeeds(&mut quiet, "quiet");
    for at in 1..=quiet.requests {
        let mut world = world(&sent, false);
        world.fault = Some((
            at,
            stageset_core::failure::FailureClass::Transient { retry_after: None },
        ));
        succeeds(&mut world, &format!("failure of request {at}"));
        // The request itself may fail, and is then tried again as the failure of the stage is.
        assert_eq!(received(&world), 1, "{at}");
    }
}

#[test]
fn a_lifetime_job_that_outlives_its_revision_is_not_run_twice() {
    let migrate = lifetime(action("job", Verb::Job(manifests("steps"))));
    let mut world = world(&migrate, false);
    world.settle(Duration::from_secs(15));
    assert_eq!(world.effects.created.len(), 1, "{}", world.message());
    world.publish("app", "r2", &["Deployment/web=2"]);
    world.crash();
    succeeds(&mut world, "r2");
    assert_eq!(
        world.effects.created.len(),
        1,
        "{:?}",
        world.effects.created
    );
}

#[test]
fn a_lost_lifetime_request_is_remembered_across_revisions_and_other_actions() {
    let once = lifetime(action("once", http(Method::Post)));
    // Find the crash that loses it.
    let mut at = 1;
    let mut world = loop {
        let mut world = with_actions(
            vec![action("each", http(Method::Put)), once.clone()],
            Vec::new(),
        );
        world.dies_after = Some(at);
        world.settle(HOUR);
        if world.message().contains("nobody knows") {
            break world;
        }
        at += 1;
        assert!(at < 200, "never lost");
    };
    let posts = |world: &World| world.done_with("POST").len();
    let before = posts(&world);
    world.publish("app", "r2", &["Deployment/web=2"]);
    world.settle(HOUR);
    assert!(
        world.message().contains("nobody knows"),
        "{}",
        world.message()
    );
    assert_eq!(posts(&world), before, "sent again by a new revision");
    assert_eq!(
        world.done_with("PUT").len(),
        2,
        "each revision's own action ran"
    );
}

/// Clocks of two machines never agree: what one process recorded may still be to come for the next one.
/// That must not make it ask for the same thing again and again until then (the trials found it).
#[test]
fn a_successor_whose_clock_is_behind_asks_no_more_often() {
    for (name, verb, count) in verbs() {
        let action = action(name, verb);
        let mut quiet = world(&action, false);
        succeeds(&mut quiet, name);
        for at in 1..=quiet.requests {
            let what = format!("{name}: crash after request {at}");
            let mut world = world(&action, false);
            world.dies_after = Some(at);
            while world.dies_after.is_some() {
                if let Next::Hold { until, .. } = world.turn().next {
                    world.now = until;
                }
            }
            world.now = Timestamp::from_millis(world.now.as_millis() - 90_000);
            world.crash();
            // Panics after 500 decisions without a rest.
            world.settle(HOUR);
            if action.verb.is_repeatable() {
                assert_eq!(
                    world.ready(),
                    "True Succeeded",
                    "{what}: {}",
                    world.message()
                );
            }
            assert!(count(&world) <= 2, "{what}");
        }
    }
}

/// A process that takes over may be shown the record as it was a while ago. What has been done since
/// must not be done again for that (D2; the trials found it).
#[test]
fn a_successor_whose_view_lags_does_nothing_again_that_is_on_record_as_done() {
    for for_ever in [false, true] {
        for (name, verb, count) in verbs() {
            let mut action = action(name, verb);
            if for_ever {
                action = lifetime(action);
            }
            let what = format!("{name}, lifetime {for_ever}");
            let mut world = world(&action, false);
            let under_way = |world: &World| {
                let mut stages = world.status.stages.iter();
                stages.any(|stage| !stage.actions.started.is_empty())
            };
            while !under_way(&world) {
                if let Next::Hold { until, .. } = world.turn().next {
                    world.now = until;
                }
            }
            let before = world.status.clone();
            succeeds(&mut world, &what);
            assert_eq!(count(&world), 1, "{what}");
            world.shown = Some(before);
            world.crash();
            succeeds(&mut world, &what);
            assert_eq!(count(&world), 1, "{what}");
            assert!(
                world.shown.is_none(),
                "{what}: the newer record was never met"
            );
        }
    }
}

/// A process that was shown no start at all tries to record its own, and meets the one of a lost process
/// instead: that one is not its own for that (D2; the trials found it).
#[test]
fn a_start_that_was_met_while_recording_ones_own_is_still_a_lost_process_s() {
    let once = action("post", http(Method::Post));
    let mut world = world(&once, false);
    let mut before = world.status.clone();
    while received(&world) == 0 {
        if let Next::Hold { until, .. } = world.turn().next {
            world.now = until;
        }
        let mut stages = world.status.stages.iter();
        if !stages.any(|stage| !stage.actions.started.is_empty()) {
            before = world.status.clone();
        }
    }
    world.shown = Some(before);
    world.crash();
    world.now = world.now.plus(Duration::from_secs(1));
    world.settle(HOUR);
    assert!(world.shown.is_none(), "the newer record was never met");
    assert_eq!(received(&world), 1, "sent again unasked");
    assert!(
        world
            .message()
            .contains("nobody knows whether POST https://"),
        "{}",
        world.message()
    );
}

/// What people are told that may have happened.
fn words(name: &str) -> &'static str {
    match name {
        "post" => "POST https://",
        "json patch" => "the patch of Deployment happened",
        other => panic!("{other} can be repeated"),
    }
}

/// Who asked before it was said that nobody knows has not looked for the effect: that is no permission
/// to send again (D2; the trials found it).
#[test]
fn a_wish_from_before_the_crash_is_no_permission_to_do_it_again() {
    for (name, verb, count) in verbs() {
        let action = action(name, verb);
        if action.verb.is_repeatable() {
            continue;
        }
        let mut quiet = world(&action, false);
        succeeds(&mut quiet, name);
        let mut lost = 0;
        for at in 1..=quiet.requests {
            let what = format!("{name}: crash after request {at}");
            let mut world = world(&action, false);
            world.dies_after = Some(at);
            while world.dies_after.is_some() {
                if let Next::Hold { until, .. } = world.turn().next {
                    world.now = until;
                }
            }
            request(&mut world, "a pass");
            world.settle(HOUR);
            assert!(count(&world) <= 1, "{what}: sent again");
            if world.ready() == "True Succeeded" {
                continue;
            }
            let said = format!("nobody knows whether {}", words(name));
            assert!(world.message().contains(&said), "{}", world.message());
            lost += 1;
            let before = count(&world);
            request(&mut world, "looked, and again");
            succeeds(&mut world, &what);
            assert_eq!(count(&world), before + 1, "{what}");
        }
        assert!(lost > 0, "{name}: the gap wasn't met");
    }
}

/// A wish is recorded as met by whatever is reported next, here of a source that is away. It counts for
/// what was lost nevertheless.
#[test]
fn a_wish_that_meets_another_obstacle_first_is_not_forgotten() {
    let alone = || {
        let mut world = world(&action("post", http(Method::Post)), false);
        world.edit_spec(|spec| spec.stages.retain(|stage| stage.name.as_str() == "app"));
        world
    };
    let mut quiet = alone();
    succeeds(&mut quiet, "quiet");
    let mut lost = 0;
    for at in 1..=quiet.requests {
        let mut world = alone();
        world.dies_after = Some(at);
        world.settle(HOUR);
        if world.ready() == "True Succeeded" {
            continue;
        }
        assert!(
            world.message().contains("nobody knows"),
            "{}",
            world.message()
        );
        lost += 1;
        let before = received(&world);
        let source = world.sources.insert("app".into(), SourceState::Absent);
        world.facts.sources.clear();
        request(&mut world, "looked, and again");
        world.settle(MINUTE);
        assert!(
            !world.message().contains("nobody knows"),
            "{}",
            world.message()
        );
        assert_eq!(
            world.status.last_handled_reconcile_at.as_deref(),
            Some("looked, and again")
        );
        world.sources.insert("app".into(), source.unwrap());
        world.facts.sources.clear();
        succeeds(&mut world, "the source is back");
        assert_eq!(received(&world), before + 1);
    }
    assert!(lost > 0, "the gap wasn't met");
}

/// What a lost process left of one action is nothing of another one's.
#[test]
fn what_was_lost_of_an_action_holds_up_no_other_of_the_next_revision() {
    let posts = || {
        let list = ["a", "b"].map(|name| action(name, http(Method::Post)));
        with_actions(list.to_vec(), Vec::new())
    };
    let mut quiet = posts();
    succeeds(&mut quiet, "quiet");
    let mut lost = 0;
    for at in 1..=quiet.requests {
        let mut world = posts();
        world.dies_after = Some(at);
        world.settle(HOUR);
        if !world
            .message()
            .contains("pre action \"b\": the controller stopped")
        {
            continue;
        }
        lost += 1;
        let before = received(&world);
        world.publish("app", "r2", &["Deployment/web=2"]);
        succeeds(&mut world, "r2");
        assert_eq!(received(&world), before + 2, "both for the new revision");
    }
    assert!(lost > 0, "the gap wasn't met");
}
