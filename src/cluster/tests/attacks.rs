//! Attacks by the numbers of `docs/attacks.md`, where no other file of these tests has them.
//! "The tenant" writes StageSets, manifests and Secrets in its own namespace, and nothing else.

use std::time::Duration;

use serde_json::{Value, json};
use stageset_cluster::Wake;

use crate::world::{TENANT, World, config_map, tenant_plane};

const MINUTE: Duration = Duration::from_secs(60);
const RBAC: &str = "rbac.authorization.k8s.io/v1";

/// The tenant of these tests: everything in its namespace, nothing elsewhere.
async fn tenant_of_one_namespace(manifest: &str) -> World {
    let world = World::new().await;
    world.publish("app", "r1", &[("a.yaml", manifest)]);
    world.stage_set("web", &["app"]);
    world
}

async fn is_denied(world: &mut World) {
    world
        .run_until("web", MINUTE, |world| {
            world.ready("web") == "False RBACDenied"
        })
        .await;
    for record in tenant_plane(&world.requests()) {
        assert_eq!(record.impersonated.as_deref(), Some(TENANT), "{record:?}");
    }
}

/// A manifest that names another namespace goes there only if the tenant may write there.
#[tokio::test(start_paused = true)]
async fn attack_a10_a_foreign_namespace_in_a_manifest_is_the_tenants_right_to_have() {
    let manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: there, namespace: other}\n";
    let mut world = tenant_of_one_namespace(manifest).await;
    is_denied(&mut world).await;
    assert!(
        world
            .cluster
            .get("v1", "ConfigMap", "other", "there")
            .is_none()
    );
    world.apply(&json!({
        "apiVersion": RBAC, "kind": "Role", "metadata": { "namespace": "other", "name": "guests" },
        "rules": [{ "apiGroups": [""], "resources": ["configmaps"],
                    "verbs": ["get", "create", "patch", "delete"] }],
    }));
    world.apply(&json!({
        "apiVersion": RBAC, "kind": "RoleBinding", "metadata": { "namespace": "other", "name": "guests" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "guests" },
        "subjects": [{ "kind": "ServiceAccount", "namespace": "shop", "name": "deployer" }],
    }));
    world.until_ready("web").await;
    assert!(
        world
            .cluster
            .get("v1", "ConfigMap", "other", "there")
            .is_some()
    );
}

/// A namespace written onto a cluster-scoped kind makes no namespaced one of it.
#[tokio::test(start_paused = true)]
async fn attack_a11_scope_is_discoverys_and_not_the_manifests() {
    let manifest = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: mine, \
                    namespace: shop}\nrules: [{apiGroups: [\"*\"], resources: [\"*\"], verbs: [\"*\"]}]\n";
    let mut world = tenant_of_one_namespace(manifest).await;
    is_denied(&mut world).await;
    assert!(world.cluster.get(RBAC, "ClusterRole", "", "mine").is_none());
    // And nobody asked for a ClusterRole in a namespace.
    for record in world.requests() {
        assert!(
            record.resource != "clusterroles" || record.namespace.is_empty(),
            "{record:?}"
        );
    }
}

/// StageSet `a-b` with stage `c`, and `a` with stage `b-c`: no inventory, label or object of one is
/// the other's.
#[tokio::test(start_paused = true)]
async fn attack_a12_names_that_run_together_do_not_meet() {
    let mut world = World::new().await;
    for source in ["c", "b-c"] {
        let name = format!("of-{source}");
        world.publish(source, "r1", &[("a.yaml", &config_map(&name, "one"))]);
    }
    world.stage_set("a-b", &["c"]);
    world.stage_set("a", &["b-c"]);
    world.until_ready("a-b").await;
    world.until_ready("a").await;
    let inventories = world.inventories();
    let names: std::collections::BTreeSet<_> = inventories
        .iter()
        .map(|inventory| inventory["metadata"]["name"].to_string())
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
    // The end of one is no end of the other.
    world
        .cluster
        .delete("stages.metio.wtf/v1", "StageSet", "shop", "a")
        .unwrap();
    for _ in 0..10 {
        world.pass("a", Wake::default()).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(world.object("a").is_none());
    assert!(world.config_map("of-b-c").is_none());
    assert!(world.config_map("of-c").is_some());
    assert_eq!(world.inventories().len(), 1);
}

/// Labels that say "mine" on another's object, and an inventory that lists it, take nothing away.
#[tokio::test(start_paused = true)]
async fn attack_a13_labels_and_a_list_without_the_right_delete_nothing() {
    let mut world = World::new().await;
    world.publish("app", "r1", &[("a.yaml", &config_map("settings", "one"))]);
    world.stage_set("web", &["app"]);
    world.until_ready("web").await;
    // Somebody with rights in `other` labels an object there as if it were of this release.
    let victim = world.apply(&json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "namespace": "other", "name": "victim", "labels": {
            "stages.metio.wtf/name": "web", "stages.metio.wtf/namespace": "shop",
            "stages.metio.wtf/stage": "app",
        } },
    }));
    let inventory = world.inventories().remove(0);
    let mut entries = inventory["spec"]["entries"].as_array().unwrap().clone();
    entries.push(json!({
        "id": "other_victim__ConfigMap", "v": "v1", "uid": victim["metadata"]["uid"],
    }));
    world
        .cluster
        .patch(
            "stages.metio.wtf/v1",
            "StageInventory",
            "shop",
            inventory["metadata"]["name"].as_str().unwrap(),
            &json!({ "spec": { "entries": entries } }),
        )
        .unwrap();
    world.crash();
    world.publish("app", "r2", &[("a.yaml", &config_map("settings", "two"))]);
    for _ in 0..10 {
        world
            .pass(
                "web",
                Wake {
                    refresh: true,
                    hints: Vec::new(),
                },
            )
            .await;
        tokio::time::sleep(MINUTE).await;
    }
    assert!(
        world
            .cluster
            .get("v1", "ConfigMap", "other", "victim")
            .is_some()
    );
    for record in tenant_plane(&world.requests()) {
        assert_eq!(record.impersonated.as_deref(), Some(TENANT), "{record:?}");
    }
}

