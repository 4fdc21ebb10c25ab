//! What the controller costs on a real API server, printed next to what it must reach.
//!
//! `just bench` builds the release binary and runs this. Nothing here is asserted: the numbers
//! depend on the machine, and a busy one makes them worse. `bench waiting 10000` measures ten thousand
//! StageSets that wait for health instead; `bench waiting 2000 2` fewer, with intervals of two minutes.

mod drift;
mod fleet;
mod measure;
mod replay;
mod waiting;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::{Value, json};
use stageset_e2e::audit::{self, Event};
use stageset_e2e::client::{Api, Call};
use stageset_e2e::controller::Controller;
use stageset_e2e::fixtures::ArtifactServer;
use stageset_e2e::fixtures::artifacts::Artifact;
use stageset_e2e::kubeconfig::User;
use stageset_e2e::kubectl::condition;
use stageset_e2e::{ControlPlane, Options, chart, tools};

use crate::measure::{Requests, cpu, memory, ratio};

/// How long a fleet may take before the measurement gives up.
const PATIENCE: Duration = Duration::from_mins(10);

/// How long the controller is left alone to see what it does by itself, unless a second argument says
/// how many seconds.
const IDLE: Duration = Duration::from_secs(30);
/// Edits that the fleet has to put right.
const EDITS: usize = 200;
/// How often twenty StageSets are released with and without neighbours that get stuck.
const ROUNDS: usize = 5;

#[tokio::main]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [first, rest @ ..] = &words[..]
        && first == "waiting"
    {
        let count = rest.first().map_or(Ok(10_000), |text| text.parse())?;
        let minutes = rest.get(1).map_or(Ok(10), |text| text.parse())?;
        return waiting::measure(count, minutes).await;
    }
    let count = words.first().map_or(Ok(100), |text| text.parse())?;
    let idle = words
        .get(1)
        .map_or(Ok(IDLE), |text| text.parse().map(Duration::from_secs))?;
    let (plane, mut controller) = stand(Options {
        controller_manager: true,
        ..Options::API_ONLY
    })?;
    let served = ArtifactServer::start()?;
    let artifact = |replicas| -> Result<Artifact> {
        let texts: Vec<(String, String)> = fleet::objects(replicas)
            .into_iter()
            .enumerate()
            .map(|(index, (_, object))| (format!("{index}.yaml"), object.to_string()))
            .collect();
        let files: Vec<(&str, &str)> = texts
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .collect();
        served.put_files(&files)
    };
    let (healthy, stuck) = (artifact(0)?, artifact(1)?);
    let api = Api::new(&plane)?;
    let bench = Bench {
        plane: &plane,
        api: &api,
    };

    controller.start_ready()?;
    let took = bench.many(&controller, count, &healthy).await?;
    bench.idle(&controller, count, idle).await?;
    drift::measure(&api, "many", count, EDITS).await?;
    bench.unchanged_pass(&controller, count).await?;
    bench.restart(&mut controller).await?;
    bench.deletion(&stuck).await?;
    bench.unhealthy_neighbours(&healthy, &stuck).await?;
    println!("peak memory {} MiB", memory(pid(&controller)?, "VmHWM")?);
    controller.terminate()?;
    bench.bare(count, &healthy, took).await
}

/// A control plane with all that the controller needs, and the controller, not started yet.
fn stand(options: Options) -> Result<(ControlPlane, Controller)> {
    let plane = ControlPlane::start(options)?;
    for crd in tools::shared_files("source-controller", "crds")? {
        plane.admin().apply_file(&crd)?;
    }
    plane.admin().wait_established(
        &["externalartifacts.source.toolkit.fluxcd.io"],
        Duration::from_mins(1),
    )?;
    chart::install_crds(plane.admin())?;
    chart::install_rights(plane.admin())?;
    let token = plane
        .admin()
        .service_account_token(chart::NAMESPACE, chart::RELEASE)?;
    let kubeconfig = plane.folder().join("controller.kubeconfig");
    plane
        .server()
        .write_kubeconfig(User::Token(&token), &kubeconfig)?;
    let flags = ["--log-level=info"];
    let controller = Controller::new("controller", &kubeconfig, plane.folder(), &flags)?;
    Ok((plane, controller))
}

