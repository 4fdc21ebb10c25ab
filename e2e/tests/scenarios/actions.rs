//! Actions on a real API server: all verbs around a stage, Jobs that kwok's pods complete and fail, a
//! receiver of requests, and a person who says what is done.

use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use stageset_e2e::audit::Event;
use stageset_e2e::deadline::{Seen, eventually};
use stageset_e2e::fixtures::{Tenant, artifacts};
use stageset_e2e::http::{HttpServer, Response};
use stageset_e2e::{control_plane, tools};

use crate::checks;
use crate::stageset::{NOTICED, SOON, StageSet, config_map, deployment, spec};
use crate::world::World;

/// A request that arrived: path, `Authorization`, `Idempotency-Key`, body.
type Received = Arc<Mutex<Vec<(String, String, String, String)>>>;

/// Takes requests; the first `refusals` to `/flaky` get a 503, `/inward` is redirected to an address
/// that nobody may be sent to.
fn receiver(refusals: usize) -> Result<(HttpServer, Received)> {
    let received = Received::default();
    let kept = Arc::clone(&received);
    let server = HttpServer::start(move |request| {
        let header = |name: &str| request.headers.get(name).cloned().unwrap_or_default();
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push((
            request.path.clone(),
            header("authorization"),
            header("idempotency-key"),
            String::from_utf8_lossy(&request.body).into_owned(),
        ));
        let before = kept.iter().filter(|each| each.0 == "/flaky").count();
        Ok(match request.path.as_str() {
            "/flaky" if before <= refusals => Response::new(503, "later"),
            "/inward" => {
                let mut answer = Response::new(307, "");
                let to = "http://169.254.169.254/latest/meta-data".to_owned();
                answer.headers.push(("location".to_owned(), to));
                answer
            }
            _ => Response::new(200, "thanks"),
        })
    })?;
    Ok((server, received))
}

fn seen(received: &Received, path: &str) -> Vec<(String, String, String, String)> {
    let received = received.lock().unwrap_or_else(PoisonError::into_inner);
    let of_path = received.iter().filter(|each| each.0 == path);
    of_path.cloned().collect()
}

fn job(name: &str, fails: bool) -> String {
    let annotations = if fails {
        json!({control_plane::FAILS: "true"})
    } else {
        json!({})
    };
    json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
        "spec": {
            "backoffLimit": 0,
            "template": {
                "metadata": {"annotations": annotations},
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [{"name": "main", "image": "example.invalid/migrate:1"}],
                },
            },
        },
    })
    .to_string()
}

fn jobs_path(namespace: &str) -> String {
    format!("/apis/batch/v1/namespaces/{namespace}/jobs")
}

/// How many Jobs have been made.
fn jobs_created(events: &[Event]) -> usize {
    let jobs = events.iter().filter(|event| event.resource == "jobs");
    jobs.filter(|event| event.verb == "create" && event.code == 201 && !event.dry_run)
        .count()
}

