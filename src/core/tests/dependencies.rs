//! dependsOn: waiting, revisions, circles, and namespaces apart.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't be set up fails"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use stageset_core::failure::{Failure, FailureClass};
use stageset_core::names::Namespace;
use stageset_core::observation::{Dependency, DependencyState, Phase, Readiness};
use stageset_core::plan::{Need, Next};
use stageset_core::spec::{Action, ActionScope, StageSetReference, Verb};

use crate::world::{World, shop};

const MINUTE: Duration = Duration::from_secs(60);

fn reference(text: &str) -> StageSetReference {
    let (namespace, name) = text.split_once('/').unwrap();
    StageSetReference {
        namespace: Namespace::new(namespace).unwrap(),
        name: name.to_owned(),
    }
}

fn found(readiness: Readiness, depends_on: &[&str]) -> DependencyState {
    DependencyState::Found(Dependency {
        readiness,
        applied: BTreeMap::new(),
        sources: BTreeSet::new(),
        depends_on: depends_on.iter().map(|text| reference(text)).collect(),
    })
}

fn depending(on: &[&str]) -> World {
    let mut world = shop();
    world.edit_spec(|spec| {
        spec.depends_on = on.iter().map(|text| reference(text)).collect();
        spec.retry_interval = Some(Duration::from_secs(20));
    });
    world
}

/// The watch tells of a change.
fn now_is(world: &mut World, name: &str, state: DependencyState) {
    world.dependencies.insert(name.into(), state);
    world.facts.dependencies.remove(&reference(name));
}

#[test]
fn nothing_begins_before_every_dependency_is_ready() {
    let mut world = depending(&["payments/db", "payments/queue"]);
    for (state, says) in [
        (
            DependencyState::Absent,
            "payments/db (spec.dependsOn[0]) doesn't exist",
        ),
        (
            found(Readiness::NotReady("StageFailed".into()), &[]),
            "payments/db (spec.dependsOn[0]) isn't ready (StageFailed)",
        ),
        (
            found(
                Readiness::Stale {
                    generation: 3,
                    observed: 2,
                },
                &[],
            ),
            "generation 3, observed 2",
        ),
        (
            found(Readiness::HoldsRevision, &[]),
            "holds back a new revision",
        ),
        (found(Readiness::Deleting, &[]), "is being deleted"),
    ] {
        now_is(&mut world, "payments/db", state);
        world.settle(MINUTE);
        assert_eq!(world.ready(), "False DependencyNotReady");
        assert!(world.message().contains(says), "{}", world.message());
        assert!(
            world.message().contains("payments/queue"),
            "{}",
            world.message()
        );
        assert!(world.objects.is_empty());
    }
    assert!(world.events.is_empty(), "{:?}", world.events);
    now_is(&mut world, "payments/db", found(Readiness::Ready, &[]));
    now_is(&mut world, "payments/queue", found(Readiness::Ready, &[]));
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}

#[test]
fn a_dependency_that_nobody_watches_is_asked_again_after_the_retry_interval() {
    let mut world = depending(&["payments/db"]);
    world.settle(Duration::from_secs(5));
    world
        .dependencies
        .insert("payments/db".into(), found(Readiness::Ready, &[]));
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}

#[test]
fn k08_the_dependency_must_be_ready_at_the_revision_that_is_pinned() {
    let mut world = depending(&["payments/db"]);
    let source = world.spec.as_ref().unwrap().stages[0].source.clone();
    let at = |revision: &str| {
        DependencyState::Found(Dependency {
            readiness: Readiness::Ready,
            applied: BTreeMap::from([("payments/config".to_owned(), revision.to_owned())]),
            sources: BTreeSet::from([source.clone()]),
            depends_on: Vec::new(),
        })
    };
    now_is(&mut world, "payments/db", at("r0"));
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False DependencyNotReady");
    assert!(
        world
            .message()
            .contains("is ready at r0 of ExternalArtifact payments/config, this one delivers r1"),
        "{}",
        world.message()
    );
    now_is(&mut world, "payments/db", at("r1"));
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    world.publish(
        "config",
        "r2",
        &["ConfigMap/settings=2", "Deployment/cache=1"],
    );
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False DependencyNotReady");
    let object = |world: &World| {
        world
            .object("ConfigMap", "settings")
            .unwrap()
            .content
            .clone()
    };
    let before = object(&world);
    now_is(&mut world, "payments/db", at("r2"));
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    assert_ne!(object(&world), before);
}

