//! Objects as a real API server has them: admission that denies, a webhook that is down, another
//! manager, drift, a definition and its objects in one release.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use stageset_e2e::Kubectl;
use stageset_e2e::deadline::{Seen, eventually};
use stageset_e2e::fixtures::tenant::ACCOUNT;
use stageset_e2e::fixtures::{Tenant, artifacts};

use crate::stageset::{NOTICED, SOON, StageSet, config_map, spec};
use crate::world::World;

fn config_map_path(namespace: &str, name: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/configmaps/{name}")
}

/// What an admission policy denies is told in its words, before anything of the wave is written; a
/// webhook that nobody answers is told too, and heals by itself.
pub(crate) fn denied_by_admission(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    let namespace = "denied";
    Tenant::create(kubectl, namespace)?.grant_edit(kubectl)?;
    let here = json!({"matchLabels": {"kubernetes.io/metadata.name": namespace}});
    let rules = json!([{
        "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
        "resources": ["configmaps"],
    }]);
    kubectl.apply_all(&[
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": "e2e-no-red"},
            "spec": {
                "matchConstraints": {"resourceRules": rules},
                "validations": [{
                    "expression": "!has(object.data) || !has(object.data.value) || object.data.value != 'red'",
                    "message": "red is forbidden here",
                }],
            },
        }),
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": "e2e-no-red"},
            "spec": {
                "policyName": "e2e-no-red", "validationActions": ["Deny"],
                "matchResources": {"namespaceSelector": here},
            },
        }),
    ])?;
    in_force(kubectl, namespace, "red", "red is forbidden")?;
    let publish = |revision: &str, value: &str| -> Result<()> {
        let files = [
            ("a.yaml", &*config_map("a", "blue")),
            ("b.yaml", &*config_map("b", value)),
        ];
        let artifact = world.artifacts.put_files(&files)?;
        artifacts::publish(kubectl, namespace, "app", revision, &artifact)
    };
    publish("v1", "red")?;
    let wanted = spec("ExternalArtifact", "app", &[("only", "./")]);
    let set = StageSet::apply(kubectl, namespace, "release", &wanted)?;
    let message = set.wait_failed(&["StageFailed", "RBACDenied"])?;
    ensure!(
        message.contains("red is forbidden here") && message.contains("denied/b"),
        "the policy's words and the object: {message}"
    );
    ensure!(
        set.owned()?.is_empty(),
        "half of the wave was written: {:?}",
        set.owned()?
    );
    publish("v2", "green")?;
    set.wait_revision("v2")?;

    kubectl.apply(&json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "e2e-nobody-answers"},
        "webhooks": [{
            "name": "nobody.e2e.invalid", "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "failurePolicy": "Fail", "timeoutSeconds": 2, "namespaceSelector": here, "rules": rules,
            "clientConfig": {"url": "https://127.0.0.1:1/"},
        }],
    }))?;
    in_force(kubectl, namespace, "grey", "nobody.e2e.invalid")?;
    publish("v3", "grey")?;
    set.wait_failed_saying(
        &["StageFailed", "StageProgressing"],
        &["nobody.e2e.invalid"],
    )?;
    let map = kubectl.raw(&config_map_path(namespace, "b"))?;
    ensure!(
        map.is_some_and(|map| map["data"]["value"] == "green"),
        "what stood stands"
    );
    kubectl.run(&[
        "delete",
        "validatingwebhookconfiguration",
        "e2e-nobody-answers",
    ])?;
    let ready = |set: &serde_json::Value| {
        set["status"]["lastAppliedRevisions"][format!("{namespace}/app")] == "v3"
    };
    kubectl.wait_for(&set.path(), "v3 by itself", NOTICED, ready)?;
    set.delete()
}

/// Waits until the API server refuses such a ConfigMap in these words.
fn in_force(kubectl: &Kubectl, namespace: &str, value: &str, words: &str) -> Result<()> {
    let object = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "probe", "namespace": namespace}, "data": {"value": value},
    });
    let bytes = serde_json::to_vec(&object)?;
    eventually(&format!("{words:?} to be in force"), SOON, || {
        let args = ["create", "--dry-run=server", "-f", "-"];
        Ok(match kubectl.run_with_input(&args, Some(&bytes)) {
            Err(error) if error.to_string().contains(words) => Seen::Yes(()),
            Err(error) => Seen::NotYet(error.to_string()),
            Ok(_) => Seen::NotYet("it is let in".to_owned()),
        })
    })
}

fn write_as(kubectl: &Kubectl, namespace: &str, manager: &str, value: &str) -> Result<()> {
    let object = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": namespace}, "data": {"value": value},
    });
    let manager = format!("--field-manager={manager}");
    let args = [
        "apply",
        "--server-side",
        "--force-conflicts",
        &manager,
        "-f",
        "-",
    ];
    kubectl.run_with_input(&args, Some(&serde_json::to_vec(&object)?))?;
    Ok(())
}

