//! The user's list (`docs/tenancy.md`), number by number, where no other file of these tests has it.

use std::time::Duration;

use serde_json::{Value, json};
use stageset_cluster::Wake;
use stageset_core::identity::Tenancy;
use stageset_core::observation::Config;
use stageset_sim::AuditRecord;

use crate::world::{CONTROLLER, TENANT, World, config_map, deployment, tenant_plane};

const MINUTE: Duration = Duration::from_secs(60);

fn refresh() -> Wake {
    Wake {
        refresh: true,
        hints: Vec::new(),
    }
}

fn configure(world: &mut World, change: impl FnOnce(&mut Config)) {
    let mut config = (*world.ports.config).clone();
    change(&mut config);
    world.ports.config = config.into();
}

/// A StageSet with one stage and these further fields.
fn stage_set(world: &World, spec: &Value) {
    let mut object = json!({
        "apiVersion": "stages.metio.wtf/v1", "kind": "StageSet",
        "metadata": { "namespace": "shop", "name": "web" },
        "spec": { "stages": [{ "name": "app", "sourceRef": { "name": "app" } }] },
    });
    for (field, value) in spec.as_object().unwrap() {
        object["spec"][field] = value.clone();
    }
    world.apply(&object);
}

fn verbs(records: &[&AuditRecord]) -> Vec<String> {
    records
        .iter()
        .map(|record| format!("{} {}", record.verb, record.resource))
        .collect()
}