/// All verbs: in order, as the tenant, once for a revision; the Job of scope Lifetime once ever.
pub(crate) fn all_verbs(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    let namespace = "actions-all";
    let tenant = Tenant::create(kubectl, namespace)?;
    tenant.grant_edit(kubectl)?;
    for (name, value) in [("switches", "no"), ("old", "there")] {
        kubectl.apply(&json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": namespace}, "data": {"value": value},
        }))?;
    }
    kubectl.apply(&json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "hook", "namespace": namespace},
        "stringData": {"Authorization": "Bearer of-the-hook"},
    }))?;
    let steps = world.artifacts.put_files(&[
        ("jobs/migrate.yaml", &job("migrate", false)),
        ("extra/banner.yaml", &config_map("banner", "moving")),
    ])?;
    artifacts::publish(kubectl, namespace, "steps", "s1", &steps)?;
    let publish = |revision: &str| -> Result<()> {
        let files = [
            ("web.yaml", &*deployment("web", 1, None)),
            ("r.yaml", &*config_map("rev", revision)),
        ];
        let app = world.artifacts.put_files(&files)?;
        artifacts::publish(kubectl, namespace, "app", revision, &app)
    };
    publish("v1")?;
    let (server, received) = receiver(1)?;
    let steps = json!({"kind": "ExternalArtifact", "name": "steps"});
    let mut wanted = spec("ExternalArtifact", "app", &[("web", "./")]);
    wanted["stages"][0]["actions"] = json!({
        "pre": [
            {"name": "close", "patch": {"target": {"kind": "ConfigMap", "name": "switches"},
                                         "patch": "data: {value: closed}"}},
            {"name": "banner", "apply": {"sourceRef": steps, "path": "extra"}},
            {"name": "migrate", "scope": "Lifetime", "job": {"sourceRef": steps, "path": "jobs"}},
        ],
        "post": [
            {"name": "available", "wait": {
                "target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                "expr": "has(status.readyReplicas) && status.readyReplicas == spec.replicas",
            }},
            {"name": "clean", "delete": {"target": {"kind": "ConfigMap", "name": "old"}}},
            {"name": "tell", "retries": 2, "http": {
                "url": format!("{}/flaky", server.url()), "body": "delivered",
                "headersFrom": [{"name": "hook", "key": "Authorization"}],
            }},
        ],
    });
    let set = StageSet::apply(kubectl, namespace, "release", &wanted)?;
    set.wait_revision("v1")?;
    let map =
        |name: &str| kubectl.raw(&format!("/api/v1/namespaces/{namespace}/configmaps/{name}"));
    ensure!(
        map("switches")?.is_some_and(|map| map["data"]["value"] == "closed"),
        "the patch"
    );
    ensure!(map("old")?.is_none(), "the delete");
    ensure!(map("banner")?.is_some(), "the apply");
    ensure!(
        !set.inventory()?.contains("ConfigMap/banner"),
        "transient manifests stand in no inventory"
    );
    let calls = seen(&received, "/flaky");
    ensure!(calls.len() == 2, "one refusal, one retry: {calls:?}");
    ensure!(
        calls[0].1 == "Bearer of-the-hook" && calls[0].3 == "delivered",
        "{calls:?}"
    );
    ensure!(
        calls[0].2 == calls[1].2 && !calls[0].2.is_empty(),
        "a repetition can be told: {calls:?}"
    );
    let gone = || -> Result<Seen<()>> {
        let jobs = kubectl.raw(&jobs_path(namespace))?.unwrap_or_default();
        let left = jobs["items"].as_array().map_or(0, Vec::len);
        Ok(if left == 0 {
            Seen::Yes(())
        } else {
            Seen::NotYet(format!("{left} left"))
        })
    };
    eventually("the finished Job to be deleted", SOON, gone)?;

    // A new revision: everything of scope Revision once more, the Job not.
    publish("v2")?;
    set.wait_revision("v2")?;
    ensure!(seen(&received, "/flaky").len() == 3, "{received:?}");
    if let Some(events) = checks::about(world, namespace)? {
        ensure!(
            jobs_created(&events) == 1,
            "the Job of scope Lifetime was created more than once"
        );
        ensure!(
            events.iter().any(|event| event.resource == "secrets"
                && event.impersonated.as_deref() == Some(&*tenant.user())),
            "the hook's Secret wasn't read as the tenant"
        );
    }
    lost_inventory(world, namespace, &set)?;
    let ledger = format!("/apis/stages.metio.wtf/v1/namespaces/{namespace}/stageledgers/release");
    let recorded = kubectl.raw(&ledger)?.context("no StageLedger")?;
    ensure!(
        recorded["status"]["completedActions"][0]["action"] == "migrate",
        "{recorded}"
    );
    edited_by_hand(world, namespace, &ledger)?;
    set.wait_ready()?;
    set.delete()?;
    ensure!(
        kubectl.raw(&ledger)?.is_some(),
        "the ledger outlives the StageSet"
    );
    checks::namespace(world, namespace, &tenant.user())
}

/// Somebody takes the inventory away: the one that is recorded anew, from labels, holds nothing that actions made.
fn lost_inventory(world: &World, namespace: &str, set: &StageSet) -> Result<()> {
    let kubectl = world.kubectl();
    let path = format!("/apis/stages.metio.wtf/v1/namespaces/{namespace}/stageinventories");
    let list = kubectl.raw(&path)?.unwrap_or_default();
    let lost = &list["items"][0]["metadata"];
    let name = lost["name"].as_str().context("no inventory")?;
    let free = json!({ "metadata": { "finalizers": null } }).to_string();
    let kind = "stageinventories.stages.metio.wtf";
    kubectl.run(&[
        "-n",
        namespace,
        "patch",
        kind,
        name,
        "--type=merge",
        "-p",
        &free,
    ])?;
    kubectl.run(&["-n", namespace, "delete", kind, name])?;
    let again = || -> Result<Seen<()>> {
        let list = kubectl.raw(&path)?.unwrap_or_default();
        let held = set.inventory()?;
        let another = list["items"][0]["metadata"]["uid"] != lost["uid"];
        Ok(if another && held.contains("ConfigMap/rev") {
            Seen::Yes(())
        } else {
            Seen::NotYet(format!("{held:?}"))
        })
    };
    eventually("the inventory to be recorded anew", SOON, again)?;
    let held = set.inventory()?;
    let held: Vec<&str> = held.iter().map(String::as_str).collect();
    ensure!(held == ["ConfigMap/rev", "Deployment/web"], "{held:?}");
    Ok(())
}