#[test]
fn k09_what_stands_is_kept_as_it_should_be_while_a_dependency_is_not_ready() {
    let mut world = depending(&["payments/db"]);
    now_is(&mut world, "payments/db", found(Readiness::Ready, &[]));
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded");
    now_is(
        &mut world,
        "payments/db",
        found(Readiness::NotReady("StageFailed".into()), &[]),
    );
    world.objects.retain(|key, _| key.name != "settings");
    world.crash();
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False DependencyNotReady");
    assert!(
        world.object("ConfigMap", "settings").is_some(),
        "drift stayed"
    );
    assert!(
        world
            .events
            .iter()
            .any(|(reason, _)| reason == "DriftCorrected")
    );
}

#[test]
fn a_circle_is_told_with_every_step_of_it() {
    let mut world = depending(&["payments/a"]);
    now_is(
        &mut world,
        "payments/a",
        found(Readiness::Ready, &["payments/x", "payments/b"]),
    );
    now_is(
        &mut world,
        "payments/b",
        found(Readiness::Ready, &["payments/shop"]),
    );
    world.settle(Duration::from_secs(30));
    assert_eq!(world.ready(), "False Stalled");
    assert!(
        world
            .message()
            .contains("payments/shop → payments/a → payments/b → payments/shop"),
        "{}",
        world.message()
    );
    assert!(world.objects.is_empty());
    let mut world = depending(&["payments/shop"]);
    world.settle(Duration::from_secs(30));
    assert!(
        world.message().contains("payments/shop → payments/shop"),
        "{}",
        world.message()
    );
}

#[test]
fn a_circle_of_others_is_theirs_to_report() {
    let mut world = depending(&["payments/a"]);
    let not_ready = || Readiness::NotReady("Stalled".into());
    now_is(
        &mut world,
        "payments/a",
        found(not_ready(), &["payments/b"]),
    );
    now_is(
        &mut world,
        "payments/b",
        found(not_ready(), &["payments/a"]),
    );
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False DependencyNotReady");
}

#[test]
fn a_chain_without_end_is_not_walked_without_end() {
    let mut world = depending(&["payments/c0"]);
    for step in 0..2_000 {
        let next = format!("payments/c{}", step + 1);
        now_is(
            &mut world,
            &format!("payments/c{step}"),
            found(Readiness::Ready, &[&next]),
        );
    }
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    assert!(world.facts.dependencies.len() <= 256);
}

#[test]
fn gap_02_a09_a_foreign_dependency_tells_nothing_but_that_it_is_not_ready() {
    let mut said = BTreeSet::new();
    let secret = || Readiness::NotReady("SecretReason".into());
    for state in [
        DependencyState::Absent,
        found(secret(), &["vault/hidden"]),
        found(Readiness::Deleting, &[]),
        found(
            Readiness::Stale {
                generation: 3,
                observed: 2,
            },
            &[],
        ),
        DependencyState::Unreadable(Failure::new(FailureClass::Denied, "no right")),
    ] {
        let mut world = depending(&["vault/db"]);
        now_is(&mut world, "vault/db", state);
        world.settle(MINUTE);
        assert_eq!(world.ready(), "False DependencyNotReady");
        said.insert(world.message().to_owned());
    }
    assert_eq!(said.len(), 1, "{said:?}");
}

#[test]
fn attack_a09_a_circle_through_other_namespaces_names_no_stranger() {
    let mut world = depending(&["vault/a"]);
    now_is(&mut world, "vault/a", found(Readiness::Ready, &["crypt/b"]));
    now_is(
        &mut world,
        "crypt/b",
        found(Readiness::Ready, &["payments/shop"]),
    );
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False Stalled");
    assert!(
        world
            .message()
            .contains("payments/shop → vault/a → … → payments/shop"),
        "{}",
        world.message()
    );
}