/// An account that may not delete what the former one made neither deletes it nor forgets it.
#[tokio::test(start_paused = true)]
async fn attack_a29_a_new_account_deletes_nothing_that_it_may_not() {
    let mut world = World::new().await;
    let files = [
        ("a.yaml", &*config_map("settings", "one")),
        ("b.yaml", &*config_map("old", "one")),
    ];
    world.publish("app", "r1", &files);
    world.stage_set("web", &["app"]);
    world.until_ready("web").await;
    world.account("shop", "careful");
    let grant = |world: &World, verbs: &Value| {
        let rules = json!([{ "apiGroups": [""], "resources": ["configmaps"], "verbs": verbs }]);
        world.grant("shop", "careful", &rules);
    };
    grant(&world, &json!(["get", "create", "patch"]));
    let patch = json!({ "spec": { "serviceAccountName": "careful" } });
    world
        .cluster
        .patch("stages.metio.wtf/v1", "StageSet", "shop", "web", &patch)
        .unwrap();
    world.publish("app", "r2", &files[..1]);
    world
        .run_until("web", 15 * MINUTE, |world| {
            world.ready("web") == "False RBACDenied"
        })
        .await;
    assert!(
        world.message("web").contains("delete"),
        "{}",
        world.message("web")
    );
    assert!(world.config_map("old").is_some());
    assert!(format!("{:?}", world.inventories()).contains("shop_old__ConfigMap"));
    grant(&world, &json!(["get", "create", "patch", "delete"]));
    world
        .run_until("web", 2 * MINUTE, |world| world.config_map("old").is_none())
        .await;
    world.until_ready("web").await;
}

/// The labels of its own Namespace that others rely on are changed only if the tenant's RBAC says so.
/// `edit` doesn't; a Role with stars in a namespace would, since RBAC counts a Namespace as in itself.
#[tokio::test(start_paused = true)]
async fn attack_a30_a_namespace_is_not_taken_over() {
    let manifest = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n  labels:\n    \
                    pod-security.kubernetes.io/enforce: privileged\n  annotations: {owner: tenant}\n";
    let mut world = tenant_of_one_namespace(manifest).await;
    world
        .cluster
        .delete(RBAC, "RoleBinding", "shop", "deployer")
        .unwrap();
    world.apply(&json!({
        "apiVersion": RBAC, "kind": "RoleBinding", "metadata": { "namespace": "shop", "name": "edit" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit" },
        "subjects": [{ "kind": "ServiceAccount", "namespace": "shop", "name": "deployer" }],
    }));
    is_denied(&mut world).await;
    let namespace = world.cluster.get("v1", "Namespace", "", "shop").unwrap();
    let label = &namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"];
    assert_eq!(*label, Value::Null);
    assert_eq!(namespace["metadata"]["annotations"]["owner"], Value::Null);
}