/// A person edits the ledger: what makes no sense is refused with a sentence and changes nothing; what is
/// taken out runs once more and is recorded again.
fn edited_by_hand(world: &World, namespace: &str, ledger: &str) -> Result<()> {
    let kubectl = world.kubectl();
    let edit = |completed: &Value| {
        let status = json!({ "completedActions": completed });
        kubectl.patch_status(namespace, "stageledger/release", &status)
    };
    let at = "2026-11-25T16:00:00Z";
    let guessed =
        json!([{"stage": "web", "action": "migrate", "origin": "Guessed", "completedAt": at}]);
    let refusal = edit(&guessed).map_err(|refusal| refusal.to_string());
    ensure!(
        refusal.as_ref().is_err_and(|said| said.contains("origin")
            && said.contains("Guessed")
            && said.contains("Executed")),
        "{refusal:?}"
    );
    let nameless = json!([{"stage": "web", "origin": "Executed", "completedAt": at}]);
    let refusal = edit(&nameless).map_err(|refusal| refusal.to_string());
    ensure!(
        refusal
            .as_ref()
            .is_err_and(|said| said.contains("action: Required value")),
        "{refusal:?}"
    );
    let stands = kubectl.raw(ledger)?.context("no StageLedger")?;
    ensure!(
        stands["status"]["completedActions"][0]["action"] == "migrate",
        "{stands}"
    );
    edit(&json!([]))?;
    kubectl.wait_for(ledger, "migrate to be done again", SOON, |ledger| {
        ledger["status"]["completedActions"][0]["action"] == "migrate"
    })?;
    if let Some(events) = checks::about(world, namespace)? {
        let created = jobs_created(&events);
        ensure!(created == 2, "the Job that ran once more: {created}");
    }
    Ok(())
}

