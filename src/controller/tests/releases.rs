//! A release from start to end.

use std::time::Duration;

use serde_json::json;
use stageset_controller::Options;

use crate::harness::{World, config_map, deployment, within};

const EVERYTHING: &[&str] = &["*"];

#[tokio::test(start_paused = true)]
async fn a_first_release_becomes_ready_as_its_tenant() {
    let world = World::new().await;
    world.tenant("payments", EVERYTHING);
    world.source(
        "payments",
        "base",
        &[("settings.yaml", &config_map("settings", "1"))],
    );
    world.source(
        "payments",
        "app",
        &[("app.yaml", &deployment("app", "ready-after=3s"))],
    );
    world.stage_set("payments", "shop", &["base", "app"]);
    let controller = world.controller(Options::default());
    world
        .until_ready_says("payments", "shop", "True Succeeded")
        .await;

    assert!(
        world
            .cluster
            .get("v1", "ConfigMap", "payments", "settings")
            .is_some()
    );
    let tenant = "system:serviceaccount:payments:deployer";
    for request in world.requests() {
        let ours = matches!(
            request.resource.as_str(),
            "stagesets"
                | "stageinventories"
                | "stageledgers"
                | "events"
                | "serviceaccounts"
                | "externalartifacts"
                | "customresourcedefinitions"
                | ""
        );
        let expected = if ours { None } else { Some(tenant) };
        assert_eq!(request.impersonated.as_deref(), expected, "{request:?}");
    }
    let metrics = controller.metrics.expose();
    for line in [
        r#"stageset_reconcile_total{namespace="payments",name="shop",reason="Succeeded"} "#,
        r#"stageset_stage_applied_total{namespace="payments",name="shop",stage="base"} 1"#,
        r#"stageset_stage_applied_total{namespace="payments",name="shop",stage="app"} 1"#,
        r#"stageset_stage_ready{namespace="payments",stageset="shop",stage="app"} 1"#,
        r#"stageset_api_requests_total{verb="patch",plane="tenant"} "#,
        r#"stageset_api_requests_total{verb="watch",plane="tenant"} "#,
        r#"stageset_api_requests_total{verb="watch",plane="controller"} "#,
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    controller.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_deletion_is_acted_on_at_once_while_a_stage_waits() {
    let world = World::new().await;
    world.tenant("payments", EVERYTHING);
    world.source(
        "payments",
        "app",
        &[("app.yaml", &deployment("app", "never"))],
    );
    world.stage_set("payments", "shop", &["app"]);
    let controller = world.controller(Options::default());
    let deployed = || {
        world
            .cluster
            .get("apps/v1", "Deployment", "payments", "app")
            .is_some()
    };
    world.until("the deployment exists", deployed).await;
    tokio::time::sleep(Duration::from_secs(60)).await;

    world
        .cluster
        .delete("stages.metio.wtf/v1", "StageSet", "payments", "shop")
        .unwrap();
    let asked = || {
        world
            .requests()
            .iter()
            .any(|r| r.verb == "delete" && r.resource == "deployments")
    };
    assert!(
        within(Duration::from_secs(1), asked).await,
        "not acted on within a second"
    );
    world
        .until("it is gone", || {
            world.get_stage_set("payments", "shop").is_none()
        })
        .await;
    assert!(!deployed());
    assert!(
        !controller.metrics.expose().contains("shop"),
        "series of a deleted StageSet remain"
    );
    controller.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_new_revision_is_delivered_at_once_and_drops_what_it_lacks() {
    let world = World::new().await;
    world.tenant("payments", EVERYTHING);
    let files = [
        ("a.yaml", &*config_map("a", "1")),
        ("b.yaml", &*config_map("b", "1")),
    ];
    world.source("payments", "app", &files);
    world.stage_set("payments", "shop", &["app"]);
    let controller = world.controller(Options::default());
    world
        .until_ready_says("payments", "shop", "True Succeeded")
        .await;

    world.source("payments", "app", &[("a.yaml", &config_map("a", "2"))]);
    let delivered = || {
        let a = world
            .cluster
            .get("v1", "ConfigMap", "payments", "a")
            .unwrap_or_default();
        a["data"] == json!({ "key": "2" })
            && world
                .cluster
                .get("v1", "ConfigMap", "payments", "b")
                .is_none()
    };
    assert!(
        within(Duration::from_secs(2), delivered).await,
        "not delivered within two seconds"
    );
    controller.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn suspended_and_invalid_ones_are_counted_too() {
    let world = World::new().await;
    world.tenant("payments", EVERYTHING);
    world.source("payments", "app", &[("a.yaml", &config_map("a", "1"))]);
    for (name, change) in [
        ("suspended", json!({ "suspend": true })),
        (
            "invalid",
            json!({ "stages": [
                { "name": "app", "sourceRef": { "name": "app" } },
                { "name": "app", "sourceRef": { "name": "app" } },
            ]}),
        ),
        ("nobody", json!({ "serviceAccountName": "" })),
    ] {
        let mut object = crate::harness::stage_set("payments", name, &["app"]);
        for (key, value) in change.as_object().unwrap() {
            object["spec"][key] = value.clone();
        }
        if name == "nobody" {
            object["spec"]
                .as_object_mut()
                .unwrap()
                .remove("serviceAccountName");
        }
        world.put(&object);
    }
    let controller = world.controller(Options::default());
    for (name, says) in [
        ("suspended", "False Suspended"),
        ("invalid", "False InvalidSpec"),
        ("nobody", "False RBACDenied"),
    ] {
        world.until_ready_says("payments", name, says).await;
        let reason = says.split_once(' ').unwrap().1;
        let series = format!(
            r#"stageset_reconcile_total{{namespace="payments",name="{name}",reason="{reason}"}} "#
        );
        let counted = || controller.metrics.expose().contains(&series);
        assert!(
            within(Duration::from_secs(1), counted).await,
            "{series} is missing"
        );
    }
    controller.stop().await.unwrap();
}
