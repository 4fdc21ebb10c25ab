//! Variables: as whom they are read, which one wins, and when a release goes on with new ones.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't be set up fails"
)]

use std::time::Duration;

use serde_json::json;
use stageset_core::names::{ObjectName, ServiceAccountName};
use stageset_core::observation::{Values, VariableState};
use stageset_core::plan::Need;
use stageset_core::spec::{VariableKind, VariableReference, VariableSource};

use crate::world::{World, shop, single_tenant};

const MINUTE: Duration = Duration::from_secs(60);
const DEPLOYER: &str = "system:serviceaccount:payments:deployer";
const CANARY: &str = "hunter2-canary";

fn reference(kind: VariableKind, name: &str, optional: bool) -> VariableReference {
    let name = ObjectName::new(name).unwrap();
    VariableReference {
        source: VariableSource { kind, name },
        optional,
    }
}

fn found(version: &str, pairs: &[(&str, &str)]) -> VariableState {
    let mut values = Values::default();
    for (name, value) in pairs {
        values.set(*name, *value);
    }
    VariableState::Found {
        values,
        version: version.into(),
    }
}

/// The shop, whose second stage takes variables from a ConfigMap and then a Secret.
fn with_variables() -> World {
    let mut world = shop();
    world.edit_spec(|spec| {
        spec.stages[1].overlay.variables_from = vec![
            reference(VariableKind::ConfigMap, "common", false),
            reference(VariableKind::Secret, "creds", false),
        ];
        spec.stages[1]
            .overlay
            .variables
            .insert("inline".into(), "mine".into());
    });
    world.variables.insert(
        "ConfigMap common".into(),
        found(
            "1",
            &[("a", "common"), ("b", "common"), ("inline", "common")],
        ),
    );
    world
        .variables
        .insert("Secret creds".into(), found("1", &[("b", CANARY)]));
    world
}

fn reads(world: &World) -> Vec<(String, Option<String>)> {
    let read = |what: &str| what.starts_with("read ConfigMap ") || what.starts_with("read Secret ");
    let done = world.done.iter().filter(|done| read(&done.what));
    done.map(|done| (done.what.clone(), done.identity.clone()))
        .collect()
}

#[test]
fn later_sources_override_earlier_ones_and_inline_wins() {
    let mut world = with_variables();
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    let given: Vec<_> = world
        .overlays
        .iter()
        .filter(|o| !o.variables.is_empty())
        .collect();
    assert_eq!(given.len(), 1);
    let given: Vec<_> = given[0].variables.iter().collect();
    assert_eq!(given, [("a", "common"), ("b", CANARY), ("inline", "mine")]);
}

/// S30: what a spec names is read as `spec.serviceAccountName`, whatever account the stage has.
#[test]
fn s30_variables_are_read_as_the_account_of_the_stage_set() {
    let mut world = with_variables();
    world.accounts.insert("stage-own".into());
    world.edit_spec(|spec| {
        spec.stages[1].service_account = Some(ServiceAccountName::new("stage-own").unwrap());
    });
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    let reads = reads(&world);
    assert_eq!(reads.len(), 2);
    for (what, identity) in reads {
        assert_eq!(identity.as_deref(), Some(DEPLOYER), "{what}");
    }
}

/// A03: what the account can't read isn't read, and nothing is sent anywhere.
#[test]
fn attack_a03_a_secret_that_the_account_cannot_read_stops_the_stage() {
    let mut world = with_variables();
    world
        .denied
        .insert((DEPLOYER.into(), "get".into(), "Secret".into()));
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False RBACDenied");
    let message = world.message();
    assert!(
        message.starts_with("stage app: postBuild.substituteFrom: Secret creds: may not get"),
        "{message}"
    );
    assert!(
        world.objects.is_empty(),
        "nothing is written before all stages are built"
    );
    // I4: never as anybody else, and not hot.
    let (before, reads_before) = (world.now, reads(&world).len());
    world.settle(MINUTE);
    let again = reads(&world).len() - reads_before;
    assert!(again <= 4, "{again} reads in {:?}", world.now.since(before));
    assert!(
        reads(&world)
            .iter()
            .all(|(_, identity)| identity.as_deref() == Some(DEPLOYER))
    );
    // K10: granting the right heals it without touching the StageSet.
    world.denied.clear();
    world.settle(MINUTE * 2);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}

