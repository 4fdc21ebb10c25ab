//! What each verb does, when nothing goes wrong.

use super::*;

#[test]
fn pre_actions_come_before_the_stage_and_post_actions_after_it_is_ready() {
    let mut world = with_actions(
        vec![action("announce", http(Method::Post))],
        vec![action("tell", http(Method::Post))],
    );
    succeeds(&mut world, "actions");
    let done: Vec<&str> = world.done.iter().map(|done| done.what.as_str()).collect();
    let at = |word: &str| {
        done.iter()
            .position(|what| what.contains(word))
            .unwrap_or_else(|| panic!("{word}: {done:#?}"))
    };
    let sent = |name: &str| {
        done.iter()
            .position(|what| what.starts_with("POST") && what.contains(name))
            .unwrap()
    };
    assert!(at("create Deployment.apps payments/cache") < sent("announce"));
    assert!(sent("announce") < at("create Deployment.apps payments/web"));
    assert!(at("create Deployment.apps payments/web") < sent("tell"));
    // Recorded before, and recorded after, each in its own write.
    assert_eq!(
        at("record that pre action \"announce\" of stage app starts") + 1,
        sent("announce")
    );
    assert_eq!(
        at("record that pre action \"announce\" of stage app is done"),
        sent("announce") + 1
    );
    assert_eq!(world.effects.received.len(), 2);
    let keys: Vec<_> = world.effects.received.iter().map(|(_, key)| key).collect();
    assert_ne!(keys[0], keys[1], "two actions are two requests");
    let web = world.object("Deployment", "web").unwrap().ready_at;
    let told = world
        .done
        .iter()
        .find(|d| d.what.contains("tell") && d.what.starts_with("POST"));
    assert!(told.unwrap().at >= web, "told before it was ready");
    for done in world
        .done
        .iter()
        .filter(|done| done.what.starts_with("POST"))
    {
        assert_eq!(
            done.identity.as_deref(),
            Some("system:serviceaccount:payments:deployer")
        );
    }
    assert!(world.status.stages[1].actions.started.is_empty());
    assert_eq!(
        world.status.stages[1].actions.executed,
        ["announce", "tell"]
    );
    assert_eq!(
        world.status.stages[1].actions.revision.as_deref(),
        Some("r1")
    );
}

#[test]
fn once_for_each_revision_and_never_for_nothing() {
    let mut world = with_actions(vec![action("a", http(Method::Post))], Vec::new());
    succeeds(&mut world, "r1");
    for _ in 0..5 {
        world.now = world.now.plus(HOUR);
        world.refresh_before = world.now;
        succeeds(&mut world, "steady");
    }
    assert_eq!(world.effects.received.len(), 1);
    world.publish("app", "r2", &["Deployment/web=2"]);
    succeeds(&mut world, "r2");
    assert_eq!(world.effects.received.len(), 2);
    assert_ne!(world.effects.received[0].1, world.effects.received[1].1);
    // The other stage's revision is none of its business.
    world.publish(
        "config",
        "r2",
        &["ConfigMap/settings=2", "Deployment/cache=1"],
    );
    succeeds(&mut world, "config r2");
    assert_eq!(world.effects.received.len(), 2);
}

#[test]
fn a_finished_release_with_actions_is_silent() {
    let mut world = with_actions(
        vec![lifetime(action("once", http(Method::Post)))],
        vec![action("wait", Verb::Pause(Duration::from_secs(3)))],
    );
    succeeds(&mut world, "first");
    let requests = world.requests;
    world.pass();
    assert_eq!(world.requests, requests, "{}", world.last_plan.unwrap());
}

#[test]
fn a_pause_is_a_hold_and_survives_a_crash() {
    let mut world = with_actions(vec![action("rest", Verb::Pause(10 * MINUTE))], Vec::new());
    world.settle(MINUTE);
    let began = world.now;
    assert!(
        world.message().contains("pausing for 10 min"),
        "{}",
        world.message()
    );
    assert!(world.object("Deployment", "web").is_none());
    let (requests, done) = (world.requests, world.done.len());
    world.settle(8 * MINUTE);
    assert_eq!(
        (world.requests, world.done.len()),
        (requests, done),
        "a hold costs nothing"
    );
    world.crash();
    world.settle(12 * MINUTE);
    assert_eq!(world.ready(), "True Succeeded", "{}", world.message());
    let web = world
        .done
        .iter()
        .find(|d| d.what.contains("create Service payments/web"));
    let waited = web.unwrap().at.since(began);
    assert!(waited < 11 * MINUTE, "the pause began anew: {waited:?}");
}

