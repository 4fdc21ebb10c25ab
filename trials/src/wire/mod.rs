//! Level wire: the production loop, adapter and watches on the simulated API server, on a paused
//! clock. Faults are put between the two; the two acts are those of level core.
//!
//! - [`troupe`] starts processes, and starts them anew when they die;
//! - [`passage`] every way out of a process: [`door`] to an API server, [`abroad`] to the remote one,
//!   [`hooks`] to who gets the requests of actions; [`watches`] what comes back of watches;
//! - [`told`], [`sight`] what requests and answers mean, for checkers;
//! - [`stage`] what all of them share, [`world`] the simulated cluster.

mod abroad;
mod door;
mod hooks;
mod passage;
mod sight;
mod stage;
mod told;
mod troupe;
mod watches;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stageset_sim::{History, Recording};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::Outcome;
use crate::advice::advice;
use crate::log::What;
use crate::property::rest::{self, Excused};
use crate::property::{Violation, all};
use crate::saboteurs::Saboteur;
use crate::scene::Scene as _;
use crate::schedule::{Level, Schedule};
use crate::setup::{INTERVAL_SECONDS, MAX_TEARDOWN_SECONDS};

use stage::Stage;
use troupe::{TERM, Troupe};
use world::World;

/// The first act ends after so much time without a request boundary left, at the latest.
const FIRST_ACT: Duration = Duration::from_secs(4 * 3600);
/// The second act has so much time to converge.
const BOUND: Duration = Duration::from_secs(2 * 3600);
/// How often it is looked whether it has. Virtual time: it costs nothing.
const LOOK: Duration = Duration::from_secs(5);

/// How a schedule is run.
#[derive(Default)]
struct Manner<'a> {
    /// The log is kept.
    keep: bool,
    /// A deliberate bug of the driver.
    saboteur: Option<Saboteur>,
    /// It ends once the release has converged.
    hasty: bool,
    /// What the clusters live through is written there.
    recording: Option<&'a Recording>,
}

/// Runs a schedule. With `keep`, the log is kept.
pub fn run(schedule: &Schedule, keep: bool) -> Outcome {
    run_in(
        schedule,
        &Manner {
            keep,
            ..Manner::default()
        },
    )
}

/// The same with a deliberate bug of the driver.
pub fn sabotaged(schedule: &Schedule, saboteur: Saboteur) -> Outcome {
    let saboteur = Some(saboteur);
    run_in(
        schedule,
        &Manner {
            saboteur,
            ..Manner::default()
        },
    )
}

/// The same up to convergence: a faulty rollout and nothing else, for measuring.
pub fn rollout(schedule: &Schedule) -> Outcome {
    let hasty = true;
    run_in(
        schedule,
        &Manner {
            hasty,
            ..Manner::default()
        },
    )
}

/// Runs a seed and writes down what its clusters live through: all requests that get as far as an API
/// server, of processes and of the world alike, and what the clusters' own controllers do
/// ([`stageset_sim::History`]). `just sim-real` replays it on a real API server.
pub fn record(seed: u64) -> (Outcome, String) {
    let recording = Recording::new();
    let manner = Manner {
        keep: true,
        recording: Some(&recording),
        ..Manner::default()
    };
    let outcome = run_in(&Schedule::draw(seed, Level::Wire), &manner);
    let history = History {
        of: format!("level wire, seed {seed}"),
        steps: recording.steps(),
    };
    (outcome, history.write())
}

fn run_in(schedule: &Schedule, manner: &Manner<'_>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(acts(schedule, manner)),
        Err(error) => Err(defect(&error.to_string())),
    };
    result.unwrap_or_else(|violation| Outcome {
        violation: Some(violation),
        requests: 0,
        events: 0,
        happened: Vec::new(),
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

async fn acts(schedule: &Schedule, manner: &Manner<'_>) -> Result<Outcome, Violation> {
    let world = World::new(&schedule.setup, schedule.seed, manner.recording)
        .map_err(|error| defect(&error.to_string()))?;
    let (casting, cast) = mpsc::unbounded_channel();
    let (cluster, artifacts) = (world.cluster.clone(), world.artifacts.clone());
    let remote = world.remote.clone();
    let stage = Arc::new(Mutex::new(Stage {
        world,
        properties: all(Level::Wire),
        events: schedule.events.clone(),
        next: 0,
        carried: Vec::new(),
        happened: 0,
        kinds: Vec::new(),
        boundary: 0,
        requests: 0,
        effects: 0,
        asked: 0,
        faults: true,
        forced: false,
        excused: Excused::default(),
        violation: None,
        lives: vec![0],
        paused: vec![Instant::now()],
        lagging: vec![Instant::now()],
        skews: vec![0, 0],
        watch_faults: Vec::new(),
        expired: BTreeSet::new(),
        memory: BTreeMap::new(),
        saboteur: manner.saboteur,
        shared: BTreeMap::new(),
        leases: BTreeMap::new(),
        casting,
        keep: manner.keep,
        log: Vec::new(),
    }));
    let troupe = Troupe {
        cluster,
        remote,
        artifacts,
        stage: Arc::clone(&stage),
    };
    let manager = tokio::spawn(troupe.direct(cast));
    let director = Director {
        stage,
        hasty: manner.hasty,
    };
    let ended = director.acts(schedule).await;
    manager.abort();
    let mut stage = director.stage();
    if manner.recording.is_some() {
        stage.world.look_around();
    }
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
        happened: std::mem::take(&mut stage.kinds),
        log,
        pictures,
    })
}

