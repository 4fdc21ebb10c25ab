//! Before the first write: what the account lacks is said all at once, with what would grant it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't be set up fails"
)]

use std::time::Duration;

use stageset_core::failure::FailureClass;
use stageset_core::observation::SourceState;
use stageset_core::plan::{Need, Next};
use stageset_core::{lacking, lacking_to_tear_down};

use crate::world::{World, shop, single_tenant};

const MINUTE: Duration = Duration::from_secs(60);
const DEPLOYER: &str = "system:serviceaccount:payments:deployer";

fn reviewed() -> World {
    let mut world = shop();
    world.reviews = true;
    world
}

fn deny(world: &mut World, verb: &str, kind: &str) {
    world
        .denied
        .insert((DEPLOYER.into(), verb.into(), kind.into()));
}

#[test]
fn k31_everything_that_is_missing_is_said_at_once_before_the_first_write() {
    let mut world = reviewed();
    deny(&mut world, "patch", "ConfigMap");
    deny(&mut world, "create", "ConfigMap");
    deny(&mut world, "create", "Service");
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False RBACDenied");
    for said in [
        "stage config: ServiceAccount payments/deployer lacks in namespace payments: create/patch \
         configmaps (settings)",
        "stage app: ServiceAccount payments/deployer lacks in namespace payments: create services \
         (web)",
        "stagesetctl why shop -n payments",
    ] {
        assert_eq!(
            world.message().matches(said).count(),
            1,
            "{}",
            world.message()
        );
    }
    assert!(world.objects.is_empty());
    assert!(!world.done.iter().any(|done| done.what.contains("dry run")));
    let found = lacking(&world.observation());
    assert_eq!(found.len(), 2);
    let yaml = found[0].grants("shop")[0].to_string();
    assert!(yaml.contains("verbs: [\"create\", \"patch\"]"), "{yaml}");
    assert!(yaml.contains("name: \"deployer\""), "{yaml}");
    world.denied.clear();
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}

#[test]
fn a_later_stage_that_would_be_denied_does_not_stop_an_earlier_one() {
    let mut world = reviewed();
    deny(&mut world, "create", "Service");
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False RBACDenied");
    assert!(
        world.message().starts_with("stage app:"),
        "{}",
        world.message()
    );
    assert!(world.object("ConfigMap", "settings").is_some());
    assert!(
        world.object("Deployment", "web").is_none(),
        "not half of the stage"
    );
}

#[test]
fn an_account_without_a_binding_is_told_so() {
    let mut world = reviewed();
    let kinds: Vec<String> = world.kinds.keys().map(|(_, kind)| kind.clone()).collect();
    for kind in &kinds {
        for verb in ["create", "delete", "get", "patch"] {
            deny(&mut world, verb, kind);
        }
    }
    world.settle(MINUTE);
    assert!(
        world.message().contains("has no rights at all"),
        "{}",
        world.message()
    );
}

#[test]
fn what_exists_needs_no_create_and_what_leaves_needs_delete() {
    let mut world = reviewed();
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded");
    deny(&mut world, "create", "Deployment");
    deny(&mut world, "delete", "Service");
    world.publish("app", "r2", &["Deployment/web=2"]);
    world.facts.reviews = stageset_core::observation::Reviews::default();
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False RBACDenied");
    assert!(
        world
            .message()
            .contains("lacks in namespace payments: delete services (web)"),
        "{}",
        world.message()
    );
}

#[test]
fn one_review_for_a_namespace_and_none_at_rest() {
    let mut world = reviewed();
    let reviews = |world: &mut World| {
        let mut asked = 0;
        for _ in 0..200 {
            let plan = world.turn();
            asked += plan
                .needs
                .iter()
                .filter(|need| matches!(need, Need::Rules { .. } | Need::Access { .. }))
                .count();
            if plan.is_idle() {
                world.now = world.now.plus(Duration::from_secs(5));
            }
        }
        asked
    };
    assert_eq!(reviews(&mut world), 1);
    assert_eq!(world.ready(), "True Succeeded");
    world.publish("app", "r2", &["Deployment/web=2", "Service/web=1"]);
    assert_eq!(
        reviews(&mut world),
        0,
        "what is known to suffice isn't asked again"
    );
    assert_eq!(world.ready(), "True Succeeded");
}