#[test]
fn a_wait_polls_until_the_expression_holds() {
    let mut world = with_actions(vec![action("ready", until("gate"))], Vec::new());
    world.plant("ConfigMap", "gate");
    world.effects.holds.insert("gate".into(), 2 * MINUTE);
    world.settle(MINUTE);
    assert_eq!(world.ready(), "False StageProgressing");
    assert!(
        world.message().contains("the expression doesn't hold"),
        "{}",
        world.message()
    );
    succeeds(&mut world, "holds");
    let looks = world.requests;
    assert!(looks < 120, "{looks} requests");
}

#[test]
fn jobs_are_created_awaited_and_deleted() {
    let mut world = with_actions(
        vec![action("migrate", Verb::Job(manifests("steps")))],
        Vec::new(),
    );
    publish_steps(&mut world, "steps", &["Job/migrate=1", "Job/seed=1"]);
    let script = crate::world::JobScript {
        takes: MINUTE,
        fails: 0,
    };
    world.effects.jobs.insert("migrate".into(), script);
    world.settle(Duration::from_secs(30));
    assert!(
        world.message().contains("Job.batch payments/migrate-"),
        "{}",
        world.message()
    );
    assert!(world.object("Deployment", "web").is_none());
    succeeds(&mut world, "jobs");
    assert_eq!(
        world.effects.created.len(),
        2,
        "{:?}",
        world.effects.created
    );
    assert!(
        !world.objects.keys().any(|key| key.kind == "Job"),
        "left behind"
    );
    let name = &world.effects.created[0];
    assert!(
        name.starts_with("migrate-") && name.len() == "migrate-".len() + 8,
        "{name}"
    );
    assert!(world.status.stages[1].actions.started.is_empty());
}

#[test]
fn a_finished_job_of_that_name_counts_and_a_foreign_one_does_not() {
    let setup = || {
        let mut world = with_actions(
            vec![action("migrate", Verb::Job(manifests("steps")))],
            Vec::new(),
        );
        publish_steps(&mut world, "steps", &["Job/migrate=1"]);
        world
    };
    let mut first = setup();
    succeeds(&mut first, "first");
    let name = first.effects.created[0].clone();
    let mut world = setup();
    let key = world.plant("Job", &name);
    world.settle(MINUTE);
    assert!(
        world.message().contains("isn't this StageSet's"),
        "{}",
        world.message()
    );
    assert!(world.effects.created.is_empty());
    let ours = first
        .objects
        .values()
        .find_map(|stored| stored.owner.clone())
        .unwrap();
    world.objects.get_mut(&key).unwrap().owner = Some(ours);
    succeeds(&mut world, "ours");
    assert!(
        world.effects.created.is_empty(),
        "{:?}",
        world.effects.created
    );
}

#[test]
fn a_job_that_somebody_deletes_before_its_end_is_named() {
    let mut world = with_actions(
        vec![action("migrate", Verb::Job(manifests("steps")))],
        Vec::new(),
    );
    publish_steps(&mut world, "steps", &["Job/migrate=1"]);
    let script = crate::world::JobScript {
        takes: HOUR,
        fails: 0,
    };
    world.effects.jobs.insert("migrate".into(), script);
    world.settle(Duration::from_secs(30));
    let job = world.objects.keys().find(|key| key.kind == "Job").cloned();
    let job = job.expect("it runs");
    world.objects.remove(&job);
    let said = format!("{job} was deleted before it was seen to finish");
    // It is tried again soon, and then that is what is said.
    for _ in 0..100 {
        if world.message().contains(&said) {
            return;
        }
        if let Next::Hold { until, .. } = world.pass() {
            world.now = until;
        }
    }
    panic!("{}", world.message());
}

#[test]
fn gap_10_a_job_folder_with_something_else_in_it_is_refused_by_name() {
    for (kind, version) in [("Deployment", "apps/v1"), ("CronJob", "batch/v1")] {
        let mut world = with_actions(
            vec![action("migrate", Verb::Job(manifests("steps")))],
            Vec::new(),
        );
        let other = format!("{kind}/web=1");
        publish_steps(&mut world, "steps", &["Job/migrate=1", &other]);
        world.settle(MINUTE);
        assert_eq!(world.ready(), "False StageFailed");
        let named = format!("{version} {kind} \"web\" ({kind}-web.yaml:1)");
        for said in [named.as_str(), "a job action runs Jobs only"] {
            assert!(world.message().contains(said), "{}", world.message());
        }
        assert!(world.effects.created.is_empty());
        assert!(world.object(kind, "web").is_none(), "the stage was touched");
    }
}