#[test]
fn s32_the_isolation_flag_refuses_a_foreign_dependency_unread() {
    let mut world = depending(&["payments/db", "vault/db"]);
    world.config.no_cross_namespace_refs = true;
    for _ in 0..20 {
        let plan = world.turn();
        let foreign = |need: &Need| matches!(need, Need::Dependency(each) if each.namespace.as_str() != "payments");
        assert!(!plan.needs.iter().any(foreign), "{plan}");
    }
    assert_eq!(world.ready(), "False DependencyNotReady");
    assert!(
        world.message().contains("spec.dependsOn[1]"),
        "{}",
        world.message()
    );
    assert!(
        world.message().contains("--no-cross-namespace-refs"),
        "{}",
        world.message()
    );
    assert!(world.objects.is_empty());
}

#[test]
fn gap_02_s33_with_the_isolation_flag_a_neighbour_leads_to_no_foreign_read() {
    let mut world = depending(&["payments/db"]);
    world.config.no_cross_namespace_refs = true;
    now_is(
        &mut world,
        "payments/db",
        found(Readiness::Ready, &["vault/db"]),
    );
    now_is(
        &mut world,
        "vault/db",
        found(Readiness::Ready, &["payments/shop"]),
    );
    world.settle(MINUTE);
    assert!(
        world
            .facts
            .dependencies
            .keys()
            .all(|each| each.namespace.as_str() == "payments"),
        "a foreign StageSet was read"
    );
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}

#[test]
fn a_deletion_waits_for_no_dependency() {
    let mut world = depending(&["payments/db"]);
    now_is(&mut world, "payments/db", found(Readiness::Ready, &[]));
    world.settle(MINUTE);
    now_is(&mut world, "payments/db", DependencyState::Absent);
    world.deletion_timestamp = Some(world.now);
    world.settle(MINUTE);
    assert!(world.gone);
    assert!(world.objects.is_empty());
}

/// What waits for a dependency still looks after what it has delivered, and as soon as that needs it.
#[test]
fn what_stops_being_ready_is_looked_at_before_the_dependency_is() {
    let mut world = depending(&["payments/db"]);
    world.slow.clear();
    now_is(&mut world, "payments/db", found(Readiness::Ready, &[]));
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded");
    let away = found(Readiness::NotReady("StageFailed".into()), &[]);
    now_is(&mut world, "payments/db", away);
    let until = |next: Next| match next {
        Next::Hold { until, .. } => until,
        other => panic!("{other}"),
    };
    let of_the_dependency = until(world.pass());
    let deployments = world
        .objects
        .iter_mut()
        .filter(|(key, _)| key.name == "web");
    for (_, stored) in deployments {
        stored.ready_at = world.now.plus(60 * MINUTE);
    }
    world.forget_what_was_seen();
    let of_both = until(world.pass());
    assert!(
        of_both < of_the_dependency,
        "{of_both} and {of_the_dependency}"
    );
}

/// What is left to do after a stage is done once the dependency is ready again, and not before.
#[test]
fn a_stage_whose_actions_wait_for_a_dependency_is_not_called_ready() {
    let mut world = depending(&["payments/db"]);
    world.slow.clear();
    world.edit_spec(|spec| {
        spec.stages[0].actions.post = vec![Action {
            name: "rest".into(),
            scope: ActionScope::Revision,
            timeout: None,
            retries: 0,
            verb: Verb::Pause(10 * MINUTE),
        }];
    });
    now_is(&mut world, "payments/db", found(Readiness::Ready, &[]));
    world.settle(Duration::from_secs(5));
    assert!(world.message().contains("pausing"), "{}", world.message());
    let away = found(Readiness::NotReady("StageFailed".into()), &[]);
    now_is(&mut world, "payments/db", away);
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False DependencyNotReady");
    assert_ne!(world.status.stages[0].phase, Phase::Ready);
    now_is(&mut world, "payments/db", found(Readiness::Ready, &[]));
    world.settle(15 * MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}
