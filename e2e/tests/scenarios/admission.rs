//! An admission webhook that says no: a real one, which this process serves, over TLS.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use stageset_e2e::deadline::{Seen, eventually};
use stageset_e2e::fixtures::tenant::ACCOUNT;
use stageset_e2e::fixtures::{Tenant, artifacts};
use stageset_e2e::http::{HttpServer, Response};
use stageset_e2e::pki::Authority;

use crate::stageset::{NOTICED, SOON, StageSet, config_map, spec};
use crate::world::World;

const NAMESPACE: &str = "guarded";
const NAME: &str = "guard.e2e.invalid";
/// What it says when it says no.
const SAID: &str = "ask the platform team for a slot first";

/// What the API server asked: the user who wrote, and whether it was a dry run.
type Asked = Arc<Mutex<Vec<(String, bool)>>>;

/// Denies the ConfigMap `b` of the namespace until it agrees.
fn guard(authority: &Authority, agrees: &Arc<AtomicBool>) -> Result<(HttpServer, Asked)> {
    let pair = authority.server("guard", &["127.0.0.1"])?;
    let (agrees, asked) = (Arc::clone(agrees), Asked::default());
    let kept = Arc::clone(&asked);
    let server = HttpServer::start_tls(&pair, move |request| {
        let review: Value = serde_json::from_slice(&request.body)?;
        let asked = &review["request"];
        let user = asked["userInfo"]["username"].as_str().unwrap_or_default();
        let dry_run = asked["dryRun"] == true;
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push((user.to_owned(), dry_run));
        let allowed = asked["name"] != "b" || agrees.load(Ordering::Acquire);
        let mut answer = json!({ "uid": asked["uid"], "allowed": allowed });
        if !allowed {
            answer["status"] = json!({ "code": 403, "message": SAID });
        }
        let body = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer,
        });
        let mut response = Response::new(200, body.to_string());
        let json = ("content-type".to_owned(), "application/json".to_owned());
        response.headers.push(json);
        Ok(response)
    })?;
    Ok((server, asked))
}

/// Its denial is told in its words, as admission's and not as a missing right; nothing of the wave is
/// written; and once it agrees the release goes on by itself.
pub(crate) fn denied_by_a_webhook(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    Tenant::create(kubectl, NAMESPACE)?.grant_edit(kubectl)?;
    let folder = std::env::temp_dir().join(format!("stageset-guard-{}", std::process::id()));
    let outcome = run(world, &folder);
    std::fs::remove_dir_all(&folder)?;
    outcome
}

fn run(world: &World, folder: &Path) -> Result<()> {
    let kubectl = world.kubectl();
    let authority = Authority::create(folder)?;
    let agrees = Arc::new(AtomicBool::new(false));
    let (server, asked) = guard(&authority, &agrees)?;
    kubectl.apply(&json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "e2e-guard"},
        "webhooks": [{
            "name": NAME, "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "failurePolicy": "Fail", "timeoutSeconds": 5,
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}},
            "rules": [{
                "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
                "resources": ["configmaps"],
            }],
            "clientConfig": {
                "url": format!("https://{}/", server.address()),
                "caBundle": STANDARD.encode(authority.pem()),
            },
        }],
    }))?;
    let in_force = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b", "namespace": NAMESPACE},
    });
    let in_force = serde_json::to_vec(&in_force)?;
    eventually("the webhook to be in force", SOON, || {
        let arguments = ["apply", "--dry-run=server", "-f", "-"];
        Ok(match kubectl.run_with_input(&arguments, Some(&in_force)) {
            Ok(_) => Seen::NotYet("it was let in".to_owned()),
            Err(error) if format!("{error:#}").contains(SAID) => Seen::Yes(()),
            Err(error) => Seen::NotYet(format!("{error:#}")),
        })
    })?;

    let files = [
        ("a.yaml", &*config_map("a", "1")),
        ("b.yaml", &*config_map("b", "1")),
    ];
    let artifact = world.artifacts.put_files(&files)?;
    artifacts::publish(kubectl, NAMESPACE, "app", "v1", &artifact)?;
    let wanted = spec("ExternalArtifact", "app", &[("only", "./")]);
    let set = StageSet::apply(kubectl, NAMESPACE, "release", &wanted)?;
    set.wait_failed_saying(
        &["StageFailed"],
        &["admission", NAME, SAID, "guarded/b", "(runbook: https://"],
    )?;
    set.wait_warning(&["StageFailed"])?;
    ensure!(
        set.owned()?.is_empty(),
        "half of the wave was written: {:?}",
        set.owned()?
    );

    agrees.store(true, Ordering::Release);
    set.wait_ready_within(NOTICED)?;
    ensure!(set.owned()?.len() == 2, "{:?}", set.owned()?);
    let tenant = format!("system:serviceaccount:{NAMESPACE}:{ACCOUNT}");
    {
        let asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
        let of_tenant = |dry: bool| asked.iter().any(|each| *each == (tenant.clone(), dry));
        ensure!(
            of_tenant(true) && of_tenant(false),
            "the webhook saw the tenant neither try nor write: {asked:?}"
        );
    }
    set.delete()?;
    kubectl.run(&["delete", "validatingwebhookconfiguration", "e2e-guard"])?;
    Ok(())
}
