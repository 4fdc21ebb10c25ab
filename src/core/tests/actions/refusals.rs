//! What the cluster refuses an action, and when that is tried again.

use stageset_core::failure::{Failure, FailureClass};

use super::*;

const DEPLOYER: &str = "system:serviceaccount:payments:deployer";

fn denied(verb: &str, kind: &str) -> (String, String, String) {
    (DEPLOYER.into(), verb.into(), kind.into())
}

fn that_clears_a_widget() -> World {
    let mut target = object("Widget", "w");
    target.api_version = "example.org/v1".into();
    let verb = Verb::Delete(Delete {
        target,
        cascade: Cascade::Background,
    });
    with_actions(vec![action("clear", verb)], Vec::new())
}

fn until_a_start_names_its_object(world: &mut World) {
    let begun = |world: &World| {
        let stages = world.status.stages.iter();
        stages
            .flat_map(|stage| &stage.actions.started)
            .any(|started| started.uid.is_some())
    };
    while !begun(world) {
        let _ = world.turn();
    }
}

#[test]
fn what_the_account_may_not_do_is_told_as_missing_rights() {
    let patches = action("tune", patch(PatchFormat::Merge, "{}"));
    let mut world = with_actions(vec![patches], Vec::new());
    world.denied.insert(denied("patch", "Deployment"));
    world.denied.insert(denied("get", "Deployment"));
    world.edit_spec(|spec| spec.stages.truncate(2));
    world.publish("config", "r1", &["ConfigMap/settings=1"]);
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False RBACDenied", "{}", world.message());
    assert!(
        world.message().contains("pre action \"tune\""),
        "{}",
        world.message()
    );
    world.denied.clear();
    succeeds(&mut world, "granted");
    assert_eq!(world.effects.patched, ["cache"]);
}

#[test]
fn a_kind_that_nothing_serves_is_asked_for_again_after_a_while() {
    let mut world = that_clears_a_widget();
    world.settle(Duration::from_secs(10));
    assert_eq!(world.ready(), "False RBACDenied", "{}", world.message());
    let said = "the API server doesn't know";
    assert!(world.message().contains(said), "{}", world.message());
    let widgets = ("example.org".to_owned(), "Widget".to_owned());
    world.kinds.insert(widgets, ("widgets".into(), true));
    // Nobody told the controller.
    world.settle(Duration::from_secs(10));
    assert!(world.message().contains(said), "{}", world.message());
    succeeds(&mut world, "served");
}

/// Discovery that fails for a moment is asked again once a pause is over, and not before.
#[test]
fn a_kind_that_can_not_be_looked_up_is_waited_for() {
    let mut world = that_clears_a_widget();
    let widgets = ("example.org".to_owned(), "Widget".to_owned());
    world.kinds.insert(widgets, ("widgets".into(), true));
    let of_widgets = |need: &Need| matches!(need, Need::Kind { gvk, .. } if gvk.kind == "Widget");
    world.is_asked_again(
        of_widgets,
        "what the API server serves can't be read: injected fault",
    );
    succeeds(&mut world, "served");
}

#[test]
fn manifests_that_could_not_be_built_are_built_again_after_a_while() {
    let job = action("migrate", Verb::Job(manifests("steps")));
    let mut world = with_actions(vec![job], Vec::new());
    world.slow.clear();
    publish_steps(&mut world, "steps", &["Job/migrate=1"]);
    let of = ("sha256:steps".to_owned(), "steps".to_owned());
    let built = world.artifacts[&of].clone();
    let away = FailureClass::Transient { retry_after: None };
    world
        .artifacts
        .insert(of.clone(), Err(Failure::new(away, "no route to host")));
    world.settle(Duration::from_secs(1));
    assert!(
        world.message().contains("no route to host"),
        "{}",
        world.message()
    );
    world.artifacts.insert(of, built);
    succeeds(&mut world, "there again");
    assert_eq!(world.effects.created.len(), 1);
}

/// The start is on record, and then somebody makes another object in the place of what was to be deleted.
#[test]
fn what_was_made_anew_before_the_deletion_was_sent_is_not_deleted() {
    let mut world = with_actions(vec![action("clear", delete("old"))], Vec::new());
    world.slow.clear();
    let old = world.plant("ConfigMap", "old");
    until_a_start_names_its_object(&mut world);
    assert!(
        world.effects.deleted.is_empty(),
        "it is too late to replace it"
    );
    world.objects.remove(&old);
    world.plant("ConfigMap", "old");
    world.crash();
    succeeds(&mut world, "the old one is gone");
    assert!(world.objects.contains_key(&old));
    assert!(world.effects.deleted.is_empty());
}

/// Nobody knows what stands there, so nothing is deleted and nothing is done.
#[test]
fn what_can_not_be_read_before_its_deletion_is_waited_for() {
    let mut world = with_actions(vec![action("clear", delete("old"))], Vec::new());
    world.slow.clear();
    world.plant("ConfigMap", "old");
    until_a_start_names_its_object(&mut world);
    world.crash();
    world.denied.insert(denied("get", "ConfigMap"));
    world.settle(Duration::from_secs(20));
    assert_eq!(world.ready(), "False RBACDenied", "{}", world.message());
    assert!(world.effects.deleted.is_empty());
    world.denied.clear();
    succeeds(&mut world, "readable");
    assert_eq!(world.effects.deleted, ["old"]);
}

#[test]
fn manifests_whose_source_is_missing_are_waited_for() {
    let job = action("migrate", Verb::Job(manifests("steps")));
    let mut world = with_actions(vec![job], Vec::new());
    world.slow.clear();
    world.settle(MINUTE);
    let said = "ExternalArtifact payments/steps doesn't exist";
    assert!(world.message().contains(said), "{}", world.message());
    let next = world.pass();
    let soon = world.now.plus(Duration::from_secs(1));
    assert!(
        matches!(next, Next::Hold { until, .. } if until > soon),
        "{next}"
    );
    publish_steps(&mut world, "steps", &["Job/migrate=1"]);
    succeeds(&mut world, "published");
    assert_eq!(world.effects.created.len(), 1);
}
