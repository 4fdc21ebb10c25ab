//! Level core: the pure core against a world in memory, a thousand rollouts a second.
//!
//! A run has two acts. In the first, events happen at request boundaries and every promise is held
//! against every step. In the second ([`converge`]), faults end; from then on the release must converge within a
//! bound, write nothing more, and decide on an empty plan again and again (G24).

mod call;
mod converge;
mod meddle;
mod plan;
mod process;
mod records;
mod release;
mod scene;
mod server;
mod tell;

use std::time::Duration;

use stageset_core::failure::{Failure, FailureClass};
use stageset_core::time::Timestamp;

use crate::Outcome;
use crate::event::Event;
use crate::log::{Entry, What, Who};
use crate::property::rest::Excused;
use crate::property::{Property, Violation, all};
use crate::random::Random;
use crate::saboteurs::Saboteur;
use crate::schedule::{Level, Schedule};

use call::{Answer, Call, injected};
use process::{Hint, Process, Todo};
use server::{Server, Trace};
use tell::{blank, picture};

/// One request takes so long.
const REQUEST: Duration = Duration::from_millis(10);
/// The first act ends after so much time at the latest.
const FIRST_ACT: Duration = Duration::from_secs(6 * 3600);
/// A leader, and one that takes itself for the leader.
const MOST_PROCESSES: usize = 2;

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
    let config = process::config(&schedule.setup);
    let mut process = Process::new(0, 0, server.now, config, saboteur);
    process.keep = keep;
    let mut run = Run {
        processes: vec![Some(process)],
        server,
        saboteur,
        properties: all(Level::Core),
        order: Random::new(schedule.seed).child(9),
        events: &schedule.events,
        happened: 0,
        kinds: Vec::new(),
        boundary: 0,
        requests: 0,
        effects: 0,
        asked: 0,
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
        happened: run.kinds,
        log: run.log,
        pictures: run.pictures,
    }
}

struct Run<'a> {
    saboteur: Option<Saboteur>,
    server: Server,
    /// One of them is out while it makes a request.
    processes: Vec<Option<Process>>,
    properties: Vec<Box<dyn Property>>,
    order: Random,
    /// What is still to happen.
    events: &'a [(u64, Event)],
    happened: u64,
    /// What has happened, if it is to be kept.
    kinds: Vec<Event>,
    boundary: u64,
    requests: u64,
    effects: u64,
    /// How often somebody asked for another try since the faults ended, because he was told to.
    asked: u32,
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
        let (mut ready, mut count) = ([0; MOST_PROCESSES], 0);
        for (index, process) in self.processes.iter().enumerate() {
            if let Some(due) = process.as_ref().and_then(|process| process.due(now)) {
                if due <= now {
                    ready[count] = index;
                    count += 1;
                }
                first = Some(first.map_or(due, |known| known.min(due)));
            }
        }
        let ready = &ready[..count];
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
            *self.order.pick(ready)
        };
        let Some(mut process) = self.processes[index].take() else {
            return Ok(false);
        };
        let result = self.one(&mut process);
        self.processes[index] = Some(process);
        result.map(|()| true)
    }

    fn one(&mut self, process: &mut Process) -> Result<(), Violation> {
        let next = process.next_call(&self.server).map_err(|said| Violation {
            property: "G13",
            said,
        })?;
        if std::mem::take(&mut process.caught_up) {
            process.heard = Some(self.boundary);
        }
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
                let hint = match &trace.what {
                    What::Inventory(..) => Some(Hint::Inventories),
                    What::LedgerWrite(_) => Some(Hint::Ledger),
                    _ => None,
                };
                if let Some(hint) = hint.filter(|_| trace.effect) {
                    // Watches bring it to the others.
                    for other in self.processes.iter_mut().flatten() {
                        other.tell(&hint);
                    }
                }
                if stale && matches!(call, Call::Inventories) {
                    // A watch that lags brings the rest later.
                    process.tell(&Hint::Inventories);
                }
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
            if self.keep {
                self.kinds.push(event.clone());
            }
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
                    _ => {
                        let mut others = self.processes.iter_mut().flatten();
                        others.find(|process| process.number == wanted)
                    }
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
                let config = process::config(&self.server.setup);
                let mut process = Process::new(1, 0, now, config, self.saboteur);
                process.keep = self.keep;
                self.processes.push(Some(process));
            }
            event => {
                let hints = self.server.happen(event);
                for hint in &hints {
                    for process in self.processes.iter_mut().flatten() {
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
            began: self.server.now,
            process: usize::MAX,
            life: 0,
            who: Who::World,
            what,
            code: 0,
            delivered: false,
            effect: false,
            abroad: false,
            versions: None,
            heard: None,
        };
        self.hold_against(entry)
    }

    fn tell(&mut self, process: &Process, trace: Trace, delivered: bool) -> Result<(), Violation> {
        let entry = Entry {
            number: self.boundary - 1,
            at: self.server.now,
            began: self.server.now,
            process: process.number,
            life: process.life,
            who: trace.who,
            what: trace.what,
            code: trace.code,
            delivered,
            effect: trace.effect,
            abroad: false,
            versions: trace.versions,
            heard: process.heard,
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
        self.excused.look(&entry, &self.server);
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
}
