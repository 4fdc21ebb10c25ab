//! The StageLedger: once ever, witnesses, baselines, adoption.

use stageset_core::observation::{Completed, Ledger};

use super::*;

fn posts(world: &World) -> usize {
    world.effects.received.len()
}

fn told<'a>(world: &'a World, reason: &str) -> Vec<&'a str> {
    world
        .events
        .iter()
        .filter(|(known, _)| known == reason)
        .map(|(_, message)| message.as_str())
        .collect()
}

#[test]
fn lifetime_actions_run_once_ever() {
    let mut world = with_actions(
        vec![lifetime(action("once", http(Method::Post)))],
        Vec::new(),
    );
    succeeds(&mut world, "first");
    for revision in ["r2", "r3"] {
        world.publish("app", revision, &["Deployment/web=2"]);
        world.crash();
        succeeds(&mut world, revision);
    }
    assert_eq!(posts(&world), 1);
    let ledger = world.ledger.as_ref().unwrap();
    assert_eq!(ledger.completed.len(), 1);
    assert_eq!(ledger.baseline_valid, None, "nobody asked");
    assert!(told(&world, "LedgerAdopted").is_empty());
    let first = world
        .done
        .iter()
        .find(|done| done.what.contains("StageLedger"))
        .unwrap();
    assert_eq!(first.what, "create an empty StageLedger");
}

#[test]
fn a_ledger_that_survived_its_stage_set_is_adopted_and_said() {
    let mut world = with_actions(
        vec![lifetime(action("once", http(Method::Post)))],
        Vec::new(),
    );
    world.ledger = Some(Ledger {
        completed: vec![Completed {
            stage: "app".into(),
            action: "once".into(),
            executed: true,
            witness: None,
            at: world.now,
        }],
        ..Ledger::default()
    });
    succeeds(&mut world, "adopts");
    assert_eq!(posts(&world), 0);
    assert_eq!(told(&world, "LedgerAdopted").len(), 1, "{:?}", world.events);
    assert!(told(&world, "LedgerAdopted")[0].contains("app/once"));
}

#[test]
fn a_baseline_counts_as_done_and_a_wrong_one_is_said_and_kept() {
    let mut world = with_actions(
        vec![
            lifetime(action("once", http(Method::Post))),
            action("each", http(Method::Post)),
        ],
        Vec::new(),
    );
    let entry = |stage: &str, action: &str| (stage.to_owned(), action.to_owned());
    world.ledger = Some(Ledger {
        baseline: vec![
            entry("app", "once"),
            entry("app", "each"),
            entry("nowhere", "x"),
        ],
        ..Ledger::default()
    });
    succeeds(&mut world, "baseline");
    assert_eq!(posts(&world), 1, "only each");
    let ledger = world.ledger.clone().unwrap();
    assert_eq!(ledger.completed.len(), 1);
    assert!(!ledger.completed[0].executed);
    assert_eq!(ledger.baseline.len(), 3, "kept");
    let valid = ledger.baseline_valid.unwrap();
    assert!(!valid.valid);
    assert!(
        valid
            .message
            .contains("app/each, nowhere/x name no Lifetime action"),
        "{}",
        valid.message
    );
    assert_eq!(told(&world, "BaselineInvalid").len(), 1);
    // Corrected: said, too.
    world.ledger.as_mut().unwrap().baseline = vec![entry("app", "once")];
    world.crash();
    succeeds(&mut world, "corrected");
    assert!(
        world
            .ledger
            .as_ref()
            .unwrap()
            .baseline_valid
            .as_ref()
            .unwrap()
            .valid
    );
    // What ran isn't called baselined.
    let mut world = with_actions(
        vec![lifetime(action("once", http(Method::Post)))],
        Vec::new(),
    );
    succeeds(&mut world, "ran");
    world.ledger.as_mut().unwrap().baseline = vec![entry("app", "once")];
    world.crash();
    succeeds(&mut world, "baselined after");
    assert!(world.ledger.unwrap().completed[0].executed);
}

#[test]
fn a_witness_that_goes_undoes_the_completion_and_one_that_cannot_be_read_does_not() {
    let once = anchored(action("once", http(Method::Post)), "ConfigMap", "database");
    let mut world = with_actions(vec![once], Vec::new());
    let key = world.plant("ConfigMap", "database");
    succeeds(&mut world, "first");
    let witness = world.ledger.as_ref().unwrap().completed[0]
        .witness
        .clone()
        .unwrap();
    assert_eq!(witness.uid, world.objects[&key].uid);
    let tick = |world: &mut World| {
        world.now = world.now.plus(HOUR);
        world.refresh_before = world.now;
        world.settle(Duration::from_secs(5));
    };
    tick(&mut world);
    assert_eq!(posts(&world), 1);
    // Unreadable: believed, said once, counted.
    let denied = (
        "system:serviceaccount:payments:deployer".into(),
        "get".into(),
        "ConfigMap".into(),
    );
    world.denied.insert(denied);
    tick(&mut world);
    tick(&mut world);
    assert_eq!(posts(&world), 1);
    assert!(
        world
            .message()
            .contains("database of app/once can't be read, and its completion is kept"),
        "{}",
        world.message()
    );
    assert_eq!(
        told(&world, "LedgerAnchorUnreadable").len(),
        1,
        "{:?}",
        world.events
    );
    world.denied.clear();
    tick(&mut world);
    assert!(
        !world.message().contains("can't be read"),
        "{}",
        world.message()
    );
    // Recreated: another one.
    world.objects.remove(&key);
    world.plant("ConfigMap", "database");
    tick(&mut world);
    assert_eq!(posts(&world), 2, "{}", world.message());
    assert_eq!(told(&world, "LedgerInvalidated").len(), 1);
    // Gone: runs again, but can't be recorded without its witness, and then doesn't run a third time.
    world.objects.remove(&key);
    tick(&mut world);
    world.settle(10 * MINUTE);
    assert_eq!(posts(&world), 3);
    assert_eq!(world.ready(), "False StageFailed");
    assert!(
        world.message().contains("it isn't run again"),
        "{}",
        world.message()
    );
    world.plant("ConfigMap", "database");
    succeeds(&mut world, "witness is back");
    assert_eq!(posts(&world), 3);
}

