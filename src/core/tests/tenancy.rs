//! As whom things are done, and what is refused.

use std::time::Duration;

use stageset_core::names::ServiceAccountName;
use stageset_core::plan::{Next, Operation};

use crate::world::{shop, single_tenant};

const MINUTE: Duration = Duration::from_secs(60);
const DEPLOYER: &str = "system:serviceaccount:payments:deployer";

#[test]
fn i1_every_write_to_the_tenants_world_is_the_tenants() {
    let mut world = shop();
    world.settle(MINUTE);
    world.publish("app", "r2", &["Deployment/web=2"]);
    world.settle(MINUTE);
    let mut seen = 0;
    for done in &world.done {
        if ["create", "change", "delete"]
            .iter()
            .any(|verb| done.what.starts_with(verb))
        {
            assert_eq!(done.identity.as_deref(), Some(DEPLOYER), "{}", done.what);
            seen += 1;
        }
    }
    assert!(seen >= 6, "{seen}");
}

#[test]
fn i2_without_an_account_nothing_of_the_tenant_is_touched() {
    let mut world = shop();
    world.edit_spec(|spec| spec.service_account = None);
    for _ in 0..20 {
        let plan = world.turn();
        assert!(
            plan.needs.iter().all(|need| need.identity().is_none()),
            "{plan}"
        );
        let tenant = |operation: &Operation| matches!(operation, Operation::Tenant(_));
        assert!(!plan.steps.iter().flatten().any(tenant), "{plan}");
    }
    assert_eq!(world.ready(), "False RBACDenied");
    assert!(
        world.message().contains("spec.serviceAccountName"),
        "{}",
        world.message()
    );
    assert!(world.objects.is_empty());
}

#[test]
fn one_stage_without_an_account_refuses_the_whole_release() {
    let mut world = shop();
    world.edit_spec(|spec| {
        spec.service_account = None;
        spec.stages[0].service_account = Some(ServiceAccountName::new("deployer").unwrap());
    });
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False RBACDenied");
    assert!(world.objects.is_empty());
}

#[test]
fn single_tenant_mode_acts_as_the_controller_but_an_account_still_wins() {
    let mut world = shop();
    single_tenant(&mut world);
    world.edit_spec(|spec| {
        spec.service_account = None;
        spec.stages[1].service_account = Some(ServiceAccountName::new("deployer").unwrap());
    });
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded");
    let by = |word: &str| {
        world
            .done
            .iter()
            .find(|done| done.what.starts_with(word))
            .unwrap()
            .identity
            .clone()
    };
    assert_eq!(by("create ConfigMap"), None);
    assert_eq!(by("create Service").as_deref(), Some(DEPLOYER));
}

#[test]
fn an_absent_account_is_refused_and_its_creation_heals() {
    let mut world = shop();
    world.accounts.clear();
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False RBACDenied");
    assert!(
        world.message().contains("payments/deployer doesn't exist"),
        "{}",
        world.message()
    );
    assert!(world.objects.is_empty());
    world.accounts.insert("deployer".into());
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded");
}

#[test]
fn a_denied_object_stops_its_wave_before_the_first_write_and_a_grant_heals_it() {
    let mut world = shop();
    world
        .denied
        .insert((DEPLOYER.into(), "create".into(), "Service".into()));
    world
        .denied
        .insert((DEPLOYER.into(), "patch".into(), "Deployment".into()));
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False RBACDenied");
    assert!(world.objects.is_empty(), "{:?}", world.objects.keys());
    world
        .denied
        .remove(&(DEPLOYER.into(), "patch".into(), "Deployment".into()));
    world.settle(Duration::from_secs(120));
    assert_eq!(world.ready(), "False RBACDenied");
    assert!(world.message().contains("Service"), "{}", world.message());
    assert!(
        world.object("Deployment", "web").is_none(),
        "written although its wave was refused"
    );
    world.denied.clear();
    let before = world.now;
    world.settle(Duration::from_secs(120));
    assert_eq!(world.ready(), "True Succeeded");
    let healed = world
        .done
        .iter()
        .find(|d| d.what.contains("create Service"))
        .unwrap()
        .at;
    assert!(
        healed.since(before) <= MINUTE,
        "K10: {:?}",
        healed.since(before)
    );
}

