//! The controller is killed ten times in the middle of a rollout. Everything arrives, nothing is
//! orphaned.

use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use stageset_e2e::fixtures::{Tenant, artifacts};

use crate::checks;
use crate::stageset::{StageSet, config_map, deployment, service, spec};
use crate::world::World;

const NAMESPACE: &str = "killed";
const STAGES: [(&str, &str); 3] = [("one", "./one"), ("two", "./two"), ("three", "./three")];

pub(crate) fn run(world: &World) -> Result<()> {
    let kubectl = world.kubectl();
    let tenant = Tenant::create(kubectl, NAMESPACE)?;
    tenant.grant_edit(kubectl)?;
    publish(world, 1)?;
    let set = StageSet::apply(
        kubectl,
        NAMESPACE,
        "release",
        &spec("ExternalArtifact", "app", &STAGES),
    )?;
    let mut moment = Moments::new();
    for life in 0..10 {
        // Half of the lives see a new revision on their way, so that updates and prunes are cut
        // short as well as first applies.
        if life % 2 == 1 {
            publish(world, 1 + life)?;
        }
        thread::sleep(moment.next());
        let mut controller = world.controller();
        controller.kill()?;
        controller.start()?;
    }
    world.controller().wait_ready()?;

    publish(world, 100)?;
    set.wait_revision("v100")?;
    let expected = expected(100);
    ensure!(
        set.owned()? == expected,
        "delivered {:?}, expected {expected:?}",
        set.owned()?
    );
    ensure!(
        set.inventory()? == expected,
        "recorded {:?}, expected {expected:?}",
        set.inventory()?
    );
    set.delete()?;
    ensure!(set.owned()?.is_empty(), "orphaned: {:?}", set.owned()?);
    checks::namespace(world, NAMESPACE, &tenant.user())
}

/// Publishes a revision in which every stage has objects that keep their names and one whose name
/// is the revision's own, so that each update drops three objects.
fn publish(world: &World, revision: u32) -> Result<()> {
    let value = revision.to_string();
    let mut files = Vec::new();
    for (stage, _) in STAGES {
        for index in 0..4 {
            let name = format!("{stage}-{index}");
            files.push((format!("{stage}/{name}.yaml"), config_map(&name, &value)));
        }
        let own = format!("{stage}-r{revision}");
        files.push((format!("{stage}/own.yaml"), config_map(&own, &value)));
        files.push((
            format!("{stage}/deployment.yaml"),
            deployment(stage, 1, None),
        ));
        files.push((format!("{stage}/service.yaml"), service(stage)));
    }
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let artifact = world.artifacts.put_files(&files)?;
    artifacts::publish(
        world.kubectl(),
        NAMESPACE,
        "app",
        &format!("v{revision}"),
        &artifact,
    )
}

fn expected(revision: u32) -> std::collections::BTreeSet<String> {
    STAGES
        .iter()
        .flat_map(|(stage, _)| {
            (0..4)
                .map(move |index| format!("ConfigMap/{stage}-{index}"))
                .chain([
                    format!("ConfigMap/{stage}-r{revision}"),
                    format!("Deployment/{stage}"),
                    format!("Service/{stage}"),
                ])
        })
        .collect()
}

/// Moments to kill at: scattered from soon after the start to well into a rollout, by a seed that
/// is printed.
struct Moments {
    state: u64,
}

impl Moments {
    fn new() -> Self {
        let seed = std::env::var("STAGESET_E2E_SEED")
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| u64::from(std::process::id()));
        println!("killed_ten_times: STAGESET_E2E_SEED={seed}");
        Self {
            state: seed.wrapping_mul(2).wrapping_add(1),
        }
    }

    /// 100 ms to 2.5 s.
    fn next(&mut self) -> Duration {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        Duration::from_millis(100 + (self.state >> 33) % 2400)
    }
}
