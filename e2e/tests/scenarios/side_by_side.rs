//! Releases of the controller side by side, each with the Lease, names and rights that the chart gives
//! it: three with lists that don't overlap, and the default one beside a listed one (S21, K24).

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use stageset_e2e::chart::Release;
use stageset_e2e::controller::Controller;
use stageset_e2e::fixtures::artifacts;

use super::modes::{instead_of_the_shared_one, written};
use crate::stageset::{NOTICED, SOON, config_map};
use crate::world::World;

/// A release for one namespace, or for the whole cluster.
fn release(name: &str, namespace: Option<&str>) -> Release {
    let list = namespace.map(|namespace| format!("controller.watchNamespaces={{{namespace}}}"));
    let mut values = vec!["crds.create=false"];
    values.extend(list.as_deref());
    Release::new(name, &format!("{name}-system"), &values)
}

/// Its controller, electing a leader by the chart's own Lease for it.
fn controller(world: &World, release: &Release, flags: &[&str]) -> Result<Controller> {
    let lease = format!(
        "--leader-elect-resource-name={}.stages.metio.wtf",
        release.account()
    );
    world.controller_of(release, &[&["--leader-elect", &*lease], flags].concat())
}

fn namespaces(world: &World, names: &[&str]) -> Result<()> {
    for name in names {
        world.kubectl().apply(&json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name},
        }))?;
    }
    Ok(())
}

pub(crate) fn three(world: &World) -> Result<()> {
    let places = ["side-a", "side-b", "side-c"];
    namespaces(world, &places)?;
    instead_of_the_shared_one(world, || {
        let releases: Vec<Release> = places
            .iter()
            .map(|place| release(&format!("of-{place}"), Some(place)))
            .collect();
        let mut controllers = Vec::new();
        for (release, place) in releases.iter().zip(places) {
            let list = format!("--watch-namespaces={place}");
            controllers.push(controller(world, release, &[&list])?);
        }
        for controller in &mut controllers {
            controller.start_ready()?;
        }
        let mut sets = Vec::new();
        for (release, place) in releases.iter().zip(places) {
            let set = written(world, place)?;
            let found = set.wait_ready()?;
            ensure!(
                handled_by(&found) == format!("{}/{}", release.namespace(), release.account()),
                "{place} is handled by {}",
                handled_by(&found)
            );
            sets.push(set);
        }
        for set in &sets {
            set.delete()?;
        }
        let events = world.audit()?.unwrap_or_default();
        for (release, place) in releases.iter().zip(places) {
            let user = release.user();
            let strange = events.iter().find(|event| {
                event.user == user
                    && !event.namespace.is_empty()
                    && event.namespace != place
                    && event.namespace != release.namespace()
            });
            ensure!(strange.is_none(), "{user} elsewhere: {strange:?}");
            ensure!(
                events.iter().any(|event| event.user == user
                    && event.resource == "leases"
                    && event.namespace == release.namespace()
                    && event.changed()),
                "{user} elected no leader"
            );
        }
        for controller in &mut controllers {
            ensure!(controller.terminate()?.success(), "it didn't stop cleanly");
        }
        Ok(())
    })
}

pub(crate) fn overlapping(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    namespaces(world, &["lap-a", "lap-b"])?;
    instead_of_the_shared_one(world, || {
        let (listed, whole) = (release("listed", Some("lap-b")), release("whole", None));
        let mut first = controller(world, &listed, &["--watch-namespaces=lap-b"])?;
        let mut second = controller(world, &whole, &[])?;
        first.start_ready()?;
        let claimed = written(world, "lap-b")?;
        claimed.wait_ready()?;
        second.start_ready()?;
        let free = written(world, "lap-a")?;
        let found = free.wait_ready()?;
        ensure!(
            handled_by(&found).starts_with("whole-system/"),
            "lap-a is handled by {}",
            handled_by(&found)
        );
        // A change of the claimed one is its claimant's alone.
        let artifact = world
            .artifacts
            .put_files(&[("a.yaml", &config_map("a", "two"))])?;
        artifacts::publish(kubectl, "lap-b", "app", "v2", &artifact)?;
        let found = claimed.wait_revision("v2")?;
        ensure!(
            handled_by(&found).starts_with("listed-system/"),
            "{}",
            handled_by(&found)
        );
        let account = "system:serviceaccount:lap-b:deployer";
        let user = whole.user();
        let events = world.audit()?.unwrap_or_default();
        let strange = events.iter().find(|event| {
            event.user == user
                && (event.impersonated.as_deref() == Some(account)
                    || event.namespace == "lap-b" && event.changed())
        });
        ensure!(strange.is_none(), "two writers: {strange:?}");
        let log = second.log()?;
        ensure!(
            log.lines().any(|line| line.contains("lap-b")
                && line.contains("another release of the controller handles this StageSet")),
            "the second release doesn't say that it leaves lap-b alone"
        );
        // The operator moves it, and it goes with the release that has it now.
        ensure!(first.terminate()?.success() && second.terminate()?.success());
        let mut second = controller(world, &whole, &["--take-over"])?;
        second.start_ready()?;
        kubectl.wait_for(&claimed.path(), "the new claim", NOTICED, |set| {
            handled_by(set).starts_with("whole-system/")
        })?;
        claimed.wait_ready()?;
        claimed.delete()?;
        free.delete()?;
        kubectl.wait_until_gone("/api/v1/namespaces/lap-b/configmaps/a", SOON)?;
        ensure!(second.terminate()?.success(), "it didn't stop cleanly");
        Ok(())
    })
}

fn handled_by(set: &Value) -> String {
    let word = |field: &str| {
        let claim = &set["status"]["handledBy"][field];
        claim.as_str().unwrap_or_default().to_owned()
    };
    format!("{}/{}", word("namespace"), word("name"))
}
