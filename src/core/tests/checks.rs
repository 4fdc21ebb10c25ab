//! Checks on further objects: what a stage waits for and that isn't its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't be set up fails"
)]

use std::time::Duration;

use stageset_core::names::Namespace;
use stageset_core::object::GroupVersionKind;
use stageset_core::plan::{Need, Next};
use stageset_core::spec::Check;

use crate::world::{Stored, World, shop};

const MINUTE: Duration = Duration::from_secs(60);
const DEPLOYER: &str = "system:serviceaccount:payments:deployer";

fn check(kind: &str, name: &str) -> Check {
    let api_version = if kind == "Deployment" {
        "apps/v1"
    } else {
        "v1"
    };
    Check {
        gvk: GroupVersionKind::from_manifest(api_version, kind),
        namespace: None,
        name: name.into(),
    }
}

fn checked(check: Check) -> World {
    let mut world = shop();
    world.edit_spec(|spec| spec.stages[0].checks = vec![check]);
    world
}

fn appears(world: &mut World, kind: &str, name: &str, ready_in: Duration) {
    let key = world.key(kind, name);
    let stored = Stored::foreign("u-other", world.now.plus(ready_in));
    world.objects.insert(key, stored);
}

#[test]
fn a_stage_waits_for_objects_of_others_and_only_looks_at_them() {
    let mut world = checked(check("ConfigMap", "theirs"));
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False StageProgressing");
    assert!(
        world.message().contains(
            "2 of 3 objects ready; waiting for ConfigMap payments/theirs (it doesn't exist)"
        ),
        "{}",
        world.message()
    );
    assert!(
        world.object("Service", "web").is_none(),
        "the next stage began"
    );
    appears(&mut world, "ConfigMap", "theirs", Duration::from_secs(20));
    world.settle(Duration::from_secs(10));
    assert_eq!(world.ready(), "False StageProgressing");
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    for word in ["create", "change", "delete", "take over"] {
        let touched = world.done_with(word);
        assert!(
            !touched.iter().any(|what| what.contains("theirs")),
            "{touched:?}"
        );
    }
    let recorded = world
        .inventories
        .values()
        .flat_map(|inventory| inventory.entries.keys());
    assert!(
        recorded.into_iter().all(|key| key.name != "theirs"),
        "it was recorded"
    );
}

#[test]
fn gap_09_a_check_that_may_not_be_read_is_reported_as_denied_and_heals() {
    let mut world = checked(check("Secret", "theirs"));
    world
        .denied
        .insert((DEPLOYER.into(), "get".into(), "Secret".into()));
    let before = world.requests;
    world.settle(Duration::from_secs(300));
    assert_eq!(world.ready(), "False RBACDenied");
    assert!(
        world
            .message()
            .contains("check Secret payments/theirs can't be read")
    );
    assert!(world.requests - before < 60, "{}", world.requests - before);
    appears(&mut world, "Secret", "theirs", Duration::ZERO);
    world.denied.clear();
    world.settle(Duration::from_secs(120));
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}

#[test]
fn a_check_of_an_unknown_kind_and_one_out_of_bounds_are_told() {
    let mut unknown = checked(Check {
        gvk: GroupVersionKind::from_manifest("example.org/v1", "Nothing"),
        ..check("ConfigMap", "x")
    });
    unknown.settle(MINUTE);
    assert_eq!(unknown.ready(), "False RBACDenied");
    assert!(
        unknown
            .message()
            .contains("doesn't serve example.org/v1 Nothing")
    );
    let nothing = ("example.org".to_owned(), "Nothing".to_owned());
    unknown.kinds.insert(nothing, ("nothings".into(), true));
    unknown.settle(MINUTE + MINUTE);
    let said = "Nothing.example.org payments/x (it doesn't exist)";
    assert!(unknown.message().contains(said), "{}", unknown.message());

    let mut outside = checked(Check {
        namespace: Some("vault".into()),
        ..check("ConfigMap", "x")
    });
    outside
        .config
        .watch_namespaces
        .insert(Namespace::new("payments").unwrap());
    for _ in 0..60 {
        let plan = outside.turn();
        let foreign = |need: &Need| matches!(need, Need::Read { object, .. } if object.key.namespace.as_deref() == Some("vault"));
        assert!(!plan.needs.iter().any(foreign), "{plan}");
    }
    assert_eq!(outside.ready(), "False RBACDenied");
    assert!(
        outside.message().contains("--watch-namespaces"),
        "{}",
        outside.message()
    );
}

