//! References into other namespaces, each kind of them under each flag (S31 to S33, K04, A09).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't be set up fails"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use stageset_core::failure::{Failure, FailureClass};
use stageset_core::names::Namespace;
use stageset_core::observation::{Artifact, Dependency, DependencyState, Readiness, SourceState};
use stageset_core::plan::Need;
use stageset_core::spec::{
    Action, ActionScope, Manifests, SourceReference, StageSetReference, Verb,
};

use crate::world::{World, manifest, shop, stage};

const MINUTE: Duration = Duration::from_secs(60);
const DEPLOYER: &str = "system:serviceaccount:payments:deployer";
const THEIRS: &str = "vault";

/// A kind of reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Stage,
    Job,
    Apply,
    DependsOn,
}

const KINDS: [Kind; 4] = [Kind::Stage, Kind::Job, Kind::Apply, Kind::DependsOn];

/// What may be the matter with what it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Absent,
    NotReady,
    Useless,
    Forbidden,
}

const FAULTS: [Fault; 4] = [
    Fault::Absent,
    Fault::NotReady,
    Fault::Useless,
    Fault::Forbidden,
];

fn source(name: &str) -> SourceReference {
    SourceReference {
        namespace: Namespace::new(THEIRS).unwrap(),
        ..stage("x", name).source
    }
}

fn theirs() -> StageSetReference {
    StageSetReference {
        namespace: Namespace::new(THEIRS).unwrap(),
        name: "db".into(),
    }
}

/// The shop with one reference into another namespace, to something that is as it should be.
fn referring(kind: Kind) -> World {
    let mut world = shop();
    world.kinds.insert(
        ("source.toolkit.fluxcd.io".into(), "ExternalArtifact".into()),
        ("externalartifacts".into(), true),
    );
    world.edit_spec(|spec| spec.retry_interval = Some(Duration::from_secs(20)));
    let action = |verb| Action {
        name: "migrate".into(),
        scope: ActionScope::Revision,
        timeout: None,
        retries: 0,
        verb,
    };
    let manifests = || Manifests {
        source: source("steps"),
        path: "steps".into(),
    };
    match kind {
        Kind::Stage => world.edit_spec(|spec| spec.stages[1].source = source("app")),
        Kind::Job => world.edit_spec(|spec| {
            spec.stages[1].actions.pre = vec![action(Verb::Job(manifests()))];
        }),
        Kind::Apply => world.edit_spec(|spec| {
            spec.stages[1].actions.pre = vec![action(Verb::Apply {
                manifests: manifests(),
                wait: false,
            })];
        }),
        Kind::DependsOn => world.edit_spec(|spec| spec.depends_on = vec![theirs()]),
    }
    let made = if kind == Kind::Job {
        "Job/migrate=1"
    } else {
        "ConfigMap/extra=1"
    };
    world.artifacts.insert(
        ("sha256:steps".into(), "steps".into()),
        Ok(vec![manifest(made)]),
    );
    world
        .sources
        .insert("steps".into(), SourceState::Ready(artifact("steps")));
    world.dependencies.insert(
        theirs().to_string(),
        DependencyState::Found(dependency(Readiness::Ready)),
    );
    world
}

fn artifact(name: &str) -> Artifact {
    Artifact {
        url: format!("http://source/{name}.tar.gz"),
        digest: format!("sha256:{name}"),
        revision: "s1".into(),
    }
}

fn dependency(readiness: Readiness) -> Dependency {
    Dependency {
        readiness,
        applied: BTreeMap::new(),
        sources: BTreeSet::new(),
        depends_on: Vec::new(),
    }
}

