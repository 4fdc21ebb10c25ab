//! References that lead to nothing, or to something of another kind: a sentence that names what was
//! looked for, nothing of the stage written meanwhile, and healed once it is there.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{World, config_map, deployment};

const HOUR: Duration = Duration::from_secs(3600);

struct Case {
    /// Fields of the only stage, besides name and source.
    stage: Value,
    /// All of it stands in the message.
    says: &'static [&'static str],
    /// Puts there what was missing; without it nothing can, but another spec.
    heal: Option<fn(&World)>,
}

fn pre(action: Value) -> Value {
    let mut action = action;
    action["name"] = json!("step");
    json!({ "actions": { "pre": [action] } })
}

fn stage_set(world: &World, stage: &Value) {
    let mut whole = json!({ "name": "app", "sourceRef": { "name": "app" } });
    for (field, value) in stage.as_object().into_iter().flatten() {
        whole[field] = value.clone();
    }
    world.apply(&json!({
        "apiVersion": "stages.metio.wtf/v1", "kind": "StageSet",
        "metadata": { "namespace": "shop", "name": "web" },
        "spec": { "serviceAccountName": "deployer", "retryInterval": "1m", "stages": [whole] },
    }));
}

async fn check(case: &Case) {
    let mut world = World::new().await;
    world.publish(
        "app",
        "r1",
        &[("web.yaml", &deployment("web", "web:1", "ready-after=1s"))],
    );
    stage_set(&world, &case.stage);
    let said_all = |world: &World| {
        let message = world.message("web");
        case.says.iter().all(|words| message.contains(words))
    };
    world.run_until("web", HOUR, said_all).await;
    assert_eq!(
        world.object("web").unwrap()["status"]["conditions"][0]["status"],
        "False"
    );
    let written = |world: &World| world.cluster.get("apps/v1", "Deployment", "shop", "web");
    assert!(
        written(&world).is_none(),
        "written all the same: {}",
        world.message("web")
    );
    match case.heal {
        Some(heal) => heal(&world),
        None => stage_set(&world, &json!({})),
    }
    world
        .run_until("web", HOUR, |world| world.ready("web") == "True Succeeded")
        .await;
    assert!(written(&world).is_some());
}

fn hook(world: &World, key: &str) {
    world.apply(&json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "namespace": "shop", "name": "hook" },
        "data": { key: "e30=" },
    }));
}

fn target(api_version: &str, kind: &str) -> Value {
    json!({ "apiVersion": api_version, "kind": kind, "name": "settings" })
}

#[tokio::test(start_paused = true)]
async fn objects_that_actions_change_or_wait_for() {
    let settings = |world: &World| {
        world.apply(&json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "namespace": "shop", "name": "settings" }, "data": { "key": "1" },
        }));
    };
    for case in [
        Case {
            stage: pre(json!({ "patch": { "target": target("v1", "ConfigMap"),
                                          "patch": "data: {key: \"2\"}" } })),
            says: &["pre action \"step\"", "configmaps \"settings\" not found"],
            heal: Some(settings),
        },
        Case {
            stage: pre(
                json!({ "wait": { "target": target("v1", "ConfigMap"), "timeout": "30s",
                                         "expr": "metadata.name == \"settings\"" } }),
            ),
            says: &["pre action \"step\"", "ConfigMap shop/settings"],
            heal: Some(settings),
        },
        Case {
            stage: pre(
                json!({ "patch": { "target": target("example.org/v1", "Widget"),
                                          "patch": "data: {key: \"2\"}" } }),
            ),
            says: &["pre action \"step\"", "example.org/v1 Widget"],
            heal: None,
        },
        Case {
            stage: pre(json!({ "delete": { "target": target("example.org/v1", "Widget") } })),
            says: &["pre action \"step\"", "example.org/v1 Widget"],
            heal: None,
        },
    ] {
        check(&case).await;
    }
}