/// K01: with accounts on the stages only there is nobody to read as.
#[test]
fn k01_without_an_account_of_the_stage_set_variables_are_refused() {
    let mut world = with_variables();
    world.edit_spec(|spec| {
        for stage in &mut spec.stages {
            stage.service_account = Some(ServiceAccountName::new("deployer").unwrap());
        }
        spec.service_account = None;
    });
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False RBACDenied");
    assert!(
        world.message().contains("spec.serviceAccountName"),
        "{}",
        world.message()
    );
    assert!(reads(&world).is_empty());
    // Inline variables need nobody.
    world.edit_spec(|spec| spec.stages[1].overlay.variables_from.clear());
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}

#[test]
fn single_tenant_mode_reads_variables_as_the_controller() {
    let mut world = with_variables();
    single_tenant(&mut world);
    world.edit_spec(|spec| spec.service_account = None);
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    assert!(reads(&world).iter().all(|(_, identity)| identity.is_none()));
}

#[test]
fn optional_tolerates_absence_and_nothing_else() {
    let mut world = with_variables();
    world.variables.remove("Secret creds");
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False StageFailed");
    assert!(
        world.message().contains("Secret creds: it doesn't exist"),
        "{}",
        world.message()
    );
    world.edit_spec(|spec| spec.stages[1].overlay.variables_from[1].optional = true);
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());

    let mut world = with_variables();
    world.edit_spec(|spec| spec.stages[1].overlay.variables_from[1].optional = true);
    world
        .denied
        .insert((DEPLOYER.into(), "get".into(), "Secret".into()));
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False RBACDenied");
}

/// A Secret that is made later heals the release by itself.
#[test]
fn a_missing_secret_is_found_once_it_is_there() {
    let mut world = with_variables();
    let creds = world.variables.remove("Secret creds").unwrap();
    world.settle(MINUTE);
    world.variables.insert("Secret creds".into(), creds);
    world.settle(MINUTE * 2);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}

/// New variables are new content: a build and a run of their own, at the next look.
#[test]
fn changed_variables_are_built_anew() {
    let mut world = with_variables();
    world.settle(MINUTE);
    let run = |world: &World| {
        let stage = &world.status.stages[1];
        stage.run.clone()
    };
    let (builds, before) = (world.overlays.len(), run(&world));
    world
        .variables
        .insert("Secret creds".into(), found("2", &[("b", "new")]));
    // The next interval tick.
    world.now = world.now.plus(MINUTE * 10);
    world.refresh_before = world.now;
    world.settle(MINUTE);
    let given: Vec<_> = world.overlays[builds..]
        .iter()
        .flat_map(|o| o.variables.iter())
        .collect();
    assert!(given.contains(&("b", "new")), "{given:?}");
    assert_ne!(run(&world), before);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}

/// A21, I9: no value of a variable in a plan, in what it prints, in the status or in an event.
#[test]
fn attack_a21_values_stand_in_no_plan_status_or_event() {
    let mut world = with_variables();
    let mut said = String::new();
    let mut saw_a_build = false;
    for _ in 0..60 {
        let plan = world.turn();
        saw_a_build |= plan.needs.iter().any(
            |need| matches!(need, Need::Build { overlay, .. } if !overlay.variables.is_empty()),
        );
        said += &format!("{plan}\n{plan:?}\n{}\n", json!(plan));
    }
    assert!(saw_a_build);
    said += &format!("{:?} {:?} {:?}", world.status, world.events, world.facts);
    assert!(!said.contains(CANARY), "a canary was said");
    assert!(
        world
            .overlays
            .iter()
            .any(|o| o.variables.iter().any(|(_, value)| value == CANARY))
    );
}