fn breaks(world: &mut World, kind: Kind, fault: Fault) {
    let forbidden = || Failure::new(FailureClass::Denied, "no right, says secret-server");
    if kind == Kind::DependsOn {
        let state = match fault {
            Fault::Absent => DependencyState::Absent,
            Fault::NotReady => {
                DependencyState::Found(dependency(Readiness::NotReady("SecretReason".into())))
            }
            Fault::Useless => DependencyState::Found(dependency(Readiness::Deleting)),
            Fault::Forbidden => DependencyState::Unreadable(forbidden()),
        };
        world.dependencies.insert(theirs().to_string(), state);
        return;
    }
    let name = if kind == Kind::Stage { "app" } else { "steps" };
    let state = match fault {
        Fault::Absent => SourceState::Absent,
        Fault::NotReady => SourceState::NotReady {
            message: "secret detail".into(),
            artifact: None,
        },
        Fault::Useless => SourceState::NoArtifact,
        Fault::Forbidden => SourceState::Unreadable(forbidden()),
    };
    world.sources.insert(name.into(), state);
}

/// Lets the tenant's account read it itself.
fn grant(world: &mut World, kind: Kind) {
    let resource = if kind == Kind::DependsOn {
        "stagesets"
    } else {
        "externalartifacts"
    };
    world
        .readable
        .insert((DEPLOYER.into(), resource.into(), THEIRS.into()));
}

fn reads_theirs(need: &Need) -> bool {
    match need {
        Need::Source(source) => source.namespace.as_str() == THEIRS,
        Need::Dependency(stage_set) => stage_set.namespace.as_str() == THEIRS,
        _ => false,
    }
}

/// Takes turns for a while; whether anything of theirs was read.
fn reads(world: &mut World) -> bool {
    let mut read = false;
    for _ in 0..200 {
        let plan = world.turn();
        read |= plan.needs.iter().any(reads_theirs);
        if plan.is_idle() {
            world.now = world.now.plus(Duration::from_secs(5));
        }
    }
    read
}

#[test]
fn without_a_flag_the_controller_reads_it_for_everybody() {
    for kind in KINDS {
        let mut world = referring(kind);
        assert!(reads(&mut world), "{kind:?}");
        assert_eq!(
            world.ready(),
            "True Succeeded",
            "{kind:?}: {}",
            world.message()
        );
    }
}

#[test]
fn s31_s32_s33_under_the_isolation_flag_every_kind_of_reference_is_refused_unread() {
    for (kind, field, reason) in [
        (Kind::Stage, "spec.stages[1].sourceRef", "ResolveFailed"),
        (Kind::Job, "spec.stages[1].actions.pre", "ResolveFailed"),
        (Kind::Apply, "spec.stages[1].actions.pre", "ResolveFailed"),
        (Kind::DependsOn, "spec.dependsOn[0]", "DependencyNotReady"),
    ] {
        let mut world = referring(kind);
        world.config.no_cross_namespace_refs = true;
        assert!(!reads(&mut world), "{kind:?}");
        assert_eq!(world.ready(), format!("False {reason}"), "{kind:?}");
        for said in [field, THEIRS, "--no-cross-namespace-refs", "payments"] {
            assert!(
                world.message().contains(said),
                "{kind:?}: {}",
                world.message()
            );
        }
        assert!(world.objects.is_empty(), "{kind:?}");
    }
}

#[test]
fn k04_under_the_check_it_is_read_only_for_an_account_that_may_read_it() {
    for kind in KINDS {
        let mut world = referring(kind);
        world.config.check_cross_namespace_refs = true;
        assert!(!reads(&mut world), "{kind:?}");
        assert!(world.ready().starts_with("False"), "{kind:?}");
        grant(&mut world, kind);
        world.settle(3 * MINUTE);
        assert_eq!(
            world.ready(),
            "True Succeeded",
            "{kind:?}: {}",
            world.message()
        );
    }
}