fn value_is(world: &World, namespace: &str, value: &str) -> Result<Duration> {
    let begun = Instant::now();
    let path = config_map_path(namespace, "settings");
    let is = |map: &serde_json::Value| map["data"]["value"] == value;
    world.kubectl().wait_for(&path, value, SOON, is)?;
    Ok(begun.elapsed())
}

/// Somebody edits a delivered object: put right at once, and who and what is told. Somebody who goes on
/// is told as a second manager, with the field, instead of being fought for ever.
pub(crate) fn second_manager(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    let namespace = "second-manager";
    Tenant::create(kubectl, namespace)?.grant_edit(kubectl)?;
    let artifact = world
        .artifacts
        .put_files(&[("a.yaml", &config_map("settings", "ours"))])?;
    artifacts::publish(kubectl, namespace, "app", "v1", &artifact)?;
    let mut wanted = spec("ExternalArtifact", "app", &[("only", "./")]);
    // An hour: only a watch can tell in time.
    wanted["interval"] = json!("1h");
    let set = StageSet::apply(kubectl, namespace, "release", &wanted)?;
    set.wait_ready()?;
    write_as(kubectl, namespace, "rival", "theirs")?;
    let took = value_is(world, namespace, "ours")?;
    println!(
        "second_manager: drift put right {:.2} s after the edit",
        took.as_secs_f32()
    );
    let events = format!("/api/v1/namespaces/{namespace}/events");
    let said = |words: &'static [&'static str]| {
        kubectl.wait_for(
            &events,
            &format!("an event that says {words:?}"),
            SOON,
            move |events| {
                events["items"].as_array().is_some_and(|events| {
                    events.iter().any(|event| {
                        let message = event["message"].as_str().unwrap_or_default();
                        event["reason"] == "DriftCorrected"
                            && words.iter().all(|word| message.contains(word))
                    })
                })
            },
        )
    };
    said(&["data.value", "rival"])?;
    for _ in 0..2 {
        write_as(kubectl, namespace, "rival", "theirs")?;
        value_is(world, namespace, "ours")?;
    }
    write_as(kubectl, namespace, "rival", "theirs")?;
    set.wait_failed_saying(&["StageFailed"], &["data.value", "rival"])?;
    let map = kubectl
        .raw(&config_map_path(namespace, "settings"))?
        .context("it is gone")?;
    ensure!(map["data"]["value"] == "theirs", "it was fought on: {map}");
    set.delete()
}

/// A definition and an object of its kind in one stage: the object waits for the definition to be
/// served, and both go at the end.
pub(crate) fn definition_and_object(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    let namespace = "definitions";
    let tenant = Tenant::create(kubectl, namespace)?;
    tenant.grant_edit(kubectl)?;
    let name = "gadgets.e2e.stageset.invalid";
    let group = "e2e.stageset.invalid";
    tenant.grant(
        kubectl,
        "gadgets",
        &json!([{"apiGroups": [group], "resources": ["gadgets"],
                 "verbs": ["get", "list", "watch", "create", "patch", "update", "delete"]}]),
    )?;
    kubectl.apply_all(&[
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": "e2e-gadget-definitions"},
            "rules": [{"apiGroups": ["apiextensions.k8s.io"], "resources": ["customresourcedefinitions"],
                       "verbs": ["get", "create", "patch", "update", "delete"]}],
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": "e2e-gadget-definitions"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                        "name": "e2e-gadget-definitions"},
            "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": namespace}],
        }),
    ])?;
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": name},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"kind": "Gadget", "listKind": "GadgetList", "plural": "gadgets", "singular": "gadget"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "properties": {"spec": {"type": "object",
                    "properties": {"size": {"type": "integer"}}}},
            }}}],
        },
    });
    let object = json!({
        "apiVersion": format!("{group}/v1"), "kind": "Gadget", "metadata": {"name": "first"},
        "spec": {"size": 3},
    });
    let files = [
        ("a-object.yaml", &*object.to_string()),
        ("z-definition.yaml", &*definition.to_string()),
    ];
    let artifact = world.artifacts.put_files(&files)?;
    artifacts::publish(kubectl, namespace, "app", "v1", &artifact)?;
    let wanted = spec("ExternalArtifact", "app", &[("only", "./")]);
    let set = StageSet::apply(kubectl, namespace, "release", &wanted)?;
    set.wait_ready()?;
    let path = format!("/apis/{group}/v1/namespaces/{namespace}/gadgets/first");
    ensure!(
        kubectl
            .raw(&path)?
            .is_some_and(|gadget| gadget["spec"]["size"] == 3),
        "the object isn't there"
    );
    set.delete()?;
    let definition = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}");
    kubectl.wait_until_gone(&definition, SOON)
}