/// A Job that fails: told, its Jobs gone, onFailure once; then a person says that it is done.
pub(crate) fn failing_job(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    let namespace = "actions-fail";
    Tenant::create(kubectl, namespace)?.grant_edit(kubectl)?;
    let files = [
        ("app/a.yaml", &*config_map("a", "one")),
        ("jobs/j.yaml", &*job("migrate", true)),
    ];
    let artifact = world.artifacts.put_files(&files)?;
    artifacts::publish(kubectl, namespace, "app", "v1", &artifact)?;
    let (server, received) = receiver(0)?;
    let source = json!({"kind": "ExternalArtifact", "name": "app"});
    let mut wanted = spec("ExternalArtifact", "app", &[("only", "./app")]);
    wanted["stages"][0]["actions"] = json!({
        "post": [{"name": "migrate", "scope": "Lifetime", "job": {"sourceRef": source, "path": "jobs"}}],
        "onFailure": [{"name": "page", "http": {"url": format!("{}/page", server.url())}}],
    });
    let set = StageSet::apply(kubectl, namespace, "release", &wanted)?;
    set.wait_failed_saying(&["StageFailed", "ActionDirty"], &["migrate", "failed"])?;
    set.wait_warning(&["StageFailed", "ActionDirty"])?;
    // Five failures with growing pauses: half a minute or so.
    let dirty = kubectl.wait_for(&set.path(), "ActionDirty", 2 * NOTICED, |set| {
        stageset_e2e::kubectl::condition(set, "Ready")
            .is_some_and(|ready| ready["reason"] == "ActionDirty")
    })?;
    ensure!(
        dirty["status"]["actionFailureCount"] == 5,
        "{}",
        dirty["status"]
    );
    let created = || -> Result<Option<usize>> {
        let events = checks::about(world, namespace)?;
        Ok(events.map(|events| jobs_created(&events)))
    };
    let before = created()?;
    ensure!(
        seen(&received, "/page").len() == 1,
        "onFailure once for a revision: {received:?}"
    );

    let Some(stagesetctl) = tools::built("stagesetctl") else {
        println!(
            "failing_job: stagesetctl isn't built beside the controller; baseline isn't tried"
        );
        return set.delete();
    };
    let ctl = |words: &[&str]| -> Result<String> {
        let output = Command::new(&stagesetctl)
            .args(words)
            .args(["-n", namespace])
            .env("KUBECONFIG", kubectl.kubeconfig())
            .output()
            .context("starting stagesetctl")?;
        ensure!(
            output.status.success(),
            "stagesetctl {words:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    };
    ctl(&[
        "baseline", "release", "--stage", "only", "--action", "migrate",
    ])?;
    set.wait_ready()?;
    ensure!(created()? == before, "what was said to be done was run");
    let exported = ctl(&["baseline", "release", "--export"])?;
    ensure!(exported.contains("action: migrate"), "{exported}");
    // And forgotten again: it runs again, and fails again.
    ctl(&[
        "reset-ledger",
        "release",
        "--stage",
        "only",
        "--action",
        "migrate",
    ])?;
    set.wait_failed(&["StageFailed", "ActionDirty", "StageProgressing"])?;
    set.delete()
}

/// A redirect to a private address is followed by nobody; a Job folder with a Deployment is refused.
pub(crate) fn refused_actions(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    let namespace = "actions-refused";
    Tenant::create(kubectl, namespace)?.grant_edit(kubectl)?;
    let files = [
        ("app/a.yaml", &*config_map("a", "one")),
        ("jobs/j.yaml", &*job("migrate", false)),
        ("jobs/web.yaml", &*deployment("web", 1, None)),
    ];
    let artifact = world.artifacts.put_files(&files)?;
    artifacts::publish(kubectl, namespace, "app", "v1", &artifact)?;
    let (server, _received) = receiver(0)?;
    let source = json!({"kind": "ExternalArtifact", "name": "app"});
    let with = |action: Value| {
        let mut wanted = spec("ExternalArtifact", "app", &[("only", "./app")]);
        wanted["stages"][0]["actions"] = json!({ "pre": [action] });
        wanted
    };
    let inward = with(json!({"name": "tell", "http": {"url": format!("{}/inward", server.url())}}));
    let set = StageSet::apply(kubectl, namespace, "release", &inward)?;
    set.wait_failed_saying(&["StageFailed"], &["tell", "169.254.169.254"])?;
    // Asked to try again it fails the same way: one event that counts, and says where to read on.
    set.request_reconcile("again")?;
    let path = format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events");
    let events = kubectl.wait_for(&path, "an event that counts", SOON, |events| {
        refusals(events)
            .iter()
            .any(|event| event["series"]["count"].as_u64() >= Some(2))
    })?;
    let told = refusals(&events);
    ensure!(told.len() == 1, "told more than once: {told:?}");
    let note = told[0]["note"].as_str().unwrap_or_default();
    ensure!(note.contains("/runbooks/stagefailed/"), "{note}");
    set.patch_spec(&with(
        json!({"name": "run", "http": null, "job": {"sourceRef": source, "path": "jobs"}}),
    ))?;
    kubectl.wait_for(&set.path(), "a refusal of the Deployment", SOON, |set| {
        stageset_e2e::kubectl::condition(set, "Ready").is_some_and(|ready| {
            ready["message"]
                .as_str()
                .is_some_and(|said| said.contains("Deployment"))
        })
    })?;
    let jobs = kubectl.raw(&jobs_path(namespace))?.unwrap_or_default();
    ensure!(
        jobs["items"] == json!([]),
        "a Job of the folder was made: {jobs}"
    );
    ensure!(
        set.owned()?.is_empty(),
        "the stage is untouched: {:?}",
        set.owned()?
    );
    set.delete()
}

/// The events about the address that nobody may be sent to.
fn refusals(events: &Value) -> Vec<Value> {
    let items = events["items"].as_array().cloned().unwrap_or_default();
    let about = |event: &Value| {
        let note = event["note"].as_str().unwrap_or_default();
        note.contains("169.254.169.254")
    };
    items.into_iter().filter(about).collect()
}

/// A pause of an action holds up nobody: a deletion in the midst of it is acted on at once.
pub(crate) fn deleted_in_a_pause(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    let namespace = "actions-pause";
    Tenant::create(kubectl, namespace)?.grant_edit(kubectl)?;
    let artifact = world
        .artifacts
        .put_files(&[("a.yaml", &config_map("a", "one"))])?;
    artifacts::publish(kubectl, namespace, "app", "v1", &artifact)?;
    let mut wanted = spec("ExternalArtifact", "app", &[("only", "./")]);
    wanted["stages"][0]["actions"] =
        json!({"post": [{"name": "rest", "wait": {"duration": "1h"}}]});
    let set = StageSet::apply(kubectl, namespace, "release", &wanted)?;
    set.wait_failed_saying(&["StageProgressing"], &["rest", "pausing for 60 min"])?;
    let begun = std::time::Instant::now();
    set.delete()?;
    ensure!(
        begun.elapsed() < Duration::from_secs(20),
        "it waited: {:?}",
        begun.elapsed()
    );
    ensure!(set.owned()?.is_empty(), "left: {:?}", set.owned()?);
    Ok(())
}