struct Director {
    stage: Arc<Mutex<Stage>>,
    /// It ends once the release has converged.
    hasty: bool,
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
        let mut asked = 0;
        loop {
            sleep(LOOK).await;
            self.broken()?;
            let mut stage = self.stage();
            if asked == stage.requests {
                stage.nothing_asked();
            }
            asked = stage.requests;
            let over = stage.boundary >= schedule.setup.boundaries;
            if over || Instant::now() >= end || stage.world.stage_set().is_none() {
                break;
            }
        }
        self.heal(schedule)?;
        self.converge(schedule).await?;
        if !self.hasty && self.stage().world.stage_set().is_some() {
            self.rest().await?;
        }
        self.broken()
    }

    fn heal(&self, schedule: &Schedule) -> Result<(), Violation> {
        let mut stage = self.stage();
        stage.faults = false;
        let now = Instant::now();
        stage.paused.iter_mut().for_each(|until| *until = now);
        stage.lagging.iter_mut().for_each(|until| *until = now);
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
        let mut asked = BTreeSet::new();
        let mut seen = None;
        loop {
            sleep(LOOK).await;
            self.broken()?;
            // What is missing doesn't change by being looked at.
            let stands = self.stage().stands();
            let missing = match seen.take() {
                Some((then, missing)) if then == stands => missing,
                _ => self.missing(schedule),
            };
            seen = Some((stands, missing.clone()));
            if missing.is_err() {
                self.person_obeys(&mut asked);
            }
            let excused = || {
                deletion.is_none()
                    && began.elapsed() < BOUND / 2
                    && rest::excuse(&self.stage().world).is_some()
            };
            match missing {
                Ok(()) if !excused() => return Ok(()),
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

    /// What the condition tells a person to do, somebody does, once for each time that it is said anew.
    fn person_obeys(&self, asked: &mut BTreeSet<(i64, String)>) {
        let mut stage = self.stage();
        let Some(stage_set) = stage.world.stage_set() else {
            return;
        };
        let Some(advice) = advice(&stage.world) else {
            return;
        };
        let now = stage.now().as_millis() / 120_000;
        if asked.len() < 10 && asked.insert((now, stage_set.message)) {
            stage.happen(&advice);
        }
    }

    fn missing(&self, schedule: &Schedule) -> Result<(), String> {
        let stage = self.stage();
        match stage.world.stage_set() {
            Some(stage_set) if stage_set.deletion.is_none() => {
                rest::missing(&stage.world, &stage.excused)?;
                stage.world.missing_nearby()
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
                // Its lease runs out, and whoever leads then has looked at everything.
                sleep(TERM.lasts + Duration::from_secs(60)).await;
            }
            let (before, asked) = (self.written(), self.asked());
            sleep(tick).await;
            self.broken()?;
            self.rests(tick, self.asked() - asked)?;
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

    /// Nothing is asked for at rest but what no watch tells (L2).
    fn rests(&self, rested: Duration, made: u64) -> Result<(), Violation> {
        let stage = self.stage();
        let setup = &stage.world.setup;
        let intervals = rested.as_secs() / setup.tick_seconds();
        let objects = stage.world.objects().len();
        let most = (intervals + 1)
            * rest::most_requests_where_watches_tell(setup, objects)
            // A refusal that only others can cure is tried again within a minute (K10).
            * if rest::excuse(&stage.world).is_some() { 12 } else { 1 };
        if made <= most {
            return Ok(());
        }
        let said = format!("{made} requests in {intervals} intervals at rest, at most {most}");
        let property = "L2";
        Err(Violation { property, said })
    }

    fn asked(&self) -> u64 {
        self.stage().asked
    }

    fn written(&self) -> u64 {
        self.stage().effects
    }
}