#[test]
fn rights_that_the_release_brings_along_are_left_to_the_dry_run() {
    let mut world = reviewed();
    world.publish("app", "r1", &["Role/own=1", "ConfigMap/extra=1"]);
    deny(&mut world, "create", "ConfigMap");
    world.edit_spec(|spec| drop(spec.stages.remove(0)));
    world.settle(MINUTE);
    // The dry run's own words.
    assert!(
        world.message().contains("cannot create"),
        "{}",
        world.message()
    );
}

#[test]
fn k04_a_foreign_source_is_read_only_for_an_account_that_may_read_it() {
    let mut world = shop();
    world.config.check_cross_namespace_refs = true;
    world.kinds.insert(
        ("source.toolkit.fluxcd.io".into(), "ExternalArtifact".into()),
        ("externalartifacts".into(), true),
    );
    world.edit_spec(|spec| {
        spec.stages[1].source.namespace = stageset_core::names::Namespace::new("other").unwrap();
    });
    world.settle(MINUTE);
    let refused = (world.ready(), world.message().to_owned());
    assert_eq!(refused.0, "False ArtifactNotFound");
    assert!(
        !world
            .facts
            .sources
            .keys()
            .any(|source| source.namespace.as_str() == "other"),
        "it was read"
    );
    // Absent, not ready or forbidden: the same words (A09).
    world
        .readable
        .insert((DEPLOYER.into(), "externalartifacts".into(), "other".into()));
    let ready = world.sources["app"].clone();
    world.sources.insert("app".into(), SourceState::Absent);
    world.settle(2 * MINUTE);
    assert_eq!((world.ready(), world.message().to_owned()), refused);
    world.sources.insert("app".into(), ready);
    world.facts.sources.clear();
    world.settle(2 * MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}

#[test]
fn s31_s33_under_the_flag_a_foreign_source_is_refused_unread() {
    let mut world = shop();
    world.config.no_cross_namespace_refs = true;
    world.edit_spec(|spec| {
        spec.stages[1].source.namespace = stageset_core::names::Namespace::new("other").unwrap();
    });
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False ResolveFailed");
    for said in [
        "spec.stages[1].sourceRef",
        "other/app",
        "--no-cross-namespace-refs",
    ] {
        assert!(world.message().contains(said), "{}", world.message());
    }
    let asked = |plan: &stageset_core::plan::Plan| {
        plan.needs.iter().any(|need| match need {
            Need::Source(source) => source.namespace.as_str() == "other",
            _ => false,
        })
    };
    world.crash();
    for _ in 0..20 {
        let plan = world.turn();
        assert!(!asked(&plan), "{plan}");
    }
    assert!(world.objects.is_empty());
}

const POOR: &str = "system:serviceaccount:payments:poor";

/// Delivered as an account that may do everything, beside one that may do nothing.
fn delivered_beside_a_poor_one(mut world: World) -> World {
    world.accounts.insert("poor".into());
    let kinds: Vec<String> = world.kinds.keys().map(|(_, kind)| kind.clone()).collect();
    for kind in kinds {
        for verb in ["create", "delete", "get", "patch"] {
            world
                .denied
                .insert((POOR.into(), verb.into(), kind.clone()));
        }
    }
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded");
    world
}

/// Gives the second stage to it.
fn to_the_poor_one(world: &mut World) {
    let poor = stageset_core::names::ServiceAccountName::new("poor").unwrap();
    world.edit_spec(|spec| spec.stages[1].service_account = Some(poor));
}

/// What was asked, tried and seen as one account is never another's answer, in one namespace and
/// one StageSet.
#[test]
fn attack_a07_reviews_and_objects_are_remembered_for_one_identity_alone() {
    let mut world = delivered_beside_a_poor_one(reviewed());
    // Everything of the rich one is known by now; the poor one gets nothing of it.
    to_the_poor_one(&mut world);
    world.publish("app", "r2", &["Deployment/web=2", "Service/web=1"]);
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False RBACDenied");
    assert!(
        world.message().contains("payments/poor"),
        "{}",
        world.message()
    );
    assert_eq!(world.object("Deployment", "web").unwrap().version, 1);
    for done in &world.done {
        assert_ne!(done.identity.as_deref(), Some(POOR), "{}", done.what);
    }
}

/// The same where nothing is asked beforehand: what one account saw of an object is unknown to the next,
/// also when nothing would have to be written.
#[test]
fn attack_a07_what_one_account_saw_of_an_object_answers_no_other() {
    let mut world = delivered_beside_a_poor_one(shop());
    to_the_poor_one(&mut world);
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False RBACDenied", "{}", world.message());
}

/// What is delivered to a namespace is reviewed there.
#[test]
fn rights_are_reviewed_where_they_are_needed() {
    let mut world = reviewed();
    world.publish(
        "app",
        "r1",
        &["ConfigMap/other=1", "elsewhere:Secret/token=1"],
    );
    let mut reviewed = std::collections::BTreeSet::new();
    for _ in 0..200 {
        let plan = world.turn();
        if plan.is_idle() {
            world.now = world.now.plus(Duration::from_secs(5));
        }
        for need in plan.needs {
            if let Need::Rules { namespace, .. } = need {
                reviewed.insert(namespace);
            }
        }
    }
    assert_eq!(Vec::from_iter(reviewed), ["elsewhere", "payments"]);
}

/// A review that misses nothing ages too; its age must not make the others be asked for again and
/// again (I4: no hot loop).
#[test]
fn i4_a_denial_beside_an_older_review_that_misses_nothing_rests() {
    let mut world = reviewed();
    world.publish("config", "r1", &["ConfigMap/settings=1"]);
    world.publish(
        "app",
        "r1",
        &["ConfigMap/other=1", "elsewhere:Secret/token=1"],
    );
    deny(&mut world, "create", "Secret");
    world.settle(Duration::from_secs(600));
    assert_eq!(world.ready(), "False RBACDenied", "{}", world.message());
    let asked = world.requests;
    world.settle(Duration::from_secs(600));
    assert!(world.requests - asked < 120, "{}", world.requests - asked);
}

fn asked(world: &mut World, what: fn(&Need) -> bool) -> usize {
    let mut count = 0;
    for _ in 0..100 {
        let plan = world.turn();
        count += plan.needs.iter().filter(|need| what(need)).count();
        if let Next::Hold { until, .. } = plan.next {
            world.now = until.min(world.now.plus(Duration::from_secs(5)));
        }
    }
    count
}

fn is_access(need: &Need) -> bool {
    matches!(need, Need::Access { .. })
}

/// Where an authorizer can't list its rules, what they don't hold is asked one by one.
#[test]
fn what_can_not_be_listed_is_asked_once_for_all_objects_of_a_kind() {
    let mut world = reviewed();
    world.unlisted = true;
    world.publish(
        "config",
        "r1",
        &["ConfigMap/a=1", "ConfigMap/b=1", "Deployment/cache=1"],
    );
    // Create, get and patch of ConfigMaps and of Services; of Deployments they are listed.
    assert_eq!(asked(&mut world, is_access), 6);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}

#[test]
fn what_is_answered_with_no_is_lacking_until_it_is_granted() {
    let mut world = reviewed();
    world.unlisted = true;
    deny(&mut world, "create", "ConfigMap");
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False RBACDenied");
    let message = world.message().to_owned();
    assert!(
        message.contains("lacks in namespace payments: create configmaps (settings)"),
        "{message}"
    );
    assert!(!message.contains("no rights at all"), "{message}");
    assert!(world.objects.is_empty());
    let before = world.requests;
    world.settle(10 * MINUTE);
    assert!(world.requests - before < 120, "{}", world.requests - before);
    world.denied.clear();
    world.settle(2 * MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}

/// That nothing is listed doesn't mean that nothing is granted.
#[test]
fn an_account_whose_rights_can_not_be_listed_is_not_called_unbound() {
    let mut world = reviewed();
    world.unlisted = true;
    for kind in ["Deployment", "ConfigMap"] {
        for verb in ["create", "get", "patch"] {
            deny(&mut world, verb, kind);
        }
    }
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False RBACDenied");
    let message = world.message();
    assert!(!message.contains("no rights at all"), "{message}");
}

#[test]
fn the_controller_s_own_rights_are_not_reviewed() {
    let mut world = reviewed();
    single_tenant(&mut world);
    world.edit_spec(|spec| spec.service_account = None);
    let is_review = |need: &Need| matches!(need, Need::Rules { .. } | Need::Access { .. });
    assert_eq!(asked(&mut world, is_review), 0);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}

/// A role that is there already brings nothing, and one that comes is itself looked at beforehand.
#[test]
fn only_new_roles_and_definitions_bring_rights() {
    let begun = || {
        let mut world = reviewed();
        world.edit_spec(|spec| drop(spec.stages.remove(0)));
        world.publish("app", "r1", &["Role/own=1", "ConfigMap/extra=1"]);
        world
    };
    let message = |world: &mut World| {
        world.settle(MINUTE);
        assert_eq!(world.ready(), "False RBACDenied", "{}", world.message());
        world.message().to_owned()
    };
    let mut world = begun();
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    world.publish(
        "app",
        "r2",
        &["Role/own=1", "ConfigMap/extra=1", "Secret/new=1"],
    );
    deny(&mut world, "create", "Secret");
    world.facts.reviews = stageset_core::observation::Reviews::default();
    let said = message(&mut world);
    assert!(
        said.contains("lacks in namespace payments: create secrets (new)"),
        "{said}"
    );

    let mut world = begun();
    deny(&mut world, "create", "Role");
    let said = message(&mut world);
    assert!(
        said.contains("create roles.rbac.authorization.k8s.io (own)"),
        "{said}"
    );

    let mut world = reviewed();
    world.edit_spec(|spec| drop(spec.stages.remove(0)));
    world.publish(
        "app",
        "r1",
        &["CustomResourceDefinition/widgets=1", "ConfigMap/extra=1"],
    );
    deny(&mut world, "create", "ConfigMap");
    let said = message(&mut world);
    assert!(
        said.contains("cannot create"),
        "the dry run's own words: {said}"
    );
}

#[test]
fn the_right_to_delete_is_needed_for_what_leaves_and_is_pruned() {
    let begun = |prune| {
        let mut world = reviewed();
        world.edit_spec(|spec| spec.stages.iter_mut().for_each(|stage| stage.prune = prune));
        world.settle(MINUTE);
        deny(&mut world, "delete", "Service");
        world.facts.reviews = stageset_core::observation::Reviews::default();
        world
    };
    let mut kept = begun(false);
    kept.publish("app", "r2", &["Deployment/web=2"]);
    kept.settle(MINUTE);
    assert_eq!(kept.ready(), "True Succeeded", "{}", kept.message());

    // What moves to another stage isn't deleted.
    let mut moved = begun(true);
    moved.publish("app", "r2", &["Deployment/web=2"]);
    moved.publish(
        "config",
        "r2",
        &[
            "ConfigMap/settings=1",
            "Deployment/cache=1",
            "Service/web=1",
        ],
    );
    moved.settle(MINUTE);
    assert_eq!(moved.ready(), "True Succeeded", "{}", moved.message());
}

/// As `stagesetctl why` asks: until nothing more is to be known.
fn lacking_to_tear_down_of(world: &mut World) -> Vec<String> {
    for _ in 0..20 {
        match lacking_to_tear_down(&world.observation()) {
            Ok(lacking) => {
                let stages = lacking.iter().map(|lacking| lacking.stage.to_string());
                return stages.collect();
            }
            Err(needs) => {
                assert!(!needs.is_empty(), "an error that asks for nothing");
                for need in &needs {
                    world.ask(need);
                }
            }
        }
    }
    panic!("it asks for ever");
}

#[test]
fn what_a_teardown_lacks_is_told_of_each_stage_that_is_deleted_last_first() {
    let mut world = reviewed();
    world.settle(MINUTE);
    deny(&mut world, "delete", "Deployment");
    world.crash();
    world.deletion_timestamp = Some(world.now);
    assert_eq!(lacking_to_tear_down_of(&mut world), ["app", "config"]);

    world.edit_spec(|spec| spec.stages[0].prune = false);
    assert_eq!(lacking_to_tear_down_of(&mut world), ["app"], "it is kept");

    world.ask(&Need::Namespace);
    assert_eq!(lacking_to_tear_down_of(&mut world), ["app"]);
    world.namespace_terminating = true;
    world.ask(&Need::Namespace);
    assert!(
        lacking_to_tear_down_of(&mut world).is_empty(),
        "all goes with the namespace"
    );
}

/// Who asks doesn't wait: what can't be read now is nothing to look up again at once.
#[test]
fn while_the_inventories_cannot_be_read_a_teardown_is_said_to_lack_nothing() {
    let mut world = reviewed();
    world.settle(MINUTE);
    world.crash();
    world.deletion_timestamp = Some(world.now);
    world.fault = Some((world.requests + 1, FailureClass::Denied));
    world.ask(&Need::Inventories);
    assert!(lacking_to_tear_down_of(&mut world).is_empty());

    deny(&mut world, "delete", "Deployment");
    world.now = world.now.plus(60 * MINUTE);
    assert_eq!(
        lacking_to_tear_down_of(&mut world),
        ["app", "config"],
        "it is tried again when it is due"
    );
}