/// Discovery that fails for a moment is asked again once a pause is over, and not before.
#[test]
fn the_kind_of_a_check_that_can_not_be_looked_up_is_waited_for() {
    let mut world = checked(Check {
        gvk: GroupVersionKind::from_manifest("example.org/v1", "Widget"),
        ..check("ConfigMap", "x")
    });
    let widgets = ("example.org".to_owned(), "Widget".to_owned());
    world.kinds.insert(widgets, ("widgets".into(), true));
    let of_widgets = |need: &Need| matches!(need, Need::Kind { gvk, .. } if gvk.kind == "Widget");
    world.is_asked_again(of_widgets, "discovery failed: injected fault");
    world.settle(MINUTE);
    let said = "Widget.example.org payments/x (it doesn't exist)";
    assert!(world.message().contains(said), "{}", world.message());
}

/// A namespace written into a check of a cluster-scoped kind makes no namespaced one of it.
#[test]
fn attack_a11_the_scope_of_a_check_is_discoverys_and_not_the_specs() {
    let mut world = checked(Check {
        namespace: Some("payments".into()),
        ..check("Namespace", "vault")
    });
    let mut asked = Vec::new();
    for _ in 0..60 {
        let needs = world.turn().needs;
        asked.extend(needs.iter().filter_map(|need| match need {
            Need::Read { object, .. } if object.key.name == "vault" => {
                Some(object.key.namespace.clone())
            }
            _ => None,
        }));
    }
    assert!(!asked.is_empty(), "{}", world.message());
    assert!(asked.iter().all(Option::is_none), "{asked:?}");
}

#[test]
fn what_was_seen_of_a_check_before_the_stage_was_written_opens_nothing() {
    let mut world = checked(check("ConfigMap", "theirs"));
    appears(&mut world, "ConfigMap", "theirs", Duration::ZERO);
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded");
    // The new revision makes it unready; what was read for the old one is still in memory.
    let later = world.now.plus(Duration::from_secs(30));
    for (key, stored) in &mut world.objects {
        if key.name == "theirs" {
            stored.ready_at = later;
        }
    }
    world.publish(
        "config",
        "r2",
        &["ConfigMap/settings=2", "Deployment/cache=2"],
    );
    world.publish("app", "r2", &["Deployment/web=2", "Service/web=1"]);
    world.now = world.now.plus(Duration::from_secs(1));
    world.settle(Duration::from_secs(15));
    assert_eq!(
        world.ready(),
        "False StageProgressing",
        "{}",
        world.message()
    );
    assert!(world.message().contains("theirs"), "{}", world.message());
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}

/// What can't be read isn't ready, and is looked at again.
#[test]
fn a_check_whose_object_can_not_be_read_for_a_moment_is_not_met() {
    let mut world = checked(check("ConfigMap", "theirs"));
    world.slow.clear();
    appears(&mut world, "ConfigMap", "theirs", Duration::ZERO);
    let reads_it = |plan: &stageset_core::plan::Plan| {
        let of_theirs =
            |need: &Need| matches!(need, Need::Read { object, .. } if object.key.name == "theirs");
        plan.needs.iter().position(of_theirs)
    };
    let at = loop {
        if let Some(at) = reads_it(&world.foresee()) {
            break at as u64;
        }
        let _ = world.turn();
    };
    let away = stageset_core::failure::FailureClass::Transient { retry_after: None };
    world.fault = Some((world.requests + 1 + at, away));
    let _ = world.turn();
    assert_ne!(world.pass(), Next::Again);
    let plan = world.last_plan.clone().unwrap().to_string();
    let said = "ConfigMap payments/theirs (can't be read";
    assert!(plan.contains(said), "{plan}");
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded");
}
