//! Level core: the pure core against a world in memory, a thousand rollouts a second.
//!
//! A run has two acts. In the first, events happen at request boundaries and every promise is held
//! against every step. In the second, faults end; from then on the release must converge within a
//! bound, write nothing more, and decide on an empty plan again and again (G24).

mod call;
mod meddle;
mod plan;
mod process;
mod records;
mod release;
mod scene;
mod server;

use std::time::Duration;

use stageset_core::failure::{Failure, FailureClass};
use stageset_core::time::Timestamp;

use crate::Outcome;
use crate::event::{Event, Offer};
use crate::log::{Entry, What, Who};
use crate::property::rest::{self, Excused};
use crate::property::{Property, Violation, all};
use crate::random::Random;
use crate::saboteurs::Saboteur;
use crate::schedule::{Level, Schedule};
use crate::setup::{Flavour, INTERVAL_SECONDS, MAX_TEARDOWN_SECONDS, Variant};

use call::{Answer, Call, injected};
use process::{Process, Todo};
use server::{Server, Trace};

/// One request takes so long.
const REQUEST: Duration = Duration::from_millis(10);
/// The first act ends after so much time at the latest.
const FIRST_ACT: Duration = Duration::from_secs(6 * 3600);
/// The second act has so much time to converge.
const BOUND: Duration = Duration::from_secs(2 * 3600);
/// And so many requests.
const MOST_REQUESTS: u64 = 4000;

/// Runs a schedule. With `keep`, the log and the pictures of every step are kept.
pub fn run(schedule: &Schedule, keep: bool) -> Outcome {
    acts(schedule, keep, None, false)
}

/// The same with a deliberate bug.
pub fn sabotaged(schedule: &Schedule, saboteur: Saboteur) -> Outcome {
    acts(schedule, false, Some(saboteur), false)
}

/// The same up to convergence: a faulty rollout and nothing else, for measuring.
pub fn rollout(schedule: &Schedule) -> Outcome {
    acts(schedule, false, None, true)
}

fn acts(schedule: &Schedule, keep: bool, saboteur: Option<Saboteur>, hasty: bool) -> Outcome {
    let server = Server::new(&schedule.setup);
    let mut run = Run {
        processes: vec![Process::new(0, 0, server.now, saboteur)],
        server,
        saboteur,
        properties: all(Level::Core),
        order: Random::new(schedule.seed).child(9),
        events: &schedule.events,
        happened: 0,
        boundary: 0,
        requests: 0,
        effects: 0,
        excused: Excused::default(),
        faults: true,
        hasty,
        keep,
        log: Vec::new(),
        pictures: Vec::new(),
    };
    let violation = run.acts(schedule).err();
    if keep && let Some(violation) = &violation {
        run.pictures.push(format!("VIOLATED {violation}"));
    }
    Outcome {
        violation,
        requests: run.requests,
        events: run.happened,
        log: run.log,
        pictures: run.pictures,
    }
}

struct Run<'a> {
    saboteur: Option<Saboteur>,
    server: Server,
    processes: Vec<Process>,
    properties: Vec<Box<dyn Property>>,
    order: Random,
    /// What is still to happen.
    events: &'a [(u64, Event)],
    happened: u64,
    boundary: u64,
    requests: u64,
    effects: u64,
    excused: Excused,
    faults: bool,
    /// Ends with convergence, without a look at the rest after it: for measuring.
    hasty: bool,
    keep: bool,
    log: Vec<Entry>,
    pictures: Vec<String>,
}

/// What the events of a boundary do to its request.
#[derive(Default)]
struct Faults {
    fault: Option<Event>,
    late: u64,
    meanwhile: Vec<Event>,
}

