//! Level wire: the production loop, adapter and watches on the simulated API server, on a paused
//! clock. Faults are put between the two ([`door`]); the two acts are those of level core.

mod door;
mod sight;
mod stage;
mod world;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stageset_cluster::fairness::Budget;
use stageset_cluster::ports::NoWatches;
use stageset_cluster::{Clock, Connection, Discovery, Ports, Renderer, Settings, Silent};
use stageset_controller::gate::Gate;
use stageset_controller::metrics::Metrics;
use stageset_controller::{Candidate, Options, Process};
use stageset_core::observation::Config;
use stageset_core::time::Timestamp;
use stageset_sim::{SimulatedCluster, User};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::Outcome;
use crate::log::What;
use crate::property::rest::{self, Excused};
use crate::property::{Violation, all};
use crate::scene::Scene as _;
use crate::schedule::{Level, Schedule};
use crate::setup::{INTERVAL_SECONDS, MAX_TEARDOWN_SECONDS};

use door::FaultyDoor;
use stage::Stage;
use world::{Artifacts, START, World};

/// The first act ends after so much time without a request boundary left, at the latest.
const FIRST_ACT: Duration = Duration::from_secs(4 * 3600);
/// The second act has so much time to converge.
const BOUND: Duration = Duration::from_secs(2 * 3600);
/// How often it is looked whether it has. Virtual time: it costs nothing.
const LOOK: Duration = Duration::from_secs(5);

/// Runs a schedule. With `keep`, the log is kept.
pub fn run(schedule: &Schedule, keep: bool) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(acts(schedule, keep)),
        Err(error) => Err(defect(&error.to_string())),
    };
    result.unwrap_or_else(|violation| Outcome {
        violation: Some(violation),
        requests: 0,
        events: 0,
        log: Vec::new(),
        pictures: Vec::new(),
    })
}

/// The trial itself couldn't be held.
fn defect(said: &str) -> Violation {
    Violation {
        property: "trial",
        said: said.to_owned(),
    }
}

async fn acts(schedule: &Schedule, keep: bool) -> Result<Outcome, Violation> {
    let world = World::new(&schedule.setup, schedule.seed).map_err(|e| defect(&e.to_string()))?;
    let (casting, cast) = mpsc::unbounded_channel();
    let (cluster, artifacts) = (world.cluster.clone(), world.artifacts.clone());
    let stage = Arc::new(Mutex::new(Stage {
        world,
        properties: all(Level::Wire),
        events: schedule.events.clone(),
        next: 0,
        happened: 0,
        boundary: 0,
        requests: 0,
        effects: 0,
        faults: true,
        forced: false,
        excused: Excused::default(),
        violation: None,
        lives: vec![0],
        paused: vec![Instant::now()],
        casting,
        keep,
        log: Vec::new(),
    }));
    let troupe = Troupe {
        cluster,
        artifacts,
        stage: Arc::clone(&stage),
    };
    let manager = tokio::spawn(troupe.direct(cast));
    let director = Director { stage };
    let ended = director.acts(schedule).await;
    manager.abort();
    let mut stage = director.stage();
    let violation = stage.violation.take().or_else(|| ended.err());
    let log = std::mem::take(&mut stage.log);
    let mut pictures: Vec<String> = log.iter().map(ToString::to_string).collect();
    if let Some(violation) = &violation {
        pictures.push(format!("VIOLATED {violation}"));
    }
    Ok(Outcome {
        violation,
        requests: stage.requests,
        events: stage.happened,
        log,
        pictures,
    })
}

/// Starts processes, and starts them anew when they die.
struct Troupe {
    cluster: SimulatedCluster,
    artifacts: Artifacts,
    stage: Arc<Mutex<Stage>>,
}

impl Troupe {
    async fn direct(self, mut cast: mpsc::UnboundedReceiver<usize>) {
        let mut tasks: Vec<Option<(JoinHandle<()>, oneshot::Sender<()>)>> = vec![None, None];
        let (again, mut ended) = mpsc::unbounded_channel::<usize>();
        tasks[0] = Some(self.start(0, again.clone()));
        loop {
            // A process that ends by itself (a lost lease) is started anew, as a pod is.
            let process = tokio::select! {
                biased;
                process = cast.recv() => process,
                process = ended.recv() => process,
            };
            let Some(process) = process else { return };
            if let Some(place) = tasks.get_mut(process) {
                if let Some((task, _stop)) = place.take() {
                    task.abort();
                }
                sleep(Duration::from_secs(1)).await;
                *place = Some(self.start(process, again.clone()));
            }
        }
    }

