//! The webhook in force: its certificate published by the controller with the chart's rights, bad
//! StageSets refused when they are written, good ones and changes of other fields let in.
//!
//! The API server calls a Service; one of type `ExternalName` leads it to the process on this machine,
//! so that names, certificate and trust are those of a cluster.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use stageset_e2e::chart::Release;
use stageset_e2e::deadline::{Seen, eventually};
use stageset_e2e::process::free_port;
use stageset_e2e::rules::violation;

use crate::stageset::{SOON, path};
use crate::world::World;

const NAMESPACE: &str = "hooked";

pub(crate) fn run(world: &World) -> Result<()> {
    // The shared controller delivers in `hooked`; this one only answers the API server.
    let release = Release::new(
        "hook",
        "hook-system",
        &[
            "crds.create=false",
            "controller.watchNamespaces={hooked,hook-elsewhere}",
        ],
    );
    let kubectl = world.kubectl();
    for namespace in [NAMESPACE, "hook-elsewhere"] {
        kubectl.apply(&json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace},
        }))?;
    }
    // Written before the webhook is in force, as by an older version.
    kubectl.apply(&stage_set("old", &bad()))?;

    let port = free_port()?;
    let mut controller = world.controller_of(
        &release,
        &[
            "--watch-namespaces=hook-elsewhere",
            "--enable-webhook",
            "--webhook-cert-mode=self-signed",
            "--webhook-host=127.0.0.1",
            &format!("--webhook-port={port}"),
            &format!("--webhook-service-name={}-webhook", release.account()),
            "--webhook-validating-config-name=stageset-controller.hook-system.hook",
        ],
    )?;
    kubectl.apply(&json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": format!("{}-webhook", release.account()), "namespace": "hook-system"},
        "spec": {"type": "ExternalName", "externalName": "127.0.0.1"},
    }))?;
    let configuration = release.render(&["templates/webhook.yaml"])?;
    kubectl.apply_yaml(&configuration.replace("port: 443", &format!("port: {port}")))?;

    // Nobody answers yet, so nothing is let in.
    refused(
        world,
        &stage_set("good", &good()),
        &["failed calling webhook"],
    )?;
    controller.start_ready()?;
    eventually("the API server to trust the webhook", SOON, || {
        Ok(match dry_run(world, &stage_set("good", &good())) {
            Ok(_) => Seen::Yes(()),
            Err(error) => Seen::NotYet(error.to_string()),
        })
    })?;

    // All that is wrong is said, as kubectl shows it.
    let all = ["spec.stages[1]", "JsonnetSnippet", "not-a-version"];
    refused(world, &stage_set("bad", &bad()), &all)?;
    ensure!(
        kubectl.raw(&path(NAMESPACE, "bad"))?.is_none(),
        "it was stored"
    );

    // What was let in before can be labelled, suspended and deleted, and its spec can be mended.
    kubectl.run(&["-n", NAMESPACE, "label", "stageset", "old", "a=b"])?;
    let patch = |spec: &Value| {
        let patch = json!({ "spec": spec }).to_string();
        kubectl.run(&[
            "-n",
            NAMESPACE,
            "patch",
            "stageset",
            "old",
            "--type=merge",
            "-p",
            &patch,
        ])
    };
    patch(&json!({"suspend": true}))?;
    let error = patch(&json!({"timeout": "1m"})).err();
    ensure!(
        error.is_some(),
        "a changed spec was let in although it is still bad"
    );
    let mut mended = good();
    mended["dependsOn"] = Value::Null;
    patch(&mended)?;

    // A new process makes an authority of its own; the old one stays trusted for other replicas.
    controller.kill()?;
    controller.start_ready()?;
    eventually("the API server to trust the new process", SOON, || {
        Ok(match dry_run(world, &stage_set("good", &good())) {
            Ok(_) => Seen::Yes(()),
            Err(error) => Seen::NotYet(error.to_string()),
        })
    })?;
    kubectl.run(&[
        "-n",
        NAMESPACE,
        "delete",
        "stageset",
        "old",
        "--timeout=60s",
    ])?;
    ensure!(controller.terminate()?.success(), "it didn't stop cleanly");
    kubectl.run(&[
        "delete",
        "validatingwebhookconfiguration",
        "stageset-controller.hook-system.hook",
    ])?;
    own_configuration_alone(world, &release)
}

/// It wrote its own configuration, nobody else's, and nothing else that isn't the controller's.
fn own_configuration_alone(world: &World, release: &Release) -> Result<()> {
    let events = world.audit()?.unwrap_or_default();
    let user = release.user();
    let mut written = 0;
    for event in events.iter().filter(|event| event.user == user) {
        if event.resource == "validatingwebhookconfigurations" {
            ensure!(
                event.name == "stageset-controller.hook-system.hook" && event.code < 500,
                "{event:?}"
            );
            written += usize::from(event.changed());
        }
        ensure!(violation(event).is_none(), "{:?}", violation(event));
    }
    ensure!(
        (2..10).contains(&written),
        "{written} writes of the configuration"
    );
    Ok(())
}

fn good() -> Value {
    json!({"serviceAccountName": "deployer", "interval": "10m", "suspend": true,
           "stages": [{"name": "app", "sourceRef": {"name": "app"}}]})
}

/// Breaks three rules, none of which the schema knows.
fn bad() -> Value {
    json!({"serviceAccountName": "deployer", "suspend": false,
           "dependsOn": [{"name": "other", "minVersion": "not-a-version"}],
           "stages": [{"name": "app", "sourceRef": {"name": "a"}},
                      {"name": "app", "sourceRef": {"kind": "JsonnetSnippet", "name": "b"}}]})
}

fn stage_set(name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "stages.metio.wtf/v1", "kind": "StageSet",
        "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec,
    })
}

fn dry_run(world: &World, object: &Value) -> Result<String> {
    let input = serde_json::to_vec(object)?;
    let arguments = ["apply", "--dry-run=server", "-f", "-"];
    world.kubectl().run_with_input(&arguments, Some(&input))
}

fn refused(world: &World, object: &Value, words: &[&str]) -> Result<()> {
    match dry_run(world, object) {
        Ok(output) => anyhow::bail!("it was let in: {output}"),
        Err(error) => {
            let text = format!("{error:#}");
            for word in words {
                ensure!(text.contains(word), "{word} is missing: {text}");
            }
            Ok(())
        }
    }
}
