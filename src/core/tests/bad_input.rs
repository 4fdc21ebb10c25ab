//! Bad input: a clear condition, nothing applied, and a bounded timer that heals it.

use std::time::Duration;

use serde_json::json;
use stageset_core::failure::{Failure, FailureClass};
use stageset_core::object::Rendered;
use stageset_core::plan::Next;
use stageset_core::spec::Problem;

use crate::world::{World, shop, stage};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn five_problems_are_five_problems_in_the_condition() {
    let mut world = shop();
    let fields = ["a", "b", "c", "d", "e"];
    world.spec = Err(fields
        .iter()
        .map(|field| Problem {
            rule: "V1",
            field: format!("spec.{field}"),
            message: "is wrong".into(),
        })
        .collect());
    let next = world.settle(Duration::from_secs(30));
    assert_eq!(world.ready(), "False InvalidSpec");
    for field in fields {
        assert!(
            world.message().contains(&format!("spec.{field}: is wrong")),
            "{}",
            world.message()
        );
    }
    assert!(matches!(next, Next::Hold { .. }));
    assert!(
        world
            .events
            .iter()
            .any(|(reason, _)| reason == "InvalidSpec")
    );
}

#[test]
fn gap_12_two_stages_that_claim_one_object_write_nothing() {
    let mut world = shop();
    world.publish("app", "r1", &["ConfigMap/settings=2", "Service/web=1"]);
    world.pass();
    assert_eq!(world.ready(), "False InvalidSpec");
    let message = world.message();
    assert!(message.contains("ConfigMap payments/settings"), "{message}");
    assert!(
        message.contains("stage config") && message.contains("stage app"),
        "{message}"
    );
    assert!(world.objects.is_empty() && world.inventories.is_empty());
    world.publish("app", "r2", &["Service/web=1"]);
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded");
}

#[test]
fn an_unknown_kind_fails_its_stage_and_its_installation_heals_it() {
    let mut world = World::new(vec![stage("first", "first"), stage("second", "second")]);
    world.publish("first", "r1", &["ConfigMap/a=1"]);
    world.publish("second", "r1", &["Widget/w=1"]);
    world.settle(Duration::from_secs(20));
    assert_eq!(world.ready(), "False RBACDenied");
    assert!(
        world.message().contains("example.org/v1 Widget"),
        "{}",
        world.message()
    );
    assert!(
        world.object("ConfigMap", "a").is_some(),
        "the stage before it isn't held up"
    );
    world.kinds.insert(
        ("example.org".into(), "Widget".into()),
        ("widgets".into(), true),
    );
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
}

#[test]
fn a_kind_is_known_in_the_versions_that_are_served() {
    for version in ["v0", "v2"] {
        let mut world = shop();
        world.publish("app", "r1", &["Widget/a=1"]);
        let served = ("example.org".to_owned(), "Widget".to_owned());
        world.kinds.insert(served, ("widgets".into(), true));
        world.retired.insert(version.into());
        let other = Rendered::new(
            json!({
                "apiVersion": format!("example.org/{version}"), "kind": "Widget",
                "metadata": { "name": "b" },
            }),
            "b.yaml:1".to_owned(),
        );
        let artifact = ("sha256:app-r1".to_owned(), String::new());
        let built = world.artifacts.get_mut(&artifact).expect("published");
        built
            .as_mut()
            .expect("a build")
            .push(other.expect("a manifest"));
        world.settle(MINUTE);
        let said = world.message();
        assert!(
            said.contains(&format!("example.org/{version} Widget")),
            "{said}"
        );
        assert!(!said.contains("example.org/v1 Widget"), "{said}");
    }
}

#[test]
fn a_build_that_fails_for_good_says_why_and_a_new_revision_heals_it() {
    let mut world = shop();
    let key = ("sha256:app-r1".to_owned(), String::new());
    world.artifacts.insert(
        key,
        Err(Failure::new(
            FailureClass::Terminal,
            "deploy.yaml, document 2, line 9: no metadata.name",
        )),
    );
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False StageFailed");
    assert!(
        world
            .message()
            .contains("stage app: deploy.yaml, document 2, line 9"),
        "{}",
        world.message()
    );
    assert!(world.objects.is_empty());
    world.publish("app", "r2", &["Service/web=1"]);
    world.settle(MINUTE);
    assert_eq!(world.ready(), "True Succeeded");
}

#[test]
fn a_namespace_that_does_not_exist_is_named() {
    let mut world = shop();
    world.publish("app", "r1", &["elsewhere:ConfigMap/x=1"]);
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False StageFailed");
    assert!(world.message().contains("elsewhere"), "{}", world.message());
}

#[test]
fn a_status_that_somebody_else_wrote_does_not_start_stage_two_early() {
    let mut world = shop();
    world
        .slow
        .insert("Deployment".into(), Duration::from_secs(600));
    world.settle(Duration::from_secs(2));
    // Somebody claims that stage config was ready long ago, for another run.
    world.status.stages[0].phase = stageset_core::observation::Phase::Ready;
    world.status.stages[0].run = Some("forged".into());
    world.crash();
    world.pass();
    assert!(world.object("Service", "web").is_none());
}

#[test]
fn foreign_sources_are_refused_unread_under_the_flag() {
    let mut world = shop();
    world.config.no_cross_namespace_refs = true;
    world.edit_spec(|spec| {
        spec.stages[1].source.namespace =
            stageset_core::names::Namespace::new("elsewhere").unwrap();
    });
    for _ in 0..10 {
        let plan = world.turn();
        assert!(!plan.to_string().contains("elsewhere/app offer"), "{plan}");
    }
    assert_eq!(world.ready(), "False ResolveFailed");
    assert!(
        world.message().contains("--no-cross-namespace-refs"),
        "{}",
        world.message()
    );
}

#[test]
fn gap_03_faults_of_foreign_sources_all_read_alike() {
    use stageset_core::observation::SourceState;
    let mut texts = std::collections::BTreeSet::new();
    for state in [
        SourceState::Absent,
        SourceState::NoArtifact,
        SourceState::NotReady {
            message: "secret detail".into(),
            artifact: None,
        },
        SourceState::Ambiguous {
            candidates: vec!["a".into()],
        },
        SourceState::Unreadable(Failure::new(FailureClass::Denied, "forbidden")),
    ] {
        let mut world = shop();
        world.edit_spec(|spec| {
            spec.stages[1].source.namespace =
                stageset_core::names::Namespace::new("elsewhere").unwrap();
        });
        world.sources.insert("app".into(), state);
        world.pass();
        texts.insert(format!("{} {}", world.ready(), world.message()));
    }
    assert_eq!(texts.len(), 1, "{texts:#?}");
}

/// A missing right and a kind that isn't served are told apart from what passes by itself.
#[test]
fn a_source_that_cannot_be_read_says_whether_a_right_is_missing() {
    use stageset_core::observation::SourceState;
    let passes = FailureClass::Transient { retry_after: None };
    for (class, reason) in [
        (FailureClass::Denied, "False RBACDenied"),
        (FailureClass::UnknownKind, "False RBACDenied"),
        (passes, "False ResolveFailed"),
    ] {
        let mut world = shop();
        let failure = Failure::new(class, "no way");
        world
            .sources
            .insert("app".into(), SourceState::Unreadable(failure));
        world.settle(MINUTE);
        assert_eq!(world.ready(), reason);
        assert!(
            world
                .message()
                .contains("payments/app can't be read: no way"),
            "{}",
            world.message()
        );
    }
}