    fn start(
        &self,
        process: usize,
        ended: mpsc::UnboundedSender<usize>,
    ) -> (JoinHandle<()>, oneshot::Sender<()>) {
        let life = {
            let stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
            stage.lives.get(process).copied().unwrap_or(0)
        };
        let user = User::new(format!("controller-{process}"), &["system:masters"]);
        let door = FaultyDoor {
            inner: self.cluster.door(user),
            stage: Arc::clone(&self.stage),
            process,
            life,
        };
        let now = Timestamp::from_millis(self.cluster.now().as_millisecond());
        let ports = Ports {
            connection: Connection::from_service(door),
            remotes: Arc::default(),
            budget: Budget::default(),
            hooks: Arc::new(Deaf),
            artifacts: Arc::new(self.artifacts.clone()),
            clock: Clock::simulated(now.max(Timestamp::parse(START).unwrap_or_default())),
            discovery: Arc::new(Discovery::new()),
            watched: Arc::new(NoWatches),
            observer: Arc::new(Silent),
            renderer: Renderer::Inline,
            config: Arc::new(Config::default()),
            settings: Settings::default(),
        };
        let options = Options {
            leader_elect: true,
            max_teardown_wait: Duration::from_secs(MAX_TEARDOWN_SECONDS),
            webhook: None,
            ..Options::default()
        };
        let (missing, _) = watch::channel(Vec::new());
        let identity = Process {
            metrics: Metrics::new(),
            missing,
            gate: Gate::default(),
            candidate: Some(Candidate {
                namespace: "default".to_owned(),
                identity: format!("controller-{process}-{life}"),
            }),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let shutdown = async {
                if stopped.await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            // However it ended: it is started anew.
            let _ = stageset_controller::run(&options, ports, identity, shutdown).await;
            let _ = ended.send(process);
        });
        (task, stop)
    }
}

struct Director {
    stage: Arc<Mutex<Stage>>,
}

impl Director {
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn broken(&self) -> Result<(), Violation> {
        self.stage().violation.clone().map_or(Ok(()), Err)
    }

    async fn acts(&self, schedule: &Schedule) -> Result<(), Violation> {
        let end = Instant::now() + FIRST_ACT;
        loop {
            sleep(LOOK).await;
            self.broken()?;
            let stage = self.stage();
            let over = stage.boundary >= schedule.setup.boundaries;
            if over || Instant::now() >= end || stage.world.stage_set().is_none() {
                break;
            }
        }
        self.heal(schedule)?;
        self.converge(schedule).await?;
        if self.stage().world.stage_set().is_some() {
            self.rest().await?;
        }
        self.broken()
    }

    fn heal(&self, schedule: &Schedule) -> Result<(), Violation> {
        let mut stage = self.stage();
        stage.faults = false;
        for until in &mut stage.paused {
            *until = Instant::now();
        }
        let deleting = stage
            .world
            .stage_set()
            .is_none_or(|stage_set| stage_set.deletion.is_some());
        stage.tell_world(What::Healed);
        if deleting && schedule.setup.obstinate {
            return Ok(());
        }
        stage
            .world
            .heal()
            .map_err(|error| defect(&error.to_string()))
    }

    async fn converge(&self, schedule: &Schedule) -> Result<(), Violation> {
        let deletion = self
            .stage()
            .world
            .stage_set()
            .and_then(|found| found.deletion);
        let bound = match deletion {
            Some(_) => Duration::from_secs(MAX_TEARDOWN_SECONDS + 900),
            None => BOUND,
        };
        let began = Instant::now();
        loop {
            sleep(LOOK).await;
            self.broken()?;
            let missing = self.missing(schedule);
            let excused = deletion.is_none()
                && began.elapsed() < BOUND / 2
                && rest::excuse(&self.stage().world).is_some();
            match missing {
                Ok(()) if !excused => return Ok(()),
                Err(missing) if began.elapsed() >= bound => {
                    return Err(Violation {
                        property: if deletion.is_some() { "L3" } else { "L1" },
                        said: format!("long after the last fault: {missing}"),
                    });
                }
                _ => {}
            }
        }
    }

    fn missing(&self, schedule: &Schedule) -> Result<(), String> {
        let stage = self.stage();
        match stage.world.stage_set() {
            Some(stage_set) if stage_set.deletion.is_none() => {
                rest::missing(&stage.world, &stage.excused)
            }
            _ => {
                let forced = schedule.setup.obstinate || stage.forced;
                rest::gone(&stage.world, &stage.excused, forced)
            }
        }
    }

    /// At rest: no write; and none after a restart either.
    async fn rest(&self) -> Result<(), Violation> {
        let tick = Duration::from_secs(INTERVAL_SECONDS + 40);
        sleep(tick).await;
        for restarted in [false, true] {
            if restarted {
                self.stage().kill(0);
                sleep(Duration::from_secs(60)).await;
            }
            let before = self.written();
            sleep(tick).await;
            self.broken()?;
            let writes = self.written() - before;
            if writes > 0 {
                return Err(Violation {
                    property: "L1",
                    said: format!(
                        "{writes} write(s) although everything was as desired{}",
                        if restarted { ", after a restart" } else { "" }
                    ),
                });
            }
        }
        Ok(())
    }

    fn written(&self) -> u64 {
        self.stage().effects
    }
}

/// Nobody calls a hook in the trials yet; whoever does gets no answer.
struct Deaf;

impl stageset_cluster::hooks::Hooks for Deaf {
    fn send(
        &self,
        _call: stageset_cluster::hooks::HookCall,
    ) -> futures::future::BoxFuture<'_, Result<(), stageset_core::failure::Failure>> {
        Box::pin(std::future::ready(Ok(())))
    }
}