impl Run<'_> {
    fn acts(&mut self, schedule: &Schedule) -> Result<(), Violation> {
        let end = self.server.now.plus(FIRST_ACT);
        while self.boundary < schedule.setup.boundaries && self.server.now < end {
            if !self.step(end)? {
                break;
            }
        }
        self.heal(schedule)?;
        self.converge(schedule)?;
        if self.server.stage_set.is_some() && !self.hasty {
            self.rest()?;
        }
        Ok(())
    }

    /// One request of one process, or time passes up to the next; false if nothing goes on by `end`.
    fn step(&mut self, end: Timestamp) -> Result<bool, Violation> {
        let now = self.server.now;
        let mut first: Option<Timestamp> = None;
        let mut ready = Vec::new();
        for (index, process) in self.processes.iter().enumerate() {
            if let Some(due) = process.due(now) {
                if due <= now {
                    ready.push(index);
                }
                first = Some(first.map_or(due, |known| known.min(due)));
            }
        }
        if ready.is_empty() {
            return match first {
                Some(due) if due <= end => {
                    self.server.now = due;
                    Ok(true)
                }
                _ => Ok(false),
            };
        }
        let index = if ready.len() == 1 {
            ready[0]
        } else {
            *self.order.pick(&ready)
        };
        let mut process =
            std::mem::replace(&mut self.processes[index], Process::new(0, 0, now, None));
        let result = self.one(&mut process);
        self.processes[index] = process;
        result.map(|()| true)
    }

    fn one(&mut self, process: &mut Process) -> Result<(), Violation> {
        let next = process.next_call(&self.server).map_err(|said| Violation {
            property: "G13",
            said,
        })?;
        let Some((todo, call)) = next else {
            return Ok(());
        };
        self.request(process, todo, &call)
    }

    fn request(&mut self, process: &mut Process, todo: Todo, call: &Call) -> Result<(), Violation> {
        let faults = self.boundary_events(process)?;
        self.server.now = self.server.now.plus(REQUEST);
        let asked = self.server.now;
        self.requests += 1;
        match &faults.fault {
            Some(Event::CrashBefore) => {
                process.crash(self.server.now);
                self.finish(process, &faults)
            }
            Some(Event::Fail(failing)) => {
                let refusal = injected(*failing);
                let mut trace = blank(call);
                trace.code = refusal.code;
                self.tell(process, trace, refusal.code != 0)?;
                process.take_answer(todo, Err(refusal.failure), asked, &self.server);
                self.finish(process, &faults)
            }
            fault => {
                let stale = *fault == Some(Event::Stale);
                let (answer, trace) = self.server.handle(call, stale);
                let lost = *fault == Some(Event::Lose);
                let crashes = *fault == Some(Event::CrashAfter);
                self.tell(process, trace, !lost && !crashes)?;
                self.finish(process, &faults)?;
                if crashes {
                    process.crash(self.server.now);
                } else {
                    let answer: Result<Answer, Failure> = if lost {
                        let class = FailureClass::Transient { retry_after: None };
                        Err(Failure::new(class, "injected: the answer was lost"))
                    } else {
                        answer.map_err(|refusal| refusal.failure)
                    };
                    process.take_answer(todo, answer, asked, &self.server);
                }
                self.server.let_go();
                Ok(())
            }
        }
    }

    /// What is to happen at this boundary: to the world at once, to the request as an answer.
    fn boundary_events(&mut self, process: &mut Process) -> Result<Faults, Violation> {
        let mut faults = Faults::default();
        let boundary = self.boundary;
        self.boundary += 1;
        if !self.faults {
            return Ok(faults);
        }
        while let Some((at, event)) = self.events.first() {
            if *at > boundary {
                break;
            }
            self.events = &self.events[1..];
            self.happened += 1;
            match event {
                Event::Late(seconds) => faults.late = *seconds,
                event if event.is_of_request() => faults.fault = Some(event.clone()),
                event if faults.late > 0 => faults.meanwhile.push(event.clone()),
                event => self.happen(event, Some(process))?,
            }
        }
        Ok(faults)
    }

    fn finish(&mut self, process: &mut Process, faults: &Faults) -> Result<(), Violation> {
        self.server.now = self.server.now.plus(Duration::from_secs(faults.late));
        for event in &faults.meanwhile {
            self.happen(event, Some(process))?;
        }
        Ok(())
    }

    fn happen(&mut self, event: &Event, mut out: Option<&mut Process>) -> Result<(), Violation> {
        self.excused.note(event);
        let now = self.server.now;
        match event {
            Event::Skew(..) | Event::Lag(..) | Event::Pause(..) => {
                let wanted = match event {
                    Event::Skew(number, _) | Event::Lag(number, _) | Event::Pause(number, _) => {
                        *number
                    }
                    _ => 0,
                };
                let process = match &mut out {
                    Some(process) if process.number == wanted => Some(&mut **process),
                    _ => self
                        .processes
                        .iter_mut()
                        .enumerate()
                        .find(|(index, _)| *index == wanted)
                        .map(|(_, process)| process),
                };
                if let Some(process) = process {
                    match event {
                        Event::Skew(_, seconds) => process.skew = *seconds,
                        Event::Lag(_, seconds) => {
                            process.lag_until = now.plus(Duration::from_secs(*seconds));
                        }
                        Event::Pause(_, seconds) => {
                            process.paused_until = now.plus(Duration::from_secs(*seconds));
                        }
                        _ => {}
                    }
                }
            }
            Event::SecondLeader if self.processes.len() == 1 => {
                self.processes.push(Process::new(1, 0, now, self.saboteur));
            }
            event => {
                let hints = self.server.happen(event);
                for hint in &hints {
                    for process in &mut self.processes {
                        process.tell(hint);
                    }
                    if let Some(process) = &mut out {
                        process.tell(hint);
                    }
                }
            }
        }
        self.log_world(What::World(event.clone()))
    }

    fn log_world(&mut self, what: What) -> Result<(), Violation> {
        let entry = Entry {
            number: self.boundary,
            at: self.server.now,
            process: usize::MAX,
            life: 0,
            who: Who::World,
            what,
            code: 0,
            delivered: false,
            effect: false,
            versions: None,
        };
        self.hold_against(entry)
    }

    fn tell(&mut self, process: &Process, trace: Trace, delivered: bool) -> Result<(), Violation> {
        let entry = Entry {
            number: self.boundary - 1,
            at: self.server.now,
            process: process.number,
            life: process.life,
            who: trace.who,
            what: trace.what,
            code: trace.code,
            delivered,
            effect: trace.effect,
            versions: trace.versions,
        };
        if entry.effect {
            self.effects += 1;
        }
        if self.keep
            && let Some(plan) = &process.last_plan
        {
            self.pictures.push(picture(&self.server, &entry, plan));
        }
        self.hold_against(entry)
    }

    fn hold_against(&mut self, entry: Entry) -> Result<(), Violation> {
        let broken = self.properties.iter_mut().find_map(|property| {
            let said = property.look(&entry, &self.server).err()?;
            Some(Violation {
                property: property.name(),
                said,
            })
        });
        if self.keep {
            if entry.who == Who::World {
                self.pictures.push(entry.to_string());
            }
            self.log.push(entry);
        }
        broken.map_or(Ok(()), Err)
    }

    /// Faults end, and whoever broke something mends it. What stands in the way of a deletion may
    /// stay: it must end all the same.
    fn heal(&mut self, schedule: &Schedule) -> Result<(), Violation> {
        self.faults = false;
        let deleting = self
            .server
            .stage_set
            .as_ref()
            .is_none_or(|stage_set| stage_set.deletion.is_some());
        let now = self.server.now;
        self.processes.truncate(1);
        if let Some(process) = self.processes.first_mut() {
            process.skew = 0;
            process.lag_until = now;
            process.paused_until = now;
            // A lagging watch may have shown it an old state for good: it goes on by itself.
        }
        self.log_world(What::Healed)?;
        if !(deleting && schedule.setup.obstinate) {
            self.heal_target(schedule)?;
        }
        Ok(())
    }

    fn heal_target(&mut self, schedule: &Schedule) -> Result<(), Violation> {
        let setup = &schedule.setup;
        for event in [
            Event::Grant,
            Event::AllowDeletes,
            Event::Accept,
            Event::MendWorkloads,
            Event::Release,
        ] {
            self.happen(&event, None)?;
        }
        self.server.fights.clear();
        for account in setup.account_names() {
            if !self.server.accounts.contains_key(account) {
                self.happen(&Event::RecreateAccount(account.to_owned()), None)?;
            }
        }
        let last = self.server.revisions.values().max().copied().unwrap_or(1);
        for source in setup.sources() {
            let own = self.server.revisions.get(source).copied().unwrap_or(1);
            // Stages that build on each other are healed to one revision: a definition that left one
            // stage while another still needs it would be the user's contradiction, not a fault.
            let revision = if setup.flavour == Flavour::Platform {
                last
            } else {
                own
            };
            if self.server.sources.get(source) != Some(&Offer::Revision(revision)) {
                self.happen(
                    &Event::Source(source.to_owned(), Offer::Revision(revision)),
                    None,
                )?;
            }
        }
        let variant = &self.server.variant;
        let mended = Variant {
            suspended: false,
            invalid: false,
            ..if setup.flavour == Flavour::Platform {
                Variant {
                    unpruned: variant.unpruned,
                    ..Variant::default()
                }
            } else {
                variant.clone()
            }
        };
        if mended != self.server.variant {
            self.server.variant = mended;
            for hint in self.server.respec() {
                for process in &mut self.processes {
                    process.tell(&hint);
                }
            }
        }
        Ok(())
    }

    /// Until nothing is missing; the violation says what still is.
    fn converge(&mut self, schedule: &Schedule) -> Result<(), Violation> {
        let deletion = self
            .server
            .stage_set
            .as_ref()
            .and_then(|stage_set| stage_set.deletion);
        let bound = self.server.now.plus(match deletion {
            Some(_) => Duration::from_secs(MAX_TEARDOWN_SECONDS + 900),
            None => BOUND,
        });
        let patience = self.server.now.plus(BOUND / 2);
        let most = self.requests + MOST_REQUESTS;
        loop {
            let busy = self.processes.iter().any(Process::is_busy);
            // What may stand still for a reason has no mark of its own: it is given time to get there.
            let waits = deletion.is_none()
                && self.server.now < patience
                && rest::excuse(&self.server).is_some();
            if !busy && !waits && self.converged(schedule).is_ok() {
                return Ok(());
            }
            if self.requests > most || !self.step(bound)? {
                let Err(missing) = self.converged(schedule) else {
                    return Ok(());
                };
                let spent = if self.requests > most {
                    format!("after {MOST_REQUESTS} requests without a fault")
                } else {
                    "long after the last fault".to_owned()
                };
                return Err(Violation {
                    property: if deletion.is_some() { "L3" } else { "L1" },
                    said: format!("{spent}: {missing}"),
                });
            }
        }
    }

    fn converged(&self, schedule: &Schedule) -> Result<(), String> {
        let deletion = self
            .server
            .stage_set
            .as_ref()
            .and_then(|stage_set| stage_set.deletion);
        if deletion.is_some() || self.server.stage_set.is_none() {
            let forced = schedule.setup.obstinate
                || self
                    .server
                    .told
                    .iter()
                    .any(|reason| reason == "TeardownForced");
            return rest::gone(&self.server, &self.excused, forced);
        }
        rest::missing(&self.server, &self.excused)
    }

    /// At rest: no write, few requests, an empty plan; and the same after a restart.
    fn rest(&mut self) -> Result<(), Violation> {
        // What a second leader left half recorded is put right with the next tick.
        let tick = Duration::from_secs(INTERVAL_SECONDS + 40);
        self.until(self.server.now.plus(tick))?;
        for restarted in [false, true] {
            if restarted {
                let now = self.server.now;
                if let Some(process) = self.processes.first_mut() {
                    process.crash(now);
                }
                self.until(now.plus(Duration::from_secs(60)))?;
            }
            let (effects, requests) = (self.effects, self.requests);
            let intervals = 1;
            let end = self
                .server
                .now
                .plus(Duration::from_secs(intervals * (INTERVAL_SECONDS + 40)));
            self.until(end)?;
            if self.effects != effects {
                return Err(Violation {
                    property: "L1",
                    said: format!(
                        "{} write(s) although everything was as desired{}",
                        self.effects - effects,
                        if restarted { ", after a restart" } else { "" }
                    ),
                });
            }
            let objects = self.server.objects.len();
            let most = (intervals + 1)
                * rest::most_requests_at_rest(&self.server.setup, objects)
                // A refusal that only others can cure is tried again within a minute (K10).
                * if rest::excuse(&self.server).is_some() { 12 } else { 1 };
            let made = self.requests - requests;
            if made > most {
                return Err(Violation {
                    property: "L2",
                    said: format!(
                        "{made} requests in {intervals} intervals at rest, at most {most}"
                    ),
                });
            }
            self.plan_is_empty()?;
        }
        Ok(())
    }

    fn plan_is_empty(&self) -> Result<(), Violation> {
        let plan = self
            .processes
            .first()
            .and_then(|process| process.last_plan.as_ref());
        match plan {
            Some(plan) if !plan.is_idle() => Err(Violation {
                property: "L1",
                said: format!("the plan isn't empty at rest:\n{plan}"),
            }),
            _ => Ok(()),
        }
    }

    fn until(&mut self, end: Timestamp) -> Result<(), Violation> {
        while self.server.now < end && self.step(end)? {}
        // A pass that has begun comes to its end.
        while self.processes.iter().any(Process::is_busy) && self.step(end.plus(BOUND))? {}
        self.server.now = self.server.now.max(end);
        Ok(())
    }
}