/// What kind a foreign reference means is asked only so often while nothing serves it.
#[test]
fn k04_a_kind_that_nothing_serves_is_asked_for_at_a_bounded_pace() {
    let mut world = referring(Kind::Stage);
    world.config.check_cross_namespace_refs = true;
    grant(&mut world, Kind::Stage);
    let kind = ("source.toolkit.fluxcd.io".into(), "ExternalArtifact".into());
    let served = world.kinds.remove(&kind).expect("it is served");
    let mut asked = 0;
    for _ in 0..200 {
        let plan = world.turn();
        let kinds = plan.needs.iter();
        asked += kinds
            .filter(|need| matches!(need, Need::Kind { .. }))
            .count();
        if plan.is_idle() {
            world.now = world.now.plus(Duration::from_secs(1));
        }
    }
    assert!(world.ready().starts_with("False"), "{}", world.message());
    assert!((1..30).contains(&asked), "{asked}");
    world.kinds.insert(kind, served);
    world.settle(3 * MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}

/// A right that is taken away counts from the next tick on, and what is known already doesn't help.
#[test]
fn k04_a_right_that_is_taken_away_is_missed() {
    for kind in [Kind::Stage, Kind::DependsOn] {
        let mut world = referring(kind);
        world.config.check_cross_namespace_refs = true;
        grant(&mut world, kind);
        world.settle(MINUTE);
        assert_eq!(world.ready(), "True Succeeded", "{kind:?}");
        world.readable.clear();
        world.now = world.now.plus(20 * MINUTE);
        world.refresh_before = world.now;
        assert!(!reads(&mut world), "{kind:?}");
        assert!(world.ready().starts_with("False"), "{kind:?}");
    }
}

/// With stages that name accounts and a StageSet that doesn't, there is nobody to read a dependency as
/// (K01).
#[test]
fn k01_a_dependency_is_not_read_as_a_stages_own_account() {
    let mut world = referring(Kind::DependsOn);
    world.config.check_cross_namespace_refs = true;
    grant(&mut world, Kind::DependsOn);
    world.edit_spec(|spec| {
        let account = spec.service_account.take();
        for stage in &mut spec.stages {
            stage.service_account.clone_from(&account);
        }
    });
    assert!(!reads(&mut world));
    assert_eq!(world.ready(), "False DependencyNotReady");
}

/// A neighbour's dependencies are looked through for a circle only as far as the tenant itself could.
#[test]
fn k04_a_neighbour_leads_no_further_than_the_account_may_read() {
    let mut world = referring(Kind::DependsOn);
    world.config.check_cross_namespace_refs = true;
    let near = StageSetReference {
        namespace: Namespace::new("payments").unwrap(),
        name: "near".into(),
    };
    let found = Dependency {
        depends_on: vec![theirs()],
        ..dependency(Readiness::Ready)
    };
    world
        .dependencies
        .insert(near.to_string(), DependencyState::Found(found));
    world.edit_spec(|spec| spec.depends_on = vec![near]);
    assert!(!reads(&mut world));
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}

/// Absent, not ready, useless, forbidden to the controller, forbidden to the tenant: one reason and one
/// text for each kind of reference.
#[test]
fn attack_a09_every_fault_of_a_foreign_object_reads_alike() {
    for kind in KINDS {
        let mut said = BTreeSet::new();
        for fault in FAULTS {
            let mut world = referring(kind);
            breaks(&mut world, kind, fault);
            reads(&mut world);
            said.insert((world.ready(), world.message().to_owned()));
        }
        for fault in FAULTS {
            for may in [false, true] {
                let mut world = referring(kind);
                world.config.check_cross_namespace_refs = true;
                if may {
                    grant(&mut world, kind);
                }
                breaks(&mut world, kind, fault);
                reads(&mut world);
                said.insert((world.ready(), world.message().to_owned()));
            }
        }
        assert_eq!(said.len(), 1, "{kind:?}: {said:#?}");
    }
}

/// What one account may read leads no other one to it.
#[test]
fn attack_a07_the_right_of_one_account_to_a_foreign_source_is_no_other_ones() {
    let mut world = referring(Kind::Stage);
    world.config.check_cross_namespace_refs = true;
    grant(&mut world, Kind::Stage);
    assert!(reads(&mut world));
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    world.accounts.insert("poor".into());
    let poor = stageset_core::names::ServiceAccountName::new("poor").unwrap();
    world.edit_spec(|spec| spec.stages[1].service_account = Some(poor));
    assert!(!reads(&mut world));
    assert!(world.ready().starts_with("False"), "{}", world.ready());
}
