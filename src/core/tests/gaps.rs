//! Holes of the reference implementation that the contract marks **[GAP]**, each with the rule that
//! stands there. Those that have their place elsewhere are named `gap_NN_…` too; `docs/gaps.md` lists
//! all of them, by section of the contract.

use std::time::Duration;

use stageset_core::failure::{Failure, FailureClass};
use stageset_core::judge::cel::Expression;
use stageset_core::names::{Namespace, ServiceAccountName};
use stageset_core::observation::{Artifact, DependencyState, SourceState};
use stageset_core::spec::{Action, ActionScope, ReadyExpressions, StageSetReference, Verb};

use crate::world::{NAMESPACE, World, shop};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DEPLOYER: &str = "system:serviceaccount:payments:deployer";

fn pause(name: &str, seconds: u64) -> Action {
    Action {
        name: name.into(),
        scope: ActionScope::Revision,
        timeout: None,
        retries: 0,
        verb: Verb::Pause(Duration::from_secs(seconds)),
    }
}

/// §1: the reference writes status once, at the end of a pass; a crash in between loses what was done.
#[test]
fn gap_01_a_completion_is_on_record_before_the_pass_ends() {
    let mut world = shop();
    world.edit_spec(|spec| spec.stages[0].actions.pre = vec![pause("one", 1), pause("two", 1)]);
    world.settle(Duration::from_millis(1500));
    let executed = |world: &World| {
        let stage = world.status.stages.first().cloned();
        stage.map_or_else(Vec::new, |stage| stage.actions.executed)
    };
    assert_eq!(
        executed(&world),
        ["one"],
        "the list isn't done, its first is"
    );
    assert!(world.object("Deployment", "cache").is_none());
    world.crash();
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded");
    let begun = world
        .done
        .iter()
        .filter(|done| done.what.contains("\"one\"") && done.what.contains("starts"));
    assert!(begun.count() <= 1, "{:?}", world.done);
}

/// §2: a dependency that can't be read set no condition.
#[test]
fn gap_02_a_dependency_that_cannot_be_read_is_told_with_its_reason() {
    for (class, reason) in [
        (FailureClass::Denied, "False RBACDenied"),
        (
            FailureClass::Transient { retry_after: None },
            "False ResolveFailed",
        ),
    ] {
        let mut world = shop();
        let reference = StageSetReference {
            namespace: Namespace::new(NAMESPACE).unwrap(),
            name: "db".into(),
        };
        world.edit_spec(|spec| spec.depends_on = vec![reference]);
        let unreadable = DependencyState::Unreadable(Failure::new(class, "stagesets is forbidden"));
        world
            .dependencies
            .insert(format!("{NAMESPACE}/db"), unreadable);
        world.settle(MINUTE);
        assert_eq!(world.ready(), reason, "{}", world.message());
        assert!(world.message().contains("payments/db") && world.message().contains("forbidden"));
        assert!(
            world.done.iter().all(|done| !done.what.contains("apply")),
            "a stage began"
        );
    }
}

/// §3: a run keeps its pins until it ends, whatever its source says meanwhile (K07).
#[test]
fn gap_03_a_source_that_is_not_ready_gives_no_stale_artifact_to_a_new_run() {
    let another = Artifact {
        url: "http://source/app/r9.tar.gz".into(),
        digest: "sha256:app-r9".into(),
        revision: "r9".into(),
    };
    for artifact in [None, Some(another)] {
        let mut world = shop();
        world.settle(MINUTE);
        let not_ready = SourceState::NotReady {
            message: "fetching".into(),
            artifact,
        };
        world.sources.insert("app".into(), not_ready);
        world.facts.sources.clear();
        world.publish(
            "config",
            "r2",
            &["ConfigMap/settings=2", "Deployment/cache=2"],
        );
        world.settle(MINUTE);
        assert_eq!(world.ready(), "False SourceNotReady", "{}", world.message());
        assert_eq!(
            world.object("Deployment", "cache").unwrap().version,
            1,
            "half of a release"
        );
    }
}

/// §9m: an object without a namespace failed its apply.
#[test]
fn gap_09_an_object_without_a_namespace_goes_to_that_of_the_stageset() {
    let mut world = shop();
    world.settle(MINUTE);
    let namespaces: Vec<_> = world
        .objects
        .keys()
        .map(|key| key.namespace.clone())
        .collect();
    assert!(!namespaces.is_empty());
    assert!(
        namespaces
            .iter()
            .all(|namespace| namespace.as_deref() == Some(NAMESPACE))
    );
}

/// §9.1: kstatus and expressions each had the full bound, one after the other.
#[test]
fn gap_09_kstatus_and_expressions_share_one_bound() {
    let mut world = shop();
    // The Deployment is ready after half the bound; the expression holds never.
    world
        .slow
        .insert("Deployment".into(), Duration::from_secs(40));
    world.edit_spec(|spec| {
        spec.stages[0].timeout = Some(MINUTE);
        spec.stages[0].expressions = vec![ReadyExpressions {
            group: String::new(),
            kind: "ConfigMap".into(),
            current: Some(Expression::compile("has(status.done)").unwrap()),
            in_progress: None,
            failed: None,
        }];
    });
    world.settle(Duration::from_secs(55));
    assert!(
        !world.message().contains("not ready within"),
        "{}",
        world.message()
    );
    world.settle(Duration::from_secs(15));
    assert!(
        world.message().contains("not ready within 60 s"),
        "{}",
        world.message()
    );
}