/// A request that never got to the server.
fn blank(call: &Call) -> Trace {
    let (who, what) = match call {
        Call::Account(name) => (Who::Controller, What::Account(name.clone(), None)),
        Call::Namespace => (Who::Controller, What::Namespace),
        Call::Inventories => (Who::Controller, What::Inventories),
        Call::Source(name) => (Who::Controller, What::Source(name.clone(), None)),
        Call::Kind(gvk) => (Who::Controller, What::Kind(gvk.kind.clone())),
        Call::Build(_) => (Who::Anonymous, What::Fetch),
        Call::DryRun(identity, object) => (
            as_whom(identity),
            What::DryRun(object.reference.key.clone(), None),
        ),
        Call::Labelled(identity, search) => (as_whom(identity), What::Kind(search.plural.clone())),
        Call::Get(identity, reference) => {
            (as_whom(identity), What::Get(reference.key.clone(), None))
        }
        Call::Apply(identity, object, _) => (
            as_whom(identity),
            What::Apply(object.reference.key.clone(), None, None),
        ),
        Call::Delete(identity, reference, uid, _) => (
            as_whom(identity),
            What::Delete(reference.key.clone(), None, Some(uid.clone())),
        ),
        Call::Finalizer(add, _) => (Who::Controller, What::Finalizer(*add)),
        Call::Status(..) => (Who::Controller, What::Status(String::new())),
        Call::ReleaseInventories => (
            Who::Controller,
            What::Inventory("every stage".into(), Vec::new(), Vec::new()),
        ),
        Call::Inventory(stage, ..) | Call::DropInventory(stage, _) => (
            Who::Controller,
            What::Inventory(stage.to_string(), Vec::new(), Vec::new()),
        ),
        Call::Announce(reason, _) => (
            Who::Controller,
            What::Announce(reason.clone(), String::new()),
        ),
    };
    Trace {
        who,
        what,
        code: 0,
        effect: false,
        versions: None,
    }
}

