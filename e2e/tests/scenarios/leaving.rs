//! Namespaces leave a release: `helm upgrade` finds them and grants what it takes, the controller gives
//! its claims up and does nothing else there, and the next release has the StageSets (K24, K25).

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use stageset_e2e::chart::Release;
use stageset_e2e::controller::Controller;

use super::modes::{instead_of_the_shared_one, written};
use crate::stageset::NOTICED;
use crate::world::World;

const PLACES: [&str; 3] = ["leave-a", "leave-b", "leave-c"];

/// The release that namespaces leave, with this list.
fn leaver(list: &str) -> Release {
    let list = format!("controller.watchNamespaces={{{list}}}");
    let mut values = vec!["crds.create=false", "webhook.enabled=false"];
    if list.len() > "controller.watchNamespaces={}".len() {
        values.push(&list);
    }
    Release::new("leaver", "leaver-system", &values)
}

/// Installs or upgrades it, and starts the controller as the Deployment says.
fn upgraded(world: &World, list: &str) -> Result<(Controller, Vec<String>)> {
    let release = leaver(list);
    release.upgrade(world.kubectl())?;
    let path = format!(
        "/apis/apps/v1/namespaces/leaver-system/deployments/{}",
        release.account()
    );
    let deployment = world.kubectl().raw(&path)?.context("the Deployment")?;
    let arguments = deployment.pointer("/spec/template/spec/containers/0/args");
    let arguments = arguments.and_then(Value::as_array).into_iter().flatten();
    let flags: Vec<String> = arguments
        .filter_map(Value::as_str)
        .filter(|flag| {
            ["--watch-", "--leave-", "--leader-"]
                .iter()
                .any(|f| flag.starts_with(f))
        })
        .map(str::to_owned)
        .collect();
    let all: Vec<&str> = flags.iter().map(String::as_str).collect();
    let mut controller = world.controller_installed(&release, &all)?;
    controller.start_ready()?;
    Ok((controller, flags))
}

fn leaves(flags: &[String]) -> Option<&str> {
    flags
        .iter()
        .find_map(|flag| flag.strip_prefix("--leave-namespaces="))
}

pub(crate) fn run(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    instead_of_the_shared_one(world, || {
        let (mut controller, flags) = upgraded(world, "")?;
        ensure!(
            leaves(&flags).is_none(),
            "an install leaves nothing: {flags:?}"
        );
        let mut sets = Vec::new();
        for place in PLACES {
            let set = written(world, place)?;
            set.wait_ready()?;
            sets.push(set);
        }
        let by = |index: usize, release: &str| {
            let release = release.to_owned();
            kubectl.wait_for(
                &sets[index].path(),
                "the claim",
                NOTICED,
                move |set: &Value| {
                    set["status"]["handledBy"]["namespace"]
                        .as_str()
                        .unwrap_or_default()
                        == release
                },
            )
        };
        // Another release waits for two of them.
        let list = "controller.watchNamespaces={leave-b,leave-c}";
        let next = Release::new("next", "next-system", &["crds.create=false", list]);
        let lease = format!(
            "--leader-elect-resource-name={}.stages.metio.wtf",
            next.account()
        );
        let flags = [
            "--leader-elect",
            &*lease,
            "--watch-namespaces=leave-b,leave-c",
        ];
        let mut waiting = world.controller_of(&next, &flags)?;
        waiting.start_ready()?;
        ensure!(controller.terminate()?.success());

        // From no list to one.
        let from = world.audit()?.unwrap_or_default().len();
        let (mut controller, flags) = upgraded(world, "leave-a,leave-b")?;
        ensure!(leaves(&flags) == Some("*"), "{flags:?}");
        by(2, "next-system")?;
        by(1, "leaver-system")?;
        ensure!(controller.terminate()?.success());

        // The list shrinks.
        let (mut controller, flags) = upgraded(world, "leave-a")?;
        ensure!(leaves(&flags) == Some("leave-b"), "{flags:?}");
        by(1, "next-system")?;
        by(0, "leaver-system")?;
        for set in &sets {
            set.wait_ready()?;
        }
        let release = leaver("leave-a");
        let events = world.audit()?.unwrap_or_default();
        let strange = events.iter().skip(from).find(|event| {
            event.user == release.user()
                && event.namespace == "leave-c"
                && !(event.resource == "stagesets"
                    && event.verb == "patch"
                    && event.subresource == "status")
        });
        ensure!(
            strange.is_none(),
            "a namespace that left was touched: {strange:?}"
        );
        ensure!(controller.terminate()?.success());

        // The next upgrade takes the rights away.
        let (mut controller, flags) = upgraded(world, "leave-a")?;
        ensure!(leaves(&flags).is_none(), "{flags:?}");
        let bindings = "/apis/rbac.authorization.k8s.io/v1/namespaces/leave-b/rolebindings";
        let left = kubectl.raw(bindings)?.unwrap_or_default();
        ensure!(
            !left.to_string().contains(":leaving"),
            "rights stayed: {left}"
        );
        for set in &sets {
            set.delete()?;
        }
        ensure!(controller.terminate()?.success() && waiting.terminate()?.success());
        release.uninstall(kubectl)
    })
}