/// §11: any `Invalid`, a plain mistake in the manifest too, deleted the object.
#[test]
fn gap_11_a_mistake_in_the_manifest_deletes_nothing() {
    let mut refused = 0;
    // Whichever request it is that the server rejects.
    for request in 1..=12 {
        let mut world = shop();
        world.edit_spec(|spec| {
            for stage in &mut spec.stages {
                stage.conflicts = stageset_core::spec::ConflictPolicy {
                    default: stageset_core::spec::ConflictAnswer::Recreate,
                    ..stage.conflicts.clone()
                };
            }
        });
        world.settle(MINUTE);
        let uid = world.object("Deployment", "web").unwrap().uid.clone();
        world.publish("app", "r2", &["Deployment/web=2", "Service/web=1"]);
        world.fault = Some((world.requests + request, FailureClass::Rejected));
        world.settle(10 * MINUTE);
        let told = |(_, said): &(String, String)| {
            said.contains("Deployment.apps payments/web: ") && said.contains("injected fault")
        };
        refused += usize::from(world.events.iter().any(told));
        assert_eq!(
            world.object("Deployment", "web").unwrap().uid,
            uid,
            "it was recreated"
        );
        let deleted = |done: &&crate::world::Done| done.what.starts_with("delete");
        let deleted: Vec<_> = world.done.iter().filter(deleted).collect();
        assert!(deleted.is_empty(), "request {request}: {deleted:?}");
    }
    assert!(refused > 0, "no fault met the Deployment");
}

/// §12: the inventory was overwritten before the objects of the old one were gone, so that an early end
/// forgot them.
#[test]
fn gap_12_an_end_in_mid_release_forgets_no_object() {
    let mut world = shop();
    world.settle(MINUTE);
    world.slow.insert("Deployment".into(), HOUR);
    world.publish("config", "r2", &["Deployment/cache=2"]);
    world.settle(Duration::from_secs(20));
    // Under way, and now another revision, without either object.
    world.publish("config", "r3", &["Deployment/other=3"]);
    world.settle(Duration::from_secs(20));
    world.crash();
    world.slow.clear();
    world.settle(2 * HOUR);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    for (kind, name) in [("ConfigMap", "settings"), ("Deployment", "cache")] {
        assert!(
            world.object(kind, name).is_none(),
            "{kind} {name} was forgotten"
        );
    }
}

/// §17, A29: after a change of the account the prune ran as the new one, whatever that may do.
#[test]
fn gap_17_a29_a_changed_account_deletes_only_what_it_may_and_forgets_nothing() {
    let mut world = shop();
    world.settle(MINUTE);
    world.accounts.insert("newcomer".into());
    let newcomer = "system:serviceaccount:payments:newcomer";
    let refusal = (
        newcomer.to_owned(),
        "delete".to_owned(),
        "ConfigMap".to_owned(),
    );
    world.denied.insert(refusal);
    world.edit_spec(|spec| {
        spec.service_account = Some(ServiceAccountName::new("newcomer").unwrap());
    });
    let done = world.done.len();
    world.publish("config", "r2", &["Deployment/cache=2"]);
    world.settle(10 * MINUTE);
    assert_eq!(world.ready(), "False RBACDenied", "{}", world.message());
    assert!(
        world.message().contains("payments/settings"),
        "{}",
        world.message()
    );
    assert!(world.object("ConfigMap", "settings").is_some());
    let recorded = |world: &World| {
        let mut entries = world
            .inventories
            .values()
            .flat_map(|inventory| inventory.entries.keys());
        entries.any(|key| key.name == "settings")
    };
    assert!(recorded(&world), "it was orphaned silently");
    let as_old = world.done[done..]
        .iter()
        .filter(|done| done.identity.as_deref() == Some(DEPLOYER));
    assert_eq!(
        as_old.count(),
        0,
        "nothing more happens as the account that was taken away"
    );
    world.denied.clear();
    world.settle(5 * MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    assert!(world.object("ConfigMap", "settings").is_none() && !recorded(&world));
}

/// `driftDetectionInterval` counts only if it is shorter, `retryInterval` for waits only.
#[test]
fn intervals_are_what_the_contract_says() {
    use stageset_core::plan::Next;
    let tick = |interval: u64, drift: Option<u64>| {
        let mut world = shop();
        world.edit_spec(|spec| {
            spec.interval = Some(Duration::from_secs(interval));
            spec.retry_interval = Some(Duration::from_secs(7));
            spec.drift_detection_interval = drift.map(Duration::from_secs);
        });
        let Next::Hold { until, refresh, .. } = world.settle(MINUTE) else {
            panic!("{}", world.message());
        };
        assert!(refresh && world.ready() == "True Succeeded");
        until.since(world.refresh_before)
    };
    let about = |span: Duration, seconds: u64| {
        let wanted = Duration::from_secs(seconds);
        assert!(
            span >= wanted * 95 / 100 && span <= wanted * 105 / 100,
            "{span:?} isn't about {wanted:?}"
        );
    };
    about(tick(3600, None), 3600);
    about(tick(3600, Some(600)), 600);
    about(tick(3600, Some(7200)), 3600);
}