struct Bench<'a> {
    plane: &'a ControlPlane,
    api: &'a Api,
}

impl Bench<'_> {
    /// Creation to Ready of the whole fleet.
    async fn many(
        &self,
        controller: &Controller,
        count: usize,
        artifact: &Artifact,
    ) -> Result<Duration> {
        fleet::prepare(self.api, "many", count, artifact).await?;
        let (cpu_before, from) = (cpu(pid(controller)?)?, self.now()?);
        let started = Instant::now();
        fleet::release(self.api, "many", count, false).await?;
        let created = started.elapsed();
        self.until("many", count, ready).await?;
        let took = started.elapsed();
        let cpu_used = cpu(pid(controller)?)?.saturating_sub(cpu_before);
        let requests = Requests::count(&self.since(&from)?, "many");
        println!("{count} StageSets of 4 objects, from creation to Ready");
        println!(
            "  time              {:.2} s (creating them: {:.2} s)",
            took.as_secs_f32(),
            created.as_secs_f32()
        );
        println!(
            "  requests          {:.1} a StageSet (to reach: 14, with preflight and progress status 17)",
            ratio(requests.own_total(), count)
        );
        requests.print(count);
        println!(
            "  controller CPU    {:.1} ms a StageSet (to reach: 10)",
            cpu_used.as_secs_f64() * 1000.0 / ratio(count, 1)
        );
        println!(
            "  memory            {} MiB, peak {} MiB",
            memory(pid(controller)?, "VmRSS")?,
            memory(pid(controller)?, "VmHWM")?
        );
        Ok(took)
    }

    async fn idle(&self, controller: &Controller, count: usize, idle: Duration) -> Result<()> {
        let (from, cpu_before) = (self.now()?, cpu(pid(controller)?)?);
        tokio::time::sleep(idle).await;
        let requests = Requests::count(&self.since(&from)?, "many");
        let cpu_used = cpu(pid(controller)?)?.saturating_sub(cpu_before);
        let ticks = idle.as_secs() / 10;
        println!("idle for {idle:?} with {count} StageSets, {ticks} interval ticks each");
        println!(
            "  memory            {} MiB (to reach: 40)",
            memory(pid(controller)?, "VmRSS")?
        );
        println!("  controller CPU    {cpu_used:?}");
        println!(
            "  requests          {} to the StageSets' objects (to reach: 0 while watches hold)",
            requests.own_total()
        );
        requests.print(count);
        Ok(())
    }

    /// Every StageSet asked to look again, with nothing changed.
    async fn unchanged_pass(&self, controller: &Controller, count: usize) -> Result<()> {
        let (from, cpu_before) = (self.now()?, cpu(pid(controller)?)?);
        let started = Instant::now();
        let calls = (0..count).map(|index| request_pass(&fleet::namespace("many", index), "again"));
        self.api.all_good(calls.collect()).await?;
        self.until("many", count, |set| handled(set, "again"))
            .await?;
        let requests = Requests::count(&self.since(&from)?, "many");
        let cpu_used = cpu(pid(controller)?)?.saturating_sub(cpu_before);
        println!("an unchanged pass of each, asked for by annotation");
        println!(
            "  time              {:.2} s",
            started.elapsed().as_secs_f32()
        );
        println!(
            "  requests          {:.1} a StageSet",
            ratio(requests.own_total(), count)
        );
        requests.print(count);
        println!(
            "  controller CPU    {:.1} ms a StageSet",
            cpu_used.as_secs_f64() * 1000.0 / ratio(count, 1)
        );
        Ok(())
    }

    /// From the start of the process to the end of the first pass that was asked for before it.
    async fn restart(&self, controller: &mut Controller) -> Result<()> {
        controller.terminate()?;
        let ns = fleet::namespace("many", 0);
        self.api.json(&request_pass(&ns, "restart")).await?;
        let started = Instant::now();
        controller.start()?;
        loop {
            if handled(
                &self.api.json(&Call::get(fleet::stage_set(&ns))).await?,
                "restart",
            ) {
                break;
            }
            if started.elapsed() > PATIENCE {
                bail!("no pass after the restart");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        println!(
            "start to first reconcile  {:.2} s (to reach: 2)",
            started.elapsed().as_secs_f32()
        );
        controller.wait_ready()
    }

    /// A deletion while the stage waits for health: request to first delete of an object.
    async fn deletion(&self, stuck: &Artifact) -> Result<()> {
        fleet::prepare(self.api, "gone", 1, stuck).await?;
        fleet::release(self.api, "gone", 1, false).await?;
        let ns = fleet::namespace("gone", 0);
        self.until_there(&format!("/apis/apps/v1/namespaces/{ns}/deployments/web"))
            .await?;
        let started = Instant::now();
        self.api.json(&Call::delete(fleet::stage_set(&ns))).await?;
        loop {
            let events = audit::read(&self.plane.audit_log())?;
            let deleted = events.iter().any(|event| {
                event.user == chart::USER && event.verb == "delete" && event.namespace == ns
            });
            if deleted || started.elapsed() > PATIENCE {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        println!(
            "deletion while a stage waits: acted on after {:.2} s (to reach: 1)",
            started.elapsed().as_secs_f32()
        );
        Ok(())
    }

    /// Twenty StageSets alone, and again when four others wait for a health that never comes. Both in
    /// turns, since one round takes as long as the machine's mood makes it, and later ones longer:
    /// what is there stays.
    async fn unhealthy_neighbours(&self, healthy: &Artifact, stuck: &Artifact) -> Result<()> {
        let (mut alone, mut beside) = ([0.0; ROUNDS], [0.0; ROUNDS]);
        for round in 0..ROUNDS {
            alone[round] = self.twenty(&format!("alone{round}"), healthy).await?;
            let neighbours = format!("stuck{round}");
            fleet::prepare(self.api, &neighbours, 4, stuck).await?;
            fleet::release(self.api, &neighbours, 4, false).await?;
            self.until(&neighbours, 4, verifying).await?;
            beside[round] = self.twenty(&format!("beside{round}"), healthy).await?;
            fleet::withdraw(self.api, &neighbours, 4).await?;
            self.until(&neighbours, 0, |_| true).await?;
        }
        println!("20 StageSets from creation to Ready, {ROUNDS} times each in turns");
        let median = |took: &mut [f32; ROUNDS], how: &str| {
            took.sort_by(f32::total_cmp);
            let all: Vec<_> = took.iter().map(|took| format!("{took:.2}")).collect();
            let median = took[ROUNDS / 2];
            println!("  {how:<17} median {median:.2} s ({})", all.join(" "));
            median
        };
        let alone = median(&mut alone, "alone");
        let beside = median(&mut beside, "beside 4 stuck");
        println!("  ratio             {:.2} (to reach: 1)", beside / alone);
        Ok(())
    }

    /// How many seconds twenty StageSets take.
    async fn twenty(&self, fleet: &str, healthy: &Artifact) -> Result<f32> {
        fleet::prepare(self.api, fleet, 20, healthy).await?;
        let started = Instant::now();
        fleet::release(self.api, fleet, 20, false).await?;
        self.until(fleet, 20, ready).await?;
        Ok(started.elapsed().as_secs_f32())
    }

    /// The same requests as the controller's, sent bare, and the ratio of `took` to the best of them.
    async fn bare(&self, count: usize, artifact: &Artifact, took: Duration) -> Result<()> {
        let events = audit::read(&self.plane.audit_log())?;
        let first_pass = until_asked(&events, "many");
        let mut best = Duration::MAX;
        println!("the same requests bare");
        for side_by_side in [4, 8, 16, 32] {
            let to = format!("bare{side_by_side}");
            fleet::prepare(self.api, &to, count, artifact).await?;
            fleet::release(self.api, &to, count, true).await?;
            let calls = replay::requests(self.api, first_pass, "many", &to).await?;
            let sent = calls.len();
            let (bare, refused) = self.api.all(calls, side_by_side).await?;
            best = best.min(bare);
            println!(
                "  {side_by_side:>2} side by side    {:.2} s ({sent} sent, {refused} refused)",
                bare.as_secs_f32()
            );
        }
        println!(
            "  ratio             {:.2}",
            took.as_secs_f32() / best.as_secs_f32()
        );
        Ok(())
    }

    /// Waits until every StageSet of a fleet satisfies `accept`.
    async fn until(
        &self,
        fleet: &str,
        count: usize,
        accept: impl Fn(&Value) -> bool,
    ) -> Result<()> {
        let started = Instant::now();
        loop {
            let list = self
                .api
                .json(&Call::get("/apis/stages.metio.wtf/v1/stagesets"))
                .await?;
            let items = list["items"].as_array().cloned().unwrap_or_default();
            let good = items
                .iter()
                .filter(|set| {
                    set["metadata"]["namespace"].as_str().is_some_and(|ns| {
                        ns.strip_prefix(fleet)
                            .is_some_and(|rest| rest.starts_with('-'))
                    })
                })
                .filter(|set| accept(set))
                .count();
            if good == count {
                return Ok(());
            }
            if started.elapsed() > PATIENCE {
                bail!("only {good} of the {count} StageSets of {fleet} got there");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn until_there(&self, path: &str) -> Result<()> {
        let started = Instant::now();
        while self.api.send(&Call::get(path)).await?.0 != 200 {
            if started.elapsed() > PATIENCE {
                bail!("{path} never appeared");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// The time of the last request so far, as a mark in the audit log.
    fn now(&self) -> Result<String> {
        let events = audit::read(&self.plane.audit_log())?;
        Ok(events
            .last()
            .map(|event| event.time.clone())
            .unwrap_or_default())
    }

    fn since(&self, mark: &str) -> Result<Vec<Event>> {
        let mut events = audit::read(&self.plane.audit_log())?;
        events.retain(|event| event.time.as_str() > mark);
        Ok(events)
    }
}

/// The events up to the first pass that was asked for by annotation: the fleet was Ready by then.
fn until_asked<'a>(events: &'a [Event], fleet: &str) -> &'a [Event] {
    let asked = events.iter().position(|event| {
        event.user != chart::USER
            && event.verb == "patch"
            && event.resource == "stagesets"
            && event.uri.contains("fieldManager=bench-pass")
            && event.namespace.starts_with(fleet)
    });
    &events[..asked.unwrap_or(events.len())]
}

fn request_pass(ns: &str, token: &str) -> Call {
    let path = format!("{}?fieldManager=bench-pass", fleet::stage_set(ns));
    let patch = json!({"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": token}}});
    Call::merge(path, &patch)
}

fn ready(set: &Value) -> bool {
    set["status"]["observedGeneration"] == set["metadata"]["generation"]
        && condition(set, "Ready").is_some_and(|ready| ready["status"] == "True")
}

/// Applied, and waiting for health.
fn verifying(set: &Value) -> bool {
    set["status"]["stages"][0]["phase"] == "Verifying"
}

fn handled(set: &Value, token: &str) -> bool {
    set["status"]["lastHandledReconcileAt"] == token && ready(set)
}

fn pid(controller: &Controller) -> Result<u32> {
    controller
        .id()
        .ok_or_else(|| anyhow::anyhow!("the controller is not running"))
}
