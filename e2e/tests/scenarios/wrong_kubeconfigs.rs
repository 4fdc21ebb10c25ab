//! Each wrong kubeconfig has its own sentence, nothing is asked of the tenant's world anywhere, and
//! nothing of the Secrets stands in anything that people see (S27, S29, A17, A21).

use anyhow::{Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use stageset_e2e::ControlPlane;
use stageset_e2e::fixtures::{Tenant, artifacts};
use stageset_e2e::pki::Authority;

use super::remote_cluster::kubeconfig;
use crate::stageset::{StageSet, config_map, spec};
use crate::world::World;

const NAMESPACE: &str = "wrong-kubeconfigs";
const CANARY: &str = "kanarienvogel-e2e-91c4";

/// One mistake: its name, the Secret's key and value if there is a Secret, and what is said.
struct Wrong {
    name: &'static str,
    secret: Option<(&'static str, String)>,
    said: &'static str,
}

pub(super) fn run(world: &World, abroad: &ControlPlane) -> Result<()> {
    let here = world.kubectl();
    let tenant = Tenant::create(here, NAMESPACE)?;
    tenant.grant_edit(here)?;
    let artifact = world
        .artifacts
        .put_files(&[("a.yaml", &config_map("settings", "one"))])?;
    artifacts::publish(here, NAMESPACE, "app", "v1", &artifact)?;

    let all = all(abroad)?;
    let mut sets = Vec::new();
    for wrong in &all {
        if let Some((key, value)) = &wrong.secret {
            here.apply(&json!({
                "apiVersion": "v1", "kind": "Secret",
                "metadata": {"namespace": NAMESPACE, "name": wrong.name},
                "data": { *key: STANDARD.encode(value) },
            }))?;
        }
        let mut release = spec("ExternalArtifact", "app", &[("only", "./")]);
        release["kubeConfig"] = json!({ "secretRef": { "name": wrong.name } });
        sets.push(StageSet::apply(here, NAMESPACE, wrong.name, &release)?);
    }
    for (wrong, set) in all.iter().zip(&sets) {
        set.wait_failed_saying(&["StageFailed", "RBACDenied"], &[wrong.said])?;
        set.wait_warning(&["StageFailed", "RBACDenied"])?;
    }
    let settings = format!("/api/v1/namespaces/{NAMESPACE}/configmaps/settings");
    ensure!(here.raw(&settings)?.is_none(), "it was applied here");

    // While everything of it is still there to be seen.
    let controller = world.controller();
    for (what, text) in [
        ("the log", controller.log()?),
        ("the metrics", controller.metrics()?),
        (
            "the StageSets",
            list(world, "/apis/stages.metio.wtf/v1", "stagesets")?,
        ),
        (
            "the inventories",
            list(world, "/apis/stages.metio.wtf/v1", "stageinventories")?,
        ),
        ("the events", list(world, "/api/v1", "events")?),
    ] {
        ensure!(!text.is_empty(), "{what} can't be seen");
        for secret in [CANARY.to_owned(), STANDARD.encode(CANARY)] {
            ensure!(!text.contains(&secret), "{secret} stands in {what}");
        }
    }
    drop(controller);
    sets.iter().try_for_each(StageSet::delete)
}

fn list(world: &World, api: &str, resource: &str) -> Result<String> {
    let path = format!("{api}/namespaces/{NAMESPACE}/{resource}");
    Ok(world.kubectl().raw(&path)?.unwrap_or_default().to_string())
}

/// A good kubeconfig of the cluster abroad with one thing changed, and other texts.
fn all(abroad: &ControlPlane) -> Result<Vec<Wrong>> {
    let good = kubeconfig(abroad, CANARY)?;
    let with = |change: &dyn Fn(&mut Value)| {
        let mut changed = good.clone();
        change(&mut changed);
        Some(("value", changed.to_string()))
    };
    let user = |user: Value| with(&|config| config["users"][0]["user"] = user.clone());
    let cluster = |field: &str, value: Value| {
        with(&|config| config["clusters"][0]["cluster"][field] = value.clone())
    };
    let stranger = Authority::create(&abroad.folder().join("stranger"))?.pem();
    // A name that no resolver passes on to another (RFC 6761).
    let nowhere = format!("https://{CANARY}.invalid:6443");
    let impossible = format!("https://{}.{CANARY}.invalid", "a".repeat(64));
    let wrong = |name, secret, said| Wrong { name, secret, said };
    Ok(vec![
        wrong("no-secret", None, "doesn't exist"),
        wrong(
            "no-key",
            Some(("other", CANARY.to_owned())),
            "nothing under key \"value\"",
        ),
        wrong(
            "not-yaml",
            Some(("value", format!("a: [{CANARY}"))),
            "isn't YAML",
        ),
        wrong(
            "no-current-context",
            with(&|config| {
                config["current-context"] = Value::Null;
                let second = json!({"name": CANARY, "context": {"cluster": "e2e", "user": "e2e"}});
                config["contexts"]
                    .as_array_mut()
                    .into_iter()
                    .for_each(|all| all.push(second.clone()));
            }),
            "several contexts and no current-context",
        ),
        wrong(
            "unknown-context",
            with(&|config| config["current-context"] = CANARY.into()),
            "current-context names a context that isn't there",
        ),
        wrong(
            "unknown-host",
            cluster("server", nowhere.into()),
            "host name can't be resolved",
        ),
        wrong(
            "impossible-host",
            cluster("server", impossible.into()),
            "isn't an https URL",
        ),
        // The API server abroad doesn't know this token, as it wouldn't one that has expired.
        wrong(
            "expired-token",
            with(&|_| ()),
            "doesn't accept the kubeconfig's credentials (401)",
        ),
        wrong(
            "wrong-ca",
            cluster(
                "certificate-authority-data",
                STANDARD.encode(stranger).into(),
            ),
            "isn't signed by the kubeconfig's CA",
        ),
        wrong(
            "exec",
            user(json!({"exec": {"command": CANARY}})),
            "no program is ever run",
        ),
        wrong(
            "file",
            user(json!({"tokenFile": format!("/{CANARY}")})),
            "tokenFile names a file",
        ),
        wrong(
            "proxy",
            cluster("proxy-url", format!("http://{CANARY}.example").into()),
            "proxy-url is refused",
        ),
    ])
}