#[tokio::test(start_paused = true)]
async fn secrets_that_requests_are_made_of() {
    let with = |field: Value| {
        let mut http = json!({ "url": "https://hooks.example.org/" });
        for (name, value) in field.as_object().into_iter().flatten() {
            http[name] = value.clone();
        }
        pre(json!({ "http": http }))
    };
    let body = || with(json!({ "bodyFrom": { "name": "hook", "key": "body" } }));
    check(&Case {
        stage: body(),
        says: &["pre action \"step\"", "Secret shop/hook"],
        heal: Some(|world| hook(world, "body")),
    })
    .await;
    check(&Case {
        stage: with(json!({ "headersFrom": [{ "name": "hook", "key": "Authorization" }] })),
        says: &["pre action \"step\"", "Secret shop/hook"],
        heal: Some(|world| hook(world, "Authorization")),
    })
    .await;
    // It is there, and lacks the key.
    let mut world = World::new().await;
    hook(&world, "other");
    world.publish(
        "app",
        "r1",
        &[("web.yaml", &deployment("web", "web:1", "ready-after=1s"))],
    );
    stage_set(&world, &body());
    let says = |world: &World| {
        let message = world.message("web");
        message.contains("shop/hook") && message.contains("body")
    };
    world.run_until("web", HOUR, says).await;
    hook(&world, "body");
    world
        .run_until("web", HOUR, |world| world.ready("web") == "True Succeeded")
        .await;
}

#[tokio::test(start_paused = true)]
async fn sources_of_stages_and_actions() {
    let job =
        |path: &str| pre(json!({ "job": { "sourceRef": { "name": "steps" }, "path": path } }));
    let steps: fn(&World) = |world| {
        let job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate}\nspec:\n  template:\n    \
                   spec:\n      restartPolicy: Never\n      containers: [{name: run, image: run:1}]\n";
        world.publish("steps", "s1", &[("jobs/migrate.yaml", job)]);
    };
    let manifests: fn(&World) = |world| {
        world.publish("steps", "s1", &[("jobs/a.yaml", &config_map("a", "one"))]);
    };
    for case in [
        Case {
            stage: job("jobs"),
            says: &["ExternalArtifact shop/steps", "doesn't exist"],
            heal: Some(steps),
        },
        Case {
            stage: pre(json!({ "apply": { "sourceRef": { "name": "steps" }, "path": "jobs" } })),
            says: &["ExternalArtifact shop/steps", "doesn't exist"],
            heal: Some(manifests),
        },
        // A kind that is no source of Flux's is taken for a producer, of which an artifact tells.
        Case {
            stage: json!({ "sourceRef": { "apiVersion": "v1", "kind": "ConfigMap", "name": "app" } }),
            says: &["ConfigMap shop/app"],
            heal: None,
        },
        // There is an ExternalArtifact of this name, and no GitRepository.
        Case {
            stage: json!({ "sourceRef": { "apiVersion": "source.toolkit.fluxcd.io/v1",
                                          "kind": "GitRepository", "name": "app" } }),
            says: &["GitRepository shop/app", "doesn't exist"],
            heal: None,
        },
        Case {
            stage: json!({ "path": "nowhere" }),
            says: &["stage app", "nowhere"],
            heal: None,
        },
    ] {
        check(&case).await;
    }
}

#[tokio::test(start_paused = true)]
async fn accounts_and_variables() {
    for case in [
        Case {
            stage: json!({ "serviceAccountName": "nobody" }),
            says: &["ServiceAccount shop/nobody"],
            heal: Some(|world| {
                world.account("shop", "nobody");
                let everything =
                    json!([{ "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] }]);
                world.grant("shop", "nobody", &everything);
            }),
        },
        Case {
            stage: json!({ "postBuild": { "substituteFrom": [{ "kind": "Secret", "name": "hook" }] } }),
            says: &["Secret", "hook"],
            heal: Some(|world| hook(world, "NAME")),
        },
    ] {
        check(&case).await;
    }
}