#[test]
fn what_was_refused_before_its_first_write_is_not_answered_for() {
    let mut world = shop();
    world.publish("app", "r1", &["Service/web=1", "Secret/foreign=1"]);
    for verb in ["patch", "get", "delete"] {
        world
            .denied
            .insert((DEPLOYER.into(), verb.into(), "Secret".into()));
    }
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False RBACDenied");
    // The next revision drops it: nothing is left to be pruned, read or waited for.
    world.publish("app", "r2", &["Service/web=1"]);
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}

#[test]
fn all_refusals_of_a_wave_are_told_together() {
    let mut world = shop();
    world.publish(
        "config",
        "r1",
        &["ConfigMap/a=1", "Secret/b=1", "Service/c=1"],
    );
    for kind in ["ConfigMap", "Secret", "Service"] {
        world
            .denied
            .insert((DEPLOYER.into(), "patch".into(), kind.into()));
    }
    world.pass();
    for name in ["payments/a", "payments/b", "payments/c"] {
        assert!(world.message().contains(name), "{}", world.message());
    }
}

#[test]
fn i4_a_denial_is_not_a_hot_loop() {
    let mut world = shop();
    world
        .denied
        .insert((DEPLOYER.into(), "patch".into(), "ConfigMap".into()));
    let start = world.now;
    let mut passes = 0;
    while world.now.since(start) < Duration::from_secs(600) {
        let Next::Hold { until, refresh, .. } = world.pass() else {
            panic!()
        };
        world.now = until;
        if refresh {
            world.refresh_before = until;
        }
        passes += 1;
    }
    assert!((8..=20).contains(&passes), "{passes} passes in ten minutes");
}

#[test]
fn an_object_of_another_stageset_is_not_taken() {
    let mut world = shop();
    world.settle(MINUTE);
    for stored in world
        .objects
        .values_mut()
        .filter(|stored| stored.stage == "app")
    {
        stored.owner = Some(stageset_core::object::Owner {
            namespace: "payments".into(),
            name: "other".into(),
        });
    }
    world.crash();
    world.settle(Duration::from_secs(30));
    assert_eq!(world.ready(), "False StageFailed");
    assert!(
        world.message().contains("StageSet payments/other"),
        "{}",
        world.message()
    );
    let theirs = world
        .objects
        .values()
        .filter(|stored| stored.owner.as_ref().unwrap().name == "other");
    assert_eq!(theirs.count(), 2);
}

#[test]
fn attack_a14_the_list_of_namespaces_bounds_effects() {
    let mut world = shop();
    let own = stageset_core::names::Namespace::new("payments").unwrap();
    world.publish("app", "r1", &["Service/web=1", "elsewhere:ConfigMap/x=1"]);
    world.publish(
        "config",
        "r1",
        &["Namespace/elsewhere=1", "ConfigMap/settings=1"],
    );
    world.config.watch_namespaces.insert(own);
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False RBACDenied");
    assert!(
        world.message().contains("elsewhere/x"),
        "{}",
        world.message()
    );
    assert!(
        world.message().contains("--watch-namespaces"),
        "{}",
        world.message()
    );
    assert!(world.object("ConfigMap", "x").is_none());
    assert!(
        world.object("Namespace", "elsewhere").is_some(),
        "cluster-scoped ones follow RBAC"
    );

    // Applied while the list was longer, dropped since: neither deleted nor forgotten.
    world.config.watch_namespaces.clear();
    world.settle(Duration::from_secs(180));
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    world
        .config
        .watch_namespaces
        .insert(stageset_core::names::Namespace::new("payments").unwrap());
    world.publish("app", "r2", &["Service/web=1"]);
    world.settle(Duration::from_secs(180));
    assert_eq!(world.ready(), "False RBACDenied");
    assert!(world.done_with("delete").is_empty());
    assert!(
        world
            .inventories
            .values()
            .any(|i| i.entries.keys().any(|key| key.name == "x"))
    );
}