fn as_whom(identity: &stageset_core::identity::Identity) -> Who {
    identity
        .impersonated_user()
        .map_or(Who::Controller, Who::User)
}

/// One step for a person: what happened, what was planned, what stands.
fn picture(server: &Server, entry: &Entry, plan: &stageset_core::plan::Plan) -> String {
    use std::fmt::Write as _;
    let mut text = format!("{entry}\n  plan of the process:\n");
    for line in plan.to_string().lines() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "    {line}");
    }
    text.push_str("  cluster:\n");
    if let Some(stage_set) = crate::scene::Scene::stage_set(server) {
        let _ = writeln!(
            text,
            "    StageSet generation {} Ready={}: {}",
            stage_set.generation, stage_set.ready, stage_set.message
        );
    }
    for (stage, keys) in crate::scene::Scene::inventories(server) {
        let names: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "    inventory {stage}: {}", names.join(", "));
    }
    for (key, sight) in crate::scene::Scene::objects(server) {
        let _ = writeln!(
            text,
            "    {key}: {} {} of {}{}{}",
            sight.uid,
            sight.content,
            sight.owner.as_deref().unwrap_or("nobody"),
            if sight.ready { "" } else { ", not ready" },
            if sight.deleting {
                ", being deleted"
            } else {
                ""
            },
        );
    }
    text
}