/// A whole life: delivery, an action, a new revision, drift, pruning, deletion. What touches the
/// tenant's world carries the account; nothing else does; and no token is asked for.
#[tokio::test(start_paused = true)]
async fn s01_s02_s10_every_request_of_a_whole_life_is_the_accounts() {
    let mut world = World::new().await;
    let two = [
        ("a.yaml", config_map("settings", "one")),
        ("b.yaml", config_map("extra", "one")),
        ("c.yaml", deployment("web", "web:1", "ready-after=1s")),
    ];
    let files = |count: usize| -> Vec<(&str, &str)> {
        two.iter()
            .take(count)
            .map(|(path, text)| (*path, &**text))
            .collect()
    };
    world.publish("app", "r1", &files(3));
    let job = format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: run, annotations: {{{}: ready-after=1s}}}}\n\
         spec:\n  template:\n    spec:\n      restartPolicy: Never\n      \
         containers: [{{name: run, image: \"run:1\"}}]\n",
        stageset_sim::WORKLOAD_ANNOTATION
    );
    world.publish("steps", "s1", &[("jobs/run.yaml", &job)]);
    let actions = json!({ "pre": [
        { "name": "run", "job": { "sourceRef": { "name": "steps" }, "path": "jobs" } },
    ] });
    stage_set(
        &world,
        &json!({
            "serviceAccountName": "deployer",
            "stages": [{ "name": "app", "sourceRef": { "name": "app" }, "actions": actions }],
        }),
    );
    world.until_ready("web").await;
    // Drift, found by the tick.
    let patch = json!({ "data": { "key": "edited" } });
    world
        .cluster
        .patch("v1", "ConfigMap", "shop", "settings", &patch)
        .unwrap();
    tokio::time::sleep(Duration::from_secs(600)).await;
    world.pass("web", refresh()).await;
    assert_eq!(world.config_map("settings").unwrap()["data"]["key"], "one");
    // A revision without two of the objects.
    world.publish("app", "r2", &files(1));
    world
        .run_until("web", 15 * MINUTE, |world| {
            world.config_map("extra").is_none()
        })
        .await;
    // And the end.
    world
        .cluster
        .delete("stages.metio.wtf/v1", "StageSet", "shop", "web")
        .unwrap();
    for _ in 0..20 {
        world.pass("web", refresh()).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(world.object("web").is_none() && world.config_map("settings").is_none());

    let requests = world.requests();
    let tenants = tenant_plane(&requests);
    for record in &tenants {
        assert_eq!(record.impersonated.as_deref(), Some(TENANT), "{record:?}");
    }
    // All that a release does was really done.
    let done = verbs(&tenants);
    for wanted in [
        "create selfsubjectrulesreviews",
        "create jobs",
        "patch configmaps",
        "get deployments",
        "delete configmaps",
        "delete deployments",
    ] {
        assert!(done.iter().any(|done| done == wanted), "{wanted}: {done:?}");
    }
    let own = requests
        .iter()
        .filter(|record| record.impersonated.is_some() && record.group == "stages.metio.wtf");
    assert_eq!(own.count(), 0);
    assert!(requests.iter().all(|record| record.subresource != "token"));
}

/// A RoleBinding to the built-in ClusterRole `edit`, and nothing else.
#[tokio::test(start_paused = true)]
async fn s04_edit_is_enough_for_ordinary_workloads() {
    let mut world = World::new().await;
    let rbac = "rbac.authorization.k8s.io";
    let v1 = format!("{rbac}/v1");
    world
        .cluster
        .delete(&v1, "RoleBinding", "shop", "deployer")
        .unwrap();
    world.apply(&json!({
        "apiVersion": v1, "kind": "RoleBinding",
        "metadata": { "namespace": "shop", "name": "deployer-edit" },
        "roleRef": { "apiGroup": rbac, "kind": "ClusterRole", "name": "edit" },
        "subjects": [{ "kind": "ServiceAccount", "namespace": "shop", "name": "deployer" }],
    }));
    let object =
        |kind: &str, rest: &str| format!("kind: {kind}\nmetadata: {{name: web}}\n{rest}\n");
    let manifests = [
        object("ConfigMap", "apiVersion: v1\ndata: {a: b}"),
        object("Secret", "apiVersion: v1\nstringData: {a: b}"),
        object(
            "Service",
            "apiVersion: v1\nspec: {selector: {app: web}, ports: [{port: 80}]}",
        ),
        object("ServiceAccount", "apiVersion: v1"),
        object(
            "PersistentVolumeClaim",
            "apiVersion: v1\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}",
        ),
        object(
            "Ingress",
            "apiVersion: networking.k8s.io/v1\nspec: {defaultBackend: {service: {name: web, port: {number: 80}}}}",
        ),
        object(
            "NetworkPolicy",
            "apiVersion: networking.k8s.io/v1\nspec: {podSelector: {}}",
        ),
        object(
            "CronJob",
            "apiVersion: batch/v1\nspec: {schedule: \"0 0 * * *\", jobTemplate: {spec: {template: {spec: \
             {restartPolicy: Never, containers: [{name: a, image: a}]}}}}}",
        ),
        deployment("web", "web:1", "ready-after=1s"),
    ];
    let names: Vec<String> = (0..manifests.len()).map(|n| format!("{n}.yaml")).collect();
    let files: Vec<(&str, &str)> = names
        .iter()
        .zip(&manifests)
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    world.publish("app", "r1", &files);
    world.stage_set("web", &["app"]);
    world
        .run_until("web", 2 * MINUTE, |world| {
            world
                .cluster
                .get("apps/v1", "Deployment", "shop", "web")
                .is_some()
        })
        .await;
    for kind in [
        "Secret",
        "Service",
        "ServiceAccount",
        "PersistentVolumeClaim",
    ] {
        assert!(
            world.cluster.get("v1", kind, "shop", "web").is_some(),
            "{kind}"
        );
    }
    // What edit doesn't cover is refused.
    let role =
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: more}\nrules: []\n";
    world.publish("app", "r2", &[("role.yaml", role)]);
    world
        .run_until("web", 15 * MINUTE, |world| {
            world.ready("web") == "False RBACDenied"
        })
        .await;
    assert!(world.cluster.get(&v1, "Role", "shop", "more").is_none());
}

/// Names that would be somebody else's, each as if admission had been bypassed.
#[tokio::test(start_paused = true)]
async fn s09_attack_a02_a05_an_account_cannot_leave_its_namespace() {
    let long = "a".repeat(300);
    for name in [
        "other:deployer",
        "system:serviceaccount:other:deployer",
        "system:masters",
        "system:admin",
        "other/deployer",
        "../other/deployer",
        "other%2fdeployer",
        "deployer\r\nImpersonate-Group: system:masters",
        "deployer\n",
        " deployer",
        "deployer ",
        "",
        " ",
        "\u{0}",
        "dеployer", // with a Cyrillic letter
        "DEPLOYER",
        ".deployer",
        &long,
    ] {
        let mut world = World::new().await;
        world.publish("app", "r1", &[("a.yaml", &config_map("settings", "one"))]);
        world.stage_set("web", &["app"]);
        // The finalizer and the claim come first.
        let mut object = world.object("web").unwrap();
        object["spec"]["serviceAccountName"] = name.into();
        object["metadata"]["finalizers"] = json!(["stages.metio.wtf/finalizer"]);
        world.pass_of(object).await;
        let ready = world.ready("web");
        assert!(
            ["False InvalidSpec", "False RBACDenied"].contains(&ready.as_str()),
            "{name:?}: {ready:?}"
        );
        assert!(
            world.message("web").contains("serviceAccountName"),
            "{name:?}: {}",
            world.message("web")
        );
        let requests = world.requests();
        let asked: Vec<_> = requests
            .iter()
            .filter(|record| record.impersonated.is_some())
            .collect();
        assert_eq!(asked, Vec::<&AuditRecord>::new(), "{name:?}");
        assert!(world.config_map("settings").is_none());
    }
}

/// What doesn't exist yet and would act for a tenant is refused by name, and no request is made for it.
#[tokio::test(start_paused = true)]
async fn s10_s30_rollback_decryption_and_metrics_are_refused_by_name_unasked() {
    for (field, spec) in [
        ("rollbackOnFailure", json!({ "rollbackOnFailure": true })),
        (
            "decryption",
            json!({ "decryption": { "provider": "sops", "secretRef": { "name": "keys" } } }),
        ),
        (
            "stages[0].promotion",
            json!({ "stages": [{
                "name": "app", "sourceRef": { "name": "app" }, "promotion": { "soak": "1m" },
            }]}),
        ),
    ] {
        let mut world = World::new().await;
        world.publish("app", "r1", &[("a.yaml", &config_map("settings", "one"))]);
        let mut spec = spec;
        spec["serviceAccountName"] = "deployer".into();
        stage_set(&world, &spec);
        world
            .run_until("web", MINUTE, |world| {
                world.ready("web") == "False InvalidSpec"
            })
            .await;
        let said = world.message("web");
        assert!(
            said.contains(&format!("spec.{field}")) && said.contains("not supported"),
            "{said}"
        );
        for record in world.requests() {
            assert!(
                ["stagesets", "stagesets/status", "events"].contains(&record.resource.as_str()),
                "{field}: {record:?}"
            );
        }
    }
}

/// `rbac.clusterAdmin` and a StageSet with nothing of tenancy in it: any kind, as the controller.
fn cluster_admin(world: &mut World) {
    let rbac = "rbac.authorization.k8s.io";
    world.apply(&json!({
        "apiVersion": format!("{rbac}/v1"), "kind": "ClusterRoleBinding",
        "metadata": { "name": "stageset-controller-cluster-admin" },
        "roleRef": { "apiGroup": rbac, "kind": "ClusterRole", "name": "cluster-admin" },
        "subjects": [{ "kind": "ServiceAccount", "namespace": "stageset-system", "name": "stageset-controller" }],
    }));
    configure(world, |config| config.tenancy = Tenancy::Single);
    let role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: platform}\n\
                rules: [{apiGroups: [\"*\"], resources: [\"*\"], verbs: [\"*\"]}]\n";
    let elsewhere = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: there, namespace: other}\n";
    let files = [("a.yaml", role), ("b.yaml", elsewhere)];
    world.publish("app", "r1", &files);
}

fn platform_role(world: &World) -> Option<Value> {
    world.cluster.get(
        "rbac.authorization.k8s.io/v1",
        "ClusterRole",
        "",
        "platform",
    )
}

#[tokio::test(start_paused = true)]
async fn s14_s15_a_cluster_admin_controller_applies_any_kind_itself() {
    let mut world = World::new().await;
    cluster_admin(&mut world);
    stage_set(&world, &json!({}));
    world.until_ready("web").await;
    assert!(platform_role(&world).is_some());
    assert!(
        world
            .cluster
            .get("v1", "ConfigMap", "other", "there")
            .is_some()
    );
    assert!(
        world
            .requests()
            .iter()
            .all(|record| record.impersonated.is_none())
    );
}

#[tokio::test(start_paused = true)]
async fn s16_an_account_bounds_a_release_of_a_cluster_admin_controller() {
    let mut world = World::new().await;
    cluster_admin(&mut world);
    stage_set(&world, &json!({ "serviceAccountName": "deployer" }));
    world
        .run_until("web", MINUTE, |world| {
            world.ready("web") == "False RBACDenied"
        })
        .await;
    assert!(platform_role(&world).is_none());
    assert!(
        world
            .cluster
            .get("v1", "ConfigMap", "other", "there")
            .is_none()
    );
    for record in tenant_plane(&world.requests()) {
        assert_eq!(record.impersonated.as_deref(), Some(TENANT), "{record:?}");
    }
}

/// With the rights of a release for `shop` alone: it delivers there, and acts as nobody elsewhere.
#[tokio::test(start_paused = true)]
async fn s20_s22_the_right_to_impersonate_ends_at_the_list() {
    let mut world = World::new().await;
    let rbac = "rbac.authorization.k8s.io";
    let v1 = format!("{rbac}/v1");
    world
        .cluster
        .delete(&v1, "ClusterRoleBinding", "", "stageset-controller")
        .unwrap();
    let namespace = "shop";
    world.apply(&json!({
        "apiVersion": v1, "kind": "RoleBinding",
        "metadata": { "namespace": namespace, "name": "stageset-controller" },
        "roleRef": { "apiGroup": rbac, "kind": "ClusterRole", "name": "stageset-controller" },
        "subjects": [{ "kind": "ServiceAccount", "namespace": "stageset-system", "name": "stageset-controller" }],
    }));
    configure(&mut world, |config| {
        let shop = stageset_core::names::Namespace::new(namespace).unwrap();
        config.watch_namespaces.insert(shop);
    });
    // S6 and S7 hold inside.
    world.publish("app", "r1", &[("a.yaml", &config_map("settings", "one"))]);
    world.stage_set("web", &["app"]);
    world.until_ready("web").await;
    for record in tenant_plane(&world.requests()) {
        assert_eq!(record.impersonated.as_deref(), Some(TENANT), "{record:?}");
    }
    // A thief of the controller's token, elsewhere.
    world.account("other", "deployer");
    world.grant(
        "other",
        "deployer",
        &json!([{ "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] }]),
    );
    for (account, path, expected) in [
        (
            Some("shop:deployer"),
            "/api/v1/namespaces/shop/configmaps",
            200,
        ),
        (
            Some("other:deployer"),
            "/api/v1/namespaces/other/configmaps",
            403,
        ),
        (None, "/api/v1/namespaces/other/secrets/x", 403),
        (None, "/api/v1/namespaces/shop/secrets/x", 404),
    ] {
        assert_eq!(
            as_thief(&world, account, path),
            expected,
            "{account:?} {path}"
        );
    }
}

/// What the API server answers to whoever has the controller's token.
fn as_thief(world: &World, account: Option<&str>, path: &str) -> u16 {
    let mut headers = http::HeaderMap::new();
    if let Some(account) = account {
        let user = format!("system:serviceaccount:{account}");
        headers.insert("impersonate-user", user.parse().unwrap());
    }
    let reply = world.cluster.handle(&stageset_sim::Request {
        method: http::Method::GET,
        uri: path.parse().unwrap(),
        headers,
        body: bytes::Bytes::new(),
        user: stageset_sim::User::service_account("stageset-system", "stageset-controller"),
    });
    match reply {
        stageset_sim::Reply::Response(response) => response.status.as_u16(),
        stageset_sim::Reply::Watch { .. } => panic!("not an answer"),
    }
}

/// A source, an action's source and a dependency in another namespace: nothing of it is read as
/// anybody, and the refusal stands on the StageSet.
#[tokio::test(start_paused = true)]
async fn s31_s32_s33_attack_a09_under_the_isolation_flag_nothing_foreign_is_read() {
    let app = json!({ "name": "app" });
    let foreign = json!({ "name": "app", "namespace": "other" });
    let job = json!({ "name": "run", "job": { "sourceRef": foreign, "path": "jobs" } });
    for (spec, field) in [
        (
            json!({ "stages": [{ "name": "app", "sourceRef": foreign }] }),
            "spec.stages[0].sourceRef",
        ),
        (
            json!({ "stages": [{ "name": "app", "sourceRef": app, "actions": { "pre": [job] } }] }),
            "spec.stages[0].actions.pre",
        ),
        (
            json!({ "dependsOn": [{ "name": "db", "namespace": "other" }] }),
            "spec.dependsOn[0]",
        ),
    ] {
        let mut world = World::new().await;
        configure(&mut world, |config| config.no_cross_namespace_refs = true);
        world.publish("app", "r1", &[("a.yaml", &config_map("settings", "one"))]);
        let mut spec = spec;
        spec["serviceAccountName"] = "deployer".into();
        stage_set(&world, &spec);
        for _ in 0..5 {
            world.pass("web", refresh()).await;
            tokio::time::sleep(MINUTE).await;
        }
        assert!(world.ready("web").starts_with("False"), "{field}");
        let said = world.message("web");
        assert!(
            said.contains(field) && said.contains("--no-cross-namespace-refs"),
            "{said}"
        );
        let requests = world.requests();
        let foreign = requests.iter().find(|record| {
            record.namespace == "other" || (record.namespace.is_empty() && record.verb == "list")
        });
        assert_eq!(foreign, None, "{field}");
        assert!(world.config_map("settings").is_none());
    }
}

/// The same references under `--check-cross-namespace-refs`: the account is asked about first, and the
/// object is read by the controller only once it may be read by the account.
#[tokio::test(start_paused = true)]
async fn k04_the_account_is_asked_about_before_the_controller_reads_for_it() {
    let mut world = World::new().await;
    configure(&mut world, |config| {
        config.check_cross_namespace_refs = true;
    });
    world.publish("app", "r1", &[("a.yaml", &config_map("settings", "one"))]);
    let own = world
        .cluster
        .get(
            "source.toolkit.fluxcd.io/v1",
            "ExternalArtifact",
            "shop",
            "app",
        )
        .unwrap();
    world.apply(&json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "ExternalArtifact",
        "metadata": { "namespace": "other", "name": "app" }, "spec": {}, "status": own["status"],
    }));
    stage_set(
        &world,
        &json!({
            "serviceAccountName": "deployer",
            "stages": [{ "name": "app", "sourceRef": { "name": "app", "namespace": "other" } }],
        }),
    );
    let reads = |world: &World| {
        let requests = world.requests().into_iter();
        requests
            .filter(|record| record.namespace == "other" && record.user == CONTROLLER)
            .count()
    };
    world
        .run_until("web", MINUTE, |world| {
            world.ready("web") == "False ArtifactNotFound"
        })
        .await;
    assert_eq!(reads(&world), 0);
    world.apply(&json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": { "namespace": "other", "name": "reader" },
        "rules": [{ "apiGroups": ["source.toolkit.fluxcd.io"], "resources": ["externalartifacts"],
                    "resourceNames": ["app"], "verbs": ["get"] }],
    }));
    world.apply(&json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": { "namespace": "other", "name": "reader" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader" },
        "subjects": [{ "kind": "ServiceAccount", "namespace": "shop", "name": "deployer" }],
    }));
    world.until_ready("web").await;
    assert!(reads(&world) > 0);
}

/// The API server itself refuses `configMapRef`, by the rule of our definition.
#[tokio::test(start_paused = true)]
async fn s28_the_api_server_refuses_config_map_ref() {
    let world = World::new().await;
    for kube_config in [
        json!({ "configMapRef": { "name": "cloud" } }),
        json!({ "configMapRef": { "name": "cloud" }, "secretRef": { "name": "prod" } }),
        json!({}),
    ] {
        let refused = world.cluster.apply_yaml_value(&json!({
            "apiVersion": "stages.metio.wtf/v1", "kind": "StageSet",
            "metadata": { "namespace": "shop", "name": "web" },
            "spec": {
                "serviceAccountName": "deployer", "kubeConfig": kube_config,
                "stages": [{ "name": "app", "sourceRef": { "name": "app" } }],
            },
        }));
        let said = refused.unwrap_err().to_string();
        assert!(
            said.contains("configMapRef") && said.contains("set kubeConfig.secretRef"),
            "{said}"
        );
    }
}