/// What people take out of a ledger isn't done any more, and only that; what they put in counts, also of
/// actions that no spec has (any more), and survives the controller's own writes.
#[test]
fn a_ledger_edited_by_hand_is_believed_and_nothing_in_it_is_lost() {
    let once = ["first", "second"].map(|name| lifetime(action(name, http(Method::Post))));
    let mut world = with_actions(once.to_vec(), Vec::new());
    succeeds(&mut world, "both");
    assert_eq!(posts(&world), 2);
    let names = |world: &World| -> Vec<String> {
        let ledger = world.ledger.as_ref().unwrap();
        let completed = ledger.completed.iter();
        completed.map(|done| done.action.clone()).collect()
    };
    assert_eq!(names(&world), ["first", "second"]);

    let at = world.now;
    let put = |action: &str| Completed {
        stage: "app".into(),
        action: action.into(),
        executed: true,
        witness: None,
        at,
    };
    let ledger = world.ledger.as_mut().unwrap();
    ledger.completed.retain(|done| done.action != "first");
    ledger.completed.push(put("former"));
    // Twice the same says nothing more than once.
    ledger.completed.push(put("second"));
    world.crash();
    succeeds(&mut world, "after the edit");
    assert_eq!(posts(&world), 3, "the first runs once more, nothing else");
    let expected = ["second", "former", "second", "first"];
    assert_eq!(names(&world), expected, "what was put in stays");
    world.crash();
    succeeds(&mut world, "at rest");
    assert_eq!(posts(&world), 3);

    // Taken away as a whole: nothing counts as done, and a new one is made.
    world.ledger = None;
    world.crash();
    succeeds(&mut world, "after the ledger's deletion");
    assert_eq!(posts(&world), 5);
    assert_eq!(names(&world), ["first", "second"]);
}

#[test]
fn an_unreadable_ledger_stops_the_release_before_anything_is_done() {
    let mut world = with_actions(
        vec![lifetime(action("once", http(Method::Post)))],
        Vec::new(),
    );
    world.facts.ledger = Some(stageset_core::failure::Fact {
        value: Err(stageset_core::failure::Failure::new(
            stageset_core::failure::FailureClass::Denied,
            "cannot get stageledgers",
        )),
        at: world.now,
        failures: 1,
    });
    world.settle(Duration::from_secs(2));
    assert_eq!(world.ready(), "False StageFailed");
    assert!(
        world
            .message()
            .contains("StageLedger payments/shop can't be read"),
        "{}",
        world.message()
    );
    assert!(world.objects.is_empty());
    succeeds(&mut world, "readable again");
}

/// Each step of an action is a reason to look anew at what it works on, but not to ask again for what
/// the account may not see: with several actions that was a hot loop of denials (I4; found by the
/// trials).
#[test]
fn a_witness_that_may_not_be_read_is_not_asked_for_after_every_step() {
    let once = anchored(action("once", http(Method::Post)), "ConfigMap", "gate");
    let others = ["a", "b", "c"].map(|name| action(name, http(Method::Put)));
    let mut actions = vec![once];
    actions.extend(others);
    let mut world = with_actions(actions, Vec::new());
    world.plant("ConfigMap", "gate");
    succeeds(&mut world, "r1");
    world.denied.insert((
        "system:serviceaccount:payments:deployer".into(),
        "get".into(),
        "ConfigMap".into(),
    ));
    world.publish("app", "r2", &["Deployment/web=2"]);
    world.crash();
    let before = world.effects.received.len();
    let mut looks = 0;
    loop {
        let plan = world.turn();
        let asked = plan.needs.iter();
        looks += asked
            .filter(|need| matches!(need, Need::Look { .. }))
            .count();
        if plan.next != Next::Again {
            break;
        }
    }
    assert_eq!(
        world.effects.received.len(),
        before + 3,
        "{}",
        world.message()
    );
    assert_eq!(looks, 1);
}

/// The ledger holds that it is done, so that its start is nothing that may still be under way.
#[test]
fn what_is_done_for_ever_is_not_on_record_as_begun() {
    let once = lifetime(action("once", http(Method::Post)));
    let mut world = with_actions(vec![once], Vec::new());
    succeeds(&mut world, "first");
    world.slow.insert("Deployment".into(), HOUR);
    world.publish("app", "r2", &["Deployment/web=2"]);
    let again = lifetime(action("again", http(Method::Post)));
    world.edit_spec(|spec| spec.stages[1].actions.pre.push(again));
    world.settle(MINUTE);
    assert_eq!(world.effects.received.len(), 2);
    assert_eq!(world.status.stages[1].phase, Phase::Verifying);
    assert_eq!(world.status.stages[1].actions.started, []);
}