#[test]
fn delete_deletes_once_and_absence_is_success() {
    for there in [true, false] {
        let mut world = with_actions(vec![action("clean", delete("old"))], Vec::new());
        if there {
            world.plant("ConfigMap", "old");
        }
        succeeds(&mut world, "delete");
        assert_eq!(world.effects.deleted.len(), usize::from(there));
        // Recreated by somebody: nothing of ours.
        world.plant("ConfigMap", "old");
        world.now = world.now.plus(HOUR);
        world.refresh_before = world.now;
        succeeds(&mut world, "later");
        assert!(world.object("ConfigMap", "old").is_some());
    }
}

#[test]
fn patch_and_apply_do_what_they_say() {
    let mut world = with_actions(
        vec![
            action("scale", patch(PatchFormat::Merge, "spec: {replicas: 0}")),
            action(
                "extra",
                Verb::Apply {
                    manifests: manifests("steps"),
                    wait: true,
                },
            ),
        ],
        Vec::new(),
    );
    publish_steps(
        &mut world,
        "steps",
        &["Deployment/helper=1", "ConfigMap/note=1"],
    );
    world
        .slow
        .insert("Deployment".into(), Duration::from_secs(30));
    world.settle(Duration::from_secs(50));
    assert!(
        world.message().contains("payments/helper"),
        "{}",
        world.message()
    );
    succeeds(&mut world, "patch, apply");
    assert_eq!(world.effects.patched, ["cache"]);
    assert_eq!(world.effects.applied, ["note", "helper"]);
    let known = world
        .inventories
        .values()
        .flat_map(|inventory| inventory.entries.keys());
    assert!(
        !known.into_iter().any(|key| key.name == "helper"),
        "transient manifests are no inventory's"
    );
    // Never pruned.
    world.publish("app", "r2", &["Deployment/web=2"]);
    succeeds(&mut world, "r2");
    assert!(world.object("Deployment", "helper").is_some());
}

#[test]
fn attack_a09_foreign_sources_of_actions_are_not_even_read() {
    let mut foreign = manifests("steps");
    foreign.source.namespace = stageset_core::names::Namespace::new("others").unwrap();
    for verb in [
        Verb::Job(foreign.clone()),
        Verb::Apply {
            manifests: foreign,
            wait: false,
        },
    ] {
        let mut world = with_actions(vec![action("x", verb)], Vec::new());
        publish_steps(&mut world, "steps", &["Job/migrate=1"]);
        world.config.no_cross_namespace_refs = true;
        world.settle(MINUTE);
        assert_eq!(world.ready(), "False ResolveFailed", "{}", world.message());
        assert!(
            world.message().contains("--no-cross-namespace-refs"),
            "{}",
            world.message()
        );
        assert!(
            !world
                .facts
                .sources
                .keys()
                .any(|source| source.namespace.as_str() == "others")
        );
    }
}

#[test]
fn attack_a14_nothing_is_sent_outside_of_the_listed_namespaces() {
    let mut target = object("ConfigMap", "theirs");
    target.namespace = "others".into();
    let verb = Verb::Delete(Delete {
        target,
        cascade: Cascade::Background,
    });
    let mut world = with_actions(vec![action("x", verb)], Vec::new());
    world.config.watch_namespaces =
        [stageset_core::names::Namespace::new(NAMESPACE).unwrap()].into();
    world.settle(MINUTE);
    assert!(
        world.message().contains("--watch-namespaces"),
        "{}",
        world.message()
    );
    assert!(world.effects.deleted.is_empty());
}

/// Whoever doesn't say `wait: true` is told of nothing but the write.
#[test]
fn what_is_applied_without_a_wait_is_not_waited_for() {
    let verb = Verb::Apply {
        manifests: manifests("steps"),
        wait: false,
    };
    let mut world = with_actions(vec![action("x", verb)], Vec::new());
    publish_steps(&mut world, "steps", &["StatefulSet/helper=1"]);
    world.slow.insert("StatefulSet".into(), 24 * HOUR);
    succeeds(&mut world, "written");
    assert_eq!(world.effects.applied, ["helper"]);
}

/// A process that stood still since it saw what there is to delete looks once more.
#[test]
fn what_is_to_be_deleted_is_looked_at_right_before() {
    let mut world = with_actions(vec![action("first", delete("old"))], Vec::new());
    let old = world.plant("ConfigMap", "old");
    let looked = |world: &World| {
        let mut needs = world.last_plan.iter().flat_map(|plan| &plan.needs);
        needs.any(|need| matches!(need, Need::Look { .. }))
    };
    while !looked(&world) {
        world.turn_or_wait();
    }
    world.objects.remove(&old);
    world.plant("ConfigMap", "old");
    world.now = world.now.plus(Duration::from_secs(6));
    succeeds(&mut world, "awake again");
    assert_eq!(world.effects.deleted, ["old"]);
    let failed = |(reason, _): &(String, String)| reason == "StageFailed";
    assert!(!world.events.iter().any(failed), "{:?}", world.events);
}
