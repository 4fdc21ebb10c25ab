//! Two real control planes: a release to the second one by a kubeconfig Secret of the first (S23 to
//! S30, A06, A17, A29).

use anyhow::{Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use stageset_e2e::audit;
use stageset_e2e::chart;
use stageset_e2e::fixtures::{Tenant, artifacts};
use stageset_e2e::kubeconfig::User;
use stageset_e2e::kubectl::condition;
use stageset_e2e::{ControlPlane, Kubectl, Options};

use super::wrong_kubeconfigs;
use crate::stageset::{NOTICED, SOON, StageSet, config_map, spec};
use crate::world::World;

const NAMESPACE: &str = "remote-cluster";
const DELIVERER: &str = "system:serviceaccount:ops:deliverer";

pub(crate) fn run(world: &World) -> Result<()> {
    // `edit` is put together by the controller-manager.
    let abroad = ControlPlane::start(Options {
        controller_manager: true,
        ..Options::API_ONLY
    })?;
    let (here, there) = (world.kubectl(), abroad.admin());
    let remote_tenant = Tenant::create(there, NAMESPACE)?;
    remote_tenant.grant_edit(there)?;
    // The account exists abroad as well, but what counts there is the binding of its name.
    deliverer(there)?;
    let token = there.service_account_token("ops", "deliverer")?;

    // Here the tenant may do nothing at all, reading Secrets included (S26).
    let tenant = Tenant::create(here, NAMESPACE)?;
    let artifact = world
        .artifacts
        .put_files(&[("a.yaml", &config_map("settings", "abroad"))])?;
    artifacts::publish(here, NAMESPACE, "app", "v1", &artifact)?;
    secret(here, "admin.conf", "prod", &kubeconfig(&abroad, &token)?)?;
    let mut release = spec("ExternalArtifact", "app", &[("only", "./")]);
    release["kubeConfig"] = json!({ "secretRef": { "name": "prod", "key": "admin.conf" } });
    let set = StageSet::apply(here, NAMESPACE, "release", &release)?;
    set.wait_ready()?;
    let object = format!("/api/v1/namespaces/{NAMESPACE}/configmaps/settings");
    ensure!(there.raw(&object)?.is_some(), "nothing arrived abroad");
    ensure!(here.raw(&object)?.is_none(), "it was applied here");

    // A kubeconfig that runs a program: refused by a sentence, and what was delivered stays (S27).
    let exec = json!({ "exec": { "command": "/bin/touch", "args": ["/tmp/pwned"] } });
    let mut bad = kubeconfig(&abroad, &token)?;
    bad["users"][0]["user"] = exec;
    secret(here, "admin.conf", "prod", &bad)?;
    // The controller may only `get` Secrets, so a changed one is seen by the next pass.
    set.request_reconcile("refused")?;
    here.wait_for(&set.path(), "the refusal of exec", SOON, |set| {
        condition(set, "Ready").is_some_and(|ready| {
            let said = ready["message"].as_str().unwrap_or_default();
            said.contains("no program is ever run")
        })
    })?;
    ensure!(
        there.raw(&object)?.is_some(),
        "a bad Secret took the release away"
    );
    secret(here, "admin.conf", "prod", &kubeconfig(&abroad, &token)?)?;
    here.wait_for(&set.path(), "Ready again", NOTICED, |set| {
        condition(set, "Ready").is_some_and(|ready| ready["status"] == "True")
    })?;

    // The status says nothing of the Secret (A21).
    let told = here.raw(&set.path())?.unwrap_or_default().to_string();
    ensure!(!told.contains(&token), "the token stands in the StageSet");
    ensure!(
        !told.contains(&abroad.server().url),
        "the server's address stands in the StageSet"
    );

    // Home: gone there first, then here; the tenant needs rights here for that (A29).
    tenant.grant_edit(here)?;
    set.patch_spec(&json!({ "kubeConfig": Value::Null }))?;
    here.wait_for(&object, "the object at home", NOTICED, |_| true)?;
    there.wait_until_gone(&object, SOON)?;
    set.wait_ready()?;
    set.patch_spec(
        &json!({ "kubeConfig": { "secretRef": { "name": "prod", "key": "admin.conf" } } }),
    )?;
    there.wait_for(&object, "the object abroad", NOTICED, |_| true)?;
    here.wait_until_gone(&object, SOON)?;
    set.wait_ready()?;
    set.delete()?;
    there.wait_until_gone(&object, SOON)?;

    wrong_kubeconfigs::run(world, &abroad)?;
    every_request_abroad_is_the_tenants(&abroad, &remote_tenant)?;
    the_secret_was_read_by_the_controller(world)
}

/// Who holds the kubeconfig abroad: it may impersonate ServiceAccounts, and nothing else.
fn deliverer(there: &Kubectl) -> Result<()> {
    let rbac = "rbac.authorization.k8s.io";
    there.apply_all(&[
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ops"}}),
        json!({"apiVersion": "v1", "kind": "ServiceAccount",
               "metadata": {"name": "deliverer", "namespace": "ops"}}),
        json!({"apiVersion": format!("{rbac}/v1"), "kind": "ClusterRole",
               "metadata": {"name": "deliverer"},
               "rules": [{"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["impersonate"]}]}),
        json!({"apiVersion": format!("{rbac}/v1"), "kind": "ClusterRoleBinding",
               "metadata": {"name": "deliverer"},
               "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "deliverer"},
               "subjects": [{"kind": "ServiceAccount", "namespace": "ops", "name": "deliverer"}]}),
    ])
}

pub(super) fn kubeconfig(plane: &ControlPlane, token: &str) -> Result<Value> {
    let file = plane.folder().join("deliverer.kubeconfig");
    plane.server().write_kubeconfig(User::Token(token), &file)?;
    Ok(serde_json::from_slice(&std::fs::read(file)?)?)
}

fn secret(here: &Kubectl, key: &str, name: &str, kubeconfig: &Value) -> Result<()> {
    here.apply(&json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"namespace": NAMESPACE, "name": name},
        "data": { key: STANDARD.encode(kubeconfig.to_string()) },
    }))
}

/// S25: the API server's own word for it.
fn every_request_abroad_is_the_tenants(abroad: &ControlPlane, tenant: &Tenant) -> Result<()> {
    let events = audit::read(&abroad.audit_log())?;
    let ours: Vec<_> = events
        .iter()
        .filter(|event| event.user == DELIVERER)
        .collect();
    ensure!(
        ours.iter().any(|event| event.changed()),
        "the audit log abroad knows no write of ours"
    );
    for event in ours {
        let discovery = event.resource.is_empty() && event.verb == "get";
        ensure!(
            discovery || event.impersonated.as_deref() == Some(&tenant.user()),
            "not as the tenant: {event:?}"
        );
    }
    Ok(())
}

/// S26, S30: `get` as the controller itself, and nothing else is done to Secrets by it.
fn the_secret_was_read_by_the_controller(world: &World) -> Result<()> {
    let Some(events) = world.audit()? else {
        return Ok(());
    };
    let reads: Vec<_> = events
        .iter()
        .filter(|event| event.user == chart::USER && event.resource == "secrets")
        .collect();
    ensure!(
        !reads.is_empty(),
        "the audit log knows no read of the Secret"
    );
    for event in reads {
        ensure!(
            event.impersonated.is_some() || event.verb == "get",
            "not a get: {event:?}"
        );
    }
    let elsewhere = events.iter().find(|event| {
        event.user == chart::USER
            && event.namespace == NAMESPACE
            && event.resource == "configmaps"
            && event.impersonated.is_none()
    });
    ensure!(
        elsewhere.is_none(),
        "as the controller itself: {elsewhere:?}"
    );
    Ok(())
}
